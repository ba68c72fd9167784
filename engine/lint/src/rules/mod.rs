//! The rules: one file each, one line each below.

use crate::rule::{Check, Rule};

macro_rules! rules {
    ($($family:ident { $($file:ident),* $(,)? })*) => {
        $(mod $family { $(pub(super) mod $file;)* })*

        /// Every rule, by family.
        pub static ALL: &[&Rule] = &[$($(&$family::$file::RULE),*),*];
    };
}

rules! {
    language { cycle, unused_input }
    safety { missing_timeout }
    ignores { ignore_without_reason, unknown_ignore, unused_ignore, useless_ignore }
}

/// The rule with this id.
pub fn find(id: &str) -> Option<&'static Rule> {
    ALL.iter().copied().find(|rule| rule.id == id)
}

/// Whether a comment can silence a rule: not what `run` refuses, and not what is wrong with such comments.
fn can_be_ignored(id: &str) -> bool {
    find(id).is_some_and(|rule| !matches!(rule.check, Check::FrontEnd | Check::Ignores(_)))
}
