//! What the engine wrote to the journal last, kept outside the run directory, so that a journal that was rewritten
//! as a whole, with a valid chain, is noticed.
//!
//! **When it is written.** Before each batch, without a sync: the end of the journal as it is (`committed`), and the end after
//! each record of the batch (`pending`). So wherever `kill -9` strikes, the journal ends at `committed` or at one of `pending`,
//! or with a torn part of one of them. It is written to two slots in turn, each with a checksum: a torn slot leaves the one
//! before, which then is the true one, for the journal is written after the slot. At a clean close it is synced.
//!
//! **What is accepted.** The record at `committed` must be there and have the recorded hash, and so must every record of
//! `pending` that is there. Losing (part of) the last batch is a torn tail, as after a crash. Records after the last of
//! `pending` are accepted only when the host was booted since and the head had not been synced: a power failure may take
//! back writes to the head while the journal, which is synced, stays ([`HeadCheck::Behind`]). The other way round cannot
//! happen: `committed` is on the disk before the head names it. A missing or unreadable head (another host, a cleaned
//! state folder, a power failure right after the start) is accepted and said: whoever can delete the head could delete the
//! whole run. Against the same user with intent all of this is evidence, not protection.

use super::record::LineHash;
use crate::StoreError;
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Bytes of one of the two slots; holds a full batch (see the test below).
const SLOT: usize = 32 * 1024;
/// Records in one batch at most, so that they fit a slot.
pub(crate) const BATCH_MAX: usize = 256;

/// An end of the journal: after `seq` records and `len` bytes, the last line having `hash`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct End {
    pub seq: u64,
    pub len: u64,
    pub hash: LineHash,
}

/// An end as stored: `[seq, len, hash]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct StoredEnd(u64, u64, String);

impl StoredEnd {
    fn from_end(end: &End) -> Self {
        Self(end.seq, end.len, end.hash.to_string())
    }

    fn end(&self) -> Option<End> {
        Some(End { seq: self.0, len: self.1, hash: LineHash::from_hex(&self.2)? })
    }
}

/// One slot as stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Slot {
    generation: u64,
    boot: String,
    synced: bool,
    committed: StoredEnd,
    pending: Vec<StoredEnd>,
}

/// The newest valid slot.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Known {
    pub generation: u64,
    /// The kernel's boot id when it was written.
    pub boot: String,
    /// Whether it is known to be on the disk.
    pub synced: bool,
    pub committed: End,
    pub pending: Vec<End>,
}

impl Known {
    /// The end that the journal has once the last batch is written.
    pub(crate) fn last(&self) -> End {
        self.pending.last().copied().unwrap_or(self.committed)
    }

    /// The hash that the record `seq` must have, if it is one of those kept here.
    pub(crate) fn wanted(&self, seq: u64) -> Option<End> {
        let ahead = usize::try_from(seq.checked_sub(self.committed.seq)?).ok()?;
        match ahead.checked_sub(1) {
            None => Some(self.committed),
            Some(index) => self.pending.get(index).copied(),
        }
    }
}

/// How the journal compares to the stored head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadCheck {
    /// It ends as recorded.
    Matches,
    /// There is no stored head: nothing but the chain speaks for the journal.
    Missing,
    /// The stored head cannot be read: as if missing.
    Unreadable,
    /// The host was booted since, and the head lost its last writes; the journal agrees up to this record.
    Behind {
        /// Sequence number of the last record that the head vouches for.
        vouched: u64,
    },
}

/// What a stored head says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Stored {
    Known(Known),
    Missing,
    Unreadable,
}

/// The place of a run's stored head: `<state_dir>/heads/<run id>.head`. Found by the run's id, so a run directory may
/// be moved.
#[derive(Debug, Clone)]
pub struct Head {
    path: PathBuf,
    boot: String,
}

impl Head {
    /// `boot`: the kernel's boot id, as in `ProcessIdentity::boot`. Nothing is read or written yet.
    pub fn at(state_dir: &Path, run_id: &str, boot: &str) -> Self {
        let path = state_dir.join("heads").join(format!("{}.head", crate::slug(run_id)));
        Self { path, boot: boot.to_owned() }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The boot id handed in.
    pub(crate) fn boot(&self) -> &str {
        &self.boot
    }

    /// Forgets the head of a run that is gone. Missing is fine.
    pub fn remove(&self) -> Result<(), StoreError> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(StoreError::io("remove", &self.path, error))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn load(&self) -> Result<Stored, StoreError> {
        match File::options().read(true).custom_flags(no_link()).open(&self.path) {
            Ok(file) => load_from(&file).map_err(|error| StoreError::io("read", &self.path, error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Stored::Missing),
            Err(error) => Err(StoreError::io("open", &self.path, error)),
        }
    }

    /// Opens it for writing and stores `committed` as the journal's end.
    pub(crate) fn start(&self, committed: End) -> Result<HeadFile, StoreError> {
        let fail = |error| StoreError::io("write", &self.path, error);
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder).map_err(|error| StoreError::io("make the folder", folder, error))?;
        }
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(no_link())
            .open(&self.path)
            .map_err(fail)?;
        let generation = match load_from(&file).map_err(fail)? {
            Stored::Known(known) => known.generation,
            Stored::Missing | Stored::Unreadable => 0,
        };
        let mut head = HeadFile {
            file,
            path: self.path.clone(),
            boot: self.boot.clone(),
            generation,
            committed,
            pending: Vec::new(),
        };
        head.announce(committed, &[])?;
        Ok(head)
    }
}

