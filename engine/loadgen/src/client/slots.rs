//! Which request starts next.

use crate::request::Request;
use std::collections::VecDeque;

/// What is due, what may start, and when it was meant to. Knows no sockets and no clock.
#[derive(Debug)]
pub(super) struct Slots {
    /// Requests that wait for no other, in order, with their intended starts; closed loop: no starts.
    first: Vec<u32>,
    offsets: Option<Vec<u64>>,
    next: usize,
    /// Turns whose turn before has ended, with that end.
    turns: VecDeque<(u32, u64)>,
    /// Turn that follows a request.
    follower: Vec<Option<u32>>,
    /// Most requests in flight.
    cap: usize,
    flying: usize,
    left: usize,
    /// When a slot became free last, for those that waited for one.
    freed: VecDeque<u64>,
}

/// A request to start now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Start {
    pub id: u32,
    /// When it was meant to start.
    pub intended_ns: u64,
    /// From when on nothing but the client kept it from starting.
    pub free_ns: u64,
}

impl Slots {
    /// `offsets`: one intended start per request that follows none, in order; `None` for a closed loop, in which each slot
    /// takes the next request when it is free.
    pub(super) fn new(requests: &[Request], offsets: Option<Vec<u64>>, concurrency: Option<usize>) -> Self {
        let mut follower = vec![None; requests.len()];
        let mut first = Vec::new();
        for (id, request) in (0..).zip(requests) {
            match request.follows {
                Some(before) => follower[before as usize] = Some(id),
                None => first.push(id),
            }
        }
        Self {
            first,
            offsets,
            next: 0,
            turns: VecDeque::new(),
            follower,
            cap: concurrency.unwrap_or(usize::MAX),
            flying: 0,
            left: requests.len(),
            freed: VecDeque::new(),
        }
    }

    /// The next request to start at `now`, if one may.
    pub(super) fn start(&mut self, now: u64) -> Option<Start> {
        if self.flying >= self.cap {
            return None;
        }
        // A conversation that has begun goes on before another begins.
        let (id, intended) = if let Some((id, ready)) = self.turns.pop_front() {
            (id, Some(ready))
        } else {
            let id = *self.first.get(self.next)?;
            let offset = self.offsets.as_ref().map(|offsets| offsets[self.next]);
            if offset.is_some_and(|offset| offset > now) {
                return None;
            }
            self.next += 1;
            (id, offset)
        };
        self.flying += 1;
        let freed = self.freed.pop_front().unwrap_or(0);
        let intended_ns = intended.unwrap_or(freed);
        Some(Start { id, intended_ns, free_ns: intended_ns.max(freed) })
    }

    /// A request ended. Gives the turn that follows it, which is ready now if it succeeded, and has ended with it if not.
    pub(super) fn end(&mut self, id: u32, now: u64, succeeded: bool) -> Option<u32> {
        self.flying -= 1;
        self.left -= 1;
        if self.cap != usize::MAX {
            // Slots that nobody waits for are free since long ago.
            if self.freed.len() >= self.cap {
                self.freed.pop_front();
            }
            self.freed.push_back(now);
        }
        let next = self.follower[id as usize];
        if let (Some(next), true) = (next, succeeded) {
            self.turns.push_back((next, now));
        }
        next
    }

    /// A request that is never sent, because the turn before it failed. Gives the turn that follows it.
    pub(super) fn skip(&mut self, id: u32) -> Option<u32> {
        self.left -= 1;
        self.follower[id as usize]
    }

    /// When the next request is due by its own schedule, if it waits for that only.
    pub(super) fn due(&self) -> Option<u64> {
        if self.flying >= self.cap || !self.turns.is_empty() {
            return None;
        }
        self.offsets.as_ref()?.get(self.next).copied()
    }

    /// Requests that have not ended.
    pub(super) fn left(&self) -> usize {
        self.left
    }

    /// Requests that have not begun, in order.
    pub(super) fn unsent(&mut self) -> Vec<u32> {
        let mut unsent: Vec<u32> = self.turns.drain(..).map(|(id, _)| id).collect();
        unsent.extend(self.first.drain(self.next..));
        let mut at = 0;
        while at < unsent.len() {
            unsent.extend(self.follower[unsent[at] as usize]);
            at += 1;
        }
        unsent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Prompt;

    fn requests(follows: &[Option<u32>]) -> Vec<Request> {
        follows
            .iter()
            .map(|follows| Request { follows: *follows, ..Request::new(Prompt::Ids(vec![1]), None, 1) })
            .collect()
    }

    fn start(id: u32, intended_ns: u64, free_ns: u64) -> Option<Start> {
        Some(Start { id, intended_ns, free_ns })
    }

    #[test]
    fn an_open_loop_keeps_its_schedule_behind_a_cap() {
        let mut slots = Slots::new(&requests(&[None; 3]), Some(vec![0, 10, 20]), Some(1));
        assert_eq!(slots.start(5), start(0, 0, 0));
        assert_eq!((slots.start(30), slots.due()), (None, None));
        slots.end(0, 50, true);
        // It was meant to start at 10; that it waited until 50 is the server's doing, not the client's.
        assert_eq!(slots.start(55), start(1, 10, 50));
        slots.end(1, 60, true);
        assert_eq!(slots.start(60), start(2, 20, 60));
        slots.end(2, 70, true);
        assert_eq!((slots.left(), slots.start(80)), (0, None));
    }

    #[test]
    fn without_a_cap_each_is_due_at_its_time() {
        let mut slots = Slots::new(&requests(&[None; 2]), Some(vec![0, 10]), None);
        assert_eq!((slots.start(0), slots.start(9), slots.due()), (start(0, 0, 0), None, Some(10)));
        assert_eq!(slots.start(14), start(1, 10, 10));
    }

    #[test]
    fn a_closed_loop_starts_when_a_slot_is_free() {
        let mut slots = Slots::new(&requests(&[None; 4]), None, Some(2));
        assert_eq!((slots.start(0), slots.start(0), slots.start(0)), (start(0, 0, 0), start(1, 0, 0), None));
        slots.end(1, 7, true);
        assert_eq!(slots.start(9), start(2, 7, 7));
        slots.end(0, 12, false);
        assert_eq!(slots.start(12), start(3, 12, 12));
    }

    #[test]
    fn turns_follow_and_go_first() {
        let mut slots = Slots::new(&requests(&[None, Some(0), Some(1), None]), None, Some(1));
        assert_eq!(slots.start(0), start(0, 0, 0));
        assert_eq!(slots.end(0, 5, true), Some(1));
        assert_eq!(slots.start(6), start(1, 5, 5));
        assert_eq!(slots.end(1, 8, false), Some(2));
        assert_eq!(slots.skip(2), None);
        assert_eq!(slots.start(9), start(3, 8, 8));
        slots.end(3, 10, true);
        assert_eq!(slots.left(), 0);
    }

    #[test]
    fn what_was_not_sent_is_known() {
        let mut slots = Slots::new(&requests(&[None, Some(0), None, Some(2)]), None, Some(1));
        slots.start(0);
        assert_eq!(slots.unsent(), [2, 3]);
    }
}
