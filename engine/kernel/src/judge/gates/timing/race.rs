//! What is raced, and a measurement of it from its first look to its last.

use crate::case::Case;
use crate::judge::ends;
use crate::judge::gates::timing::GATE;
use crate::judge::setup::{JudgeError, Lane, Progress, Setup};
use crate::judge::stage::Stop;
use crate::judge::timed::Timed;
use crate::ledger::{TimingFacts, TimingRow};
use crate::task::{Cache, Timing};
use crate::timing::decide::Look;
use crate::timing::estimate::{ALPHA, Interval};
use crate::timing::measure::{ATTEMPTS, Measurement, Plan};
use crate::timing::shape::Shape;
use crate::timing::watch::Trouble;
use crate::verdict::{Code, Finding};
use assay_stats::{Looks, Side, StatsError};
use serde_json::json;
use std::path::PathBuf;

/// What is raced, where and for how long.
pub struct Race<'a> {
    /// The judgement.
    pub setup: &'a Setup<'a>,
    /// The task's timing, or that of a quick judgement.
    pub timing: Timing,
    /// Measured shapes.
    pub cases: Vec<Case>,
    /// For each shape whether it counts for the verdict.
    pub headline: Vec<bool>,
    /// The baseline's library.
    pub theirs: PathBuf,
    /// The candidate's.
    pub own: PathBuf,
}

impl Race<'_> {
    /// A measurement of two libraries.
    pub fn plan(&self, libraries: [&PathBuf; 2], cache: Cache, seed: u64) -> Plan<'_> {
        let task = &self.setup.loaded.task;
        Plan {
            launcher: &self.setup.launcher,
            abi: &task.abi,
            limits: &task.limits,
            libraries: libraries.map(PathBuf::clone),
            cases: self.cases.iter().collect(),
            samples: self.timing.samples as usize,
            block_us: self.timing.block_us,
            flush: cache == Cache::Cold,
            renewed: 0,
            seed,
        }
    }

    /// How it is measured.
    pub fn pass<'p>(&'p self, lane: Lane, timing: &'p Timing) -> Pass<'p> {
        Pass { lane, timing, cases: &self.cases, headline: &self.headline }
    }
}

/// A measurement from its first look to its last.
#[derive(Clone, Copy)]
pub struct Pass<'p> {
    lane: Lane,
    timing: &'p Timing,
    cases: &'p [Case],
    headline: &'p [bool],
}

impl Pass<'_> {
    /// Measures until it is enough or the plan is used up. Gives the last look.
    ///
    /// Looks at the candidate share the error of 5 % among them. The baseline against itself decides nothing about a kernel: how
    /// noisy the machine is, is asked at 95 % each time.
    pub fn measure(
        self,
        measurement: &mut Measurement<'_>,
        watch: &mut Timed<'_, '_>,
        mut enough: impl FnMut(&Look) -> bool,
    ) -> Result<Look, Stop> {
        let Self { lane, timing, cases, headline } = self;
        let first = timing.processes as usize;
        let looks = Looks { first, max: first * timing.extend as usize };
        let mut processes = first;
        loop {
            let alpha = match lane {
                Lane::BaselineItself => ALPHA,
                Lane::Candidate => looks.look(processes, ALPHA).map_err(JudgeError::from)?.alpha,
            };
            watch.plan(processes * timing.samples as usize * cases.len());
            while measurement.processes() < processes {
                measurement.process(watch).map_err(|trouble| stop(trouble, lane, cases))?;
            }
            if let Some(mismatch) = measurement.escape() {
                return Err(stop(Trouble::Escape { mismatch }, lane, cases));
            }
            if let Some(mismatch) = measurement.mismatch() {
                return Err(stop(Trouble::Clock { mismatch }, lane, cases));
            }
            let look = look(measurement, headline, alpha).map_err(JudgeError::from)?;
            let enough = enough(&look);
            let Some(next) = looks.next_after(processes).filter(|_| !enough) else { return Ok(look) };
            (watch.bench().progress)(Progress::Extended { lane, interval: look.geomean });
            processes = next;
        }
    }
}

