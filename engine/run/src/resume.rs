//! What of an earlier engine's work still counts.

use crate::attempt::{StepFinishedWithPrint, changed_file};
use crate::engine::Engine;
use crate::job::{Job, RunEnd};
use crate::kept::{self, Survivor};
use crate::world::{End, ScopeId, Unit};
use assay_diagnostics::did_you_mean;
use assay_manifest::{Effects, OnFail, Uses};
use assay_plan::{ManifestPlan, NodeId, What, downstream};
use assay_process::{Tag, descendants, is_alive, kill_tree, tagged};
use assay_protocol::{
    Answered, Asked, Event, ExitCode, GateDecided, Invalidated, NodeState, Outcome, RunState, Status,
    StepFinished, ValueMap,
};
use assay_store::Journal;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

/// What was put in order before an engine goes on.
#[derive(Debug, Default)]
pub(crate) struct Resumed {
    pub dropped_bytes: u64,
    pub ended: Vec<u32>,
    /// Detached servers that still run: each is adopted, replaced or stopped when its turn comes.
    pub survivors: HashMap<String, Survivor>,
}

/// A run that is over and in which nothing can be tried again: the same answer as before.
pub(crate) fn nothing_to_do(journal: &Journal, job: &Job) -> Option<RunEnd> {
    let state = &journal.state;
    let finished = state.finished.as_ref()?;
    let exit = ExitCode::from_code(finished.exit)?;
    if matches!(exit, ExitCode::PreflightFailed | ExitCode::Internal)
        || !job.options.from.is_empty()
        || job.options.answer.is_some()
        || state.sessions.iter().any(|session| session.engine.digest != job.digest)
    {
        return None;
    }
    let settled = |node: &NodeState| match &node.finished {
        Some(finished) => finished.warned || settles(finished.status),
        None => node.attempts.is_empty() && node.asked.is_none(),
    };
    if !state.nodes.values().all(settled) {
        return None;
    }
    let files = state.nodes.values().filter_map(|node| node.finished.as_ref());
    files.into_iter().all(|finished| changed_file(finished).is_none()).then(|| RunEnd::new(exit))
}

pub(crate) fn settles(status: Status) -> bool {
    matches!(status, Status::Passed | Status::Skipped | Status::Excluded)
}

/// Makes sure that nothing of an earlier engine is alive, by recorded identity and by the tag in the environment, but
/// detached servers that were ready.
pub(crate) async fn clean_up(journal: &Journal, run_id: &str) -> Resumed {
    let survivors = kept::survivors(&journal.state);
    let spared: HashSet<u32> = survivors
        .values()
        .flat_map(|left| descendants(left.keeper.pid).into_iter().chain([left.keeper.clone()]))
        .map(|identity| identity.pid)
        .collect();
    let mut leftovers = tagged(&Tag::exact(crate::host::RUN_TAG, run_id));
    for node in journal.state.nodes.values() {
        let open = node.attempts.last().filter(|attempt| attempt.finished.is_none());
        leftovers.extend(open.and_then(|attempt| attempt.started.process.clone()).filter(is_alive));
    }
    leftovers.retain(|leftover| !spared.contains(&leftover.pid));
    let mut ended = Vec::new();
    for leftover in leftovers {
        ended.extend(kill_tree(&leftover, None).await.ended);
    }
    ended.sort_unstable();
    ended.dedup();
    Resumed { dropped_bytes: journal.dropped_bytes, ended, survivors }
}

impl Engine {
    /// Takes over the results of earlier engines.
    pub(crate) fn take_over(&mut self, state: RunState) -> Result<(), RunEnd> {
        self.same_digest = self.options.only_failed
            || state.sessions.iter().all(|session| session.engine.digest == self.digest);
        self.checked = state
            .checks
            .into_iter()
            .filter(|(_, check)| matches!(check.finished.status, Status::Passed | Status::Skipped))
            .map(|(path, check)| (path, check.finished))
            .collect();
        let last_at = state.last_at;
        self.prior = state.nodes.into_iter().collect();
        for attempt in self.prior.values_mut().filter_map(|node| node.attempts.last_mut()) {
            // It ended with its engine, which wrote last then.
            attempt.ended_at.get_or_insert(last_at);
        }
        self.prior_gates = state.gates.into_iter().collect();
        for from in std::mem::take(&mut self.options.from) {
            self.force(&from)?;
        }
        Ok(())
    }

