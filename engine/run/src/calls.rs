//! Calls of skills and workflows: a scope of their own, typed inputs and outputs, nothing else shared.

use crate::engine::Engine;
use crate::message::Message;
use crate::scope::View;
use crate::world::{End, Halt, Life, Phase, Scope, ScopeId, Unit};
use assay_manifest::{ConfigKind, OnFail, Uses, input};
use assay_plan::{ManifestPlan, NodeId, What};
use assay_protocol::{Event, Invalidated, Status, StepStarted, Value, ValueMap};
use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

impl Engine {
    /// A new scope; its checks come first.
    pub(crate) fn open_scope(
        &mut self,
        plan: Rc<ManifestPlan>,
        parent: Option<Unit>,
        inputs: ValueMap,
        secrets: Rc<HashMap<String, String>>,
    ) -> ScopeId {
        let (prefix, folder) = match parent {
            Some(unit) => {
                let world = self.world.borrow();
                (format!("{}/", world.path(unit)), format!("{}/", world.folder(unit)))
            }
            None => (String::new(), "steps/".to_owned()),
        };
        // Folders of calls inside this one stand beside `_`, which no id can be: nothing is shared.
        let scratch_name = format!("scratch/{}_", folder.trim_start_matches("steps/"));
        let scratch = match self.host.run.create_dirs(&scratch_name) {
            Ok(path) => path,
            Err(_) => self.host.run.path().join(&scratch_name),
        };
        let nodes = plan.nodes.iter().enumerate().map(|(index, node)| {
            let looped = plan.step(index as NodeId).is_some_and(|step| step.foreach.is_some());
            let phase = u32::from(matches!(node.what, What::Finally(_)));
            Self::fresh_node(node.deps.len() as u32 + phase, looped)
        });
        let count = |finally: bool| {
            let nodes = plan.nodes.iter();
            nodes
                .filter(|node| match node.what {
                    What::Finally(_) => finally,
                    What::Step(_) | What::Gate(_) => !finally,
                    What::Deliver(_) => false,
                })
                .count() as u32
        };
        let scope = Scope {
            nodes: nodes.collect(),
            open_main: count(false),
            open_finally: count(true),
            phase: Phase::Main,
            halt: None,
            prefix,
            folder,
            parent,
            inputs,
            scratch,
            env: self.scope_env(&plan, None).unwrap_or_default(),
            secrets,
            excluded: None,
            undelivered: None,
            opened_s: self.host.clock.elapsed_s(),
            outputs: None,
            plan,
        };
        let id = {
            let mut world = self.world.borrow_mut();
            world.scopes.push(scope);
            world.scopes.len() - 1
        };
        let env = {
            let world = self.world.borrow();
            let view = View::new(&world, id);
            self.scope_env(&world.scopes[id].plan, Some(&view))
        };
        match env {
            Ok(env) => {
                self.world.borrow_mut().scopes[id].env = env;
                self.check_scope(id);
            }
            Err(reason) => self.refuse_scope(id, Status::Failed, format!("`env`: {reason}")),
        }
        id
    }

    /// Checks are done: let the first nodes go.
    pub(crate) fn start_scope(&mut self, scope: ScopeId) {
        if self.options.preflight_only {
            self.end = Some(crate::job::RunEnd::new(assay_protocol::ExitCode::Ok));
            return;
        }
        let first: Vec<NodeId> = {
            let world = self.world.borrow();
            let nodes = world.scopes[scope].nodes.iter().enumerate();
            nodes.filter(|(_, run)| run.waiting == 0).map(|(index, _)| index as NodeId).collect()
        };
        self.ready.extend(first.into_iter().map(|node| (scope, node)));
        self.advance(scope);
    }

    /// Nothing of the scope runs, `finally` neither.
    pub(crate) fn refuse_scope(&mut self, scope: ScopeId, status: Status, reason: String) {
        {
            let mut world = self.world.borrow_mut();
            let here = &mut world.scopes[scope];
            here.halt = Some(Halt { status, reason });
            here.phase = Phase::Over;
        }
        self.finish_scope(scope);
    }

