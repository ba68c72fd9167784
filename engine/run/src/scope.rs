//! What an expression of a manifest can read, taken from the world.

use crate::world::{End, Instance, Life, NodeRun, Scope, ScopeId, Unit, World};
use assay_manifest::StepCatalog;
use assay_manifest::expr::{Key, Lookup, Scope as ExprScope, descend};
use assay_manifest::{COMMON_OUTPUTS, Uses};
use assay_plan::NodeId;
use assay_plan::fingerprint::VOLATILE;
use assay_protocol::{Value, ValueMap};
use std::borrow::Cow;
use std::path::Path;

/// A place in the world from which an expression is evaluated.
pub(crate) struct View<'w> {
    pub world: &'w World,
    pub scope: ScopeId,
    pub each: Option<&'w ValueMap>,
    /// `self`: what the step itself knows (a server's port, a response).
    pub own: Option<&'w Value>,
    pub step_dir: Option<&'w Path>,
    pub gpus: &'w [u32],
    /// `outputs`, in deliveries only.
    pub outputs: Option<&'w ValueMap>,
    /// Set for fingerprints: what differs from run to run reads as a constant.
    pub steady: Option<&'w StepCatalog>,
}

impl<'w> View<'w> {
    pub(crate) fn new(world: &'w World, scope: ScopeId) -> Self {
        Self { world, scope, each: None, own: None, step_dir: None, gpus: &[], outputs: None, steady: None }
    }

    /// The view of a unit, with its loop values.
    pub(crate) fn of_unit(world: &'w World, unit: Unit) -> Self {
        let each = &world.instance(unit).each;
        Self { each: (!each.is_empty()).then_some(each), ..Self::new(world, unit.scope) }
    }

