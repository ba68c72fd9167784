use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "expression-syntax",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "An expression that cannot be read.",
    why: "\
Expressions know `and`, `or`, `not`, `==`, `<`, `in`, arithmetic, filters and `a if c else b`. What other languages
write differently (`&&`, `||`, `!x`, `=`) is named in the finding.",
    bad: "\
steps:
  build: {uses: command, with: {argv: [make]}, when: facts.cpus = 8, timeout: 5m}
",
    good: "\
steps:
  build: {uses: command, with: {argv: [make]}, when: facts.cpus > 3 and facts.cpus < 999, timeout: 5m}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
