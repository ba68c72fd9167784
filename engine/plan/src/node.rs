//! The DAG of one manifest.

use assay_manifest::{Gate, Manifest, Step};
use std::collections::HashMap;
use std::rc::Rc;

/// Index of a node in [`ManifestPlan::nodes`].
pub type NodeId = u32;

/// What a node is: an index into the manifest's lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum What {
    /// A step.
    Step(u32),
    /// A gate.
    Gate(u32),
    /// A delivered file.
    Deliver(u32),
    /// A step of `finally`.
    Finally(u32),
}

/// An edge into a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dep {
    /// The node before.
    pub node: NodeId,
    /// `true`: it must have passed; `false`: it must have ended.
    pub requires_success: bool,
}

/// One node with its edges.
#[derive(Debug)]
pub struct Node {
    /// What it is.
    pub what: What,
    /// What comes before, each node once.
    pub deps: Vec<Dep>,
    /// What comes after.
    pub dependents: Vec<NodeId>,
    /// A step of `finally` reads it, so a server must outlive `finally`.
    pub read_by_finally: bool,
}

/// A manifest with its DAG and the plans of what it calls.
#[derive(Debug)]
pub struct ManifestPlan {
    /// The manifest.
    pub manifest: Manifest,
    /// Steps, gates, deliveries and finally steps, in the author's order.
    pub nodes: Vec<Node>,
    /// Node of a step or gate by id.
    pub by_id: HashMap<String, NodeId>,
    /// Plans of called manifests by name.
    pub callees: HashMap<String, Rc<ManifestPlan>>,
}

impl ManifestPlan {
    /// The step of a node, if it is one.
    pub fn step(&self, node: NodeId) -> Option<&Step> {
        match self.nodes[node as usize].what {
            What::Step(index) => Some(&self.manifest.steps[index as usize]),
            What::Finally(index) => Some(&self.manifest.finally[index as usize]),
            What::Gate(_) | What::Deliver(_) => None,
        }
    }

    /// The step with this id. Unlike [`Manifest::step`] it takes no longer for more steps.
    pub fn step_called(&self, id: &str) -> Option<&Step> {
        let node = self.by_id.get(id)?;
        // Where a gate has the same id, which is an error, the step is meant all the same.
        self.step(*node).or_else(|| self.manifest.step(id))
    }

    /// The gate of a node, if it is one.
    pub fn gate(&self, node: NodeId) -> Option<&Gate> {
        match self.nodes[node as usize].what {
            What::Gate(index) => Some(&self.manifest.gates[index as usize]),
            _ => None,
        }
    }

    /// The id of a node; a delivery is called by its path.
    pub fn id(&self, node: NodeId) -> &str {
        match self.nodes[node as usize].what {
            What::Step(index) => &self.manifest.steps[index as usize].id.value,
            What::Finally(index) => &self.manifest.finally[index as usize].id.value,
            What::Gate(index) => &self.manifest.gates[index as usize].id.value,
            What::Deliver(index) => self.manifest.deliver[index as usize].path.template.source(),
        }
    }
}
