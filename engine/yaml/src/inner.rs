//! A piece of a text value, back to where it stands in the source: for errors inside a template or expression.

use crate::node::{Kind, Node, Style};
use assay_diagnostics::Span;
use std::ops::Range;

/// A run of bytes that is the same in the value and in the source.
struct Segment {
    value: usize,
    source: usize,
    length: usize,
}

/// Where the pieces of one text value stand in the source; see [`Node::places`].
pub struct Places {
    whole: Span,
    length: usize,
    /// Empty where it cannot be told.
    segments: Vec<Segment>,
}

impl std::fmt::Debug for Places {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Places").field("whole", &self.whole).finish_non_exhaustive()
    }
}

impl Places {
    /// The place of a byte range of the decoded text, or of the whole value; see [`Node::inner_span`].
    pub fn span(&self, range: Range<usize>) -> Span {
        self.locate(range).unwrap_or(self.whole)
    }

    fn locate(&self, range: Range<usize>) -> Option<Span> {
        let start = range.start.min(self.length);
        let end = range.end.clamp(start, self.length);
        let from = position(&self.segments, start, start)?;
        let to = if end > start { position(&self.segments, end - 1, end)? } else { from };
        (from <= to).then_some(Span { source: self.whole.source, start: from as u32, end: to as u32 })
    }
}

impl Node {
    /// The place of a byte range of the decoded text. `source` is the whole source text.
    ///
    /// Exact when the text was written literally: plain, in quotes without escapes, or as a block, line by line.
    /// Otherwise (escapes, aliases, no text at all) the place of the whole value.
    pub fn inner_span(&self, source: &str, range: Range<usize>) -> Span {
        self.places(source).span(range)
    }

    /// The same for many ranges of one text: how it was written is worked out once.
    pub fn places(&self, source: &str) -> Places {
        let (length, segments) = match &self.kind {
            Kind::String(value) => (value.len(), self.runs(source, value).unwrap_or_default()),
            _ => (0, Vec::new()),
        };
        Places { whole: self.span, length, segments }
    }

    fn runs(&self, source: &str, value: &str) -> Option<Vec<Segment>> {
        let (raw, at) = self.written(source)?;
        if raw == value {
            return Some(vec![Segment { value: 0, source: at, length: raw.len() }]);
        }
        self.segments(source, raw, at, value)
    }

    /// The text as written without quotes, and where it begins.
    fn written<'a>(&self, source: &'a str) -> Option<(&'a str, usize)> {
        let raw = source.get(self.span.range())?;
        let at = self.span.start as usize;
        match self.style {
            Style::SingleQuoted => Some((raw.strip_prefix('\'')?.strip_suffix('\'')?, at + 1)),
            Style::DoubleQuoted => Some((raw.strip_prefix('"')?.strip_suffix('"')?, at + 1)),
            _ => Some((raw, at)),
        }
    }

    /// Line by line: every line of the source must reappear in the value, joined by one space or line break.
    fn segments(&self, source: &str, raw: &str, at: usize, value: &str) -> Option<Vec<Segment>> {
        let block = matches!(self.style, Style::Literal | Style::Folded);
        let lead = if block { value.len() - value.trim_start_matches([' ', '\n']).len() } else { 0 };
        let indent = block.then(|| indentation(source, at, &value[..lead]));
        let mut cursor = lead;
        let mut offset = at;
        let mut found = Vec::new();
        for (index, line) in raw.split_inclusive('\n').enumerate() {
            let content = line.trim_end_matches(['\n', '\r']);
            let shown = match indent {
                Some(_) if index == 0 => content,
                Some(indent) => {
                    content.get(indent.min(content.len() - content.trim_start_matches(' ').len())..)?
                }
                None => content.trim_matches([' ', '\t']),
            };
            if !value.get(cursor..)?.starts_with(shown) {
                return None;
            }
            let skipped = shown.as_ptr() as usize - content.as_ptr() as usize;
            found.push(Segment { value: cursor, source: offset + skipped, length: shown.len() });
            cursor += shown.len();
            cursor += usize::from(matches!(value.as_bytes().get(cursor), Some(b' ' | b'\n')));
            offset += line.len();
        }
        Some(found)
    }
}

/// By how many spaces a block is indented: the column of its first character less the spaces that are content.
fn indentation(source: &str, at: usize, lead: &str) -> usize {
    let line = source[..at].rfind('\n').map_or(0, |end| end + 1);
    let content = lead.len() - lead.rfind('\n').map_or(0, |end| end + 1);
    (at - line).saturating_sub(content)
}

/// The source offset of `edge`, in the segment that holds the byte `inside`.
fn position(segments: &[Segment], inside: usize, edge: usize) -> Option<usize> {
    let index = segments.partition_point(|segment| segment.value <= inside).checked_sub(1)?;
    let segment = &segments[index];
    Some(segment.source + (edge - segment.value).min(segment.length))
}
