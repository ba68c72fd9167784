//! The tables and patterns; what whole schemas take and refuse is tested against the binary.

use super::config::authored;
use super::names;
use super::shapes::TEMPLATE;
use crate::fields::Unit;
use serde_json::json;

#[test]
fn names_are_those_of_the_table() {
    assert_eq!(names(&super::VERIFIED), ["against", "date", "stale_after"]);
    assert!(crate::lower::STEP_FIELDS.contains(&"pass_env"));
}

#[test]
fn the_pattern_of_a_quantity_takes_what_the_reader_takes() {
    let texts = [
        "90s",
        "1h30m",
        " 1 h 30 m ",
        "1.5s",
        "1.s",
        ".5s",
        ".s",
        "1.2.3s",
        "90",
        "",
        "s",
        "-1s",
        "1e3s",
        "2 weeks",
        "250ms",
        "3us",
        "16GiB",
        "16 GiB",
        "16GiB 2B",
        "1KB",
        "1kb",
        "5B",
        "1%",
        "0.5 %",
        "1%%",
        "%",
        "1% 2%",
        "١s",
    ];
    for unit in [Unit::Duration, Unit::Size, Unit::Percent] {
        let pattern = regex::Regex::new(&unit.pattern()).unwrap();
        for text in texts {
            assert_eq!(pattern.is_match(text), unit.parse(text).is_ok(), "{} `{text}`", unit.word());
        }
    }
}

#[test]
fn a_configuration_becomes_what_an_author_writes() {
    let schema = json!({
        "type": "object",
        "properties": {
            "mode": {"$ref": "#/$defs/Mode", "description": "How it\nruns."},
            "count": {"type": ["integer", "null"], "format": "uint32", "minimum": 3, "default": null},
            "wait": {"anyOf": [{"type": "string", "format": "duration"}, {"type": "null"}]},
            "tree": {"$ref": "#/$defs/Tree"},
            "that": {"type": "string", "format": "expression"},
        },
        "$defs": {
            "Mode": {"oneOf": [{"const": "fast", "description": "Soon."}, {"enum": ["slow"]}], "description": "A mode."},
            "Tree": {"type": "object", "properties": {"child": {"$ref": "#/$defs/Tree"}}},
        },
    });
    let read = authored(&schema);
    let fields = &read["properties"];
    assert_eq!(fields["mode"]["description"], "How it runs.");
    assert_eq!(
        fields["mode"]["anyOf"],
        json!([
            {"enum": ["fast", "slow"], "enumDescriptions": ["Soon.", ""]},
            {"type": "string", "pattern": TEMPLATE},
        ])
    );
    assert_eq!(fields["count"]["type"], json!(["integer", "string"]));
    assert_eq!((&fields["count"]["minimum"], &fields["count"]["pattern"]), (&json!(3), &json!(TEMPLATE)));
    assert!(fields["count"].get("default").is_none() && fields["count"].get("format").is_none());
    assert!(fields["wait"]["pattern"].as_str().is_some_and(|pattern| pattern.starts_with(TEMPLATE)));
    assert_eq!(fields["tree"]["properties"]["child"], json!({}), "a type that holds itself ends");
    assert_eq!(fields["that"], super::shapes::expression());
    assert!(!read.to_string().contains("$ref"));
}
