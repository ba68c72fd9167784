use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "bad-default",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A default that does not fit the input's own declaration.",
    why: "\
The run without that input would fail with the words for a caller's mistake, although the caller gave nothing.",
    bad: "\
inputs:
  pairs: {type: integer, default: 5, minimum: 10, description: Pairs to measure}
steps:
  show: {uses: command, with: {argv: [echo, \"{{ inputs.pairs }}\"]}, timeout: 1m}
",
    good: "\
inputs:
  pairs: {type: integer, default: 30, minimum: 10, description: Pairs to measure}
steps:
  show: {uses: command, with: {argv: [echo, \"{{ inputs.pairs }}\"]}, timeout: 1m}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
