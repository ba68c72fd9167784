use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "not-available-yet",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A field of the language that this build does not have.",
    why: "\
It is refused instead of ignored: a step that asks for isolation and runs without it is worse than one that does not
run.",
    bad: "\
steps:
  build: {uses: command, with: {argv: [make]}, isolate: true, timeout: 5m}
",
    good: "\
steps:
  build: {uses: command, with: {argv: [make]}, timeout: 5m}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
