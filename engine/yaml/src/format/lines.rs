//! Where the lines of a text begin: columns and blank lines without walking back through long lines.

/// The table for one text.
pub(super) struct Lines {
    /// Where each line begins, and where its first character that is no space stands (its end when blank).
    lines: Vec<Line>,
}

#[derive(Clone, Copy)]
struct Line {
    start: u32,
    first: u32,
    blank: bool,
}

impl Lines {
    pub(super) fn new(text: &str) -> Self {
        let mut lines = Vec::new();
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            let shown = line.trim_start_matches([' ', '\t', '\u{feff}']);
            let blank = shown.trim_end_matches(['\r', '\n']).is_empty();
            lines.push(Line { start, first: start + (line.len() - shown.len()) as u32, blank });
            start += line.len() as u32;
        }
        if start == 0 || text.ends_with('\n') {
            lines.push(Line { start, first: start, blank: true });
        }
        Self { lines }
    }

    /// The line of a place, from 0.
    pub(super) fn line(&self, at: u32) -> usize {
        self.lines.partition_point(|line| line.start <= at).saturating_sub(1)
    }

    /// Where a line begins; behind the last line, the end of that.
    pub(super) fn start(&self, line: usize) -> u32 {
        self.lines[line.min(self.lines.len() - 1)].start
    }

    pub(super) fn count(&self) -> usize {
        self.lines.len()
    }

    pub(super) fn is_blank(&self, line: usize) -> bool {
        self.lines[line].blank
    }

    /// Bytes between the beginning of the line and a place; indentation is ASCII.
    pub(super) fn column(&self, at: u32) -> i64 {
        i64::from(at - self.lines[self.line(at)].start)
    }

    /// How far a line is indented.
    pub(super) fn indent(&self, line: usize) -> i64 {
        i64::from(self.lines[line].first - self.lines[line].start)
    }

    /// Whether nothing but spaces stands before a place in its line.
    pub(super) fn is_first(&self, at: u32) -> bool {
        self.lines[self.line(at)].first == at
    }

    /// Whether a place is the first of its line and the line above is blank.
    pub(super) fn blank_above(&self, at: u32) -> bool {
        let line = self.line(at);
        line > 0 && self.lines[line].first == at && self.lines[line - 1].blank
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_lines_and_columns() {
        let lines = Lines::new("a: 1\n\n  b: 2\r\n \t\nc");
        assert_eq!([0, 4, 5, 8, 14, 17].map(|at| lines.line(at)), [0, 0, 1, 2, 3, 4]);
        assert_eq!((lines.column(8), lines.is_first(8), lines.is_first(11)), (2, true, false));
        assert!(lines.blank_above(8) && lines.blank_above(17) && !lines.blank_above(0));
        assert_eq!((lines.count(), lines.is_blank(3), lines.is_blank(4)), (5, true, false));
    }
}
