use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "no-steps",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A manifest whose `steps` are empty.",
    why: "It would do nothing and end with 0, which looks like success.",
    bad: "\
steps: {}
",
    good: "\
steps:
  hello: {uses: command, with: {argv: [echo, hello]}, timeout: 1m}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
