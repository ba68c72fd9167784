use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "duplicate-id",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "An id that names two things.",
    why: "\
Checks, steps, gates and finally steps share one namespace: `needs` and reports name them without saying which kind
they are.",
    bad: "\
steps:
  build: {uses: command, with: {argv: [make]}, timeout: 5m}
gates:
  build: {assert: steps.build.duration_s < 60}
",
    good: "\
steps:
  build: {uses: command, with: {argv: [make]}, timeout: 5m}
gates:
  built_fast: {assert: steps.build.duration_s < 60}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
