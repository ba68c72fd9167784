//! Blocks of calls of two libraries, in two workers over the same memory, in random order.

use super::blocks::Blocks;
use super::clock::{self, Mismatch};
use super::decide::Hint;
use super::escape;
use super::estimate::{Interval, geomean};
use super::schedule::{self, SETS};
use super::shape::Shape;
use super::watch::{Trouble, Watch};
use crate::case::Case;
use crate::task::{Abi, Limits};
use crate::worker::{Arena, Block, Edge, End, Launcher, Worker};
use assay_stats::{Side, StatsError, mean, median};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::path::PathBuf;

/// A block that is timed to learn how long a call takes lasts at least so many nanoseconds.
const LEAST_TRIAL: u64 = 200_000;

/// Attempts at a process pair that something disturbs.
pub const ATTEMPTS: u64 = 3;
/// What is measured and how.
#[derive(Debug, Clone)]
pub struct Plan<'a> {
    /// How workers are started.
    pub launcher: &'a Launcher,
    /// The entry.
    pub abi: &'a Abi,
    /// Limits of workers.
    pub limits: &'a Limits,
    /// The baseline's library and the candidate's; the same for a measurement of the baseline against itself.
    pub libraries: [PathBuf; 2],
    /// Shapes.
    pub cases: Vec<&'a Case>,
    /// Pairs of blocks of a process pair at a shape.
    pub samples: usize,
    /// Length of a block, in microseconds.
    pub block_us: u32,
    /// The second-level cache of the device is overwritten before each call.
    pub flush: bool,
    /// Blocks on data that no call has seen, at the end of each process pair at a shape.
    pub renewed: usize,
    /// Every choice follows from it.
    pub seed: u64,
}

/// A measurement that can be extended.
#[derive(Debug)]
pub struct Measurement<'a> {
    plan: Plan<'a>,
    shapes: Vec<Shape>,
    processes: usize,
    /// The candidate's worker of the last process pair, with everything it remembers.
    last: Option<Worker>,
}

impl<'a> Measurement<'a> {
    /// Nothing measured yet.
    pub fn new(plan: Plan<'a>) -> Self {
        let shapes = vec![Shape::default(); plan.cases.len()];
        Self { plan, shapes, processes: 0, last: None }
    }

    /// Shapes in the order of the plan.
    pub fn shapes(&self) -> &[Shape] {
        &self.shapes
    }

    /// Process pairs so far.
    pub fn processes(&self) -> usize {
        self.processes
    }

    /// The candidate's worker of the last process pair.
    pub fn last(self) -> Option<Worker> {
        self.last
    }

    /// The interval of the geometric mean over some of the shapes, which misses the truth with probability `alpha`.
    ///
    /// # Errors
    /// See [`geomean`].
    pub fn geomean(&self, alpha: f64, of: impl Fn(usize) -> bool) -> Result<Interval, StatsError> {
        let chosen = self.shapes.iter().enumerate().filter(|(shape, _)| of(*shape));
        geomean(&chosen.map(|(_, shape)| shape.medians.clone()).collect::<Vec<_>>(), alpha)
    }

    /// As [`Self::geomean`], by the judge's own clock alone, which nothing in a worker's process can forge; `None` on a device, where that clock also holds the copies there and back.
    ///
    /// # Errors
    /// See [`geomean`].
    pub fn geomean_seen(
        &self,
        alpha: f64,
        of: impl Fn(usize) -> bool,
    ) -> Result<Option<Interval>, StatsError> {
        if self.plan.abi.on_device() {
            return Ok(None);
        }
        let chosen = self.shapes.iter().enumerate().filter(|(shape, _)| of(*shape));
        geomean(&chosen.map(|(_, shape)| shape.seen.clone()).collect::<Vec<_>>(), alpha).map(Some)
    }

