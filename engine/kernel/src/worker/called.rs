//! What is asked of a worker and what comes back from calls.

use super::mode::Mode;

/// Which end of each tensor lies exactly at memory that nobody may touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// The first byte.
    Start,
    /// The last byte.
    End,
}

/// A call that came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Called {
    /// The entry's return code; 0 is success.
    pub rc: i32,
    /// Nanoseconds by the worker's clock.
    pub ns: u64,
    /// Nanoseconds by the judge's clock, with the way there and back.
    pub host_ns: u64,
    /// Mode of floating point before the call: always [`Mode::DEFAULT`].
    pub mode_before: Mode,
    /// And after it.
    pub mode_after: Mode,
}

/// Calls behind each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The set of each call, at most [`super::MOST_CALLS`].
    pub sets: Vec<u16>,
    /// A call, and the place in the case of one of its tensors that is copied to the arena's snapshot right after the call.
    pub snapshot: Option<(usize, usize)>,
}

/// A block that came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blocked {
    /// Nanoseconds of the calls by the worker's clock, without the copy.
    pub ns: u64,
    /// Nanoseconds of everything by the judge's clock, with the copy and with the way there and back.
    pub host_ns: u64,
    /// Nanoseconds of the snapshot's copy by the worker's clock.
    pub copy_ns: u64,
    /// The first call that failed and its return code; the block ends with it.
    pub failed: Option<(usize, i32)>,
    /// The first mode after a call that is not the default, else the default.
    pub mode_after: Mode,
}
