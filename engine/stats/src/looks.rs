//! When a comparison that extends itself may look at its data, and what each look costs.
//!
//! Looking again when undecided gives chance another try. The allowed error is therefore spent in proportion to
//! the pairs measured so far, the power family of Kim and DeMets (Biometrika 74, 1987) with exponent 1: after n
//! of at most N pairs, alpha * n / N is spent. Each look tests at the part that it adds, and by Bonferroni the
//! intervals of all looks together miss the truth with probability at most alpha, wherever the comparison
//! stops. A plan with one look spends everything on it.

use crate::error::StatsError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The plan: fixed before the first pair is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Looks {
    /// Pairs at the first look.
    pub first: usize,
    /// Pairs at the last look; equal to `first` where the comparison does not extend itself.
    pub max: usize,
}

/// One planned look.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Look {
    /// Which one, from 1.
    pub number: usize,
    /// How many the plan has.
    pub of: usize,
    /// The error allowed at this look alone, two-sided.
    pub alpha: f64,
}

impl Looks {
    /// A plan with a single look.
    pub fn once(pairs: usize) -> Self {
        Self { first: pairs, max: pairs }
    }

    /// Checks that the plan can be followed.
    ///
    /// # Errors
    /// [`StatsError::Looks`] unless `1 <= first <= max`.
    pub fn validate(self) -> Result<(), StatsError> {
        if self.first == 0 || self.first > self.max {
            return Err(StatsError::Looks { first: self.first, max: self.max });
        }
        Ok(())
    }

    /// Numbers of pairs at which to look: each doubles the one before, and a rest of less than a third of the
    /// next look joins it.
    pub fn schedule(self) -> Vec<usize> {
        let mut sizes = vec![self.first.min(self.max)];
        while let Some(next) = self.next_after(sizes[sizes.len() - 1]) {
            sizes.push(next);
        }
        sizes
    }

    /// The number of pairs at the look after one with `pairs`; `None` when the plan is used up.
    pub fn next_after(self, pairs: usize) -> Option<usize> {
        if pairs >= self.max {
            return None;
        }
        if pairs < self.first {
            return Some(self.first);
        }
        let doubled = pairs.saturating_mul(2).max(1);
        Some(if self.max.saturating_sub(doubled) < doubled.div_ceil(3) { self.max } else { doubled })
    }

    /// What a look with `pairs` pairs may spend of `alpha`. A look beside the schedule (pairs were lost) counts
    /// from the last planned one before it.
    ///
    /// # Errors
    /// [`StatsError::TooManyPairs`] beyond the plan, [`StatsError::Looks`] if the plan is impossible.
    pub fn look(self, pairs: usize, alpha: f64) -> Result<Look, StatsError> {
        self.validate()?;
        if pairs > self.max {
            return Err(StatsError::TooManyPairs { pairs, max: self.max });
        }
        let schedule = self.schedule();
        let earlier = schedule.iter().filter(|&&size| size < pairs).count();
        let spent_at = if earlier == 0 { 0 } else { schedule[earlier - 1] };
        let part = (pairs - spent_at) as f64 / self.max as f64;
        Ok(Look { number: earlier + 1, of: schedule.len(), alpha: alpha * part })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_double_and_end_at_the_maximum() {
        assert_eq!(Looks { first: 30, max: 120 }.schedule(), [30, 60, 120]);
        assert_eq!(Looks { first: 30, max: 70 }.schedule(), [30, 70]);
        assert_eq!(Looks { first: 30, max: 45 }.schedule(), [30, 45]);
        assert_eq!(Looks::once(30).schedule(), [30]);
        assert_eq!(Looks { first: 1, max: 5 }.schedule(), [1, 2, 5]);
    }

    #[test]
    fn all_looks_together_spend_exactly_alpha() {
        for (first, max) in [(30, 120), (10, 97), (7, 7), (5, 1000)] {
            let plan = Looks { first, max };
            let spent: f64 = plan.schedule().iter().map(|&n| plan.look(n, 0.05).unwrap().alpha).sum();
            assert!((spent - 0.05).abs() < 1e-12, "{first} to {max}: {spent}");
        }
    }

    #[test]
    fn impossible_plans_are_refused() {
        assert!(Looks { first: 0, max: 3 }.validate().is_err());
        assert!(Looks { first: 9, max: 3 }.look(2, 0.05).is_err());
        assert_eq!(Looks::once(3).look(4, 0.05), Err(StatsError::TooManyPairs { pairs: 4, max: 3 }));
    }
}
