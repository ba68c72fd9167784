//! Starts: what is made before the clock runs, and requests that go out.

use super::super::answer::{Answer, failure};
use super::super::body;
use super::super::connection::{Connection, Pool};
use super::super::slots::Start;
use super::{Flight, Loop, Plan};
use crate::{FailureKind, Record};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{SendFlags, send};

/// Requests that are started before answers are looked at again: a burst must not keep answers waiting.
const STARTS_PER_TURN: usize = 64;
/// Bodies that are made before the load begins, in bytes; more than that are made as they are needed.
const PREPARED: usize = 16 << 20;
/// Longest wait for the connections of a closed loop.
const CONNECT_LIMIT_MS: i64 = 10_000;

impl Loop<'_> {
    /// Starts what is due; `true` if more is.
    pub(super) fn start_due(&mut self) -> bool {
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
    pub(super) fn send(&mut self, mut flight: Flight) {
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
}

/// The first bodies, so that a burst is one.
pub(super) fn prepare(plan: &Plan<'_>) -> Vec<Option<Vec<u8>>> {
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
pub(super) fn connect(pool: &mut Pool, wanted: usize) {
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
