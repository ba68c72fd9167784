//! The libraries that come with it.

use super::{Context, Image, finding, listed};
use crate::verdict::{Code, Finding};
use object::elf::DT_NEEDED;
use serde_json::json;

/// The loader itself, which is there anyway; libraries with thread-local storage name it.
const LOADER: &str = "ld-linux-x86-64.so.2";

/// The run-time libraries of C++, which hold what every kernel may import (`operator new`, the ends of failed checks). What else they
/// hold is refused by name.
pub const CPP: &[&str] = &["libstdc++.so.6", "libgcc_s.so.1"];

pub(super) fn check(image: &Image<'_>, context: &Context<'_>, findings: &mut Vec<Finding>) {
    let needed = image.texts(DT_NEEDED).into_iter();
    let known =
        |name: &String| name == LOADER || CPP.contains(&name.as_str()) || context.allow.needed.contains(name);
    let names: Vec<String> = needed.filter(|name| !known(name)).collect();
    if !names.is_empty() {
        findings.push(finding(
            Code::ForbiddenImport,
            format!("it needs {}; `allow.needed` of the task says which libraries may be", listed(&names)),
            json!({ "needed": names }),
        ));
    }
}
