//! The dispatcher: takes messages one by one, decides what follows, never waits for a disk or a process.

use crate::host::{Held, Host};
use crate::job::{HouseIds, Options, Render, RunEnd};
use crate::kept::{Detach, Survivor};
use crate::message::Message;
use crate::verdict;
use crate::world::{Halt, NodeRun, ScopeId, Unit, World};
use assay_diagnostics::{Sources, Span};
use assay_plan::{ManifestPlan, NodeId};
use assay_protocol::{
    Answered, Asked, CheckFinished, EngineStarted, Event, ExitCode, Interrupted, NodeState, RunStarted,
    RunState, Status, Value, ValueMap,
};
use std::cell::RefCell;
use std::collections::{HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::rc::Rc;
use tokio::sync::{Notify, mpsc, oneshot};

/// What the engine is made from.
pub(crate) struct Parts {
    pub plan: Rc<ManifestPlan>,
    pub digest: String,
    pub sources: Sources,
    pub inputs: ValueMap,
    pub caller_dir: PathBuf,
    pub house: HouseIds,
    pub renderer: Rc<dyn Render>,
    pub options: Options,
    pub prior: Option<RunState>,
    pub dropped_bytes: u64,
    pub ended_leftovers: Vec<u32>,
    pub survivors: HashMap<String, Survivor>,
}

/// Asks a running attempt to stop, with the reason it will end for.
#[derive(Debug, Default)]
pub(crate) struct Cancel {
    pub why: RefCell<Option<Halt>>,
    pub notify: Notify,
}

/// An attempt that is under way.
#[derive(Debug)]
pub(crate) struct Running {
    pub cancel: Rc<Cancel>,
    /// Tells a server that nothing needs it any more.
    pub stop: Rc<Notify>,
    pub cpus: u32,
    pub held: Vec<Held>,
    /// A server that is ready.
    pub ready: bool,
    /// It asked a question and has no answer.
    pub asking: Option<(Asked, oneshot::Sender<Answered>)>,
    /// It is a detached server.
    pub detach: Option<Rc<Detach>>,
}

/// A node whose dependents go on once record `seq` is on the disk.
#[derive(Debug)]
pub(crate) struct Release {
    pub seq: u64,
    pub scope: ScopeId,
    pub node: NodeId,
    /// Ready for those who require it, or ended for all others.
    pub ready: bool,
}

/// The executor of one run.
pub(crate) struct Engine {
    pub host: Rc<Host>,
    pub world: Rc<RefCell<World>>,
    pub messages: mpsc::UnboundedSender<Message>,
    inbox: mpsc::UnboundedReceiver<Message>,
    pub plan: Rc<ManifestPlan>,
    pub digest: String,
    pub sources: Sources,
    pub house: HouseIds,
    pub renderer: Rc<dyn Render>,
    pub options: Options,
    caller_dir: PathBuf,
    inputs: ValueMap,

    pub ready: VecDeque<(ScopeId, NodeId)>,
    pub queue: VecDeque<Unit>,
    /// Units that need more than CPU slots.
    pub special: VecDeque<Unit>,
    pub running: HashMap<Unit, Running>,
    pub release: VecDeque<Release>,
    pub cpus_total: u32,
    pub cpus_free: u32,
    pub gpus_total: Vec<u32>,
    /// Pauses before new attempts that have not ended.
    pub timers: u32,
    pub ticking: bool,
    tells: Vec<(u64, oneshot::Sender<()>)>,
    durable: u64,

    pub prior: HashMap<String, NodeState>,
    pub prior_gates: HashMap<String, assay_protocol::GateState>,
    /// Servers that an earlier engine left running and that nobody asked for yet, by path.
    pub survivors: HashMap<String, Survivor>,
    /// Stops of such servers that are under way.
    pub stopping: Vec<tokio::task::JoinHandle<()>>,
    /// Checks that were made, by path.
    pub checked: HashMap<String, CheckFinished>,
    /// The manifest is the one that made the prior results.
    pub same_digest: bool,
    pub resumed: bool,
    /// Paths that must run again, by `--from`.
    pub forced: HashSet<String>,
    pub interrupted: Option<&'static str>,
    pub answers: Option<crate::answers::Socket>,
    /// The run is over, with this code.
    pub end: Option<RunEnd>,
    prior_state: Option<RunState>,
    dropped_bytes: u64,
    ended_leftovers: Vec<u32>,
}

impl Engine {
    pub(crate) fn new(
        host: Host,
        parts: Parts,
        messages: mpsc::UnboundedSender<Message>,
        inbox: mpsc::UnboundedReceiver<Message>,
    ) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
        let cpus_total = parts.options.cpus.unwrap_or(cores).max(1);
        let started = parts.prior.as_ref().and_then(|state| state.started.as_ref());
        let date = started.map_or_else(crate::facts::today, |started| started.date.clone());
        let world = World {
            scopes: Vec::new(),
            facts: Value::Null,
            run_id: host.run.id().to_owned(),
            run_dir: host.run.path().to_owned(),
            date,
            rehearsal: parts.options.rehearsal,
        };
        Self {
            host: Rc::new(host),
            world: Rc::new(RefCell::new(world)),
            messages,
            inbox,
            plan: parts.plan,
            digest: parts.digest,
            sources: parts.sources,
            house: parts.house,
            renderer: parts.renderer,
            options: parts.options,
            caller_dir: parts.caller_dir,
            inputs: parts.inputs,
            ready: VecDeque::new(),
            queue: VecDeque::new(),
            special: VecDeque::new(),
            running: HashMap::new(),
            release: VecDeque::new(),
            cpus_total,
            cpus_free: cpus_total,
            gpus_total: crate::facts::gpu_ids(),
            timers: 0,
            ticking: false,
            tells: Vec::new(),
            durable: 0,
            prior: HashMap::new(),
            prior_gates: HashMap::new(),
            survivors: parts.survivors,
            stopping: Vec::new(),
            checked: HashMap::new(),
            same_digest: true,
            resumed: parts.prior.is_some(),
            forced: HashSet::new(),
            interrupted: None,
            answers: None,
            end: None,
            prior_state: parts.prior,
            dropped_bytes: parts.dropped_bytes,
            ended_leftovers: parts.ended_leftovers,
        }
    }

    pub(crate) async fn run(mut self) -> RunEnd {
        self.listen_to_signals();
        if let Some(end) = self.begin().await {
            return self.close(end);
        }
        loop {
            self.pump();
            if let Some(end) = self.end.take() {
                self.end_kept(end.exit).await;
                return self.close(end);
            }
            if self.only_waits() {
                return self.leave_waiting().await;
            }
            let Some(message) = self.inbox.recv().await else {
                return RunEnd::problem(ExitCode::Internal, "the dispatcher lost its steps");
            };
            self.take(message);
            while let Ok(message) = self.inbox.try_recv() {
                self.take(message);
            }
        }
    }

    /// First records and the root scope; `Some` when the run cannot go on.
    async fn begin(&mut self) -> Option<RunEnd> {
        let prior = self.prior_state.take();
        self.record_start(prior.is_some());
        self.gather_facts(prior.as_ref()).await;
        if let Some(state) = prior
            && let Err(end) = self.take_over(state)
        {
            return Some(end);
        }
        let inputs = std::mem::take(&mut self.inputs);
        let secrets = match self.root_secrets() {
            Ok(secrets) => secrets,
            Err(problem) => return Some(RunEnd::problem(ExitCode::Usage, problem)),
        };
        let plan = Rc::clone(&self.plan);
        self.open_scope(plan, None, inputs, Rc::new(secrets));
        None
    }

    fn record_start(&self, resume: bool) {
        if !resume {
            let manifest = &self.plan.manifest;
            self.host.record(Event::RunStarted(RunStarted {
                run: self.host.run.id().to_owned(),
                name: manifest.name.value.clone(),
                kind: manifest.kind.word().to_owned(),
                version: manifest.version.value.clone(),
                manifest: manifest.origin.file.clone(),
                digest: self.digest.clone(),
                inputs: self.inputs.clone(),
                engine: env!("CARGO_PKG_VERSION").to_owned(),
                caller_dir: self.caller_dir.to_string_lossy().into_owned(),
                date: self.world.borrow().date.clone(),
                rehearsal: self.options.rehearsal,
            }));
        }
        self.host.record(Event::EngineStarted(EngineStarted {
            engine: self.house.engine.clone(),
            supervisor: self.house.supervisor.clone(),
            front: self.house.front.clone(),
            resume,
            ended_leftovers: self.ended_leftovers.clone(),
            dropped_bytes: self.dropped_bytes,
            digest: self.digest.clone(),
        }));
    }

    /// Does everything that can be done now.
    fn pump(&mut self) {
        loop {
            if let Some((scope, node)) = self.ready.pop_front() {
                self.node_ready(scope, node);
                continue;
            }
            if !self.launch_next() {
                break;
            }
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Durable(seq) => self.on_durable(seq),
            Message::JournalFailed(end) => self.end = Some(end),
            Message::TellWhenDurable { seq, tell } => {
                self.host.journal.hurry(seq);
                if seq <= self.durable {
                    // The step may have been cancelled meanwhile.
                    let _ = tell.send(());
                } else {
                    self.tells.push((seq, tell));
                }
            }
            Message::Ready { unit, attempt, outputs, adopted } => {
                self.on_ready(unit, attempt, outputs, adopted);
            }
            Message::Kept { unit, seq, outputs } => self.let_use(unit, seq, outputs, false),
            Message::NotAdopted { unit, reason } => self.on_not_adopted(unit, reason),
            Message::Ended { unit, ended } => self.on_ended(unit, *ended),
            Message::Retry(unit) => {
                self.timers -= 1;
                self.enqueue(unit);
            }
            Message::RetryCall(unit) => {
                self.timers -= 1;
                self.start_call(unit);
            }
            Message::CallTimedOut { unit, scope } => self.on_call_timeout(unit, scope),
            Message::Asked { unit, question, tell } => self.on_asked(unit, question, tell),
            Message::Answer { answer, tell } => self.on_answer(*answer, tell),
            Message::Checked { scope, results } => self.on_checked(scope, results),
            Message::Signal(signal) => self.on_signal(signal),
            Message::Tick => self.ticking = false,
        }
    }

    fn on_durable(&mut self, seq: u64) {
        self.durable = self.durable.max(seq);
        while self.release.front().is_some_and(|release| release.seq <= self.durable) {
            if let Some(release) = self.release.pop_front() {
                self.let_go(&release);
            }
        }
        let durable = self.durable;
        for (_, tell) in self.tells.extract_if(.., |(seq, _)| *seq <= durable) {
            let _ = tell.send(());
        }
    }

    /// Lets a node's dependents go once record `seq` is on the disk; at once if nothing was recorded for it.
    pub(crate) fn release_after(&mut self, release: Release) {
        let has_dependents = {
            let world = self.world.borrow();
            !world.scopes[release.scope].plan.nodes[release.node as usize].dependents.is_empty()
        };
        if !has_dependents {
            return;
        }
        if release.seq <= self.durable {
            self.let_go(&release);
        } else {
            self.host.journal.hurry(release.seq);
            self.release.push_back(release);
        }
    }

    fn let_go(&mut self, release: &Release) {
        let mut world = self.world.borrow_mut();
        let plan = Rc::clone(&world.scopes[release.scope].plan);
        let was_ready = world.node(release.scope, release.node).readers.is_some();
        for dependent in &plan.nodes[release.node as usize].dependents {
            let requires = plan.nodes[*dependent as usize]
                .deps
                .iter()
                .any(|dep| dep.node == release.node && dep.requires_success);
            // A server lets those go that require it when it is ready, and the others when it has ended.
            let now = if release.ready { requires } else { !requires || !was_ready };
            if !now {
                continue;
            }
            let run = world.node_mut(release.scope, *dependent);
            run.waiting -= 1;
            if run.waiting == 0 {
                self.ready.push_back((release.scope, *dependent));
            }
        }
    }

    fn listen_to_signals(&self) {
        use tokio::signal::unix::{SignalKind, signal};
        let signals = [
            (SignalKind::interrupt(), "SIGINT"),
            (SignalKind::terminate(), "SIGTERM"),
            (SignalKind::hangup(), "SIGHUP"),
            (SignalKind::quit(), "SIGQUIT"),
        ];
        for (kind, name) in signals {
            let Ok(mut stream) = signal(kind) else { continue };
            let messages = self.messages.clone();
            tokio::task::spawn_local(async move {
                while stream.recv().await.is_some() {
                    if messages.send(Message::Signal(name)).is_err() {
                        break;
                    }
                }
            });
        }
    }

    fn on_signal(&mut self, signal: &'static str) {
        if self.interrupted.is_some() {
            // Asked twice: the supervisor kills everything below as soon as this process is gone.
            self.host.record(Event::Interrupted(Interrupted { signal: signal.to_owned() }));
            self.end = Some(RunEnd::new(interrupt_code(signal)));
            return;
        }
        self.interrupted = Some(signal);
        let halt = Halt { status: Status::Cancelled, reason: format!("interrupted by {signal}") };
        if self.world.borrow().scopes.is_empty() {
            self.end = Some(RunEnd::new(interrupt_code(signal)));
        } else {
            self.halt_scope(0, &halt);
        }
    }

    /// The root scope is over: write the verdict.
    pub(crate) fn finish_run(&mut self) {
        if let Some(signal) = self.interrupted {
            self.host.record(Event::Interrupted(Interrupted { signal: signal.to_owned() }));
            self.end = Some(RunEnd::new(interrupt_code(signal)));
            return;
        }
        let finished = verdict::of_run(&self.world.borrow(), self.host.clock.elapsed_s());
        let exit = ExitCode::from_code(finished.exit).unwrap_or(ExitCode::Internal);
        self.host.record(Event::RunFinished(finished));
        self.end = Some(RunEnd::new(exit));
    }

    fn close(mut self, end: RunEnd) -> RunEnd {
        self.host.pool.borrow_mut().clear();
        let Err(error) = self.host.journal.flush() else { return end };
        if end.problem.is_some() {
            return end;
        }
        // The writer has said why; a flush only knows that it stopped.
        let said = std::iter::from_fn(|| self.inbox.try_recv().ok()).find_map(|message| match message {
            Message::JournalFailed(end) => Some(end),
            _ => None,
        });
        said.unwrap_or_else(|| {
            RunEnd::problem(ExitCode::Internal, format!("the journal cannot be written: {error}"))
        })
    }

    /// Whether nothing can happen before somebody answers.
    fn only_waits(&self) -> bool {
        self.running.values().any(|running| running.asking.is_some())
            && self.running.values().all(|running| running.asking.is_some() || running.ready)
            && self.queue.is_empty()
            && self.special.is_empty()
            && self.release.is_empty()
            && self.timers == 0
            && self.options.answer.is_none()
    }

    /// Stops servers, keeps the questions, ends the engine.
    async fn leave_waiting(mut self) -> RunEnd {
        let halt = Halt { status: Status::Cancelled, reason: "stopped while the run waits".to_owned() };
        let servers: Vec<Unit> =
            self.running.iter().filter(|(_, running)| running.ready).map(|(unit, _)| *unit).collect();
        for unit in &servers {
            self.cancel(*unit, &halt);
        }
        let mut left = servers.len();
        while left > 0 {
            match self.inbox.recv().await {
                Some(Message::Ended { unit, ended }) => {
                    self.record_attempt(unit, &ended, false);
                    left -= 1;
                }
                Some(_) => {}
                None => break,
            }
        }
        self.end_kept(ExitCode::Waiting).await;
        self.close(RunEnd::new(ExitCode::Waiting))
    }

    /// `file:line:column` of a place in a manifest.
    pub(crate) fn place(&self, span: Span) -> String {
        let (line, column) = self.sources.line_column(span.source, span.start);
        format!("{}:{line}:{column}", self.sources.name(span.source))
    }

    /// A fresh node.
    pub(crate) fn fresh_node(waiting: u32, looped: bool) -> NodeRun {
        NodeRun {
            waiting,
            life: crate::world::Life::Pending,
            looped,
            warned: false,
            reason: String::new(),
            instances: Vec::new(),
            open: 0,
            unready: 0,
            readers: None,
            gate: None,
            ran: false,
        }
    }
}

fn interrupt_code(signal: &str) -> ExitCode {
    if signal == "SIGINT" { ExitCode::Interrupted } else { ExitCode::Terminated }
}
