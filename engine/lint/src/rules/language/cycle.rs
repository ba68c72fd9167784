use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "cycle",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "Steps or gates that wait for each other.",
    why: "\
A step waits for everything in its `needs` and for every step and gate that it reads. When such a chain leads back to its
beginning, none of its steps can ever start, so the run refuses the manifest. The finding prints the whole path.",
    bad: "\
steps:
  build:
    uses: command
    with: {argv: [make]}
    needs: [check]
    timeout: 5m
  check:
    uses: command
    with: {argv: [make, check]}
    needs: [build]
    timeout: 5m
",
    good: "\
steps:
  build:
    uses: command
    with: {argv: [make]}
    timeout: 5m
  check:
    uses: command
    with: {argv: [make, check]}
    needs: [build]
    timeout: 5m
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
