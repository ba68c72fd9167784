//! Questions about what lies above and below a node.

use crate::edges::{Visit, visit_deliver, visit_expr, visit_gate, visit_output, visit_step, visit_text};
use crate::node::{ManifestPlan, NodeId, What};
use assay_manifest::Uses;
use assay_manifest::expr::Reference;

/// Baseline steps above a node, directly or through others.
pub fn baselines_above(plan: &ManifestPlan, node: NodeId) -> Vec<NodeId> {
    if !plan.manifest.steps.iter().any(|step| is_baseline(&step.uses.value)) {
        return Vec::new();
    }
    let mut seen = vec![false; plan.nodes.len()];
    let mut stack = vec![node];
    let mut found = Vec::new();
    while let Some(at) = stack.pop() {
        for dep in &plan.nodes[at as usize].deps {
            if std::mem::replace(&mut seen[dep.node as usize], true) {
                continue;
            }
            if plan.step(dep.node).is_some_and(|step| is_baseline(&step.uses.value)) {
                found.push(dep.node);
            }
            stack.push(dep.node);
        }
    }
    found.sort_unstable();
    found
}

fn is_baseline(uses: &Uses) -> bool {
    matches!(uses, Uses::Kind(kind) if kind == "baseline")
}

/// A node and everything that comes after it, in no particular order.
pub fn downstream(plan: &ManifestPlan, node: NodeId) -> Vec<NodeId> {
    let mut seen = vec![false; plan.nodes.len()];
    let mut stack = vec![node];
    let mut found = Vec::new();
    seen[node as usize] = true;
    while let Some(at) = stack.pop() {
        found.push(at);
        for next in &plan.nodes[at as usize].dependents {
            if !std::mem::replace(&mut seen[*next as usize], true) {
                stack.push(*next);
            }
        }
    }
    for (index, other) in plan.nodes.iter().enumerate() {
        // `finally` follows everything, although no edge says so.
        if matches!(other.what, What::Finally(_)) && !seen[index] {
            found.push(index as NodeId);
        }
    }
    found
}

/// Every reference of a manifest, with its place.
pub fn visit_own_references<'a>(plan: &'a ManifestPlan, visit: Visit<'a, '_>) {
    let manifest = &plan.manifest;
    for check in &manifest.preflight {
        check.with.visit_refs(visit);
        check.when.iter().for_each(|when| visit_expr(when, visit));
    }
    for text in manifest.env.values().chain(&manifest.slug) {
        visit_text(text, visit);
    }
    for step in manifest.steps.iter().chain(&manifest.finally) {
        visit_step(step, visit);
    }
    for gate in &manifest.gates {
        visit_gate(gate, visit);
    }
    for output in &manifest.outputs {
        visit_output(output, visit);
    }
    for deliver in &manifest.deliver {
        visit_deliver(deliver, visit);
    }
}

/// Every reference of a manifest and of those it calls.
pub fn visit_references(plan: &ManifestPlan, visit: &mut dyn FnMut(&Reference)) {
    visit_own_references(plan, &mut |reference, _| visit(reference));
    for callee in plan.callees.values() {
        visit_references(callee, visit);
    }
}
