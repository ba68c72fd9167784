//! Between those who append and the one thread that writes: a list under a lock that nobody holds for long.
//!
//! The writer waits a moment after the first record, so that many share a sync, unless somebody is in a hurry. Must not
//! do I/O.

use assay_protocol::Event;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long records are gathered for one sync when nobody waits for them. With 3,000 records a second this makes groups
/// of about ten, and the cost of a sync (0.15 to 4 ms in `workflow-engines.md` 2.1) is shared by them.
const GATHER: Duration = Duration::from_millis(4);

/// A record on its way.
pub(crate) struct Pending {
    pub seq: u64,
    pub ts: f64,
    pub event: Event,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Pending>,
    /// Sequence number of the last record handed in.
    handed_in: u64,
    /// Sequence number up to which somebody waits.
    hurry: u64,
    durable: u64,
    closed: bool,
    failed: bool,
    /// Whether the writer sleeps until something comes, rather than until the moment is over.
    idle: bool,
}

/// The list, shared by writer and appenders.
pub(crate) struct Queue {
    state: Mutex<State>,
    to_writer: Condvar,
    to_waiters: Condvar,
}

impl Queue {
    pub(crate) fn new(seq: u64) -> Self {
        let state = State { handed_in: seq, durable: seq, ..State::default() };
        Self { state: Mutex::new(state), to_writer: Condvar::new(), to_waiters: Condvar::new() }
    }

    /// No code under the lock can panic half way, so a poisoned lock still guards a sound state.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands in a record and gives its number. After a failure it goes nowhere.
    pub(crate) fn push(&self, ts: f64, event: Event) -> u64 {
        let mut state = self.lock();
        state.handed_in += 1;
        let seq = state.handed_in;
        if !state.failed && !state.closed {
            state.waiting.push_back(Pending { seq, ts, event });
            if state.idle {
                state.idle = false;
                self.to_writer.notify_one();
            }
        }
        seq
    }

    /// Asks for a sync of everything up to `seq` without gathering.
    pub(crate) fn hurry(&self, seq: u64) {
        let mut state = self.lock();
        let seq = seq.min(state.handed_in);
        if seq > state.hurry {
            state.hurry = seq;
            self.to_writer.notify_one();
        }
    }

    /// Waits until everything handed in is durable; `false` after a failure.
    pub(crate) fn wait_durable(&self) -> bool {
        let mut state = self.lock();
        let target = state.handed_in;
        state.hurry = state.hurry.max(target);
        self.to_writer.notify_one();
        while !state.failed && state.durable < target {
            state = self.to_waiters.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        !state.failed
    }

    /// No more records: the writer ends once the list is empty.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.to_writer.notify_one();
    }

    pub(crate) fn durable_to(&self, seq: u64) {
        self.lock().durable = seq;
        self.to_waiters.notify_all();
    }

    pub(crate) fn fail(&self) {
        let mut state = self.lock();
        state.failed = true;
        state.waiting.clear();
        self.to_waiters.notify_all();
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.lock().failed
    }

    pub(crate) fn durable(&self) -> u64 {
        self.lock().durable
    }

    /// The next group of at most `limit` records, in order; `false` when there will be none.
    pub(crate) fn next_group(&self, group: &mut Vec<Pending>, limit: usize) -> bool {
        let mut state = self.lock();
        while state.waiting.is_empty() {
            if state.closed {
                return false;
            }
            state.idle = true;
            state = self.to_writer.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.idle = false;
        let until = Instant::now() + GATHER;
        while state.waiting.len() < limit && !state.closed && !self.is_urgent(&state) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            (state, _) = self.to_writer.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
        let count = state.waiting.len().min(limit);
        group.extend(state.waiting.drain(..count));
        true
    }

    fn is_urgent(&self, state: &State) -> bool {
        state.waiting.front().is_some_and(|first| first.seq <= state.hurry)
    }
}