    /// As [`Self::geomean`], on data that no call had seen; `None` where there was none, and below two process pairs.
    ///
    /// # Errors
    /// See [`geomean`].
    pub fn geomean_renewed(
        &self,
        alpha: f64,
        of: impl Fn(usize) -> bool,
    ) -> Result<Option<Interval>, StatsError> {
        let chosen = self.shapes.iter().enumerate().filter(|(shape, _)| of(*shape));
        let medians: Vec<Vec<f64>> = chosen.map(|(_, shape)| shape.renewed.clone()).collect();
        if medians.iter().any(|medians| medians.len() < 2) {
            return Ok(None);
        }
        geomean(&medians, alpha).map(Some)
    }

    /// How much faster the candidate is over some of the shapes, as far as means tell, which say nothing about how sure they are.
    pub fn hint(&self, of: impl Fn(usize) -> bool) -> Hint {
        let chosen: Vec<&Shape> =
            self.shapes.iter().enumerate().filter(|(shape, _)| of(*shape)).map(|(_, shape)| shape).collect();
        let over = |values: &dyn Fn(&Shape) -> Option<f64>| {
            mean(&chosen.iter().map(|shape| values(shape)).collect::<Option<Vec<f64>>>()?)
        };
        Hint {
            hot: over(&|shape| mean(&shape.medians)).unwrap_or_default(),
            seen: over(&|shape| mean(&shape.seen)),
            renewed: over(&|shape| mean(&shape.renewed)),
        }
    }

    /// What is wrong with the candidate's clock, over all process pairs and shapes so far.
    pub fn mismatch(&self) -> Option<Mismatch> {
        if self.plan.abi.on_device() {
            return None;
        }
        let of = |process: usize| {
            let all = self.shapes.iter().filter_map(|shape| shape.missing.get(process));
            all.sum::<f64>() / self.shapes.len() as f64
        };
        clock::mismatch(&(0..self.processes).map(of).collect::<Vec<_>>())
    }

    /// Whether the device goes on working for the candidate when the caller's stream is done, over all process pairs and shapes.
    pub fn escape(&self) -> Option<Mismatch> {
        let of = |process: usize| {
            let all: Vec<f64> =
                self.shapes.iter().filter_map(|shape| shape.beyond.get(process).copied()).collect();
            (!all.is_empty()).then(|| all.iter().sum::<f64>() / all.len() as f64)
        };
        escape::escapes(&(0..self.processes).filter_map(of).collect::<Vec<_>>())
    }

    /// Measures in one more process pair.
    ///
    /// # Errors
    /// See [`Trouble`].
    pub fn process<W: Watch>(&mut self, watch: &mut W) -> Result<(), Trouble<W::Stop>> {
        let mut attempt = 0;
        loop {
            let before = self.shapes.clone();
            // One process may have a longer way to the judge than another; a clock that lies does so in every process.
            let trouble = match (self.attempt(attempt, watch)?, watch.disturbed()) {
                (Some(mismatch), _) => Trouble::Clock { mismatch },
                (None, Some(why)) => Trouble::Disturbed { why },
                (None, None) => break,
            };
            self.shapes = before;
            attempt += 1;
            if attempt >= ATTEMPTS {
                return Err(trouble);
            }
        }
        self.processes += 1;
        Ok(())
    }

    /// One process pair at every shape; ends at the first at which the candidate's clock does not seem to be one.
    fn attempt<W: Watch>(
        &mut self,
        attempt: u64,
        watch: &mut W,
    ) -> Result<Option<Mismatch>, Trouble<W::Stop>> {
        let seed = self.plan.seed.wrapping_add(self.processes as u64).wrapping_add(attempt << 32);
        let mut random = StdRng::seed_from_u64(seed);
        // Two workers of the last pair would hold memory of a device that this pair needs.
        self.last = None;
        // Which process is older may matter to the scheduler; it is left to chance.
        let mut workers = if random.random() {
            let baseline = self.start(Side::Baseline)?;
            [baseline, self.start(Side::Candidate)?]
        } else {
            let candidate = self.start(Side::Candidate)?;
            [self.start(Side::Baseline)?, candidate]
        };
        for shape in 0..self.plan.cases.len() {
            let suspect = self.shape(shape, random.random(), &mut workers, watch)?;
            if suspect.is_some() {
                return Ok(suspect);
            }
        }
        let [_, candidate] = workers;
        self.last = Some(candidate);
        Ok(None)
    }

