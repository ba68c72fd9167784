use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "number-too-large",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A whole number that does not fit into 64 bits.",
    why: "\
It would be rounded to the nearest float, and an identifier that changes its last digits is another identifier. Put it
in quotes if it is text.",
    bad: "\
inputs:
  seed: {type: integer, default: 18446744073709551617, description: First seed}
steps:
  show: {uses: command, with: {argv: [echo, \"{{ inputs.seed }}\"]}, timeout: 1m}
",
    good: "\
inputs:
  seed: {type: integer, default: 1844674407370955161, description: First seed}
steps:
  show: {uses: command, with: {argv: [echo, \"{{ inputs.seed }}\"]}, timeout: 1m}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
