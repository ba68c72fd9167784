use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "recursive-call",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A skill that calls itself, directly or through others.",
    why: "The plan of such a call has no end. The finding prints the chain.",
    bad: "\
# stands in skills/example/skill.yaml
steps:
  again: {uses: skill:example}
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
