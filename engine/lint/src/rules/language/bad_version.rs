use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "bad-version",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A `version` that is not semantic.",
    why: "\
Versions are compared: `major.minor.patch`, three whole numbers without leading zeros, as semver.org defines them.
What `1.0` or `v1.0.0` comes after is a matter of taste.",
    bad: "\
version: v1.0.0
",
    good: "\
version: 1.0.0
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
