use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "unknown-field",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A field that does not exist where it stands.",
    why: "\
Nothing is silently ignored: a misspelled `timout` would leave the step without a limit. The finding names the field
that was probably meant, also where another tool calls it differently (`depends_on`, `cmd`).",
    bad: "\
steps:
  build:
    uses: command
    with: {argv: [make]}
    timout: 5m
",
    good: "\
steps:
  build:
    uses: command
    with: {argv: [make]}
    timeout: 5m
",
    fixes: Fixes::Unsafe,
    check: Check::FrontEnd,
};
