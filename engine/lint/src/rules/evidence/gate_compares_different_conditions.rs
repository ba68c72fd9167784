use crate::context::Cx;
use crate::measured::{is_amount, is_condition};
use crate::rule::{Check, Family, Fixes, Found, Rule};
use crate::settings::{Setting, is_less, math_mode};
use crate::sides::{Difference, Pair, differences, pairs};
use assay_diagnostics::{Confidence, Severity};
use assay_manifest::Manifest;
use std::collections::HashSet;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "gate-compares-different-conditions",
    family: Family::Evidence,
    severity: Severity::Warning,
    confidence: Confidence::High,
    finds: "A comparison of which the two sides differ in more than what is compared.",
    why: "\
A ratio between two programs that did different work says nothing about the programs. Both sides must have the same shapes,
request rates, seeds, warm-ups, threads and devices; only the artifact may differ.

Options and variables of both sides are put beside each other by name, also where the sides are samples that two steps
measured. A difference in one that decides how much or what is measured (`--seq-len`, `--seed`, `OMP_NUM_THREADS`) is always
reported. Any other literal difference may be what is compared, so it is reported, with low confidence, only where the
artifact differs as well. Less work on the candidate's side is `workload-narrowed`, another way to compute is
`math-mode-switched`.",
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
      baseline: {argv: [\"{{ skill.dir }}/old\", --seed, \"1\"]}
      candidate: {argv: [\"{{ skill.dir }}/new\", --seed, \"2\"]}
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
      baseline: {argv: [\"{{ skill.dir }}/old\", --seed, \"1\"]}
      candidate: {argv: [\"{{ skill.dir }}/new\", --seed, \"1\"]}
      metric: {value: wall_time, better: lower}
    timeout: 30m
gates:
  correct: {assert: steps.check.result.max_error <= 1.0e-6, on_fail: incorrect}
  faster: {compare: steps.race, want: [better], threshold: 1%}
",
    fixes: Fixes::None,
    check: Check::Manifest(check),
};

/// Options that say what is compared, or where results go: they may differ.
const FREE: &[&str] = &[
    "artifact",
    "backend",
    "binary",
    "candidate",
    "file",
    "host",
    "impl",
    "implementation",
    "kernel",
    "label",
    "lib",
    "library",
    "log",
    "model",
    "module",
    "name",
    "out",
    "output",
    "path",
    "port",
    "program",
    "run-name",
    "save",
    "so",
    "tag",
    "target",
    "url",
    "variant",
];

/// Variables that decide where a program runs and with how many threads.
const PLACES: &[&str] = &["THREADS", "VISIBLE_DEVICES", "AFFINITY", "NUMA"];

fn check(cx: &Cx<'_>, _: &Manifest, found: &mut Found<'_>) {
    for pair in pairs(cx) {
        // Other numbers of commands are other procedures; which belongs to which cannot be told.
        if pair.baseline.commands.len() == pair.candidate.commands.len() && !pair.baseline.commands.is_empty()
        {
            compare(cx, &pair, found);
        }
    }
}

fn compare(cx: &Cx<'_>, pair: &Pair<'_, '_>, found: &mut Found<'_>) {
    let ((before, plain_before), (after, plain_after)) =
        (pair.baseline.settings(), pair.candidate.settings());
    let all = differences(&before, &after);
    let condition = |setting: &Setting| {
        is_condition(&setting.name)
            || setting.variable && PLACES.iter().any(|word| setting.name.to_ascii_uppercase().contains(word))
    };
    let artifacts = usize::from(plain_before != plain_after)
        + all.iter().filter(|difference| is_artifact(difference.shown())).count();
    let others = all.iter().filter(|difference| !is_artifact(difference.shown())).count();
    let mut said = HashSet::new();
    for difference in &all {
        let shown = difference.shown();
        if !said.insert(&shown.name) {
            continue;
        }
        let narrowed = matches!(difference, Difference::Changed(before, after)
            if is_amount(&after.name) && is_less(&before.value, &after.value));
        let sure = condition(shown);
        let alone = artifacts == 0 && others == 1;
        if narrowed || math_mode(shown).is_some() || !sure && (is_artifact(shown) || alone || shown.open) {
            continue;
        }
        report(cx, pair, difference, sure, found);
    }
    if let (Some(one), Some(other)) = (pair.baseline.step, pair.candidate.step)
        && let (Some(before), Some(after)) = (&one.cwd, &other.cwd)
        && before.template.source() != after.template.source()
        && artifacts > 0
    {
        let message = format!("the samples of `{}` are measured in different folders", pair.step.id.value);
        let mut finding = found
            .at(after.span, message, "the candidate's folder")
            .also(before.span, "the baseline's folder")
            .help("give both steps the same `cwd`, and name the artifact by its path");
        finding.confidence = Confidence::Low;
        found.push(finding);
    }
}

/// Whether a setting names an artifact or a place, by its name or its value.
fn is_artifact(setting: &Setting) -> bool {
    let name = setting.name.trim_start_matches('-').replace('_', "-").to_ascii_lowercase();
    let free = FREE.contains(&name.as_str()) || name.split('-').any(|word| FREE.contains(&word));
    let path = setting.value.contains('/') || setting.value.contains("://");
    !is_condition(&setting.name) && (free || path || setting.open && !setting.variable)
}

fn report(cx: &Cx<'_>, pair: &Pair<'_, '_>, difference: &Difference<'_>, sure: bool, found: &mut Found<'_>) {
    let name = &difference.shown().name;
    let id = &pair.step.id.value;
    let what = if difference.shown().variable { "variable" } else { "option" };
    let mut finding = match difference {
        Difference::Changed(before, after) => found
            .at(after.span, format!("the sides of `{id}` differ in `{name}`"), "the candidate's value")
            .also(before.span, "the baseline's value"),
        Difference::Added(after) => found
            .at(after.span, format!("only the candidate of `{id}` has `{name}`"), format!("this {what}"))
            .also(pair.baseline.name_span(cx), format!("has no `{name}`")),
        Difference::Lost(before) => found
            .at(before.span, format!("only the baseline of `{id}` has `{name}`"), format!("this {what}"))
            .also(pair.candidate.name_span(cx), format!("has no `{name}`")),
    };
    finding = finding.help(match sure {
        true => "give both sides the same; compare under other conditions in a comparison of its own",
        false => "if this is what you compare, keep everything else equal; if not, give both sides the same",
    });
    finding.confidence = match (sure, difference) {
        (true, Difference::Changed(..)) if !difference.shown().open => Confidence::High,
        (true, _) => Confidence::Medium,
        (false, _) => Confidence::Low,
    };
    found.push(finding);
}
