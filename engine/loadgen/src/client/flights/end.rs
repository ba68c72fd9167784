//! Ends: every request that began or never began leaves one record.

use super::super::answer::failure;
use super::super::body;
use super::{Flight, Loop};
use crate::request::{Message, Role};
use crate::{Failure, FailureKind, Record};

impl Loop<'_> {
    /// An answer has ended, well or not.
    pub(super) fn land(&mut self, mut flight: Flight, ended: Result<(), Failure>, now: u64) {
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

    pub(super) fn ended(&mut self, id: u32, mut record: Record, ended: Result<(), Failure>) {
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

    pub(super) fn time_out(&mut self, now: u64) {
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

    pub(super) fn stop(&mut self, now: u64) {
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
}
