//! State = fold(journal): the only place where the state of a run is put together.

use crate::{
    Answered, Asked, CheckFinished, Delivered, EngineStarted, Event, Expanded, GateDecided, Note, Outcome,
    ProcessIdentity, RunFinished, RunStarted, Status, StepFinished, StepReady, StepStarted, ValueMap,
};
use indexmap::IndexMap;
use std::sync::Arc;

/// One engine's time at the run.
#[derive(Debug, Clone)]
pub struct Session {
    /// When it took over, seconds since the Unix epoch.
    pub started_at: f64,
    /// What it recorded about itself.
    pub engine: EngineStarted,
    /// The signal that interrupted it, if one did.
    pub interrupted: Option<String>,
}

/// One attempt of a step.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Its number, from 1.
    pub number: u32,
    /// When it started, seconds since the Unix epoch.
    pub started_at: f64,
    /// When it was ready (servers), seconds since the Unix epoch.
    pub ready_at: Option<f64>,
    /// What it told when it was ready (servers).
    pub ready: Option<StepReady>,
    /// When it ended, seconds since the Unix epoch.
    pub ended_at: Option<f64>,
    /// What was recorded at its start.
    pub started: StepStarted,
    /// The keeper of a detached server.
    pub keeper: Option<ProcessIdentity>,
    /// Why later engines took the server up again instead of starting it, in order.
    pub adopted: Vec<String>,
    /// What was recorded at its end.
    pub finished: Option<Arc<StepFinished>>,
}

/// A server that may outlive its engine.
#[derive(Debug, Clone, Copy)]
pub struct Detached<'a> {
    /// Its attempt.
    pub attempt: &'a Attempt,
    /// Its keeper.
    pub keeper: &'a ProcessIdentity,
    /// Its leader.
    pub server: &'a ProcessIdentity,
    /// What it told when it was ready.
    pub ready: &'a StepReady,
}

/// A step, an instance of one, or a call.
#[derive(Debug, Clone, Default)]
pub struct NodeState {
    /// Every attempt, in order.
    pub attempts: Vec<Attempt>,
    /// The final end, if it is there and still counts.
    pub finished: Option<Arc<StepFinished>>,
    /// When the final end was recorded.
    pub finished_at: Option<f64>,
    /// Instances, once the `foreach` list is known.
    pub expanded: Option<Expanded>,
    /// Outputs of a server that is ready.
    pub ready: Option<StepReady>,
    /// The open or answered question.
    pub asked: Option<Asked>,
    /// The accepted answer.
    pub answered: Option<Answered>,
    /// Why an earlier result was set aside.
    pub invalidated: Option<String>,
}

impl NodeState {
    /// The final status, if it is decided.
    pub fn status(&self) -> Option<Status> {
        self.finished.as_ref().map(|finished| finished.status)
    }

    /// Whether an attempt is under way as far as the journal tells.
    pub fn is_running(&self) -> bool {
        self.attempts.last().is_some_and(|attempt| attempt.ended_at.is_none())
    }

    /// Whether it waits for an answer.
    pub fn is_waiting(&self) -> bool {
        self.asked.is_some() && self.answered.is_none() && self.finished.is_none()
    }
}

/// A gate as decided last.
#[derive(Debug, Clone)]
pub struct GateState {
    /// The decision.
    pub decided: GateDecided,
    /// When, seconds since the Unix epoch.
    pub at: f64,
}

/// A preflight check as it ended last.
#[derive(Debug, Clone)]
pub struct CheckState {
    /// What was found.
    pub finished: CheckFinished,
    /// When, seconds since the Unix epoch.
    pub at: f64,
}

/// A delivered file as recorded last.
pub type Delivery = Delivered;

/// The state of a run: the fold of its events.
#[derive(Debug, Clone, Default)]
pub struct RunState {
    /// How the run came into being; `None` before its first record.
    pub started: Option<RunStarted>,
    /// When it began, seconds since the Unix epoch.
    pub started_at: f64,
    /// Time of the last record, seconds since the Unix epoch.
    pub last_at: f64,
    /// Engines that worked on it.
    pub sessions: Vec<Session>,
    /// Host facts.
    pub facts: ValueMap,
    /// Checks by path.
    pub checks: IndexMap<String, CheckState>,
    /// Steps, instances and calls by path.
    pub nodes: IndexMap<String, NodeState>,
    /// Gates by path.
    pub gates: IndexMap<String, GateState>,
    /// Delivered files by path.
    pub deliveries: IndexMap<String, Delivery>,
    /// Notes in order.
    pub notes: Vec<Note>,
    /// The end, if the run has ended and was not resumed since.
    pub finished: Option<RunFinished>,
    /// When it ended.
    pub finished_at: Option<f64>,
}

