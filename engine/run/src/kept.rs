//! Detached servers (`detach: true`): kept beyond the life of this engine, and taken up again by the next.
//!
//! | when | what happens |
//! |---|---|
//! | it starts | a keeper holds it and its locks; both die with the engine |
//! | its `step_ready` is on the disk | supervisor and front are told to spare the keeper, the keeper to go on alone; only then may others use it |
//! | the engine dies or is interrupted | it goes on |
//! | a resume needs it | it is adopted if its configuration is the same and it passes its readiness probe again, else replaced |
//! | anything else ends the run | it is stopped |

use crate::attempt;
use crate::ctx::StepCtx;
use crate::engine::{Cancel, Engine, Running};
use crate::message::Message;
use crate::pool::LivePair;
use crate::world::Unit;
use assay_process::{KeeperLine, is_alive, stop_kept};
use assay_protocol::{Event, ExitCode, Invalidated, Note, ProcessIdentity, RunState, ValueMap};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::oneshot;

/// How long a server is given to end whose own grace is not known here; its keeper knows it, and kills it in time.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that an earlier engine left running.
#[derive(Debug, Clone)]
pub(crate) struct Survivor {
    pub attempt: u32,
    pub keeper: ProcessIdentity,
    pub server: ProcessIdentity,
    /// What it told when it was ready.
    pub outputs: ValueMap,
    pub fingerprint: String,
    pub gpus: Vec<u32>,
    /// Where its output goes, relative to the run directory.
    pub live: Vec<String>,
}

impl Survivor {
    /// Stops it; returns when nothing of it is left.
    pub(crate) async fn stop(&self) {
        stop_kept(&self.keeper, &self.server, PATIENCE, None).await;
    }
}

/// The servers that an earlier engine left running, by path.
pub(crate) fn survivors(state: &RunState) -> HashMap<String, Survivor> {
    let there = state.detached().filter(|(_, left)| is_alive(left.keeper) && is_alive(left.server));
    there
        .map(|(path, left)| {
            let started = &left.attempt.started;
            let survivor = Survivor {
                attempt: left.attempt.number,
                keeper: left.keeper.clone(),
                server: left.server.clone(),
                outputs: left.ready.outputs.clone(),
                fingerprint: started.fingerprint.clone(),
                gpus: started.gpus.clone(),
                live: started.live.clone(),
            };
            (path.to_owned(), survivor)
        })
        .collect()
}

/// Keeper and server of an attempt that runs.
#[derive(Debug, Clone)]
pub(crate) struct KeptTree {
    pub keeper: ProcessIdentity,
    pub server: ProcessIdentity,
    pub grace: Duration,
}

/// What the attempt of a detached server shares with the dispatcher.
#[derive(Debug, Default)]
pub(crate) struct Detach {
    /// Copies of the unit's locks, for the keeper.
    pub locks: RefCell<Vec<OwnedFd>>,
    pub tree: RefCell<Option<KeptTree>>,
    pub line: RefCell<Option<KeeperLine>>,
    /// It outlives this engine.
    pub kept: Cell<bool>,
    /// It is not to be stopped although its attempt is given up.
    pub left: Cell<bool>,
    /// The server to adopt instead of starting one.
    pub survivor: Option<Survivor>,
    /// Why it could not be adopted.
    pub refused: RefCell<Option<String>>,
}

impl Detach {
    /// For the attempt that adopts `survivor`.
    pub(crate) fn adopting(survivor: Survivor) -> Self {
        Self { kept: Cell::new(true), survivor: Some(survivor), ..Self::default() }
    }
}

impl Running {
    /// It is a server that outlives this engine.
    pub(crate) fn is_kept(&self) -> bool {
        self.detach.as_ref().is_some_and(|detach| detach.kept.get())
    }
}

impl Engine {
    /// Takes up a server that an earlier engine left, or replaces it. `false`: there is none.
    pub(crate) fn take_up(&mut self, unit: Unit) -> bool {
        let path = self.world.borrow().path(unit);
        let Some(survivor) = self.survivors.remove(&path) else { return false };
        let plan = self.step_of(unit);
        if self.is_forced(&path) {
            self.replace(unit, survivor, "asked for with `--from`".to_owned());
        } else if !plan.step(unit.node).is_some_and(|step| step.detach) {
            self.replace(unit, survivor, "`detach` was taken from it".to_owned());
        } else if let Err(reason) = self.adopt(unit, &survivor) {
            self.replace(unit, survivor, reason);
        }
        true
    }

