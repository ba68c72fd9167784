use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "yaml-too-many-nodes",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A file of more values than are read: 20,000 here, a million in a run.",
    why: "\
Every value is kept with its place, about 100 bytes each, and every rule looks at it. A manifest of tens of steps has a thousand
values. As many as 20,000, in about 1,500 steps, are judged in about 50 ms whatever they are; for a larger one that a program
writes, `max_values` in `assay-lint.yaml` sets another number, up to the million that a run reads (`engine/yaml/src/limits.rs`). Templates and expressions may have
eight bytes for each value that may be read. A table is data: put it into a file and name it by path.",
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
