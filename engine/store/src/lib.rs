//! What a run leaves on disk: its directory, its journal, its artifacts, and the locks that guard them.
//!
//! This crate must not decide anything: it writes what it is given, reads back what was written, and says when the
//! two differ. What a difference means for a run is for its callers to say.

mod artifacts;
mod beneath;
mod copy;
mod digest;
mod error;
mod host_locks;
mod journal;
mod lock;
mod names;
mod run_dir;
mod runs;

pub use artifacts::Artifacts;
pub use digest::{FileDigest, blake3_hex, sha256_file, sha256_hex};
pub use error::StoreError;
pub use host_locks::{HolderInfo, HostLock, HostLocks, LockKind};
#[cfg(feature = "fault")]
pub use journal::fault;
pub use journal::{
    Head, HeadCheck, JOURNAL, Journal, JournalError, JournalWriter, OnDurable, OnError, Record,
    for_each_record, read,
};
pub use lock::{LockError, RunLock, holder};
pub use names::{RESERVED, safe_relative, slug};
pub use run_dir::RunDir;
pub use runs::{FindError, RunEntry, find, list};
