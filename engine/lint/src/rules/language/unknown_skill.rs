use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "unknown-skill",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A call of a skill or a workflow that cannot be found.",
    why: "\
Names are looked up in the project's `skills/` and `workflows/`, then in the user's, then among those built in. `assay
list` shows all of them.",
    bad: "\
steps:
  judge:
    uses: skill:paired-kernel-chek
    with: {baseline: old.c, candidate: new.c, judge: judge.c}
",
    good: "\
steps:
  judge:
    uses: skill:paired-kernel-check
    with: {baseline: old.c, candidate: new.c, judge: judge.c}
",
    fixes: Fixes::Unsafe,
    check: Check::FrontEnd,
};
