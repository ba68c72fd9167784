//! `plan.json`: the DAG of a run as data, for reports and pictures.

use crate::{Value, ValueMap};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What kind of node stands in the DAG.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlanNodeKind {
    /// A preflight check.
    Check,
    /// A step.
    Step,
    /// A gate.
    Gate,
    /// A step of `finally`.
    Finally,
}

/// An edge into a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanEdge {
    /// The id of the node that comes before.
    pub from: String,
    /// `true`: the node requires success; `false`: it only waits for the end.
    pub requires_success: bool,
}

/// One node of a manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlanNode {
    /// The id as written.
    pub id: String,
    /// What it is.
    pub kind: PlanNodeKind,
    /// The step type, the check type, or `assert` / `compare` for a gate.
    pub uses: String,
    /// What comes before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<PlanEdge>,
    /// The condition as written, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Names looped over, if there are any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub foreach: Vec<String>,
    /// For a gate: what must hold, as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<String>,
    /// For a call: the plan of the called manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Box<PlanDoc>>,
}

/// The DAG of one manifest with its resolved inputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlanDoc {
    /// Format version.
    pub v: u32,
    /// Name of the manifest.
    pub name: String,
    /// `Skill` or `Workflow`.
    pub kind: String,
    /// Version of the manifest.
    pub version: String,
    /// What the manifest says of itself.
    pub description: String,
    /// The manifest's file, as an absolute path, or `builtin:<name>`.
    pub file: String,
    /// Digest of the manifest's text and those it calls.
    pub digest: String,
    /// Inputs with defaults filled in; for a callee those known before the run.
    pub inputs: ValueMap,
    /// The run is a rehearsal: servers that have an adapter are simulated, and no GPU is leased.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rehearsal: bool,
    /// Nodes in the author's order.
    pub nodes: Vec<PlanNode>,
    /// Declared outputs: name to its declaration (`type`, `unit`, `columns`), for rendering.
    pub outputs: Value,
}
