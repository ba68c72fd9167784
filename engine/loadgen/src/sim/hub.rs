//! The event loop: connections, timers, and whose turn it is. What a request means is in `serving` and `control`.

use super::answer::Answer;
use super::clock;
use super::config::{Config, Pace};
use super::conn::{Busy, Conn, Got, Sent};
use super::engine::{Emission, Engine, Key};
use super::fault;
use super::poll::{LISTENER, Poll, Ready, WAKER};
use super::profile::Profiler;
use super::script;
use super::server::{How, Log};
use super::truth::{Counters, Truth};
use super::worker::{Counter, Worker};
use crate::LoadError;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io::ErrorKind;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};

/// Longest wait, after which the loop looks whether it shall stop, in nanoseconds.
const LOOK: u64 = 50_000_000;
/// Connections accepted in one turn, so that a burst of them does not make tokens late.
const ACCEPTS: usize = 64;
/// Tokens of floods in one turn, so that they do not starve accepts and reads.
const FLOOD: usize = 4000;
/// Bytes of one read.
const ROOM: usize = 64 << 10;

/// The state of the loop.
pub(super) struct Hub<'a> {
    pub config: &'a Config,
    pub log: &'a Log,
    pub port: u16,
    pub poll: Poll,
    listener: TcpListener,
    conns: Vec<Option<Conn>>,
    free: Vec<usize>,
    serial: u64,
    pub tickets: u32,
    /// When whose next token is due.
    timers: BinaryHeap<Reverse<(u64, Key)>>,
    /// Whose next token waits for nothing but its turn.
    pub hot: VecDeque<Key>,
    /// Connections whose next request may have come already.
    pub next: Vec<usize>,
    pub engine: Option<Engine>,
    pub emissions: Vec<Emission>,
    pub counters: Counters,
    pub counter: Counter,
    pub worker: Worker,
    pub profiler: Profiler,
    /// All times are multiplied by this.
    pub factor: f64,
    pub ready_at: u64,
    pub ready: bool,
    crash_at: Option<u64>,
    /// Requests for tokens, ever.
    pub number: u64,
    /// Tokens, ever.
    pub made: u64,
    /// First tokens of an answer, ever.
    pub begun: u64,
    /// Unix seconds of the start.
    pub born: u64,
    pub ended: Option<How>,
    pub scratch: Vec<u8>,
    room: Vec<u8>,
}

impl<'a> Hub<'a> {
    pub fn new(
        config: &'a Config,
        listener: TcpListener,
        port: u16,
        counter: Counter,
        log: &'a Log,
        ready_at: u64,
    ) -> Result<Self, LoadError> {
        let poll = Poll::new().map_err(LoadError::system("make an epoll descriptor"))?;
        poll.add(&listener, LISTENER).map_err(LoadError::system("watch the listening socket"))?;
        let worker = Worker::start(counter.clone(), poll.waker())?;
        let factor = config.time_factor();
        let engine = match &config.pace {
            Pace::Engine(spec) => Some(Engine::new(spec, factor, config.seed)),
            _ => None,
        };
        Ok(Self {
            config,
            log,
            port,
            poll,
            listener,
            conns: Vec::new(),
            free: Vec::new(),
            serial: 0,
            tickets: 0,
            timers: BinaryHeap::new(),
            hot: VecDeque::new(),
            next: Vec::new(),
            engine,
            emissions: Vec::new(),
            counters: Counters::new(config),
            counter,
            worker,
            profiler: Profiler::new(config, log),
            factor,
            ready_at,
            ready: false,
            crash_at: fault::crash_at(config).map(|after| ready_at.saturating_add(after)),
            number: 0,
            made: 0,
            begun: 0,
            born: unix_seconds(),
            ended: None,
            scratch: Vec::new(),
            room: vec![0; ROOM],
        })
    }

    /// Runs until told to stop or until a failure ends it.
    pub fn run(&mut self, stop: &AtomicBool) -> Result<How, LoadError> {
        let mut ready = Vec::new();
        loop {
            if stop.load(Ordering::Relaxed) {
                return Ok(How::Stopped);
            }
            let now = clock::now();
            self.milestones(now);
            let wait = if self.hot.is_empty() { self.deadline().saturating_sub(now).min(LOOK) } else { 0 };
            self.poll.wait(wait, &mut ready).map_err(LoadError::system("wait for sockets"))?;
            for one in &ready {
                self.socket(*one);
            }
            self.serve_next();
            self.time();
            self.flood();
            if let Some(how) = self.ended {
                return Ok(how);
            }
        }
    }

