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

fn sentence(gate: &PlanNode, prefix: &str, before: &[&str]) -> String {
    let name = format!("`{prefix}{}`", gate.id);
    if before.is_empty() {
        return format!("{name} compares measurements, and no assert gate stands before it.");
    }
    let list: Vec<String> = before.iter().map(|id| format!("`{id}`")).collect();
    format!("{name} compares measurements and is decided only after {}.", list.join(", "))
}

fn asserts_before<'a>(gate: &'a PlanNode, by_id: &HashMap<&str, &'a PlanNode>) -> Vec<&'a str> {
    let mut seen: HashSet<&str> = HashSet::new();
    let mut open: Vec<&PlanNode> = vec![gate];
    let mut found = Vec::new();
    while let Some(node) = open.pop() {
        for edge in &node.needs {
            if let Some(before) = by_id.get(edge.from.as_str())
                && seen.insert(&before.id)
            {
                if before.kind == PlanNodeKind::Gate && before.uses == "assert" && edge.requires_success {
                    found.push(before.id.as_str());
                }
                open.push(before);
            }
        }
    }
    found.sort_unstable();
    found
}
