//! From "everything before it has ended" to "its instances are on their way", and back.

use crate::engine::{Engine, Release};
use crate::scope::View;
use crate::world::{End, Halt, Instance, Life, Phase, ScopeId, Unit};
use assay_manifest::{Foreach, OnFail, RenderError, Uses};
use assay_plan::{NodeId, What};
use assay_protocol::{
    Event, ExitCode, Expanded, Instance as InstanceRecord, Status, StepFinished, Value, ValueMap,
};
use std::collections::HashSet;
use std::rc::Rc;

impl Engine {
    /// Everything before the node has ended.
    pub(crate) fn node_ready(&mut self, scope: ScopeId, node: NodeId) {
        let plan = Rc::clone(&self.world.borrow().scopes[scope].plan);
        match plan.nodes[node as usize].what {
            What::Step(_) | What::Finally(_) => self.start_step(scope, node),
            What::Gate(_) => self.decide_gate(scope, node),
            What::Deliver(_) => self.deliver(scope, node),
        }
    }

    fn start_step(&mut self, scope: ScopeId, node: NodeId) {
        let path = self.world.borrow().scopes[scope].path_of(node);
        if let Some(halt) = self.halt_for(scope, node) {
            return self.end_without_start(scope, node, &path, halt.status, halt.reason);
        }
        if let Some(reason) = self.missing_requirement(scope, node) {
            return self.end_without_start(scope, node, &path, Status::Blocked, reason);
        }
        if self.reuse_skipped(scope, node, &path) {
            return;
        }
        match self.condition(scope, node) {
            Ok(true) => {}
            Ok(false) => {
                let reason = "its `when` is false".to_owned();
                return self.end_without_start(scope, node, &path, Status::Skipped, reason);
            }
            Err(reason) => return self.end_without_start(scope, node, &path, Status::Failed, reason),
        }
        match self.instances(scope, node, &path) {
            Err(reason) => self.end_without_start(scope, node, &path, Status::Failed, reason),
            Ok(instances) if instances.is_empty() => {
                let reason = "its `foreach` list is empty".to_owned();
                self.end_without_start(scope, node, &path, Status::Skipped, reason);
            }
            Ok(instances) => {
                let count = instances.len() as u32;
                {
                    let mut world = self.world.borrow_mut();
                    let run = world.node_mut(scope, node);
                    run.life = Life::Active;
                    run.open = count;
                    run.unready = count;
                    run.instances = instances;
                }
                for instance in 0..count {
                    self.consider(Unit { scope, node, instance });
                }
            }
        }
    }

    /// Why the node must not start, if its scope starts nothing more.
    fn halt_for(&self, scope: ScopeId, node: NodeId) -> Option<Halt> {
        let world = self.world.borrow();
        let here = &world.scopes[scope];
        if matches!(here.plan.nodes[node as usize].what, What::Finally(_)) {
            return None;
        }
        here.halt.clone()
    }

    /// What it requires and did not get, in one sentence.
    pub(crate) fn missing_requirement(&self, scope: ScopeId, node: NodeId) -> Option<String> {
        let world = self.world.borrow();
        let here = &world.scopes[scope];
        let unmet = here.plan.nodes[node as usize]
            .deps
            .iter()
            .find(|dep| dep.requires_success && !world.node(scope, dep.node).satisfies_needs())?;
        let run = world.node(scope, unmet.node);
        let id = here.plan.id(unmet.node);
        Some(match (&run.gate, run.life) {
            (Some(gate), _) => format!("gate `{id}` is {}", gate.outcome.word()),
            (None, Life::Ended(status)) => format!("`{id}` is {}", status.word()),
            (None, _) => format!("`{id}` is no longer there"),
        })
    }

    fn condition(&self, scope: ScopeId, node: NodeId) -> Result<bool, String> {
        let world = self.world.borrow();
        let Some(when) = world.scopes[scope].plan.step(node).and_then(|step| step.when.as_ref()) else {
            return Ok(true);
        };
        when.expr
            .eval_bool(&View::new(&world, scope))
            .map_err(|error| format!("its `when` cannot be decided: {error} ({})", self.place(when.span)))
    }