    fn start<S>(&self, side: Side) -> Result<Worker, Trouble<S>> {
        let Plan { launcher, abi, limits, libraries, .. } = &self.plan;
        Worker::start(launcher, &libraries[at(side)], abi, limits).map_err(|end| Trouble::End {
            side,
            shape: None,
            end,
        })
    }

    fn shape<W: Watch>(
        &mut self,
        shape: usize,
        seed: u64,
        workers: &mut [Worker; 2],
        watch: &mut W,
    ) -> Result<Option<Mismatch>, Trouble<W::Stop>> {
        let case = self.plan.cases[shape];
        let mut arena = Arena::new(case, SETS, Edge::Start, self.plan.abi.align, false)
            .map_err(|source| Trouble::Memory { shape, source })?;
        watch.begin(shape, &mut arena).map_err(Trouble::Stop)?;
        let ended = |side: Side| move |end| Trouble::End { side, shape: Some(shape), end };
        for side in [Side::Baseline, Side::Candidate] {
            let worker = &mut workers[at(side)];
            worker.map(&arena).map_err(ended(side))?;
            let all = Block { sets: (0..SETS as u16).collect(), ..Block::default() };
            worker.block(&all).map_err(ended(side))?;
        }
        if shape == 0 {
            watch.warm();
        }
        let device = self.plan.abi.on_device();
        if self.shapes[shape].calls == 0 {
            let mut ns = [0.0; 2];
            for side in [Side::Baseline, Side::Candidate] {
                ns[at(side)] = trial(&mut workers[at(side)], device).map_err(ended(side))?;
            }
            self.shapes[shape].calls = schedule::calls(self.plan.block_us, ns);
        }
        let calls = self.shapes[shape].calls;
        let outputs = case.outputs().count();
        let mut blocks = Blocks::new(&self.plan, shape, workers);
        let mut pairs = Vec::new();
        for sample in schedule::samples(seed, self.plan.samples, calls, outputs) {
            watch.prepare(&sample, &mut arena).map_err(Trouble::Stop)?;
            pairs.push(blocks.pair(&sample, &mut arena, watch)?);
            watch.done();
        }
        let renewed = blocks.renewed(seed ^ u64::MAX, &mut arena, watch)?;
        let theirs: Vec<f64> = pairs.iter().map(|pair| pair[0].worker).collect();
        let between = blocks.between(median(&theirs).unwrap_or(0.0));
        self.shapes[shape].renewed.extend(renewed);
        if between.is_some() {
            return Ok(between);
        }
        if device {
            self.shapes[shape].count_device(&pairs, self.plan.flush);
            return Ok(None);
        }
        self.shapes[shape].count(shape, &pairs)
    }
}

/// The place of a side in a pair.
pub(super) fn at(side: Side) -> usize {
    match side {
        Side::Baseline => 0,
        Side::Candidate => 1,
    }
}

/// Nanoseconds of a call by the judge's clock, which cannot be forged; the best of three. On a device by its events, since copies
/// there and back take longer than calls.
fn trial(worker: &mut Worker, device: bool) -> Result<f64, End> {
    let mut calls = SETS;
    loop {
        let block = Block { sets: (0..calls).map(|call| (call % SETS) as u16).collect(), ..Block::default() };
        let mut best = u64::MAX;
        for _ in 0..3 {
            let blocked = worker.block(&block)?;
            best = best.min(if device { blocked.ns } else { blocked.host_ns });
        }
        if best >= LEAST_TRIAL || calls >= schedule::MOST_CALLS {
            return Ok(best as f64 / calls as f64);
        }
        calls *= 4;
    }
}