    /// What was counted.
    pub fn truth(&self) -> Truth {
        self.counters.sum_up()
    }

    /// Readiness and the hour of death.
    fn milestones(&mut self, now: u64) {
        if !self.ready && now >= self.ready_at {
            self.ready = true;
            script::ready(self.config, self.port).iter().for_each(|line| (self.log)(line));
        }
        if self.crash_at.is_some_and(|at| now >= at) {
            self.crash();
        }
    }

    /// When something is to be done at the latest.
    fn deadline(&self) -> u64 {
        let timer = self.timers.peek().map(|Reverse((at, _))| *at);
        let step = self.engine.as_ref().and_then(Engine::next);
        let ready = (!self.ready).then_some(self.ready_at);
        [timer, step, ready, self.crash_at].into_iter().flatten().min().unwrap_or(u64::MAX)
    }

    fn socket(&mut self, ready: Ready) {
        match ready.tag {
            LISTENER => self.accept(),
            WAKER => self.collect(),
            tag => {
                let slot = (tag & 0xffff_ffff) as usize;
                // Closed in this very turn, and perhaps taken by another connection.
                if self.conn(slot).is_none_or(|conn| conn.tag != tag) {
                    return;
                }
                if ready.writable {
                    self.writable(slot);
                }
                if ready.readable {
                    self.readable(slot);
                }
            }
        }
    }

