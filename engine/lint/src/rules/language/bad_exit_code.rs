use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "bad-exit-code",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "An exit code that no program can end with.",
    why: "\
Exit codes go from 0 to 255 (POSIX `wait`). A program that a signal ended has none: write `expect: {signal: SIGABRT}`.
128 plus the number of the signal is what a shell reports, not what the program returned.",
    bad: "\
steps:
  probe: {uses: command, with: {argv: [./probe]}, expect: {exit: -6}, timeout: 1m}
",
    good: "\
steps:
  probe: {uses: command, with: {argv: [./probe]}, expect: {signal: SIGABRT}, timeout: 1m}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
