use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "bad-date",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A `verified.date` that is not a day.",
    why: "\
The date decides when a skill is stale. `YYYY-MM-DD` is the one form that cannot be read as another day (ISO 8601).",
    bad: "\
verified: {against: \"gcc 12.2\", date: 31.01.2026, stale_after: 90d}
",
    good: "\
verified: {against: \"gcc 12.2\", date: 2026-01-31, stale_after: 90d}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
