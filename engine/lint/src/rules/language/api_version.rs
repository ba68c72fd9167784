use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "api-version",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A manifest in another version of the language.",
    why: "\
`apiVersion` says what the words of the file mean. A newer language may give a field another meaning, so a file of an
unknown version is refused instead of half understood.",
    bad: "\
apiVersion: assay/v2
",
    good: "\
apiVersion: assay/v1
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
