use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "bad-call",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A call that names no skill.",
    why: "\
What is called must be known from the text: the callee's inputs and outputs are checked before anything runs. To
choose at run time, write two steps with `when`.",
    bad: "\
inputs:
  which: {type: string, description: The skill to call}
steps:
  go: {uses: \"skill:{{ inputs.which }}\"}
",
    good: "\
steps:
  go:
    uses: skill:paired-kernel-check
    with: {baseline: old.c, candidate: new.c, judge: judge.c}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
