use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "unreadable-file",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A file that cannot be read.",
    why: "\
It was named, or found below a named folder, and the system refuses it: permissions, a broken link, a failing disk.
Nothing in it was looked at, so it cannot count as clean.",
    bad: "\
# a file that may not be read
",
    good: "\
steps:
  hello: {uses: command, with: {argv: [echo, hello]}, timeout: 1m}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
