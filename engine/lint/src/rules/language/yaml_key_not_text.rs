use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "yaml-key-not-text",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A key that is a list, a mapping or an alias; most often a template without quotes.",
    why: "\
YAML reads `{{ x }}` without quotes as a mapping whose key is a mapping. Put the whole value in quotes: the fix does
that.",
    bad: "\
slug: {{ run.date }}
",
    good: "\
slug: \"{{ run.date }}\"
",
    fixes: Fixes::Safe,
    check: Check::FrontEnd,
};
