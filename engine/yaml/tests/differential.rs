//! Our reader against `serde_yaml`: the repository's files, documents in every style, and each known difference.

mod documents;
mod repository;

use assay_diagnostics::SourceId;
use assay_yaml::{FormatRules, Limits, decode, format, parse};
use proptest::prelude::*;
use serde_json::{Value, json};

/// What we read; `None` when there is an error.
fn ours(text: &str) -> Option<Value> {
    let parsed = parse(SourceId(0), text, &Limits::default());
    if parsed.diagnostics.is_empty() { parsed.root.map(|root| root.to_json()) } else { None }
}

/// What `serde_yaml` reads.
fn theirs(text: &str) -> Option<Value> {
    serde_yaml::from_str(text).ok()
}

#[test]
fn the_files_of_the_repository_read_the_same() {
    let mut compared = 0;
    for path in repository::yaml_files() {
        let bytes = std::fs::read(&path).unwrap();
        // libyaml counts a byte order mark as a column; see below.
        let Ok(text) = decode(&bytes) else { continue };
        let text = text.trim_start_matches('\u{feff}');
        if let Some(value) = ours(text) {
            assert_eq!(Some(value), theirs(text), "{}", path.display());
            compared += 1;
        }
    }
    assert!(compared > 50, "only {compared} files were compared");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_style_reads_the_same(choices in prop::collection::vec(any::<u8>(), 0..160), comments: bool, aliases: bool) {
        let text = documents::document(&choices, comments, aliases);
        let plain = text.trim_start_matches('\u{feff}');
        let value = ours(plain);
        prop_assert!(value.is_some(), "{}", text);
        if let Some(theirs) = theirs(plain) {
            prop_assert_eq!(value, Some(theirs), "{}", text);
        }
    }

    /// The other reader too must find the same values after the layout.
    #[test]
    fn the_layout_means_the_same_to_both(choices in prop::collection::vec(any::<u8>(), 0..160), comments: bool) {
        let text = documents::document(&choices, comments, true);
        let before = theirs(text.trim_start_matches('\u{feff}'));
        let result = format(SourceId(0), &text, &FormatRules::default()).unwrap();
        if before.is_some() {
            prop_assert_eq!(before, theirs(&result), "{}\n=>\n{}", text, result);
        }
    }
}

/// Each difference that we know, with what either reader makes of it: a change of either is noticed.
#[test]
fn known_differences() {
    let cases: [(&str, &str, Option<Value>, Option<Value>); 13] = [
        ("a repeated key loses a value in silence there", "a: 1\na: 2\n", None, Some(json!({"a": 2}))),
        ("a merge key is text there", "a: {<<: 1}\n", None, Some(json!({"a": {"<<": 1}}))),
        ("a tag is read there; the language has none", "a: !!str 1\n", None, Some(json!({"a": "1"}))),
        ("what JSON cannot hold becomes null there", "a: .nan\n", None, Some(json!({"a": null}))),
        ("the tree holds signed numbers", "a: 18446744073709551615\n", None, Some(json!({"a": u64::MAX}))),
        ("libyaml counts the mark as a column", "\u{feff}a: 1\nb: 2\n", Some(json!({"a": 1, "b": 2})), None),
        (
            "libyaml adds no line break at the end",
            "a: |\n  x",
            Some(json!({"a": "x\n"})),
            Some(json!({"a": "x"})),
        ),
        ("`&a:` is a name in YAML 1.2", "x: &a: 1\n", Some(json!({"x": 1})), None),
        ("a number as key is text", "1: a\n", Some(json!({"1": "a"})), Some(json!({"1": "a"}))),
        ("a list cannot be a key", "[a]: b\n", None, None),
        ("brackets of an empty list must be indented", "a: [\n]\n", None, Some(json!({"a": []}))),
        ("one document per file", "a: 1\n---\nb: 1\n", None, None),
        ("an empty file is no document", "# c\n", None, Some(Value::Null)),
    ];
    for (reason, text, wanted, other) in cases {
        assert_eq!((ours(text), theirs(text)), (wanted, other), "{reason}: {text:?}");
    }
}
