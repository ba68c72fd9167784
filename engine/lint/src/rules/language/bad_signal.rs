use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "bad-signal",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A signal that does not exist.",
    why: "Signals are written with their full names, as `kill -l` lists them with `SIG` in front.",
    bad: "\
steps:
  probe: {uses: command, with: {argv: [./probe]}, expect: {signal: ABRT}, timeout: 1m}
",
    good: "\
steps:
  probe: {uses: command, with: {argv: [./probe]}, expect: {signal: SIGABRT}, timeout: 1m}
",
    fixes: Fixes::Unsafe,
    check: Check::FrontEnd,
};
