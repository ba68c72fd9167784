use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "two-sources",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "Both `argv` and `shell`, or another pair that says twice what is run.",
    why: "\
Only one of them can be run. `argv` starts a program without a shell in between; `shell` is for pipelines.",
    bad: "\
steps:
  hello: {uses: command, with: {argv: [echo, hello], shell: echo hello}, timeout: 1m}
",
    good: "\
steps:
  hello: {uses: command, with: {argv: [echo, hello]}, timeout: 1m}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
