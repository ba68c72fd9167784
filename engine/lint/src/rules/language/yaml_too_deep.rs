use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "yaml-too-deep",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "Lists and mappings that nest more than 64 levels.",
    why: "\
No manifest needs them; a file that has them was made to exhaust a reader. The limit of 64 stands in
`engine/yaml/src/limits.rs`.",
    bad: "\
env: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]
",
    good: "\
env: {LEVEL: one}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
