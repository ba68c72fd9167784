//! What the records of a load say: counts, throughput, and distributions of named latencies.
//!
//! Every figure is computed from the raw times of [`Record`]s, under one definition that stands at its field. Must not
//! guess: a figure that the records do not carry is absent, never 0. Must not judge; that is [`crate::sla`].

mod concurrency;
mod detail;
mod distribution;
mod figures;
mod goodput;
mod histogram;
mod latencies;
mod selection;
mod steady;
mod timeline;
mod totals;

pub use concurrency::Concurrency;
pub use detail::{Detail, detail};
pub use distribution::{Distribution, METHOD};
pub use figures::Figures;
pub use goodput::Goodput;
pub use histogram::{Histogram, histogram};
pub use latencies::{Latencies, Latency};
pub use selection::{Window, inconsistency};
pub use steady::Steady;
pub use timeline::{Slice, Timeline, timeline};
pub use totals::{Counts, Tokens};

use crate::Record;
use crate::sla::RequestLimits;
use schemars::JsonSchema;
use selection::Selection;
use serde::{Deserialize, Serialize};

/// What the records of one load say. Figures that the records do not carry are left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    /// How many requests came to what.
    pub counts: Counts,
    /// Requests completed / requests sent, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success_rate: Option<f64>,
    /// Seconds from the first start to the last end of the requests that were sent, failed ones among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_s: Option<f64>,
    /// Tokens and pieces, in total.
    pub tokens: Tokens,
    /// Requests completed / `duration_s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_throughput: Option<f64>,
    /// Prompt tokens of completed requests / `duration_s`, in tokens per second, by the server's count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_token_throughput: Option<f64>,
    /// Generated tokens of completed requests / `duration_s`, in tokens per second, by the server's count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_token_throughput: Option<f64>,
    /// The sum of `input_token_throughput` and `output_token_throughput`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_token_throughput: Option<f64>,
    /// Pieces with text of completed requests / `duration_s`. A piece may hold several tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunk_throughput: Option<f64>,
    /// The rate in the middle of the load, without its ramps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steady: Option<Steady>,
    /// Requests in flight at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Concurrency>,
    /// Times of completed requests, in milliseconds.
    pub latencies: Latencies,
    /// Requests that met their own limits, where limits were given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goodput: Option<Goodput>,
}

/// Folds `records` in any order. Warm-up requests and those outside `window` never count; `limits` are those of goodput.
///
/// A request is completed, failed, inconsistent (its times contradict each other, see [`inconsistency`]) or not sent. Only
/// completed requests are in latencies and tokens; the first three are in `sent`, in `duration_s` and in `concurrency`.
pub fn summarise(records: &[Record], window: Window, limits: Option<&RequestLimits>) -> Metrics {
    let selection = Selection::of(records, window);
    let counts = Counts::of(&selection);
    let tokens = Tokens::of(&selection.completed);
    let duration_s = selection.duration_s();
    let per_second = |amount: Option<f64>| Some(amount? / duration_s.filter(|seconds| *seconds > 0.0)?);
    let count = |amount: Option<u64>| amount.map(|amount| amount as f64);
    // Nothing completed: a rate of tokens would be a 0 that nobody measured.
    let measured = |amount: u64| (counts.completed > 0).then_some(amount as f64);
    let total = tokens.input.zip(tokens.output).map(|(input, output)| input + output);
    Metrics {
        success_rate: (counts.sent > 0).then(|| counts.completed as f64 / counts.sent as f64),
        duration_s,
        request_throughput: per_second((counts.sent > 0).then_some(counts.completed as f64)),
        input_token_throughput: per_second(count(tokens.input)),
        output_token_throughput: per_second(count(tokens.output)),
        total_token_throughput: per_second(count(total)),
        chunk_throughput: per_second(measured(tokens.chunks)),
        steady: Steady::of(&selection.completed, tokens.output),
        concurrency: Concurrency::of(&selection),
        latencies: Latencies::of(&selection.completed),
        goodput: limits.map(|limits| Goodput::of(&selection, *limits, duration_s)),
        counts,
        tokens,
    }
}
