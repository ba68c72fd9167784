//! What a step sees of the executor while one attempt runs.

use crate::host::Host;
use crate::message::Message;
use crate::pool::{LivePair, WorkDir};
use crate::scope::View;
use crate::world::{Unit, World};
use assay_manifest::Ends;
use assay_manifest::expr::Expr;
use assay_process::{Isolation, stop_tree};
use assay_protocol::{Answered, Asked, Event, Note, ProcessIdentity, StepStarted, Value, ValueMap};
use assay_store::RunDir;
use std::cell::{Cell, RefCell};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;

/// One attempt of a step, or one check.
pub struct StepCtx {
    /// `call[key]/step[key]`.
    pub path: String,
    /// Attempt, from 1 over all engines.
    pub attempt: u32,
    /// The rendered configuration.
    pub config: Value,
    /// Which ends of a process pass.
    pub ends: Ends,
    /// Folder of the manifest.
    pub skill_dir: PathBuf,
    /// Where processes start.
    pub cwd: PathBuf,
    /// Environment of processes, complete.
    pub env: Vec<(OsString, OsString)>,
    /// When the attempt is over.
    pub deadline: Option<Instant>,
    /// Bytes of memory that the processes may hold.
    pub memory: Option<u64>,
    /// Leased GPUs.
    pub gpus: Vec<u32>,
    /// Fingerprint, recorded with the start.
    pub(crate) fingerprint: RefCell<String>,
    pub(crate) unit: Option<Unit>,
    pub(crate) scope: usize,
    pub(crate) host: Rc<Host>,
    pub(crate) world: Rc<RefCell<World>>,
    pub(crate) messages: mpsc::UnboundedSender<Message>,
    pub(crate) secrets: Vec<String>,
    pub(crate) logs: RefCell<Option<LivePair>>,
    pub(crate) work: RefCell<Option<WorkDir>>,
    /// With `isolate`: what its processes may not write to.
    pub(crate) isolation: Option<Isolation>,
    /// With `isolate`: a folder for temporary files, unless the caller's can be used.
    pub(crate) temporary: RefCell<Option<WorkDir>>,
    /// Why this host cannot isolate, once that was found.
    pub(crate) unsupported: RefCell<Option<String>>,
    pub(crate) trees: RefCell<Vec<ProcessIdentity>>,
    pub(crate) relays: RefCell<Vec<assay_process::RelayHandle>>,
    pub(crate) started: Cell<bool>,
    /// The start was recorded, and waited for, before there was a process.
    pub(crate) awaits_process: Cell<bool>,
    pub(crate) stop: Rc<Notify>,
    pub(crate) prior: Option<(Asked, Option<Answered>)>,
    pub(crate) ports: RefCell<Vec<crate::host::Held>>,
    /// It is a detached server.
    pub(crate) detach: Option<Rc<crate::kept::Detach>>,
}

impl std::fmt::Debug for StepCtx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StepCtx")
            .field("path", &self.path)
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}

impl StepCtx {
    /// The run directory.
    pub fn run_dir(&self) -> &RunDir {
        &self.host.run
    }

    /// The folder that holds the runs.
    pub fn runs_root(&self) -> &Path {
        &self.host.runs_root
    }

    /// Where the stored heads of journals lie, to read another run.
    pub fn state_dir(&self) -> &Path {
        &self.host.state_dir
    }

    /// The step's private directory, `step.dir`.
    pub fn step_dir(&self) -> Option<PathBuf> {
        self.work.borrow().as_ref().map(|dir| dir.path.clone())
    }

    /// The same for a step type that starts no process and yet writes files: its directory is made when it is first
    /// asked for.
    ///
    /// # Errors
    /// Why it cannot be made, in words.
    pub fn own_dir(&self) -> Result<PathBuf, String> {
        if let Some(dir) = self.step_dir() {
            return Ok(dir);
        }
        let dir = self.host.pool.borrow_mut().dir().map_err(|error| error.to_string())?;
        let path = dir.path.clone();
        *self.work.borrow_mut() = Some(dir);
        Ok(path)
    }

    /// `facts` as expressions see it.
    pub fn facts(&self) -> Value {
        self.world.borrow().facts.clone()
    }

    /// Servers with an adapter are simulated, and no GPU is leased.
    pub fn is_rehearsal(&self) -> bool {
        self.world.borrow().rehearsal
    }

    /// A variable of the caller's environment.
    pub fn caller_env(&self, name: &str) -> Option<String> {
        self.host.env.get(name).cloned()
    }

    /// Time between TERM and KILL.
    pub fn grace(&self) -> Duration {
        self.host.grace
    }

