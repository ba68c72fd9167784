use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "bad-schema",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A JSON Schema that is none.",
    why: "\
A result is checked against its schema, and a schema with a misspelled type checks nothing. Keywords and types are
those of JSON Schema (json-schema.org).",
    bad: "\
steps:
  check:
    uses: command
    with:
      argv: [./judge, verify]
      parse: {as: json, from: stdout, schema: {type: object, required: [max_error], properties: {max_error: {type: float}}}}
    timeout: 1m
gates:
  correct: {assert: steps.check.result.max_error <= 1.0e-6, on_fail: incorrect}
",
    good: "\
steps:
  check:
    uses: command
    with:
      argv: [./judge, verify]
      parse: {as: json, from: stdout, schema: {type: object, required: [max_error], properties: {max_error: {type: number}}}}
    timeout: 1m
gates:
  correct: {assert: steps.check.result.max_error <= 1.0e-6, on_fail: incorrect}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
