use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "float-version",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A `version` that YAML reads as a number.",
    why: "\
`1.10` as a number is 1.1, an older version. A version has three parts and is then text without quotes. The fix adds
the missing parts; look at it, it says that this was meant.",
    bad: "\
version: 1.10
",
    good: "\
version: 1.10.0
",
    fixes: Fixes::Unsafe,
    check: Check::FrontEnd,
};
