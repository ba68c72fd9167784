use crate::context::Cx;
use crate::flow::{self, is_kind, step_of};
use crate::measured::measurements;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Severity};
use assay_manifest::{ManifestKind, Step};
use assay_plan::{ManifestPlan, NodeId, visit_output};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "unchecked-result",
    family: Family::Evidence,
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    finds: "A measurement that nothing judges.",
    why: "\
A comparison or a benchmark that no gate reads, directly or through later steps, passes whatever it measured: a server that
became ten times slower is a passed run. State what is expected of it: `want` of a comparison, an SLA, a sanity bound.

A benchmark is a step that reads a throughput, a latency or another speed out of its program's output. In a `Skill` a result that
an output hands on is left alone, because its caller can judge it; a `Workflow` has no caller who must.",
    bad: "\
steps:
  bench:
    uses: command
    with:
      argv: [bench]
      parse: {as: json, schema: {type: object, required: [ttft_ms], properties: {ttft_ms: {type: number}}}}
    timeout: 5m
",
    good: "\
steps:
  bench:
    uses: command
    with:
      argv: [bench]
      parse: {as: json, schema: {type: object, required: [ttft_ms, success_rate], properties: {ttft_ms: {type: number}, success_rate: {type: number}}}}
    timeout: 5m
gates:
  sla: {assert: steps.bench.result.ttft_ms <= 1500 and steps.bench.result.success_rate >= 0.99}
",
    fixes: Fixes::None,
    check: Check::Plan(check),
};

fn check(_: &Cx<'_>, plan: &ManifestPlan, found: &mut Found<'_>) {
    for step in unjudged(plan) {
        let id = &step.id.value;
        let help = match is_kind(step, "compare") {
            true => {
                format!("add a gate such as `faster: {{compare: steps.{id}, want: [better], threshold: 1%}}`")
            }
            false => {
                format!("add a gate that reads `steps.{id}.result`, or an output that hands it to a caller")
            }
        };
        let message = format!("nothing judges what `{id}` measures");
        found.push(found.at(step.id.span, message, "measured, and never judged").help(help));
    }
}

/// The measurements that this rule finds; `unused-result` is silent about them.
pub(in crate::rules) fn unjudged(plan: &ManifestPlan) -> Vec<&Step> {
    let mut ends: Vec<NodeId> = flow::gates(plan).map(|(node, _)| node).collect();
    if plan.manifest.kind == ManifestKind::Skill {
        for output in &plan.manifest.outputs {
            visit_output(output, &mut |reference, _| {
                ends.extend(step_of(plan, reference).map(|(node, _)| node))
            });
        }
    }
    let judged = flow::before(plan, &ends);
    ends.sort_unstable();
    let is_unjudged = |step: &&Step| {
        let node = plan.by_id.get(&step.id.value);
        node.is_some_and(|node| !judged[*node as usize] && ends.binary_search(node).is_err())
    };
    measurements(&plan.manifest).filter(is_unjudged).collect()
}
