//! The few lines of a source that a diagnostic shows, cut to a width and made safe for a terminal.
//!
//! The renderer of the picture sees only this excerpt, so its work does not grow with the source.

use crate::{Label, SourceId, Sources, Span};
use std::ops::Range;

/// Lines apart that are still shown in one excerpt; what lies between is folded.
const GAP: usize = 40;
/// Bytes of a long line shown before and after the start of its label. A line up to their sum is shown whole.
const BEFORE: usize = 60;
const AFTER: usize = 100;

/// Consecutive lines of one source with the labels that lie in them.
pub(super) struct Excerpt {
    pub source: SourceId,
    /// Number of the first line, from 1.
    pub first_line: usize,
    pub text: String,
    /// Index of each label and its place in `text`.
    pub marks: Vec<(usize, Range<usize>)>,
}

/// A label reduced to the first line it covers.
struct Place {
    label: usize,
    source: SourceId,
    line: usize,
    range: Range<usize>,
}

/// The excerpts for the labels of a diagnostic; the one with the first label comes first.
pub(super) fn excerpts(labels: &[Label], sources: &Sources) -> Vec<Excerpt> {
    let mut places: Vec<Place> =
        labels.iter().enumerate().map(|(index, label)| place(index, label.span, sources)).collect();
    places.sort_by_key(|place| (place.source, place.line, place.range.start, place.label));
    let mut groups: Vec<Vec<Place>> = Vec::new();
    for place in places {
        match groups.last_mut() {
            Some(group) if joins(group, &place, sources) => group.push(place),
            _ => groups.push(vec![place]),
        }
    }
    groups.sort_by_key(|group| group.iter().all(|place| place.label != 0));
    groups.into_iter().map(|group| build(&group, sources)).collect()
}

fn place(label: usize, span: Span, sources: &Sources) -> Place {
    let text = sources.text(span.source);
    let line = sources.line_of(span.source, span.start.min(text.len() as u32));
    let content = sources.line_range(span.source, line);
    let start = text.floor_char_boundary((span.start as usize).clamp(content.start, content.end));
    let end = text.ceil_char_boundary((span.end as usize).clamp(start, content.end));
    Place { label, source: span.source, line, range: start..end }
}

/// Whether a place can be shown in the excerpt of a group that lies before it.
fn joins(group: &[Place], place: &Place, sources: &Sources) -> bool {
    let Some(last) = group.last() else { return false };
    if last.source != place.source || place.line - last.line > GAP {
        return false;
    }
    let anchor = group.iter().find(|other| other.line == place.line);
    anchor
        .is_none_or(|anchor| place.range.start < window(Some(anchor), place.line, anchor.source, sources).end)
}

/// The bytes of a line that are shown: all, or those around its first label.
fn window(anchor: Option<&Place>, line: usize, source: SourceId, sources: &Sources) -> Range<usize> {
    let text = sources.text(source);
    let content = sources.line_range(source, line);
    if content.len() <= BEFORE + AFTER {
        return content;
    }
    let at = anchor.map_or(content.start, |place| place.range.start);
    let start = text.floor_char_boundary(at.saturating_sub(BEFORE)).max(content.start);
    let end = text.floor_char_boundary((at + AFTER).min(content.end));
    start..end
}

fn build(group: &[Place], sources: &Sources) -> Excerpt {
    let (first, last) = (&group[0], &group[group.len() - 1]);
    let source = first.source;
    let mut excerpt = Excerpt { source, first_line: first.line + 1, text: String::new(), marks: Vec::new() };
    for line in first.line..=last.line {
        let mut here = group.iter().filter(|place| place.line == line).peekable();
        let shown = window(here.peek().copied(), line, source, sources);
        let content = sources.line_range(source, line);
        if shown.start > content.start {
            excerpt.text.push('…');
        }
        let positions = push_clean(&mut excerpt.text, &sources.text(source)[shown.clone()]);
        for place in here {
            let inside = |at: usize| positions.at(at.clamp(shown.start, shown.end) - shown.start);
            excerpt.marks.push((place.label, inside(place.range.start)..inside(place.range.end)));
        }
        if shown.end < content.end {
            excerpt.text.push('…');
        }
        excerpt.text.push('\n');
    }
    excerpt
}

/// Where each byte of a text went when it was made safe.
struct Positions(Vec<(usize, usize)>);

impl Positions {
    fn at(&self, byte: usize) -> usize {
        let index = self.0.partition_point(|(from, _)| *from < byte).min(self.0.len() - 1);
        self.0[index].1
    }
}

/// Appends a line with every character that could steer a terminal replaced.
fn push_clean(out: &mut String, line: &str) -> Positions {
    let mut positions = Vec::with_capacity(line.len() + 1);
    for (at, character) in line.char_indices() {
        positions.push((at, out.len()));
        out.push(safe(character));
    }
    positions.push((line.len(), out.len()));
    Positions(positions)
}

/// Text from outside for a message: control characters replaced, line breaks kept.
pub(super) fn clean(text: &str) -> String {
    text.chars().map(|character| if character == '\n' { '\n' } else { safe(character) }).collect()
}

/// Control characters become their pictures (U+2400 ff.); what reorders or breaks text becomes U+FFFD.
fn safe(character: char) -> char {
    match character {
        '\t' => '\t',
        '\0'..='\u{1f}' => char::from_u32(0x2400 + character as u32).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        // C1 controls, bidirectional marks (Unicode TR 36), line separators, byte order mark, zero width joiner
        '\u{80}'..='\u{9f}'
        | '\u{61c}'
        | '\u{200d}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}'
        | '\u{feff}' => '\u{fffd}',
        other => other,
    }
}