impl RunState {
    /// Takes in one event. `at`: seconds since the Unix epoch.
    pub fn apply(&mut self, at: f64, event: Event) {
        self.last_at = at;
        match event {
            Event::RunStarted(data) => {
                self.started = Some(data);
                self.started_at = at;
            }
            Event::EngineStarted(data) => {
                self.finished = None;
                self.finished_at = None;
                self.sessions.push(Session { started_at: at, engine: data, interrupted: None });
                self.close_open_attempts(at);
            }
            Event::Facts(data) => self.facts.extend(data.facts),
            Event::CheckFinished(data) => {
                self.checks.insert(data.check.clone(), CheckState { finished: data, at });
            }
            Event::Expanded(data) => self.node(&data.step).expanded = Some(data.clone()),
            Event::StepStarted(data) => self.start_step(at, data),
            Event::StepProcess(data) => {
                let attempts = &mut self.node(&data.step).attempts;
                if let Some(attempt) = attempts.iter_mut().rev().find(|a| a.number == data.attempt) {
                    attempt.started.process = Some(data.process);
                    attempt.keeper = data.keeper;
                }
            }
            Event::StepReady(data) => self.ready(at, data),
            Event::StepFinished(data) => self.finish_step(at, data),
            Event::GateDecided(data) => {
                self.gates.insert(data.gate.clone(), GateState { decided: data, at });
            }
            Event::Asked(data) => {
                let node = self.node(&data.step);
                node.answered = None;
                node.asked = Some(data);
            }
            Event::Answered(data) => self.answer(data),
            Event::Delivered(data) => {
                self.deliveries.insert(data.path.clone(), data);
            }
            Event::Invalidated(data) => self.invalidate(&data.step, data.reason),
            Event::Note(data) => self.notes.push(data),
            Event::Interrupted(data) => {
                if let Some(session) = self.sessions.last_mut() {
                    session.interrupted = Some(data.signal);
                }
            }
            Event::RunFinished(data) => {
                self.finished = Some(data);
                self.finished_at = Some(at);
            }
        }
    }

    fn ready(&mut self, at: f64, data: StepReady) {
        let node = self.node(&data.step);
        if let Some(attempt) = node.attempts.last_mut() {
            match &data.adopted {
                None => attempt.ready_at = Some(at),
                Some(why) => {
                    // It never ended: its time goes on.
                    attempt.ended_at = None;
                    attempt.adopted.push(why.clone());
                }
            }
            attempt.ready = Some(data.clone());
        }
        node.ready = Some(data);
    }

    fn start_step(&mut self, at: f64, data: StepStarted) {
        let node = self.node(&data.step);
        node.finished = None;
        node.finished_at = None;
        node.ready = None;
        // Most steps have one attempt; a vector would make room for four.
        node.attempts.reserve_exact(1);
        node.attempts.push(Attempt {
            number: data.attempt,
            started_at: at,
            ready_at: None,
            ready: None,
            ended_at: None,
            started: data,
            keeper: None,
            adopted: Vec::new(),
            finished: None,
        });
    }

    fn answer(&mut self, data: Answered) {
        match &data.refused {
            None => self.node(&data.step).answered = Some(data.clone()),
            Some(why) => {
                let message = format!("an answer was refused: {why}");
                self.notes.push(Note { about: data.step, message });
            }
        }
    }

    fn node(&mut self, path: &str) -> &mut NodeState {
        if !self.nodes.contains_key(path) {
            self.nodes.insert(path.to_owned(), NodeState::default());
        }
        &mut self.nodes[path]
    }

    fn finish_step(&mut self, at: f64, data: StepFinished) {
        let data = Arc::new(data);
        let node = self.node(&data.step);
        if let Some(attempt) = node.attempts.iter_mut().rev().find(|a| a.number == data.attempt) {
            attempt.ended_at = Some(at);
            attempt.finished = Some(Arc::clone(&data));
        }
        node.ready = None;
        if data.is_final {
            node.finished = Some(data);
            node.finished_at = Some(at);
        }
    }

    fn invalidate(&mut self, path: &str, reason: String) {
        if let Some(gate) = self.gates.shift_remove(path) {
            drop(gate);
            return;
        }
        let node = self.node(path);
        node.finished = None;
        node.finished_at = None;
        node.ready = None;
        node.expanded = None;
        node.asked = None;
        node.answered = None;
        node.invalidated = Some(reason);
    }

    /// A new engine is here, so whatever the one before left open has ended with it.
    fn close_open_attempts(&mut self, at: f64) {
        for node in self.nodes.values_mut() {
            node.ready = None;
            if let Some(attempt) = node.attempts.last_mut()
                && attempt.ended_at.is_none()
            {
                attempt.ended_at = Some(at);
            }
        }
    }

    /// Detached servers that were ready and have no recorded end, by path: they may outlive their engine. Whether one is
    /// still there, only its identity tells.
    pub fn detached(&self) -> impl Iterator<Item = (&str, Detached<'_>)> {
        self.nodes.iter().filter_map(|(path, node)| {
            let attempt = node.attempts.last().filter(|attempt| attempt.finished.is_none())?;
            let (keeper, server) = (attempt.keeper.as_ref()?, attempt.started.process.as_ref()?);
            let ready = attempt.ready.as_ref()?;
            Some((path.as_str(), Detached { attempt, keeper, server, ready }))
        })
    }

    /// Servers were simulated: nothing in this run is a measurement.
    pub fn is_rehearsal(&self) -> bool {
        self.started.as_ref().is_some_and(|started| started.rehearsal)
    }

    /// Steps that wait for an answer, by path.
    pub fn waiting(&self) -> impl Iterator<Item = (&str, &Asked)> {
        self.nodes
            .iter()
            .filter(|(_, node)| node.is_waiting())
            .filter_map(|(path, node)| node.asked.as_ref().map(|asked| (path.as_str(), asked)))
    }

    /// Gates that were decided and did not pass.
    pub fn gates_not_passed(&self) -> impl Iterator<Item = (&str, &GateState)> {
        self.gates
            .iter()
            .filter(|(_, gate)| !matches!(gate.decided.outcome, Outcome::Passed | Outcome::Skipped))
            .map(|(path, gate)| (path.as_str(), gate))
    }
}
