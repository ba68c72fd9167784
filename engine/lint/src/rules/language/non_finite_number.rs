use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "non-finite-number",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "`.inf` or `.nan` as a value.",
    why: "\
JSON has no such numbers, and no comparison with `.nan` means anything: a gate with such a threshold would decide by
accident. Leave the field out where there is no limit, or use quotes where it is text.",
    bad: "\
inputs:
  limit: {type: number, default: .inf, description: Longest time in seconds}
steps:
  show: {uses: command, with: {argv: [echo, \"{{ inputs.limit }}\"]}, timeout: 1m}
",
    good: "\
inputs:
  limit: {type: number, default: 1.0e9, description: Longest time in seconds}
steps:
  show: {uses: command, with: {argv: [echo, \"{{ inputs.limit }}\"]}, timeout: 1m}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
