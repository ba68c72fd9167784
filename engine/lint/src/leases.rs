//! GPUs that steps ask for as far as the text says, and which of them are held at the same time.

use crate::context::Cx;
use assay_diagnostics::Span;
use assay_manifest::{Field, Step, Uses};
use assay_plan::{ManifestPlan, NodeId, What};
use assay_yaml::{Key, Node};
use std::collections::HashMap;

/// What one step asks for.
pub(crate) struct Lease<'p> {
    /// Whose it is.
    pub step: &'p Step,
    /// Physical ids; empty for a count.
    pub ids: Vec<u64>,
    /// How many.
    pub count: u64,
    /// Where it is said.
    pub span: Span,
}

/// The leases of a manifest by node.
pub(crate) struct Leases<'p> {
    by_node: HashMap<NodeId, Lease<'p>>,
}

impl<'p> Leases<'p> {
    /// Every lease that is known from the text.
    pub(crate) fn of(cx: &Cx<'_>, plan: &'p ManifestPlan) -> Self {
        let mut by_node = HashMap::new();
        let places = [places(cx, "steps"), places(cx, "finally")];
        for (node, what) in plan.nodes.iter().enumerate() {
            let node = node as NodeId;
            let Some(step) = plan.step(node) else { continue };
            let Some(Field::Literal(value)) = step.resources.as_ref().map(|resources| &resources.gpus) else {
                continue;
            };
            let ids: Vec<u64> =
                value.as_array().into_iter().flatten().filter_map(assay_protocol::Value::as_u64).collect();
            let count = value.as_u64().unwrap_or(ids.len() as u64);
            if count > 0 {
                let section = &places[usize::from(matches!(what.what, What::Finally(_)))];
                let span = section.get(step.id.value.as_str()).copied().unwrap_or(step.id.span);
                by_node.insert(node, Lease { step, ids, count, span });
            }
        }
        Self { by_node }
    }

    /// Every lease, in the order of the text.
    pub(crate) fn all(&self) -> Vec<&Lease<'p>> {
        let mut all: Vec<&Lease<'p>> = self.by_node.values().collect();
        all.sort_by_key(|lease| lease.span.start);
        all
    }

    /// For every step with a lease or a server: its own lease, and those of all servers that are held while it runs.
    pub(crate) fn together(&self, plan: &ManifestPlan) -> Vec<(Option<&Lease<'p>>, Vec<&Lease<'p>>)> {
        let mut found = Vec::new();
        if self.by_node.is_empty() {
            return found;
        }
        for node in 0..plan.nodes.len() as NodeId {
            if plan.step(node).is_none() {
                continue;
            }
            let own = self.by_node.get(&node);
            let servers = self.servers(plan, node);
            if own.is_some() || !servers.is_empty() {
                found.push((own, servers));
            }
        }
        found
    }

    /// Leases of the servers that a step needs, and of those that these need.
    fn servers(&self, plan: &ManifestPlan, node: NodeId) -> Vec<&Lease<'p>> {
        let mut seen = Vec::new();
        let mut stack = vec![node];
        while let Some(at) = stack.pop() {
            for dep in plan.nodes[at as usize].deps.iter().filter(|dep| dep.requires_success) {
                if is_server(plan, dep.node) && !seen.contains(&dep.node) && seen.len() < MOST_SERVERS {
                    seen.push(dep.node);
                    stack.push(dep.node);
                }
            }
        }
        seen.sort_unstable();
        seen.iter().filter_map(|node| self.by_node.get(node)).collect()
    }
}

/// Where the steps of a section say how many GPUs they need.
fn places<'a>(cx: &Cx<'a>, section: &str) -> HashMap<&'a str, Span> {
    let steps = cx.entry(&[section]).and_then(|(_, steps)| steps.as_mapping()).unwrap_or_default();
    let place = |(key, step): &'a (Key, Node)| Some((&*key.name, step.get("resources")?.get("gpus")?.span));
    steps.iter().filter_map(place).collect()
}

/// Servers of one step that are looked at.
const MOST_SERVERS: usize = 64;

fn is_server(plan: &ManifestPlan, node: NodeId) -> bool {
    plan.step(node).is_some_and(|step| matches!(&step.uses.value, Uses::Kind(kind) if kind == "server"))
}
