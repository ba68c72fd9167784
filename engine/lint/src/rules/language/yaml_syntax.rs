use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "yaml-syntax",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "Text that is not YAML.",
    why: "\
The reader stops at the first such place, so nothing below it was looked at. Most often a quote or a bracket is not
closed, a tab indents a line, or a value with `: ` in it has no quotes. A syntax error hides every other finding of
the file.",
    bad: "\
slug: 'run of today
",
    good: "\
slug: run-of-today
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
