use crate::context::Cx;
use crate::flow::{self, is_kind, step_id};
use crate::measured::reads_correctness;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Severity};
use assay_manifest::Demand;
use assay_plan::ManifestPlan;
use assay_protocol::{Outcome, Status};
use std::collections::HashMap;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "retried-measurement",
    family: Family::Evidence,
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    finds: "A comparison, or a check of correctness, that is repeated until it passes.",
    why: "\
With `retry` a judge that fails one time in two passes in the end, and the failures are only attempts in the record. A candidate that is
sometimes wrong is wrong. For a comparison a retry hides that one of the sides crashed.

Found are `retry` on a comparison and on a step that a correctness gate reads, if it repeats after `failed`, which is the default. A retry
`when_status: [environment]` is left alone: it is about the host, not about the candidate.",
    bad: "\
preflight:
  idle: {check: load, with: {max_per_core: 0.7}}
steps:
  freeze:
    uses: baseline
    with: {files: [\"{{ skill.dir }}/old\", \"{{ skill.dir }}/judge\"]}
  check:
    uses: command
    with:
      argv: [\"{{ skill.dir }}/judge\", \"{{ skill.dir }}/new\"]
      parse: {as: json, from: stdout, schema: {type: object, required: [max_error], properties: {max_error: {type: number}}}}
    timeout: 5m
  race:
    uses: compare
    needs: [correct, freeze]
    retry: {max: 2}
    with:
      baseline: {argv: [\"{{ skill.dir }}/old\"]}
      candidate: {argv: [\"{{ skill.dir }}/new\"]}
      metric: {value: wall_time, better: lower}
    timeout: 30m
gates:
  correct: {assert: steps.check.result.max_error <= 1.0e-6, on_fail: incorrect}
  faster: {compare: steps.race, want: [better], threshold: 1%}
",
    good: "\
preflight:
  idle: {check: load, with: {max_per_core: 0.7}}
steps:
  freeze:
    uses: baseline
    with: {files: [\"{{ skill.dir }}/old\", \"{{ skill.dir }}/judge\"]}
  check:
    uses: command
    with:
      argv: [\"{{ skill.dir }}/judge\", \"{{ skill.dir }}/new\"]
      parse: {as: json, from: stdout, schema: {type: object, required: [max_error], properties: {max_error: {type: number}}}}
    timeout: 5m
  race:
    uses: compare
    needs: [correct, freeze]
    retry: {max: 2, when_status: [environment]}
    with:
      baseline: {argv: [\"{{ skill.dir }}/old\"]}
      candidate: {argv: [\"{{ skill.dir }}/new\"]}
      metric: {value: wall_time, better: lower}
    timeout: 30m
gates:
  correct: {assert: steps.check.result.max_error <= 1.0e-6, on_fail: incorrect}
  faster: {compare: steps.race, want: [better], threshold: 1%}
",
    fixes: Fixes::None,
    check: Check::Plan(check),
};

fn check(cx: &Cx<'_>, plan: &ManifestPlan, found: &mut Found<'_>) {
    let mut read = HashMap::new();
    for (_, gate) in flow::gates(plan) {
        let Demand::Assert(expr) = &gate.demand else { continue };
        for reference in expr.expr.refs() {
            if let Some(id) = step_id(reference)
                && (gate.on_fail == Outcome::Incorrect || reads_correctness(reference))
            {
                read.entry(id).or_insert(reference.place_in(expr.span));
            }
        }
    }
    for step in &plan.manifest.steps {
        let repeats = step
            .retry
            .as_ref()
            .is_some_and(|retry| retry.max > 0 && retry.when_status.contains(&Status::Failed));
        let id = &step.id.value;
        let judged = read.get(id.as_str());
        if !repeats || !(is_kind(step, "compare") || judged.is_some()) {
            continue;
        }
        let mut finding = found
            .at(
                cx.key_span(&["steps", id, "retry"]),
                format!("`{id}` is repeated until it passes"),
                "failures become attempts",
            )
            .help("remove `retry`, or repeat only what the host did: `when_status: [environment]`");
        if let Some(gate) = judged {
            finding = finding.also(*gate, "a gate about correctness reads it");
        }
        found.push(finding);
    }
}
