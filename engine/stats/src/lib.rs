//! Percentiles, paired log-ratio comparison, confidence intervals and verdicts.
//!
//! Pure mathematics on slices of `f64`. This crate must not do I/O, read a clock or draw from the system's
//! randomness: the same numbers and the same seed always give the same answer.

mod compare;
mod diagnose;
mod distribution;
mod error;
mod interval;
mod looks;
mod order;
mod summary;
mod walsh;
mod welch;

pub use compare::{Better, Comparison, Pair, PairedComparison, Verdict, needs_more};
pub use diagnose::{Concern, Diagnostics, Drift, OrderEffect};
pub use error::StatsError;
pub use interval::{LogInterval, Method, log_interval, student_interval};
pub use looks::{Look, Looks};
pub use order::{Side, pair_order};
pub use summary::{MAD_TO_SIGMA, Summary, mad, mean, median, median_interval, percentile, stddev};
pub use welch::{Difference, welch};