    /// `--from call/step`: that step and everything after it runs again.
    fn force(&mut self, from: &str) -> Result<(), RunEnd> {
        let mut plan = Rc::clone(&self.plan);
        let mut prefix = String::new();
        let mut parts = without_keys(from);
        loop {
            let (head, rest) = match parts.split_once('/') {
                Some((head, rest)) => (head.to_owned(), Some(rest.to_owned())),
                None => (parts.clone(), None),
            };
            let Some(node) = plan.by_id.get(&head).copied() else {
                let near = did_you_mean(&head, plan.by_id.keys().map(String::as_str));
                let hint = near.map(|near| format!("; did you mean `{prefix}{near}`?")).unwrap_or_default();
                return Err(RunEnd::problem(ExitCode::Usage, format!("there is no step `{from}`{hint}")));
            };
            if is_frozen(&plan, node) {
                let problem =
                    format!("`{from}` is a baseline, and a baseline is frozen once per run; start a new run");
                return Err(RunEnd::problem(ExitCode::Unfair, problem));
            }
            for after in downstream(&plan, node) {
                if (after != node || rest.is_none()) && !is_frozen(&plan, after) {
                    self.forced.insert(format!("{prefix}{}", plan.id(after)));
                }
            }
            let Some(rest) = rest else { return Ok(()) };
            let callee = match plan.step(node).map(|step| &step.uses.value) {
                Some(Uses::Call(name)) => plan.callees.get(name).cloned(),
                _ => None,
            };
            let Some(callee) = callee else {
                let problem = format!("`{prefix}{head}` is no call, so it has no step `{rest}`");
                return Err(RunEnd::problem(ExitCode::Usage, problem));
            };
            prefix = format!("{prefix}{head}/");
            plan = callee;
            parts = rest;
        }
    }

    pub(crate) fn is_forced(&self, path: &str) -> bool {
        if self.forced.is_empty() {
            return false;
        }
        let bare = without_keys(path);
        let mut ancestors = bare.match_indices('/').map(|(at, _)| &bare[..at]);
        self.forced.contains(&bare) || ancestors.any(|ancestor| self.forced.contains(ancestor))
    }

    /// Whether something inside a call is forced: the call is entered again then.
    pub(crate) fn is_forced_inside(&self, path: &str) -> bool {
        let prefix = format!("{}/", without_keys(path));
        self.forced.iter().any(|forced| forced.starts_with(&prefix))
    }

    /// The end of a unit as recorded by an earlier engine, if it still counts.
    pub(crate) fn reusable(&mut self, unit: Unit) -> Option<End> {
        if !self.resumed {
            return None;
        }
        let path = self.world.borrow().path(unit);
        let prior = self.prior.get(&path)?;
        let finished = match &prior.finished {
            Some(finished) if settles(finished.status) || finished.warned => Arc::clone(finished),
            unsettled => {
                let reason = why_unsettled(unsettled.as_deref(), prior.attempts.len());
                // A question that waits goes on waiting; that is no new attempt.
                let silent = prior.is_waiting() || self.is_call(unit);
                if let Some(reason) = reason.filter(|_| !silent) {
                    self.host.record(Event::Invalidated(Invalidated { step: path, reason }));
                }
                return None;
            }
        };
        let plan = Rc::clone(&self.world.borrow().scopes[unit.scope].plan);
        let is_call = self.is_call(unit);
        if let Some(reason) = self.why_again(unit, &path, is_call) {
            if !is_call {
                self.host.record(Event::Invalidated(Invalidated { step: path, reason }));
            }
            return None;
        }
        if !self.same_digest {
            // The attempt compares fingerprints; a call is entered, and each step inside does.
            return None;
        }
        if let Some(file) = changed_file(&finished) {
            if is_frozen(&plan, unit.node) {
                // The attempt refuses it: a baseline is never made anew.
                return None;
            }
            let reason = format!("`{file}` changed");
            self.host.record(Event::Invalidated(Invalidated { step: path, reason }));
            return None;
        }
        self.end_from(unit, &path, Arc::unwrap_or_clone(finished))
    }

    fn is_call(&self, unit: Unit) -> bool {
        let world = self.world.borrow();
        let step = world.scopes[unit.scope].plan.step(unit.node);
        step.is_some_and(|step| matches!(step.uses.value, Uses::Call(_)))
    }

