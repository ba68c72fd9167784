//! Comments that silence rules: `# assay: ignore[rule, rule] reason`.
//!
//! At the end of a line it covers findings that begin on that line; on a line of its own the whole entry below it;
//! `ignore-file` covers the file. Every one needs a reason, and one that silences nothing is a finding itself.

use crate::comments;
use assay_diagnostics::{Diagnostic, SourceId, Span};
use assay_yaml::Node;
use std::ops::Range;

/// One rule id of such a comment.
#[derive(Debug)]
pub struct Ignore {
    /// The id as written.
    pub rule: String,
    /// Where it stands.
    pub span: Span,
    /// The whole comment.
    pub comment: Span,
    /// Why, as written; may be empty.
    pub reason: String,
    /// Bytes that it covers.
    covers: Range<u32>,
    /// It has silenced something.
    pub used: bool,
}

const MARK: &str = "assay:";

/// All of them, in the order of the text.
pub(crate) fn read(source: SourceId, text: &str, root: Option<&Node>) -> Vec<Ignore> {
    // Most texts have none, and then nothing is walked through.
    if !text.contains(MARK) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for range in comments::of(text, root) {
        let comment = Span { source, start: range.start as u32, end: range.end as u32 };
        let Some(parts) = parse(&text[range.clone()]) else { continue };
        let covers = if parts.file { 0..u32::MAX } else { covered(text, root, range.start) };
        for rule in parts.rules {
            let start = comment.start + rule.start as u32;
            found.push(Ignore {
                rule: text[range.start + rule.start..range.start + rule.end].to_owned(),
                span: Span { start, end: start + rule.len() as u32, ..comment },
                comment,
                reason: parts.reason.to_owned(),
                covers: covers.clone(),
                used: false,
            });
        }
    }
    found
}

impl Ignore {
    /// Whether it silences a finding.
    pub(crate) fn covers(&self, finding: &Diagnostic) -> bool {
        finding.code == self.rule
            && finding
                .primary()
                .is_none_or(|span| span.source == self.span.source && self.covers.contains(&span.start))
    }
}

struct Parts<'t> {
    file: bool,
    /// Bytes of each id, within the comment.
    rules: Vec<Range<usize>>,
    reason: &'t str,
}

fn parse(comment: &str) -> Option<Parts<'_>> {
    let body = comment.trim_start_matches('#').trim_start();
    let rest = body.strip_prefix(MARK)?.trim_start();
    let (file, rest) = match rest.strip_prefix("ignore-file[") {
        Some(rest) => (true, rest),
        None => (false, rest.strip_prefix("ignore[")?),
    };
    let (list, reason) = rest.split_once(']')?;
    let base = comment.len() - rest.len();
    let mut at = base;
    let mut rules = Vec::new();
    for part in list.split(',') {
        let lead = part.len() - part.trim_start().len();
        rules.push(at + lead..at + lead + part.trim().len());
        at += part.len() + 1;
    }
    Some(Parts { file, rules, reason: reason.trim().trim_start_matches([':', '-']).trim() })
}

/// The line for a comment behind something, else the entry on the next line that holds one.
fn covered(text: &str, root: Option<&Node>, comment: usize) -> Range<u32> {
    let line = text[..comment].rfind('\n').map_or(0, |at| at + 1);
    if !text[line..comment].trim().is_empty() {
        let end = text[comment..].find('\n').map_or(text.len(), |at| comment + at);
        return line as u32..end as u32;
    }
    let mut at = comment;
    loop {
        let Some(next) = text[at..].find('\n').map(|offset| at + offset + 1) else { return 0..0 };
        let end = text[next..].find('\n').map_or(text.len(), |offset| next + offset);
        let content = text[next..end].trim();
        if content.is_empty() || content.starts_with('#') {
            if end == text.len() {
                return 0..0;
            }
            at = next;
            continue;
        }
        let line = next as u32..end as u32;
        let entry = root.and_then(|root| entry_on(root, &line)).unwrap_or(line.end);
        return line.start..entry.max(line.end);
    }
}

/// The end of the outermost entry or element that begins on a line.
fn entry_on(node: &Node, line: &Range<u32>) -> Option<u32> {
    if let Some(entries) = node.as_mapping() {
        return entries.iter().find_map(|(key, value)| match line.contains(&key.span.start) {
            true => Some(value.span.end),
            false => entry_on(value, line),
        });
    }
    node.as_sequence()?.iter().find_map(|item| match line.contains(&item.span.start) {
        true => Some(item.span.end),
        false => entry_on(item, line),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_yaml::{Limits, parse};

    fn found(text: &str, rule: &'static str, at: &str) -> bool {
        let source = SourceId(0);
        let root = parse(source, text, &Limits::default()).root;
        let start = text.find(at).expect("the place") as u32;
        let finding = Diagnostic::warning(rule, "x").at(Span { source, start, end: start + 1 }, "");
        read(source, text, root.as_ref()).iter().any(|ignore| ignore.covers(&finding))
    }

    #[test]
    fn a_comment_covers_its_line_its_entry_or_the_file() {
        let text = "a: 1 # assay: ignore[one] why\nb:\n  # assay: ignore[two, three]: why\n  # more\n  c:\n    d: 2\n  e: 3\n# assay: ignore-file[four] why\n";
        assert!(found(text, "one", "a: 1") && !found(text, "one", "b:"));
        assert!(found(text, "two", "d: 2") && found(text, "three", "c:") && !found(text, "three", "e: 3"));
        assert!(found(text, "four", "a: 1") && found(text, "four", "e: 3"));
    }

    #[test]
    fn reasons_and_places_are_kept() {
        let text = "a: 1  # assay: ignore[one,  two] because of this\n";
        let list = read(SourceId(0), text, None);
        assert_eq!(list.len(), 2);
        assert!(list.iter().all(|ignore| ignore.reason == "because of this"));
        assert_eq!(&text[list[1].span.range()], "two");
        assert!(read(SourceId(0), "a: 1 # assay: is nice\n", None).is_empty());
    }
}
