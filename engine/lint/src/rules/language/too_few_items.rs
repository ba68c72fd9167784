use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "too-few-items",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A list that is shorter than its field needs.",
    why: "`argv: []` names no program, and a comparison needs its least number of runs.",
    bad: "\
steps:
  hello: {uses: command, with: {argv: []}, timeout: 1m}
",
    good: "\
steps:
  hello: {uses: command, with: {argv: [echo, hello]}, timeout: 1m}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
