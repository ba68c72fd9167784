//! The engine's side: what the closure gets, and the process it runs in.

use crate::link::SupervisorLink;
use crate::sys::{self, SignalSet};
use assay_protocol::ProcessIdentity;
use rustix::process::Signal;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What the engine knows of the house it lives in.
#[derive(Debug)]
pub struct EngineSide {
    /// The line to the supervisor.
    pub link: SupervisorLink,
    /// The process the user started, or its stand-in in the background.
    pub front: ProcessIdentity,
    /// The process between.
    pub supervisor: ProcessIdentity,
    /// This process.
    pub engine: ProcessIdentity,
    announce: Option<OwnedFd>,
}

impl EngineSide {
    /// Tells a caller that waits for a detached run that it goes on from here, in one line. Only the first call counts;
    /// without `detach` nobody listens.
    pub fn announce(&mut self, line: &str) {
        if let Some(pipe) = self.announce.take() {
            let line = line.split('\n').next().unwrap_or_default();
            // A caller that was killed meanwhile does not matter to the run.
            let _ = writeln!(std::fs::File::from(pipe), "{line}");
        }
    }
}

/// What the engine gets from the supervisor.
pub(super) struct EngineBirth {
    pub(super) front: ProcessIdentity,
    pub(super) supervisor: ProcessIdentity,
    pub(super) link: SupervisorLink,
    pub(super) announce: Option<OwnedFd>,
    pub(super) old_mask: SignalSet,
}

/// The life of the engine's process.
#[expect(
    clippy::exit,
    reason = "this process was forked for the closure alone; its caller belongs to the front"
)]
pub(super) fn run(birth: EngineBirth, engine: impl FnOnce(EngineSide) -> u8) -> ! {
    let bound = rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).is_ok();
    // The supervisor may have died before the line above; then nobody would tell us.
    let parent = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get().unsigned_abs());
    if !bound || parent != Some(birth.supervisor.pid) || birth.old_mask.install().is_err() {
        sys::exit_now(1);
    }
    let EngineBirth { front, supervisor, link, announce, old_mask: _ } = birth;
    let side = EngineSide { link, front, supervisor, engine: crate::own_identity(), announce };
    // The panic's message is out by now; 1 is the code for a bug of the engine.
    let code = catch_unwind(AssertUnwindSafe(|| engine(side))).unwrap_or(1);
    std::process::exit(i32::from(code))
}