    /// The instances, from the journal or from the lists.
    fn instances(&mut self, scope: ScopeId, node: NodeId, path: &str) -> Result<Vec<Instance>, String> {
        let plan = Rc::clone(&self.world.borrow().scopes[scope].plan);
        let Some(foreach) = plan.step(node).and_then(|step| step.foreach.as_ref()) else {
            return Ok(vec![Instance::default()]);
        };
        let recorded = self.prior.get(path).and_then(|node| node.expanded.clone());
        let expanded = {
            let world = self.world.borrow();
            expand(foreach, &View::new(&world, scope)).map_err(|problem| match problem {
                Problem::Render(error) => {
                    format!("its `foreach` cannot be read: {} ({})", error.error, self.place(error.span))
                }
                Problem::Words(words) => words,
            })?
        };
        if recorded.as_ref().map(|expanded| &expanded.instances) != Some(&expanded) {
            self.host
                .record(Event::Expanded(Expanded { step: path.to_owned(), instances: expanded.clone() }));
        }
        Ok(expanded.into_iter().map(instance_of).collect())
    }

    /// Ends a node none of whose instances began.
    pub(crate) fn end_without_start(
        &mut self,
        scope: ScopeId,
        node: NodeId,
        path: &str,
        status: Status,
        reason: String,
    ) {
        let end = End::bare(status, reason);
        // Skipped, blocked or impossible as before: nothing after it has to run for that.
        let same = self.has_recorded(path, status);
        let seq = if status == Status::Cancelled && self.interrupted.is_some() {
            // It has not ended: a resume goes on here.
            0
        } else {
            self.host.record(Event::StepFinished(finished_record(path, 0, &end)))
        };
        {
            let mut world = self.world.borrow_mut();
            let run = world.node_mut(scope, node);
            run.instances = if run.looped { Vec::new() } else { vec![Instance::default()] };
            if let Some(instance) = run.instances.first_mut() {
                instance.end = Some(end.clone());
            }
            run.ran = !same;
        }
        self.end_node(scope, node, status, end.reason, false, seq);
    }

    /// One instance has ended for good. `seq`: its record, 0 if it had one already.
    pub(crate) fn end_unit(&mut self, unit: Unit, end: End, seq: u64) {
        let done = {
            let mut world = self.world.borrow_mut();
            let run = world.node_mut(unit.scope, unit.node);
            run.instances[unit.instance as usize].end = Some(end);
            run.open -= 1;
            run.open == 0
        };
        self.exclude_branch(unit);
        if done {
            self.finish_node(unit.scope, unit.node, seq);
        }
    }

    /// A step with `on_fail: exclude` that did not pass takes its branch out.
    fn exclude_branch(&mut self, unit: Unit) {
        let halt = {
            let world = self.world.borrow();
            let scope = &world.scopes[unit.scope];
            let is_call = scope.plan.step(unit.node).is_some_and(|s| matches!(s.uses.value, Uses::Call(_)));
            let end = world.instance(unit).end.as_ref();
            match end {
                Some(end)
                    if world.on_fail(unit) == OnFail::Exclude
                        && !is_call
                        && !end.satisfies_needs()
                        && scope.parent.is_some()
                        && scope.is_branchable() =>
                {
                    Some(Halt {
                        status: Status::Excluded,
                        reason: format!("`{}` is {}: {}", world.path(unit), end.status.word(), end.reason),
                    })
                }
                _ => None,
            }
        };
        if let Some(halt) = halt {
            self.world.borrow_mut().scopes[unit.scope].excluded = Some(halt.reason.clone());
            self.halt_scope(unit.scope, &halt);
        }
    }

    /// Every instance has ended: sum them up.
    fn finish_node(&mut self, scope: ScopeId, node: NodeId, last_seq: u64) {
        let (status, reason, warned, looped, path) = {
            let world = self.world.borrow();
            let run = world.node(scope, node);
            let (status, reason, warned) = sum(&run.instances, run.looped);
            (status, reason, warned, run.looped, world.scopes[scope].path_of(node))
        };
        let mut seq = last_seq;
        let unfinished = status == Status::Cancelled && self.interrupted.is_some();
        if looped && !unfinished && (last_seq > 0 || !self.has_recorded(&path, status)) {
            let end = End { warned, ..End::bare(status, reason.clone()) };
            seq = self.host.record(Event::StepFinished(finished_record(&path, 0, &end)));
        }
        self.end_node(scope, node, status, reason, warned, seq);
    }

    fn has_recorded(&self, path: &str, status: Status) -> bool {
        self.prior.get(path).and_then(|node| node.status()) == Some(status)
    }

