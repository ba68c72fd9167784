use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "yaml-not-utf8",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A file that is not UTF-8 text.",
    why: "\
Manifests are UTF-8. Another encoding shows some characters wrongly to somebody, and a byte that is none of UTF-8
cannot be part of a place or of an edit. Save the file as UTF-8; `file <path>` tells what it is now.",
    bad: "\
# text in another encoding
",
    good: "\
steps:
  hello: {uses: command, with: {argv: [echo, hello]}, timeout: 1m}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
