//! What the executor knows while it works: scopes, nodes, instances. Rebuilt at each start from plan and journal.

use assay_manifest::{ManifestKind, OnFail};
use assay_plan::{ManifestPlan, NodeId};
use assay_protocol::{GateDecided, Status, Value, ValueMap};
use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;

/// Index of a scope in [`World::scopes`].
pub(crate) type ScopeId = usize;

/// One attempt-bearing unit: a step, or one instance of a `foreach`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Unit {
    pub scope: ScopeId,
    pub node: NodeId,
    pub instance: u32,
}

/// How a unit ended.
#[derive(Debug, Clone)]
pub(crate) struct End {
    pub status: Status,
    pub reason: String,
    pub exit: Option<i32>,
    pub signal: Option<String>,
    pub duration_s: f64,
    pub outputs: Rc<ValueMap>,
    pub stdout: Option<String>,
    pub stderr: Option<String>,
    pub warned: bool,
}

impl End {
    pub(crate) fn bare(status: Status, reason: impl Into<String>) -> Self {
        Self {
            status,
            reason: reason.into(),
            exit: None,
            signal: None,
            duration_s: 0.0,
            outputs: Rc::default(),
            stdout: None,
            stderr: None,
            warned: false,
        }
    }

    pub(crate) fn satisfies_needs(&self) -> bool {
        self.warned || self.status.satisfies_needs()
    }
}

/// One instance of a step; a step without `foreach` has exactly one.
#[derive(Debug, Default)]
pub(crate) struct Instance {
    pub key: Option<Box<str>>,
    pub each: ValueMap,
    pub attempts: u32,
    pub end: Option<End>,
    /// Outputs of a server that is ready.
    pub ready: Option<Rc<ValueMap>>,
    /// Hash of the outputs that count for those who read them.
    pub outputs_hash: Option<String>,
    /// It ran (again) in this engine, so what depends on it cannot keep an older result.
    pub ran: bool,
}

/// Where a node stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// Waits for what comes before.
    Pending,
    /// Its instances are on their way.
    Active,
    /// It has ended.
    Ended(Status),
}

/// A node of a scope while it runs.
#[derive(Debug)]
pub(crate) struct NodeRun {
    /// Nodes before it that have not let it go yet.
    pub waiting: u32,
    pub life: Life,
    pub looped: bool,
    pub warned: bool,
    pub reason: String,
    pub instances: Vec<Instance>,
    /// Instances that have not ended.
    pub open: u32,
    /// Instances that are not ready (servers).
    pub unready: u32,
    /// Those who required this server and have not ended; `None` until it is ready.
    pub readers: Option<u32>,
    /// The decision, for a gate.
    pub gate: Option<Box<GateDecided>>,
    /// It ran, or was decided, in this engine.
    pub ran: bool,
}

impl NodeRun {
    pub(crate) fn satisfies_needs(&self) -> bool {
        match (&self.gate, self.life) {
            (Some(gate), Life::Ended(_)) => gate.outcome.satisfies_needs(),
            (None, Life::Ended(status)) => self.warned || status.satisfies_needs(),
            // A server satisfies while it is ready.
            (None, Life::Active) => self.readers.is_some(),
            _ => false,
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.life, Life::Ended(_))
    }
}

/// In which part of its life a scope is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Steps and gates.
    Main,
    /// `finally`.
    Finally,
    /// Servers stop.
    Stopping,
    /// Over.
    Over,
}

/// Why a scope starts nothing more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Halt {
    pub status: Status,
    pub reason: String,
}

/// One call of a manifest; the run itself is scope 0.
#[derive(Debug)]
pub(crate) struct Scope {
    pub plan: Rc<ManifestPlan>,
    /// `""`, or `call[key]/`.
    pub prefix: String,
    /// Folder of the scope's steps relative to the run directory, with a final slash.
    pub folder: String,
    pub parent: Option<Unit>,
    pub inputs: ValueMap,
    pub nodes: Vec<NodeRun>,
    /// Steps, gates and deliveries that have not ended, `finally` excluded.
    pub open_main: u32,
    pub open_finally: u32,
    pub phase: Phase,
    pub halt: Option<Halt>,
    pub scratch: PathBuf,
    /// Values of `env` at the top of the manifest and of what `pass_env` lets through, secrets excepted.
    pub env: ValueMap,
    /// Secrets this call may hand to its steps: name to value.
    pub secrets: Rc<HashMap<String, String>>,
    /// The branch took itself out.
    pub excluded: Option<String>,
    /// When it was opened, seconds since the engine's start.
    pub opened_s: f64,
    /// The first delivery that could not be placed, and why.
    pub undelivered: Option<String>,
    /// Declared outputs, once they were computed.
    pub outputs: Option<(ValueMap, ValueMap)>,
}

impl Scope {
    pub(crate) fn path_of(&self, node: NodeId) -> String {
        format!("{}{}", self.prefix, self.plan.id(node))
    }

    pub(crate) fn is_branchable(&self) -> bool {
        self.plan.manifest.kind == ManifestKind::Skill
    }
}

/// Everything.
#[derive(Debug)]
pub(crate) struct World {
    pub scopes: Vec<Scope>,
    pub facts: Value,
    /// `run.id`, `run.dir`, `run.date`; `run.rehearsal` below.
    pub run_id: String,
    pub run_dir: PathBuf,
    pub date: String,
    /// `run.rehearsal`: servers are simulated and no GPU is leased.
    pub rehearsal: bool,
}

impl World {
    pub(crate) fn node(&self, scope: ScopeId, node: NodeId) -> &NodeRun {
        &self.scopes[scope].nodes[node as usize]
    }

    pub(crate) fn node_mut(&mut self, scope: ScopeId, node: NodeId) -> &mut NodeRun {
        &mut self.scopes[scope].nodes[node as usize]
    }

    pub(crate) fn instance(&self, unit: Unit) -> &Instance {
        &self.node(unit.scope, unit.node).instances[unit.instance as usize]
    }

    pub(crate) fn instance_mut(&mut self, unit: Unit) -> &mut Instance {
        &mut self.node_mut(unit.scope, unit.node).instances[unit.instance as usize]
    }

    /// `call[key]/step[key]`.
    pub(crate) fn path(&self, unit: Unit) -> String {
        let scope = &self.scopes[unit.scope];
        let instance = self.instance(unit);
        match &instance.key {
            Some(key) => format!("{}{}[{key}]", scope.prefix, scope.plan.id(unit.node)),
            None => scope.path_of(unit.node),
        }
    }

    /// The unit's folder relative to the run directory: `steps/call/0-key/step/1-key`.
    pub(crate) fn folder(&self, unit: Unit) -> String {
        let scope = &self.scopes[unit.scope];
        let id = scope.plan.id(unit.node);
        match &self.instance(unit).key {
            Some(key) => format!("{}{id}/{}-{}", scope.folder, unit.instance, assay_store::slug(key)),
            None => format!("{}{id}", scope.folder),
        }
    }

    pub(crate) fn on_fail(&self, unit: Unit) -> OnFail {
        self.scopes[unit.scope].plan.step(unit.node).map(|step| step.on_fail).unwrap_or_default()
    }
}