    /// A node has ended: let its dependents go, count it, move the scope on.
    pub(crate) fn end_node(
        &mut self,
        scope: ScopeId,
        node: NodeId,
        status: Status,
        reason: String,
        warned: bool,
        seq: u64,
    ) {
        let (was_ready, what) = {
            let mut world = self.world.borrow_mut();
            let what = world.scopes[scope].plan.nodes[node as usize].what;
            let run = world.node_mut(scope, node);
            let was_ready = run.readers.is_some();
            run.life = Life::Ended(status);
            run.reason = reason;
            run.warned = warned;
            (was_ready, what)
        };
        if was_ready && !status.satisfies_needs() && !warned {
            self.fail_readers(scope, node);
        }
        self.release_after(Release { seq, scope, node, ready: false });
        self.count_reader_out(scope, node);
        {
            let mut world = self.world.borrow_mut();
            let here = &mut world.scopes[scope];
            match what {
                What::Finally(_) => here.open_finally -= 1,
                What::Step(_) | What::Gate(_) if !was_ready => here.open_main -= 1,
                _ => {}
            }
        }
        self.advance(scope);
    }

    /// Servers that this node required have one reader less.
    pub(crate) fn count_reader_out(&mut self, scope: ScopeId, node: NodeId) {
        let idle: Vec<NodeId> = {
            let mut world = self.world.borrow_mut();
            let plan = Rc::clone(&world.scopes[scope].plan);
            let deps = plan.nodes[node as usize].deps.iter().filter(|dep| dep.requires_success);
            deps.filter_map(|dep| {
                let readers = world.node_mut(scope, dep.node).readers.as_mut()?;
                *readers = readers.saturating_sub(1);
                (*readers == 0 && !plan.nodes[dep.node as usize].read_by_finally).then_some(dep.node)
            })
            .collect()
        };
        for server in idle {
            self.stop_server(scope, server);
        }
    }

    /// Asks every instance of a server to stop.
    pub(crate) fn stop_server(&mut self, scope: ScopeId, node: NodeId) {
        let instances = self.world.borrow().node(scope, node).instances.len() as u32;
        for instance in 0..instances {
            if let Some(running) = self.running.get(&Unit { scope, node, instance }) {
                running.stop.notify_one();
            }
        }
    }

    /// A server died while others used it: they fail, with its name.
    fn fail_readers(&mut self, scope: ScopeId, server: NodeId) {
        let (readers, reason) = {
            let world = self.world.borrow();
            let here = &world.scopes[scope];
            let readers: Vec<NodeId> = here.plan.nodes[server as usize]
                .dependents
                .iter()
                .copied()
                .filter(|node| matches!(world.node(scope, *node).life, Life::Active))
                .collect();
            let why = &world.node(scope, server).reason;
            let reason = format!("the server `{}` that it uses is gone: {why}", here.path_of(server));
            (readers, reason)
        };
        let halt = Halt { status: Status::Failed, reason };
        for node in readers {
            let instances = self.world.borrow().node(scope, node).instances.len() as u32;
            for instance in 0..instances {
                self.stop_unit(Unit { scope, node, instance }, &halt);
            }
        }
    }

    /// The next phase of a scope, if the one it is in is over.
    pub(crate) fn advance(&mut self, scope: ScopeId) {
        loop {
            let (phase, open_main, open_finally) = {
                let world = self.world.borrow();
                let here = &world.scopes[scope];
                (here.phase, here.open_main, here.open_finally)
            };
            match phase {
                Phase::Main if open_main == 0 => {
                    self.world.borrow_mut().scopes[scope].phase = Phase::Finally;
                    self.start_finally(scope);
                }
                Phase::Finally if open_finally == 0 => {
                    self.world.borrow_mut().scopes[scope].phase = Phase::Stopping;
                    self.stop_servers(scope);
                }
                Phase::Stopping if !self.has_servers(scope) => {
                    self.world.borrow_mut().scopes[scope].phase = Phase::Over;
                    self.finish_scope(scope);
                    return;
                }
                _ => return,
            }
        }
    }

    fn start_finally(&mut self, scope: ScopeId) {
        let mut world = self.world.borrow_mut();
        let plan = Rc::clone(&world.scopes[scope].plan);
        for (index, node) in plan.nodes.iter().enumerate() {
            if matches!(node.what, What::Finally(_)) {
                let run = world.node_mut(scope, index as NodeId);
                run.waiting -= 1;
                if run.waiting == 0 {
                    self.ready.push_back((scope, index as NodeId));
                }
            }
        }
    }

