//! A simulated server from its socket to its end.

use super::config::{Config, Pace, Starting};
use super::hub::Hub;
use super::script::{self, Start};
use super::truth::Truth;
use super::worker::Counter;
use super::{clock, failure::Failure};
use crate::LoadError;
use rustix::net::sockopt::set_socket_reuseaddr;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokenizers::Tokenizer;

/// Connections that may wait to be accepted. A burst of thousands must not be refused.
const BACKLOG: i32 = 8192;
/// How often a server that waits looks for the end, in nanoseconds.
const LOOK: u64 = 20_000_000;

/// Takes the lines that the simulated framework prints.
pub type Log = Arc<dyn Fn(&str) + Send + Sync>;

/// A simulated server that owns its port.
pub struct Server {
    config: Config,
    tokenizer: Option<Arc<Tokenizer>>,
    socket: OwnedFd,
    port: u16,
    log: Log,
}

/// A process that lives on behind the server.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stray {
    /// How long it lives, in seconds.
    pub seconds: f64,
    /// In a process group of its own.
    pub own_group: bool,
}

/// How a server came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// It was told to stop.
    Stopped,
    /// It ended by itself with this status.
    Exited(i32),
    /// It died in the middle of its work: whoever runs it as a process aborts.
    Crashed,
}

/// The end of a server.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// How it came.
    pub how: How,
    /// What the server had done.
    pub truth: Truth,
}

impl Server {
    /// Takes the port (0 for any), without listening yet.
    ///
    /// # Errors
    /// [`LoadError::Config`] for values that describe no server, [`LoadError::Tokenizer`] for a tokenizer that cannot be
    /// read, [`LoadError::System`] for a port that cannot be had.
    pub fn bind(config: Config, addr: SocketAddr) -> Result<Self, LoadError> {
        config.check()?;
        let tokenizer = config.tokenizer.as_deref().map(read_tokenizer).transpose()?;
        let failed = |error: rustix::io::Errno| LoadError::system("take the server's port")(error.into());
        let family = if addr.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(family, SocketType::STREAM, flags, None).map_err(failed)?;
        set_socket_reuseaddr(&socket, true).map_err(failed)?;
        bind(&socket, &addr).map_err(failed)?;
        let taken = rustix::net::getsockname(&socket).map_err(failed)?;
        let port = SocketAddr::try_from(taken).map_or(addr.port(), |addr| addr.port());
        Ok(Self { config, tokenizer, socket, port, log: Arc::new(|_| {}) })
    }

    /// Hands the lines of the log to this function, from whatever thread.
    #[must_use]
    pub fn on_log(mut self, log: Log) -> Self {
        self.log = log;
        self
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process that shall live on behind the server, where the configuration wants one. Starting it is the caller's
    /// work.
    pub fn stray(&self) -> Option<Stray> {
        self.config.failures.iter().find_map(|failure| match failure {
            Failure::LeaveChild { seconds, own_group } => {
                Some(Stray { seconds: *seconds, own_group: *own_group })
            }
            _ => None,
        })
    }

    /// Serves until told to stop, or until a failure of the configuration ends it.
    ///
    /// # Errors
    /// [`LoadError::System`] where the operating system refuses what the loop needs.
    pub fn run(self, stop: &AtomicBool) -> Result<Ended, LoadError> {
        let begun = clock::now();
        script::loading(&self.config).iter().for_each(|line| (self.log)(line));
        let mut ready_at = begun + clock::from_s(self.config.startup_s);
        let start = script::start(&self.config, self.port);
        let mut listens_at = match self.config.while_starting {
            Starting::Refuse => ready_at,
            Starting::Unavailable => begun,
        };
        match start {
            Start::Good => {}
            Start::Unready => ready_at = u64::MAX,
            Start::Hangs(lines) => {
                lines.iter().for_each(|line| (self.log)(line));
                listens_at = u64::MAX;
            }
            Start::Fails(fatal) => {
                let how = if fatal.at_once || wait_until(ready_at, stop) {
                    fatal.lines.iter().for_each(|line| (self.log)(line));
                    How::Exited(fatal.code)
                } else {
                    How::Stopped
                };
                return Ok(self.unused(how));
            }
        }
        if !wait_until(listens_at, stop) {
            return Ok(self.unused(How::Stopped));
        }
        listen(&self.socket, BACKLOG).map_err(|error| LoadError::system("listen")(error.into()))?;
        let page = match &self.config.pace {
            Pace::Engine(spec) if spec.prefix_cache => Some(spec.page_tokens),
            _ => None,
        };
        let counter =
            Counter { tokenizer: self.tokenizer, page, per_message: self.config.chat_tokens_per_message };
        let listener = TcpListener::from(self.socket);
        let mut hub = Hub::new(&self.config, listener, self.port, counter, &self.log, ready_at)?;
        let how = hub.run(stop)?;
        Ok(Ended { how, truth: hub.truth() })
    }

    fn unused(&self, how: How) -> Ended {
        Ended { how, truth: super::truth::Counters::new(&self.config).sum_up() }
    }
}

/// Waits; false when told to stop before.
fn wait_until(time: u64, stop: &AtomicBool) -> bool {
    loop {
        if stop.load(Ordering::Relaxed) {
            return false;
        }
        let left = time.saturating_sub(clock::now());
        if left == 0 {
            return true;
        }
        std::thread::sleep(Duration::from_nanos(left.min(LOOK)));
    }
}

fn read_tokenizer(path: &Path) -> Result<Arc<Tokenizer>, LoadError> {
    // The folder of a model holds it.
    let inside = path.join("tokenizer.json");
    let path = if path.is_dir() { &inside } else { path };
    Tokenizer::from_file(path).map(Arc::new).map_err(|error| LoadError::Tokenizer {
        path: path.to_owned(),
        problem: format!("{error}; give the model's `tokenizer.json`"),
    })
}