    pub(crate) fn start_call(&mut self, unit: Unit) {
        let made = self.call_inputs(unit);
        let (plan, inputs, secrets) = match made {
            Ok(made) => made,
            Err(reason) => {
                let path = self.world.borrow().path(unit);
                let warned = self.world.borrow().on_fail(unit) == OnFail::Warn;
                let end = End { warned, ..End::bare(Status::Failed, reason) };
                let record = crate::nodes::finished_record(&path, 0, &end);
                let seq = self.host.record(Event::StepFinished(record));
                return self.end_unit(unit, end, seq);
            }
        };
        let (attempt, path) = {
            let mut world = self.world.borrow_mut();
            let path = world.path(unit);
            let earlier = self.prior.get(&path).map_or(0, |node| node.attempts.len() as u32);
            let instance = world.instance_mut(unit);
            instance.attempts = instance.attempts.max(earlier) + 1;
            (instance.attempts, path)
        };
        let uses = format!("skill:{}", plan.manifest.name.value);
        self.host.record(Event::StepStarted(StepStarted {
            step: path,
            uses,
            attempt,
            fingerprint: String::new(),
            process: None,
            command: Vec::new(),
            live: Vec::new(),
            gpus: Vec::new(),
        }));
        let timeout = self.call_timeout(unit);
        let scope = self.open_scope(plan, Some(unit), inputs, Rc::new(secrets));
        if let Some(timeout) = timeout {
            let messages = self.messages.clone();
            tokio::task::spawn_local(async move {
                tokio::time::sleep(timeout).await;
                // The call may be over by then.
                let _ = messages.send(Message::CallTimedOut { unit, scope });
            });
        }
    }

    fn call_timeout(&self, unit: Unit) -> Option<Duration> {
        let world = self.world.borrow();
        let plan = Rc::clone(&world.scopes[unit.scope].plan);
        let field = plan.step(unit.node)?.timeout.as_ref()?;
        let value = self.field(field, &View::of_unit(&world, unit)).ok()?;
        let seconds = assay_manifest::Unit::Duration.from_value(&value).ok()?;
        Some(Duration::from_secs_f64(seconds.max(0.0)))
    }

    #[expect(clippy::type_complexity, reason = "one caller, three parts")]
    fn call_inputs(
        &self,
        unit: Unit,
    ) -> Result<(Rc<ManifestPlan>, ValueMap, HashMap<String, String>), String> {
        let world = self.world.borrow();
        let caller = &world.scopes[unit.scope];
        let step = caller.plan.step(unit.node).ok_or("the step is gone")?;
        let Uses::Call(name) = &step.uses.value else { return Err("this is no call".to_owned()) };
        let callee = caller.plan.callees.get(name).ok_or_else(|| format!("there is no skill `{name}`"))?;
        let view = View::of_unit(&world, unit);
        let given = match &step.with.kind {
            ConfigKind::Map(_) => step
                .with
                .render(&view)
                .map_err(|error| format!("{} ({})", error.error, self.place(error.span)))?,
            _ => Value::Object(ValueMap::new()),
        };
        let given = given.as_object().cloned().unwrap_or_default();
        let inputs =
            input::resolve(&callee.manifest, &given, &caller.plan.manifest.origin.dir).map_err(|faults| {
                let words: Vec<String> =
                    faults.iter().map(|(name, error)| format!("input `{name}`: {error}")).collect();
                words.join("; ")
            })?;
        let secrets = callee
            .manifest
            .secrets
            .iter()
            .filter(|secret| step.pass_env.iter().any(|name| name.value == secret.value))
            .filter_map(|secret| {
                let value = caller.secrets.get(&secret.value)?;
                Some((secret.value.clone(), value.clone()))
            })
            .collect();
        Ok((Rc::clone(callee), inputs, secrets))
    }

    pub(crate) fn on_call_timeout(&mut self, unit: Unit, scope: ScopeId) {
        let still_open = self.call_scope(unit) == Some(scope);
        if still_open {
            let halt =
                Halt { status: Status::TimedOut, reason: "the call ran into its `timeout`".to_owned() };
            self.halt_scope(scope, &halt);
        }
    }

    /// Every node, `finally` and every server of the scope is over.
    pub(crate) fn finish_scope(&mut self, scope: ScopeId) {
        let outputs = crate::deliver::outputs(&self.world.borrow(), scope);
        self.world.borrow_mut().scopes[scope].outputs = Some(outputs);
        self.deliver_rest(scope);
        let parent = self.world.borrow().scopes[scope].parent;
        match parent {
            Some(unit) => self.finish_call(scope, unit),
            None => self.finish_run(),
        }
    }

