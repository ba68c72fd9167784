use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "yaml-multiple-documents",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A second YAML document in one file.",
    why: "\
A file is one manifest. Other tools read only the first document or the last, so the rest would be silently without
effect.",
    bad: "\
slug: first
---
slug: second
",
    good: "\
slug: first
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
