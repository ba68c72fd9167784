use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "wrong-type",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A value of another type than its field takes.",
    why: "\
A list where text is expected, text where a number is expected. YAML decides by the form: `5` is a number, `\"5\"` is
text, `yes` is text.",
    bad: "\
steps:
  build: {uses: command, with: {argv: make}, timeout: 5m}
",
    good: "\
steps:
  build: {uses: command, with: {argv: [make]}, timeout: 5m}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