    fn finish_call(&mut self, scope: ScopeId, unit: Unit) {
        let (mut end, path, attempt) = {
            let world = self.world.borrow();
            let (status, reason) = crate::verdict::of_scope(&world, scope);
            let mut outputs = ValueMap::new();
            if let Some((values, _)) = &world.scopes[scope].outputs {
                outputs.extend(values.clone());
            }
            outputs.insert("gates".to_owned(), crate::verdict::gates(&world, scope));
            let duration_s = self.host.clock.elapsed_s() - world.scopes[scope].opened_s;
            let end = End { outputs: Rc::new(outputs), duration_s, ..End::bare(status, reason) };
            (end, world.path(unit), world.instance(unit).attempts)
        };
        let on_fail = self.world.borrow().on_fail(unit);
        let unfinished = end.status == Status::Cancelled && self.interrupted.is_some();
        if !end.status.satisfies_needs() && end.status != Status::Excluded && !unfinished {
            if let Some(pause) = self.call_retry(unit, end.status, attempt) {
                return self.retry_call(scope, unit, &path, attempt, &end, pause);
            }
            if on_fail == OnFail::Exclude {
                end.reason = format!("{}: {}", end.status.word(), end.reason);
                end.status = Status::Excluded;
            }
        }
        end.warned = on_fail == OnFail::Warn && !end.status.satisfies_needs();
        let ran = self.world.borrow().scopes[scope].nodes.iter().any(|node| node.ran);
        {
            let mut world = self.world.borrow_mut();
            world.instance_mut(unit).ran = ran;
            world.node_mut(unit.scope, unit.node).ran |= ran;
        }
        let record = crate::nodes::finished_record(&path, attempt, &end);
        let seq = if unfinished { 0 } else { self.host.record(Event::StepFinished(record)) };
        self.end_unit(unit, end, seq);
    }

    fn call_retry(&self, unit: Unit, status: Status, attempt: u32) -> Option<Duration> {
        if self.interrupted.is_some() {
            return None;
        }
        let world = self.world.borrow();
        if world.scopes[unit.scope].halt.is_some() {
            return None;
        }
        let plan = Rc::clone(&world.scopes[unit.scope].plan);
        let retry = plan.step(unit.node)?.retry.as_ref()?;
        let earlier = self.prior.get(&world.path(unit)).map_or(0, |node| node.attempts.len() as u32);
        let done = attempt.saturating_sub(earlier);
        (retry.when_status.contains(&status) && done <= retry.max).then(|| {
            let growth = retry.factor.powi(i32::try_from(done).unwrap_or(i32::MAX) - 1);
            Duration::from_secs_f64((retry.first_s * growth).min(retry.limit_s))
        })
    }

    /// A new attempt of a call begins from nothing: what happened inside is set aside.
    fn retry_call(
        &mut self,
        scope: ScopeId,
        unit: Unit,
        path: &str,
        attempt: u32,
        end: &End,
        pause: Duration,
    ) {
        let mut record = crate::nodes::finished_record(path, attempt, end);
        record.is_final = false;
        self.host.record(Event::StepFinished(record));
        let inner = self.paths_inside(scope);
        for step in inner {
            self.prior.remove(&step);
            self.prior_gates.remove(&step);
            let reason = format!("`{path}` is tried again");
            self.host.record(Event::Invalidated(Invalidated { step, reason }));
        }
        self.timers += 1;
        let messages = self.messages.clone();
        tokio::task::spawn_local(async move {
            tokio::time::sleep(pause).await;
            let _ = messages.send(Message::RetryCall(unit));
        });
    }

    /// Paths of every step, instance and gate that was recorded inside a scope, calls inside it included.
    fn paths_inside(&self, scope: ScopeId) -> Vec<String> {
        let world = self.world.borrow();
        let prefix = &world.scopes[scope].prefix;
        let mut paths = Vec::new();
        for (id, here) in world.scopes.iter().enumerate().filter(|(_, s)| s.prefix.starts_with(prefix)) {
            for (index, run) in here.nodes.iter().enumerate() {
                let node = index as NodeId;
                if matches!(here.plan.nodes[index].what, What::Deliver(_)) || run.life == Life::Pending {
                    continue;
                }
                paths.push(here.path_of(node));
                let instances = 0..run.instances.len() as u32;
                paths.extend(instances.map(|instance| world.path(Unit { scope: id, node, instance })));
            }
        }
        let known = self.prior.keys().chain(self.prior_gates.keys());
        paths.extend(known.filter(|path| path.starts_with(prefix.as_str())).cloned());
        paths.sort_unstable();
        paths.dedup();
        paths
    }
}

/// Where the deliveries of a call are placed, relative to the run directory.
pub(crate) fn delivery_folder(scope: &Scope) -> PathBuf {
    PathBuf::from(scope.folder.trim_start_matches("steps/"))
}
