use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "missing-input",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A call that leaves out an input without a default.",
    why: "The callee could not start. The finding shows where the input is declared and what it is.",
    bad: "\
steps:
  judge:
    uses: skill:paired-kernel-check
    with: {baseline: old.c, candidate: new.c}
",
    good: "\
steps:
  judge:
    uses: skill:paired-kernel-check
    with: {baseline: old.c, candidate: new.c, judge: judge.c}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
