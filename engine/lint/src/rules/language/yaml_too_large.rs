use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "yaml-too-large",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A file of more than 16 MiB.",
    why: "\
A manifest describes work; data belongs into files of its own, named by path. The limit keeps a linter from reading a
log or an archive into memory. It stands in `engine/yaml/src/limits.rs`.",
    bad: "\
# 16 MiB of data
",
    good: "\
steps:
  hello: {uses: command, with: {argv: [echo, hello]}, timeout: 1m}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
