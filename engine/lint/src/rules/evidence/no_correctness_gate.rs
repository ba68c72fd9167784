use crate::context::Cx;
use crate::flow::{self, compared, has_effect, is_kind, step_of};
use crate::measured::{compares_speed, last_name, measures_speed, reads_correctness, reads_speed};
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::Span;
use assay_diagnostics::{Confidence, Severity};
use assay_manifest::expr::{Claim, Reference};
use assay_manifest::{Demand, ExprAt, Gate, OnFail, Step, Uses};
use assay_plan::{ManifestPlan, NodeId};
use assay_protocol::Outcome;
use std::collections::HashSet;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "no-correctness-gate",
    family: Family::Evidence,
    severity: Severity::Warning,
    confidence: Confidence::High,
    finds: "A gate about speed that no gate about correctness comes before.",
    why: "\
A candidate that computes the wrong thing, or nothing, is often the fastest. Correctness outranks speed: what is not right is
not worth timing. AMD GEAK issue 254 tells of cheating patches with \"speed-ups\" above 100 times.

Speed gates are compare gates, and assertions about a duration, a throughput or a ratio. A correctness gate is one with
`on_fail: incorrect`, or one that asserts an accuracy, an error or a count of defects; it comes before when the speed gate, or
a step above it, needs it. A call counts whose callee has such a gate. A comparison of a program with itself has no candidate
and is left alone. The `duration_s` of a step that measures nothing, such as
a build, is a budget and no speed. A benchmark that changes nothing, such as a capacity search, may ignore this rule with that reason.",
    bad: "\
steps:
  race:
    uses: compare
    with:
      baseline: {argv: [\"{{ skill.dir }}/old\"]}
      candidate: {argv: [\"{{ skill.dir }}/new\"]}
      metric: {value: wall_time, better: lower}
    timeout: 30m
gates:
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

const HELP: &str = "add a gate such as `correct: {assert: steps.check.result.max_error <= 1.0e-6, on_fail: \
                    incorrect}`, and name it in the `needs` of what is timed";

fn check(cx: &Cx<'_>, plan: &ManifestPlan, found: &mut Found<'_>) {
    let judges = |node: NodeId| match (plan.gate(node), plan.step(node)) {
        (Some(gate), _) => judges_correctness(plan, gate),
        (_, Some(step)) => step.on_fail != OnFail::Warn && calls_a_judge(plan, step),
        _ => false,
    };
    let judges: Vec<NodeId> = (0..plan.nodes.len() as NodeId).filter(|node| judges(*node)).collect();
    let after = flow::after(plan, &judges);
    let same = same_sides(cx, plan);
    let late = judges.iter().find_map(|node| plan.gate(*node));
    for (node, gate) in flow::gates(plan) {
        if after[node as usize] || judges.binary_search(&node).is_ok() {
            continue;
        }
        let Some((span, label, confidence)) = speed(plan, gate, &same) else { continue };
        let id = &gate.id.value;
        let mut finding = found
            .at(span, format!("gate `{id}` judges speed, and nothing before it judges correctness"), label)
            .help(HELP);
        if let Some(late) = late {
            finding = finding.also(late.id.span, "judges correctness, but nothing waits for it");
        }
        finding.confidence = confidence;
        found.push(finding);
    }
}

/// Comparisons of which both sides are the same text: they measure noise, and there is no candidate.
fn same_sides<'a>(cx: &Cx<'_>, plan: &'a ManifestPlan) -> HashSet<&'a str> {
    let same = |step: &&Step| match (step.with.get("baseline"), step.with.get("candidate")) {
        (Some(one), Some(other)) => cx.slice(one.span) == cx.slice(other.span),
        _ => false,
    };
    let compares = plan.manifest.steps.iter().filter(|step| is_kind(step, "compare"));
    compares.filter(same).map(|step| step.id.value.as_str()).collect()
}

/// Where and how surely a gate judges speed.
fn speed(plan: &ManifestPlan, gate: &Gate, same: &HashSet<&str>) -> Option<(Span, &'static str, Confidence)> {
    match &gate.demand {
        Demand::Compare { step, .. } => {
            let of = compared(plan, gate).filter(|of| compares_speed(of))?;
            (!same.contains(of.id.value.as_str())).then_some((
                step.span,
                "a verdict about speed",
                Confidence::High,
            ))
        }
        Demand::Assert(expr) => asserted_speed(plan, expr)
            .map(|reference| (reference.place_in(expr.span), "a measured speed", Confidence::Medium)),
    }
}

fn asserted_speed<'a>(plan: &ManifestPlan, expr: &'a ExprAt) -> Option<&'a Reference> {
    let of_comparison = |reference: &Reference| {
        step_of(plan, reference).is_some_and(|(_, step)| compares_speed(step) && reference.path.len() > 1)
    };
    expr.expr.claims().iter().find_map(|claim| {
        let Claim::Compared { left, right, .. } = claim else { return None };
        left.refs.iter().chain(right.refs).find(|reference| {
            reads_speed(reference) && !is_budget(plan, reference) || of_comparison(reference)
        })
    })
}

/// Whether it reads how long a step took that measures nothing: a limit on a build is no claim about a candidate.
fn is_budget(plan: &ManifestPlan, reference: &Reference) -> bool {
    reference.path.len() == 2
        && last_name(reference) == Some("duration_s")
        && step_of(plan, reference).is_some_and(|(_, step)| !measures_speed(step))
}

fn judges_correctness(plan: &ManifestPlan, gate: &Gate) -> bool {
    let Demand::Assert(expr) = &gate.demand else { return false };
    let refs = expr.expr.refs();
    let judged = |reference: &Reference| {
        reads_correctness(reference)
            // The status of a call is the verdict of its gates.
            || step_of(plan, reference).is_some_and(|(_, step)| calls_a_judge(plan, step))
                && last_name(reference) == Some("status")
    };
    has_effect(gate) && (gate.on_fail == Outcome::Incorrect && !refs.is_empty() || refs.iter().any(judged))
}

fn calls_a_judge(plan: &ManifestPlan, step: &Step) -> bool {
    let Uses::Call(name) = &step.uses.value else { return false };
    plan.callees.get(name).is_some_and(|callee| holds_a_judge(callee, &mut HashSet::new()))
}

fn holds_a_judge<'a>(plan: &'a ManifestPlan, seen: &mut HashSet<&'a str>) -> bool {
    seen.insert(&plan.manifest.origin.file)
        && (plan.manifest.gates.iter().any(|gate| judges_correctness(plan, gate))
            || plan.callees.values().any(|callee| holds_a_judge(callee, seen)))
}
