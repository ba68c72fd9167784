//! Questions about what comes before and after nodes of a plan, each answered in one walk.

use assay_manifest::expr::{Reference, Segment};
use assay_manifest::{Demand, Gate, Step, Uses};
use assay_plan::{ManifestPlan, NodeId};
use assay_protocol::Outcome;

/// For every node, whether one of `starts` comes before it, directly or through others.
pub(crate) fn after(plan: &ManifestPlan, starts: &[NodeId]) -> Vec<bool> {
    let mut reached = vec![false; plan.nodes.len()];
    let mut stack: Vec<NodeId> = starts.to_vec();
    while let Some(at) = stack.pop() {
        for next in &plan.nodes[at as usize].dependents {
            if !std::mem::replace(&mut reached[*next as usize], true) {
                stack.push(*next);
            }
        }
    }
    reached
}

/// For every node, whether it comes before one of `ends`, directly or through others.
pub(crate) fn before(plan: &ManifestPlan, ends: &[NodeId]) -> Vec<bool> {
    let mut reached = vec![false; plan.nodes.len()];
    let mut stack: Vec<NodeId> = ends.to_vec();
    while let Some(at) = stack.pop() {
        for dep in &plan.nodes[at as usize].deps {
            if !std::mem::replace(&mut reached[dep.node as usize], true) {
                stack.push(dep.node);
            }
        }
    }
    reached
}

/// The gates of a plan with their nodes.
pub(crate) fn gates(plan: &ManifestPlan) -> impl Iterator<Item = (NodeId, &Gate)> {
    (0..plan.nodes.len() as NodeId).filter_map(|node| Some((node, plan.gate(node)?)))
}

/// The step that a reference reads.
pub(crate) fn step_of<'a>(plan: &'a ManifestPlan, reference: &Reference) -> Option<(NodeId, &'a Step)> {
    let id = step_id(reference)?;
    let node = *plan.by_id.get(id)?;
    Some((node, plan.step(node)?))
}

/// The id of the step that a reference reads.
pub(crate) fn step_id(reference: &Reference) -> Option<&str> {
    match reference.path.first() {
        Some(Segment::Name(id)) if reference.root == "steps" => Some(id),
        _ => None,
    }
}

/// The step that a compare gate judges.
pub(crate) fn compared<'a>(plan: &'a ManifestPlan, gate: &Gate) -> Option<&'a Step> {
    let Demand::Compare { step, .. } = &gate.demand else { return None };
    step.expr.refs().iter().find_map(|reference| step_of(plan, reference)).map(|(_, step)| step)
}

/// Whether a step is of this type.
pub(crate) fn is_kind(step: &Step, kind: &str) -> bool {
    matches!(&step.uses.value, Uses::Kind(own) if own == kind)
}

/// Whether a gate can stop anything.
pub(crate) fn has_effect(gate: &Gate) -> bool {
    gate.on_fail != Outcome::Warn
}
