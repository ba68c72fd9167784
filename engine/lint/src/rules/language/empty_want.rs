use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "empty-want",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A compare gate that wants no verdict.",
    why: "It can never pass, whatever is measured.",
    bad: "\
preflight:
  idle: {check: load, with: {max_per_core: 0.7}}
steps:
  check:
    uses: command
    with:
      argv: [./judge, verify]
      parse: {as: json, from: stdout, schema: {type: object, required: [max_error], properties: {max_error: {type: number}}}}
    timeout: 1m
  race:
    needs: [correct]
    uses: compare
    with:
      baseline: {argv: [./judge, run, old]}
      candidate: {argv: [./judge, run, new]}
      metric: {value: wall_time, better: lower}
      pairs: 30
    timeout: 5m
gates:
  correct: {assert: steps.check.result.max_error <= 1.0e-6, on_fail: incorrect}
  faster: {compare: steps.race, want: [], threshold: 1%}
",
    good: "\
preflight:
  idle: {check: load, with: {max_per_core: 0.7}}
steps:
  check:
    uses: command
    with:
      argv: [./judge, verify]
      parse: {as: json, from: stdout, schema: {type: object, required: [max_error], properties: {max_error: {type: number}}}}
    timeout: 1m
  race:
    needs: [correct]
    uses: compare
    with:
      baseline: {argv: [./judge, run, old]}
      candidate: {argv: [./judge, run, new]}
      metric: {value: wall_time, better: lower}
      pairs: 30
    timeout: 5m
gates:
  correct: {assert: steps.check.result.max_error <= 1.0e-6, on_fail: incorrect}
  faster: {compare: steps.race, want: [better], threshold: 1%}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
