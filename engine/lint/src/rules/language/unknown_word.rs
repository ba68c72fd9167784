use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "unknown-word",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A word that is not among those a field knows.",
    why: "\
Such fields decide what happens, so a word that nobody knows cannot stand for any of them. The finding lists them, and
says which one was probably meant.",
    bad: "\
steps:
  build: {uses: command, with: {argv: [make]}, on_fail: ignore, timeout: 5m}
",
    good: "\
steps:
  build: {uses: command, with: {argv: [make]}, on_fail: warn, timeout: 5m}
",
    fixes: Fixes::Unsafe,
    check: Check::FrontEnd,
};
