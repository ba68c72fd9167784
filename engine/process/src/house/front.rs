//! The front: forwards signals, stays until the supervisor has ended, clears up after it if it had to.

use super::report::Report;
use super::spared::Spared;
use super::supervisor::{self, Birth};
use super::{Attempt, EngineSide, HouseEnd, HouseError};
use crate::exit::Exit;
use crate::sweep::sweep;
use crate::sys::{self, Fork, SignalSet};
use crate::tree::signal_process;
use assay_protocol::ProcessIdentity;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::Signal;
use std::os::fd::OwnedFd;

/// Signals that mean the engine, whoever of the house gets them. SIGWINCH too: the engine has left the terminal's session
/// and would not hear that the window changed.
const FORWARDED: [i32; 5] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT, libc::SIGWINCH];

/// Builds the house below this process and watches it.
pub(super) fn run(
    announce: Option<OwnedFd>,
    engine: impl FnOnce(EngineSide) -> u8,
) -> Result<HouseEnd, HouseError> {
    let front = crate::own_identity();
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).attempt("become a subreaper")?;
    // A parent that ignores SIGCHLD would have our children vanish unseen.
    sys::restore_default(libc::SIGCHLD);
    let (life, only_ours) = crate::pipe().attempt("open a pipe")?;
    let (report, tell) = crate::pipe().attempt("open a pipe")?;
    // What is ignored (`nohup`, a background job of a script) stays ignored.
    let mut signals: Vec<i32> = FORWARDED.into_iter().filter(|signal| !sys::is_ignored(*signal)).collect();
    signals.push(libc::SIGCHLD);
    let signals = SignalSet::of(&signals);
    let old_mask = signals.block().attempt("block signals")?;
    match sys::fork() {
        Ok(Fork::Child) => {
            drop((only_ours, report));
            supervisor::run(Birth { front, life, tell, announce, signals, old_mask }, engine)
        }
        Ok(Fork::Parent(pid)) => {
            drop((life, tell, announce, engine));
            let end = watch(pid, &report, &signals);
            // The supervisor sees the end of this pipe as our death, so it stays open until here.
            drop(only_ours);
            old_mask.install().attempt("restore signals")?;
            end
        }
        Err(error) => {
            old_mask.install().attempt("restore signals")?;
            Err(error).attempt("start the supervisor")
        }
    }
}

fn watch(supervisor: u32, report: &OwnedFd, signals: &SignalSet) -> Result<HouseEnd, HouseError> {
    let engine = match Report::receive(report) {
        Some(Report::Engine(identity)) => Some(identity),
        _ => None,
    };
    let descriptor = signals.descriptor();
    let exit = match &descriptor {
        Ok(descriptor) => wait_for(supervisor, descriptor, engine.as_ref()),
        // Out of descriptors: better no house than one without a front.
        Err(_) => None,
    };
    // All of them, once nobody can write any more; else nobody is spared.
    let mut reports: Vec<Report> = Vec::new();
    if exit.is_some() {
        reports.extend(std::iter::from_fn(|| Report::receive(report)));
    }
    // After a regular end nothing is left and this is one look; else everything below is ours to kill.
    let swept = sweep(Some(supervisor), &Spared::from_reports(&reports));
    // A last impatient Ctrl-C was meant for the engine; unread, it would kill us instead of giving the engine's code.
    forward(&descriptor.attempt("listen to signals")?, None);
    reports.extend(std::iter::from_fn(|| Report::receive(report)));
    let reported = reports.into_iter().rfind(|report| matches!(report, Report::Ended(_)));
    Ok(match (reported, exit.or(swept)) {
        (Some(Report::Ended(Exit::Code(code))), Some(Exit::Code(_))) => {
            HouseEnd::Ended { code: u8::try_from(code).unwrap_or(1), killed_by: None, supervisor_lost: false }
        }
        (Some(Report::Ended(Exit::Signal(signal))), Some(Exit::Code(_))) => killed(signal, false),
        (_, Some(Exit::Signal(signal))) => killed(signal, true),
        // It could not build the rest and said so by its code.
        (_, Some(Exit::Code(code))) => {
            HouseEnd::Ended { code: u8::try_from(code).unwrap_or(1), killed_by: None, supervisor_lost: true }
        }
        (_, None) => HouseEnd::Ended { code: 1, killed_by: None, supervisor_lost: true },
    })
}

fn killed(signal: i32, supervisor_lost: bool) -> HouseEnd {
    let code = u8::try_from(128 + signal).unwrap_or(u8::MAX);
    HouseEnd::Ended { code, killed_by: Some(signal), supervisor_lost }
}

/// Forwards signals until the supervisor has ended.
fn wait_for(supervisor: u32, signals: &OwnedFd, engine: Option<&ProcessIdentity>) -> Option<Exit> {
    loop {
        // SIGCHLD may have come before the descriptor existed, so look before waiting.
        if let Some((exit, _)) = sys::reap(supervisor) {
            return Some(exit);
        }
        match poll(&mut [PollFd::new(signals, PollFlags::IN)], None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return None,
        }
        forward(signals, engine);
    }
}

/// Passes on what arrived for the engine.
pub(super) fn forward(signals: &OwnedFd, engine: Option<&ProcessIdentity>) {
    for signal in sys::read_signals(signals) {
        let named = FORWARDED.contains(&signal).then(|| Signal::from_named_raw(signal)).flatten();
        if let (Some(signal), Some(engine)) = (named, engine) {
            // Fails when the engine has just ended: then the house is coming down anyway.
            signal_process(engine, signal);
        }
    }
}