    fn scope(&self) -> &'w Scope {
        &self.world.scopes[self.scope]
    }

    fn steady_constant(&self) -> Option<Lookup<'w>> {
        self.steady.map(|_| owned(Value::from(VOLATILE)))
    }

    fn run(&self, path: &[Key<'_>]) -> Lookup<'w> {
        let name = path.first().and_then(Key::name);
        // True or false all run long, and a condition on it has to be decided.
        if let Some(constant) = self.steady_constant().filter(|_| name != Some("rehearsal")) {
            return constant;
        }
        let value = match name {
            Some("id") => Value::from(self.world.run_id.as_str()),
            Some("dir") => path_value(&self.world.run_dir),
            Some("scratch") => path_value(&self.scope().scratch),
            Some("date") => Value::from(self.world.date.as_str()),
            Some("gpus") => Value::from(self.gpus.to_vec()),
            Some("rehearsal") => Value::from(self.world.rehearsal),
            _ => {
                let known = "`run` has `id`, `dir`, `scratch`, `date`, `gpus` and `rehearsal`";
                return undefined(known.to_owned());
            }
        };
        rest_of(Cow::Owned(value), &path[1..], "run")
    }

    fn steps(&self, path: &[Key<'_>]) -> Lookup<'w> {
        let Some(id) = path.first().and_then(Key::name) else {
            return undefined("`steps` needs the id of a step".to_owned());
        };
        let plan = &self.scope().plan;
        let Some(node) = plan.by_id.get(id).copied().filter(|node| plan.step(*node).is_some()) else {
            return undefined(format!("there is no step `{id}`"));
        };
        let run = self.world.node(self.scope, node);
        if !run.looped {
            return match run.instances.first() {
                Some(instance) => self.instance(id, node, run, instance, &path[1..]),
                None => undefined(not_there(id, run)),
            };
        }
        match path.get(1) {
            None => owned(self.all_instances(node, run)),
            Some(Key::Name(key)) if matches!(key.as_ref(), "status" | "reason") && path.len() == 2 => {
                // A looped step has a status of its own too.
                self.node_field(key, run)
            }
            Some(Key::Name(key)) => {
                match run.instances.iter().find(|instance| instance.key.as_deref() == Some(key.as_ref())) {
                    Some(instance) => {
                        let shown = format!("{id}['{key}']");
                        self.instance(&shown, node, run, instance, &path[2..])
                    }
                    None if run.instances.is_empty() => undefined(not_there(id, run)),
                    None => undefined(format!("step `{id}` has no instance `{key}`")),
                }
            }
            Some(Key::Index(index)) => {
                let length = run.instances.len() as i64;
                let at = if *index < 0 { length + index } else { *index };
                match usize::try_from(at).ok().and_then(|at| run.instances.get(at)) {
                    Some(instance) => {
                        self.instance(&format!("{id}[{index}]"), node, run, instance, &path[2..])
                    }
                    None => undefined(format!("step `{id}` has {length} instances")),
                }
            }
        }
    }

    fn node_field(&self, name: &str, run: &NodeRun) -> Lookup<'w> {
        match (name, run.life) {
            ("status", Life::Ended(status)) => owned(Value::from(status.word())),
            ("reason", Life::Ended(_)) => owned(Value::from(run.reason.as_str())),
            _ => undefined("it has not ended".to_owned()),
        }
    }

    /// `{key, each, status, reason, <outputs>}` of every instance, in order.
    fn all_instances(&self, node: NodeId, run: &NodeRun) -> Value {
        let entries = run.instances.iter().map(|instance| self.whole_instance(node, instance));
        Value::Array(entries.collect())
    }

    fn whole_instance(&self, node: NodeId, instance: &Instance) -> Value {
        let mut entry = ValueMap::new();
        if let Some(key) = &instance.key {
            entry.insert("key".to_owned(), Value::from(key.as_ref()));
            entry.insert("each".to_owned(), Value::Object(instance.each.clone()));
        }
        for common in COMMON_OUTPUTS {
            let volatile = common.volatile && self.steady.is_some();
            if let Some(value) = common_output(instance, common.name, &self.world.run_dir) {
                let value = if volatile { Value::from(VOLATILE) } else { value };
                entry.insert(common.name.to_owned(), value);
            }
        }
        for (name, value) in outputs_of(instance).into_iter().flatten() {
            let volatile = self.is_volatile(node, name);
            entry.insert(name.clone(), if volatile { Value::from(VOLATILE) } else { value.clone() });
        }
        Value::Object(entry)
    }

    fn is_volatile(&self, node: NodeId, name: &str) -> bool {
        self.steady.is_some_and(|catalog| is_volatile(self.scope(), node, name, catalog))
    }

    fn instance(
        &self,
        shown: &str,
        node: NodeId,
        run: &'w NodeRun,
        instance: &'w Instance,
        path: &[Key<'_>],
    ) -> Lookup<'w> {
        let Some(name) = path.first().and_then(Key::name) else {
            return owned(self.whole_instance(node, instance));
        };
        if self.is_volatile(node, name) {
            return owned(Value::from(VOLATILE));
        }
        let under = format!("steps.{shown}.{name}");
        if let Some(value) = outputs_of(instance).and_then(|outputs| outputs.get(name)) {
            return rest_of(Cow::Borrowed(value), &path[1..], &under);
        }
        match name {
            "key" if instance.key.is_some() => {
                owned(Value::from(instance.key.as_deref().unwrap_or_default()))
            }
            "each" if run.looped => static_rest(Value::Object(instance.each.clone()), &path[1..], &under),
            _ => match common_output(instance, name, &self.world.run_dir) {
                Some(value) => static_rest(value, &path[1..], &under),
                None => undefined(why_missing(shown, name, run, instance)),
            },
        }
    }

    fn gates(&self, path: &[Key<'_>]) -> Lookup<'w> {
        let Some(id) = path.first().and_then(Key::name) else {
            return undefined("`gates` needs the id of a gate".to_owned());
        };
        let plan = &self.scope().plan;
        let Some(node) = plan.by_id.get(id).copied().filter(|node| plan.gate(*node).is_some()) else {
            return undefined(format!("there is no gate `{id}`"));
        };
        let Some(gate) = &self.world.node(self.scope, node).gate else {
            return undefined(format!("gate `{id}` is not decided"));
        };
        let mut value = ValueMap::new();
        value.insert("outcome".to_owned(), Value::from(gate.outcome.word()));
        value.insert("passed".to_owned(), Value::from(gate.passed));
        value.insert("wanted".to_owned(), Value::from(gate.wanted.as_str()));
        value.insert("measured".to_owned(), Value::from(gate.measured.as_str()));
        value.insert("reason".to_owned(), Value::from(gate.reason.as_str()));
        static_rest(Value::Object(value), &path[1..], &format!("gates.{id}"))
    }
}

impl ExprScope for View<'_> {
    fn resolve(&self, root: &str, path: &[Key<'_>]) -> Lookup<'_> {
        let scope = self.scope();
        match root {
            "inputs" => in_map(&scope.inputs, path, "inputs"),
            "steps" => self.steps(path),
            "gates" => self.gates(path),
            "each" => match self.each {
                Some(each) => in_map(each, path, "each"),
                None => undefined("nothing is looped over here".to_owned()),
            },
            "self" => match self.own {
                Some(own) => rest_of(Cow::Borrowed(own), path, "self"),
                None => undefined("`self` is known only inside the step's own configuration".to_owned()),
            },
            "step" => match (self.step_dir, path.first().and_then(Key::name)) {
                (Some(_), Some("dir")) if self.steady.is_some() => owned(Value::from(VOLATILE)),
                (Some(dir), Some("dir")) => owned(path_value(dir)),
                _ => undefined("`step.dir` is known only inside a step".to_owned()),
            },
            "run" => self.run(path),
            "skill" => match path.first().and_then(Key::name) {
                Some("dir") => owned(path_value(&scope.plan.manifest.origin.dir)),
                _ => undefined("`skill` has `dir`".to_owned()),
            },
            "facts" => rest_of(Cow::Borrowed(&self.world.facts), path, "facts"),
            "env" => in_map(&scope.env, path, "env"),
            "outputs" => match self.outputs {
                Some(outputs) => in_map(outputs, path, "outputs"),
                None => Lookup::UnknownRoot,
            },
            _ => Lookup::UnknownRoot,
        }
    }
}

/// Whether an output differs from run to run by nature.
pub(crate) fn is_volatile(scope: &Scope, node: NodeId, name: &str, catalog: &StepCatalog) -> bool {
    if let Some(common) = COMMON_OUTPUTS.iter().find(|output| output.name == name) {
        return common.volatile;
    }
    match scope.plan.step(node).map(|step| &step.uses.value) {
        Some(Uses::Kind(kind)) => catalog
            .steps
            .get(kind.as_str())
            .and_then(|kind| kind.outputs.iter().find(|output| output.name == name))
            .is_some_and(|output| output.volatile),
        _ => false,
    }
}

fn outputs_of(instance: &Instance) -> Option<&ValueMap> {
    match (&instance.end, &instance.ready) {
        (Some(end), _) => Some(&end.outputs),
        (None, Some(ready)) => Some(ready),
        (None, None) => None,
    }
}

fn common_output(instance: &Instance, name: &str, run_dir: &Path) -> Option<Value> {
    if name == "attempts" {
        return Some(Value::from(instance.attempts));
    }
    let end: &End = instance.end.as_ref()?;
    let log = |path: &Option<String>| path.as_ref().map(|path| path_value(&run_dir.join(path)));
    match name {
        "status" => Some(Value::from(end.status.word())),
        "reason" => Some(Value::from(end.reason.as_str())),
        // A step that started has both; that there was none is a fact and no missing output.
        "exit" | "signal" if instance.attempts == 0 => None,
        "exit" => Some(end.exit.map_or(Value::Null, Value::from)),
        "signal" => Some(end.signal.as_deref().map_or(Value::Null, Value::from)),
        "duration_s" => Some(Value::from(end.duration_s)),
        "stdout" => log(&end.stdout),
        "stderr" => log(&end.stderr),
        _ => None,
    }
}

fn not_there(id: &str, run: &NodeRun) -> String {
    match run.life {
        Life::Ended(status) if run.reason.is_empty() => format!("step `{id}` is {}", status.word()),
        Life::Ended(status) => format!("step `{id}` is {}: {}", status.word(), run.reason),
        _ => format!("step `{id}` has not run"),
    }
}

fn why_missing(shown: &str, name: &str, run: &NodeRun, instance: &Instance) -> String {
    match &instance.end {
        Some(end) if end.reason.is_empty() => {
            format!("step `{shown}` is {}, and it has no `{name}`", end.status.word())
        }
        Some(end) => {
            format!("step `{shown}` is {} ({}), so it has no `{name}`", end.status.word(), end.reason)
        }
        None => not_there(shown, run),
    }
}

fn path_value(path: &Path) -> Value {
    Value::from(path.to_string_lossy().into_owned())
}

fn owned<'a>(value: Value) -> Lookup<'a> {
    Lookup::Value(Cow::Owned(value))
}

fn undefined<'a>(why: String) -> Lookup<'a> {
    Lookup::Undefined { why }
}

fn rest_of<'a>(value: Cow<'a, Value>, path: &[Key<'_>], shown: &str) -> Lookup<'a> {
    descend(value, path, shown)
}

fn static_rest<'a>(value: Value, path: &[Key<'_>], shown: &str) -> Lookup<'a> {
    descend(Cow::Owned(value), path, shown)
}

fn in_map<'a>(map: &'a ValueMap, path: &[Key<'_>], root: &str) -> Lookup<'a> {
    match path.first() {
        None => owned(Value::Object(map.clone())),
        Some(Key::Name(name)) => match map.get(name.as_ref()) {
            Some(value) => rest_of(Cow::Borrowed(value), &path[1..], &format!("{root}.{name}")),
            None => undefined(format!("`{root}` has no `{name}`")),
        },
        Some(Key::Index(_)) => undefined(format!("`{root}` is a mapping, not a list")),
    }
}
