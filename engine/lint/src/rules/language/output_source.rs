use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "output-source",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "An output with neither or both of `value` and `rows`.",
    why: "An output is one value with a type, or a table of rows under fixed columns.",
    bad: "\
outputs:
  greeting: {type: string, description: What was said}
",
    good: "\
steps:
  hello: {uses: command, with: {argv: [echo, hello]}, timeout: 1m}
outputs:
  took: {value: steps.hello.duration_s, type: number, unit: s, description: Time of the greeting}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
