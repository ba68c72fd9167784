use crate::context::Cx;
use crate::measured::compares_speed;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Severity};
use assay_manifest::Manifest;
use assay_plan::ManifestPlan;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "measurement-without-quiet-check",
    family: Family::Evidence,
    severity: Severity::Note,
    confidence: Confidence::Medium,
    finds: "A comparison of speed on a host that may be busy.",
    why: "\
Interleaved pairs and robust intervals keep a verdict right under steady noise, but a busy host widens the interval, so the
comparison takes longer or stays undecided, and one that becomes busy in the middle moves it. A check named `load` or `gpu_idle` in `preflight`
says so before the time is spent; with `on_fail: warn` it only records it. A check of a called skill counts.",
    bad: "\
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

fn check(_: &Cx<'_>, plan: &ManifestPlan, found: &mut Found<'_>) {
    let looks = |manifest: &Manifest| {
        manifest.preflight.iter().any(|check| matches!(check.check.value.as_str(), "load" | "gpu_idle"))
    };
    if looks(&plan.manifest) || plan.callees.values().any(|callee| looks(&callee.manifest)) {
        return;
    }
    // Samples were measured elsewhere, and on which host cannot be told.
    let here = |side: &str, step: &assay_manifest::Step| {
        step.with.get(side).is_some_and(|side| side.get("samples").is_none())
    };
    let first = plan.manifest.steps.iter().find(|step| compares_speed(step) && here("baseline", step));
    if let Some(step) = first {
        let id = &step.id.value;
        found.push(
            found
                .at(
                    step.id.span,
                    format!("nothing checks that the host is quiet when `{id}` measures"),
                    "measures speed",
                )
                .help("add to `preflight`: `idle: {check: load, with: {max_per_core: 0.7}, on_fail: warn}`")
                .help("or `idle: {check: gpu_idle}` where it measures on GPUs"),
        );
    }
}
