use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "duplicate-value",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A `foreach` list that holds a value twice.",
    why: "\
Each value names one instance and its folder. For repeats use `compare`, which pairs and counts its runs.",
    bad: "\
steps:
  build: {uses: command, with: {argv: [make, \"{{ each.name }}\"]}, foreach: {name: [one, two, one]}, timeout: 5m}
",
    good: "\
steps:
  build: {uses: command, with: {argv: [make, \"{{ each.name }}\"]}, foreach: {name: [one, two]}, timeout: 5m}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
