use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "steps-without-id",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "`steps` without the id of a step behind it.",
    why: "\
Every reference to a step is an edge of the DAG, so its id must be known from the text. A computed id would hide an
edge, and the step might start too early.",
    bad: "\
steps:
  build: {uses: command, with: {argv: [make]}, timeout: 5m}
  show: {uses: command, with: {argv: [echo, \"{{ steps | length }}\"]}, timeout: 1m}
",
    good: "\
steps:
  build: {uses: command, with: {argv: [make]}, timeout: 5m}
  show: {uses: command, with: {argv: [cat, \"{{ steps.build.stdout }}\"]}, timeout: 1m}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
