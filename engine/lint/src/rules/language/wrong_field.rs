use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "wrong-field",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A field that has no meaning for this type or beside its neighbours.",
    why: "\
A field that would have no effect is refused, because its author believes that it has one: a `cwd` on a step without a
process, a `threshold` beside `assert`.",
    bad: "\
steps:
  ask: {uses: approval, with: {question: \"Go on?\"}, cwd: /tmp}
",
    good: "\
steps:
  ask: {uses: approval, with: {question: \"Go on?\"}}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
