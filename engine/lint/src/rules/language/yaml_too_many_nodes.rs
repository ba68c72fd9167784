use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "yaml-too-many-nodes",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A file of more than a million values.",
    why: "\
Every value is kept with its place, about 100 bytes each. A table of that size is data: put it into a file and name it
by path. The limit stands in `engine/yaml/src/limits.rs`.",
    bad: "\
# a list of more than a million numbers
",
    good: "\
steps:
  hello: {uses: command, with: {argv: [echo, hello]}, timeout: 1m}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