    /// Why a finished unit must run again although nothing about itself changed.
    fn why_again(&self, unit: Unit, path: &str, is_call: bool) -> Option<String> {
        let world = self.world.borrow();
        let scope = &world.scopes[unit.scope];
        if is_frozen(&scope.plan, unit.node) {
            return None;
        }
        if self.is_forced(path) || (is_call && self.is_forced_inside(path)) {
            return Some("asked for with `--from`".to_owned());
        }
        if matches!(scope.plan.nodes[unit.node as usize].what, What::Finally(_)) {
            let worked = scope
                .nodes
                .iter()
                .enumerate()
                .any(|(index, run)| run.ran && !matches!(scope.plan.nodes[index].what, What::Finally(_)));
            return worked.then(|| "`finally` belongs to what ran again".to_owned());
        }
        let step = scope.plan.step(unit.node)?;
        let upstream = scope.plan.nodes[unit.node as usize].deps.iter().find(|dep| {
            let run = world.node(unit.scope, dep.node);
            let server = self.is_server(&scope.plan, dep.node);
            run.ran && run.gate.is_none() && (!server || step.bind_epoch)
        })?;
        Some(format!("`{}` ran again", scope.plan.id(upstream.node)))
    }

    pub(crate) fn is_server(&self, plan: &ManifestPlan, node: NodeId) -> bool {
        match plan.step(node).map(|step| &step.uses.value) {
            Some(Uses::Kind(kind)) => {
                self.host.catalog.steps.get(kind.as_str()).is_some_and(|kind| kind.effects == Effects::Server)
            }
            _ => false,
        }
    }

    fn end_from(&mut self, unit: Unit, path: &str, finished: StepFinished) -> Option<End> {
        let outputs = match &finished.outputs_file {
            None => finished.outputs.clone(),
            Some(file) => match self.load_outputs(&file.path, &file.sha256, file.bytes) {
                Some(outputs) => outputs,
                None => {
                    let reason = format!("`{}` changed", file.path);
                    self.host.record(Event::Invalidated(Invalidated { step: path.to_owned(), reason }));
                    return None;
                }
            },
        };
        let attempts = self.prior.get(path).map_or(0, |node| node.attempts.len() as u32);
        self.world.borrow_mut().instance_mut(unit).attempts = attempts;
        let warned = finished.warned
            || (self.world.borrow().on_fail(unit) == OnFail::Warn && !finished.status.satisfies_needs());
        Some(End {
            status: finished.status,
            reason: finished.reason,
            exit: finished.exit,
            signal: finished.signal,
            duration_s: finished.duration_s,
            outputs: Rc::new(outputs),
            stdout: finished.stdout,
            stderr: finished.stderr,
            warned,
        })
    }

    fn load_outputs(&self, path: &str, sha256: &str, bytes: u64) -> Option<ValueMap> {
        let text = self.host.run.read(path, bytes).ok()?;
        (assay_store::sha256_hex(&text) == sha256).then(|| serde_json::from_slice(&text).ok())?
    }

    /// An earlier result that counts if the fingerprint is still the same.
    pub(crate) fn candidate_for_reuse(&self, unit: Unit, path: &str) -> Option<StepFinishedWithPrint> {
        let plan = Rc::clone(&self.world.borrow().scopes[unit.scope].plan);
        if is_frozen(&plan, unit.node) {
            return self.frozen_result(path);
        }
        if !self.resumed || self.same_digest || self.is_server(&plan, unit.node) {
            return None;
        }
        let node = self.prior.get(path)?;
        let finished = StepFinished::clone(node.finished.as_ref()?);
        if !settles(finished.status) && !finished.warned {
            return None;
        }
        if self.why_again(unit, path, false).is_some() {
            return None;
        }
        let fingerprint = node.attempts.last()?.started.fingerprint.clone();
        self.with_outputs(finished, fingerprint)
    }

    /// What a baseline froze, whatever a refused resume recorded of it since.
    fn frozen_result(&self, path: &str) -> Option<StepFinishedWithPrint> {
        let attempts = self.prior.get(path)?.attempts.iter();
        let (finished, fingerprint) = attempts.rev().find_map(|attempt| {
            let finished = attempt.finished.as_ref().filter(|end| end.status == Status::Passed)?;
            Some((StepFinished::clone(finished), attempt.started.fingerprint.clone()))
        })?;
        // A record that is gone equals no fingerprint: the attempt refuses it instead of freezing anew.
        let gone = StepFinishedWithPrint { finished: finished.clone(), fingerprint: String::new() };
        Some(self.with_outputs(finished, fingerprint).unwrap_or(gone))
    }

