//! The house: front, supervisor, engine, and who clears up after whom.
//!
//! The process the user starts becomes the *front*. Below it stands the *supervisor* in a session of its own, below that the
//! *engine*, which starts the steps. Front and supervisor are child subreapers and do nothing but watch:
//!
//! | dies | who notices | how |
//! |---|---|---|
//! | engine | supervisor | it is its child |
//! | supervisor | kernel, then front | the engine's parent-death signal; it is the front's child |
//! | front | supervisor | the end of a pipe that only the front holds |
//! | engine and supervisor | front | as above |
//!
//! Whoever notices kills everything below itself until the kernel says that no child is left. What the engine has named to
//! be spared ([`crate::SupervisorLink::spare`]) is left alone, with everything below it. Nothing here knows what the engine
//! does.

mod detach;
mod engine;
mod front;
mod report;
mod spared;
mod supervisor;

pub use engine::EngineSide;
pub(crate) use spared::Spared;

use assay_protocol::ProcessIdentity;
use std::io;
use std::os::fd::OwnedFd;

/// How the house is built.
#[derive(Debug, Default)]
pub struct HouseOptions {
    /// Put the front into the background too, in a session of its own, and return once the engine has announced itself.
    pub detach: bool,
    /// With `detach`: where its standard output and error go; `/dev/null` if not given.
    pub output: Option<OwnedFd>,
}

/// How it ended, for the process that called [`run_house`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HouseEnd {
    /// The engine has ended, and nothing is left below.
    Ended {
        /// The engine's exit code; 128 and the signal's number if it was killed.
        code: u8,
        /// The signal that killed the engine or the supervisor.
        killed_by: Option<i32>,
        /// Whether it was the supervisor that was killed, and the engine with it.
        supervisor_lost: bool,
    },
    /// It runs in the background.
    Detached {
        /// The front in the background: the process to signal.
        front: ProcessIdentity,
        /// What the engine announced.
        message: String,
    },
}

/// Why the house could not be built. Nothing is left running.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what}: {source}")]
pub struct HouseError {
    /// What was attempted.
    pub what: &'static str,
    /// The system's reason.
    pub source: io::Error,
}

/// Adds what was attempted to a system error.
trait Attempt<T> {
    fn attempt(self, what: &'static str) -> Result<T, HouseError>;
}

impl<T, E: Into<io::Error>> Attempt<T> for Result<T, E> {
    fn attempt(self, what: &'static str) -> Result<T, HouseError> {
        self.map_err(|error| HouseError { what, source: error.into() })
    }
}

/// Runs `engine` in a process of its own, two levels below this one, and returns when everything below has ended.
///
/// Must be called while the process has one thread. `engine` is dropped unused in this process and in the supervisor, so
/// it must own nothing whose drop acts on the outside. What it returns is the exit code; a panic gives 1. With `detach` the
/// call returns in two processes: in the caller, and later, with [`HouseEnd::Ended`], in the front in the background.
pub fn run_house(
    options: HouseOptions,
    engine: impl FnOnce(EngineSide) -> u8,
) -> Result<HouseEnd, HouseError> {
    // Must come first: afterwards, descriptors of ours would look like inherited ones if a library forgot the flag.
    let inherited = crate::shut_out_inherited();
    if options.detach { detach::run(options.output, &inherited, engine) } else { front::run(None, engine) }
}
