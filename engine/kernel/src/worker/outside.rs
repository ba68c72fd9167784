//! What the system tells of a worker's process, which nothing inside of it can forge: processor time between requests, and memory.

use super::Worker;
use super::arena::page_size;
use crate::timing::CpuClock;
use std::time::Duration;

/// Processor time while nothing is asked.
#[derive(Debug, Default)]
pub(super) struct Idle {
    clock: Option<CpuClock>,
    /// Processor time when the last reply came.
    since: Option<Duration>,
    total: Duration,
}

impl Idle {
    /// Of the process with this number.
    pub(super) fn of(pid: u32) -> Self {
        Self { clock: CpuClock::of(pid), ..Self::default() }
    }

    /// A request is about to be sent.
    pub(super) fn ends(&mut self) {
        let now = self.clock.and_then(CpuClock::now);
        if let Some((since, now)) = self.since.take().zip(now) {
            self.total += now.saturating_sub(since);
        }
    }

    /// Its reply came.
    pub(super) fn begins(&mut self) {
        self.since = self.clock.and_then(CpuClock::now);
    }
}

impl Worker {
    /// Processor time that the worker took so far between a reply and the request behind it, up to the last request; zero where the system
    /// does not tell. A worker waits there: beside what it takes to wait (some microseconds for each request) whatever it computes is nobody's
    /// business but its own, and no clock of a call sees it. Threads of an interpreter or of a driver count as well.
    pub fn idle(&self) -> Duration {
        self.idle.total
    }

    /// Bytes of address space that the worker has now, tensors included; `None` once it is gone.
    pub fn size(&self) -> Option<u64> {
        let pages = std::fs::read_to_string(format!("/proc/{}/statm", self.pid())).ok()?;
        let pages = pages.split(' ').next()?.parse::<u64>().ok()?;
        Some(pages * page_size() as u64)
    }
}
