use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "no-verdict",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A compare gate on a step that compares nothing.",
    why: "Only `uses: compare` gives a verdict. A condition on another step is an `assert`.",
    bad: "\
steps:
  bench: {uses: command, with: {argv: [./bench]}, timeout: 5m}
gates:
  fast: {compare: steps.bench, want: [better]}
",
    good: "\
steps:
  bench: {uses: command, with: {argv: [./bench]}, timeout: 5m}
gates:
  fast: {assert: steps.bench.duration_s < 60}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
