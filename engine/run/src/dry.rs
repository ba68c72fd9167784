//! `--dry-run`: walks conditions, loops and calls with stubbed results. Nothing runs, nothing is written.

use crate::engine::Engine;
use crate::scope::View;
use crate::step::Registry;
use crate::world::{End, Instance, Life, Phase, Scope, ScopeId, Unit, World};
use assay_manifest::{ConfigKind, Step, Uses, absolute, input};
use assay_plan::{ManifestPlan, NodeId, What};
use assay_protocol::{GateDecided, Outcome, Status, Value, ValueMap};
use serde::Serialize;
use serde_json::json;
use std::cell::RefCell;
use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;

/// What would become of one step, instance, gate or call.
#[derive(Debug, Clone, Serialize)]
pub struct DryStep {
    /// `call[key]/step[key]`.
    pub path: String,
    /// Step type, `skill:<name>`, or `gate`.
    pub uses: String,
    /// `run`, `skip`, `decide` (gates), or `unknown` where only real results can tell.
    pub would: &'static str,
    /// Why.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The command, where the step is one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
}

/// Walks a plan with its inputs. `facts` as expressions see it.
pub fn dry_run(
    plan: &Rc<ManifestPlan>,
    inputs: &ValueMap,
    facts: Value,
    registry: &Registry,
) -> Vec<DryStep> {
    let world = World {
        scopes: Vec::new(),
        facts,
        run_id: "dry-run".to_owned(),
        run_dir: PathBuf::from("/dry-run"),
        date: crate::facts::today(),
        rehearsal: false,
    };
    let mut walk = Walk { world, registry, steps: Vec::new() };
    walk.scope(plan, None, inputs.clone());
    walk.steps
}

/// `facts` of this host, without those that need a process.
pub fn host_facts() -> Value {
    Value::Object(crate::facts::host_facts(&crate::facts::gpu_ids()))
}

struct Walk<'r> {
    world: World,
    registry: &'r Registry,
    steps: Vec<DryStep>,
}

