use crate::context::Cx;
use crate::flow::{self, is_kind};
use crate::measured::{is_amount, is_smoke, measurements, measures_speed};
use crate::rule::{Check, Family, Fixes, Found, Rule};
use crate::settings::{Setting, Settings, is_less};
use crate::sides::{Difference, differences, pairs};
use assay_diagnostics::Span;
use assay_diagnostics::{Confidence, Severity};
use assay_manifest::{Config, ConfigKind, Step};
use assay_plan::{ManifestPlan, NodeId};
use assay_protocol::Value;
use std::collections::{HashMap, HashSet};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "workload-narrowed",
    family: Family::Evidence,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A candidate that is measured with less work than the baseline.",
    why: "\
Fewer prompts, smaller shapes or a shorter list make a candidate look faster without any change to it: the most common way in
which a \"speed-up\" is none. What a baseline was measured with is what the candidate is measured with.

Three places are looked at. The two sides of a comparison: the same option with a smaller number, or with a part of the
list. The `values` that a baseline step froze: an option or an input of the same name, in a step after it, with less. And two
`foreach` lists of measuring steps over the same workload name, of which one is a proper part of the other (a warning, with
medium confidence). Steps that say `smoke`, `warm`, `profil`, `trace`, `capture` or `tune` are left alone: they are no results.",
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
    with:
      baseline: {argv: [\"{{ skill.dir }}/old\", --num-prompts, \"80\"]}
      candidate: {argv: [\"{{ skill.dir }}/new\", --num-prompts, \"40\"]}
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
    with:
      baseline: {argv: [\"{{ skill.dir }}/old\", --num-prompts, \"80\"]}
      candidate: {argv: [\"{{ skill.dir }}/new\", --num-prompts, \"80\"]}
      metric: {value: wall_time, better: lower}
    timeout: 30m
gates:
  correct: {assert: steps.check.result.max_error <= 1.0e-6, on_fail: incorrect}
  faster: {compare: steps.race, want: [better], threshold: 1%}
",
    fixes: Fixes::None,
    check: Check::Plan(check),
};

const HELP: &str = "measure both with the same work; if less is enough, use less on both sides";

fn check(cx: &Cx<'_>, plan: &ManifestPlan, found: &mut Found<'_>) {
    let mut reported = HashSet::new();
    for pair in pairs(cx) {
        let ((before, _), (after, _)) = (pair.baseline.settings(), pair.candidate.settings());
        for difference in differences(&before, &after) {
            if let Difference::Changed(before, after) = difference
                && !(before.open || after.open)
                && is_amount(&after.name)
                && is_less(&before.value, &after.value)
            {
                let id = &pair.step.id.value;
                reported.insert(after.span);
                let message = format!(
                    "the candidate of `{id}` has less work: `{}` is {}, not {}",
                    after.name, after.value, before.value
                );
                found.push(
                    found
                        .at(after.span, message, "less than the baseline")
                        .also(before.span, "the baseline's work")
                        .help(HELP),
                );
            }
        }
    }
    frozen(cx, plan, &reported, found);
    lists(plan, found);
}

/// A step that is not meant to be a result.
fn is_trial(step: &Step) -> bool {
    let id = &step.id.value;
    is_smoke(id) || ["warm", "profil", "trace", "capture", "tune"].iter().any(|word| id.contains(word))
}

fn key(name: &str) -> String {
    name.trim_start_matches('-').replace('-', "_").to_ascii_lowercase()
}

/// Steps behind a baseline step against what it froze.
fn frozen(cx: &Cx<'_>, plan: &ManifestPlan, reported: &HashSet<Span>, found: &mut Found<'_>) {
    let baselines = plan.manifest.steps.iter().filter(|step| is_kind(step, "baseline"));
    let mut values: HashMap<String, (String, Span)> = HashMap::new();
    let mut nodes: Vec<NodeId> = Vec::new();
    for step in baselines {
        let Some(ConfigKind::Map(entries)) = step.with.get("values").map(|values| &values.kind) else {
            continue;
        };
        for (name, value) in entries.iter().filter(|(name, _)| is_amount(name)) {
            if let Some(text) = value.literal().and_then(shown) {
                values.entry(key(name)).or_insert((text, value.span));
            }
        }
        nodes.extend(plan.by_id.get(&step.id.value));
    }
    if values.is_empty() {
        return;
    }
    let after = flow::after(plan, &nodes);
    let late = |step: &Step| {
        plan.by_id.get(&step.id.value).is_some_and(|node| after[*node as usize]) && !is_trial(step)
    };
    let mut report = |setting: &Setting| {
        let Some((before, at)) = values.get(&key(&setting.name)) else { return };
        if !setting.open && is_less(before, &setting.value) && !reported.contains(&setting.span) {
            let message =
                format!("`{}` is {}, but the baseline was frozen with {before}", setting.name, setting.value);
            found.push(
                found
                    .at(setting.span, message, "less than what was frozen")
                    .also(*at, "frozen here")
                    .help(HELP),
            );
        }
    };
    for command in cx.commands() {
        if command.owner.step().is_some_and(|step| late(step) && measures_speed(step)) {
            Settings::of(command).list.iter().for_each(&mut report);
        }
    }
    for step in plan.manifest.steps.iter().filter(|step| late(step)) {
        let ConfigKind::Map(entries) = &step.with.kind else { continue };
        for (name, value) in entries {
            if let Some(text) = value.literal().and_then(shown) {
                report(&Setting {
                    name: name.to_string(),
                    value: text,
                    span: value.span,
                    open: false,
                    variable: false,
                });
            }
        }
    }
}

/// A number, a text, or a list of them as text.
fn shown(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        Value::Array(items) if !items.is_empty() => {
            items.iter().map(shown).collect::<Option<Vec<_>>>().map(|items| items.join(","))
        }
        _ => None,
    }
}

/// `foreach` lists over the same name.
fn lists(plan: &ManifestPlan, found: &mut Found<'_>) {
    let mut widest: HashMap<&str, Vec<(&Step, &Config, String)>> = HashMap::new();
    // A check may well go through more than what is timed.
    for step in measurements(&plan.manifest).filter(|step| !is_trial(step)) {
        for (name, list) in step.foreach.iter().flat_map(|foreach| &foreach.lists) {
            if let Some(text) = list.literal().and_then(shown).filter(|_| is_amount(&name.value)) {
                widest.entry(&name.value).or_default().push((step, list, text));
            }
        }
    }
    for (name, lists) in widest {
        let Some(wide) = lists
            .iter()
            .max_by_key(|(_, list, _)| list.literal().and_then(Value::as_array).map_or(0, Vec::len))
        else {
            continue;
        };
        for (step, list, text) in &lists {
            let elements = |text: &str| text.contains(',');
            if elements(&wide.2) && text != &wide.2 && is_less(&wide.2, text) {
                let message = format!(
                    "step `{}` leaves out some of what `{}` goes through",
                    step.id.value, wide.0.id.value
                );
                let mut finding = found
                    .at(list.span, message, format!("fewer values of `{name}`"))
                    .also(wide.1.span, "all of them")
                    .help("go through the same list; an input that both read keeps them equal");
                finding.confidence = Confidence::Medium;
                found.push(found.at_most(Severity::Warning, finding));
            }
        }
    }
}