    /// Starts the attempt that adopts. Its locks are held by the keeper already.
    fn adopt(&mut self, unit: Unit, survivor: &Survivor) -> Result<(), String> {
        let booking = self.booking(unit).map_err(|(_, reason)| reason)?;
        let detach = Rc::new(Detach::adopting(survivor.clone()));
        let (cx, plan) =
            self.context(unit, booking.memory, survivor.gpus.clone(), Some(Rc::clone(&detach)))?;
        // It has its slots already; only what is free can be taken off.
        let cpus = booking.cpus.min(self.cpus_free);
        self.cpus_free -= cpus;
        let cancel = Rc::new(Cancel::default());
        let running = Running {
            cancel: Rc::clone(&cancel),
            stop: Rc::clone(&cx.stop),
            cpus,
            held: Vec::new(),
            ready: false,
            asking: None,
            detach: Some(detach),
        };
        self.running.insert(unit, running);
        tokio::task::spawn_local(attempt::run(cx, plan, cancel));
        Ok(())
    }

    /// Stops a server of an earlier engine, then starts it anew.
    fn replace(&mut self, unit: Unit, survivor: Survivor, reason: String) {
        self.timers += 1;
        let messages = self.messages.clone();
        tokio::task::spawn_local(async move {
            survivor.stop().await;
            let _ = messages.send(Message::NotAdopted { unit, reason });
        });
    }

    /// Nothing needs it any more.
    pub(crate) fn stop_survivor(&mut self, unit: Unit) {
        let path = self.world.borrow().path(unit);
        if let Some(survivor) = self.survivors.remove(&path) {
            self.stopping.push(tokio::task::spawn_local(async move { survivor.stop().await }));
        }
    }

    pub(crate) fn on_not_adopted(&mut self, unit: Unit, reason: String) {
        match self.running.remove(&unit) {
            Some(running) => self.cpus_free += running.cpus,
            None => self.timers -= 1,
        }
        // It may have been given up meanwhile.
        if self.world.borrow().instance(unit).end.is_some() {
            return;
        }
        let halt = self.world.borrow().scopes[unit.scope].halt.clone();
        if let Some(halt) = halt {
            return self.stop_unit(unit, &halt);
        }
        let path = self.world.borrow().path(unit);
        let reason = format!("the server that was left running was stopped: {reason}");
        self.host.record(Event::Invalidated(Invalidated { step: path, reason }));
        self.enqueue(unit);
    }

    /// A detached server is ready: once that is on the disk, the house is told to spare it, and it to go on alone. Only
    /// then may others use it, so that what they made of it is never lost with it.
    pub(crate) fn keep_when_durable(&mut self, unit: Unit, seq: u64, detach: Rc<Detach>, outputs: ValueMap) {
        let (tell, told) = oneshot::channel();
        // In a message of its own: the record may be on the disk already.
        let _ = self.messages.send(Message::TellWhenDurable { seq, tell });
        let (host, messages) = (Rc::clone(&self.host), self.messages.clone());
        let about = self.world.borrow().path(unit);
        tokio::task::spawn_local(async move {
            if told.await.is_err() {
                return;
            }
            match keep(host.link.as_ref(), &detach).await {
                Ok(()) => detach.kept.set(true),
                Err(problem) => {
                    let message = format!("it will not outlive this engine: {problem}");
                    host.record(Event::Note(Note { about, message }));
                }
            }
            let _ = messages.send(Message::Kept { unit, seq, outputs });
        });
    }

