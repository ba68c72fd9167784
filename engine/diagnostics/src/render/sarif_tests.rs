//! Logs are valid by the official schema, say what the diagnostics say, and keep their fingerprints.

use super::*;
use crate::sample::{find, sample};
use serde_json::{Value, json};

fn rule(id: &'static str, severity: Severity, confidence: Confidence) -> RuleDoc {
    let help = format!("# {id}\n\nUse `{{{{ inputs.x | q }}}}`.");
    RuleDoc { id, summary: "Finds a thing.", help, severity, confidence, tags: vec!["language"] }
}

fn log(diagnostics: &[Diagnostic], suppressed: &[Suppressed], sources: &Sources) -> Value {
    let rules = [
        rule("never-found", Severity::Error, Confidence::High),
        rule("unknown-field", Severity::Error, Confidence::High),
        rule("missing-timeout", Severity::Warning, Confidence::Medium),
        rule("unused-input", Severity::Note, Confidence::Low),
    ];
    let tool = Tool { version: "0.1.0", information_uri: Some("https://example.org/assay"), rules: &rules };
    serde_json::to_value(sarif(diagnostics, suppressed, sources, &tool)).unwrap()
}

/// The official schema with formats checked, so a URI must be one.
fn validator() -> jsonschema::Validator {
    let mut schema: Value = serde_json::from_str(include_str!("../../schema/sarif-2.1.0.json")).unwrap();
    // The one thing that the schema gets wrong: this pattern has a `]` too many and is no regular expression of
    // ECMA 262 in Unicode mode. We do not write `language`.
    for object in ["run", "toolComponent"] {
        let language = schema.pointer_mut(&format!("/definitions/{object}/properties/language")).unwrap();
        let pattern = language.as_object_mut().unwrap().remove("pattern");
        assert_eq!(pattern, Some(json!("^[a-zA-Z]{2}|^[a-zA-Z]{2}-[a-zA-Z]{2}]?$")));
    }
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
}

fn assert_valid(log: &Value) {
    let validator = validator();
    let faults: Vec<String> =
        validator.iter_errors(log).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
    assert!(faults.is_empty(), "{faults:#?}\n{log:#}");
}

#[test]
fn the_sample_is_valid_and_complete() {
    let (diagnostics, sources) = sample();
    let suppressed = [
        Suppressed {
            diagnostic: &diagnostics[3],
            justification: "kept for the next release",
            kind: SuppressionKind::InSource,
        },
        Suppressed { diagnostic: &diagnostics[5], justification: "", kind: SuppressionKind::External },
    ];
    let reported = [0, 1, 2, 4].map(|at: usize| diagnostics[at].clone());
    let log = log(&reported, &suppressed, &sources);
    assert_valid(&log);
    insta::assert_snapshot!(serde_json::to_string_pretty(&log).unwrap());
}

#[test]
fn nothing_found_is_valid() {
    let log = log(&[], &[], &Sources::new());
    assert_valid(&log);
    assert_eq!(log["runs"][0]["results"], json!([]));
    assert_eq!(log["runs"][0]["tool"]["driver"]["rules"], json!([]));
}

#[test]
fn the_schema_refuses_what_is_wrong() {
    let (diagnostics, sources) = sample();
    let validator = validator();
    let good = log(&diagnostics, &[], &sources);
    for (pointer, wrong) in [
        ("/runs/0/results/0/level", json!("notice")),
        ("/runs/0/results/0/rank", json!(101)),
        ("/runs/0/results/1/locations/0/physicalLocation/region/startLine", json!(0)),
        ("/runs/0/results/1/locations/0/physicalLocation/artifactLocation/uri", json!("a b")),
        ("/runs/0/columnKind", json!("bytes")),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = wrong;
        assert!(!validator.is_valid(&bad), "{pointer}");
    }
}

