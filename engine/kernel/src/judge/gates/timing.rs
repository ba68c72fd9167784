//! As fast as it claims: the baseline against itself first, then against the candidate, with outputs checked inside.

use crate::case::Case;
use crate::judge::bench::Bench;
use crate::judge::ends;
use crate::judge::setup::{JudgeError, Lane, Progress};
use crate::judge::stage::{Stop, settle};
use crate::judge::timed::Timed;
use crate::ledger::{TimingFacts, TimingRow};
use crate::task::Timing;
use crate::timing::decide::{Decision, decide, quiet};
use crate::timing::estimate::Interval;
use crate::timing::measure::{Measurement, Plan, Shape, Trouble};
use crate::verdict::{Code, Finding, Gate};
use assay_stats::{Looks, Side};
use serde_json::json;
use std::path::PathBuf;

const GATE: Gate = Gate::Timing;
/// Process pairs and samples of a quick judgement.
const QUICK: (u32, u32) = (3, 20);
/// Samples at each shape of the first look.
const GLANCE: usize = 8;

/// Runs the gate.
pub fn run(bench: &mut Bench<'_>) -> Result<Vec<Finding>, JudgeError> {
    settle(check(bench))
}

/// The task's timing, or that of a quick judgement.
fn timing(bench: &Bench<'_>) -> Timing {
    let timing = bench.task().timing.clone();
    if !bench.setup.quick {
        return timing;
    }
    let (processes, samples) = QUICK;
    Timing {
        processes: timing.processes.min(processes),
        samples: timing.samples.min(samples),
        extend: 1,
        ..timing
    }
}

fn check(bench: &mut Bench<'_>) -> Result<(), Stop> {
    let (timing, cases, shapes) = (timing(bench), bench.measured(), &bench.setup.loaded.shapes);
    let headline: Vec<bool> = cases
        .iter()
        .map(|case| shapes.iter().any(|shape| shape.axes == case.axes && shape.headline))
        .collect();
    let Some(baseline) = bench.baseline.clone() else { return Ok(()) };
    let (theirs, own, setup, task) =
        (baseline.library().to_owned(), bench.library.clone(), bench.setup, bench.task());
    let [seed_glance, seed_aa, seed_ab] = ["glance", "itself", "timing"].map(|purpose| bench.seed(purpose));
    let plan = |libraries: [PathBuf; 2], seed: u64| Plan {
        launcher: &setup.launcher,
        abi: &task.abi,
        limits: &task.limits,
        libraries,
        cases: cases.iter().collect(),
        samples: timing.samples as usize,
        block_us: timing.block_us,
        seed,
    };
    let seed = bench.seed("timed data");
    let mut watch = Timed::new(bench, Lane::BaselineItself, cases.clone(), seed)?;

    // Who answers from memory or leaves calls out is refused before time is spent on noise. Nothing of this is counted.
    watch.lane(Lane::Candidate);
    watch.plan(GLANCE * cases.len());
    let mut glance =
        Measurement::new(Plan { samples: GLANCE, ..plan([theirs.clone(), own.clone()], seed_glance) });
    glance.process(&mut watch).or_else(|trouble| match trouble {
        Trouble::Few { .. } => Ok(()),
        trouble => Err(stop(trouble, Lane::Candidate, &cases)),
    })?;

    watch.lane(Lane::BaselineItself);
    let mut itself = Measurement::new(plan([theirs.clone(), theirs.clone()], seed_aa));
    let aa = measure(&mut itself, &mut watch, Lane::BaselineItself, &timing, &cases, &headline, |aa, _| {
        quiet(aa, &timing)
    })?;
    watch.bench().facts.aa = Some(aa);
    if !quiet(&aa, &timing) {
        let message = format!(
            "the baseline differs from itself by {:.1} %, at most {:.1} % is allowed",
            (aa.ratio - 1.0).abs() * 1e2,
            timing.max_aa * 1e2
        );
        return Err(Stop::Found(Finding::new(
            GATE,
            Code::NoisyDevice,
            message,
            json!({ "aa": aa, "max_aa": timing.max_aa }),
        )));
    }

    watch.lane(Lane::Candidate);
    let mut measured = Measurement::new(plan([theirs, own], seed_ab));
    let mut decision = Decision::Undecided;
    let overall =
        measure(&mut measured, &mut watch, Lane::Candidate, &timing, &cases, &headline, |overall, rows| {
            decision = decide(overall, rows, &timing);
            decision != Decision::Undecided
        })?;
    let facts = facts(&measured, overall, &cases, &headline)?;
    bench.facts.timing = Some(facts);
    bench.facts.decision = Some(decision);
    bench.timed = measured.last();
    Ok(())
}

/// Measures until it is enough or the plan is used up. Gives the interval over the headline shapes.
fn measure(
    measurement: &mut Measurement<'_>,
    watch: &mut Timed<'_, '_>,
    lane: Lane,
    timing: &Timing,
    cases: &[Case],
    headline: &[bool],
    mut enough: impl FnMut(&Interval, &[Interval]) -> bool,
) -> Result<Interval, Stop> {
    let first = timing.processes as usize;
    let mut looks = Looks { first, max: first * timing.extend as usize }.schedule().into_iter().peekable();
    loop {
        let Some(processes) = looks.next() else {
            return Ok(measurement.geomean(|shape| headline[shape]).map_err(JudgeError::from)?);
        };
        watch.plan(processes * timing.samples as usize * cases.len());
        while measurement.processes() < processes {
            measurement.process(watch).map_err(|trouble| stop(trouble, lane, cases))?;
        }
        if let Some(mismatch) = measurement.mismatch() {
            return Err(stop(Trouble::Clock { mismatch }, lane, cases));
        }
        let overall = measurement.geomean(|shape| headline[shape]).map_err(JudgeError::from)?;
        let rows = measurement.shapes().iter().zip(headline).filter(|(_, headline)| **headline);
        let rows: Vec<Interval> =
            rows.map(|(shape, _)| shape.interval()).collect::<Result<_, _>>().map_err(JudgeError::from)?;
        if enough(&overall, &rows) || looks.peek().is_none() {
            return Ok(overall);
        }
        (watch.bench().progress)(Progress::Extended { lane, interval: overall });
    }
}

fn stop(trouble: Trouble<Stop>, lane: Lane, cases: &[Case]) -> Stop {
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

fn facts(
    measured: &Measurement<'_>,
    geomean: Interval,
    cases: &[Case],
    headline: &[bool],
) -> Result<TimingFacts, JudgeError> {
    let row = |((shape, case), headline): ((&Shape, &Case), &bool)| {
        let (baseline_ns, candidate_ns) = shape.call_ns().unwrap_or_default();
        let (axes, calls, ratio) = (case.axes.clone(), shape.calls, shape.interval()?);
        Ok(TimingRow { axes, headline: *headline, calls, baseline_ns, candidate_ns, ratio })
    };
    let rows: Result<Vec<TimingRow>, assay_stats::StatsError> =
        measured.shapes().iter().zip(cases).zip(headline).map(row).collect();
    Ok(TimingFacts {
        lane: "hot".to_owned(),
        processes: measured.processes(),
        pairs: measured.shapes().iter().map(|shape| shape.baseline_ns.len()).sum(),
        geomean,
        rows: rows?,
    })
}
