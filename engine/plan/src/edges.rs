//! Edges: `needs` plus every reference to another step or gate.

use crate::check::instead;
use crate::node::{Dep, ManifestPlan, Node, NodeId, What};
use assay_diagnostics::{Diagnostic, Span, did_you_mean, is_worth_suggesting};
use assay_manifest::expr::{Reference, Segment};
use assay_manifest::{
    At, Config, DeliverFrom, Demand, ExprAt, Field, Gate, Output, OutputKind, Step, TextAt,
};
use std::collections::HashMap;

/// Makes a node of every step, gate, delivery and finally step.
pub(crate) fn add_nodes(plan: &mut ManifestPlan) {
    let manifest = &plan.manifest;
    let whats = (0..manifest.steps.len() as u32)
        .map(What::Step)
        .chain((0..manifest.gates.len() as u32).map(What::Gate))
        .chain((0..manifest.deliver.len() as u32).map(What::Deliver))
        .chain((0..manifest.finally.len() as u32).map(What::Finally));
    plan.nodes = whats
        .map(|what| Node { what, deps: Vec::new(), dependents: Vec::new(), read_by_finally: false })
        .collect();
    for index in 0..plan.nodes.len() as NodeId {
        if !matches!(plan.nodes[index as usize].what, What::Deliver(_)) {
            let id = plan.id(index).to_owned();
            plan.by_id.entry(id).or_insert(index);
        }
    }
}

/// Connects them. Unknown ids in `needs` are findings; unknown references were reported by `check`.
///
/// Behind `most` edges none are added, which is an error: a thousand delivered templates that each wait for a thousand steps
/// would fill the memory.
pub(crate) fn connect(plan: &mut ManifestPlan, most: usize, findings: &mut Vec<Diagnostic>) {
    let mut all: Vec<Vec<Dep>> = Vec::with_capacity(plan.nodes.len());
    let mut pinned = Vec::new();
    let outputs = Outputs::new(plan);
    let mut edges = 0;
    for node in &plan.nodes {
        if edges > most {
            break;
        }
        let mut deps = Deps { plan, deps: Vec::new(), index: HashMap::new() };
        match node.what {
            What::Step(index) => {
                let step = &plan.manifest.steps[index as usize];
                deps.needs(&step.needs, findings, &format!("step `{}`", step.id.value), false);
                visit_step(step, &mut |reference, _| deps.reference(reference));
            }
            What::Gate(index) => {
                let gate = &plan.manifest.gates[index as usize];
                deps.needs(&gate.needs, findings, &format!("gate `{}`", gate.id.value), false);
                visit_gate(gate, &mut |reference, _| deps.reference(reference));
            }
            What::Deliver(index) => {
                let deliver = &plan.manifest.deliver[index as usize];
                visit_deliver(deliver, &mut |reference, _| deps.waits(reference));
                outputs.of(deliver).for_each(|node| deps.add(node, false));
                if matches!(deliver.from, DeliverFrom::Template(_)) {
                    // The template may name any step or gate, and is read only when it is rendered.
                    deps.waits_for_everything();
                }
            }
            What::Finally(index) => {
                let step = &plan.manifest.finally[index as usize];
                deps.needs(&step.needs, findings, &format!("finally step `{}`", step.id.value), true);
                visit_step(step, &mut |reference, _| pinned.extend(deps.finally_reference(reference)));
            }
        }
        edges += deps.deps.len();
        if edges > most {
            findings.push(too_many(plan, node.what, most));
        }
        all.push(deps.deps);
    }
    for (index, deps) in all.into_iter().enumerate() {
        for dep in &deps {
            plan.nodes[dep.node as usize].dependents.push(index as NodeId);
        }
        plan.nodes[index].deps = deps;
    }
    for node in pinned {
        plan.nodes[node as usize].read_by_finally = true;
    }
}

/// Edges of one node up to which looking through them is quicker than an index.
const FEW: usize = 32;

fn too_many(plan: &ManifestPlan, what: What, most: usize) -> Diagnostic {
    let manifest = &plan.manifest;
    let span = match what {
        What::Step(index) => manifest.steps[index as usize].id.span,
        What::Gate(index) => manifest.gates[index as usize].id.span,
        What::Deliver(index) => manifest.deliver[index as usize].path.span,
        What::Finally(index) => manifest.finally[index as usize].id.span,
    };
    Diagnostic::error("too-many-edges", format!("the steps wait for each other in more than {most} ways"))
        .at(span, "the limit is passed here")
        .help("let one step gather what many read; a delivered template waits for every step and gate")
}

/// The nodes that the outputs of a manifest read, each once.
struct Outputs<'p> {
    by_name: HashMap<&'p str, Vec<NodeId>>,
    all: Vec<NodeId>,
}

