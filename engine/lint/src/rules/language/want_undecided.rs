use crate::rule::{Check, Family, Fixes, Rule};
use assay_diagnostics::{Confidence, Severity};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "want-undecided",
    family: Family::Language,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A compare gate that wants `undecided`.",
    why: "\
Undecided means that the measurement is not good enough to tell. Such a gate ends as `inconclusive`; wanting it would
turn a bad measurement into a pass. Want `tie` where an equal speed is enough.",
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
  faster: {compare: steps.race, want: [better, undecided], threshold: 1%}
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
  no_slower: {compare: steps.race, want: [better, tie], threshold: 1%}
",
    fixes: Fixes::None,
    check: Check::FrontEnd,
};
