//! The lock of one run: whoever holds it is the only engine at work on the run.
//!
//! A `flock` on `<run>/lock`. The kernel lets go of it when its last holder dies, so it needs no repair after a crash.
//! The file says who took it, for messages only. Must not wait.

use crate::beneath::explain;
use crate::{RunDir, StoreError};
use assay_protocol::ProcessIdentity;
use rustix::fs::{AtFlags, OFlags};
use std::fs::{File, TryLockError};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;
use std::time::Duration;

const NAME: &str = "lock";
/// Bytes of a lock file that are looked at.
const CONTENT_MAX: usize = 4096;
/// A look at the holder takes a shared lock for microseconds, which must not be mistaken for a second engine.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(3);

/// Why a run cannot be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process works on the run.
    #[error("another process works on this run{}", describe(by.as_ref()))]
    Held {
        /// Which, as far as it said.
        by: Option<ProcessIdentity>,
    },
    /// The lock file cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn describe(by: Option<&ProcessIdentity>) -> String {
    by.map(|by| format!(" (pid {})", by.pid)).unwrap_or_default()
}

/// A held lock. It is let go when this and every copy of its descriptor are closed; a process that is just being started
/// elsewhere in this one has a copy until its exec, so that may be a moment later.
#[derive(Debug)]
pub struct RunLock {
    file: File,
}

impl RunLock {
    /// Takes the lock of `run` and writes `identity` into it.
    pub fn acquire(run: &RunDir, identity: &ProcessIdentity) -> Result<Self, LockError> {
        let path = run.path().join(NAME);
        for attempt in 1.. {
            let file = open(run, OFlags::RDWR | OFlags::CREATE)?;
            match file.try_lock() {
                Ok(()) if still_named(run, &file)? => {
                    let text = serde_json::to_vec(identity)
                        .map_err(|source| StoreError::Encode { what: "the lock", source })?;
                    write_content(&file, &text).map_err(|source| StoreError::io("write", &path, source))?;
                    return Ok(Self { file });
                }
                Ok(()) => {}
                Err(TryLockError::WouldBlock) if attempt < TRIES => std::thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => return Err(LockError::Held { by: content(&file) }),
                Err(TryLockError::Error(source)) => return Err(StoreError::io("lock", &path, source).into()),
            }
        }
        Err(LockError::Held { by: None })
    }

    /// A lock that another process took and handed over by descriptor.
    pub fn from_fd(fd: OwnedFd) -> Self {
        Self { file: File::from(fd) }
    }

    /// Lets go now, for every copy of the descriptor, in other processes too.
    pub fn release(self) -> io::Result<()> {
        self.file.unlock()
    }

    /// One more holder of the same lock.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { file: self.file.try_clone()? })
    }
}

impl AsFd for RunLock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Whether some process works on `run`, and which. `Some(None)`: one that did not say who it is.
pub fn holder(run: &RunDir) -> Result<Option<Option<ProcessIdentity>>, StoreError> {
    let file = match open(run, OFlags::RDONLY) {
        Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => Ok(Some(content(&file))),
        Err(TryLockError::Error(source)) => Err(StoreError::io("lock", &run.path().join(NAME), source)),
    }
}

fn open(run: &RunDir, flags: OFlags) -> Result<File, StoreError> {
    run.open_with(Path::new(NAME), flags)
}

/// Whether the file is still the one of that name: it might have been replaced before the lock was taken.
fn still_named(run: &RunDir, file: &File) -> Result<bool, StoreError> {
    let path = run.path().join(NAME);
    let ours = file.metadata().map_err(|source| StoreError::io("read", &path, source))?;
    match rustix::fs::statat(run.fd(), NAME, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(stat.st_dev == ours.dev() && stat.st_ino == ours.ino()),
        Err(rustix::io::Errno::NOENT) => Ok(false),
        Err(errno) => Err(explain("read", &path, errno)),
    }
}

/// Replaces the content of a lock file.
pub(crate) fn write_content(file: &File, text: &[u8]) -> io::Result<()> {
    file.set_len(0)?;
    file.write_all_at(text, 0)
}

/// What a lock file says, if it is whole.
pub(crate) fn content<T: serde::de::DeserializeOwned>(file: &File) -> Option<T> {
    let mut bytes = [0; CONTENT_MAX];
    let count = file.read_at(&mut bytes, 0).ok()?;
    serde_json::from_slice(&bytes[..count]).ok()
}
