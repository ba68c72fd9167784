//! Comments of a YAML text, exact: a `#` inside a value is none.

use assay_yaml::{Kind, Node};
use std::ops::Range;

/// Bytes of every comment, with `#` and without the line's end.
pub(crate) fn of(text: &str, root: Option<&Node>) -> Vec<Range<usize>> {
    let mut taken = Vec::new();
    if let Some(root) = root {
        scalars(root, &mut taken);
    }
    taken.sort_by_key(|range: &Range<usize>| range.start);
    let mut found = Vec::new();
    let mut next = 0;
    let mut at = 0;
    while let Some(hash) = text[at..].find('#').map(|offset| at + offset) {
        while taken.get(next).is_some_and(|range| range.end <= hash) {
            next += 1;
        }
        if let Some(range) = taken.get(next).filter(|range| range.contains(&hash)) {
            at = range.end.max(hash + 1);
            continue;
        }
        let end = text[hash..].find('\n').map_or(text.len(), |offset| hash + offset);
        let begins = text[..hash]
            .chars()
            .next_back()
            .is_none_or(|before| before.is_whitespace() || before == '\u{feff}');
        if begins {
            found.push(hash..hash + text[hash..end].trim_end().len());
            at = end;
        } else {
            at = hash + 1;
        }
    }
    found
}

fn scalars(node: &Node, out: &mut Vec<Range<usize>>) {
    match &node.kind {
        Kind::Mapping(entries) => {
            for (key, value) in entries {
                out.push(key.span.range());
                scalars(value, out);
            }
        }
        Kind::Sequence(items) => items.iter().for_each(|item| scalars(item, out)),
        _ => out.push(node.span.range()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_diagnostics::SourceId;
    use assay_yaml::{Limits, parse};

    #[test]
    fn only_comments_are_comments() {
        let text = "# head\na: 'x # no' # yes\nb: |\n  # text\n  more # text\n# below\nc: a#b #\n";
        let root = parse(SourceId(0), text, &Limits::default()).root;
        let found: Vec<&str> = of(text, root.as_ref()).into_iter().map(|range| &text[range]).collect();
        assert_eq!(found, ["# head", "# yes", "# below", "#"]);
    }
}
