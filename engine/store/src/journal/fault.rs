//! Hooks at the journal's boundaries, for tests that end the engine exactly there. Exists only with the cargo feature
//! `fault`; must not read the environment itself.

use std::sync::OnceLock;

/// Where the writer is with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// The stored head announces the record; the journal does not hold it.
    BeforeWrite,
    /// A part of the batch with the record stands in the journal, not necessarily the record.
    MidWrite,
    /// The record is written, and lost if the power fails now.
    AfterWrite,
    /// The record is on the disk; nobody has been told.
    AfterSync,
}

/// One point in the life of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Boundary {
    /// Sequence number of the record.
    pub seq: u64,
    /// Where the writer is with it.
    pub phase: Phase,
}

type Hook = Box<dyn Fn(Boundary) + Send + Sync>;

static HOOK: OnceLock<Hook> = OnceLock::new();

/// Installs the hook of this process, called by the writer's thread. Says whether it was the first.
pub fn install(hook: Hook) -> bool {
    HOOK.set(hook).is_ok()
}

pub(crate) fn at_boundary(seqs: std::ops::RangeInclusive<u64>, phase: Phase) {
    if let Some(hook) = HOOK.get() {
        for seq in seqs {
            hook(Boundary { seq, phase });
        }
    }
}
