//! The highest rate of requests at which a deployment still meets its SLA, in few measurements.
//!
//! Halving between the highest rate that passed and the lowest that did not. The ends of the range are measured only
//! when they decide something: the upper one when nothing has failed, the lower one when nothing has passed. The state is
//! what was measured and nothing else, so a search goes on from recorded results, told in any order.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How often a rate whose result was undecided is measured in all.
const TRIES_IF_UNDECIDED: usize = 2;

/// The range to search and what the search may cost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateRange {
    /// Lowest rate of interest, in requests per second.
    #[schemars(range(min = 0.0))]
    pub lower: f64,
    /// Highest rate of interest, in requests per second.
    #[schemars(range(min = 0.0))]
    pub upper: f64,
    /// How close the answer must be, in requests per second.
    #[schemars(range(min = 0.0))]
    pub tolerance: f64,
    /// Most measurements, those at the ends of the range included.
    #[serde(default = "usual_rounds")]
    #[schemars(range(min = 1))]
    pub max_rounds: u32,
}

fn usual_rounds() -> u32 {
    5
}

/// What a measurement at one rate showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RateResult {
    /// The SLA was met.
    Passed,
    /// It was not.
    Failed,
    /// The measurement was not valid or too noisy to say.
    Undecided,
}

/// One measurement.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Told {
    /// Requests per second.
    pub rate: f64,
    /// What it showed.
    pub result: RateResult,
}

/// Why a search cannot begin or take a result.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RateError {
    /// Ends of the range that are no range.
    #[error(
        "the range of rates is {lower} to {upper}; both must be finite and above 0, the lower below the upper"
    )]
    Range {
        /// The lower end.
        lower: f64,
        /// The upper end.
        upper: f64,
    },
    /// A tolerance of nothing.
    #[error("`tolerance` is {0}; it must be finite and above 0")]
    Tolerance(f64),
    /// A budget of nothing.
    #[error("`max_rounds` is 0; a search needs at least 1")]
    NoRounds,
    /// A rate that is none.
    #[error("a result at {0} requests per second cannot be; a rate is finite and above 0")]
    Rate(f64),
}

/// The search. It is the list of what it was told.
#[derive(Debug, Clone, PartialEq)]
pub struct RateSearch {
    range: RateRange,
    told: Vec<Told>,
}

/// Where a search stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RateStatus {
    /// It asks for another measurement.
    Searching,
    /// The highest passing rate is known within the tolerance.
    Found,
    /// Even the upper end passed: the highest rate lies at or above it.
    AtUpper,
    /// Even the lower end failed: no rate of the range passes.
    BelowLower,
    /// The budget ended before the tolerance was reached.
    OutOfRounds,
    /// What limits the answer was undecided every time it was measured.
    Undecided,
}

/// What is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RateAnswer {
    /// Where the search stands.
    pub status: RateStatus,
    /// The highest rate that passed below every rate that did not, in requests per second.
    pub best: Option<f64>,
    /// The lowest rate that did not pass, in requests per second.
    pub not_passed: Option<f64>,
    /// Measurements made.
    pub rounds: usize,
    /// Results that contradict each other: a rate passed though a lower or equal one failed.
    pub contradictions: Vec<Contradiction>,
    /// Rates that were measured as often as allowed without a decision, in requests per second.
    pub undecided: Vec<f64>,
}

/// A higher rate passed where a lower one failed, so the limit is not where one measurement says.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Contradiction {
    /// Requests per second at which it failed.
    pub failed: f64,
    /// Requests per second at which it passed, at or above `failed`.
    pub passed: f64,
}

impl RateSearch {
    /// A search that knows nothing.
    ///
    /// # Errors
    /// [`RateError`] for a range, tolerance or budget that makes no sense.
    pub fn new(range: RateRange) -> Result<Self, RateError> {
        let RateRange { lower, upper, tolerance, max_rounds } = range;
        let is_range = lower > 0.0 && lower < upper && upper.is_finite();
        if !is_range {
            return Err(RateError::Range { lower, upper });
        }
        if !(tolerance > 0.0 && tolerance.is_finite()) {
            return Err(RateError::Tolerance(tolerance));
        }
        if max_rounds == 0 {
            return Err(RateError::NoRounds);
        }
        Ok(Self { range, told: Vec::new() })
    }

    /// Takes the result of a measurement, whether or not it was asked for.
    ///
    /// # Errors
    /// [`RateError::Rate`] for a rate that is not finite and above 0.
    pub fn tell(&mut self, rate: f64, result: RateResult) -> Result<(), RateError> {
        if !(rate > 0.0 && rate.is_finite()) {
            return Err(RateError::Rate(rate));
        }
        self.told.push(Told { rate, result });
        Ok(())
    }

    /// Everything told so far, to be kept and told again.
    pub fn told(&self) -> &[Told] {
        &self.told
    }

