use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "format-needs-text",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A `format` on an input that is not text.",
    why: "\
Durations, sizes, percents, paths and dates are written as text with their unit, so the input has `type: string`. In
expressions the value is a number of seconds, bytes or a fraction.",
    bad: "\
inputs:
  limit: {type: number, format: duration, description: Longest build}
steps:
  build: {uses: command, with: {argv: [make]}, timeout: \"{{ inputs.limit }}\"}
",
    good: "\
inputs:
  limit: {type: string, format: duration, default: 5m, description: Longest build}
steps:
  build: {uses: command, with: {argv: [make]}, timeout: \"{{ inputs.limit }}\"}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
