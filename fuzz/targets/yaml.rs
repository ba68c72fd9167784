//! YAML: no text makes the reader or the formatter panic, every place lies in the text, the layout is stable and loses
//! nothing, and what both readers take means the same to `serde_yaml`.
#![no_main]

use assay_diagnostics::{Diagnostic, SourceId, Span};
use assay_yaml::{FormatError, FormatRules, Kind, Limits, Node, comments, format, parse};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const SOURCE: SourceId = SourceId(0);

fuzz_target!(|text: &str| {
    let parsed = parse(SOURCE, text, &Limits::default());
    parsed.diagnostics.iter().for_each(|found| places_fit(text, found));
    if let Some(root) = &parsed.root {
        nodes_fit(text, root);
        for comment in comments(SOURCE, text, root) {
            fits(text, comment.span);
            assert!(text[comment.span.range()].starts_with('#'), "no comment: {comment:?}");
        }
        if parsed.diagnostics.is_empty() {
            same_to_serde_yaml(text, root);
        }
    }
    layout(text);
});

fn fits(text: &str, span: Span) {
    assert_eq!(span.source, SOURCE);
    assert!(text.get(span.range()).is_some(), "{span:?} is no place in a text of {} bytes", text.len());
}

fn places_fit(text: &str, found: &Diagnostic) {
    found.labels.iter().for_each(|label| fits(text, label.span));
    found.fix.iter().flat_map(|fix| &fix.edits).for_each(|edit| fits(text, edit.span));
}

fn nodes_fit(text: &str, node: &Node) {
    fits(text, node.span);
    match &node.kind {
        Kind::Mapping(entries) => {
            for (key, value) in entries {
                fits(text, key.span);
                nodes_fit(text, value);
            }
        }
        Kind::Sequence(items) => items.iter().for_each(|item| nodes_fit(text, item)),
        Kind::String(value) => {
            // The place of every character of a value, as messages about templates need it.
            let places = node.places(text);
            for (at, character) in value.char_indices().take(64) {
                fits(text, places.span(at..at + character.len_utf8()));
            }
            fits(text, places.span(0..value.len()));
        }
        _ => {}
    }
}

fn layout(text: &str) {
    let rules = FormatRules { top_order: assay_manifest::schema::TOP_ORDER, ..FormatRules::default() };
    match format(SOURCE, text, &rules) {
        Ok(first) => {
            let second = format(SOURCE, &first, &rules);
            assert_eq!(second.as_deref(), Ok(&*first), "the layout is not stable");
        }
        Err(FormatError::Invalid(found)) => assert!(!found.is_empty(), "refused without a reason"),
        Err(FormatError::Changed) => panic!("the layout would not read the same"),
    }
}

/// Equal values where `serde_yaml` reads the text too, except where the two are known to differ.
fn same_to_serde_yaml(text: &str, root: &Node) {
    let text = text.trim_start_matches('\u{feff}');
    if differs_by_design(text) {
        return;
    }
    if let Ok(theirs) = serde_yaml::from_str::<Value>(text) {
        assert_eq!(root.to_json(), theirs, "read differently");
    }
}

/// The differences of `engine/yaml/tests/differential.rs`, and those that only hostile text shows.
fn differs_by_design(text: &str) -> bool {
    // libyaml reads YAML 1.1, where these break lines; in 1.2 they are text. It counts a mark inside as a column.
    text.contains(['\u{85}', '\u{2028}', '\u{2029}', '\u{feff}'])
        // A block scalar that ends with the file has no line break at its end there.
        || !text.ends_with('\n') && text.contains(['|', '>'])
        || hash_in_block(text)
        || odd_names(text)
        || named_twice(text)
        || sign_in_brackets(text)
}

/// `[?a]` and `[:a]` hold text in YAML 1.2; libyaml reads a key and a value. A comment may stand between the bracket and
/// the sign, or an anchor.
fn sign_in_brackets(text: &str) -> bool {
    text.match_indices(['?', ':']).any(|(at, sign)| {
        // `{a: : b}` is a sign of its own, and both agree.
        if sign == ":" && text[at + 1..].starts_with(|after: char| after.is_whitespace()) {
            return false;
        }
        let begins = text[..at].ends_with(|before: char| before.is_whitespace() || "[{,".contains(before));
        begins && text[..at].contains(['[', '{'])
    })
}

/// `&a:b` is one name in YAML 1.2; libyaml ends it at such a sign.
fn odd_names(text: &str) -> bool {
    text.split(['&', '*']).skip(1).any(|rest| {
        let name =
            rest.split(|end: char| end.is_whitespace() || ",[]{}".contains(end)).next().unwrap_or_default();
        name.contains([':', '?', '%', '@', '`'])
    })
}

/// `&a [&a 1]`: an alias means the node whose anchor came last. serde_yaml loses it where one lies within the other.
fn named_twice(text: &str) -> bool {
    let mut names = std::collections::HashSet::new();
    let name = |rest: &str| {
        let end = rest.find(|end: char| end.is_whitespace() || ",[]{}".contains(end)).unwrap_or(rest.len());
        rest[..end].to_owned()
    };
    text.split('&').skip(1).any(|rest| !names.insert(name(rest)))
}

/// A block scalar at the root may stand at column 0, where libyaml takes a line that begins with `#` for a comment.
fn hash_in_block(text: &str) -> bool {
    let lines: Vec<&str> = text.split(['\n', '\r']).filter(|line| !line.trim().is_empty()).collect();
    lines.windows(2).any(|pair| pair[0].contains(['|', '>']) && pair[1].starts_with('#'))
}
