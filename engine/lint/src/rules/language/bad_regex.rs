use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "bad-regex",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A regular expression that cannot be read, or does not have exactly one group.",
    why: "\
Each field of `parse: {as: regex}` is what its one group matched. With none there is no value, with two it would be
unclear which one is meant: other groups start with `(?:`. The syntax is that of the Rust crate `regex`: no
look-around, no back-references.",
    bad: "\
steps:
  bench:
    uses: command
    with:
      argv: [./judge]
      parse: {as: regex, from: stdout, fields: {defects: \"defects: [0-9.]+\"}, schema: {type: object, properties: {defects: {type: number}}}}
    timeout: 5m
gates:
  clean: {assert: steps.bench.result.defects == 0}
",
    good: "\
steps:
  bench:
    uses: command
    with:
      argv: [./judge]
      parse: {as: regex, from: stdout, fields: {defects: \"defects: ([0-9.]+)\"}, schema: {type: object, properties: {defects: {type: number}}}}
    timeout: 5m
gates:
  clean: {assert: steps.bench.result.defects == 0}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
