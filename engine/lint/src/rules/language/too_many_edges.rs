use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "too-many-edges",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A manifest whose steps wait for each other in more ways than can be kept.",
    why: "\
Everything that reads a step waits for it, and a delivered template waits for every step and gate, because it may name any of
them: a thousand templates beside a thousand steps are a million edges of 16 bytes. The limit is ten for each value that may be
read: ten million in a run, 200,000 in lint unless `max_values` in `assay-lint.yaml` says otherwise. One step that gathers what many
others read needs an edge for each of them once.",
    bad: "\
# 500 delivered templates and 500 gates
",
    good: "\
steps:
  hello: {uses: command, with: {argv: [echo, hello]}, timeout: 1m}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