/// What a measurement shows so far, with intervals that miss the truth with probability `alpha`.
pub fn look(measurement: &Measurement<'_>, headline: &[bool], alpha: f64) -> Result<Look, StatsError> {
    let rows = measurement.shapes().iter().zip(headline).filter(|(_, headline)| **headline);
    Ok(Look {
        geomean: measurement.geomean(alpha, |shape| headline[shape])?,
        seen: measurement.geomean_seen(alpha, |shape| headline[shape])?,
        renewed: measurement.geomean_renewed(alpha, |shape| headline[shape])?,
        rows: rows.map(|(shape, _)| shape.interval(alpha)).collect::<Result<_, _>>()?,
    })
}

/// A lane for the ledger.
pub fn facts(
    lane: Cache,
    measured: &Measurement<'_>,
    geomean: Interval,
    race: &Race<'_>,
) -> Result<TimingFacts, JudgeError> {
    let row = |((shape, case), headline): ((&Shape, &Case), &bool)| {
        let (baseline_ns, candidate_ns) = shape.call_ns().unwrap_or_default();
        let (axes, calls, ratio) = (case.axes.clone(), shape.calls, shape.interval(1.0 - geomean.level)?);
        Ok(TimingRow { axes, headline: *headline, calls, baseline_ns, candidate_ns, ratio })
    };
    let rows: Result<Vec<TimingRow>, StatsError> =
        measured.shapes().iter().zip(&race.cases).zip(&race.headline).map(row).collect();
    Ok(TimingFacts {
        lane: lane.word(),
        processes: measured.processes(),
        pairs: measured.shapes().iter().map(|shape| shape.baseline_ns.len()).sum(),
        geomean,
        rows: rows?,
        lanes: Vec::new(),
    })
}

/// What ends a measurement, as the verdict or the failure that it is.
pub fn stop(trouble: Trouble<Stop>, lane: Lane, cases: &[Case]) -> Stop {
    match trouble {
        Trouble::Stop(stop) => stop,
        Trouble::Memory { shape, source } => {
            Stop::Failed(JudgeError::Memory { title: cases[shape].title(), source })
        }
        Trouble::End { side: Side::Candidate, shape, end } if lane == Lane::Candidate => {
            ends::stop(GATE, shape.map(|shape| &cases[shape]), end)
        }
        Trouble::End { end, .. } => Stop::Failed(end.into()),
        Trouble::Few { shape, counted, of } => {
            let message = format!(
                "only {counted} of {of} pairs of blocks can be believed, at {}",
                cases[shape].title()
            );
            Stop::Found(Finding::new(
                GATE,
                Code::NoisyDevice,
                message,
                json!({ "counted": counted, "of": of }),
            ))
        }
        Trouble::Disturbed { why } => {
            let message = format!("no process pair was left alone, in {ATTEMPTS} attempts: {why}");
            Stop::Found(Finding::new(GATE, Code::NoisyDevice, message, json!({ "why": why })))
        }
        Trouble::Escape { mismatch } if lane == Lane::BaselineItself => {
            let message = format!("of the baseline itself, {}", mismatch.what);
            Stop::Found(Finding::new(GATE, Code::NoisyDevice, message, json!(mismatch)))
        }
        Trouble::Escape { mismatch } => {
            Stop::Found(Finding::new(GATE, Code::StreamEscape, mismatch.what.clone(), json!(mismatch)))
        }
        // Honest code on both sides: what disagrees is this machine.
        Trouble::Clock { mismatch } if lane == Lane::BaselineItself => {
            let message = "the clocks of worker and judge disagree on the baseline itself";
            Stop::Found(Finding::new(GATE, Code::NoisyDevice, message, json!(mismatch)))
        }
        Trouble::Clock { mismatch } => {
            Stop::Found(Finding::new(GATE, Code::ClockMismatch, mismatch.what.clone(), json!(mismatch)))
        }
    }
}
