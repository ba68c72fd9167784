use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "yaml-merge-key",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A merge key (`<<`).",
    why: "\
Merge keys are not part of YAML 1.2, and which of two values wins depends on the reader. Write the fields out, or make
the common part a skill and call it.",
    bad: "\
env: &common {LC_ALL: C}
steps:
  hello:
    uses: command
    with: {argv: [env]}
    env: {<<: *common, TZ: UTC}
    timeout: 1m
",
    good: "\
env: {LC_ALL: C}
steps:
  hello:
    uses: command
    with: {argv: [env]}
    env: {TZ: UTC}
    timeout: 1m
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
