use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "unknown-reference",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A reference to an input, step, gate, output or variable that does not exist.",
    why: "\
It would fail when the value is needed, perhaps an hour into a run. All names are checked before anything starts, with
what was probably meant.",
    bad: "\
inputs:
  pairs: {type: integer, default: 30, description: Pairs to measure}
steps:
  show: {uses: command, with: {argv: [echo, \"{{ inputs.piars }}\"]}, timeout: 1m}
",
    good: "\
inputs:
  pairs: {type: integer, default: 30, description: Pairs to measure}
steps:
  show: {uses: command, with: {argv: [echo, \"{{ inputs.pairs }}\"]}, timeout: 1m}
",
    fixes: Fixes::Unsafe,
    check: Check::FrontEnd,
};
