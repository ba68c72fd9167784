use crate::context::Cx;
use crate::measured::measurements;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Severity};
use assay_manifest::{Field, Manifest, Step};
use assay_plan::ManifestPlan;
use assay_protocol::Value;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "gpu-without-idle-check",
    family: Family::Evidence,
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    finds: "A measurement on GPUs that others may be using.",
    why: "\
A lease keeps other runs of this engine off the GPUs, not other people's programs. Data measured beside a foreign process is
not to be trusted. `gpu_idle` asks for no compute process, at most 32 MiB of memory in use and at most 5 % load: what the
scripts of the field use before every benchmark. A check of a called skill counts.",
    bad: "\
steps:
  bench:
    uses: command
    with:
      argv: [bench]
      parse: {as: json, schema: {type: object, required: [ttft_ms, accuracy], properties: {ttft_ms: {type: number}, accuracy: {type: number}}}}
    timeout: 5m
    resources: {gpus: 1}
gates:
  sla: {assert: steps.bench.result.accuracy > 0.8 and steps.bench.result.ttft_ms <= 1500}
",
    good: "\
preflight:
  idle: {check: gpu_idle}
steps:
  bench:
    uses: command
    with:
      argv: [bench]
      parse: {as: json, schema: {type: object, required: [ttft_ms, accuracy], properties: {ttft_ms: {type: number}, accuracy: {type: number}}}}
    timeout: 5m
    resources: {gpus: 1}
gates:
  sla: {assert: steps.bench.result.accuracy > 0.8 and steps.bench.result.ttft_ms <= 1500}
",
    fixes: Fixes::None,
    check: Check::Plan(check),
};

fn check(cx: &Cx<'_>, plan: &ManifestPlan, found: &mut Found<'_>) {
    let manifest = &plan.manifest;
    let looks = |manifest: &Manifest| manifest.preflight.iter().any(|check| check.check.value == "gpu_idle");
    if looks(manifest) || plan.callees.values().any(|callee| looks(&callee.manifest)) {
        return;
    }
    let Some(leasing) = manifest.steps.iter().find(|step| leases(step)) else { return };
    let Some(measuring) = measurements(manifest).next() else { return };
    let id = &leasing.id.value;
    let mut finding = found
        .at(
            cx.key_span(&["steps", id, "resources", "gpus"]),
            format!("`{id}` leases GPUs that others may be using"),
            "not checked to be idle",
        )
        .help("add to `preflight`: `idle: {check: gpu_idle}`");
    if measuring.id.value != *id {
        finding = finding.also(measuring.id.span, "measures on them");
    }
    found.push(finding);
}

fn leases(step: &Step) -> bool {
    match step.resources.as_ref().map(|resources| &resources.gpus) {
        None => false,
        Some(Field::Literal(Value::Number(number))) => number.as_u64() != Some(0),
        Some(Field::Literal(Value::Array(ids))) => !ids.is_empty(),
        Some(Field::Literal(_)) => false,
        Some(Field::Template(_)) => true,
    }
}
