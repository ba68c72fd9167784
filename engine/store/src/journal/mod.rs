//! The journal of a run: append-only JSON lines, each naming the hash of the line before.
//!
//! `{"v":1,"seq":1,"ts":1764000000.000000,"prev":"<32 hex digits>","type":"run_started","data":{..}}`
//!
//! One thread writes it and syncs many records at once ([`JournalWriter`]); everyone else reads it ([`read`]). What was
//! written last is also kept outside the run directory ([`Head`]). Must not decide what a record means for the run:
//! the fold lives in `assay-protocol`.

#[cfg(feature = "fault")]
pub mod fault;
mod head;
mod queue;
mod reader;
mod record;
mod tail;
mod writer;

pub use head::{Head, HeadCheck};
pub use reader::{Journal, JournalError, Record, for_each_record, read};
pub use writer::{JournalWriter, OnDurable, OnError};

/// The journal's name inside a run directory.
pub const JOURNAL: &str = "journal.jsonl";
