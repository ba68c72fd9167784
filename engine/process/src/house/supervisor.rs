//! The supervisor: an ancestor of every step, holder of locks, runner of masking relays.
//!
//! It starts nothing but the engine and decides nothing. It ends when everything below it is dead.

use super::engine::{self, EngineBirth};
use super::front::forward;
use super::report::Report;
use super::{Attempt, EngineSide, HouseError};
use crate::exit::Exit;
use crate::link::{LinkServer, link_pair};
use crate::sweep::{reap_ended, sweep};
use crate::sys::{self, Fork, SignalSet};
use assay_protocol::ProcessIdentity;
use rustix::event::{PollFd, PollFlags, poll};
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What the supervisor gets from the front.
pub(super) struct Birth {
    pub(super) front: ProcessIdentity,
    /// Ends when the front dies: nobody else holds the other end.
    pub(super) life: OwnedFd,
    /// Where the front listens.
    pub(super) tell: OwnedFd,
    /// For the engine only.
    pub(super) announce: Option<OwnedFd>,
    /// Blocked already.
    pub(super) signals: SignalSet,
    /// The mask from before, for the engine.
    pub(super) old_mask: SignalSet,
}

/// The life of the supervisor's process. It never returns into the program that the front belongs to.
pub(super) fn run(birth: Birth, engine: impl FnOnce(EngineSide) -> u8) -> ! {
    let own = std::process::id();
    let mut spared = Vec::new();
    let code = match catch_unwind(AssertUnwindSafe(|| live(birth, engine, &mut spared))) {
        Ok(Ok(Exit::Code(code))) => u8::try_from(code).unwrap_or(1),
        Ok(Ok(Exit::Signal(signal))) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
        Ok(Err(_)) | Err(_) => 1,
    };
    // A panic may have left children; the engine's own panics end in the engine's process.
    if std::process::id() == own {
        sweep(None, &spared);
    }
    sys::exit_now(code)
}

fn live(
    birth: Birth,
    engine: impl FnOnce(EngineSide) -> u8,
    spared: &mut Vec<ProcessIdentity>,
) -> Result<Exit, HouseError> {
    // Out of the terminal's reach: Ctrl-C and a hang-up go to the front alone.
    rustix::process::setsid().attempt("leave the session")?;
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).attempt("become a subreaper")?;
    let Birth { front, life, tell, announce, signals, old_mask } = birth;
    let descriptor = signals.descriptor().attempt("listen to signals")?;
    let (link, mut server) = link_pair().attempt("open a socket")?;
    let supervisor = crate::own_identity();
    match sys::fork().attempt("start the engine")? {
        Fork::Child => {
            drop((life, tell, descriptor, server));
            engine::run(EngineBirth { front, supervisor, link, announce, old_mask }, engine)
        }
        Fork::Parent(pid) => {
            drop((link, announce, engine));
            let identity = crate::identity_of(pid);
            if let Some(identity) = &identity {
                Report::Engine(identity.clone()).send(&tell);
            }
            server.tells(rustix::io::fcntl_dupfd_cloexec(&tell, 3).attempt("copy a pipe")?);
            let watch = Watch { pid, identity, life, signals: descriptor, server };
            let exit = watch.until_nothing_is_left(spared);
            Report::Ended(exit).send(&tell);
            Ok(exit)
        }
    }
}

struct Watch {
    pid: u32,
    identity: Option<ProcessIdentity>,
    life: OwnedFd,
    signals: OwnedFd,
    server: LinkServer,
}

impl Watch {
    /// Waits for the end of the engine or of the front, then clears up. Locks are released last.
    fn until_nothing_is_left(mut self, spared: &mut Vec<ProcessIdentity>) -> Exit {
        let ended = self.wait();
        // What the engine sent before it died still counts: a relay must drain, a lock must hold.
        let _ = self.server.receive();
        *spared = self.server.spared().to_vec();
        let swept = sweep(Some(self.pid), spared);
        self.server.finish_relays();
        ended.or(swept).unwrap_or(Exit::Signal(libc::SIGKILL))
    }

    /// `None`: the front is gone, or this process can no longer watch.
    fn wait(&mut self) -> Option<Exit> {
        let mut linked = true;
        let mut ended = None;
        loop {
            reap_ended(Some(self.pid), &mut ended);
            if ended.is_some() {
                return ended;
            }
            let mut waits =
                vec![PollFd::new(&self.life, PollFlags::IN), PollFd::new(&self.signals, PollFlags::IN)];
            if linked {
                waits.push(PollFd::new(&self.server, PollFlags::IN));
            }
            match poll(&mut waits, None) {
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(_) => return None,
            }
            let ready: Vec<bool> = waits.iter().map(|wait| !wait.revents().is_empty()).collect();
            drop(waits);
            if ready[0] {
                return None;
            }
            if ready[1] {
                forward(&self.signals, self.identity.as_ref());
            }
            if linked && ready[2] {
                linked = self.server.receive().unwrap_or(true);
            }
        }
    }
}
