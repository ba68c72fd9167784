use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "template-syntax",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A template that cannot be read.",
    why: "\
Templates have `{{ expression }}`, `{% if %}`, `{% for %}`, `{% set %}` and `{% raw %}`, each closed by its end.
Filters and tests are checked too: a filter that does not exist is found before anything runs.",
    bad: "\
slug: \"{{ run.date | upcase }}\"
",
    good: "\
slug: \"{{ run.date | upper }}\"
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
