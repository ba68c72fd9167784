//! The texts that spans point into, with quick lookup of lines and columns.

use std::ops::Range;
use std::sync::Arc;

/// A text in [`Sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(pub u32);

/// A piece of a source, in bytes; `end` is exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    /// The text.
    pub source: SourceId,
    /// First byte.
    pub start: u32,
    /// First byte after it.
    pub end: u32,
}

impl Span {
    /// The piece as a range of bytes.
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Characters are counted in blocks of this many bytes, so that a column in a line of 16 MiB is found at once.
const BLOCK: usize = 4096;

#[derive(Debug, Clone)]
struct Source {
    name: String,
    text: Arc<str>,
    /// Byte offsets where lines begin.
    lines: Vec<u32>,
    /// Characters that begin before each block; empty when the text is ASCII.
    characters: Vec<u32>,
}

/// All texts that diagnostics may point into. A text longer than 4 GiB is cut there.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    list: Vec<Source>,
}

impl Sources {
    /// No texts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a text under the name that users see: a path as they gave it, or `builtin:<name>`.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<Arc<str>>) -> SourceId {
        let text = text.into();
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at as u32 + 1)).collect();
        let characters = if text.is_ascii() { Vec::new() } else { count_blocks(text.as_bytes()) };
        self.list.push(Source { name: name.into(), text, lines, characters });
        SourceId(self.list.len() as u32 - 1)
    }

    /// Takes over the texts of another table. What it called `id` is then `SourceId(id.0 + n)` for the returned `n`.
    pub fn append(&mut self, other: Self) -> u32 {
        let moved = self.list.len() as u32;
        self.list.extend(other.list);
        moved
    }

    /// The name of a source; empty for an id of another table.
    pub fn name(&self, source: SourceId) -> &str {
        self.get(source).map_or("", |source| &source.name)
    }

    /// The latest source of a name. The time grows with the number of sources.
    pub fn find(&self, name: &str) -> Option<SourceId> {
        self.list.iter().rposition(|source| source.name == name).map(|at| SourceId(at as u32))
    }

    /// The text of a source; empty for an id of another table.
    pub fn text(&self, source: SourceId) -> &str {
        self.get(source).map_or("", |source| &source.text)
    }

    /// Line and column of a byte offset, both from 1; the column counts characters, not bytes and not cells.
    /// An offset behind the end stands for the end.
    pub fn line_column(&self, source: SourceId, offset: u32) -> (u32, u32) {
        let Some(found) = self.get(source) else { return (1, 1) };
        let offset = (offset as usize).min(found.text.len());
        let line = found.line_of(offset as u32);
        let start = found.lines[line] as usize;
        (line as u32 + 1, (found.characters_before(offset) - found.characters_before(start)) as u32 + 1)
    }

    /// The line (from 0) that holds a byte offset.
    pub(crate) fn line_of(&self, source: SourceId, offset: u32) -> usize {
        self.get(source).map_or(0, |source| source.line_of(offset))
    }

    /// The bytes of a line (from 0) without its line ending.
    pub(crate) fn line_range(&self, source: SourceId, line: usize) -> Range<usize> {
        let Some(found) = self.get(source) else { return 0..0 };
        let start = found.lines.get(line).map_or(found.text.len(), |start| *start as usize);
        let next = found.lines.get(line + 1).map_or(found.text.len(), |next| *next as usize);
        let content = found.text.get(start..next).unwrap_or("");
        let content = content.strip_suffix('\n').unwrap_or(content);
        let content = content.strip_suffix('\r').unwrap_or(content);
        start..start + content.len()
    }

    /// Puts a text in the place of another. Both have characters of the same widths and the same line endings.
    pub(crate) fn replace(&mut self, source: SourceId, text: String) {
        if let Some(found) = self.list.get_mut(source.0 as usize) {
            debug_assert_eq!(found.text.len(), text.len());
            found.text = text.into();
        }
    }

    fn get(&self, source: SourceId) -> Option<&Source> {
        self.list.get(source.0 as usize)
    }
}

impl Source {
    fn line_of(&self, offset: u32) -> usize {
        self.lines.partition_point(|start| *start <= offset).saturating_sub(1)
    }

    /// Characters that begin before a byte offset inside the text.
    fn characters_before(&self, offset: usize) -> usize {
        let block = offset / BLOCK;
        match self.characters.get(block) {
            None => offset,
            Some(before) => *before as usize + beginnings(&self.text.as_bytes()[block * BLOCK..offset]),
        }
    }
}

/// How many characters begin before each block of a text, one entry more than there are whole blocks.
fn count_blocks(bytes: &[u8]) -> Vec<u32> {
    let mut before = 0;
    let mut counts = vec![0];
    for block in bytes.chunks_exact(BLOCK) {
        before += beginnings(block) as u32;
        counts.push(before);
    }
    counts
}

/// Bytes that begin a character in UTF-8: all but continuation bytes.
fn beginnings(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| (**byte as i8) >= -0x40).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_characters_from_one() {
        let mut sources = Sources::new();
        let id = sources.add("a.yaml", "é: ü\r\nb: 1\n");
        assert_eq!(sources.line_column(id, 0), (1, 1));
        assert_eq!(sources.line_column(id, 4), (1, 4), "two bytes of é are one column");
        assert_eq!(sources.line_column(id, 8), (2, 1));
        assert_eq!(sources.line_column(id, 13), (3, 1));
        assert_eq!(sources.line_column(id, 9999), (3, 1), "behind the end is the end");
        assert_eq!(&sources.text(id)[sources.line_range(id, 0)], "é: ü");
    }

    #[test]
    fn columns_agree_with_counting_across_blocks() {
        let text = "aé漢🙂".repeat(3000);
        let mut sources = Sources::new();
        let id = sources.add("a", text.as_str());
        for (nth, (at, _)) in text.char_indices().enumerate().step_by(97) {
            assert_eq!(sources.line_column(id, at as u32), (1, nth as u32 + 1));
        }
    }

    #[test]
    fn an_unknown_source_is_empty() {
        let sources = Sources::new();
        assert_eq!((sources.name(SourceId(3)), sources.text(SourceId(3))), ("", ""));
        assert_eq!(sources.line_column(SourceId(3), 7), (1, 1));
    }
}
