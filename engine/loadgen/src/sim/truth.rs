//! What the server did, by its own clock: counted while it runs, summed up by another thread.

use super::config::{Config, Pace};
use super::hist::Hist;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Declares the account and the numbers that it is summed up from: a count is the same in both.
macro_rules! accounts {
    ($($(#[$doc:meta])* $count:ident,)*) => {
        /// What the server did since its start or the last reset. Times are read right before the system call that writes a
        /// token; those of streams only, as nobody sees when a token of another answer was made.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        pub struct Truth {
            /// Time to the first token that the pace asks for, in milliseconds, where that is one number.
            pub configured_ttft_ms: Option<f64>,
            /// Time between tokens that the pace asks for, in milliseconds, where that is one number.
            pub configured_itl_ms: Option<f64>,
            /// From a request read whole to its first token written, in milliseconds.
            pub ttft_ms: Spread,
            /// Between the writes of two tokens of an answer, in milliseconds.
            pub itl_ms: Spread,
            /// From when a token was due to when it was written, in milliseconds. A flood's tokens are never due. Where the
            /// 99th percentile is not small beside the time between tokens, the run says nothing about the client.
            pub lateness_ms: Spread,
            $($(#[$doc])* pub $count: u64,)*
            /// For how long sockets took no more, all connections together, in milliseconds.
            pub blocked_ms: f64,
            /// The longest of these, in milliseconds.
            pub blocked_max_ms: f64,
        }

        /// The numbers while the server runs. Cheap to copy.
        #[derive(Debug, Clone)]
        pub(super) struct Counters {
            pub ttft: Hist,
            pub itl: Hist,
            pub lateness: Hist,
            $($(#[$doc])* pub $count: u64,)*
            pub blocked_ns: u64,
            pub blocked_max_ns: u64,
            /// Times to the first token by [`BOUNDS`], the longer ones last.
            pub buckets: [u64; BOUNDS.len() + 1],
            configured: (Option<f64>, Option<f64>),
        }

        impl Counters {
            pub fn new(config: &Config) -> Self {
                Self {
                    ttft: Hist::new(),
                    itl: Hist::new(),
                    lateness: Hist::new(),
                    $($count: 0,)*
                    blocked_ns: 0,
                    blocked_max_ns: 0,
                    buckets: [0; BOUNDS.len() + 1],
                    configured: configured(config),
                }
            }

            /// Forgets everything but the answers in progress.
            pub fn reset(&mut self) {
                let active = self.active;
                [&mut self.ttft, &mut self.itl, &mut self.lateness].into_iter().for_each(Hist::clear);
                $(self.$count = 0;)*
                (self.blocked_ns, self.blocked_max_ns) = (0, 0);
                self.buckets = [0; BOUNDS.len() + 1];
                (self.active, self.max_active) = (active, active);
            }

            /// Sums up. Takes tens of microseconds and more: not for the event loop.
            pub fn sum_up(&self) -> Truth {
                Truth {
                    configured_ttft_ms: self.configured.0,
                    configured_itl_ms: self.configured.1,
                    ttft_ms: Spread::of(&self.ttft),
                    itl_ms: Spread::of(&self.itl),
                    lateness_ms: Spread::of(&self.lateness),
                    $($count: self.$count,)*
                    blocked_ms: self.blocked_ns as f64 / 1e6,
                    blocked_max_ms: self.blocked_max_ns as f64 / 1e6,
                }
            }
        }
    };
}

accounts!(
    /// Requests that asked for tokens.
    requests,
    /// Of those, answered to the end.
    completed,
    /// Of those, refused or answered with an error.
    refused,
    /// Of those, given up: the client went away, or another request ended them.
    abandoned,
    /// Connections accepted, those that ask for this account too.
    connections,
    /// Tokens of prompts.
    prompt_tokens,
    /// Tokens of prompts that came from the prefix cache.
    cached_tokens,
    /// Tokens generated.
    tokens,
    /// Answers in progress.
    active,
    /// Most answers in progress at a time.
    max_active,
    /// Bytes read.
    bytes_in,
    /// Bytes that sockets took.
    bytes_out,
    /// How often a socket took no more.
    blocked,
);

/// A distribution of durations, in milliseconds; exact to 0.4 percent. All but `count` are `null` without a value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Spread {
    /// Values.
    pub count: u64,
    /// Their mean.
    pub mean: Option<f64>,
    /// Median.
    pub p50: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
    /// The largest.
    pub max: Option<f64>,
}

/// Upper bounds of the buckets of the histogram in `/metrics`, in seconds.
pub(super) const BOUNDS: [f64; 14] =
    [0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.25, 2.5, 5.0, 10.0];

/// Times to the first token and between tokens that the pace asks for, in milliseconds, where each is one number.
fn configured(config: &Config) -> (Option<f64>, Option<f64>) {
    let factor = config.time_factor();
    match &config.pace {
        Pace::Paced { ttft_ms, itl_ms } => (Some(ttft_ms * factor), Some(itl_ms * factor)),
        Pace::Flood { .. } => (Some(0.0), Some(0.0)),
        Pace::Engine(_) => (None, None),
    }
}

impl Counters {
    /// An answer begins.
    pub fn begin(&mut self) {
        self.active += 1;
        self.max_active = self.max_active.max(self.active);
    }

    /// The first token of a stream was written this many nanoseconds after the request.
    pub fn first(&mut self, ns: u64) {
        self.ttft.add(ns);
        let seconds = ns as f64 / 1e9;
        self.buckets[BOUNDS.partition_point(|bound| *bound < seconds)] += 1;
    }

    /// A socket that took nothing for so many nanoseconds takes again.
    pub fn unblocked(&mut self, ns: u64) {
        self.blocked_ns += ns;
        self.blocked_max_ns = self.blocked_max_ns.max(ns);
    }
}

impl Spread {
    fn of(hist: &Hist) -> Self {
        let ms = |ns: u64| ns as f64 / 1e6;
        let some = hist.count > 0;
        Self {
            count: hist.count,
            mean: some.then(|| ms(hist.sum) / hist.count as f64),
            p50: hist.quantile(0.5).map(ms),
            p99: hist.quantile(0.99).map(ms),
            max: some.then_some(ms(hist.max)),
        }
    }
}
