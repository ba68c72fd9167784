use crate::context::Cx;
use crate::leases::{Lease, Leases};
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::{Confidence, Severity};
use assay_plan::ManifestPlan;

pub(in crate::rules) const RULE: Rule = Rule {
    id: "gpu-collision",
    family: Family::Safety,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "A step that waits for a GPU which a server that it uses holds until the step has ended.",
    why: "\
A lease is held until its step ends, and a server ends when the last step that uses it has ended. A step that asks for a GPU by an
id which such a server holds therefore waits for the server, and the server for the step: for ever. The same is true of two servers
that one step needs at once, and of a server that needs another one. Only ids are compared here; a count takes whatever is free.",
    bad: "\
steps:
  serve:
    uses: server
    resources: {gpus: [0]}
    with: {argv: [./serve, --port, \"{{ self.port }}\"], ready: {http: {path: /}}}
  bench:
    uses: command
    resources: {gpus: [0]}
    with: {argv: [./bench, \"{{ steps.serve.url }}\"]}
    timeout: 10m
",
    good: "\
steps:
  serve:
    uses: server
    resources: {gpus: [0]}
    with: {argv: [./serve, --port, \"{{ self.port }}\"], ready: {http: {path: /}}}
  bench:
    uses: command
    resources: {gpus: [1]}
    with: {argv: [./bench, \"{{ steps.serve.url }}\"]}
    timeout: 10m
",
    fixes: Fixes::None,
    check: Check::Plan(check),
};

fn check(cx: &Cx<'_>, plan: &ManifestPlan, found: &mut Found<'_>) {
    let leases = Leases::of(cx, plan);
    for (own, servers) in leases.together(plan) {
        let mut held: Vec<&Lease<'_>> = servers;
        held.extend(own);
        for (at, later) in held.iter().enumerate() {
            let clash = held[..at].iter().find_map(|earlier| {
                let id = later.ids.iter().find(|id| earlier.ids.contains(id))?;
                Some((earlier, id))
            });
            if let Some((earlier, id)) = clash {
                let (one, two) = (&earlier.step.id.value, &later.step.id.value);
                found.push(
                    found
                        .at(
                            later.span,
                            format!("`{two}` waits for GPU {id} for ever: `{one}` holds it meanwhile"),
                            "wants it",
                        )
                        .also(earlier.span, format!("server `{one}` holds it until its last user has ended"))
                        .help(
                            "give each a GPU of its own, or write counts (`gpus: 1`) and let the run choose",
                        ),
                );
            }
        }
    }
}
