//! The one place that waits for children.
//!
//! One SIGCHLD stream serves all of them, so a step costs no thread and no descriptor. Before a leader is reaped its
//! group is killed: until then its pid, and with it the group's id, cannot be taken by anybody else. No other code of the
//! engine may wait for children: they would be reaped as strangers.

use crate::exit::{Exit, Usage};
use crate::spawn::{Spawn, SpawnError};
use crate::sys::{self, Ended};
use assay_protocol::ProcessIdentity;
use rustix::process::{Pid, Signal};
use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// One table per process, because the kernel has one set of children per process: a second reaper, as parallel tests
/// have, shares it.
static WAITING: Mutex<Option<Waiting>> = Mutex::new(None);

type Waiting = HashMap<u32, oneshot::Sender<(Exit, Usage)>>;

/// Starts children and hears of their end.
#[derive(Debug, Clone)]
pub struct Reaper {
    /// Only [`Reaper::start`] makes one.
    _listening: (),
}

/// Whether nothing may be started any more. Read and set with the table's lock held.
static CLOSED: AtomicBool = AtomicBool::new(false);

/// Gives the table. The lock is held during each start too, so that a child is in it before anybody can reap it.
fn with_table<T>(act: impl FnOnce(&mut Waiting) -> T) -> T {
    let mut table = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
    act(table.get_or_insert_default())
}

impl Reaper {
    /// Starts listening. The process becomes a subreaper: what escapes from a step comes back to it.
    ///
    /// Must be called inside a tokio runtime with I/O enabled; the listening ends with the runtime.
    pub fn start() -> io::Result<Self> {
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
        let mut children = signal(SignalKind::child())?;
        tokio::spawn(async move {
            // Whoever ended before the stream existed sent its signal to nobody.
            with_table(reap_all);
            while children.recv().await.is_some() {
                with_table(reap_all);
            }
        });
        Ok(Self { _listening: () })
    }

    /// Starts a program in a process group of its own.
    pub fn spawn(&self, spawn: &Spawn) -> Result<Child, SpawnError> {
        let (tell, ended) = oneshot::channel();
        let identity = with_table(|waiting| {
            if CLOSED.load(Ordering::Relaxed) {
                let source = io::Error::new(io::ErrorKind::Interrupted, "this program is being stopped");
                return Err(SpawnError::System { program: spawn.program.clone(), source });
            }
            let pid = spawn.start()?;
            waiting.insert(pid, tell);
            // Not reaped yet, so `/proc` still knows it, even if it has already ended.
            let unknown = || ProcessIdentity { pid, start: 0, boot: crate::boot_id().to_owned() };
            Ok::<_, SpawnError>(crate::identity_of(pid).unwrap_or_else(unknown))
        })?;
        Ok(Child { identity, ended: Some(ended), result: None })
    }
}

/// Reaps everybody who has ended, strangers (orphans of a step) included.
fn reap_all(waiting: &mut Waiting) {
    while let Ok(Ended::Pid(pid)) = sys::peek_ended() {
        let known = waiting.remove(&pid);
        if known.is_some() {
            kill_group(pid);
        }
        let Some(end) = sys::reap(pid) else { break };
        if let Some(tell) = known {
            // Nobody may care any more, for example after a cancelled step.
            let _ = tell.send(end);
        }
    }
}

/// Kills every child that this program started, each with its group, and lets none be started from now on: for a program that is told
/// to stop while some of its threads wait for children. They hear of the end as always.
pub fn end_children() {
    with_table(|waiting| {
        CLOSED.store(true, Ordering::Relaxed);
        waiting.keys().for_each(|pid| kill_group(*pid));
    });
}

/// Kills what is left in the group of a leader that is not reaped yet. The leader of a stranger's group is left alone:
/// it may be a daemon of a server that still runs.
fn kill_group(leader: u32) {
    let pid = i32::try_from(leader).ok().and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // Fails when nobody is left, which is the usual case.
        let _ = rustix::process::kill_process_group(pid, Signal::KILL);
    }
}

/// A started program. Dropping it neither ends it nor stops it from being reaped.
#[derive(Debug)]
pub struct Child {
    /// Who it is.
    pub identity: ProcessIdentity,
    ended: Option<oneshot::Receiver<(Exit, Usage)>>,
    result: Option<(Exit, Usage)>,
}

impl Child {
    /// Its pid, which is also the id of its process group.
    pub fn pid(&self) -> u32 {
        self.identity.pid
    }

    /// Waits for the leader's end; by then its group is killed. Cancel safe; every later call gives the same.
    pub async fn wait(&mut self) -> Exit {
        if let Some(ended) = &mut self.ended {
            // The table keeps the sender until the child is reaped, so an error means that the runtime is going down:
            // there is nobody left to hear an answer.
            match ended.await {
                Ok(result) => self.result = Some(result),
                Err(_) => std::future::pending().await,
            }
            self.ended = None;
        }
        match self.result {
            Some((exit, _)) => exit,
            None => std::future::pending().await,
        }
    }

    /// How it ended, if that is known already.
    pub fn try_wait(&mut self) -> Option<Exit> {
        if let Some(Ok(result)) = self.ended.as_mut().map(oneshot::Receiver::try_recv) {
            self.result = Some(result);
            self.ended = None;
        }
        self.result.map(|(exit, _)| exit)
    }

    /// What it used; known once [`Child::wait`] has returned.
    pub fn usage(&self) -> Option<Usage> {
        self.result.map(|(_, usage)| usage)
    }
}