impl Walk<'_> {
    fn scope(&mut self, plan: &Rc<ManifestPlan>, parent: Option<Unit>, inputs: ValueMap) -> ScopeId {
        let prefix = parent.map(|unit| format!("{}/", self.world.path(unit))).unwrap_or_default();
        let nodes = plan.nodes.iter().enumerate().map(|(index, node)| {
            let looped = plan.step(index as NodeId).is_some_and(|step| step.foreach.is_some());
            Engine::fresh_node(node.deps.len() as u32, looped)
        });
        let env =
            plan.manifest.env.iter().map(|(name, text)| (name.clone(), Value::from(text.template.source())));
        let scope = Scope {
            nodes: nodes.collect(),
            plan: Rc::clone(plan),
            folder: String::new(),
            parent,
            inputs,
            open_main: 0,
            open_finally: 0,
            phase: Phase::Main,
            halt: None,
            scratch: PathBuf::from("/dry-run/scratch").join(&prefix),
            prefix,
            env: env.collect(),
            secrets: Rc::new(HashMap::new()),
            excluded: None,
            undelivered: None,
            opened_s: 0.0,
            outputs: None,
        };
        self.world.scopes.push(scope);
        let id = self.world.scopes.len() - 1;
        for node in order(plan) {
            self.node(id, node);
        }
        id
    }

    fn say(&mut self, path: String, uses: String, would: &'static str, reason: String, command: Vec<String>) {
        self.steps.push(DryStep { path, uses, would, reason, command });
    }

    fn node(&mut self, scope: ScopeId, node: NodeId) {
        let plan = Rc::clone(&self.world.scopes[scope].plan);
        let path = self.world.scopes[scope].path_of(node);
        if let Some(gate) = plan.gate(node) {
            let wanted = match &gate.demand {
                assay_manifest::Demand::Assert(expr) => expr.expr.source().to_owned(),
                assay_manifest::Demand::Compare { step, .. } => step.expr.source().to_owned(),
            };
            let run = self.world.node_mut(scope, node);
            run.life = Life::Ended(Status::Passed);
            run.gate = Some(Box::new(GateDecided {
                gate: path.clone(),
                outcome: Outcome::Passed,
                passed: true,
                wanted: wanted.clone(),
                measured: String::new(),
                values: ValueMap::new(),
                reason: String::new(),
                baselines: Vec::new(),
            }));
            return self.say(path, "gate".to_owned(), "decide", wanted, Vec::new());
        }
        let Some(step) = plan.step(node) else { return };
        let uses = step.uses.value.word();
        let condition = step.when.as_ref().map(|when| when.expr.eval_bool(&View::new(&self.world, scope)));
        match condition {
            Some(Ok(false)) => {
                self.end(scope, node, Status::Skipped);
                return self.say(path, uses, "skip", "its `when` is false".to_owned(), Vec::new());
            }
            Some(Err(error)) => {
                self.say(path.clone(), uses.clone(), "unknown", format!("its `when`: {error}"), Vec::new());
            }
            _ => {}
        }
        let instances = match &step.foreach {
            None => Ok(vec![Instance::default()]),
            Some(foreach) => crate::foreach::expanded(foreach, &View::new(&self.world, scope)),
        };
        match instances {
            Ok(instances) if instances.is_empty() => {
                self.end(scope, node, Status::Skipped);
                self.say(path, uses, "skip", "its `foreach` list is empty".to_owned(), Vec::new());
            }
            Ok(instances) => {
                let count = instances.len() as u32;
                self.world.node_mut(scope, node).instances = instances;
                for instance in 0..count {
                    self.instance(Unit { scope, node, instance }, step);
                }
                self.world.node_mut(scope, node).life = Life::Ended(Status::Passed);
            }
            Err(reason) => {
                self.end(scope, node, Status::Passed);
                self.say(path, uses, "unknown", format!("its `foreach`: {reason}"), Vec::new());
            }
        }
    }

    fn end(&mut self, scope: ScopeId, node: NodeId, status: Status) {
        let run = self.world.node_mut(scope, node);
        run.life = Life::Ended(status);
        if !run.looped {
            run.instances = vec![Instance { end: Some(End::bare(status, "")), ..Instance::default() }];
        }
    }

    fn instance(&mut self, unit: Unit, step: &Step) {
        let path = self.world.path(unit);
        let uses = step.uses.value.word();
        let (outputs, said) = match &step.uses.value {
            Uses::Call(name) => self.call(unit, step, name),
            Uses::Kind(kind) => self.attempt(unit, step, kind),
        };
        match said {
            Ok(command) => self.say(path, uses, "run", String::new(), command),
            Err(reason) => self.say(path, uses, "unknown", reason, Vec::new()),
        }
        let end = End { outputs: Rc::new(outputs), exit: Some(0), ..End::bare(Status::Passed, "") };
        self.world.instance_mut(unit).end = Some(end);
    }

    fn attempt(&self, unit: Unit, step: &Step, kind: &str) -> (ValueMap, Result<Vec<String>, String>) {
        let own = json!({"port": 0});
        let dir = PathBuf::from("/dry-run/work");
        let view = View { own: Some(&own), step_dir: Some(&dir), ..View::of_unit(&self.world, unit) };
        let config = match step.with.render(&view) {
            Ok(config) => config,
            Err(error) => return (ValueMap::new(), Err(error.error.to_string())),
        };
        let mut outputs = self.registry.step_type(kind).map(|kind| kind.stub(&config)).unwrap_or_default();
        let skill = &self.world.scopes[unit.scope].plan.manifest.origin.dir;
        let files = step.files.iter().filter_map(|(name, text)| {
            let path = absolute(skill, &text.template.render_text(&view).ok()?);
            Some((name.value.clone(), json!({"path": path, "sha256": "", "bytes": 0})))
        });
        let files: ValueMap = files.collect();
        if !files.is_empty() {
            outputs.insert("files".to_owned(), Value::Object(files));
        }
        (outputs, Ok(command_of(&config)))
    }

    fn call(&mut self, unit: Unit, step: &Step, name: &str) -> (ValueMap, Result<Vec<String>, String>) {
        let caller = Rc::clone(&self.world.scopes[unit.scope].plan);
        let Some(callee) = caller.callees.get(name) else { return (ValueMap::new(), Ok(Vec::new())) };
        let given = match &step.with.kind {
            ConfigKind::Map(_) => step.with.render(&View::of_unit(&self.world, unit)),
            _ => Ok(Value::Object(ValueMap::new())),
        };
        let given = match given {
            Ok(given) => given.as_object().cloned().unwrap_or_default(),
            Err(error) => return (ValueMap::new(), Err(error.error.to_string())),
        };
        let inputs = match input::resolve(&callee.manifest, &given, &caller.manifest.origin.dir) {
            Ok(inputs) => inputs,
            Err(faults) => {
                let words: Vec<String> =
                    faults.iter().map(|(name, error)| format!("input `{name}`: {error}")).collect();
                return (ValueMap::new(), Err(words.join("; ")));
            }
        };
        let scope = self.scope(callee, Some(unit), inputs);
        let (outputs, _) = crate::deliver::outputs(&self.world, scope);
        (outputs, Ok(Vec::new()))
    }
}

fn command_of(config: &Value) -> Vec<String> {
    let words = |value: &Value| -> Vec<String> {
        let text = |item: &Value| item.as_str().map_or_else(|| item.to_string(), str::to_owned);
        value.as_array().map(|items| items.iter().map(text).collect()).unwrap_or_default()
    };
    match (config.get("argv"), config.get("shell").and_then(Value::as_str)) {
        (Some(argv), _) => words(argv),
        (None, Some(line)) => vec!["/bin/sh".to_owned(), "-c".to_owned(), line.to_owned()],
        (None, None) => Vec::new(),
    }
}

/// Nodes so that each comes after what it depends on; deliveries are left out, `finally` is last.
fn order(plan: &ManifestPlan) -> Vec<NodeId> {
    let done = RefCell::new(vec![false; plan.nodes.len()]);
    let mut order = Vec::with_capacity(plan.nodes.len());
    for finally in [false, true] {
        for start in 0..plan.nodes.len() as NodeId {
            let is_finally = matches!(plan.nodes[start as usize].what, What::Finally(_));
            if is_finally == finally {
                visit(plan, start, &done, &mut order);
            }
        }
    }
    order.retain(|node| !matches!(plan.nodes[*node as usize].what, What::Deliver(_)));
    order
}

/// Depth first with a stack of its own: a chain of 10,000 steps must not use up the thread's.
fn visit(plan: &ManifestPlan, start: NodeId, done: &RefCell<Vec<bool>>, order: &mut Vec<NodeId>) {
    let mut stack = vec![(start, 0)];
    while let Some((node, at)) = stack.pop() {
        if at == 0 && std::mem::replace(&mut done.borrow_mut()[node as usize], true) {
            continue;
        }
        match plan.nodes[node as usize].deps.get(at) {
            Some(dep) => {
                stack.push((node, at + 1));
                stack.push((dep.node, 0));
            }
            None => order.push(node),
        }
    }
}
