//! Keepers: a process between the engine and a server that is to outlive the engine.
//!
//! The engine starts the keeper from its own program, hands it the server's locks and what to start, and hears when the
//! server has ended. From [`Keeper::keep`] on the keeper goes on without the engine; a later engine takes it up again by
//! identity ([`Keeper::adopt`]). SIGTERM to a keeper stops its server in an orderly way, a second one at once.

mod life;
mod line;
mod order;

pub use life::keep_if_asked;

use crate::exit::Exit;
use crate::reaper::{Child, Reaper};
use crate::spawn::{Io, Spawn, SpawnError};
use crate::sys;
use crate::tree::{Tag, kill_tree, signal_process};
use crate::watch::Watch;
use assay_protocol::ProcessIdentity;
use line::News;
use order::Order;
use rustix::process::Signal;
use std::ffi::OsString;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;
use tokio::io::unix::AsyncFd;

/// How long after the grace of its server a keeper is waited for: it kills and reaps in that time.
const MARGIN: Duration = Duration::from_secs(10);

/// What a keeper is to do beyond starting the server.
#[derive(Debug)]
pub struct KeeperOptions<'a> {
    /// What the keeper's command line shows after the program's name.
    pub title: String,
    /// The keeper's own environment: the tags by which it is found again.
    pub env: Vec<(OsString, OsString)>,
    /// Signal that asks the server to end.
    pub signal: Signal,
    /// Time between that signal and KILL.
    pub grace: Duration,
    /// Locked files that stay open for as long as the keeper lives.
    pub locks: Vec<BorrowedFd<'a>>,
}

/// Why a keeper or its server could not be started.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// The keeper's own process.
    #[error("the server's keeper: {0}")]
    Keeper(#[from] SpawnError),
    /// The line to it.
    #[error("the server's keeper cannot be reached: {0}")]
    Line(#[from] io::Error),
    /// The server, as the keeper tells it.
    #[error("{0}")]
    Server(String),
    /// It ended without a word.
    #[error("the server's keeper ended before the server had started")]
    Gone,
}

/// How a kept server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptEnd {
    /// Its leader ended so.
    Server(Exit),
    /// The keeper was killed, and the server with it.
    KeeperLost(Exit),
    /// Both are gone, and nobody saw how: the keeper was of an earlier engine.
    Unseen,
}

/// An engine's hold on a keeper. Dropping it ends nothing.
#[derive(Debug)]
pub struct Keeper {
    /// The keeper.
    pub keeper: ProcessIdentity,
    /// The server's leader.
    pub server: ProcessIdentity,
    by: By,
}

#[derive(Debug)]
enum By {
    /// Started by this engine.
    Start { child: Child, line: AsyncFd<OwnedFd>, ended: Option<Exit> },
    /// Left by an earlier one.
    Adoption(Watch),
}

impl Keeper {
    /// Starts a keeper, and the server below it. Standard output and error of `server` go where it says, its input is
    /// empty. The program must call [`keep_if_asked`] first in its `main`.
    ///
    /// # Errors
    /// The keeper or the server cannot be started; then neither is there.
    pub async fn start(
        reaper: &Reaper,
        server: &Spawn,
        options: KeeperOptions<'_>,
    ) -> Result<Self, KeeperError> {
        let (ours, theirs) = line::pair()?;
        let order = Order::new(server, options.signal.as_raw(), options.grace).to_file()?;
        let spawn = Spawn {
            program: "/proc/self/exe".into(),
            argv: vec!["assay".into(), life::WORD.into(), options.title.into()],
            env: options.env,
            cwd: "/".into(),
            stdin: Io::from(theirs),
            stdout: server.stdout.clone(),
            stderr: server.stderr.clone(),
            session: true,
            isolation: None,
        };
        let child = reaper.spawn(&spawn)?;
        // Our copy of its end; its death must show.
        drop(spawn);
        for lock in options.locks {
            line::hold(&ours, lock)?;
        }
        line::start(&ours, std::os::fd::AsFd::as_fd(&order))?;
        let line = sys::listen_on(ours)?;
        match next_news(&line).await? {
            Some(News::Started(server)) => {
                let keeper = child.identity.clone();
                Ok(Self { keeper, server, by: By::Start { child, line, ended: None } })
            }
            Some(News::Failed(words)) => Err(KeeperError::Server(words)),
            Some(News::Ended(_)) | None => Err(KeeperError::Gone),
        }
    }

