//! Comments that silence rules: `# assay: ignore[rule, rule] reason`.
//!
//! At the end of a line it covers findings that begin on that line; on a line of its own the whole entry below it;
//! `ignore-file` covers the file. Every one needs a reason, and one that silences nothing is a finding itself.

use assay_diagnostics::{Diagnostic, SourceId, Span};
use assay_yaml::Node;
use std::collections::HashMap;
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
    /// What goes when it is removed: its line if it has one for itself, else also the blanks before it.
    pub removal: Span,
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
    // The comment below, if it has its line for itself, and what that covers: above it is the same entry.
    let mut below: Option<(usize, Range<u32>)> = None;
    for comment in comments_of(source, text, root).into_iter().rev() {
        let range = comment.range();
        let line = text[..range.start].rfind('\n').map_or(0, |at| at + 1);
        let alone = text[line..range.start].trim().is_empty();
        let covers = match &below {
            _ if !alone => line as u32..range.end as u32,
            Some((start, covers)) if text[range.end..*start].trim().is_empty() => covers.clone(),
            _ => next_entry(text, root, range.end),
        };
        below = alone.then(|| (range.start, covers.clone()));
        let Some(parts) = parse(&text[range.clone()]) else { continue };
        let covers = if parts.file { 0..u32::MAX } else { covers };
        let removal = match alone {
            true => line..text[range.end..].find('\n').map_or(text.len(), |at| range.end + at + 1),
            false => text[..range.start].trim_end().len()..range.end,
        };
        let removal = Span { source, start: removal.start as u32, end: removal.end as u32 };
        for rule in parts.rules.into_iter().rev() {
            let start = comment.start + rule.start as u32;
            found.push(Ignore {
                rule: text[range.start + rule.start..range.start + rule.end].to_owned(),
                span: Span { start, end: start + rule.len() as u32, ..comment },
                comment,
                removal,
                reason: parts.reason.to_owned(),
                covers: covers.clone(),
                used: false,
            });
        }
    }
    found.reverse();
    found
}

/// Comments are told from text by the tree, so a document that cannot be read has none.
fn comments_of(source: SourceId, text: &str, root: Option<&Node>) -> Vec<Span> {
    let comments = root.map(|root| assay_yaml::comments(source, text, root)).unwrap_or_default();
    comments.into_iter().map(|comment| comment.span).collect()
}

/// Finds the comment that silences a finding, among any number of them.
pub(crate) struct Index {
    /// By rule: where each one's cover begins, the furthest end of it and of those before, and its place in the list.
    by_rule: HashMap<String, Vec<(u32, u32, usize)>>,
}

impl Index {
    /// An index of a list.
    pub(crate) fn new(ignores: &[Ignore]) -> Self {
        let mut by_rule: HashMap<String, Vec<(u32, u32, usize)>> = HashMap::new();
        for (at, ignore) in ignores.iter().enumerate() {
            let list = by_rule.entry(ignore.rule.clone()).or_default();
            list.push((ignore.covers.start, ignore.covers.end, at));
        }
        for list in by_rule.values_mut() {
            list.sort_unstable();
            let mut furthest = 0;
            list.iter_mut().for_each(|(_, end, _)| {
                furthest = furthest.max(*end);
                *end = furthest;
            });
        }
        Self { by_rule }
    }

    /// The nearest one that covers a finding.
    pub(crate) fn find(&self, ignores: &[Ignore], finding: &Diagnostic) -> Option<usize> {
        let list = self.by_rule.get(finding.code)?;
        let Some(span) = finding.primary() else { return list.first().map(|(_, _, at)| *at) };
        let before = list.partition_point(|(start, _, _)| *start <= span.start);
        let reaching = list[..before].iter().rev().take_while(|(_, furthest, _)| *furthest > span.start);
        reaching.map(|(_, _, at)| *at).find(|at| {
            let ignore = &ignores[*at];
            ignore.span.source == span.source && ignore.covers.contains(&span.start)
        })
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

/// The entry that begins on the first line below which holds one; else that line.
fn next_entry(text: &str, root: Option<&Node>, from: usize) -> Range<u32> {
    let mut at = from;
    loop {
        let Some(start) = text[at..].find('\n').map(|offset| at + offset + 1) else { return 0..0 };
        let end = text[start..].find('\n').map_or(text.len(), |offset| start + offset);
        let content = text[start..end].trim();
        if content.is_empty() || content.starts_with('#') {
            at = start;
            continue;
        }
        let line = start as u32..end as u32;
        let entry = root.and_then(|root| entry_on(root, &line)).unwrap_or(line.end);
        return line.start..entry.max(line.end);
    }
}

/// The end of the outermost entry or element that begins on a line.
fn entry_on(mut node: &Node, line: &Range<u32>) -> Option<u32> {
    loop {
        let (first, inner) = match (node.as_mapping(), node.as_sequence()) {
            (Some(entries), _) => {
                let at = entries.partition_point(|(key, _)| key.span.start < line.start);
                let first = entries.get(at).map(|(key, value)| (key.span.start, value.span.end));
                (first, at.checked_sub(1).map(|before| &entries[before].1))
            }
            (_, Some(items)) => {
                let at = items.partition_point(|item| item.span.start < line.start);
                let first = items.get(at).map(|item| (item.span.start, item.span.end));
                (first, at.checked_sub(1).map(|before| &items[before]))
            }
            _ => return None,
        };
        if let Some((_, end)) = first.filter(|(start, _)| line.contains(start)) {
            return Some(end);
        }
        node = inner?;
    }
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
        {
            let list = read(source, text, root.as_ref());
            Index::new(&list).find(&list, &finding).is_some()
        }
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
        let root = parse(SourceId(0), text, &Limits::default()).root;
        let list = read(SourceId(0), text, root.as_ref());
        assert_eq!(list.len(), 2);
        assert!(list.iter().all(|ignore| ignore.reason == "because of this"));
        assert_eq!(&text[list[1].span.range()], "two");
        assert!(read(SourceId(0), "a: 1 # assay: is nice\n", None).is_empty());
    }
}
