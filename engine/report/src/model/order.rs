//! What the plan says about "correct before fast": which assert gates stand before a compare gate.

use assay_protocol::{PlanDoc, PlanNode, PlanNodeKind};
use std::collections::{HashMap, HashSet};

/// Sentences that a report can hold; more would not be read.
const MAX_SENTENCES: usize = 12;

/// Adds one sentence for each compare gate of the plan and of what it calls.
pub fn sentences(plan: &PlanDoc, prefix: &str, out: &mut Vec<String>) {
    let is_compare = |node: &&PlanNode| node.kind == PlanNodeKind::Gate && node.uses == "compare";
    if plan.nodes.iter().any(|node| is_compare(&node)) {
        let by_id: HashMap<&str, &PlanNode> =
            plan.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
        for gate in plan.nodes.iter().filter(is_compare) {
            if out.len() >= MAX_SENTENCES {
                return;
            }
            out.push(sentence(gate, prefix, &asserts_before(gate, &by_id)));
        }
    }
    for node in &plan.nodes {
        if let Some(inner) = &node.call
            && out.len() < MAX_SENTENCES
        {
            let loops = if node.foreach.is_empty() { "" } else { "[…]" };
            sentences(inner, &format!("{prefix}{}{loops}/", node.id), out);
        }
    }
}

fn sentence(gate: &PlanNode, prefix: &str, before: &[String]) -> String {
    let name = format!("`{prefix}{}`", gate.id);
    if before.is_empty() {
        return format!("{name} compares measurements, and no assert gate stands before it.");
    }
    let list: Vec<String> = before.iter().map(|id| format!("`{id}`")).collect();
    format!("{name} compares measurements and is decided only after {}.", list.join(", "))
}

fn asserts_before(gate: &PlanNode, by_id: &HashMap<&str, &PlanNode>) -> Vec<String> {
    let mut seen: HashSet<&str> = HashSet::new();
    let mut open: Vec<&PlanNode> = vec![gate];
    let mut found = Vec::new();
    while let Some(node) = open.pop() {
        for edge in &node.needs {
            if let Some(before) = by_id.get(edge.from.as_str())
                && seen.insert(&before.id)
            {
                if edge.requires_success {
                    found.extend(own_asserts(before));
                }
                open.push(before);
            }
        }
    }
    found.sort_unstable();
    found
}

/// A gate itself, or the gates of a call: a call passes only if all its gates passed.
fn own_asserts(node: &PlanNode) -> Vec<String> {
    let is_assert = |node: &&PlanNode| node.kind == PlanNodeKind::Gate && node.uses == "assert";
    let inner = node.call.iter().flat_map(|call| &call.nodes).filter(is_assert);
    let of_call = inner.map(|gate| format!("{}/{}", node.id, gate.id));
    Some(node).filter(is_assert).map(|gate| gate.id.clone()).into_iter().chain(of_call).collect()
}