fn no_link() -> i32 {
    (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed()
}

fn load_from(file: &File) -> io::Result<Stored> {
    let mut bytes = vec![0; 2 * SLOT];
    let mut filled = 0;
    loop {
        match file.read_at(&mut bytes[filled..], filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let newest = bytes.chunks(SLOT).filter_map(parse_slot).max_by_key(|known| known.generation);
    Ok(newest.map_or(Stored::Unreadable, Stored::Known))
}

/// `<32 hex digits over the rest of the line> <json>\n`.
fn parse_slot(slot: &[u8]) -> Option<Known> {
    if slot.first() == Some(&0) {
        return None;
    }
    let line = slot.split(|byte| *byte == b'\n').next()?;
    let (sum, json) = (line.get(..32)?, line.get(33..)?);
    if std::str::from_utf8(sum).ok().and_then(LineHash::from_hex)? != LineHash::of(json) {
        return None;
    }
    let slot: Slot = serde_json::from_slice(json).ok()?;
    Some(Known {
        generation: slot.generation,
        boot: slot.boot,
        synced: slot.synced,
        committed: slot.committed.end()?,
        pending: slot.pending.iter().map(StoredEnd::end).collect::<Option<_>>()?,
    })
}

/// The stored head while a writer owns it.
#[derive(Debug)]
pub(crate) struct HeadFile {
    file: File,
    path: PathBuf,
    boot: String,
    generation: u64,
    committed: End,
    pending: Vec<End>,
}

impl HeadFile {
    /// Stores where the journal ends, and where it may end once the batch is written.
    pub(crate) fn announce(&mut self, committed: End, pending: &[End]) -> Result<(), StoreError> {
        self.committed = committed;
        self.pending.clear();
        self.pending.extend_from_slice(pending);
        self.store(false)
    }

    /// Makes it durable: from now on it holds after a reboot, too.
    pub(crate) fn close(&mut self) -> Result<(), StoreError> {
        self.store(true)?;
        self.file.sync_data().map_err(|error| StoreError::io("sync", &self.path, error))
    }

    fn store(&mut self, synced: bool) -> Result<(), StoreError> {
        self.generation += 1;
        let slot = Slot {
            generation: self.generation,
            boot: self.boot.clone(),
            synced,
            committed: StoredEnd::from_end(&self.committed),
            pending: self.pending.iter().map(StoredEnd::from_end).collect(),
        };
        let json = serde_json::to_string(&slot)
            .map_err(|source| StoreError::Encode { what: "the stored head", source })?;
        let line = format!("{} {json}\n", LineHash::of(json.as_bytes()));
        let offset = (self.generation % 2) * SLOT as u64;
        self.file
            .write_all_at(line.as_bytes(), offset)
            .map_err(|error| StoreError::io("write", &self.path, error))
    }

    /// Whether the file still says what was stored last. One that was emptied is as good as deleted: no difference.
    pub(crate) fn is_ours(&self) -> Result<bool, StoreError> {
        let stored = load_from(&self.file).map_err(|error| StoreError::io("read", &self.path, error))?;
        Ok(match stored {
            Stored::Known(known) => {
                known.generation == self.generation
                    && known.committed == self.committed
                    && known.pending == self.pending
            }
            Stored::Missing | Stored::Unreadable => true,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(seq: u64) -> End {
        End { seq, len: u64::MAX - seq % 1000, hash: LineHash::of(&seq.to_le_bytes()) }
    }

    #[test]
    fn a_full_batch_fits_a_slot_and_comes_back() {
        let state = tempfile::tempdir().unwrap();
        let head = Head::at(state.path(), "abcd1234", "b");
        let first = u64::MAX / 2;
        let mut file = head.start(end(first)).unwrap();
        let pending: Vec<End> = (1..=BATCH_MAX as u64).map(|n| end(first.wrapping_add(n))).collect();
        let pending: Vec<End> = pending.into_iter().map(|end| End { len: u64::MAX, ..end }).collect();
        file.announce(end(first), &pending).unwrap();
        let Stored::Known(known) = head.load().unwrap() else { panic!("not readable") };
        assert_eq!((known.committed, known.pending), (end(first), pending));
        assert!(fs::metadata(head.path()).unwrap().len() <= 2 * SLOT as u64);
    }

    #[test]
    fn a_torn_slot_leaves_the_one_before() {
        let state = tempfile::tempdir().unwrap();
        let head = Head::at(state.path(), "abcd1234", "b");
        let mut file = head.start(end(1)).unwrap();
        file.announce(end(1), &[end(2)]).unwrap();
        let before = head.load().unwrap();
        file.announce(end(2), &[end(3), end(4)]).unwrap();
        let whole = fs::read(head.path()).unwrap();
        let offset = (file.generation % 2) as usize * SLOT;
        let length = whole[offset..].iter().position(|byte| *byte == b'\n').unwrap();
        for cut in [0, 10, 40, length - 1] {
            let mut torn = whole.clone();
            torn[offset + cut..offset + length + 1].fill(0);
            fs::write(head.path(), &torn).unwrap();
            assert_eq!(head.load().unwrap(), before, "cut at {cut}");
        }
    }
}
