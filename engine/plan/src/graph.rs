//! The DAG in petgraph's hands: is it one, and if not, which path goes in a circle.

use crate::node::{ManifestPlan, NodeId};
use assay_diagnostics::{Diagnostic, Span};
use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};

/// A short circle of nodes for each knot of the graph, in the order of the manifest.
pub(crate) fn find_cycles(plan: &ManifestPlan) -> Vec<Vec<NodeId>> {
    let mut graph: DiGraph<(), (), u32> = DiGraph::with_capacity(plan.nodes.len(), plan.nodes.len());
    for _ in &plan.nodes {
        graph.add_node(());
    }
    for (index, node) in plan.nodes.iter().enumerate() {
        for dep in &node.deps {
            graph.add_edge(NodeIndex::new(dep.node as usize), NodeIndex::new(index), ());
        }
    }
    let knots = tarjan_scc(&graph).into_iter();
    let knots = knots.filter(|knot| knot.len() > 1 || graph.contains_edge(knot[0], knot[0]));
    let mut starts: Vec<NodeId> =
        knots.filter_map(|knot| knot.into_iter().min()).map(|first| first.index() as NodeId).collect();
    starts.sort_unstable();
    starts.into_iter().map(|start| shortest_circle(plan, start)).collect()
}

/// Breadth-first from `start` along dependents back to itself.
fn shortest_circle(plan: &ManifestPlan, start: NodeId) -> Vec<NodeId> {
    let mut before: Vec<Option<NodeId>> = vec![None; plan.nodes.len()];
    let mut queue = std::collections::VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        for dep in &plan.nodes[node as usize].deps {
            if dep.node == start {
                let mut path = vec![node];
                while let Some(next) = before[path[path.len() - 1] as usize] {
                    path.push(next);
                }
                if path.last() != Some(&start) {
                    path.push(start);
                }
                path.rotate_right(1);
                return path;
            }
            if before[dep.node as usize].is_none() {
                before[dep.node as usize] = Some(node);
                queue.push_back(dep.node);
            }
        }
    }
    vec![start]
}

pub(crate) fn cycle_finding(plan: &ManifestPlan, cycle: &[NodeId]) -> Diagnostic {
    let mut names: Vec<&str> = cycle.iter().map(|node| plan.id(*node)).collect();
    names.push(names[0]);
    let path = names.join(" -> ");
    let mut finding = match cycle {
        [one] => Diagnostic::error("cycle", format!("`{}` waits for itself", plan.id(*one))),
        _ => Diagnostic::error("cycle", format!("these wait for each other: {path}")),
    };
    for (at, node) in cycle.iter().enumerate() {
        let next = plan.id(cycle[(at + 1) % cycle.len()]);
        if let Some(span) = id_span(plan, *node) {
            let label = match cycle.len() {
                1 => "reads its own output".to_owned(),
                _ => format!("`{}` comes before `{next}`", plan.id(*node)),
            };
            finding = if at == 0 { finding.at(span, label) } else { finding.also(span, label) };
        }
    }
    finding.help("remove one of the references or `needs` on this path")
}

fn id_span(plan: &ManifestPlan, node: NodeId) -> Option<Span> {
    plan.step(node).map(|step| step.id.span).or_else(|| plan.gate(node).map(|gate| gate.id.span))
}
