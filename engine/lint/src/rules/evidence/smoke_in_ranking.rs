use crate::context::Cx;
use crate::flow::{self, is_kind, step_of};
use crate::measured::{is_smoke, literal, measures_speed, names, reads_end, reads_speed};
use crate::rule::{Check, Family, Fixes, Found, Rule};
use crate::settings::number;
use assay_diagnostics::Span;
use assay_diagnostics::{Confidence, Severity};
use assay_manifest::expr::Reference;
use assay_manifest::{OutputKind, Step, Uses};
use assay_plan::{ManifestPlan, NodeId, visit_gate, visit_output, visit_step};
use std::collections::HashMap;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "smoke-in-ranking",
    family: Family::Evidence,
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    finds: "A trial run whose result is compared, ranked or judged for speed.",
    why: "\
A run of a few requests shows that the chain works: server, client, parser. Its numbers are start-up effects. It must be
labelled as a trial and never enter a comparison, a speed gate or a table of results.

A trial is a step that says `smoke` in its id, or one that is told to send at most 20 prompts (`--num-prompts 8`, or `num_prompts` of
a call); 5 to 20 is what such runs use in practice. Its result is followed through the steps that read it. A step that
measures no speed, such as a profile of a few requests, is left alone.",
    bad: "\
steps:
  bench:
    uses: command
    with:
      argv: [bench, --num-prompts, \"8\"]
      parse: {as: json, schema: {type: object, required: [ttft_ms, accuracy], properties: {ttft_ms: {type: number}, accuracy: {type: number}}}}
    timeout: 5m
gates:
  sla: {assert: steps.bench.result.accuracy > 0.8 and steps.bench.result.ttft_ms <= 1500}
",
    good: "\
steps:
  bench:
    uses: command
    with:
      argv: [bench, --num-prompts, \"80\"]
      parse: {as: json, schema: {type: object, required: [ttft_ms, accuracy], properties: {ttft_ms: {type: number}, accuracy: {type: number}}}}
    timeout: 5m
gates:
  sla: {assert: steps.bench.result.accuracy > 0.8 and steps.bench.result.ttft_ms <= 1500}
",
    fixes: Fixes::None,
    check: Check::Plan(check),
};

/// Prompts up to which a run only shows that the chain works.
const MOST: f64 = 20.0;
const OPTIONS: &[&str] = &["--num-prompts", "--num_prompts", "--num-prompt"];

fn check(cx: &Cx<'_>, plan: &ManifestPlan, found: &mut Found<'_>) {
    let mut trials = trials(cx, plan);
    if trials.is_empty() {
        return;
    }
    spread(plan, &mut trials);
    let cause = |reference: &Reference| {
        let (node, _) = step_of(plan, reference).filter(|_| reads_result(reference))?;
        trials.get(&node).copied()
    };
    let mut report = |node: NodeId, span: Span, cause: Span, what: &str| {
        let message = format!("{what} takes a number from `{}`, a trial run", plan.id(node));
        found.push(
            found
                .at(span, message, "a number that only shows that the chain works")
                .also(cause, "a trial")
                .help("measure with the real workload in a step of its own, and read that one"),
        );
    };
    for step in plan.manifest.steps.iter().filter(|step| is_kind(step, "compare")) {
        let mut first = None;
        visit_step(step, &mut |reference, span| {
            first = first.or(cause(reference).map(|cause| (span, cause)))
        });
        if let Some((span, (node, cause))) = first {
            report(node, span, cause, &format!("comparison `{}`", step.id.value));
        }
    }
    for (_, gate) in flow::gates(plan) {
        let mut first = None;
        visit_gate(gate, &mut |reference, span| {
            let speed = reads_speed(reference);
            first = first.or(cause(reference).filter(|_| speed).map(|cause| (span, cause)));
        });
        if let Some((span, (node, cause))) = first {
            report(node, span, cause, &format!("gate `{}`", gate.id.value));
        }
    }
    for output in
        plan.manifest.outputs.iter().filter(|output| matches!(output.kind, OutputKind::Table { .. }))
    {
        let mut first = None;
        visit_output(output, &mut |reference, span| {
            first = first.or(cause(reference).map(|cause| (span, cause)))
        });
        if let Some((span, (node, cause))) = first {
            report(node, span, cause, &format!("table `{}`", output.name.value));
        }
    }
}

/// Steps that say they are trials, with the place where they say it.
fn trials(cx: &Cx<'_>, plan: &ManifestPlan) -> HashMap<NodeId, (NodeId, Span)> {
    let mut trials = HashMap::new();
    // What tells no speed, such as a profile of a few requests, cannot enter a ranking by it.
    let may_rank = |step: &Step| {
        !is_kind(step, "compare") && (measures_speed(step) || matches!(step.uses.value, Uses::Call(_)))
    };
    let mut add = |step: &Step, span: Span| {
        if let Some(node) = plan.by_id.get(&step.id.value).filter(|_| may_rank(step)) {
            trials.entry(*node).or_insert((*node, span));
        }
    };
    for step in &plan.manifest.steps {
        let prompts = literal(&step.with, &["num_prompts"]).and_then(assay_protocol::Value::as_f64);
        if is_smoke(&step.id.value) {
            add(step, step.id.span);
        } else if prompts.is_some_and(|prompts| prompts <= MOST) {
            add(step, step.with.get("num_prompts").map_or(step.id.span, |config| config.span));
        }
    }
    for command in cx.commands() {
        let Some(step) = command.owner.step() else { continue };
        let word = OPTIONS.iter().find_map(|name| command.option(name)).filter(|word| !word.open);
        if let Some(word) = word
            && number(word.text.rsplit('=').next().unwrap_or_default()).is_some_and(|prompts| prompts <= MOST)
        {
            add(step, word.span);
        }
    }
    trials
}

/// A result, not an end and not a place.
fn reads_result(reference: &Reference) -> bool {
    !reads_end(reference) && !names(reference).skip(1).any(|name| matches!(name, "url" | "port" | "host"))
}

/// Adds every step that reads the result of a trial.
fn spread(plan: &ManifestPlan, trials: &mut HashMap<NodeId, (NodeId, Span)>) {
    let mut readers: HashMap<NodeId, Vec<NodeId>> = HashMap::new();
    for step in &plan.manifest.steps {
        let Some(own) = plan.by_id.get(&step.id.value) else { continue };
        visit_step(step, &mut |reference, _| {
            if let Some((node, _)) = step_of(plan, reference).filter(|_| reads_result(reference)) {
                readers.entry(node).or_default().push(*own);
            }
        });
    }
    let mut stack: Vec<(NodeId, (NodeId, Span))> =
        trials.iter().map(|(node, cause)| (*node, *cause)).collect();
    stack.sort_unstable_by_key(|(node, _)| std::cmp::Reverse(*node));
    while let Some((node, cause)) = stack.pop() {
        for reader in readers.get(&node).into_iter().flatten() {
            if let std::collections::hash_map::Entry::Vacant(entry) = trials.entry(*reader) {
                entry.insert(cause);
                stack.push((*reader, cause));
            }
        }
    }
}