    /// The run is over, waits, or failed to go on: no server outlives that. An interruption leaves them.
    pub(crate) async fn end_kept(&mut self, exit: ExitCode) {
        for task in self.stopping.drain(..) {
            let _ = task.await;
        }
        if matches!(exit, ExitCode::Interrupted | ExitCode::Terminated) {
            return;
        }
        if let Some(link) = &self.host.link {
            // Whatever is missed below goes down with the house.
            let _ = link.spare_none();
        }
        let mut left: Vec<(KeptTree, Duration)> = Vec::new();
        for survivor in self.survivors.drain().map(|(_, survivor)| survivor) {
            let Survivor { keeper, server, .. } = survivor;
            left.push((KeptTree { keeper, server, grace: PATIENCE }, PATIENCE));
        }
        let running = self.running.values().filter_map(|running| running.detach.as_ref());
        left.extend(running.filter_map(|detach| detach.tree.borrow().clone()).map(|tree| {
            let grace = tree.grace;
            (tree, grace)
        }));
        let stops = left.into_iter().map(|(tree, grace)| {
            tokio::task::spawn_local(async move { stop_kept(&tree.keeper, &tree.server, grace, None).await })
        });
        for stop in stops.collect::<Vec<_>>() {
            let _ = stop.await;
        }
    }
}

async fn keep(link: Option<&assay_process::SupervisorLink>, detach: &Detach) -> Result<(), String> {
    let tree = detach.tree.borrow().clone().ok_or("it has ended")?;
    let link = link.ok_or("there is no supervisor to spare it")?;
    let line = detach.line.borrow_mut().take().ok_or("its keeper cannot be told")?;
    link.spare(&tree.keeper).await.map_err(|error| error.to_string())?;
    line.keep().map_err(|error| error.to_string())
}

impl StepCtx {
    /// Whether the step says `detach: true`.
    pub fn is_detached(&self) -> bool {
        self.detach.is_some()
    }

    /// What the server told that an earlier engine left running and that is to be adopted.
    pub fn left_running(&self) -> Option<ValueMap> {
        Some(self.survivor()?.outputs.clone())
    }

    pub(crate) fn survivor(&self) -> Option<&Survivor> {
        self.detach.as_ref()?.survivor.as_ref()
    }

    /// The server that was left running cannot be adopted, and has been stopped: one is started instead.
    pub fn refuse_adoption(&self, reason: impl Into<String>) {
        if let Some(detach) = &self.detach {
            detach.refused.borrow_mut().get_or_insert_with(|| reason.into());
        }
    }

    pub(crate) fn refused_adoption(&self) -> Option<String> {
        self.detach.as_ref()?.refused.borrow().clone()
    }

    /// Whether the server goes on although its attempt was given up.
    pub(crate) fn is_left(&self) -> bool {
        self.detach.as_ref().is_some_and(|detach| detach.left.get())
    }

    /// Why it is ready without having been started.
    pub(crate) fn adopted(&self) -> Option<String> {
        let survivor = self.survivor()?;
        Some(format!("adopted: process {} went on without its engine", survivor.server.pid))
    }

    /// The logs that the server of an earlier engine writes to.
    pub(crate) fn take_over_logs(&self) -> Result<(), String> {
        let Some(survivor) = self.survivor() else { return Ok(()) };
        let [stdout, stderr] = survivor.live.as_slice() else {
            return Err("its logs are not known".to_owned());
        };
        let open = |path: &String| crate::pool::LiveLog::reopen(&self.host.run, path);
        let words = |error: assay_store::StoreError| format!("its log cannot be read: {error}");
        let pair = LivePair { stdout: open(stdout).map_err(words)?, stderr: open(stderr).map_err(words)? };
        *self.logs.borrow_mut() = Some(pair);
        Ok(())
    }

    /// Ends keeper and server of an attempt that is given up.
    pub(crate) async fn end_kept_server(&self) {
        let Some(detach) = self.detach.as_ref().filter(|detach| !detach.left.get()) else { return };
        let tree = detach.tree.borrow_mut().take();
        let tree = tree.or_else(|| {
            // Not taken up yet.
            let left = detach.survivor.as_ref()?;
            Some(KeptTree { keeper: left.keeper.clone(), server: left.server.clone(), grace: PATIENCE })
        });
        if let Some(tree) = tree {
            self.host.live_pids.borrow_mut().remove(&tree.keeper.pid);
            let tag = self.host.tag(&self.path, self.attempt);
            stop_kept(&tree.keeper, &tree.server, tree.grace, Some(&tag)).await;
        }
    }
}
