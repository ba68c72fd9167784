use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "bad-variable",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A name that cannot name an environment variable, or belongs to the engine.",
    why: "\
POSIX shells take letters, digits and `_`, not beginning with a digit. Names that begin with `ASSAY_` are the engine's
own: a step that could set them could mislead it.",
    bad: "\
env: {LC-ALL: C}
",
    good: "\
env: {LC_ALL: C}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