    fn accept(&mut self) {
        for _ in 0..ACCEPTS {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // The peer has gone already, or descriptors ran out: the next turn tries again.
                Err(_) => return,
            };
            if stream.set_nonblocking(true).is_err() || stream.set_nodelay(true).is_err() {
                continue;
            }
            let slot = self.free.pop().unwrap_or(self.conns.len());
            self.serial += 1;
            let conn = Conn::new(stream, (self.serial & 0x7fff_ffff) << 32 | slot as u64);
            if self.poll.add(&conn.stream, conn.tag).is_err() {
                self.free.push(slot);
                continue;
            }
            if slot == self.conns.len() {
                self.conns.push(None);
            }
            self.conns[slot] = Some(conn);
            self.counters.connections += 1;
        }
    }

    fn readable(&mut self, slot: usize) {
        let Some(conn) = self.conns.get_mut(slot).and_then(Option::as_mut) else { return };
        match conn.read(&mut self.room) {
            Got::Bytes(count) => {
                self.counters.bytes_in += count as u64;
                self.serve(slot);
            }
            // Half a connection is none: whoever sends no more has gone away.
            Got::End => self.close(slot),
        }
    }

    fn writable(&mut self, slot: usize) {
        let Some(conn) = self.conns.get_mut(slot).and_then(Option::as_mut) else { return };
        match conn.flush(&mut self.counters.bytes_out) {
            Sent::Gone => self.close(slot),
            Sent::Waits => {}
            Sent::All => {
                if let Some(since) = conn.blocked.take() {
                    self.counters.unblocked(clock::now().saturating_sub(since));
                }
                let (closing, ticket) = (conn.closing, conn.ticket);
                if closing || self.poll.watch_out(&conn.stream, conn.tag, false).is_err() {
                    return self.close(slot);
                }
                self.pump((slot, ticket));
            }
        }
    }

    /// Sends bytes; what the socket does not take waits.
    pub fn send(&mut self, slot: usize, bytes: &[u8]) {
        let Some(conn) = self.conns.get_mut(slot).and_then(Option::as_mut) else { return };
        let sent = conn.send(bytes, &mut self.counters.bytes_out);
        self.after_send(slot, sent);
    }

    /// What is sent from here on goes out together, in [`Self::send_gathered`].
    pub fn gather(&mut self, slot: usize) {
        if let Some(conn) = self.conn(slot) {
            conn.gathers = !conn.holds();
        }
    }

    /// Sends what was gathered.
    pub fn send_gathered(&mut self, slot: usize) {
        let Some(conn) = self.conns.get_mut(slot).and_then(Option::as_mut) else { return };
        if !std::mem::take(&mut conn.gathers) {
            return;
        }
        let sent = conn.flush(&mut self.counters.bytes_out);
        let closing = conn.closing;
        self.after_send(slot, sent);
        if closing && sent == Sent::All {
            self.close(slot);
        }
    }

    fn after_send(&mut self, slot: usize, sent: Sent) {
        let Some(conn) = self.conns.get_mut(slot).and_then(Option::as_mut) else { return };
        match sent {
            Sent::All => {}
            Sent::Gone => self.close(slot),
            Sent::Waits if conn.blocked.is_none() => {
                conn.blocked = Some(clock::now());
                self.counters.blocked += 1;
                if self.poll.watch_out(&conn.stream, conn.tag, true).is_err() {
                    self.close(slot);
                }
            }
            Sent::Waits => {}
        }
    }

    /// Closes a connection, as soon as everything has been sent.
    pub fn close_behind(&mut self, slot: usize) {
        match self.conn(slot) {
            Some(conn) if conn.holds() || conn.gathers => conn.closing = true,
            Some(_) => self.close(slot),
            None => {}
        }
    }

    /// Closes a connection at once; its answer is given up.
    pub fn close(&mut self, slot: usize) {
        let Some(mut conn) = self.conns.get_mut(slot).and_then(Option::take) else { return };
        if let Some(answer) = conn.answer() {
            let counts = answer.counts();
            self.give_up((slot, conn.ticket), counts);
        }
        if let Some(since) = conn.blocked {
            self.counters.unblocked(clock::now().saturating_sub(since));
        }
        self.free.push(slot);
    }

    /// An answer ends before its end.
    pub fn give_up(&mut self, key: Key, counts: bool) {
        if counts {
            self.counters.active -= 1;
            self.counters.abandoned += 1;
        }
        if let Some(engine) = &mut self.engine {
            engine.cancel(key);
        }
    }

    /// The server dies.
    pub fn crash(&mut self) {
        if self.ended.is_none() {
            script::crash(self.config).iter().for_each(|line| (self.log)(line));
            self.ended = Some(How::Crashed);
        }
    }

    /// The connection in a slot.
    pub fn conn(&mut self, slot: usize) -> Option<&mut Conn> {
        self.conns.get_mut(slot).and_then(Option::as_mut)
    }

    /// The answer that a key names, while it is in progress.
    pub fn answer(&mut self, key: Key) -> Option<&mut Answer> {
        self.conn(key.0).filter(|conn| conn.ticket == key.1).and_then(Conn::answer)
    }

    /// Whether bytes of the connection wait for its socket.
    pub fn is_blocked(&mut self, slot: usize) -> bool {
        self.conn(slot).is_none_or(|conn| conn.holds())
    }

    /// The keys of all answers in progress.
    pub fn answering(&self) -> Vec<Key> {
        let slots = self.conns.iter().enumerate();
        let key = |(slot, conn): (usize, &Option<Conn>)| {
            conn.as_ref()
                .filter(|conn| matches!(conn.busy, Busy::Answering(_)))
                .map(|conn| (slot, conn.ticket))
        };
        slots.filter_map(key).collect()
    }

    /// Calls for the answer's next token at this time.
    pub fn arm(&mut self, at: u64, key: Key) {
        self.timers.push(Reverse((at, key)));
    }

    fn serve_next(&mut self) {
        while let Some(slot) = self.next.pop() {
            self.serve(slot);
        }
    }

    /// Everything that is due.
    fn time(&mut self) {
        let now = clock::now();
        while let Some(Reverse((at, key))) = self.timers.peek().copied() {
            if at > now {
                break;
            }
            self.timers.pop();
            if let Some(answer) = self.answer(key) {
                answer.armed = false;
                self.pump(key);
            }
        }
        self.advance(now);
        self.deliver();
        let steps = self.steps();
        self.profiler.tick(steps);
    }

    /// Ends the steps of the engine that are over by now, one after the other: a recording ends between two of them.
    pub fn advance(&mut self, now: u64) {
        let Some(engine) = &mut self.engine else { return };
        while let Some(end) = engine.next().filter(|end| *end <= now) {
            engine.advance(end, &mut self.emissions);
            self.profiler.iterated(engine.done);
        }
    }

    fn flood(&mut self) {
        for _ in 0..FLOOD {
            let Some(key) = self.hot.pop_front() else { return };
            self.pump(key);
        }
    }
}

/// The date, as answers show it.
pub(super) fn unix_seconds() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
