//! Brackets of C++ names: which characters stand outside all of them.
//!
//! A stack instead of a counter, because template arguments may compare (`enable_if<((8)>(0))>`) and name operators.

/// One byte of the text with the number of brackets around it. A bracket itself counts as outside of what it opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Placed {
    pub at: usize,
    pub byte: u8,
    pub depth: usize,
}

/// Every byte of `text` with its depth.
pub(super) fn depths(text: &str) -> Vec<Placed> {
    let mut open: Vec<u8> = Vec::new();
    let bytes = text.as_bytes();
    let mut placed = Vec::with_capacity(bytes.len());
    for (at, &byte) in bytes.iter().enumerate() {
        let named =
            text.as_bytes()[..at].ends_with(b"operator") || text.as_bytes()[..at].ends_with(b"operator<");
        match byte {
            b'<' if named => placed.push(Placed { at, byte, depth: open.len() }),
            b'(' | b'[' | b'{' | b'<' => {
                placed.push(Placed { at, byte, depth: open.len() });
                open.push(byte);
            }
            b')' | b']' | b'}' => {
                close(&mut open, partner(byte));
                placed.push(Placed { at, byte, depth: open.len() });
            }
            b'>' if open.last() == Some(&b'<')
                && at.checked_sub(1).is_none_or(|before| bytes[before] != b'-') =>
            {
                open.pop();
                placed.push(Placed { at, byte, depth: open.len() });
            }
            _ => placed.push(Placed { at, byte, depth: open.len() }),
        }
    }
    placed
}

fn partner(close: u8) -> u8 {
    match close {
        b')' => b'(',
        b']' => b'[',
        _ => b'{',
    }
}

/// Closes up to `opener`; a `<` left open inside was a comparison. A closer without opener changes nothing.
fn close(open: &mut Vec<u8>, opener: u8) {
    if let Some(at) = open.iter().rposition(|&bracket| bracket == opener) {
        open.truncate(at);
    }
}

/// The parts of `text` between the separators that stand outside all brackets, trimmed. `separator` is ASCII.
pub(super) fn split<'a>(text: &'a str, separator: &str) -> Vec<&'a str> {
    let mut parts = Vec::new();
    let mut from = 0;
    for place in depths(text) {
        if place.depth == 0
            && place.at >= from
            && text.as_bytes()[place.at..].starts_with(separator.as_bytes())
        {
            parts.push(text[from..place.at].trim());
            from = place.at + separator.len();
        }
    }
    parts.push(text[from..].trim());
    parts
}

/// The part before the first outermost `<` and the text between it and its `>`; the whole and nothing without one.
pub(super) fn template(text: &str) -> (&str, &str) {
    let places = depths(text);
    let Some(open) = places.iter().find(|place| place.byte == b'<' && place.depth == 0) else {
        return (text, "");
    };
    let close = places.iter().find(|place| place.at > open.at && place.byte == b'>' && place.depth == 0);
    let end = close.map_or(text.len(), |place| place.at);
    (&text[..open.at], &text[open.at + 1..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_inside_brackets_do_not_split() {
        assert_eq!(split("a::b<c::d>::e(f::g)", "::"), ["a", "b<c::d>", "e(f::g)"]);
        assert_eq!(split("1, foo<2, 3>, (x)0", ","), ["1", "foo<2, 3>", "(x)0"]);
        assert_eq!(split("", ","), [""]);
    }

    #[test]
    fn comparisons_and_operators_are_no_brackets() {
        assert_eq!(
            split("enable_if<(((8)>(0)))&&x::y, void>::type z::k", " "),
            ["enable_if<(((8)>(0)))&&x::y, void>::type", "z::k"]
        );
        assert_eq!(template("f<(1<2), int>(x)"), ("f", "(1<2), int"));
        assert_eq!(split("A::operator<::b", "::"), ["A", "operator<", "b"]);
        assert_eq!(split("f<decltype(a->b)>::c", "::"), ["f<decltype(a->b)>", "c"]);
    }

    #[test]
    fn damaged_brackets_do_not_panic() {
        for text in [")", "<", "a>b", "((", "f<(", "]x[", "f<a)>::b"] {
            let _ = (split(text, "::"), template(text));
        }
    }
}
