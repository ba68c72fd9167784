use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "gate-demand",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A gate that demands nothing, or two things.",
    why: "\
A gate has either `assert`, a condition, or `compare`, a comparison with the verdicts that pass. With both it would be
unclear which one decides its outcome.",
    bad: "\
steps:
  build: {uses: command, with: {argv: [make]}, timeout: 5m}
gates:
  quick: {description: The build is quick}
",
    good: "\
steps:
  build: {uses: command, with: {argv: [make]}, timeout: 5m}
gates:
  quick: {assert: steps.build.duration_s < 60, description: The build is quick}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
