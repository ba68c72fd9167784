//! The fields of a gate.

use super::shapes::{expression, quantity, text, texts, word};
use super::table::{FieldDoc, field, merged, object};
use crate::fields::Unit;
use crate::lower::{GATE_ON_FAIL, VERDICTS};
use assay_protocol::Value;
use serde_json::json;

/// A gate.
pub(crate) const GATE: [FieldDoc; 8] = [
    field("assert", "What must hold: an expression that yields true or false. This or `compare`.", || {
        merged(expression(), json!({"examples": ["steps.check.result.max_error <= 1.0e-6"]}))
    }),
    field("compare", "The comparison that is judged, such as `steps.race`. This or `assert`.", || {
        merged(expression(), json!({"examples": ["steps.race"]}))
    }),
    field("want", "Verdicts of the comparison that pass.", || {
        // `undecided` can never pass: it is `inconclusive`.
        let words: Vec<_> = VERDICTS.iter().filter(|(word, _)| *word != "undecided").copied().collect();
        json!({"type": "array", "minItems": 1, "items": word(&words), "examples": [["better"]]})
    }),
    field("threshold", "Least effect that counts, such as `1%`; by default that of the comparison.", || {
        merged(quantity(Unit::Percent), json!({"examples": ["1%"]}))
    }),
    field("needs", "Ids of steps and gates that must have passed before.", || {
        merged(texts(), json!({"default": []}))
    }),
    field(
        "when",
        "Condition; if it is false the gate is skipped. An expression that yields true or false.",
        || merged(expression(), json!({"default": true})),
    ),
    field("on_fail", "What it means if it is not met; `warn` is recorded and has no other effect.", || {
        merged(word(GATE_ON_FAIL), json!({"default": "failed"}))
    }),
    field("description", "What it is for.", text),
];

/// A gate demands one thing, and the fields of a comparison go with `compare`.
pub(crate) fn gate() -> Value {
    merged(
        object(&GATE),
        json!({
            "anyOf": [{"required": ["assert"]}, {"required": ["compare"]}],
            "dependencies": {
                "assert": {"properties": {"compare": false}},
                "compare": ["want"], "want": ["compare"], "threshold": ["compare"],
            },
        }),
    )
}
