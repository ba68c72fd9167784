//! Blocks of calls, by the device's own clock: events in the stream around the calls, and between them what must not count.

use super::driver::{self, Failure, Told};
use super::{Mapped, Session};
use crate::worker::answer::{Answer, Done, Refused};
use crate::worker::main::{code_word, now, since};
use crate::worker::message::WORDS;
use crate::worker::mode::Mode;
use cudarc::driver::sys::{CUevent, CUstream};
use std::collections::BTreeSet;

/// Least bytes that are overwritten between calls; as Triton's `do_bench` and NVBench do.
const FLUSH: u64 = 256 << 20;

/// Events that are used again, and what overwrites the cache.
#[derive(Default)]
pub(super) struct Timer {
    events: Vec<CUevent>,
    /// Address and bytes.
    flush: Option<(u64, usize)>,
}

impl Timer {
    /// An event by number, in the order in which they are asked for.
    fn event(&mut self, number: usize) -> Told<CUevent> {
        while self.events.len() <= number {
            self.events.push(driver::new_event()?);
        }
        Ok(self.events[number])
    }

    /// Memory four times as large as the cache, if a quarter of what is free allows it.
    fn flush(&mut self, l2_bytes: u64) -> Told<(u64, usize)> {
        if let Some(flush) = self.flush {
            return Ok(flush);
        }
        let bytes = FLUSH.max(4 * l2_bytes).min(driver::free_memory()? / 4);
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        let flush = (driver::allocate(bytes)?, bytes);
        self.flush = Some(flush);
        Ok(flush)
    }
}

/// Marks in the stream. Between two of them lies one kind of work.
struct Marks<'a> {
    timer: &'a mut Timer,
    stream: CUstream,
    kinds: Vec<Kind>,
}

/// What lies between a mark and the one before it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Calls,
    Copy,
    Flush,
}

impl<'a> Marks<'a> {
    fn begin(timer: &'a mut Timer, stream: CUstream) -> Told<Self> {
        driver::record(timer.event(0)?, stream)?;
        Ok(Self { timer, stream, kinds: Vec::new() })
    }

    /// Everything since the last mark was of this kind.
    fn mark(&mut self, kind: Kind) -> Told<()> {
        self.kinds.push(kind);
        let event = self.timer.event(self.kinds.len())?;
        driver::record(event, self.stream)
    }

    /// Nanoseconds of a kind, once all is done.
    fn total(&self, kind: Kind) -> Told<u64> {
        let of = |at: usize| driver::between(self.timer.events[at], self.timer.events[at + 1]);
        (0..self.kinds.len()).filter(|at| self.kinds[*at] == kind).map(of).sum()
    }
}

/// What happened while calls were made.
struct Made {
    failed: Option<(u64, i32)>,
    mode: Mode,
}

impl Session {
    /// Words of the answer: nanoseconds of the calls, nanoseconds of the copy, the first call that failed (or `u64::MAX`) and its return
    /// code, the first mode that is not the default (two words), nanoseconds by this side's clock until everything on the device is
    /// done, without what does not count.
    pub(super) fn block(&mut self, words: [u64; WORDS]) -> Answer {
        let [count, call, tensor, flush, ..] = words;
        let mut timer = std::mem::take(&mut self.timer);
        let done = self.timed(&mut timer, count, (call, tensor), flush != 0);
        self.timer = timer;
        done
    }

    fn timed(&self, timer: &mut Timer, count: u64, (call, tensor): (u64, u64), flush: bool) -> Answer {
        let mapped = self.mapped()?;
        let plan = &mapped.memory.plan;
        let schedule = mapped.memory.schedule(usize::try_from(count).unwrap_or(usize::MAX));
        let tensor = usize::try_from(tensor).unwrap_or(usize::MAX);
        let all_there = schedule.iter().all(|set| usize::from(*set) < plan.sets.len());
        if !all_there || (call != u64::MAX && tensor >= plan.tensors.len()) {
            return Err(Refused::system("no such set or tensor"));
        }
        let snapshot = usize::try_from(call).ok().filter(|_| call != u64::MAX).map(|call| (call, tensor));
        let sets: BTreeSet<usize> = schedule.iter().map(|set| usize::from(*set)).collect();
        let told = Failure::of_launch;
        let flush =
            if flush { Some(timer.flush(self.about.l2_bytes).map_err(Failure::of_system)?) } else { None };
        mapped.mirror.upload(&mapped.memory, &sets).map_err(told)?;
        self.kept_error();
        Mode::restore();
        let start = now();
        let mut marks = Marks::begin(timer, self.stream).map_err(told)?;
        let made = self.make(mapped, &schedule, snapshot, flush, &mut marks)?;
        self.settle()?;
        let wall = since(start);
        let total = |kind| marks.total(kind).map_err(told);
        let (ns, copied, flushed) = (total(Kind::Calls)?, total(Kind::Copy)?, total(Kind::Flush)?);
        mapped.mirror.download(&mapped.memory, &sets).map_err(told)?;
        if snapshot.is_some() {
            mapped.mirror.download_snapshot(&mapped.memory).map_err(told)?;
        }
        mapped.mirror.bands_intact(plan)?;
        let (at, code) = made.failed.unwrap_or((u64::MAX, 0));
        let wall = wall.saturating_sub(copied + flushed);
        let Mode { vector, x87 } = made.mode;
        Ok(Done::with(&[ns, copied, at, code_word(code), vector, x87, wall]))
    }

    /// Puts the calls of a schedule into the stream.
    fn make(
        &self,
        mapped: &Mapped,
        schedule: &[u16],
        snapshot: Option<(usize, usize)>,
        flush: Option<(u64, usize)>,
        marks: &mut Marks<'_>,
    ) -> Result<Made, Refused> {
        let told = Failure::of_launch;
        let mut made = Made { failed: None, mode: Mode::DEFAULT };
        for (at, set) in schedule.iter().enumerate() {
            let set = usize::from(*set);
            if let Some((address, bytes)) = flush {
                driver::fill(address, at as u8, bytes, self.stream).map_err(told)?;
                marks.mark(Kind::Flush).map_err(told)?;
            }
            let code = self.enter(mapped, set)?;
            let after = Mode::taken();
            if after != Mode::DEFAULT && made.mode == Mode::DEFAULT {
                made.mode = after;
            }
            let last = at + 1 == schedule.len() || code != 0;
            let copy = snapshot.filter(|(call, _)| *call == at);
            if flush.is_some() || copy.is_some() || last {
                marks.mark(Kind::Calls).map_err(told)?;
            }
            if let Some((_, tensor)) = copy {
                let placed = &mapped.memory.plan.sets[set][tensor];
                let bytes = placed.span.min(mapped.memory.plan.snapshot.len);
                let (to, from) = (mapped.mirror.snapshot(), mapped.mirror.address(placed));
                if bytes > 0 {
                    driver::copy(to, from, bytes, self.stream).map_err(told)?;
                }
                marks.mark(Kind::Copy).map_err(told)?;
            }
            if code != 0 {
                made.failed = Some((at as u64, code));
                break;
            }
        }
        Ok(made)
    }
}
