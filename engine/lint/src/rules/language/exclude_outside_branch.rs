use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "exclude-outside-branch",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "`on_fail: exclude` where there is no branch to exclude.",
    why: "\
`exclude` takes a whole branch out of a comparison, and a branch is a call with `foreach`. Anywhere else in a workflow
it would take nothing out.",
    bad: "\
kind: Workflow
steps:
  build: {uses: command, with: {argv: [make]}, on_fail: exclude, timeout: 5m}
",
    good: "\
kind: Workflow
steps:
  build: {uses: command, with: {argv: [make]}, on_fail: warn, timeout: 5m}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
