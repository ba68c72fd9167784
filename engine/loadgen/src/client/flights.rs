//! The event loop: requests in flight, from their starts to their records.

use super::answer::{Answer, Progress as Reading, failure};
use super::connection::{Connection, Pool};
use super::health::{ClientHealth, Lags};
use super::slots::{Slots, Start};
use super::stamp::Stamps;
use super::{Done, Load, Progress, body};
use crate::request::{Message, Role};
use crate::{Failure, FailureKind, LoadError, Record, Request};
use rustix::event::epoll::{self, Event, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{SendFlags, send};
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, clock_gettime, timerfd_create,
    timerfd_settime,
};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// What one `read` may bring: many events at once where a server floods.
const BUFFER: usize = 256 << 10;
/// Events per wait.
const EVENTS: usize = 512;
/// Requests that are started before answers are looked at again: a burst must not keep answers waiting.
const STARTS_PER_TURN: usize = 64;
/// Longest wait, so that limits and wishes to stop are seen.
const TICK_NS: u64 = 100_000_000;
/// Bodies that are made before the load begins, in bytes; more than that are made as they are needed.
const PREPARED: usize = 16 << 20;
/// Longest wait for the connections of a closed loop.
const CONNECT_LIMIT_MS: i64 = 10_000;
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

    /// Starts what is due; `true` if more is.
    fn start_due(&mut self) -> bool {
        for _ in 0..STARTS_PER_TURN {
            let now = self.now();
            let Some(start) = self.slots.start(now) else { return false };
            self.start(start, now);
        }
        true
    }

    fn start(&mut self, start: Start, now: u64) {
        let Start { id, intended_ns, free_ns } = start;
        let plan = self.plan;
        let request = &plan.requests[id as usize];
        self.start_lags.add(now.saturating_sub(free_ns), 1);
        let bytes = self.prepared[id as usize].take().unwrap_or_else(|| {
            let before = self.histories.get(&id).map_or(&[][..], Vec::as_slice);
            body::bytes(&plan.load.target, &plan.load.ask, request, before)
        });
        let record = Record {
            id,
            warmup: plan.warmup,
            input_len: request.input_len,
            output_len: request.output_len,
            intended_ns,
            start_ns: now,
            ..Record::default()
        };
        self.active += 1;
        match self.pool.take() {
            Ok(connection) => {
                let keep_text = plan.load.keep_text || request.keep_answer;
                let answer = Answer::new(plan.load.ask.api, keep_text);
                self.send(Flight { id, connection, bytes, written: 0, answer, record, retried: false });
            }
            Err(message) => self.ended(id, record, Err(failure(FailureKind::Connect, message))),
        }
    }

    /// Writes as much as the socket takes and puts the flight in its place.
    fn send(&mut self, mut flight: Flight) {
        while flight.written < flight.bytes.len() {
            let now = self.now();
            match send(flight.connection.fd(), &flight.bytes[flight.written..], SendFlags::NOSIGNAL) {
                Ok(written) => {
                    flight.record.sent_ns.get_or_insert(now);
                    flight.written += written;
                }
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                Err(error) => return self.broken(flight, error),
            }
        }
        let unwritten = flight.written < flight.bytes.len();
        if let Err(error) = flight.connection.watch_write(&self.pool.epoll, unwritten) {
            return self.broken(flight, error);
        }
        let place = flight.connection.place;
        if self.flights.len() <= place {
            self.flights.resize_with(place + 1, || None);
        }
        self.flights[place] = Some(flight);
    }

    fn take_event(&mut self, place: usize, flags: EventFlags) {
        let Some(mut flight) = self.flights.get_mut(place).and_then(Option::take) else {
            // The server closed an idle connection, as it may.
            if self.pool.drop_idle(place) {
                self.freed.push(place);
            }
            return;
        };
        if flight.written < flight.bytes.len()
            && flags.intersects(EventFlags::OUT | EventFlags::ERR | EventFlags::HUP)
        {
            return match flight.connection.failure() {
                Some(error) => self.broken(flight, error),
                None => self.send(flight),
            };
        }
        if !flags.intersects(EventFlags::IN | EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR) {
            self.flights[place] = Some(flight);
            return;
        }
        loop {
            let (read, stamp) = match self.stamps.read(flight.connection.fd(), &mut self.buffer) {
                Ok(read) => read,
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => continue,
                Err(error) => return self.broken(flight, error),
            };
            let now = self.now();
            if read == 0 {
                return self.closed(flight, now);
            }
            self.bytes_read += read as u64;
            let sent = flight.record.sent_ns.unwrap_or(0);
            let came = stamp.map_or(now, |stamp| stamp.clamp(sent.min(now), now));
            // Without the kernel's word it may have lain there since the turn before began.
            let lag = stamp.map_or(self.turn_ns + (now - self.woke_ns), |_| now - came);
            let before = flight.record.chunk_ns.len();
            let fed = flight.answer.feed(&self.buffer[..read], came, &mut flight.record);
            let new = (flight.record.chunk_ns.len() - before) as u64;
            self.pieces += new;
            self.read_lags.add(lag, new);
            match fed {
                Ok(Reading::More) if read == self.buffer.len() => {}
                Ok(Reading::More) => break,
                Ok(Reading::Complete) => return self.land(flight, Ok(()), came),
                Err(failure) => {
                    flight.answer.keep_alive = false;
                    return self.land(flight, Err(failure), now);
                }
            }
        }
        self.flights[place] = Some(flight);
    }

    /// The server has closed the connection.
    fn closed(&mut self, mut flight: Flight, now: u64) {
        if self.is_stale(&flight) {
            return self.again(flight);
        }
        let ended = flight.answer.end(now, &mut flight.record);
        self.land(flight, ended, now);
    }

    /// The connection failed.
    fn broken(&mut self, mut flight: Flight, error: Errno) {
        if self.is_stale(&flight) {
            return self.again(flight);
        }
        let now = self.now();
        let (kind, what) = match flight.record.sent_ns {
            None => {
                (FailureKind::Connect, format!("no connection to {}: {error}", self.plan.load.target.addr))
            }
            Some(_) => (FailureKind::CutOff, format!("the connection failed: {error}")),
        };
        flight.answer.keep_alive = false;
        self.land(flight, Err(failure(kind, what)), now);
    }

    /// A server may close a connection that is idle at any time, also while a request is on its way: then, and only then, it
    /// is sent once more, as every HTTP client does.
    fn is_stale(&self, flight: &Flight) -> bool {
        flight.connection.used && !flight.answer.begun && !flight.retried
    }

    fn again(&mut self, flight: Flight) {
        let Flight { id, connection, bytes, answer, mut record, .. } = flight;
        self.reconnects += 1;
        self.freed.push(self.pool.end(connection));
        record.sent_ns = None;
        match self.pool.connect() {
            Ok(connection) => {
                self.send(Flight { id, connection, bytes, written: 0, answer, record, retried: true });
            }
            Err(message) => self.ended(id, record, Err(failure(FailureKind::Connect, message))),
        }
    }

    /// An answer has ended, well or not.
    fn land(&mut self, mut flight: Flight, ended: Result<(), Failure>, now: u64) {
        flight.record.end_ns = now;
        let keeps = flight.answer.keep_alive
            && ended.is_ok()
            && flight.connection.watch_write(&self.pool.epoll, false).is_ok();
        if keeps {
            self.pool.keep(flight.connection);
        } else {
            self.freed.push(self.pool.end(flight.connection));
        }
        let nothing =
            flight.record.chunk_ns.is_empty() && flight.record.completion_tokens().unwrap_or(0) == 0;
        let ended = match ended {
            Ok(()) if nothing => {
                Err(failure(FailureKind::Empty, "the answer is complete and holds no token"))
            }
            ended => ended,
        };
        self.ended(flight.id, flight.record, ended);
    }

    fn ended(&mut self, id: u32, mut record: Record, ended: Result<(), Failure>) {
        self.active -= 1;
        if record.end_ns == 0 {
            record.end_ns = self.now();
        }
        let succeeded = ended.is_ok();
        record.failure = ended.err();
        let now = record.end_ns;
        let request = &self.plan.requests[id as usize];
        let follower = self.slots.end(id, now, succeeded);
        if let Some(next) = follower.filter(|_| succeeded) {
            let mut history = self.histories.remove(&id).unwrap_or_default();
            history.extend(body::messages(&request.prompt));
            let content = record.text.clone().unwrap_or_default();
            history.push(Message { role: Role::Assistant, content });
            self.histories.insert(next, history);
        }
        if !self.plan.load.keep_text {
            record.text = None;
        }
        self.put(record);
        let mut unsent = follower.filter(|_| !succeeded);
        while let Some(id) = unsent {
            unsent = self.slots.skip(id);
            self.put(self.never_sent(id, now, "the turn before it failed"));
        }
    }

    fn put(&mut self, record: Record) {
        if record.is_ok() {
            self.completed += 1;
        } else {
            self.failed += 1;
        }
        let id = record.id as usize;
        self.records[id] = Some(record);
    }

    fn never_sent(&self, id: u32, now: u64, why: &str) -> Record {
        let request = &self.plan.requests[id as usize];
        Record {
            id,
            warmup: self.plan.warmup,
            input_len: request.input_len,
            output_len: request.output_len,
            intended_ns: now,
            start_ns: now,
            end_ns: now,
            failure: Some(failure(FailureKind::NotSent, why)),
            ..Record::default()
        }
    }

    fn time_out(&mut self, now: u64) {
        let limit = u64::try_from(self.plan.load.timeout.as_nanos()).unwrap_or(u64::MAX);
        for place in 0..self.flights.len() {
            let late = |flight: &mut Flight| now.saturating_sub(flight.record.start_ns) > limit;
            if let Some(mut flight) = self.flights[place].take_if(late) {
                flight.answer.keep_alive = false;
                let pieces = flight.record.chunk_ns.len();
                let what = format!("no end within {:?}, after {pieces} pieces", self.plan.load.timeout);
                self.land(flight, Err(failure(FailureKind::TimedOut, what)), now);
            }
        }
        self.pool.free(self.freed.drain(..));
    }

    fn stop(&mut self, now: u64) {
        for id in self.slots.unsent() {
            self.put(self.never_sent(id, now, "the load was stopped"));
        }
        for place in 0..self.flights.len() {
            if let Some(mut flight) = self.flights[place].take() {
                flight.answer.keep_alive = false;
                flight.record.end_ns = now;
                flight.record.failure = Some(failure(FailureKind::Stopped, "the load was stopped"));
                self.pool.end(flight.connection);
                self.put(flight.record);
            }
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

/// The first bodies, so that a burst is one.
fn prepare(plan: &Plan<'_>) -> Vec<Option<Vec<u8>>> {
    let mut room = PREPARED;
    plan.requests
        .iter()
        .map(|request| {
            if room == 0 || request.follows.is_some() {
                return None;
            }
            let bytes = body::bytes(&plan.load.target, &plan.load.ask, request, &[]);
            room = room.saturating_sub(bytes.len());
            Some(bytes)
        })
        .collect()
}

/// Makes connections before the clock starts: a closed loop has as many as its concurrency. One that fails is no error
/// here; the request that needs it meets the same failure.
fn connect(pool: &mut Pool, wanted: usize) {
    let mut made: Vec<Connection> = Vec::new();
    while pool.idle() + made.len() < wanted {
        match pool.connect() {
            Ok(connection) => made.push(connection),
            Err(_) => break,
        }
    }
    for mut connection in made {
        let writable = {
            let fd = connection.fd();
            let mut wait = [PollFd::from_borrowed_fd(fd, PollFlags::OUT)];
            let limit = Timespec { tv_sec: CONNECT_LIMIT_MS / 1000, tv_nsec: 0 };
            matches!(poll(&mut wait, Some(&limit)), Ok(1))
        };
        if writable && connection.failure().is_none() && connection.watch_write(&pool.epoll, false).is_ok() {
            pool.keep(connection);
        } else {
            let place = pool.end(connection);
            pool.free([place]);
        }
    }
}

fn timer(pool: &Pool) -> Result<OwnedFd, LoadError> {
    let wrong = |error: Errno| LoadError::system("cannot make a timer")(error.into());
    let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)
        .map_err(wrong)?;
    epoll::add(&pool.epoll, &timer, EventData::new_u64(TIMER), EventFlags::IN).map_err(wrong)?;
    Ok(timer)
}

/// Wakes the loop in `ns`, or never.
fn arm(timer: &OwnedFd, ns: Option<u64>) -> Result<(), LoadError> {
    // Zero would mean never.
    let value = timespec(ns.map_or(0, |ns| ns.max(1)));
    let never = timespec(0);
    timerfd_settime(timer, TimerfdTimerFlags::empty(), &Itimerspec { it_interval: never, it_value: value })
        .map(|_| ())
        .map_err(|error| LoadError::system("cannot set a timer")(error.into()))
}

fn timespec(ns: u64) -> Timespec {
    Timespec { tv_sec: (ns / 1_000_000_000).cast_signed(), tv_nsec: (ns % 1_000_000_000).cast_signed() }
}

fn seconds(time: Timespec) -> f64 {
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
