use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "foreach-list",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "An output read from a step with `foreach` as if it were one step.",
    why: "\
`steps.build` is then the list of all instances. Name one, `steps.build['baseline'].files`, or go through the list.",
    bad: "\
steps:
  build: {uses: command, with: {argv: [make, \"{{ each.name }}\"]}, foreach: {name: [one, two]}, timeout: 5m}
  show: {uses: command, with: {argv: [cat, \"{{ steps.build.stdout }}\"]}, timeout: 1m}
",
    good: "\
steps:
  build: {uses: command, with: {argv: [make, \"{{ each.name }}\"]}, foreach: {name: [one, two]}, timeout: 5m}
  show: {uses: command, with: {argv: [cat, \"{{ steps.build['one'].stdout }}\"]}, timeout: 1m}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
