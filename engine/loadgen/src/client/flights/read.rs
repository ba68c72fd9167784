//! Answers as they come, and connections that fail under them.

use super::super::answer::{Progress, failure};
use super::{Flight, Loop};
use crate::FailureKind;
use rustix::event::epoll::EventFlags;
use rustix::io::Errno;

impl Loop<'_> {
    pub(super) fn take_event(&mut self, place: usize, flags: EventFlags) {
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
                Ok(Progress::More) if read == self.buffer.len() => {}
                Ok(Progress::More) => break,
                Ok(Progress::Complete) => return self.land(flight, Ok(()), came),
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
    pub(super) fn broken(&mut self, mut flight: Flight, error: Errno) {
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
}
