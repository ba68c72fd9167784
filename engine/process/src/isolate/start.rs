//! The starter's side: hands the order over, and waits until the program has begun or says why not.

use super::{IsolationError, Order};
use crate::spawn::{Spawn, SpawnError};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::MemfdFlags;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions};
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::time::Duration;

/// The name under which our binary is started, as `argv[0]`.
pub(crate) const NAME: &str = "assay-isolated";
/// Where the child finds its order and where it reports.
pub(super) const ORDER_FD: RawFd = 3;
pub(super) const REPORT_FD: RawFd = 4;
/// Above every number that the child uses: a copy to one of those must not overwrite what is still to be copied.
const OUT_OF_THE_WAY: RawFd = 16;
/// A folder on a dead network file system must not hold the engine for ever.
const LIMIT: Duration = Duration::from_secs(20);

/// What the child reports before it ends; when the program begins it says nothing and the pipe closes.
pub(super) mod report {
    /// The kernel does not offer it; words follow.
    pub(in super::super) const UNSUPPORTED: u8 = b'u';
    /// It went wrong; words follow.
    pub(in super::super) const FAILED: u8 = b'f';
    /// The program could not be executed; the error number follows.
    pub(in super::super) const EXEC: u8 = b'x';
}

/// An isolated start under way.
pub(crate) struct Gate {
    order: OwnedFd,
    child_end: OwnedFd,
    own_end: File,
}

/// Why nothing runs.
pub(crate) enum Refusal {
    /// As `posix_spawn` would have said.
    Exec(io::Error),
    Isolation(IsolationError),
}

fn failed(what: impl Into<String>) -> IsolationError {
    IsolationError::Failed { what: what.into() }
}

impl Gate {
    pub(crate) fn new(spawn: &Spawn, isolation: &super::Isolation) -> Result<Self, SpawnError> {
        let open = || -> io::Result<Self> {
            let order = rustix::fs::memfd_create(NAME, MemfdFlags::CLOEXEC)?;
            let mut file = File::from(order);
            file.write_all(&Order::encode(&spawn.program, &spawn.argv, isolation))?;
            let (own_end, child_end) = crate::pipe()?;
            let away = |fd: &OwnedFd| rustix::io::fcntl_dupfd_cloexec(fd, OUT_OF_THE_WAY);
            Ok(Self { order: away(&file.into())?, child_end: away(&child_end)?, own_end: own_end.into() })
        };
        open().map_err(|error| failed(format!("its order cannot be written: {error}")).into())
    }

    /// `(descriptor, number in the child)`.
    pub(crate) fn copies(&self) -> [(RawFd, RawFd); 2] {
        [(self.order.as_raw_fd(), ORDER_FD), (self.child_end.as_raw_fd(), REPORT_FD)]
    }

    /// Returns when the program has begun. Otherwise the child is gone and reaped.
    pub(crate) fn wait(self, pid: u32) -> Result<(), Refusal> {
        drop((self.order, self.child_end));
        let Some(refusal) = listen(self.own_end) else { return Ok(()) };
        if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
            // It ends by itself, except where the time limit struck.
            let _ = rustix::process::kill_process(pid, Signal::KILL);
            while let Err(Errno::INTR) = rustix::process::waitpid(Some(pid), WaitOptions::empty()) {}
        }
        Err(refusal)
    }
}

fn listen(mut pipe: File) -> Option<Refusal> {
    let limit = Timespec { tv_sec: LIMIT.as_secs().cast_signed(), tv_nsec: 0 };
    loop {
        match poll(&mut [PollFd::new(&pipe, PollFlags::IN)], Some(&limit)) {
            Ok(0) => {
                let what =
                    format!("the folders beside the run could not be opened within {} s", LIMIT.as_secs());
                return Some(Refusal::Isolation(failed(what)));
            }
            Err(Errno::INTR) => {}
            _ => break,
        }
    }
    let mut said = Vec::new();
    if let Err(error) = pipe.read_to_end(&mut said) {
        return Some(Refusal::Isolation(failed(format!("its report cannot be read: {error}"))));
    }
    let (&kind, rest) = said.split_first()?;
    let what = String::from_utf8_lossy(rest).into_owned();
    Some(match (kind, rest.first_chunk::<4>()) {
        (report::EXEC, Some(number)) => {
            Refusal::Exec(io::Error::from_raw_os_error(i32::from_le_bytes(*number)))
        }
        (report::UNSUPPORTED, _) => Refusal::Isolation(IsolationError::Unsupported { what }),
        _ => Refusal::Isolation(failed(what)),
    })
}
