use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "duplicate-key",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A key that stands twice in one mapping.",
    why: "\
Most readers of YAML keep the last value and say nothing, so an edit of the first has no effect. Here neither
overrides the other.",
    bad: "\
env: {LC_ALL: C, TZ: UTC, LC_ALL: en_US.UTF-8}
",
    good: "\
env: {LC_ALL: C, TZ: UTC}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
