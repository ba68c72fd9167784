//! Log files and working directories that silent steps hand on to the next.
//!
//! A step's output goes straight into a file by descriptor, so the file must exist before it is known whether
//! anything will be printed. Making and removing files for each silent step would cost more than the step; so a
//! file that stayed empty, or a directory, serves the next step, and one that holds something is published under
//! the step's own path (logs, by rename) or simply kept (directories, whose path the step may have told others).

use assay_store::{RunDir, StoreError};
use rustix::fs::{Mode, OFlags};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

/// One open log file below `live/`.
#[derive(Debug, Clone)]
pub struct LiveLog {
    /// Path relative to the run directory.
    pub path: String,
    /// Open for reading and writing.
    pub fd: Arc<OwnedFd>,
}

impl LiveLog {
    /// A log that an earlier engine made and that is still written to.
    pub(crate) fn reopen(run: &RunDir, path: &str) -> Result<Self, StoreError> {
        let file = run.open_file(path)?;
        Ok(Self { path: path.to_owned(), fd: Arc::new(file.into()) })
    }

    /// Its length in bytes.
    pub fn len(&self) -> u64 {
        rustix::fs::fstat(&*self.fd).map_or(0, |stat| u64::try_from(stat.st_size).unwrap_or(0))
    }

    /// Whether nothing was printed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The two logs of a step while it runs.
#[derive(Debug, Clone)]
pub struct LivePair {
    /// Standard output.
    pub stdout: LiveLog,
    /// Standard error.
    pub stderr: LiveLog,
}

/// A private working directory.
#[derive(Debug)]
pub struct WorkDir {
    /// Absolute path.
    pub path: PathBuf,
    fd: OwnedFd,
}

/// Files and directories ready for the next step.
#[derive(Debug)]
pub struct Pool {
    run: RunDir,
    session: String,
    next_log: u64,
    next_dir: u64,
    free_logs: Vec<LiveLog>,
    free_dirs: Vec<WorkDir>,
}

impl Pool {
    /// A pool whose names begin with `session`. No two engines of a run may share one: what a killed engine left, a
    /// directory with files in it even, would be taken for empty.
    pub fn new(run: RunDir, session: String) -> Self {
        Self { run, session, next_log: 0, next_dir: 0, free_logs: Vec::new(), free_dirs: Vec::new() }
    }

    /// An empty log file.
    pub fn log(&mut self) -> Result<LiveLog, StoreError> {
        if let Some(log) = self.free_logs.pop() {
            return Ok(log);
        }
        let path = format!("live/{}-{}.log", self.session, self.next_log);
        self.next_log += 1;
        let file = self.run.create_file(&path)?;
        Ok(LiveLog { path, fd: Arc::new(file.into()) })
    }

    /// An empty working directory.
    pub fn dir(&mut self) -> Result<WorkDir, StoreError> {
        if let Some(dir) = self.free_dirs.pop() {
            return Ok(dir);
        }
        let relative = format!("work/{}-{}", self.session, self.next_dir);
        self.next_dir += 1;
        let path = self.run.create_dirs(&relative)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::open(&path, flags, Mode::empty())
            .map_err(|errno| StoreError::io("open", &path, errno))?;
        Ok(WorkDir { path, fd })
    }

    /// Takes a log back: published as `target` if it holds anything, else kept for the next step.
    ///
    /// `reusable` is false when a process of the step may still hold the file.
    pub fn finish_log(
        &mut self,
        log: LiveLog,
        target: &str,
        reusable: bool,
    ) -> Result<Option<String>, StoreError> {
        if !log.is_empty() {
            self.run.rename(&log.path, target)?;
            return Ok(Some(target.to_owned()));
        }
        if reusable {
            self.free_logs.push(log);
        } else {
            self.run.remove(&log.path)?;
        }
        Ok(None)
    }

    /// Takes a working directory back: kept where it is if it holds anything.
    pub fn finish_dir(&mut self, dir: WorkDir, reusable: bool) {
        if reusable && is_empty(&dir) {
            self.free_dirs.push(dir);
        }
    }

    /// Takes a directory back whose content nobody needs.
    pub fn discard_dir(&mut self, dir: WorkDir, reusable: bool) {
        if reusable && is_empty(&dir) {
            self.free_dirs.push(dir);
        } else if let Ok(relative) = dir.path.strip_prefix(self.run.path()) {
            // Leftovers are harmless; the run is not failed for them.
            let _ = self.run.remove(relative);
        }
    }

    /// Removes what is left over at the end of the engine's work.
    pub fn clear(&mut self) {
        for log in self.free_logs.drain(..) {
            // Leftovers are harmless; the run is not failed for them.
            let _ = self.run.remove(&log.path);
        }
        for dir in self.free_dirs.drain(..) {
            let _ = std::fs::remove_dir(&dir.path);
        }
        for folder in ["live", "work"] {
            let _ = self.run.remove_dir_if_empty(folder);
        }
    }
}

fn is_empty(dir: &WorkDir) -> bool {
    // Only a directory that still is where it was can be handed on.
    let same = rustix::fs::fstat(&dir.fd)
        .ok()
        .zip(rustix::fs::lstat(&dir.path).ok())
        .is_some_and(|(opened, named)| opened.st_ino == named.st_ino && opened.st_dev == named.st_dev);
    if !same || rustix::fs::seek(dir.fd.as_fd(), rustix::fs::SeekFrom::Start(0)).is_err() {
        return false;
    }
    let mut buffer = Vec::with_capacity(1024);
    let mut entries = rustix::fs::RawDir::new(&dir.fd, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        match entry {
            Ok(entry) if matches!(entry.file_name().to_bytes(), b"." | b"..") => {}
            _ => return false,
        }
    }
    true
}