impl<'p> Outputs<'p> {
    fn new(plan: &'p ManifestPlan) -> Self {
        let mut every = Deps { plan, deps: Vec::new(), index: HashMap::new() };
        let mut by_name: HashMap<&str, Vec<NodeId>> = HashMap::new();
        for output in &plan.manifest.outputs {
            let own = by_name.entry(&output.name.value).or_default();
            visit_output(output, &mut |reference, _| {
                own.extend(every.target(reference));
                every.waits(reference);
            });
        }
        Self { by_name, all: every.deps.iter().map(|dep| dep.node).collect() }
    }

    fn of(&self, deliver: &assay_manifest::Deliver) -> impl Iterator<Item = NodeId> {
        let named = delivered(deliver);
        let all = if named.is_none() { self.all.as_slice() } else { &[] };
        let named = named.unwrap_or_default().into_iter().filter_map(|name| self.by_name.get(name)).flatten();
        all.iter().chain(named).copied()
    }
}

struct Deps<'p> {
    plan: &'p ManifestPlan,
    deps: Vec<Dep>,
    /// Where the edge to a node stands in `deps`, once there are many.
    index: HashMap<NodeId, usize>,
}

impl Deps<'_> {
    fn add(&mut self, node: NodeId, requires_success: bool) {
        let known = match self.deps.len() {
            0..FEW => self.deps.iter().position(|dep| dep.node == node),
            _ => self.index.get(&node).copied(),
        };
        if let Some(at) = known {
            self.deps[at].requires_success |= requires_success;
            return;
        }
        self.deps.push(Dep { node, requires_success });
        match self.deps.len() {
            0..FEW => {}
            FEW => self.index = self.deps.iter().enumerate().map(|(at, dep)| (dep.node, at)).collect(),
            many => _ = self.index.insert(node, many - 1),
        }
    }

    fn target(&self, reference: &Reference) -> Option<NodeId> {
        if !matches!(reference.root.as_str(), "steps" | "gates") {
            return None;
        }
        match reference.path.first() {
            Some(Segment::Name(id)) => self
                .plan
                .by_id
                .get(id.as_str())
                .copied()
                // `steps.<gate>` names nothing and was reported: no edge may follow from it.
                .filter(|node| self.plan.gate(*node).is_some() == (reference.root == "gates")),
            _ => None,
        }
    }

    fn reference(&mut self, reference: &Reference) {
        if let Some(node) = self.target(reference) {
            let waits = reference.root == "gates" || reads_status(self.plan, node, reference);
            self.add(node, !waits);
        }
    }

    fn waits(&mut self, reference: &Reference) {
        if let Some(node) = self.target(reference) {
            self.add(node, false);
        }
    }

    fn waits_for_everything(&mut self) {
        for (index, node) in self.plan.nodes.iter().enumerate() {
            if matches!(node.what, What::Step(_) | What::Gate(_)) {
                self.add(index as NodeId, false);
            }
        }
    }

    /// Steps of `finally` run whatever happened: only those among themselves are edges. Gives any other node it reads.
    fn finally_reference(&mut self, reference: &Reference) -> Option<NodeId> {
        let node = self.target(reference)?;
        if !matches!(self.plan.nodes[node as usize].what, What::Finally(_)) {
            return Some(node);
        }
        self.add(node, !reads_status(self.plan, node, reference));
        None
    }

    fn needs(&mut self, needs: &[At<String>], findings: &mut Vec<Diagnostic>, what: &str, finally: bool) {
        for need in needs {
            let node =
                self.plan.by_id.get(need.value.as_str()).copied().filter(|node| {
                    finally == matches!(self.plan.nodes[*node as usize].what, What::Finally(_))
                });
            let manifest = &self.plan.manifest;
            match node {
                Some(node) => self.add(node, true),
                // What was declared with errors was reported there.
                None if ["steps", "gates"].iter().any(|s| manifest.is_broken(s, &need.value)) => {}
                None => {
                    let suggest = is_worth_suggesting(findings.len(), self.plan.by_id.len());
                    findings.push(unknown_need(self.plan, need, what, finally, suggest));
                }
            }
        }
    }
}

/// `steps.x.status` and `steps.x['key'].status` only wait.
fn reads_status(plan: &ManifestPlan, node: NodeId, reference: &Reference) -> bool {
    let looped = plan.step(node).is_some_and(|step| step.foreach.is_some());
    let at = if looped { 2 } else { 1 };
    matches!(reference.path.get(at), Some(Segment::Name(name)) if name == "status")
}

