use crate::context::Cx;
use crate::leases::Leases;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Severity};
use assay_plan::ManifestPlan;
use std::collections::HashSet;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "gpu-overcommit",
    family: Family::Safety,
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    finds: "A step that, with the servers it uses, asks for more GPUs than a host has, or for one GPU twice.",
    why: "\
All GPUs of a step and of the servers that it uses are leased at once on one host. Eight is what the usual servers hold (DGX and HGX
A100, H100, H200, B200; MI300X platforms); the largest host in wide use, Google's a2-megagpu-16g, holds 16, so from 17 on, and for an
id that is listed twice, the finding is certain. On a smaller host the run says so before it starts: `unsupported`.",
    bad: "\
steps:
  bench:
    uses: command
    resources: {gpus: 16}
    with: {argv: [./bench]}
    timeout: 10m
",
    good: "\
steps:
  bench:
    uses: command
    resources: {gpus: 8}
    with: {argv: [./bench]}
    timeout: 10m
",
    fixes: Fixes::None,
    check: Check::Plan(check),
};

/// GPUs of the usual servers: DGX and HGX A100 to B200, MI300X platforms.
const USUAL: u64 = 8;
/// GPUs of the largest host in wide use: Google Cloud's a2-megagpu-16g.
const LARGEST: u64 = 16;

fn check(cx: &Cx<'_>, plan: &ManifestPlan, found: &mut Found<'_>) {
    let leases = Leases::of(cx, plan);
    for lease in leases.all() {
        let mut seen = HashSet::new();
        if let Some(id) = lease.ids.iter().find(|id| !seen.insert(**id)) {
            let message = format!("step `{}` asks for GPU {id} twice", lease.step.id.value);
            let mut finding =
                found.at(lease.span, message, "a GPU can be leased once").help("list every id once");
            finding.confidence = Confidence::High;
            found.push(finding);
        }
    }
    for (own, servers) in leases.together(plan) {
        let Some(main) = own.or(servers.last().copied()) else { continue };
        let others = servers.iter().filter(|server| !std::ptr::eq(**server, main));
        let total = others.clone().fold(main.count, |sum, lease| sum.saturating_add(lease.count));
        // A server that is too large alone is told where it stands.
        if total <= USUAL
            || (own.is_none() && servers.len() == 1)
            || others.clone().any(|lease| lease.count > USUAL)
        {
            continue;
        }
        let id = &main.step.id.value;
        let mut message = format!("`{id}` asks for {total} GPUs of one host");
        if others.clone().next().is_some() {
            message = format!("`{id}` and the servers used with it ask for {total} GPUs of one host");
        }
        let label = format!("the usual host has {USUAL}");
        let mut finding = found
            .at(main.span, message, label)
            .help("ask for fewer, or split the work into steps after each other");
        for server in others {
            finding = finding.also(server.span, format!("{} of them", server.count));
        }
        if total > LARGEST {
            finding.confidence = Confidence::High;
        }
        found.push(finding);
    }
}
