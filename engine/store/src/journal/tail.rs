//! The end of the journal file as its writer knows it, and whether the file still looks like that.
//! Must not know about events.

use super::JOURNAL;
use super::head::End;
use crate::{RunDir, StoreError};
use rustix::fs::AtFlags;
use std::fs::File;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::PathBuf;

/// The open journal and what was written to it last.
#[derive(Debug)]
pub(crate) struct Tail {
    run: RunDir,
    file: File,
    path: PathBuf,
    device: u64,
    inode: u64,
    pub end: End,
    last_line: Vec<u8>,
    scratch: Vec<u8>,
}

impl Tail {
    pub(crate) fn new(run: &RunDir, file: File, end: End, last_line: Vec<u8>) -> Result<Self, StoreError> {
        let path = run.path().join(JOURNAL);
        let metadata = file.metadata().map_err(|error| StoreError::io("read", &path, error))?;
        Ok(Self {
            run: run.clone(),
            file,
            path,
            device: metadata.dev(),
            inode: metadata.ino(),
            end,
            last_line,
            scratch: Vec::new(),
        })
    }

    fn fail(&self, action: &'static str, error: std::io::Error) -> StoreError {
        StoreError::io(action, &self.path, error)
    }

    /// Inode, length and last record are as this engine left them, and the name still leads here.
    pub(crate) fn check(&mut self) -> Result<(), StoreError> {
        let tampered = |why: String| Err(StoreError::Tampered { why });
        match rustix::fs::statat(self.run.fd(), JOURNAL, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if stat.st_dev == self.device && stat.st_ino == self.inode => {}
            Ok(_) => return tampered(format!("`{JOURNAL}` was replaced by another file")),
            Err(rustix::io::Errno::NOENT) => return tampered(format!("`{JOURNAL}` was removed")),
            Err(errno) => return Err(self.fail("read", errno.into())),
        }
        let length = self.file.metadata().map_err(|error| self.fail("read", error))?.len();
        if length != self.end.len {
            return tampered(format!("it has {length} bytes, this engine left {}", self.end.len));
        }
        let offset = self.end.len - self.last_line.len() as u64;
        self.scratch.resize(self.last_line.len(), 0);
        self.file
            .read_exact_at(&mut self.scratch, offset)
            .map_err(|error| StoreError::io("read", &self.path, error))?;
        if self.scratch != self.last_line {
            return tampered(format!("record {} is not the one that this engine wrote", self.end.seq));
        }
        Ok(())
    }

    /// Writes `bytes` at the end. `last_line` is the part of them after which the journal ends at `end`. What was
    /// written of them when the disk refuses is taken back, as far as the disk lets us.
    pub(crate) fn extend(&mut self, bytes: &[u8], last_line: &[u8], end: End) -> Result<(), StoreError> {
        if let Err(error) = self.write(bytes, end) {
            drop(self.file.set_len(self.end.len));
            return Err(self.fail("write", error));
        }
        self.end = end;
        self.last_line.clear();
        self.last_line.extend_from_slice(last_line);
        Ok(())
    }

    #[cfg(not(feature = "fault"))]
    fn write(&self, bytes: &[u8], _: End) -> std::io::Result<()> {
        self.file.write_all_at(bytes, self.end.len)
    }

    /// In two halves, so that a fault can strike between them.
    #[cfg(feature = "fault")]
    fn write(&self, bytes: &[u8], end: End) -> std::io::Result<()> {
        let half = bytes.len() / 2;
        self.file.write_all_at(&bytes[..half], self.end.len)?;
        super::fault::at_boundary(self.end.seq + 1..=end.seq, super::fault::Phase::MidWrite);
        self.file.write_all_at(&bytes[half..], self.end.len + half as u64)
    }

    /// A second handle to sync by, so that checks need not wait for a sync.
    pub(crate) fn handle(&self) -> Result<File, StoreError> {
        self.file.try_clone().map_err(|error| self.fail("open", error))
    }
}