    /// Evaluates an expression of the configuration, with `own` as `self`.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn eval(&self, expression: &str, own: &Value) -> Result<Value, String> {
        self.with_view(expression, own, |expr, view| expr.eval(view).map_err(|error| error.to_string()))
    }

    /// Evaluates a condition of the configuration, with `own` as `self`: true or false, nothing else.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn eval_bool(&self, expression: &str, own: &Value) -> Result<bool, String> {
        self.with_view(expression, own, |expr, view| expr.eval_bool(view).map_err(|error| error.to_string()))
    }

    fn with_view<T>(
        &self,
        expression: &str,
        own: &Value,
        read: impl FnOnce(&Expr, &View<'_>) -> Result<T, String>,
    ) -> Result<T, String> {
        let expr = Expr::parse(expression).map_err(|error| error.message)?;
        let world = self.world.borrow();
        let dir = self.step_dir();
        let base = match self.unit {
            Some(unit) => View::of_unit(&world, unit),
            None => View::new(&world, self.scope),
        };
        let view = View { own: Some(own), step_dir: dir.as_deref(), gpus: &self.gpus, ..base };
        read(&expr, &view)
    }

    /// Puts a sentence into the report.
    pub fn note(&self, message: impl Into<String>) {
        self.host.record(Event::Note(Note { about: self.path.clone(), message: message.into() }));
    }

    /// Records the start of a step that is no single process. Later calls do nothing.
    pub fn started(&self, command: &[String]) {
        self.record_start(command, None);
    }

    /// The same, and returns when it is on the disk: for steps with effects that outlive them.
    pub async fn started_durably(&self, command: &[String]) {
        if self.detach.is_some() {
            // A later engine must find its logs. If they cannot be made, the start says so.
            let _ = self.live_pair();
        }
        if let Some(seq) = self.record_start(command, None) {
            self.awaits_process.set(true);
            let (tell, told) = oneshot::channel();
            if self.messages.send(Message::TellWhenDurable { seq, tell }).is_ok() {
                // The executor goes down only together with this step.
                let _ = told.await;
            }
        }
    }

    pub(crate) fn record_start(&self, command: &[String], process: Option<ProcessIdentity>) -> Option<u64> {
        if self.unit.is_none() || self.started.replace(true) {
            return None;
        }
        let live = match self.logs.borrow().as_ref() {
            Some(pair) => vec![pair.stdout.path.clone(), pair.stderr.path.clone()],
            None => Vec::new(),
        };
        let uses = self.uses();
        Some(self.host.record(Event::StepStarted(StepStarted {
            step: self.path.clone(),
            uses,
            attempt: self.attempt,
            fingerprint: self.fingerprint.borrow().clone(),
            process,
            command: command.to_vec(),
            live,
            gpus: self.gpus.clone(),
        })))
    }

    fn uses(&self) -> String {
        let world = self.world.borrow();
        self.unit
            .and_then(|unit| world.scopes[unit.scope].plan.step(unit.node).map(|step| step.uses.value.word()))
            .unwrap_or_default()
    }

    /// Tells the executor that others may use the step from now on.
    pub fn ready(&self, outputs: ValueMap) {
        if let Some(unit) = self.unit {
            // Nobody listens only when the engine goes down.
            let (attempt, adopted) = (self.attempt, self.adopted());
            let _ = self.messages.send(Message::Ready { unit, attempt, outputs, adopted });
        }
    }

    /// Returns when nothing needs the step any more.
    pub async fn stop_requested(&self) {
        self.stop.notified().await;
    }

    /// Asks a question and waits for the answer; an answer that an earlier engine took for
    /// this attempt counts.
    pub async fn ask(&self, question: Asked) -> Answered {
        if let Some((asked, answered)) = &self.prior
            && asked.digest == question.digest
        {
            if let Some(answer) = answered {
                return answer.clone();
            }
        } else {
            self.host.record(Event::Asked(question.clone()));
        }
        let (tell, told) = oneshot::channel();
        if let Some(unit) = self.unit {
            let _ = self.messages.send(Message::Asked { unit, question, tell });
        }
        match told.await {
            Ok(answer) => answer,
            // The engine stops while the run waits; this future is dropped with it.
            Err(_) => std::future::pending().await,
        }
    }

    /// A free TCP port on loopback that no other run on this host is given, until the step ends.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub fn allocate_port(&self) -> Result<u16, String> {
        let (port, held) = self.host.free_port(&self.path)?;
        self.ports.borrow_mut().push(held);
        Ok(port)
    }

    /// Ends every process tree that the attempt started. Returns how many processes were ended.
    pub(crate) async fn end_processes(&self) -> usize {
        let trees: Vec<ProcessIdentity> = self.trees.borrow_mut().drain(..).collect();
        let tag = self.host.tag(&self.path, self.attempt);
        let mut ended = 0;
        for tree in trees {
            self.host.live_pids.borrow_mut().remove(&tree.pid);
            ended += stop_tree(&tree, Some(&tag), self.host.grace).await.ended.len();
        }
        self.end_kept_server().await;
        ended
    }

    /// Waits for the relays of a step with secrets: everything it printed is in the files then.
    pub(crate) async fn finish_relays(&self) -> Option<String> {
        let relays: Vec<_> = self.relays.borrow_mut().drain(..).collect();
        let mut problem = None;
        for relay in relays {
            match relay.finish().await {
                Ok(end) => problem = problem.or(end.error),
                Err(error) => problem = problem.or(Some(error.to_string())),
            }
        }
        problem
    }
}
