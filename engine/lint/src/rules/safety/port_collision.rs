use crate::context::Cx;
use crate::ports;
use crate::rule::{Check, Family, Fixes, Found, Rule};
use assay_diagnostics::Span;
use assay_diagnostics::{Confidence, Severity};
use assay_manifest::{ConfigKind, Step};
use assay_plan::{ManifestPlan, NodeId};
use std::collections::{HashMap, HashSet};

pub(in crate::rules) const RULE: Rule = Rule {
    id: "port-collision",
    family: Family::Safety,
    severity: Severity::Error,
    confidence: Confidence::High,
    finds: "Two servers on one fixed port that may run at the same time.",
    why: "\
Steps start as soon as what they wait for has ended, so two servers without an order between them run together, and so do the
instances of a `foreach`. The second finds its port taken and fails. A server runs until the last step that reads it has ended: the
other one is late enough only if it comes after all of these. Servers that both have a `when` may exclude each other, and servers
that share a lock wait for each other; both are left alone.",
    bad: "\
steps:
  a:
    uses: server
    with: {argv: [./serve, --port, 8000], port: 8000, ready: {tcp: true, timeout: 1m}}
  b:
    uses: server
    with: {argv: [./serve, --port, 8000], port: 8000, ready: {tcp: true, timeout: 1m}}
  ask:
    uses: command
    with: {argv: [./ask, \"{{ steps.a.url }}\", \"{{ steps.b.url }}\"]}
    timeout: 1m
",
    good: "\
steps:
  a:
    uses: server
    with: {argv: [./serve, --port, \"{{ self.port }}\"], ready: {tcp: true, timeout: 1m}}
  b:
    uses: server
    with: {argv: [./serve, --port, \"{{ self.port }}\"], ready: {tcp: true, timeout: 1m}}
  ask:
    uses: command
    with: {argv: [./ask, \"{{ steps.a.url }}\", \"{{ steps.b.url }}\"]}
    timeout: 1m
",
    fixes: Fixes::None,
    check: Check::Plan(check),
};

fn check(cx: &Cx<'_>, plan: &ManifestPlan, found: &mut Found<'_>) {
    let mut by_port: HashMap<u64, Vec<(&Step, Span)>> = HashMap::new();
    let mut order = Vec::new();
    for (step, port, span) in ports::fixed(cx, &plan.manifest) {
        if let Some(each) = several(step) {
            found.push(
                found
                    .at(
                        span,
                        format!("every instance of server `{}` takes port {port}", step.id.value),
                        "one port for all",
                    )
                    .also(each, "runs once per value")
                    .help("leave `port` out and write `{{ self.port }}` where the program is told its port"),
            );
        }
        let list = by_port.entry(port).or_default();
        if list.is_empty() {
            order.push(port);
        }
        list.push((step, span));
    }
    let mut left = MOST_PAIRS;
    for port in order {
        // Each is compared with the one before it: enough to see that something is wrong, and no more than linear.
        for pair in by_port[&port].windows(2) {
            let [(first, first_span), (second, second_span)] = pair else { continue };
            if left == 0 {
                return;
            }
            left -= 1;
            if !may_meet(plan, first, second) {
                continue;
            }
            let (one, two) = (&first.id.value, &second.id.value);
            found.push(
                found
                    .at(
                        *second_span,
                        format!("servers `{one}` and `{two}` both take port {port}, and may run at once"),
                        "taken",
                    )
                    .also(*first_span, format!("by `{one}`"))
                    .help("leave `port` out and write `{{ self.port }}` where the program is told its port")
                    .help(format!("or let `{two}` need every step that reads `{one}`")),
            );
        }
    }
}

/// Pairs that are looked at; nobody writes so many, and each costs a walk through the plan.
const MOST_PAIRS: usize = 500;

/// Where a server is told to run several times at once.
fn several(step: &Step) -> Option<Span> {
    let each = step.foreach.as_ref()?;
    let one = each.lists.iter().all(|(_, list)| match &list.kind {
        ConfigKind::Literal(list) => list.as_array().is_some_and(|list| list.len() < 2),
        ConfigKind::List(list) => list.len() < 2,
        _ => false,
    });
    each.lists.first().filter(|_| !one && locks(step).is_empty()).map(|(name, _)| name.span)
}

fn locks(step: &Step) -> HashSet<&str> {
    let locks = step.resources.iter().flat_map(|resources| &resources.locks);
    locks.filter(|lock| lock.template.is_literal()).map(|lock| lock.template.source()).collect()
}

fn may_meet(plan: &ManifestPlan, first: &Step, second: &Step) -> bool {
    let (Some(a), Some(b)) = (plan.by_id.get(&first.id.value), plan.by_id.get(&second.id.value)) else {
        return false;
    };
    let exclusive = first.when.is_some() && second.when.is_some();
    let unused = |node: NodeId| plan.nodes[node as usize].dependents.is_empty();
    !exclusive
        && locks(first).is_disjoint(&locks(second))
        && !unused(*a)
        && !unused(*b)
        && !over_before(plan, *a, *b)
        && !over_before(plan, *b, *a)
}

/// Whether everything that uses `server` has ended before `later` starts.
fn over_before(plan: &ManifestPlan, server: NodeId, later: NodeId) -> bool {
    let node = &plan.nodes[server as usize];
    if node.read_by_finally {
        return false;
    }
    let mut before = vec![false; plan.nodes.len()];
    let mut stack = vec![later];
    while let Some(at) = stack.pop() {
        for dep in &plan.nodes[at as usize].deps {
            if !std::mem::replace(&mut before[dep.node as usize], true) {
                stack.push(dep.node);
            }
        }
    }
    node.dependents.iter().all(|user| before[*user as usize])
}
