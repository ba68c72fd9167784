use crate::context::Cx;
use crate::launched::launched;
use crate::leases::Leases;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Edit, Fix, Severity};
use assay_plan::ManifestPlan;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "gpu-shortfall",
    family: Family::Safety,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A server whose parallel sizes need more GPUs than its step leases.",
    why: "\
A server sees only the GPUs that its step leases. Tensor, pipeline and data parallel sizes multiply: with `tp_size: 4` and
`dp_size: 2` it needs eight. With fewer it fails while it boots, minutes after the run began, as \"invalid device ordinal\" or by
waiting for workers that never come.

Looked at is a `server` with `adapter`; the adapter's data says which flags are the sizes, when copies share GPUs (attention with
data parallelism of SGLang), and which flags spread a server over hosts. Sizes that are templates count as 1; a lease that is a
template, and a server without GPUs, are left alone.",
    bad: "\
steps:
  serve:
    uses: server
    resources: {gpus: 2}
    with:
      adapter: {name: sglang, model: m, flags: {tp_size: 4}}
      ready: {timeout: 10m}
  ask:
    uses: command
    with: {argv: [curl, -sf, \"{{ steps.serve.url }}/v1/models\"]}
    timeout: 1m
",
    good: "\
steps:
  serve:
    uses: server
    resources: {gpus: 4}
    with:
      adapter: {name: sglang, model: m, flags: {tp_size: 4}}
      ready: {timeout: 10m}
  ask:
    uses: command
    with: {argv: [curl, -sf, \"{{ steps.serve.url }}/v1/models\"]}
    timeout: 1m
",
    fixes: Fixes::Unsafe,
    check: Check::Plan(check),
};

fn check(cx: &Cx<'_>, plan: &ManifestPlan, found: &mut Found<'_>) {
    let servers = launched(cx, &plan.manifest);
    if servers.is_empty() {
        return;
    }
    let leases = Leases::of(cx, plan);
    let leases = leases.all();
    for server in servers {
        let Some(lease) = leases.iter().find(|lease| std::ptr::eq(lease.step, server.step)) else { continue };
        let Some((needed, told)) = server.gpus_needed().filter(|(needed, _)| *needed > lease.count) else {
            continue;
        };
        let (id, count) = (&server.step.id.value, lease.count);
        let message = format!("server `{id}` needs {needed} GPUs by its parallel sizes, and leases {count}");
        let mut finding = found.at(lease.span, message, "too few").help("lease as many, or lower the sizes");
        for (key, value) in told {
            finding = finding.also(value.span, format!("`{}`", key.name));
        }
        if lease.ids.is_empty() {
            let edits = vec![Edit { span: lease.span, replacement: needed.to_string() }];
            finding = finding.fix(Fix { title: format!("lease {needed} GPUs"), safe: false, edits });
        }
        found.push(finding);
    }
}
