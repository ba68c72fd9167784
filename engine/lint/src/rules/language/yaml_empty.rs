use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "yaml-empty",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A file that holds no document.",
    why: "\
A file of spaces and comments is no manifest. It may be left over from a merge, or all of its lines were commented
out.",
    bad: "\
# no apiVersion, # no kind, # no name, # no version,
# no description, # no verified, # no steps
",
    good: "\
steps:
  hello: {uses: command, with: {argv: [echo, hello]}, timeout: 1m}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
