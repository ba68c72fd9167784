//! Whatever the author's style, the layout keeps values and comments, and a second time changes nothing.

mod documents;

use assay_diagnostics::SourceId;
use assay_yaml::{FormatError, FormatRules, Limits, Node, comments, format, parse};
use proptest::prelude::*;

fn read(text: &str) -> Option<Node> {
    let parsed = parse(SourceId(0), text, &Limits::default());
    if parsed.diagnostics.is_empty() { parsed.root } else { None }
}

fn good(text: &str) -> Node {
    let parsed = parse(SourceId(0), text, &Limits::default());
    assert_eq!(parsed.diagnostics, [], "{text}");
    let Some(root) = parsed.root else { panic!("no document in {text}") };
    root
}

fn comment_texts(text: &str, root: &Node) -> Vec<String> {
    let found = comments(SourceId(0), text, root);
    found.iter().map(|comment| text[comment.span.range()].trim_start_matches('#').trim().to_owned()).collect()
}

fn check(text: &str, rules: &FormatRules) -> String {
    let before = good(text);
    let result = format(SourceId(0), text, rules).unwrap_or_else(|error| panic!("{error}:\n{text}"));
    let after = good(&result);
    if rules.top_order.is_empty() {
        assert_eq!(before.to_json().to_string(), after.to_json().to_string(), "{text}\n=>\n{result}");
    } else {
        assert_eq!(before.to_json(), after.to_json(), "{text}\n=>\n{result}");
    }
    let again = format(SourceId(0), &result, rules);
    assert_eq!(again.as_ref(), Ok(&result), "a second time changes\n{text}");
    assert!(result.ends_with('\n') && !result.contains('\r') && !result.starts_with('\u{feff}'));
    result
}

/// Comments stay at the entry that they name.
fn check_neighbours(result: &str) {
    let lines: Vec<&str> = result.lines().collect();
    for (index, line) in lines.iter().enumerate() {
        if let Some((shown, name)) = line.split_once("  # at k") {
            let key = shown.trim_start().trim_start_matches("- ");
            let named = key.starts_with(&format!("k{name}:"));
            assert!(named || !key.starts_with('k') || !key.contains(':'), "{line:?} in\n{result}");
        }
        if let Some(name) = line.trim_start().strip_prefix("# over ") {
            let below = lines[index + 1..]
                .iter()
                .map(|line| line.trim_start())
                .find(|line| !line.is_empty() && !line.starts_with('#'))
                .unwrap_or_default();
            // Apart from the first key it belongs to the file, and stays at its top.
            let header = lines[index + 1].is_empty();
            let named = below.starts_with(&format!("{name}:"));
            assert!(named || header || below.starts_with('-'), "{line:?} above {below:?} in\n{result}");
        }
    }
}

const ORDER: &[&str] = &["k3", "k1", "k8", "k2", "k12", "k5"];

/// `PROPTEST_CASES` can ask for more.
fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig { cases: default.cases.max(2000), failure_persistence: None, ..default }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_style_with_comments(choices in prop::collection::vec(any::<u8>(), 0..160), width in 10usize..120) {
        let text = documents::document(&choices, true, false);
        let result = check(&text, &FormatRules { width, ..FormatRules::default() });
        check_neighbours(&result);
        let (before, after) = (comment_texts(&text, &good(&text)), comment_texts(&result, &good(&result)));
        prop_assert_eq!(before, after, "{}\n=>\n{}", text, result);
    }

    #[test]
    fn every_style_with_anchors(choices in prop::collection::vec(any::<u8>(), 0..160), comments: bool) {
        check(&documents::document(&choices, comments, true), &FormatRules::default());
    }

    #[test]
    fn keys_in_another_order(choices in prop::collection::vec(any::<u8>(), 0..160), spaced: bool) {
        let rules = FormatRules { top_order: ORDER, spaced, ..FormatRules::default() };
        let text = documents::document(&choices, true, false);
        check_neighbours(&check(&text, &rules));
    }

    #[test]
    fn any_text_is_laid_out_or_refused(text in "([-a-c0é: ,\\[\\]{}'\"#&*!|>%@`?<.~\n\r\t]|: |- |\n  |\n|a: |\\{\\{|&a |\\*a|\n- |>\n  ){0,24}") {
        match format(SourceId(0), &text, &FormatRules::default()) {
            Ok(result) => {
                let again = format(SourceId(0), &result, &FormatRules::default());
                prop_assert_eq!(again, Ok(result), "{:?}", text);
            }
            Err(FormatError::Invalid(found)) => prop_assert!(read(&text).is_none() && !found.is_empty()),
            Err(FormatError::Changed) => prop_assert!(false, "{:?} would change", text),
        }
    }
}

/// What fuzzing found to change at a second time, or to mean something else.
#[test]
fn known_texts_are_stable() {
    for text in [
        "a:\n\n  - >-\n    x\n \n \t",
        "a:\n\n  - >-\n    x\n \n \t\n",
        "a:\n  - |\n    x\n\n \t",
        "  --- - :\n ",
        " ... : 1\n",
        " - ---\n",
    ] {
        match format(SourceId(0), text, &FormatRules::default()) {
            Ok(result) => {
                assert_eq!(format(SourceId(0), &result, &FormatRules::default()), Ok(result), "{text:?}");
            }
            Err(error) => assert!(matches!(error, FormatError::Invalid(_)), "{text:?}: {error}"),
        }
    }
}
