use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "yaml-tag",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A YAML tag such as `!include` or `!!str`.",
    why: "\
Tags mean different things to different readers; some run code. Values are recognized by their form, text by its
quotes, and there is nothing else that a tag could say here.",
    bad: "\
slug: !!str 17
",
    good: "\
slug: \"17\"
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
