//! Corrections of the parser's marks, where they do not lie on what a reader would point at.

use std::ops::Range;

/// Where a list below the key that ends at `from` begins; `start` is the mark, at or behind the first dash.
pub(crate) fn first_dash(text: &str, from: usize, start: usize) -> usize {
    let mut at = from;
    while let Some(byte) = text.as_bytes()[..start].get(at) {
        let rest = &text[at..start];
        at += match byte {
            b'-' => return at,
            b'#' => rest.find(['\n', '\r']).unwrap_or(rest.len()),
            b'&' | b'!' => rest.find(char::is_whitespace).unwrap_or(rest.len()),
            _ if byte.is_ascii() => 1,
            _ => return start,
        };
    }
    start
}

/// The text of a block without the spaces around it. `head` tells whether the marks hold its `|` or `>`.
pub(crate) fn block_text(text: &str, marks: Range<usize>, head: bool) -> Range<usize> {
    let raw = &text[marks.clone()];
    let header = if head && raw.starts_with(['|', '>']) {
        raw.find(['\n', '\r']).map_or(raw.len(), |at| at + 1)
    } else {
        0
    };
    let begins = marks.end - raw[header..].trim_start_matches([' ', '\r', '\n']).len();
    begins..begins.max(marks.start + raw.trim_end_matches([' ', '\t', '\r', '\n']).len())
}

/// The end of a text in quotes; the parser's mark goes on over the spaces and the comment behind it.
pub(crate) fn closing_quote(text: &str, start: usize, end: usize) -> usize {
    let bytes = &text.as_bytes()[..end];
    let quote = bytes.get(start).copied();
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' if quote == Some(b'"') => at += 1,
            b'\'' if quote == Some(b'\'') && bytes.get(at + 1) == Some(&b'\'') => at += 1,
            _ if Some(*byte) == quote => return at + 1,
            _ => {}
        }
        at += 1;
    }
    end
}

/// Without spaces in an unfinished last line: the parser would take them for a line of the block of text above.
pub(crate) fn without_loose_indentation(body: &str) -> &str {
    let shorter = body.trim_end_matches([' ', '\t']);
    if shorter.ends_with(['\n', '\r']) { shorter } else { body }
}
