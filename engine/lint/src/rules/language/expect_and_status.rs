use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "expect-and-status",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "Both `expect` and `status` on one step.",
    why: "\
`expect` says which ends pass, `status` what each exit code stands for. Together they could contradict each other.",
    bad: "\
steps:
  probe: {uses: command, with: {argv: [./probe]}, expect: {exit: 1}, status: {75: retry}, timeout: 1m}
",
    good: "\
steps:
  probe: {uses: command, with: {argv: [./probe]}, status: {1: passed, 75: retry}, retry: {max: 2}, timeout: 1m}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