    fn with_outputs(&self, mut finished: StepFinished, fingerprint: String) -> Option<StepFinishedWithPrint> {
        if let Some(file) = finished.outputs_file.take() {
            finished.outputs = self.load_outputs(&file.path, &file.sha256, file.bytes)?;
        }
        Some(StepFinishedWithPrint { finished, fingerprint })
    }

    /// What an earlier engine asked for a step that has not ended, with the answer if there is one. It is handed out once:
    /// an answer counts for the attempt that asked, and an attempt that ended or runs again asks anew.
    pub(crate) fn open_question(&mut self, path: &str) -> Option<(Asked, Option<Answered>)> {
        let node = self.prior.get_mut(path).filter(|node| node.finished.is_none())?;
        Some((node.asked.take()?, node.answered.take()))
    }

    /// A step that was skipped stays skipped while nothing before it ran again.
    pub(crate) fn reuse_skipped(&mut self, scope: ScopeId, node: NodeId, path: &str) -> bool {
        if !self.resumed || !self.same_digest {
            return false;
        }
        let Some(finished) = self.prior.get(path).and_then(|node| node.finished.clone()) else {
            return false;
        };
        if finished.status != Status::Skipped || finished.attempt != 0 || self.is_forced(path) {
            return false;
        }
        {
            let mut world = self.world.borrow_mut();
            let plan = Rc::clone(&world.scopes[scope].plan);
            if plan.nodes[node as usize].deps.iter().any(|dep| world.node(scope, dep.node).ran) {
                return false;
            }
            let run = world.node_mut(scope, node);
            if !run.looped {
                let end = End::bare(Status::Skipped, finished.reason.clone());
                run.instances = vec![crate::world::Instance { end: Some(end), ..Default::default() }];
            }
        }
        self.end_node(scope, node, Status::Skipped, finished.reason.clone(), false, 0);
        true
    }

    /// A gate that was passed counts on while nothing before it ran again and every baseline holds.
    pub(crate) fn reusable_gate(&self, scope: ScopeId, node: NodeId, path: &str) -> Option<GateDecided> {
        if !self.resumed || !self.same_digest || self.is_forced(path) {
            return None;
        }
        let gate = &self.prior_gates.get(path)?.decided;
        if !matches!(gate.outcome, Outcome::Passed | Outcome::Skipped) {
            return None;
        }
        let upstream_ran = {
            let world = self.world.borrow();
            let deps = &world.scopes[scope].plan.nodes[node as usize].deps;
            deps.iter().any(|dep| world.node(scope, dep.node).ran)
        };
        let mut again = gate.clone();
        again.baselines.clear();
        (!upstream_ran && self.untouched(scope, node, &mut again).is_ok()).then(|| gate.clone())
    }
}

/// Why a step without a good end runs again; what never began needs no word.
fn why_unsettled(finished: Option<&StepFinished>, attempts: usize) -> Option<String> {
    match finished {
        None => (attempts > 0).then(|| "its last attempt did not end".to_owned()),
        Some(finished) if finished.attempt == 0 => None,
        Some(finished) => Some(format!("it is {}", finished.status.word())),
    }
}

fn is_frozen(plan: &ManifestPlan, node: NodeId) -> bool {
    plan.step(node).is_some_and(|step| matches!(&step.uses.value, Uses::Kind(kind) if kind == "baseline"))
}

/// `call[key]/step[key]` as `call/step`.
fn without_keys(path: &str) -> String {
    let mut bare = String::with_capacity(path.len());
    let mut depth = 0;
    for c in path.chars() {
        match c {
            '[' => depth += 1,
            ']' => depth -= 1,
            _ if depth == 0 => bare.push(c),
            _ => {}
        }
    }
    bare
}

#[cfg(test)]
mod tests {
    use super::without_keys;

    #[test]
    fn keys_are_taken_out_of_paths() {
        assert_eq!(without_keys("judge[fast]/build[a]"), "judge/build");
        assert_eq!(without_keys("plain"), "plain");
    }
}
