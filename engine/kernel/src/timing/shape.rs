//! Times of one shape, and which pairs of blocks belong to them.

use super::clock::{self, Mismatch};
use super::escape;
use super::estimate::{Interval, interval, process_median};
use super::watch::Trouble;
use assay_stats::{StatsError, median};

/// Of the pairs of a process pair at a shape one in so many must count, and at least so many.
const LEAST_SHARE: usize = 5;
const LEAST_PAIRS: usize = 4;
/// Times of one shape.
#[derive(Debug, Clone, Default)]
pub struct Shape {
    /// Calls of a block; 0 before the first.
    pub calls: usize,
    /// Medians of the log ratios of each process pair.
    pub medians: Vec<f64>,
    /// What the candidate's clock leaves out in each process pair, see [`clock::Looked`].
    pub missing: Vec<f64>,
    /// Medians of the log ratios of each process pair by the judge's clock, see [`clock::Looked`].
    pub seen: Vec<f64>,
    /// How much longer the device works for the candidate than the caller's stream, in each process pair, see [`escape::beyond`].
    pub beyond: Vec<f64>,
    /// Medians of the log ratios of each process pair on data that no call had seen; empty where none was asked for.
    pub renewed: Vec<f64>,
    /// Nanoseconds of a call in each block of the baseline.
    pub baseline_ns: Vec<f64>,
    /// And of the candidate.
    pub candidate_ns: Vec<f64>,
}

impl Shape {
    /// The interval of baseline / candidate, which misses the truth with probability `alpha`.
    ///
    /// # Errors
    /// See [`interval`].
    pub fn interval(&self, alpha: f64) -> Result<Interval, StatsError> {
        interval(&self.medians, alpha)
    }

    /// Median nanoseconds of a call of the baseline and the candidate.
    pub fn call_ns(&self) -> Option<(f64, f64)> {
        median(&self.baseline_ns).zip(median(&self.candidate_ns))
    }

    /// Takes the pairs of a device: its events tell the time of the caller's stream, and the worker's clock that of all streams.
    pub(super) fn count_device(&mut self, pairs: &[[clock::Block; 2]], flush: bool) {
        let calls = self.calls as f64;
        self.baseline_ns.extend(pairs.iter().map(|pair| pair[0].worker / calls));
        self.candidate_ns.extend(pairs.iter().map(|pair| pair[1].worker / calls));
        let ratios: Vec<f64> = pairs.iter().map(|pair| (pair[0].worker / pair[1].worker).ln()).collect();
        self.medians.extend(process_median(&ratios));
        // With a flush the worker's clock holds that, too.
        self.beyond.extend(escape::beyond(pairs).filter(|_| !flush));
    }

    /// Takes the pairs that can be believed. `shape` is its own place, for whoever is told that there are few.
    pub(super) fn count<S>(
        &mut self,
        shape: usize,
        pairs: &[[clock::Block; 2]],
    ) -> Result<Option<Mismatch>, Trouble<S>> {
        let looked = clock::look(pairs);
        if looked.impossible {
            return Err(Trouble::Clock { mismatch: clock::impossible() });
        }
        let counted: Vec<_> =
            pairs.iter().zip(&looked.counts).filter(|(_, counts)| **counts).map(|(pair, _)| pair).collect();
        if counted.len() < (pairs.len() / LEAST_SHARE).max(LEAST_PAIRS).min(pairs.len()) {
            if looked.one_sided {
                return Ok(Some(clock::one_sided(&looked)));
            }
            return Err(Trouble::Few { shape, counted: counted.len(), of: pairs.len() });
        }
        let calls = self.calls as f64;
        self.baseline_ns.extend(counted.iter().map(|pair| pair[0].worker / calls));
        self.candidate_ns.extend(counted.iter().map(|pair| pair[1].worker / calls));
        let ratios: Vec<f64> = counted.iter().map(|pair| (pair[0].worker / pair[1].worker).ln()).collect();
        self.medians.extend(process_median(&ratios));
        self.missing.push(looked.missing);
        self.seen.push(looked.gain);
        Ok(None)
    }
}
