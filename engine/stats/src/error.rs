//! What can be wrong with the numbers of a comparison.

use crate::Side;

/// Why a comparison could not be computed. None of these is a verdict.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum StatsError {
    /// Fewer pairs than any interval can be built from.
    #[error("{pairs} pairs are too few, at least {needed} are needed")]
    TooFewPairs {
        /// Pairs given.
        pairs: usize,
        /// Pairs needed.
        needed: usize,
    },
    /// More pairs than the plan allowed for, so the plan's error rate no longer holds.
    #[error("{pairs} pairs exceed the planned maximum of {max}")]
    TooManyPairs {
        /// Pairs given.
        pairs: usize,
        /// Planned maximum.
        max: usize,
    },
    /// A logarithm needs a finite value above zero.
    #[error("the {side} of pair {index} is {value}, but a ratio needs finite values above zero")]
    NotPositive {
        /// Index of the pair, from 0.
        index: usize,
        /// Which side.
        side: Side,
        /// The value.
        value: f64,
    },
    /// The threshold is a fraction of 0 or more.
    #[error("threshold {value} is not a finite fraction of 0 or more")]
    Threshold {
        /// The value.
        value: f64,
    },
    /// The confidence lies strictly between 0 and 1.
    #[error("confidence {value} is not between 0 and 1")]
    Confidence {
        /// The value.
        value: f64,
    },
    /// The first look comes after the last one, or is empty.
    #[error("cannot plan a first look at {first} pairs and at most {max}")]
    Looks {
        /// Pairs at the first look.
        first: usize,
        /// Pairs at the last look.
        max: usize,
    },
    /// The ratio does not fit a double.
    #[error("the ratio of the two sides is outside the range of a double")]
    Range,
}