#[test]
fn rules_are_those_that_occur_and_indices_point_at_them() {
    let (diagnostics, sources) = sample();
    let log = log(&diagnostics, &[], &sources);
    let rules = log["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
    let ids: Vec<&str> = rules.iter().map(|rule| rule["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["unknown-field", "missing-timeout", "unused-input"]);
    let mut indexed = 0;
    for result in log["runs"][0]["results"].as_array().unwrap() {
        match result["ruleIndex"].as_u64() {
            Some(index) => {
                assert_eq!(result["ruleId"], ids[index as usize]);
                indexed += 1;
            }
            None => assert!(!ids.contains(&result["ruleId"].as_str().unwrap())),
        }
        assert_eq!(result.get("suppressions"), None);
    }
    assert_eq!(indexed, 3);
}

#[test]
fn regions_and_replacements_are_pieces_of_the_text() {
    let (diagnostics, sources) = sample();
    let log = log(&diagnostics, &[], &sources);
    let results = log["runs"][0]["results"].as_array().unwrap();
    let of = |code: &str| results.iter().find(|result| result["ruleId"] == code).unwrap();
    let text = sources.text(SourceId(0));
    let change = &of("unknown-field")["fixes"][0]["artifactChanges"][0];
    let region = &change["replacements"][0]["deletedRegion"];
    let start = region["byteOffset"].as_u64().unwrap() as usize;
    assert_eq!(&text[start..start + region["byteLength"].as_u64().unwrap() as usize], "timeot");
    // Lines and columns lead to the same piece, counted in code points.
    let line = text.split('\n').nth(region["startLine"].as_u64().unwrap() as usize - 1).unwrap();
    let from = region["startColumn"].as_u64().unwrap() as usize - 1;
    let to = region["endColumn"].as_u64().unwrap() as usize - 1;
    assert_eq!(line.chars().skip(from).take(to - from).collect::<String>(), "timeot");
    assert_eq!(
        of("unknown-field")["locations"][0]["physicalLocation"]["region"]["snippet"]["text"],
        "timeot"
    );
    assert_eq!(of("no-manifest")["locations"], json!([]));
    let message = of("float-looking-version")["message"]["text"].as_str().unwrap();
    assert!(message.contains("`{{{{ version }}}}`"), "{message}");
}

#[test]
fn names_become_uris() {
    for (name, expected) in [
        ("./a b/ü.yaml", "a%20b/%C3%BC.yaml"),
        ("../x#1?.yaml", "../x%231%3F.yaml"),
        ("/tmp/100%.yaml", "file:///tmp/100%25.yaml"),
        ("c:d.yaml", "c%3Ad.yaml"),
        ("<stdin>", "%3Cstdin%3E"),
        ("builtin:gate", "builtin:gate"),
        ("", ""),
    ] {
        assert_eq!(uri(name), expected);
    }
}

fn prints(text: &str, name: &str) -> Vec<String> {
    let mut sources = Sources::new();
    let id = sources.add(name, text);
    let found: Vec<Diagnostic> = text
        .match_indices("1.10")
        .map(|(at, _)| {
            let (start, end) = (at as u32, at as u32 + 4);
            Diagnostic::warning("float", format!("at {at}")).at(Span { source: id, start, end }, "")
        })
        .collect();
    let log = log(&found, &[], &sources);
    let results = log["runs"][0]["results"].as_array().unwrap();
    results
        .iter()
        .map(|result| result["partialFingerprints"]["assay/v1"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn fingerprints_stay_when_lines_move() {
    let before = prints("a: 1.10\nb: 1.10\nb: 1.10\n", "x.yaml");
    assert_eq!(before, prints("# more\r\n\r\n  a: 1.10\r\nc: 2\r\nb: 1.10\r\n  b: 1.10", "./x.yaml"));
    assert_eq!(before.iter().collect::<HashSet<_>>().len(), 3, "{before:?}");
    assert_eq!(before[1].replace(":1", ":2"), before[2], "alike ones are counted");
    assert_ne!(before, prints("a: 1.10\nb: 1.10\nb: 1.10\n", "y.yaml"));
}

#[test]
fn a_suppressed_one_keeps_the_count_of_the_others() {
    let (text, mut sources) = ("b: 1\nb: 1\n", Sources::new());
    let id = sources.add("x", text);
    let at = |start| Diagnostic::note("demo", "x").at(Span { source: id, start, end: start + 1 }, "");
    let all = log(&[at(0), at(5)], &[], &sources);
    let accepted = Suppressed { diagnostic: &at(0), justification: "y", kind: SuppressionKind::InSource };
    let some = log(&[at(5)], &[accepted], &sources);
    assert_valid(&some);
    let print =
        |log: &Value, at: usize| log["runs"][0]["results"][at]["partialFingerprints"]["assay/v1"].clone();
    assert_eq!(print(&all, 1), print(&some, 1));
    assert_eq!(
        some["runs"][0]["results"][0]["suppressions"],
        json!([{"kind": "inSource", "justification": "y"}])
    );
    assert_eq!(some["runs"][0]["results"][1]["suppressions"], json!([]));
}

#[test]
fn hostile_places_and_texts_are_valid() {
    let (_, sources) = sample();
    let one = SourceId(1);
    let spans = [(7, 3), (0, 9999), (9999, 9999)].map(|(start, end)| Span { source: one, start, end });
    let mut list: Vec<Diagnostic> = spans
        .into_iter()
        .map(|span| Diagnostic::error("hostile", "\u{0}\u{fffe}{0}").at(span, "{"))
        .collect();
    list.push(Diagnostic::error("hostile", "x").at(Span { source: SourceId(9), start: 1, end: 2 }, ""));
    // Not at the boundary of a character.
    let inside = find(&sources, SourceId(0), "漢").start + 1;
    list.push(
        Diagnostic::error("hostile", "x")
            .at(Span { source: SourceId(0), start: inside, end: inside + 1 }, ""),
    );
    assert_valid(&log(&list, &[], &sources));
}
