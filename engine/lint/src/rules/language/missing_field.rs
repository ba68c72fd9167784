use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "missing-field",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A required field that is not there.",
    why: "\
The run could not know what to do. The finding stands at what lacks the field and shows how it is written.",
    bad: "\
steps:
  build: {with: {argv: [make]}, timeout: 5m}
",
    good: "\
steps:
  build: {uses: command, with: {argv: [make]}, timeout: 5m}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
