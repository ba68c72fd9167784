//! When the next token of an answer is due.

use super::fault::Fault;
use std::collections::VecDeque;

/// The rule of an answer's times, in nanoseconds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Rule {
    /// Token k at `first + k * step`.
    Fixed { first: u64, step: u64 },
    /// At once.
    Flood,
    /// When the engine has made it; the times of tokens that were made and not written yet.
    Made(VecDeque<u64>),
}

/// When the next token is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// As soon as the socket takes it.
    Now,
    /// At this time.
    At(u64),
    /// When the engine has made it, or never.
    Unknown,
}

/// The times of one answer's tokens.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pacer {
    rule: Rule,
    slow: f64,
    stall: Option<(u32, Option<u64>)>,
    /// Tokens until now.
    made: u32,
    /// When the first token was due, once it was.
    first: u64,
    /// When the last token was due.
    last: u64,
    /// What stalls added to a fixed schedule.
    shift: u64,
    /// No token before this.
    release: u64,
    dead: bool,
}

impl Pacer {
    /// Times from `start` on, with the stalls and slowness of a fault.
    pub fn new(rule: Rule, start: u64, fault: &Fault) -> Self {
        let rule = match rule {
            Rule::Flood if fault.slow > 1.0 => Rule::Fixed { first: start, step: 1_000_000 },
            rule => rule,
        };
        Self {
            rule,
            slow: fault.slow,
            stall: fault.stall,
            made: 0,
            first: 0,
            last: start,
            shift: 0,
            release: 0,
            dead: false,
        }
    }

    /// The engine has made a token.
    pub fn push(&mut self, at: u64) {
        if let Rule::Made(times) = &mut self.rule {
            times.push_back(at);
        }
    }

    /// When the next token is due.
    pub fn due(&mut self) -> Due {
        if let Some((_, length)) = self.stall.take_if(|(after, _)| *after == self.made) {
            match length {
                None => self.dead = true,
                Some(length) => {
                    self.release = self.last + length;
                    self.shift += length;
                }
            }
        }
        if self.dead {
            return Due::Unknown;
        }
        match &self.rule {
            Rule::Fixed { first, step } => {
                Due::At(first + (f64::from(self.made) * *step as f64 * self.slow) as u64 + self.shift)
            }
            Rule::Flood if self.release > self.last => Due::At(self.release),
            Rule::Flood => Due::Now,
            Rule::Made(times) => match times.front() {
                None => Due::Unknown,
                Some(at) if self.made == 0 => Due::At((*at).max(self.release)),
                Some(at) => {
                    let slowed = (at.saturating_sub(self.first) as f64 * self.slow) as u64;
                    Due::At((self.first + slowed).max(self.release))
                }
            },
        }
    }

    /// The next token was written; `due` is when it should have been.
    pub fn step(&mut self, due: u64) {
        if let Rule::Made(times) = &mut self.rule {
            let at = times.pop_front();
            if self.made == 0 {
                self.first = at.unwrap_or(due);
            }
        }
        self.made += 1;
        self.last = due;
    }
}

#[cfg(test)]
mod tests {
    use super::{Due, Fault, Pacer, Rule};
    use std::collections::VecDeque;

    fn run(pacer: &mut Pacer, tokens: usize) -> Vec<u64> {
        let next = |_| match pacer.due() {
            Due::At(at) => {
                pacer.step(at);
                Some(at)
            }
            _ => None,
        };
        (0..tokens).map_while(next).collect()
    }

    #[test]
    fn a_fixed_schedule_never_drifts() {
        let rule = Rule::Fixed { first: 100, step: 10 };
        assert_eq!(run(&mut Pacer::new(rule.clone(), 50, &Fault::default()), 4), [100, 110, 120, 130]);
        let slow = Fault { slow: 3.0, ..Fault::default() };
        assert_eq!(run(&mut Pacer::new(rule.clone(), 50, &slow), 3), [100, 130, 160]);
        let stall = Fault { stall: Some((2, Some(1000))), ..Fault::default() };
        assert_eq!(run(&mut Pacer::new(rule.clone(), 50, &stall), 4), [100, 110, 1120, 1130]);
        let dead = Fault { stall: Some((1, None)), ..Fault::default() };
        assert_eq!(run(&mut Pacer::new(rule, 50, &dead), 4), [100]);
    }

    #[test]
    fn tokens_of_an_engine_are_held_back() {
        let rule = || Rule::Made(VecDeque::from([100, 110, 120, 130]));
        assert_eq!(run(&mut Pacer::new(rule(), 0, &Fault::default()), 9), [100, 110, 120, 130]);
        let slow = Fault { slow: 2.0, ..Fault::default() };
        assert_eq!(run(&mut Pacer::new(rule(), 0, &slow), 9), [100, 120, 140, 160]);
        let stall = Fault { stall: Some((1, Some(15))), ..Fault::default() };
        assert_eq!(run(&mut Pacer::new(rule(), 0, &stall), 9), [100, 115, 120, 130]);
    }

    #[test]
    fn a_flood_can_be_held_back_too() {
        let mut pacer = Pacer::new(Rule::Flood, 5, &Fault { stall: Some((1, Some(50))), ..Fault::default() });
        assert_eq!(pacer.due(), Due::Now);
        pacer.step(7);
        assert_eq!(pacer.due(), Due::At(57));
        pacer.step(57);
        assert_eq!(pacer.due(), Due::Now);
    }
}
