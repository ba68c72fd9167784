//! Blocks of calls of two libraries, in two workers over the same memory, in random order.

use super::clock::{self, Mismatch};
use super::cpu::CpuClock;
use super::escape;
use super::estimate::{Interval, geomean, process_median};
use super::schedule::{self, SETS, Sample};
use super::shape::Shape;
use super::watch::{Trouble, Watch};
use crate::case::Case;
use crate::task::{Abi, Limits};
use crate::worker::{Arena, Block, Edge, End, Launcher, Worker};
use assay_stats::{Side, StatsError, mean};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::path::PathBuf;

/// A block that is timed to learn how long a call takes lasts at least so many nanoseconds.
const LEAST_TRIAL: u64 = 200_000;

/// Attempts at a process pair that something disturbs.
pub const ATTEMPTS: u64 = 3;
/// What the candidate's copy of an output may take beyond twice the baseline's, in nanoseconds.
const COPY_SLACK: u64 = 10_000;

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

    /// As [`Self::geomean`], by the judge's own clock less what requests and replies usually take, which nothing in a worker's process
    /// can forge; `None` on a device, where that clock also holds the copies there and back.
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
        geomean(&chosen.map(|(_, shape)| shape.seen()).collect::<Vec<_>>(), alpha).map(Some)
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

    /// The logarithm of how much faster the candidate is over some of the shapes, and the same on data that no call had seen: means
    /// over what was measured, which say nothing about how sure they are.
    pub fn hint(&self, of: impl Fn(usize) -> bool) -> (f64, Option<f64>) {
        let chosen = self.shapes.iter().enumerate().filter(|(shape, _)| of(*shape));
        let (hot, renewed): (Vec<_>, Vec<_>) =
            chosen.map(|(_, shape)| (mean(&shape.medians), mean(&shape.renewed))).unzip();
        let renewed: Option<Vec<f64>> = renewed.into_iter().collect();
        let hot: Vec<f64> = hot.into_iter().flatten().collect();
        (mean(&hot).unwrap_or_default(), renewed.and_then(|renewed| mean(&renewed)))
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
        let clocks = [CpuClock::of(workers[0].pid()), CpuClock::of(workers[1].pid())];
        let mut pairs = Vec::new();
        for sample in schedule::samples(seed, self.plan.samples, calls, outputs) {
            watch.prepare(&sample, &mut arena).map_err(Trouble::Stop)?;
            pairs.push(self.pair((shape, &sample), workers, clocks, &mut arena, watch)?);
            watch.done();
        }
        let renewed = self.renewed(shape, random_of(seed), workers, &mut arena, watch)?;
        self.shapes[shape].renewed.extend(renewed);
        if device {
            self.shapes[shape].count_device(&pairs, self.plan.flush);
            return Ok(None);
        }
        self.shapes[shape].count(shape, &pairs)
    }

    /// How much faster the candidate is on data that no call has seen, as the median log ratio of a few short blocks. Whoever answers
    /// from memory has to compute there.
    fn renewed<W: Watch>(
        &self,
        shape: usize,
        mut seed: impl FnMut() -> u64,
        workers: &mut [Worker; 2],
        arena: &mut Arena,
        watch: &mut W,
    ) -> Result<Option<f64>, Trouble<W::Stop>> {
        let mut ratios = Vec::new();
        for block in 0..self.plan.renewed {
            let sample = schedule::once(seed(), self.plan.cases[shape].outputs().count());
            if !watch.renew(sample.seed, arena) {
                return Ok(None);
            }
            let last = block + 1 == self.plan.renewed;
            let mut ns = [1.0; 2];
            for side in [sample.first, sample.first.other()] {
                watch.poison(&sample, arena);
                let calls = self.block(shape, &sample);
                let blocked = workers[at(side)].block(&calls);
                let blocked = blocked.map_err(|end| Trouble::End { side, shape: Some(shape), end })?;
                if side == Side::Candidate {
                    watch.look_renewed(&sample, arena, &blocked, last).map_err(Trouble::Stop)?;
                }
                ns[at(side)] = blocked.ns.max(1) as f64;
            }
            ratios.push((ns[0] / ns[1]).ln());
        }
        Ok(process_median(&ratios))
    }

    /// The calls of a sample.
    fn block(&self, shape: usize, sample: &Sample) -> Block {
        let watched = self.plan.cases[shape].outputs().nth(sample.watched.1);
        Block {
            sets: sample.order.iter().map(|set| *set as u16).collect(),
            snapshot: watched.map(|tensor| (sample.watched.0, tensor)),
            flush: self.plan.flush,
        }
    }

    /// A block of each side with the same calls, one after the other.
    fn pair<W: Watch>(
        &self,
        (shape, sample): (usize, &Sample),
        workers: &mut [Worker; 2],
        clocks: [Option<CpuClock>; 2],
        arena: &mut Arena,
        watch: &mut W,
    ) -> Result<[clock::Block; 2], Trouble<W::Stop>> {
        let device = self.plan.abi.on_device();
        let block = self.block(shape, sample);
        let mut pair = [clock::Block { worker: 0.0, wall: 0.0, cpu: 0.0 }; 2];
        let mut copied = [0; 2];
        for side in [sample.first, sample.first.other()] {
            watch.poison(sample, arena);
            let before = clocks[at(side)].and_then(CpuClock::now);
            let blocked = workers[at(side)].block(&block);
            let blocked = blocked.map_err(|end| Trouble::End { side, shape: Some(shape), end })?;
            let after = clocks[at(side)].and_then(CpuClock::now);
            watch.look(side, sample, arena, &blocked).map_err(Trouble::Stop)?;
            // On a device the judge's own time is mostly that of copies there and back.
            let wall = if device { blocked.wall_ns } else { blocked.host_ns } as f64;
            let before = before.filter(|_| !device);
            let cpu = before
                .zip(after)
                .map_or(wall, |(before, after)| after.saturating_sub(before).as_nanos() as f64);
            let cpu = blocked.cpu_ns.map_or(cpu, |ns| ns as f64);
            pair[at(side)] = clock::Block { worker: blocked.ns.max(1) as f64, wall, cpu };
            copied[at(side)] = blocked.copy_ns;
            if device && blocked.ns.max(blocked.wall_ns) > blocked.host_ns {
                return Err(Trouble::Clock { mismatch: clock::impossible() });
            }
        }
        // The worker tells how long its copy took, too: both make the same one.
        let most = copied[0].saturating_mul(2).saturating_add(COPY_SLACK);
        for (block, copied) in pair.iter_mut().zip(copied) {
            let copied = copied.min(most) as f64;
            (block.wall, block.cpu) = (block.wall - copied, block.cpu - copied);
        }
        Ok(pair)
    }
}

/// Seeds of renewed data at a shape.
fn random_of(seed: u64) -> impl FnMut() -> u64 {
    let mut random = StdRng::seed_from_u64(seed ^ u64::MAX);
    move || random.random()
}

fn at(side: Side) -> usize {
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
