use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "bad-input",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A literal given to a call that does not fit the input's declaration.",
    why: "The same words that refuse a caller's `-i key=value`, but found before anything runs.",
    bad: "\
steps:
  judge:
    uses: skill:paired-kernel-check
    with: {baseline: old.c, candidate: new.c, judge: judge.c, pairs: 5}
",
    good: "\
steps:
  judge:
    uses: skill:paired-kernel-check
    with: {baseline: old.c, candidate: new.c, judge: judge.c, pairs: 50}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