    fn servers(&self, scope: ScopeId) -> Vec<NodeId> {
        let world = self.world.borrow();
        let nodes = world.scopes[scope].nodes.iter().enumerate();
        nodes
            .filter(|(_, run)| run.readers.is_some() && matches!(run.life, Life::Active))
            .map(|(index, _)| index as NodeId)
            .collect()
    }

    fn has_servers(&self, scope: ScopeId) -> bool {
        !self.servers(scope).is_empty()
    }

    fn stop_servers(&mut self, scope: ScopeId) {
        for node in self.servers(scope) {
            self.stop_server(scope, node);
        }
    }

    /// Nothing more of the scope starts; what runs is stopped.
    pub(crate) fn halt_scope(&mut self, scope: ScopeId, halt: &Halt) {
        {
            let mut world = self.world.borrow_mut();
            let here = &mut world.scopes[scope];
            if here.halt.is_some() || here.phase == Phase::Over {
                return;
            }
            here.halt = Some(halt.clone());
        }
        let mut units: Vec<Unit> = self.running.keys().copied().collect();
        units.extend(self.queue.iter().chain(&self.special).copied());
        units.extend(self.active_units(scope));
        let mut seen = HashSet::new();
        for unit in units.into_iter().filter(|unit| unit.scope == scope) {
            let is_finally = {
                let world = self.world.borrow();
                matches!(world.scopes[scope].plan.nodes[unit.node as usize].what, What::Finally(_))
            };
            if !is_finally && seen.insert(unit) {
                self.stop_unit(unit, halt);
            }
        }
    }

    fn active_units(&self, scope: ScopeId) -> Vec<Unit> {
        let world = self.world.borrow();
        let nodes = world.scopes[scope].nodes.iter().enumerate();
        nodes
            .filter(|(_, run)| matches!(run.life, Life::Active))
            .flat_map(|(index, run)| {
                let open = run.instances.iter().enumerate().filter(|(_, instance)| instance.end.is_none());
                open.map(move |(instance, _)| Unit {
                    scope,
                    node: index as NodeId,
                    instance: instance as u32,
                })
            })
            .collect()
    }

    /// Stops one unit wherever it stands: running, queued, or inside a call. A ready server is left to its phase.
    pub(crate) fn stop_unit(&mut self, unit: Unit, halt: &Halt) {
        if self.running.get(&unit).is_some_and(|running| running.ready && self.interrupted.is_some()) {
            return;
        }
        if self.running.contains_key(&unit) {
            self.cancel(unit, halt);
            return;
        }
        if let Some(scope) = self.call_scope(unit) {
            self.halt_scope(scope, halt);
            return;
        }
        self.queue.retain(|queued| *queued != unit);
        self.special.retain(|queued| *queued != unit);
        let open = self.world.borrow().instance(unit).end.is_none();
        if open {
            self.end_stopped(unit, halt);
        }
    }

    fn end_stopped(&mut self, unit: Unit, halt: &Halt) {
        let end = End::bare(halt.status, halt.reason.clone());
        let path = self.world.borrow().path(unit);
        let seq = if self.interrupted.is_some() {
            0
        } else {
            self.host.record(Event::StepFinished(finished_record(&path, 0, &end)))
        };
        self.end_unit(unit, end, seq);
    }

    pub(crate) fn cancel(&mut self, unit: Unit, halt: &Halt) {
        if let Some(running) = self.running.get(&unit) {
            running.cancel.why.borrow_mut().get_or_insert_with(|| halt.clone());
            running.cancel.notify.notify_one();
        }
    }

    /// The open scope that a call unit runs in.
    pub(crate) fn call_scope(&self, unit: Unit) -> Option<ScopeId> {
        let world = self.world.borrow();
        world.scopes.iter().rposition(|scope| scope.parent == Some(unit) && scope.phase != Phase::Over)
    }
}

/// A final record without process details.
pub(crate) fn finished_record(path: &str, attempt: u32, end: &End) -> StepFinished {
    StepFinished {
        step: path.to_owned(),
        attempt,
        status: end.status,
        is_final: true,
        reason: end.reason.clone(),
        exit: end.exit,
        signal: end.signal.clone(),
        duration_s: end.duration_s,
        outputs: ValueMap::clone(&end.outputs),
        outputs_file: None,
        stdout: end.stdout.clone(),
        stderr: end.stderr.clone(),
        reads: Vec::new(),
        warned: end.warned,
        cached_from: None,
    }
}

