//! The fields at the top of a manifest.

use super::shapes::{by_id, definition, environment, fixed_quantity, text, variables};
use super::table::{FieldDoc, field, merged, object, required};
use crate::fields::Unit;
use crate::lower::KINDS;
use assay_protocol::Value;
use serde_json::json;

/// The top of a manifest.
pub(crate) const TOP: [FieldDoc; 17] = [
    required(
        "apiVersion",
        "Version of the language that the manifest is written in.",
        || json!({"enum": ["assay/v1"], "default": "assay/v1"}),
    ),
    required("kind", "`Skill`: a reusable procedure. `Workflow`: an entry point, run by name.", || {
        super::shapes::word(KINDS)
    }),
    required(
        "name",
        "Its name, by which it is run and called: 1 to 64 of `a-z`, `0-9` and single hyphens.",
        || {
            json!({
                "type": "string", "maxLength": 64, "pattern": "^[a-z0-9]+(?:-[a-z0-9]+)*$",
                "patternErrorMessage": "A name is made of `a-z`, `0-9` and single hyphens between them",
                "examples": ["paired-kernel-check"],
            })
        },
    ),
    required("version", "Semantic version, three numbers such as `1.0.0`.", || {
        let number = "(?:0|[1-9][0-9]*)";
        json!({
            "type": "string", "pattern": format!(r"^{number}\.{number}\.{number}(?:[-+].*)?$"),
            "patternErrorMessage": "A version is three numbers, such as `1.0.0`",
            "default": "0.1.0",
        })
    }),
    field("description", "What it is for, in a sentence or two; shown by `assay list` and in reports.", text),
    field("verified", "When and against what it was last seen to work.", || object(&VERIFIED)),
    field("slug", "Part of the run folder's name; a template, such as `{{ inputs.model }}`.", text),
    field(
        "inputs",
        "Typed values that the caller gives, by name; a default makes one optional. Read as `inputs.<name>`.",
        || by_id(definition("input")),
    ),
    field(
        "secrets",
        "Environment variables that hold secrets. A step gets one only by listing it in `pass_env`; what it prints is masked.",
        variables,
    ),
    field("env", "Environment variables for all steps, with their values.", environment),
    field("pass_env", "Variables of the caller's environment that are passed to all steps.", variables),
    field(
        "preflight",
        "Facts that must hold before any step runs, by id. All are checked, in one report.",
        || by_id(definition("check")),
    ),
    required(
        "steps",
        "What is done, by id: a DAG. `needs` and every reference to another step is an edge.",
        || merged(by_id(definition("step")), json!({"minProperties": 1})),
    ),
    field("gates", "Verdicts, by id. What needs a gate starts only once it passed.", || {
        by_id(definition("gate"))
    }),
    field(
        "outputs",
        "The fixed output format, by name: what callers and reports get, always the same shape.",
        || by_id(definition("output")),
    ),
    field(
        "deliver",
        "Files placed in the run directory: a relative path to an expression, or to a template file.",
        super::data::deliveries,
    ),
    field("finally", "Steps that run whatever happened, also after a failure or an interruption.", || {
        by_id(definition("step"))
    }),
];

/// `verified`.
pub(crate) const VERIFIED: [FieldDoc; 3] = [
    required("against", "Versions it was verified against, such as `gcc 12.2`.", text),
    required("date", "Day of the last check, `YYYY-MM-DD`.", date),
    field("stale_after", "How long that counts, such as `90d`.", || {
        merged(fixed_quantity(Unit::Duration), json!({"examples": ["90d"]}))
    }),
];

fn date() -> Value {
    json!({
        "type": "string",
        "pattern": "^[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])$",
        "patternErrorMessage": "A date is `YYYY-MM-DD`",
        "examples": ["2026-01-31"],
    })
}
