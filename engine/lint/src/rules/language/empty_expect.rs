use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "empty-expect",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "An `expect` that names no end.",
    why: "Every end but the listed ones fails, so such a step could never pass.",
    bad: "\
steps:
  probe: {uses: command, with: {argv: [./probe]}, expect: {}, timeout: 1m}
",
    good: "\
steps:
  probe: {uses: command, with: {argv: [./probe]}, expect: {exit: nonzero}, timeout: 1m}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
