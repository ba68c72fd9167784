//! Blocks of calls of both sides at one shape: timed pairs, and pairs on data that no call has seen.

use super::clock::{self, Mismatch};
use super::cpu::CpuClock;
use super::estimate::process_median;
use super::measure::{Plan, at};
use super::schedule::{self, Sample};
use super::watch::{Trouble, Watch};
use crate::worker::{Arena, Block, Blocked, Worker};
use assay_stats::Side;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::time::Duration;

/// What the candidate's copy of an output may take beyond twice the baseline's, in nanoseconds.
const COPY_SLACK: u64 = 10_000;

/// What a request and a reply may take more of a block on new data than twice what the baseline's did, in nanoseconds.
const WAY_SLACK: f64 = 15e3;

/// Both workers at a shape.
pub(super) struct Blocks<'p, 'a> {
    plan: &'p Plan<'a>,
    shape: usize,
    workers: &'p mut [Worker; 2],
    clocks: [Option<CpuClock>; 2],
    /// What each worker had computed between requests before this.
    idle: [Duration; 2],
    /// Blocks of each side.
    blocks: u32,
}

impl<'p, 'a> Blocks<'p, 'a> {
    pub(super) fn new(plan: &'p Plan<'a>, shape: usize, workers: &'p mut [Worker; 2]) -> Self {
        let clock = |worker: &Worker| CpuClock::of(worker.pid()).filter(|_| !plan.abi.on_device());
        let clocks = [clock(&workers[0]), clock(&workers[1])];
        let idle = [workers[0].idle(), workers[1].idle()];
        Self { plan, shape, workers, clocks, idle, blocks: 0 }
    }

    /// A block that came back, with the worker's processor time meanwhile in nanoseconds, where the system tells.
    fn run<S>(&mut self, side: Side, block: &Block) -> Result<(Blocked, Option<f64>), Trouble<S>> {
        let (at, shape) = (at(side), self.shape);
        let now = |blocks: &Self| blocks.clocks[at].and_then(CpuClock::now);
        let asked = now(self);
        let blocked = self.workers[at].block(block);
        let blocked = blocked.map_err(|end| Trouble::End { side, shape: Some(shape), end })?;
        let cpu =
            asked.zip(now(self)).map(|(asked, replied)| replied.saturating_sub(asked).as_nanos() as f64);
        self.blocks += u32::from(side == Side::Candidate);
        Ok((blocked, cpu))
    }

    /// What is wrong with what the candidate's worker does between calls; `block` as [`clock::between`] has it.
    pub(super) fn between(&self, block: f64) -> Option<Mismatch> {
        // The driver of a device works in threads of its own.
        if self.plan.abi.on_device() || self.blocks == 0 {
            return None;
        }
        let of = |at: usize| self.workers[at].idle().saturating_sub(self.idle[at]).as_nanos() as f64;
        clock::between([0, 1].map(|at| of(at) / f64::from(self.blocks)), block)
    }

    /// The calls of a sample.
    fn block(&self, sample: &Sample) -> Block {
        let watched = self.plan.cases[self.shape].outputs().nth(sample.watched.1);
        Block {
            sets: sample.order.iter().map(|set| *set as u16).collect(),
            snapshot: watched.map(|tensor| (sample.watched.0, tensor)),
            flush: self.plan.flush,
        }
    }

    /// A block of each side with the same calls, one after the other.
    pub(super) fn pair<W: Watch>(
        &mut self,
        sample: &Sample,
        arena: &mut Arena,
        watch: &mut W,
    ) -> Result<[clock::Block; 2], Trouble<W::Stop>> {
        let device = self.plan.abi.on_device();
        let block = self.block(sample);
        let mut pair = [clock::Block::default(); 2];
        let mut copied = [0; 2];
        for side in [sample.first, sample.first.other()] {
            watch.poison(sample, arena);
            let (blocked, cpu) = self.run(side, &block)?;
            watch.look(side, sample, arena, &blocked).map_err(Trouble::Stop)?;
            // On a device the judge's own time is mostly that of copies there and back.
            let wall = if device { blocked.wall_ns } else { blocked.host_ns } as f64;
            let cpu = blocked.cpu_ns.map_or(cpu.unwrap_or(wall), |ns| ns as f64);
            pair[at(side)] =
                clock::Block { worker: blocked.ns.max(1) as f64, wall, cpu, bound: wall.min(cpu) };
            copied[at(side)] = blocked.copy_ns;
            if device && blocked.ns.max(blocked.wall_ns) > blocked.host_ns {
                return Err(Trouble::Clock { mismatch: clock::impossible() });
            }
        }
        // The worker tells how long its copy took, too: both make the same one.
        let [theirs, most] = [copied[0], copied[0].saturating_mul(2).saturating_add(COPY_SLACK)];
        for (block, copied) in pair.iter_mut().zip(copied) {
            block.bound -= theirs as f64;
            let copied = copied.min(most) as f64;
            (block.wall, block.cpu) = (block.wall - copied, block.cpu - copied);
        }
        Ok(pair)
    }

    /// How much faster the candidate is on data that no call has seen, as the median log ratio of a few short blocks. Whoever answers
    /// from memory has to compute there. `None` where there is nothing to change.
    pub(super) fn renewed<W: Watch>(
        &mut self,
        seed: u64,
        arena: &mut Arena,
        watch: &mut W,
    ) -> Result<Option<f64>, Trouble<W::Stop>> {
        let mut random = StdRng::seed_from_u64(seed);
        let mut ratios = Vec::new();
        for _ in 0..self.plan.renewed {
            let sample = schedule::once(random.random(), self.plan.cases[self.shape].outputs().count());
            if !watch.renew(sample.seed, arena) {
                return Ok(None);
            }
            ratios.push(self.new_pair(&sample, arena, watch)?);
        }
        Ok(process_median(&ratios))
    }

    /// The log ratio of a block of each side on new data.
    fn new_pair<W: Watch>(
        &mut self,
        sample: &Sample,
        arena: &mut Arena,
        watch: &mut W,
    ) -> Result<f64, Trouble<W::Stop>> {
        let block = self.block(sample);
        let (mut worker, mut seen) = ([1.0; 2], [None; 2]);
        for side in [sample.first, sample.first.other()] {
            watch.poison(sample, arena);
            let (blocked, cpu) = self.run(side, &block)?;
            if side == Side::Candidate {
                watch.look_renewed(sample, arena, &blocked).map_err(Trouble::Stop)?;
            }
            worker[at(side)] = blocked.ns.max(1) as f64;
            seen[at(side)] = cpu.map(|cpu| cpu.min(blocked.host_ns as f64) - blocked.copy_ns as f64);
        }
        // So short blocks are little more than their way to the judge; what is beyond that the worker's clock cannot leave out.
        let least = |theirs: f64, own: f64| own - 2.0 * (theirs - worker[0]).max(0.0) - WAY_SLACK;
        let [theirs, own] = seen;
        let least = theirs.zip(own).map_or(0.0, |(theirs, own)| least(theirs, own));
        Ok((worker[0] / worker[1].max(least)).ln())
    }
}
