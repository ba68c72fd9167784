use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "expression-in-braces",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "Braces around a value that is an expression already.",
    why: "\
`assert`, `when`, `until`, `value`, `rows` and `compare` take a bare expression. Braces belong into text. The fix
removes them where they enclose the whole value.",
    bad: "\
steps:
  build: {uses: command, with: {argv: [make]}, timeout: 5m}
gates:
  quick: {assert: \"{{ steps.build.duration_s < 60 }}\"}
",
    good: "\
steps:
  build: {uses: command, with: {argv: [make]}, timeout: 5m}
gates:
  quick: {assert: steps.build.duration_s < 60}
",
    fixes: Fixes::Safe,
    check: Check::FrontEnd,
};
