//! Locks that hold across all runs of a host: named locks, GPUs and ports.
//!
//! One file each in a folder that every user of the host shares, locked by `flock`, never removed (a removed lock file
//! is two locks). The kernel lets go when the holder dies. Must not wait, and must not decide who gets what.

use crate::StoreError;
use crate::digest::blake3_hex;
use crate::lock::{content, write_content};
use assay_protocol::ProcessIdentity;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::fs::{File, TryLockError};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Everyone may add a lock file and use those of others, only owners may remove theirs.
const FOLDER_MODE: u32 = 0o1777;
const FILE_MODE: u32 = 0o666;
/// Longest field of a holder's description, in bytes: it is for messages.
const FIELD_MAX: usize = 512;

/// What a lock stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LockKind {
    /// A name from `resources.locks`.
    Name,
    /// A GPU, by its physical id.
    Gpu,
    /// A TCP port on this host.
    Port,
}

impl LockKind {
    fn word(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Gpu => "gpu",
            Self::Port => "port",
        }
    }
}

/// Who holds a lock, for messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HolderInfo {
    /// Run id.
    pub run: String,
    /// Path of the step.
    pub step: String,
    /// The process that took it.
    pub identity: ProcessIdentity,
}

/// The folder with the lock files of this host.
#[derive(Debug, Clone)]
pub struct HostLocks {
    dir: PathBuf,
}

/// A held lock. It is let go by [`HostLock::release`], or when this and every copy of its descriptor are closed.
#[derive(Debug)]
pub struct HostLock {
    file: File,
}

impl HostLocks {
    /// Uses `dir`, and makes it for all users of the host if it is missing.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        match rustix::fs::mkdir(dir, Mode::from_raw_mode(0o777)) {
            Ok(()) => {
                // The mask of the process took bits away that other users need.
                rustix::fs::chmod(dir, Mode::from_raw_mode(FOLDER_MODE))
                    .map_err(|errno| StoreError::io("open for all users", dir, errno))?;
            }
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(StoreError::io("make the folder", dir, errno)),
        }
        let metadata =
            std::fs::symlink_metadata(dir).map_err(|source| StoreError::io("read", dir, source))?;
        if metadata.is_symlink() {
            return Err(StoreError::Planted { path: dir.to_owned() });
        }
        Ok(Self { dir: dir.to_owned() })
    }

    fn path(&self, kind: LockKind, name: &str) -> PathBuf {
        let hash = blake3_hex(name.as_bytes());
        self.dir.join(format!("{}-{}-{}.lock", kind.word(), crate::slug(name), &hash[..16]))
    }

    /// Takes the lock if it is free: `None` if somebody holds it (or looks at it at this moment).
    pub fn try_acquire(
        &self,
        kind: LockKind,
        name: &str,
        holder: &HolderInfo,
    ) -> Result<Option<HostLock>, StoreError> {
        let path = self.path(kind, name);
        let file = open_or_create(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(source)) => return Err(StoreError::io("lock", &path, source)),
        }
        let said = HolderInfo {
            run: shorten(&holder.run),
            step: shorten(&holder.step),
            identity: holder.identity.clone(),
        };
        let text = serde_json::to_vec(&said)
            .map_err(|source| StoreError::Encode { what: "the holder of a lock", source })?;
        write_content(&file, &text).map_err(|source| StoreError::io("write", &path, source))?;
        Ok(Some(HostLock { file }))
    }

    /// Whether the lock is held, and by whom. `Some(None)`: by a holder that did not say who it is.
    pub fn holder_of(&self, kind: LockKind, name: &str) -> Result<Option<Option<HolderInfo>>, StoreError> {
        let path = self.path(kind, name);
        let file = match open_existing(&path, OFlags::RDONLY) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(crate::beneath::explain("open", &path, errno)),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => Ok(Some(content(&file))),
            Err(TryLockError::Error(source)) => Err(StoreError::io("lock", &path, source)),
        }
    }
}

impl HostLock {
    /// Lets go now, for every copy of the descriptor, in other processes too.
    pub fn release(self) -> Result<(), StoreError> {
        self.file.unlock().map_err(|source| StoreError::io("release", Path::new("lock"), source))
    }

    /// A lock that another process took and handed over by descriptor.
    pub fn from_fd(fd: OwnedFd) -> Self {
        Self { file: File::from(fd) }
    }

    /// One more holder of the same lock.
    pub fn try_clone(&self) -> std::io::Result<Self> {
        Ok(Self { file: self.file.try_clone()? })
    }
}

impl AsFd for HostLock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

fn shorten(text: &str) -> String {
    let mut end = text.len().min(FIELD_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

fn open_existing(path: &Path, flags: OFlags) -> Result<File, Errno> {
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    rustix::fs::openat(CWD, path, flags, Mode::empty()).map(File::from)
}

/// First without `O_CREAT`: in a shared folder the kernel refuses that flag on files of others (`fs.protected_regular`).
fn open_or_create(path: &Path) -> Result<File, StoreError> {
    let create = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let fail = |errno| crate::beneath::explain("open", path, errno);
    let file = loop {
        match open_existing(path, OFlags::RDWR) {
            Ok(file) => break file,
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(fail(errno)),
        }
        match rustix::fs::openat(CWD, path, create, Mode::from_raw_mode(FILE_MODE)) {
            Ok(fd) => {
                rustix::fs::fchmod(&fd, Mode::from_raw_mode(FILE_MODE)).map_err(fail)?;
                break File::from(fd);
            }
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(fail(errno)),
        }
    };
    let metadata = file.metadata().map_err(|source| StoreError::io("read", path, source))?;
    // A hard link to somebody's file would be overwritten with the holder's description.
    if !metadata.is_file() || metadata.nlink() != 1 {
        return Err(StoreError::NotAFile { path: path.to_owned() });
    }
    Ok(file)
}