    /// The rate to measure next, in requests per second; `None` once the search is over.
    ///
    /// Not an iterator: without a result in between it asks for the same rate.
    #[expect(clippy::should_implement_trait, reason = "it changes nothing, so it is no iterator")]
    pub fn next(&self) -> Option<f64> {
        self.step().err()
    }

    /// What is known so far.
    pub fn answer(&self) -> RateAnswer {
        let (best, not_passed) = self.bracket();
        RateAnswer {
            status: self.step().unwrap_or(RateStatus::Searching),
            best,
            not_passed,
            rounds: self.told.len(),
            contradictions: self.contradictions(),
            undecided: self.undecided(),
        }
    }

    /// How the search ended, or the rate that it needs.
    fn step(&self) -> Result<RateStatus, f64> {
        let RateRange { lower, upper, tolerance, max_rounds } = self.range;
        let (best, not_passed) = self.bracket();
        if best.is_some_and(|best| best >= upper) {
            return Ok(RateStatus::AtUpper);
        }
        if not_passed.is_some_and(|rate| rate <= lower) {
            return Ok(self.ended_at(not_passed, RateStatus::BelowLower));
        }
        let (from, to) = (best.unwrap_or(lower), not_passed.unwrap_or(upper));
        let is_close = to - from <= tolerance;
        if is_close && best.is_some() && not_passed.is_some() {
            return Ok(self.ended_at(not_passed, RateStatus::Found));
        }
        let rounds_left = (max_rounds as usize).saturating_sub(self.told.len());
        if rounds_left == 0 {
            return Ok(RateStatus::OutOfRounds);
        }
        if let Some(again) = self.pending() {
            return Err(again);
        }
        let middle = from + (to - from) / 2.0;
        let is_last = is_close || rounds_left == 1 || middle <= from || middle >= to;
        match (best, not_passed) {
            (None, Some(_)) if is_last => Err(lower),
            (Some(_), None) if is_last => Err(upper),
            // Two neighbouring floating-point numbers: nothing lies between.
            (Some(_), Some(_)) if middle <= from || middle >= to => {
                Ok(self.ended_at(not_passed, RateStatus::Found))
            }
            (None, None) if is_last => Err(lower),
            _ => Err(middle),
        }
    }

    fn ended_at(&self, limit: Option<f64>, status: RateStatus) -> RateStatus {
        let failed = |told: &Told| Some(told.rate) == limit && told.result == RateResult::Failed;
        if self.told.iter().any(failed) { status } else { RateStatus::Undecided }
    }

    /// The highest passing rate below every rate that did not pass, and the lowest of those.
    fn bracket(&self) -> (Option<f64>, Option<f64>) {
        let failed = self.rates(RateResult::Failed);
        let undecided = self.undecided();
        let not_passed = failed.chain(undecided).min_by(f64::total_cmp);
        let below = |rate: &f64| not_passed.is_none_or(|limit| *rate < limit);
        (self.rates(RateResult::Passed).filter(below).max_by(f64::total_cmp), not_passed)
    }

    fn rates(&self, result: RateResult) -> impl Iterator<Item = f64> {
        self.told.iter().filter(move |told| told.result == result).map(|told| told.rate)
    }

    /// Rates without any decision after as many tries as allowed.
    fn undecided(&self) -> Vec<f64> {
        let mut rates: Vec<f64> = self
            .rates(RateResult::Undecided)
            .filter(|rate| self.tries(*rate) >= Some(TRIES_IF_UNDECIDED))
            .collect();
        rates.sort_by(f64::total_cmp);
        rates.dedup();
        rates
    }

    /// How often a rate was measured, all without a decision; `None` if one was made.
    fn tries(&self, rate: f64) -> Option<usize> {
        let mut here = self.told.iter().filter(|told| told.rate == rate);
        let tries = here.clone().count();
        here.all(|told| told.result == RateResult::Undecided).then_some(tries)
    }

    /// A rate to measure again, inside what is still open.
    fn pending(&self) -> Option<f64> {
        let (best, not_passed) = self.bracket();
        let is_inside =
            |rate: &f64| best.is_none_or(|best| *rate > best) && not_passed.is_none_or(|no| *rate < no);
        let mut rates = self.rates(RateResult::Undecided).filter(is_inside);
        rates.find(|rate| self.tries(*rate).is_some_and(|tries| tries < TRIES_IF_UNDECIDED))
    }

    fn contradictions(&self) -> Vec<Contradiction> {
        let mut found: Vec<Contradiction> = Vec::new();
        for failed in self.rates(RateResult::Failed) {
            let above = self.rates(RateResult::Passed).filter(|passed| *passed >= failed);
            found.extend(above.map(|passed| Contradiction { failed, passed }));
        }
        found.sort_by(|a, b| a.failed.total_cmp(&b.failed).then(a.passed.total_cmp(&b.passed)));
        found.dedup();
        found
    }
}
