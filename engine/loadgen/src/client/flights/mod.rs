//! The event loop: requests in flight, from their starts to their records.

mod end;
mod read;
mod start;
mod timer;

use super::answer::Answer;
use super::connection::{Connection, Pool};
use super::health::{ClientHealth, Lags};
use super::slots::Slots;
use super::stamp::Stamps;
use super::{Done, Load, Progress};
use crate::request::Message;
use crate::{LoadError, Record, Request};
use rustix::event::Timespec;
use rustix::event::epoll::{self, Event};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};
use start::{connect, prepare};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use timer::{arm, timer, timespec};

/// What one `read` may bring: many events at once where a server floods.
const BUFFER: usize = 256 << 10;
/// Events per wait.
const EVENTS: usize = 512;
/// Longest wait, so that limits and wishes to stop are seen.
const TICK_NS: u64 = 100_000_000;
/// The timer's mark among the events; connections have small numbers.
const TIMER: u64 = u64::MAX;

/// One phase of a load.
pub(super) struct Plan<'a> {
    pub load: &'a Load,
    pub requests: &'a [Request],
    pub offsets_ns: Option<Vec<u64>>,
    pub concurrency: Option<usize>,
    pub warmup: bool,
}

/// A request whose answer has not ended.
struct Flight {
    id: u32,
    connection: Connection,
    bytes: Vec<u8>,
    written: usize,
    answer: Answer,
    record: Record,
    retried: bool,
}

struct Loop<'a> {
    plan: &'a Plan<'a>,
    pool: &'a mut Pool,
    slots: Slots,
    origin: Instant,
    stamps: Stamps,
    /// By place of the connection.
    flights: Vec<Option<Flight>>,
    active: usize,
    records: Vec<Option<Record>>,
    prepared: Vec<Option<Vec<u8>>>,
    /// What was said before a turn, until it starts.
    histories: HashMap<u32, Vec<Message>>,
    /// Places of connections that ended in this turn.
    freed: Vec<usize>,
    buffer: Vec<u8>,
    start_lags: Lags,
    read_lags: Lags,
    /// When this turn began, and how long the one before was.
    woke_ns: u64,
    turn_ns: u64,
    busy_ns: u64,
    bytes_read: u64,
    reconnects: u64,
    pieces: u64,
    completed: usize,
    failed: usize,
}

/// Sends the requests of a phase and reads their answers.
pub(super) fn fly(
    plan: &Plan<'_>,
    pool: &mut Pool,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(Progress),
) -> Result<Done, LoadError> {
    let at_once = plan.concurrency.unwrap_or(0).min(plan.requests.len());
    pool.suffices(at_once)?;
    let timer = timer(pool)?;
    connect(pool, at_once);
    let made_before = pool.made;
    let prepared = prepare(plan);
    let cpu = clock_gettime(ClockId::ThreadCPUTime);
    let origin = Instant::now();
    let mut this = Loop {
        slots: Slots::new(plan.requests, plan.offsets_ns.clone(), plan.concurrency),
        plan,
        pool,
        origin,
        stamps: Stamps::new(),
        flights: Vec::new(),
        active: 0,
        records: vec![None; plan.requests.len()],
        prepared,
        histories: HashMap::new(),
        freed: Vec::new(),
        buffer: vec![0; BUFFER],
        start_lags: Lags::new(),
        read_lags: Lags::new(),
        woke_ns: 0,
        turn_ns: 0,
        busy_ns: 0,
        bytes_read: 0,
        reconnects: 0,
        pieces: 0,
        completed: 0,
        failed: 0,
    };
    let stopped = this.turns(&timer, stop, progress)?;
    let _ = epoll::delete(&this.pool.epoll, &timer);
    let duration_ns = this.records.iter().flatten().map(|record| record.end_ns).max().unwrap_or(0);
    let health =
        this.health(duration_ns, seconds(clock_gettime(ClockId::ThreadCPUTime)) - seconds(cpu), made_before);
    Ok(Done { records: this.records.into_iter().flatten().collect(), health, duration_ns, stopped })
}

impl Loop<'_> {
    fn now(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// `true` if it was stopped.
    fn turns(
        &mut self,
        timer: &OwnedFd,
        stop: &AtomicBool,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<bool, LoadError> {
        let mut events: Vec<Event> = Vec::with_capacity(EVENTS);
        let (mut looked_ns, mut armed) = (0, None);
        loop {
            let more = self.start_due();
            let now = self.now();
            if now - looked_ns >= TICK_NS || self.slots.left() == 0 {
                looked_ns = now;
                self.stamps.anchor(now);
                self.time_out(now);
                progress(self.progress());
                if stop.load(Ordering::Relaxed) && self.slots.left() > 0 {
                    self.stop(now);
                    return Ok(true);
                }
            }
            if self.slots.left() == 0 {
                return Ok(false);
            }
            let due = self.slots.due();
            if due != armed {
                arm(timer, due.map(|due| due.saturating_sub(now)))?;
                armed = due;
            }
            self.turn_ns = now.saturating_sub(self.woke_ns);
            self.busy_ns += self.turn_ns;
            let wait = if more { 0 } else { TICK_NS };
            events.clear();
            match epoll::wait(
                &self.pool.epoll,
                rustix::buffer::spare_capacity(&mut events),
                Some(&timespec(wait)),
            ) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(LoadError::system("cannot wait for answers")(error.into())),
            }
            self.woke_ns = self.now();
            for event in &events {
                let (place, flags) = (event.data.u64(), event.flags);
                if place == TIMER {
                    // It is armed again only when another request is due.
                    armed = None;
                    let mut expired = [0; 8];
                    let _ = rustix::io::read(timer, &mut expired);
                } else {
                    self.take_event(place as usize, flags);
                }
            }
            self.pool.free(self.freed.drain(..));
        }
    }

    fn progress(&self) -> Progress {
        Progress {
            warmup: self.plan.warmup,
            completed: self.completed,
            failed: self.failed,
            active: self.active,
            total: self.plan.requests.len(),
            pieces: self.pieces,
        }
    }

    fn health(&self, duration_ns: u64, cpu_s: f64, made_before: u64) -> ClientHealth {
        ClientHealth {
            start_lag_mean_ms: self.start_lags.mean_ms(),
            start_lag_p99_ms: self.start_lags.percentile_ms(0.99),
            start_lag_max_ms: self.start_lags.max_ms(),
            read_lag_p99_ms: self.read_lags.percentile_ms(0.99),
            read_lag_max_ms: self.read_lags.max_ms(),
            busy_share: if duration_ns == 0 {
                0.0
            } else {
                (self.busy_ns as f64 / duration_ns as f64).min(1.0)
            },
            cpu_s,
            stamped_by: self.stamps.by(),
            bytes_read: self.bytes_read,
            connections: self.pool.made - made_before + self.pool.idle() as u64,
            reconnects: self.reconnects,
        }
    }
}

fn seconds(time: Timespec) -> f64 {
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
