use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "empty-foreach",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A `foreach` that names nothing to go through.",
    why: "It maps names to lists; without a name there is nothing that an instance could read.",
    bad: "\
steps:
  build: {uses: command, with: {argv: [make]}, foreach: {}, timeout: 5m}
",
    good: "\
steps:
  build: {uses: command, with: {argv: [make, \"{{ each.name }}\"]}, foreach: {name: [one, two]}, timeout: 5m}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
