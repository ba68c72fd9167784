//! Starting and waiting without an event loop: a thread of its own listens, whoever asks may block.
//!
//! The thread lives as long as the process, so a child that asked to be killed with its parent's thread
//! (`PR_SET_PDEATHSIG`) dies with the process and not with the thread that happened to ask for it. Who ends is reaped as
//! always: see [`Reaper`].

use crate::exit::{Exit, Usage};
use crate::output::{CaptureLimits, Captured};
use crate::reaper::Reaper;
use crate::spawn::{Spawn, SpawnError};
use crate::tree::signal_process;
use assay_protocol::ProcessIdentity;
use rustix::process::Signal;
use std::io;
use std::sync::mpsc;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// One thread per process, started by the first who needs it.
static SHARED: Mutex<Option<Background>> = Mutex::new(None);

/// Starts programs for code that blocks. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Background {
    orders: UnboundedSender<Order>,
}

enum Order {
    Start(Spawn, mpsc::Sender<Result<BackgroundChild, SpawnError>>),
    Capture(Spawn, CaptureLimits, mpsc::Sender<Result<Captured, SpawnError>>),
}

impl Background {
    /// The thread of this process. It becomes a subreaper, as with [`Reaper::start`].
    ///
    /// # Errors
    /// The system gives no thread, or no signals.
    pub fn shared() -> io::Result<Self> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(background) = &*shared {
            return Ok(background.clone());
        }
        let background = Self::start()?;
        *shared = Some(background.clone());
        Ok(background)
    }

    fn start() -> io::Result<Self> {
        let (orders, ordered) = unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (ready, begun) = mpsc::channel();
        std::thread::Builder::new().name("children".to_owned()).spawn(move || {
            runtime.block_on(async {
                let reaper = Reaper::start();
                let told = ready.send(reaper.as_ref().map(|_| ()).map_err(|error| error.kind()));
                if let (Ok(reaper), Ok(())) = (reaper, told) {
                    serve(reaper, ordered).await;
                }
            });
        })?;
        begun.recv().map_err(|_| gone())??;
        Ok(Self { orders })
    }

    /// Starts a program in a process group of its own.
    ///
    /// # Errors
    /// See [`SpawnError`].
    pub fn spawn(&self, spawn: Spawn) -> Result<BackgroundChild, SpawnError> {
        let program = spawn.program.clone();
        let (tell, told) = mpsc::channel();
        let sent = self.orders.send(Order::Start(spawn, tell));
        let answer = sent.ok().and_then(|()| told.recv().ok());
        answer.unwrap_or_else(|| Err(SpawnError::System { program, source: gone() }))
    }

    /// Runs a program to its end and captures both streams: see [`Reaper::output`].
    ///
    /// # Errors
    /// See [`SpawnError`].
    pub fn output(&self, spawn: Spawn, limits: CaptureLimits) -> Result<Captured, SpawnError> {
        let program = spawn.program.clone();
        let (tell, told) = mpsc::channel();
        let sent = self.orders.send(Order::Capture(spawn, limits, tell));
        let answer = sent.ok().and_then(|()| told.recv().ok());
        answer.unwrap_or_else(|| Err(SpawnError::System { program, source: gone() }))
    }
}

fn gone() -> io::Error {
    io::Error::other("the thread that starts programs is gone")
}

async fn serve(reaper: Reaper, mut orders: UnboundedReceiver<Order>) {
    while let Some(order) = orders.recv().await {
        match order {
            // Whoever asked may be gone; then nobody hears the answer.
            Order::Start(spawn, tell) => {
                let _ = tell.send(start(&reaper, &spawn));
            }
            Order::Capture(spawn, limits, tell) => {
                let reaper = reaper.clone();
                tokio::spawn(async move {
                    let _ = tell.send(reaper.output(&spawn, limits).await);
                });
            }
        }
    }
}

fn start(reaper: &Reaper, spawn: &Spawn) -> Result<BackgroundChild, SpawnError> {
    let mut child = reaper.spawn(spawn)?;
    let (tell, ended) = mpsc::channel();
    let identity = child.identity.clone();
    tokio::spawn(async move {
        let exit = child.wait().await;
        // The child may have been dropped: it is reaped all the same.
        let _ = tell.send((exit, child.usage().unwrap_or_default()));
    });
    Ok(BackgroundChild { identity, ended, result: None })
}

/// A started program. Dropping it neither ends it nor stops it from being reaped.
#[derive(Debug)]
pub struct BackgroundChild {
    /// Who it is. Its pid is also the id of its process group.
    pub identity: ProcessIdentity,
    ended: mpsc::Receiver<(Exit, Usage)>,
    result: Option<(Exit, Usage)>,
}

impl BackgroundChild {
    /// Waits for its end, at most this long; by then its group is killed. Every later call gives the same.
    pub fn wait(&mut self, limit: Duration) -> Option<Exit> {
        if self.result.is_none() {
            self.result = self.ended.recv_timeout(limit).ok();
        }
        self.result.map(|(exit, _)| exit)
    }

    /// Kills it if it still runs; what is left of its group dies when it is reaped.
    pub fn kill(&self) {
        if self.result.is_none() {
            signal_process(&self.identity, Signal::KILL);
        }
    }

    /// What it used; known once [`Self::wait`] has told its end.
    pub fn usage(&self) -> Option<Usage> {
        self.result.map(|(_, usage)| usage)
    }
}
