use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "template-not-allowed",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A template in a field that must be known from the text.",
    why: "\
Some fields are used before anything is known that a template could read: the pauses of `retry`, or when a skill is
stale.",
    bad: "\
inputs:
  pause: {type: string, format: duration, default: 5s, description: Pause before a new attempt}
steps:
  build: {uses: command, with: {argv: [make]}, retry: {max: 2, backoff: {first: \"{{ inputs.pause }}\"}}, timeout: 5m}
",
    good: "\
steps:
  build: {uses: command, with: {argv: [make]}, retry: {max: 2, backoff: {first: 5s}}, timeout: 5m}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
