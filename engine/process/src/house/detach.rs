//! A house in the background: the caller forks the front, waits for one line, and goes home.

use super::{Attempt, EngineSide, HouseEnd, HouseError, front};
use crate::descriptors::OpenDescriptor;
use crate::sys::{self, Fork};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, WaitOptions, waitpid};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;

pub(super) fn run(
    output: Option<OwnedFd>,
    inherited: &[OpenDescriptor],
    engine: impl FnOnce(EngineSide) -> u8,
) -> Result<HouseEnd, HouseError> {
    let (listen, announce) = crate::pipe().attempt("open a pipe")?;
    sys::restore_default(libc::SIGCHLD);
    match sys::fork().attempt("start the front in the background")? {
        Fork::Child => {
            drop(listen);
            leave(output)?;
            // A lock or pipe of whoever started us must not live as long as a run in the background.
            inherited.iter().for_each(|open| sys::close_inherited(open.fd));
            front::run(Some(announce), engine)
        }
        Fork::Parent(pid) => {
            drop((announce, output, engine));
            listen_to(pid, listen)
        }
    }
}

/// Leaves the terminal: an own session, and none of its streams.
fn leave(output: Option<OwnedFd>) -> Result<(), HouseError> {
    rustix::process::setsid().attempt("leave the session")?;
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
        .attempt("open /dev/null")?;
    sys::replace_standard(&null, 0).attempt("detach standard input")?;
    let output = output.unwrap_or(null);
    sys::replace_standard(&output, 1).attempt("detach standard output")?;
    sys::replace_standard(&output, 2).attempt("detach standard error")
}

fn listen_to(front: u32, listen: OwnedFd) -> Result<HouseEnd, HouseError> {
    let identity = crate::identity_of(front);
    let mut line = String::new();
    let read = BufReader::new(File::from(listen)).read_line(&mut line);
    let message = line.strip_suffix('\n').map(str::to_owned);
    if let (Ok(_), Some(message), Some(front)) = (read, message, identity) {
        return Ok(HouseEnd::Detached { front, message });
    }
    // The engine ended without a word; the front ends with its code.
    let pid = i32::try_from(front).ok().and_then(Pid::from_raw);
    let status = waitpid(pid, WaitOptions::empty()).attempt("wait for the front")?;
    let code = status.as_ref().and_then(|(_, status)| status.exit_status());
    let killed_by = status.and_then(|(_, status)| status.terminating_signal());
    let code = code.unwrap_or_else(|| killed_by.map_or(1, |signal| 128 + signal));
    Ok(HouseEnd::Ended { code: u8::try_from(code).unwrap_or(1), killed_by, supervisor_lost: false })
}
