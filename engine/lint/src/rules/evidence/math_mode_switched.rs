use crate::commands::Command;
use crate::context::Cx;
use crate::flow::step_id;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use crate::settings::{Setting, Settings, math_mode};
use crate::sides::{Side, pairs};
use assay_diagnostics::Span;
use assay_diagnostics::{Confidence, Severity};
use assay_manifest::Step;
use assay_plan::{ManifestPlan, visit_step};
use std::collections::{HashMap, HashSet};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "math-mode-switched",
    family: Family::Evidence,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "One side of a comparison computes with less exact mathematics than the other.",
    why: "\
`-ffast-math`, `-Ofast`, `--use_fast_math`, TF32 and FP8 change the results, and most of the speed that they give has nothing to
do with the candidate's code. A comparison with such a mode on one side only measures the flag. If the mode itself is what you
judge, say so and ignore the rule with that reason.

Looked at are the commands of both sides, the steps of which only one side reads something (builds, servers), and aligned
`foreach` lists in which some values have such a flag and some have not.",
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
  build_old:
    uses: command
    with: {argv: [cc, -O2, -o, \"{{ run.scratch }}/old\", \"{{ skill.dir }}/old.c\"]}
    files: {bin: \"{{ run.scratch }}/old\"}
    timeout: 2m
  build_new:
    uses: command
    with: {argv: [cc, -O2, -ffast-math, -o, \"{{ run.scratch }}/new\", \"{{ skill.dir }}/new.c\"]}
    files: {bin: \"{{ run.scratch }}/new\"}
    timeout: 2m
  race:
    uses: compare
    needs: [correct, freeze]
    with:
      baseline: {argv: [\"{{ steps.build_old.files.bin.path }}\"]}
      candidate: {argv: [\"{{ steps.build_new.files.bin.path }}\"]}
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
    with: {files: [\"{{ skill.dir }}/old.c\", \"{{ skill.dir }}/judge\"]}
  check:
    uses: command
    with:
      argv: [\"{{ skill.dir }}/judge\", \"{{ skill.dir }}/new\"]
      parse: {as: json, from: stdout, schema: {type: object, required: [max_error], properties: {max_error: {type: number}}}}
    timeout: 5m
  build_old:
    uses: command
    with: {argv: [cc, -O2, -o, \"{{ run.scratch }}/old\", \"{{ skill.dir }}/old.c\"]}
    files: {bin: \"{{ run.scratch }}/old\"}
    timeout: 2m
  build_new:
    uses: command
    with: {argv: [cc, -O2, -o, \"{{ run.scratch }}/new\", \"{{ skill.dir }}/new.c\"]}
    files: {bin: \"{{ run.scratch }}/new\"}
    timeout: 2m
  race:
    uses: compare
    needs: [correct, freeze]
    with:
      baseline: {argv: [\"{{ steps.build_old.files.bin.path }}\"]}
      candidate: {argv: [\"{{ steps.build_new.files.bin.path }}\"]}
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
    let pairs = pairs(cx);
    if !pairs.is_empty() {
        let mut by_step: HashMap<&str, Vec<&Command<'_>>> = HashMap::new();
        for command in cx.commands() {
            by_step.entry(command.owner.id().value.as_str()).or_default().push(command);
        }
        for pair in &pairs {
            let (before, after) = (read_by(&pair.baseline), read_by(&pair.candidate));
            let modes = |side: &Side<'_, '_>, own: &HashSet<&str>, other: &HashSet<&str>| {
                let mut modes = side.settings().0;
                for id in own.difference(other) {
                    modes.extend(of_step(plan.step_called(id), by_step.get(id)));
                }
                modes.retain(|setting| math_mode(setting).is_some());
                modes.sort_by_key(|setting| setting.span.start);
                modes
            };
            let (old, new) =
                (modes(&pair.baseline, &before, &after), modes(&pair.candidate, &after, &before));
            let id = &pair.step.id.value;
            one_sided(id, &new, &old, "candidate", &|| pair.baseline.name_span(cx), found);
            one_sided(id, &old, &new, "baseline", &|| pair.candidate.name_span(cx), found);
        }
    }
    plan.manifest.steps.iter().for_each(|step| listed(cx, step, found));
}

fn one_sided(
    id: &str,
    has: &[Setting],
    lacks: &[Setting],
    side: &str,
    other: &dyn Fn() -> Span,
    found: &mut Found<'_>,
) {
    let mut said = HashSet::new();
    let first = has.iter().filter(|one| said.insert((&one.name, &one.value)));
    for setting in
        first.filter(|one| !lacks.iter().any(|other| other.name == one.name && other.value == one.value))
    {
        let text = if setting.value.is_empty() {
            setting.name.clone()
        } else {
            format!("{} {}", setting.name, setting.value)
        };
        let effect = math_mode(setting).unwrap_or_default();
        found.push(
            found
                .at(setting.span, format!("only the {side} of `{id}` has `{text}`"), effect)
                .also(other(), format!("has no `{text}`"))
                .help("give both sides the same mode, or compare the mode itself with one program on both sides"),
        );
    }
}

/// Ids of the steps that a side reads.
fn read_by<'a>(side: &Side<'_, 'a>) -> HashSet<&'a str> {
    let mut ids: HashSet<&str> = side.step.iter().map(|step| step.id.value.as_str()).collect();
    side.config.visit_refs(&mut |reference, _| ids.extend(step_id(reference)));
    if let Some(step) = side.step {
        visit_step(step, &mut |reference, _| ids.extend(step_id(reference)));
    }
    ids
}

fn of_step(step: Option<&Step>, commands: Option<&Vec<&Command<'_>>>) -> Vec<Setting> {
    let mut out: Vec<Setting> =
        commands.into_iter().flatten().flat_map(|command| Settings::of(command).list).collect();
    for (name, text) in step.iter().flat_map(|step| &step.env) {
        let value = text.template.source().to_owned();
        out.push(Setting { name: name.clone(), value, span: text.span, open: false, variable: true });
    }
    out
}

/// `foreach: {name: [baseline, candidate], flags: [-O2, -Ofast]}`
fn listed(cx: &Cx<'_>, step: &Step, found: &mut Found<'_>) {
    let Some(foreach) = step.foreach.as_ref().filter(|foreach| !foreach.product && foreach.lists.len() > 1)
    else {
        return;
    };
    for (name, list) in &foreach.lists {
        let Some(items) = cx.node_at(list.span).and_then(|node| node.as_sequence()) else { continue };
        let mode = |text: &str| {
            text.split_whitespace().find_map(|word| {
                let (name, value) = word.split_once('=').unwrap_or((word, ""));
                let setting = Setting {
                    name: name.to_owned(),
                    value: value.to_owned(),
                    span: list.span,
                    open: false,
                    variable: false,
                };
                word.starts_with('-').then(|| math_mode(&setting)).flatten()
            })
        };
        let of = |node: &assay_yaml::Node| match node.as_sequence() {
            Some(inner) => inner.iter().filter_map(|one| one.as_str()).find_map(mode),
            None => node.as_str().and_then(mode),
        };
        let with: Vec<_> = items.iter().filter_map(|node| Some((node.span, of(node)?))).collect();
        if let Some((span, effect)) = with.first().filter(|_| with.len() < items.len()) {
            let message = format!("only some instances of `{}` are built with this mode", step.id.value);
            found.push(
                found
                    .at(*span, message, *effect)
                    .also(name.span, "the other values have not")
                    .help("give every instance the same mode"),
            );
        }
    }
}