fn unknown_need(
    plan: &ManifestPlan,
    need: &At<String>,
    what: &str,
    finally: bool,
    suggest: bool,
) -> Diagnostic {
    let exists = plan.by_id.get(need.value.as_str());
    let check = plan.manifest.preflight.iter().any(|check| check.id.value == need.value);
    let message = match exists {
        None if check => format!("{what} cannot need the check `{}`", need.value),
        Some(_) if finally => format!("{what} comes after everything already, `{}` too", need.value),
        Some(_) => format!("{what} cannot need `{}`, which runs in `finally`", need.value),
        None => format!("{what} needs `{}`, which does not exist", need.value),
    };
    let label = match exists {
        None if check => "no step starts before all checks passed",
        None => "no such step or gate",
        Some(_) if finally => "has ended before `finally` starts",
        Some(_) => "runs after all steps",
    };
    let mut finding = Diagnostic::error("unknown-reference", message).at(need.span, label);
    let known = plan.by_id.keys().map(String::as_str).take(if suggest { usize::MAX } else { 0 });
    if exists.is_some() || check {
        finding = finding.help("remove it from `needs`");
    } else if let Some(near) = did_you_mean(&need.value, known) {
        finding = finding.help(format!("did you mean `{near}`?")).fix(instead(need.span, near));
    } else {
        finding = finding.help("name a step or a gate of this manifest");
    }
    finding
}

/// Gets every reference with its place.
pub type Visit<'a, 'v> = &'v mut dyn FnMut(&'a Reference, Span);

pub(crate) fn visit_expr<'a>(at: &'a ExprAt, visit: Visit<'a, '_>) {
    at.expr.refs().iter().for_each(|reference| visit(reference, reference.place_in(at.span)));
}

pub(crate) fn visit_text<'a>(at: &'a TextAt, visit: Visit<'a, '_>) {
    at.template.refs().iter().for_each(|reference| visit(reference, reference.place_in(at.span)));
}

fn visit_field<'a>(field: &'a Field, visit: Visit<'a, '_>) {
    if let Field::Template(text) = field {
        visit_text(text, visit);
    }
}

fn visit_config<'a>(config: &'a Config, visit: Visit<'a, '_>) {
    config.visit_refs(visit);
}

/// Every reference of a step.
pub fn visit_step<'a>(step: &'a Step, visit: Visit<'a, '_>) {
    visit_config(&step.with, visit);
    if let Some(when) = &step.when {
        visit_expr(when, visit);
    }
    if let Some(foreach) = &step.foreach {
        foreach.lists.iter().for_each(|(_, list)| visit_config(list, visit));
    }
    if let Some(timeout) = &step.timeout {
        visit_field(timeout, visit);
    }
    if let Some(resources) = &step.resources {
        visit_field(&resources.cpus, visit);
        visit_field(&resources.gpus, visit);
        if let Some(memory) = &resources.memory {
            visit_field(memory, visit);
        }
        resources.locks.iter().for_each(|lock| visit_text(lock, visit));
    }
    step.files.iter().for_each(|(_, path)| visit_text(path, visit));
    step.reads.iter().for_each(|path| visit_text(path, visit));
    step.env.iter().for_each(|(_, value)| visit_text(value, visit));
    if let Some(cwd) = &step.cwd {
        visit_text(cwd, visit);
    }
}

/// Every reference of a gate.
pub fn visit_gate<'a>(gate: &'a Gate, visit: Visit<'a, '_>) {
    match &gate.demand {
        Demand::Assert(expr) => visit_expr(expr, visit),
        Demand::Compare { step, threshold, .. } => {
            visit_expr(step, visit);
            if let Some(threshold) = threshold {
                visit_field(threshold, visit);
            }
        }
    }
    if let Some(when) = &gate.when {
        visit_expr(when, visit);
    }
}

/// Every reference of an output.
pub fn visit_output<'a>(output: &'a Output, visit: Visit<'a, '_>) {
    match &output.kind {
        OutputKind::Value { value, .. } => visit_expr(value, visit),
        OutputKind::Table { rows, .. } => visit_expr(rows, visit),
    }
}

/// Every reference that a delivery writes itself; those of the outputs in it are references of the outputs.
pub fn visit_deliver<'a>(deliver: &'a assay_manifest::Deliver, visit: Visit<'a, '_>) {
    visit_text(&deliver.path, visit);
    match &deliver.from {
        DeliverFrom::Value(expr) => {
            let own = expr.expr.refs().iter().filter(|reference| reference.root != "outputs");
            own.for_each(|reference| visit(reference, reference.place_in(expr.span)));
        }
        DeliverFrom::Template(text) => visit_text(text, visit),
    }
}

/// The outputs that a delivery reads; `None`: all of them.
fn delivered(deliver: &assay_manifest::Deliver) -> Option<Vec<&str>> {
    // The template file is read when the run ends; it may name anything.
    let DeliverFrom::Value(expr) = &deliver.from else { return None };
    let outputs = expr.expr.refs().iter().filter(|reference| reference.root == "outputs");
    outputs
        .map(|reference| match reference.path.first() {
            Some(Segment::Name(name)) => Some(name.as_str()),
            _ => None,
        })
        .collect()
}
