//! Fixes applied to a text, and the difference they make as a patch.
//!
//! Nothing here decides which fixes are wanted, and nothing reads or writes files.

use crate::{Edit, Fix, SourceId};
use similar::{Algorithm, DiffOp, capture_diff_slices_deadline, group_diff_ops};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// Unchanged lines around a change, as in `diff -u`.
const CONTEXT: usize = 3;
/// After this time the difference becomes coarser, not wrong: Myers' algorithm takes time in lines times changes.
const PATIENCE: Duration = Duration::from_millis(500);

/// What became of some fixes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The text afterwards.
    pub text: String,
    /// Indices of the fixes that were applied, ascending.
    pub applied: Vec<usize>,
    /// Indices of the others, ascending: in conflict with an applied one, without effect, or not for this text.
    pub skipped: Vec<usize>,
}

/// Applies fixes to the text of one source, each whole or not at all; the earlier one wins a conflict.
///
/// The source is that of the first fix whose edits agree on one; a fix that edits another source is skipped, and
/// so is one whose edits overlap each other, lie outside the text or inside a character, or change nothing.
/// Insertions of several fixes at one place keep the order of the fixes. A conflict is: replaced pieces overlap;
/// an insertion lies in or at the edge of a piece that another fix replaces; two fixes insert the same at the same
/// place. The fixes that lose are for the next round, after the text has been looked at again.
pub fn apply(text: &str, fixes: &[&Fix]) -> Applied {
    let source = fixes.iter().find_map(|fix| only_source(fix));
    let mut accepted = Accepted::default();
    let (mut applied, mut skipped) = (Vec::new(), Vec::new());
    for (index, fix) in fixes.iter().enumerate() {
        let fits = only_source(fix) == source && is_sound(&fix.edits, text) && has_effect(&fix.edits, text);
        if fits && fix.edits.iter().all(|edit| accepted.admits(edit)) {
            fix.edits.iter().for_each(|edit| accepted.add(edit));
            applied.push(index);
        } else {
            skipped.push(index);
        }
    }
    let edits = applied.iter().flat_map(|index| &fixes[*index].edits);
    Applied { text: replace(text, edits), applied, skipped }
}

/// The one source that a fix edits.
fn only_source(fix: &Fix) -> Option<SourceId> {
    let source = fix.edits.first()?.span.source;
    fix.edits.iter().all(|edit| edit.span.source == source).then_some(source)
}

/// Whether edits of one source lie in its text at character boundaries and do not overlap each other.
pub(crate) fn is_sound(edits: &[Edit], text: &str) -> bool {
    let mut ranges: Vec<_> = edits.iter().map(|edit| edit.span.range()).collect();
    ranges.sort_by_key(|range| (range.start, range.end));
    ranges.iter().all(|range| text.get(range.clone()).is_some())
        && ranges.windows(2).all(|pair| pair[0].end <= pair[1].start)
}

fn has_effect(edits: &[Edit], text: &str) -> bool {
    edits.iter().any(|edit| text.get(edit.span.range()) != Some(edit.replacement.as_str()))
}

/// The edits accepted so far, for quick lookup of conflicts.
#[derive(Default)]
struct Accepted<'a> {
    /// Start and end of replaced pieces. They do not overlap.
    replaced: BTreeMap<u32, u32>,
    inserted: BTreeMap<u32, Vec<&'a str>>,
}

impl<'a> Accepted<'a> {
    fn admits(&self, edit: &Edit) -> bool {
        let (start, end) = (edit.span.start, edit.span.end);
        if start == end {
            let touches = self.replaced.range(..=start).next_back().is_some_and(|(_, end)| *end >= start);
            let same = |others: &Vec<&str>| others.contains(&edit.replacement.as_str());
            return !touches && !self.inserted.get(&start).is_some_and(same);
        }
        let overlaps = self.replaced.range(..end).next_back().is_some_and(|(_, other)| *other > start);
        !overlaps && self.inserted.range(start..=end).next().is_none()
    }

    fn add(&mut self, edit: &'a Edit) {
        if edit.span.start == edit.span.end {
            self.inserted.entry(edit.span.start).or_default().push(&edit.replacement);
        } else {
            self.replaced.insert(edit.span.start, edit.span.end);
        }
    }
}

/// The text with edits that do not overlap; those at one place keep their order.
fn replace<'a>(text: &str, edits: impl Iterator<Item = &'a Edit>) -> String {
    let mut edits: Vec<&Edit> = edits.collect();
    edits.sort_by_key(|edit| (edit.span.start, edit.span.end));
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for edit in edits {
        let range = edit.span.range();
        out.push_str(text.get(done..range.start).unwrap_or(""));
        out.push_str(&edit.replacement);
        done = range.end;
    }
    out.push_str(text.get(done..).unwrap_or(""));
    out
}

/// The change of a file as a unified diff that `git apply -p0` and `patch -p0` take; empty when nothing changed.
///
/// Lines end at `\n`; a carriage return before it belongs to the line and is kept, so the lines are raw: escape
/// them before they go to a terminal.
pub fn diff(name: &str, before: &str, after: &str) -> String {
    if before == after {
        return String::new();
    }
    let old: Vec<&str> = before.split_inclusive('\n').collect();
    let new: Vec<&str> = after.split_inclusive('\n').collect();
    let ops =
        capture_diff_slices_deadline(Algorithm::Myers, &old, &new, Instant::now().checked_add(PATIENCE));
    let name = quoted(name);
    let mut out = format!("--- {name}\n+++ {name}\n");
    for hunk in group_diff_ops(ops, CONTEXT) {
        push_hunk(&mut out, &hunk, &old, &new);
    }
    out
}

fn push_hunk(out: &mut String, hunk: &[DiffOp], old: &[&str], new: &[&str]) {
    let (Some(first), Some(last)) = (hunk.first(), hunk.last()) else { return };
    let before = lines(first.old_range().start, last.old_range().end);
    let after = lines(first.new_range().start, last.new_range().end);
    out.push_str(&format!("@@ -{before} +{after} @@\n"));
    for op in hunk {
        if let DiffOp::Equal { .. } = op {
            old[op.old_range()].iter().for_each(|line| push_line(out, ' ', line));
        } else {
            old[op.old_range()].iter().for_each(|line| push_line(out, '-', line));
            new[op.new_range()].iter().for_each(|line| push_line(out, '+', line));
        }
    }
}

/// Lines from 0, end exclusive, in the notation of a hunk: from 1, with a count unless it is 1; no line at all is
/// written as the one before.
fn lines(start: usize, end: usize) -> String {
    match end - start {
        0 => format!("{start},0"),
        1 => format!("{}", start + 1),
        count => format!("{},{count}", start + 1),
    }
}

fn push_line(out: &mut String, sign: char, line: &str) {
    out.push(sign);
    out.push_str(line);
    if !line.ends_with('\n') {
        out.push_str("\n\\ No newline at end of file\n");
    }
}

/// A file name as git writes it in a patch: quoted if it could be misread, with a tab behind it if it has a space.
fn quoted(name: &str) -> String {
    let odd = |character: char| character.is_ascii_control() || matches!(character, '"' | '\\');
    if !name.contains(odd) {
        return if name.contains(' ') { format!("{name}\t") } else { name.to_owned() };
    }
    let mut out = String::from('"');
    for character in name.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            // Writing to a string cannot fail.
            control if control.is_ascii_control() => drop(write!(out, "\\{:03o}", control as u32)),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
#[path = "edits_tests.rs"]
mod tests;