/// Status of a node from its instances: fails if an instance failed, or if none is left.
fn sum(instances: &[Instance], looped: bool) -> (Status, String, bool) {
    let ends = || instances.iter().filter_map(|instance| instance.end.as_ref().map(|end| (instance, end)));
    if !looped {
        return match ends().next() {
            Some((_, end)) => (end.status, end.reason.clone(), end.warned),
            None => (Status::Cancelled, String::new(), false),
        };
    }
    let bad: Vec<_> =
        ends().filter(|(_, end)| !end.satisfies_needs() && end.status != Status::Excluded).collect();
    if let Some((worst, _)) = bad
        .iter()
        .map(|(_, end)| (end.status, ExitCode::of_status(end.status).unwrap_or(ExitCode::ReviewOpen)))
        .reduce(|a, b| if a.1.strongest(b.1) == a.1 { a } else { b })
    {
        let keys: Vec<&str> =
            bad.iter().take(5).map(|(instance, _)| instance.key.as_deref().unwrap_or_default()).collect();
        let more = if bad.len() > 5 { ", ..." } else { "" };
        let reason = format!("{} of {} instances: {}{more}", bad.len(), instances.len(), keys.join(", "));
        return (worst, reason, false);
    }
    if ends().all(|(_, end)| end.status == Status::Excluded) {
        return (Status::Failed, "every branch is excluded".to_owned(), false);
    }
    (Status::Passed, String::new(), ends().any(|(_, end)| end.warned))
}

/// Instances as far as the lists are known now, for a dry run.
pub(crate) fn expanded(foreach: &Foreach, view: &View<'_>) -> Result<Vec<Instance>, String> {
    let records = expand(foreach, view).map_err(|problem| match problem {
        Problem::Render(error) => error.error.to_string(),
        Problem::Words(words) => words,
    })?;
    Ok(records.into_iter().map(instance_of).collect())
}

fn instance_of(record: InstanceRecord) -> Instance {
    Instance { key: Some(record.key.into()), each: record.each, ..Instance::default() }
}

enum Problem {
    Render(RenderError),
    Words(String),
}

/// Aligned tuples, or the product, with their keys.
fn expand(foreach: &Foreach, view: &View<'_>) -> Result<Vec<InstanceRecord>, Problem> {
    let mut lists: Vec<(&str, Vec<Value>)> = Vec::new();
    for (name, config) in &foreach.lists {
        match config.render(view).map_err(Problem::Render)? {
            Value::Array(items) => lists.push((&name.value, items)),
            other => {
                let kind = assay_manifest::expr::describe(&other);
                return Err(Problem::Words(format!("`foreach.{}` must be a list, not {kind}", name.value)));
            }
        }
    }
    let tuples = if foreach.product { product(&lists) } else { aligned(&lists)? };
    let single = lists.len() == 1;
    let mut seen = HashSet::new();
    let mut records = Vec::with_capacity(tuples.len());
    for (index, each) in tuples.into_iter().enumerate() {
        let key = match each.values().next() {
            Some(value) if single => key_of(value, index),
            _ => index.to_string(),
        };
        if !seen.insert(key.clone()) {
            return Err(Problem::Words(format!("`foreach` has the value `{key}` twice")));
        }
        records.push(InstanceRecord { key, each });
    }
    Ok(records)
}

fn aligned(lists: &[(&str, Vec<Value>)]) -> Result<Vec<ValueMap>, Problem> {
    let length = lists.first().map_or(0, |(_, items)| items.len());
    if let Some((name, items)) = lists.iter().find(|(_, items)| items.len() != length) {
        return Err(Problem::Words(format!(
            "the lists of `foreach` are aligned, but `{}` has {length} values and `{name}` has {}; \
             for all combinations write `product: true`",
            lists[0].0,
            items.len()
        )));
    }
    let tuple = |index: usize| -> ValueMap {
        lists.iter().map(|(name, items)| ((*name).to_owned(), items[index].clone())).collect()
    };
    Ok((0..length).map(tuple).collect())
}

fn product(lists: &[(&str, Vec<Value>)]) -> Vec<ValueMap> {
    let mut tuples = vec![ValueMap::new()];
    for (name, items) in lists {
        tuples = tuples
            .into_iter()
            .flat_map(|tuple| {
                items.iter().map(move |item| {
                    let mut longer = tuple.clone();
                    longer.insert((*name).to_owned(), item.clone());
                    longer
                })
            })
            .collect();
    }
    tuples
}

/// The value itself if it can be a key, else its index.
fn key_of(value: &Value, index: usize) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return index.to_string(),
    };
    let good = !text.is_empty()
        && text.len() <= 64
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    if good { text } else { index.to_string() }
}
