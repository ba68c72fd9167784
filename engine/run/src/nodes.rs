//! From "everything before it has ended" to "its instances are on their way", and back.

use crate::engine::{Engine, Release};
use crate::foreach::{Problem, expand, instance_of};
use crate::scope::View;
use crate::world::{End, Halt, Instance, Life, ScopeId, Unit};
use assay_manifest::{OnFail, Uses};
use assay_plan::{NodeId, What};
use assay_protocol::{Event, ExitCode, Expanded, Status, StepFinished, ValueMap};
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
