//! The fields of a step and of a check, and of the mappings inside them.

use super::shapes::{
    by_id, count_or_template, environment, expression, fixed_quantity, flag, quantity, text, texts,
    variables, word,
};
use super::table::{FieldDoc, described, field, merged, object, required};
use crate::fields::Unit;
use crate::lower::{CHECK_WORDS, ON_FAIL, SIGNALS};
use assay_protocol::{Status, Value};
use serde_json::json;

const WITH: &str = "Its configuration; `assay explain <type>` describes it. Any value may be a template.";

/// A step.
pub(crate) const STEP: [FieldDoc; 20] = [
    required("uses", "The step type, or `skill:<name>` to call a skill or a workflow.", text),
    field("with", WITH, || json!({})),
    field("needs", "Ids of steps and gates that must have passed before; order without data.", || {
        merged(texts(), json!({"default": []}))
    }),
    field(
        "when",
        "Condition; if it is false the step is `skipped`. An expression that yields true or false.",
        || merged(expression(), json!({"default": true})),
    ),
    field("foreach", "One instance per value: names to lists. Inside, `each.<name>` is the value.", foreach),
    field(
        "timeout",
        "Limit of one attempt, such as `2m`; then TERM, a grace period, KILL, and `timed_out`.",
        || merged(quantity(Unit::Duration), json!({"examples": ["30s", "2m", "1h30m"]})),
    ),
    field("retry", "New attempts after one that did not pass.", || object(&RETRY)),
    field("resources", "What it books on the host while it runs.", || object(&RESOURCES)),
    field("expect", "Which ends pass: any listed end does, every other fails. Excludes `status`.", || {
        merged(object(&EXPECT), json!({"minProperties": 1}))
    }),
    field("status", "Exit codes to statuses, such as `{0: passed, 75: retry}`. Excludes `expect`.", status),
    field(
        "files",
        "Files it produces, by name; a missing one fails it. Read as `steps.<id>.files.<name>.path`.",
        || by_id(json!({"type": "string", "description": "Path of the file; a template is rendered"})),
    ),
    field("reads", "Files it consumes: they enter its fingerprint and are checked again on resume.", texts),
    field(
        "env",
        "Its environment variables. Besides these it gets `PATH`, `HOME`, `LANG` and `TMPDIR` only.",
        environment,
    ),
    field(
        "pass_env",
        "Variables of the caller's environment, or `secrets`, that are passed to it.",
        variables,
    ),
    field("cwd", "Working directory; by default the step's own folder, `step.dir`.", text),
    field(
        "cache",
        "Reuse a passed result of equal fingerprint from an earlier run; the report says so.",
        flag,
    ),
    field("detach", "Outlives the engine under a supervisor of its own. For servers only.", flag),
    field(
        "bind",
        "`epoch`: once finished it runs again if a server that it used was restarted.",
        || json!({"enum": ["epoch"]}),
    ),
    field("isolate", "Runs without write access to the run's records.", flag),
    field(
        "on_fail",
        "If it does not pass: `stop` blocks what requires it, `exclude` removes its branch, `warn` records it and goes on.",
        || merged(word(ON_FAIL), json!({"default": "stop"})),
    ),
];

/// A check.
pub(crate) const CHECK: [FieldDoc; 5] = [
    required("check", "The check type; `assay explain <type>` describes it.", text),
    field("with", WITH, || json!({})),
    field(
        "when",
        "Condition; if it is false the check is skipped. An expression that yields true or false.",
        || merged(expression(), json!({"default": true})),
    ),
    field(
        "on_fail",
        "If it does not hold: `stop` lets nothing start, `exclude` removes the branch, `warn` records it and goes on.",
        || merged(word(ON_FAIL), json!({"default": "stop"})),
    ),
    field("as", "The word recorded if it does not hold.", || {
        let words: Vec<&str> = CHECK_WORDS.iter().map(|status| status.word()).collect();
        json!({"enum": words, "default": Status::Environment.word()})
    }),
];

/// `retry`.
pub(crate) const RETRY: [FieldDoc; 3] = [
    required(
        "max",
        "New attempts after the first.",
        || json!({"type": "integer", "minimum": 0, "default": 2}),
    ),
    field("backoff", "Pauses before new attempts.", || object(&BACKOFF)),
    field(
        "when_status",
        "Statuses that are tried again.",
        || json!({"type": "array", "items": {"enum": statuses()}, "default": ["failed", "timed_out"]}),
    ),
];

/// `retry.backoff`.
pub(crate) const BACKOFF: [FieldDoc; 3] = [
    field("first", "Pause before the first new attempt.", || {
        merged(fixed_quantity(Unit::Duration), json!({"default": "1s"}))
    }),
    field(
        "factor",
        "Growth from one pause to the next.",
        || json!({"type": "number", "minimum": 1, "default": 2}),
    ),
    field("limit", "Longest pause.", || merged(fixed_quantity(Unit::Duration), json!({"default": "1m"}))),
];

/// `resources`.
pub(crate) const RESOURCES: [FieldDoc; 4] = [
    field("cpus", "CPU slots.", || merged(count_or_template(), json!({"default": 1}))),
    field("gpus", "A number of GPUs, or a list of physical ids. `run.gpus` is the lease.", || {
        merged(
            count_or_template(),
            json!({"type": ["integer", "string", "array"], "items": {"type": "integer", "minimum": 0}, "default": 0}),
        )
    }),
    field("memory", "Memory, also enforced as a limit, such as `16GiB`.", || {
        merged(quantity(Unit::Size), json!({"examples": ["16GiB"]}))
    }),
    field("locks", "Named locks, held across all runs of the host.", || {
        merged(texts(), json!({"default": []}))
    }),
];

/// `expect`.
pub(crate) const EXPECT: [FieldDoc; 3] = [
    field("exit", "`any`, `nonzero`, an exit code or a list of them.", || {
        let code = json!({"type": "integer", "minimum": 0, "maximum": 255});
        json!({"anyOf": [{"enum": ["any", "nonzero"]}, code, {"type": "array", "items": code}]})
    }),
    field("signal", "A signal that passes, such as `SIGABRT`.", || json!({"enum": SIGNALS})),
    field("timeout", "`true`: running into `timeout` passes.", flag),
];

fn statuses() -> Vec<&'static str> {
    Status::OF_STEPS.iter().map(|status| status.word()).collect()
}

fn status() -> Value {
    let mut words = statuses();
    words.push("retry");
    json!({
        "type": "object",
        "propertyNames": {
            "pattern": "^(?:[0-9]|[1-9][0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-5])$",
            "patternErrorMessage": "An exit code is a number from 0 to 255",
        },
        "additionalProperties": {"enum": words, "description": "What this exit code means; `retry` is a new attempt"},
        "examples": [{"0": "passed", "75": "retry"}],
    })
}

fn foreach() -> Value {
    let list = json!({
        "type": ["array", "string"], "pattern": r"\{\{",
        "patternErrorMessage": "A list, or one whole `{{ expression }}` that yields one",
    });
    let names = by_id(described("The values, or one whole `{{ expression }}` that yields a list.", list));
    merged(
        names,
        json!({
            "properties": {"product": described("All combinations instead of aligned tuples.", flag())},
            "minProperties": 1,
            "if": {"required": ["product"]},
            "then": {"minProperties": 2},
        }),
    )
}
