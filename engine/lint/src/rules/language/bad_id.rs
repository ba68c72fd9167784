use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "bad-id",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A name that an expression could not read.",
    why: "\
Ids of steps, gates, checks, inputs, outputs, files and loop variables are read in expressions: `[a-z][a-z0-9_]*`, and
no word of the language. In `steps.build-all` an expression reads a subtraction.",
    bad: "\
steps:
  build-all: {uses: command, with: {argv: [make]}, timeout: 5m}
",
    good: "\
steps:
  build_all: {uses: command, with: {argv: [make]}, timeout: 5m}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
