use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "unequal-lists",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "Lists of one `foreach` that go side by side and differ in length.",
    why: "\
Several names give aligned tuples; a value without a partner would be dropped or repeated silently. `product: true`
takes all combinations instead.",
    bad: "\
steps:
  build:
    uses: command
    with: {argv: [make, \"{{ each.name }}\", \"{{ each.size }}\"]}
    foreach: {name: [one, two], size: [1, 2, 3]}
    timeout: 5m
",
    good: "\
steps:
  build:
    uses: command
    with: {argv: [make, \"{{ each.name }}\", \"{{ each.size }}\"]}
    foreach: {name: [one, two], size: [1, 2]}
    timeout: 5m
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
