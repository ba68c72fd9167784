//! What the failures of a configuration mean for one request.

use super::clock::from_s;
use super::{BreakSse, Config, Failure, When};

/// What goes wrong with one answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fault {
    /// Status and body instead of an answer.
    pub status: Option<(u16, Option<String>)>,
    /// Tokens before a stall, and its length in nanoseconds (`None`: for ever).
    pub stall: Option<(u32, Option<u64>)>,
    /// Times between tokens are multiplied by it.
    pub slow: f64,
    /// Good tokens before the stream is broken, and how.
    pub broken: Option<(u32, BreakSse)>,
    /// Added to the count of prompt tokens.
    pub prompt_by: i64,
    /// Added to the count of generated tokens.
    pub completion_by: i64,
    /// Tokens that are left out.
    pub fewer: u32,
    /// It ends the others.
    pub cancels: bool,
    /// The server dies in its middle.
    pub crash: bool,
}

impl Default for Fault {
    fn default() -> Self {
        Self {
            status: None,
            stall: None,
            slow: 1.0,
            broken: None,
            prompt_by: 0,
            completion_by: 0,
            fewer: 0,
            cancels: false,
            crash: false,
        }
    }
}

impl Fault {
    /// What goes wrong with the request of this number (from 1), this many nanoseconds after readiness.
    pub fn of(config: &Config, number: u64, since_ready: u64) -> Self {
        let mut fault = Self::default();
        let fits = |failure: &&Failure| failure.when().is_some_and(|when| when.fits(number, since_ready));
        // Backwards, so that the first in the list has the last word.
        for failure in config.failures.iter().rev().filter(fits) {
            fault.add(failure);
        }
        fault
    }

    fn add(&mut self, failure: &Failure) {
        match failure {
            Failure::Crash { when } => self.crash = !matches!(when, When::AtS(_)),
            Failure::Stall { after_tokens, seconds, .. } => {
                self.stall = Some((*after_tokens, seconds.map(from_s)));
            }
            Failure::Status { code, body, .. } => self.status = Some((*code, body.clone())),
            Failure::SlowStream { factor, .. } => self.slow = *factor,
            Failure::MalformedSse { after_tokens, form, .. } => self.broken = Some((*after_tokens, *form)),
            Failure::WrongUsage { completion_by, prompt_by, .. } => {
                (self.completion_by, self.prompt_by) = (*completion_by, *prompt_by);
            }
            Failure::ShortOutput { fewer, .. } => self.fewer = *fewer,
            Failure::CancelOthers { .. } => self.cancels = true,
            _ => {}
        }
    }
}

/// When the server dies by itself, in nanoseconds after readiness.
pub(super) fn crash_at(config: &Config) -> Option<u64> {
    let times = config.failures.iter().filter_map(|failure| match failure {
        Failure::Crash { when: When::AtS(at) } => Some(from_s(*at)),
        _ => None,
    });
    times.min()
}

#[cfg(test)]
mod tests {
    use super::{Fault, crash_at};
    use crate::sim::{Config, Failure, When};

    #[test]
    fn requests_are_picked_by_number_and_time() {
        let status = |when, code| Failure::Status { when, code, body: None };
        let config = Config {
            failures: vec![
                status(When::Every(3), 503),
                status(When::AfterRequests(7), 500),
                Failure::SlowStream { when: When::AtS(2.0), factor: 4.0 },
                Failure::Crash { when: When::AtS(9.0) },
            ],
            ..Config::default()
        };
        let codes: Vec<Option<u16>> =
            (1..=9).map(|number| Fault::of(&config, number, 0).status.map(|(code, _)| code)).collect();
        let (no, unavailable, internal) = (None, Some(503), Some(500));
        assert_eq!(codes, [no, no, unavailable, no, no, unavailable, no, internal, unavailable]);
        assert_eq!(Fault::of(&config, 1, 1_999_999_999).slow, 1.0);
        assert_eq!(Fault::of(&config, 1, 2_000_000_000).slow, 4.0);
        assert!(!Fault::of(&config, 1, 10_000_000_000).crash);
        assert_eq!(crash_at(&config), Some(9_000_000_000));
    }
}
