//! The canonical layout of a document: indentation, quotes, blank lines and order, with every comment kept.
//!
//! The tree and the comments become entries (`build`), which are printed anew (`print`, `sections`). What cannot be
//! printed anew (an anchor on a key, keys over several lines) is copied. The result is read again before it is
//! handed out: it must mean the same and hold the same comments. It must not know manifests: what is special about
//! them comes in as [`FormatRules`].

mod build;
mod layout;
mod lines;
mod print;
mod scalar;
mod scan;
mod sections;

pub use scan::{Comment, comments};

use crate::build::parse;
use crate::limits::Limits;
use crate::node::{Kind, Node};
use crate::places;
use assay_diagnostics::{Diagnostic, Severity, SourceId};
use lines::Lines;
use scan::MarkKind;
use std::borrow::Cow;

/// What is special about a kind of document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FormatRules {
    /// Characters of a line up to which brackets stay brackets; a comment behind them does not count.
    pub width: usize,
    /// Top-level keys in their canonical order; all others come behind them in the author's order. Empty: no
    /// reordering.
    pub top_order: &'static [&'static str],
    /// Whether top-level mappings are set apart by a blank line, and what stands before the first is kept together.
    pub spaced: bool,
}

impl Default for FormatRules {
    /// 100 characters, no order of keys, sections set apart.
    fn default() -> Self {
        Self { width: 100, top_order: &[], spaced: true }
    }
}

/// Why a document was not laid out anew. It stays as it is.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FormatError {
    /// The text has errors; warnings are not among these diagnostics.
    #[error("the text has {} errors", .0.len())]
    Invalid(Vec<Diagnostic>),
    /// The result would mean something else, or lack a comment or an anchor. This is a defect of the formatter.
    #[error("the result would not read the same")]
    Changed,
}

/// Lays a document out anew. Formatting the result again changes nothing.
///
/// # Errors
/// The text has errors, or the result would not read the same.
pub fn format(source: SourceId, text: &str, rules: &FormatRules) -> Result<String, FormatError> {
    let mut result = once(source, text, rules)?;
    // What was copied for something odd behind it, such as a tab in a blank line, may be laid out once that is gone.
    for _ in 0..MOST_ROUNDS {
        let next = once(source, &result, rules)?;
        if next == result {
            break;
        }
        result = next;
    }
    Ok(result)
}

/// Rounds until nothing changes any more; more than one are rare.
const MOST_ROUNDS: usize = 4;

fn once(source: SourceId, text: &str, rules: &FormatRules) -> Result<String, FormatError> {
    let wanted = read(source, text).map_err(FormatError::Invalid)?;
    let plain = plain_lines(text);
    let root = match &plain {
        Cow::Borrowed(_) => Cow::Borrowed(&wanted),
        Cow::Owned(plain) => Cow::Owned(read(source, plain).map_err(|_| FormatError::Changed)?),
    };
    let lines = Lines::new(&plain);
    let scan = scan::scan(source, &plain, &root, &lines);
    let result = sections::document(&plain, &root, &lines, &scan, rules);
    let again = read(source, &result).map_err(|_| FormatError::Changed)?;
    let same = same_document(&wanted, &again, rules)
        && comments_and_anchors(source, text, &wanted) == comments_and_anchors(source, &result, &again);
    if same { Ok(result) } else { Err(FormatError::Changed) }
}

fn read(source: SourceId, text: &str) -> Result<Node, Vec<Diagnostic>> {
    let parsed = parse(source, text, &Limits::default());
    let errors: Vec<Diagnostic> =
        parsed.diagnostics.into_iter().filter(|found| found.severity == Severity::Error).collect();
    match parsed.root {
        Some(root) if errors.is_empty() => Ok(root),
        _ => Err(errors),
    }
}

/// Without byte order mark, carriage returns and spaces in an unfinished last line, which mean nothing.
fn plain_lines(text: &str) -> Cow<'_, str> {
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let body = places::without_loose_indentation(body);
    if body.len() < text.len() || body.contains('\r') {
        body.replace("\r\n", "\n").replace('\r', "\n").into()
    } else {
        text.into()
    }
}

/// The comments and anchors of a document, sorted.
fn comments_and_anchors(source: SourceId, text: &str, root: &Node) -> (Vec<String>, Vec<String>) {
    let found = scan::scan(source, text, root, &Lines::new(text));
    let comments = found.comments.iter().map(|comment| build::shown(&text[comment.span.range()]));
    let anchors = found.marks.iter().filter(|mark| mark.kind == MarkKind::Anchor);
    let anchors = anchors.map(|mark| text[mark.start as usize..mark.end as usize].to_owned());
    let (mut comments, mut anchors): (Vec<String>, Vec<String>) = (comments.collect(), anchors.collect());
    comments.sort_unstable();
    anchors.sort_unstable();
    (comments, anchors)
}

/// Equal values; only the top-level keys may have changed their order.
fn same_document(before: &Node, after: &Node, rules: &FormatRules) -> bool {
    let (Kind::Mapping(before), Kind::Mapping(after)) = (&before.kind, &after.kind) else {
        return same(before, after);
    };
    let ordered = |entries: &[(crate::Key, Node)]| {
        let mut order: Vec<usize> = (0..entries.len()).collect();
        order.sort_by_key(|index| sections::rank(rules, &entries[*index].0.name));
        order
    };
    before.len() == after.len()
        && ordered(before)
            .into_iter()
            .zip(ordered(after))
            .all(|(old, new)| before[old].0.name == after[new].0.name && same(&before[old].1, &after[new].1))
}

fn same(before: &Node, after: &Node) -> bool {
    match (&before.kind, &after.kind) {
        (Kind::Sequence(before), Kind::Sequence(after)) => {
            before.len() == after.len() && before.iter().zip(after).all(|(before, after)| same(before, after))
        }
        (Kind::Mapping(before), Kind::Mapping(after)) => {
            before.len() == after.len()
                && before
                    .iter()
                    .zip(after)
                    .all(|(before, after)| before.0.name == after.0.name && same(&before.1, &after.1))
        }
        (before, after) => before == after,
    }
}
