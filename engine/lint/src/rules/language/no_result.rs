use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "no-result",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "`result` of a step that parses nothing.",
    why: "`parse` fills `result` from what the program printed. Without it there is nothing to read.",
    bad: "\
steps:
  bench: {uses: command, with: {argv: [./judge]}, timeout: 5m}
gates:
  clean: {assert: steps.bench.result.defects == 0}
",
    good: "\
steps:
  bench:
    uses: command
    with:
      argv: [./judge]
      parse: {as: json, from: stdout, schema: {type: object, required: [defects], properties: {defects: {type: number}}}}
    timeout: 5m
gates:
  clean: {assert: steps.bench.result.defects == 0}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
