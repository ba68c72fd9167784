//! The JSON Schema of `assay-lint.yaml`.

use crate::rule::Check;
use crate::rules;
use assay_protocol::{Value, ValueMap};
use serde_json::json;

/// The schema, for editors. Rules that cannot be configured are not in it.
pub fn config_schema() -> Value {
    let levels = |doc: &str| json!({"enum": ["off", "note", "warning", "error"], "description": doc});
    let rules: ValueMap = rules::ALL
        .iter()
        .filter(|rule| !matches!(rule.check, Check::FrontEnd))
        .map(|rule| {
            (rule.id.to_owned(), levels(&format!("{} Default: `{}`.", rule.finds, rule.severity.word())))
        })
        .collect();
    let rules = |doc: &str| json!({"description": doc, "type": "object", "additionalProperties": false, "properties": rules});
    let globs = |doc: &str| json!({"description": doc, "type": "array", "items": {"type": "string"}});
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Configuration of assay lint",
        "description": "`assay-lint.yaml`: which rules are looked for, how severe they are, and where.",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "fail_on": {
                "description": "Least severity that gives exit code 10. Default: `warning`.",
                "enum": ["error", "warning", "note", "never"],
            },
            "rules": rules("Severity by rule."),
            "overrides": {
                "description": "Severities for some files; a later entry wins.",
                "type": "array",
                "items": {
                    "type": "object",
                    "additionalProperties": false,
                    "properties": {
                        "files": globs("Patterns of files, relative to this one: `*` is anything in a path, `**` any folders."),
                        "rules": rules("Severity by rule, for these files."),
                    },
                },
            },
            "exclude": globs("Patterns of files that are left out."),
            "baseline": {
                "description": "File of accepted findings, relative to this one; `assay lint --write-baseline` writes it.",
                "type": "string",
            },
            "max_values": {
                "description": "Keys, values and collections that are read of one manifest; one with more is an error. Default: 20000.",
                "type": "integer",
                "minimum": 1,
                "maximum": assay_yaml::Limits::default().nodes,
            },
        },
    })
}