    /// Takes up a keeper that an earlier engine left; `None` if it, or its server, is gone.
    ///
    /// Must be called inside a tokio runtime with I/O enabled.
    pub fn adopt(keeper: &ProcessIdentity, server: &ProcessIdentity) -> Option<Self> {
        let watch = Watch::on(keeper)?;
        crate::is_alive(server).then(|| Self {
            keeper: keeper.clone(),
            server: server.clone(),
            by: By::Adoption(watch),
        })
    }

    /// Whether it was left by an earlier engine.
    pub fn is_adopted(&self) -> bool {
        matches!(self.by, By::Adoption(_))
    }

    /// A line on which the keeper can be told, from anywhere, to outlive this engine; nothing for an adopted one, which has
    /// been told.
    ///
    /// # Errors
    /// Out of descriptors.
    pub fn line(&self) -> io::Result<Option<KeeperLine>> {
        match &self.by {
            By::Start { line, .. } => {
                Ok(Some(KeeperLine { line: rustix::io::fcntl_dupfd_cloexec(line.get_ref(), 3)? }))
            }
            By::Adoption(_) => Ok(None),
        }
    }

    /// Waits for the end of keeper and server. Cancel safe; every later call gives the same.
    pub async fn wait(&mut self) -> KeptEnd {
        match &mut self.by {
            By::Start { child, line, ended } => {
                let exit = child.wait().await;
                // It told before it ended.
                while let Ok(Some(news)) = News::receive(line.get_ref()) {
                    if let News::Ended(exit) = news {
                        *ended = Some(exit);
                    }
                }
                ended.map_or(KeptEnd::KeeperLost(exit), KeptEnd::Server)
            }
            By::Adoption(watch) => {
                watch.gone().await;
                KeptEnd::Unseen
            }
        }
    }

    /// Asks for an orderly stop, waits for it, and makes sure that nothing is left.
    pub async fn stop(&mut self, grace: Duration, tag: Option<&Tag>) {
        stop_kept(&self.keeper, &self.server, grace, tag).await;
        self.wait().await;
    }
}

/// The end of a line that tells a keeper to outlive its engine.
#[derive(Debug)]
pub struct KeeperLine {
    line: OwnedFd,
}

impl KeeperLine {
    /// The server outlives this engine from now on.
    ///
    /// # Errors
    /// The keeper is gone.
    pub fn keep(&self) -> io::Result<()> {
        line::keep(&self.line)
    }
}

/// Stops a kept server by identity: TERM to its keeper, which gives the server its own signal and grace, then KILL to
/// whatever is still there.
pub async fn stop_kept(
    keeper: &ProcessIdentity,
    server: &ProcessIdentity,
    grace: Duration,
    tag: Option<&Tag>,
) {
    signal_process(keeper, Signal::TERM);
    // One that is stopped would not hear it before it is continued.
    signal_process(keeper, Signal::CONT);
    if let Some(watch) = Watch::on(keeper) {
        // A keeper that does not end in time is killed below.
        let _ = tokio::time::timeout(grace + MARGIN, watch.gone()).await;
    }
    kill_tree(keeper, None).await;
    kill_tree(server, tag).await;
}

async fn next_news(line: &AsyncFd<OwnedFd>) -> io::Result<Option<News>> {
    loop {
        let mut guard = line.readable().await?;
        match News::receive(line.get_ref()) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => guard.clear_ready(),
            other => return other,
        }
    }
}
