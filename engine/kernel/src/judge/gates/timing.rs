//! As fast as it claims: the baseline against itself first, then against the candidate, with outputs checked inside.

use crate::case::Case;
use crate::judge::bench::Bench;
use crate::judge::ends;
use crate::judge::setup::{JudgeError, Lane, Progress, Setup};
use crate::judge::stage::{Stop, settle};
use crate::judge::timed::Timed;
use crate::ledger::{LaneFacts, TimingFacts, TimingRow};
use crate::task::{Cache, Timing};
use crate::timing::decide::{Decision, Look, Noise, decide};
use crate::timing::estimate::{ALPHA, Interval};
use crate::timing::measure::{ATTEMPTS, Measurement, Plan};
use crate::timing::shape::Shape;
use crate::timing::watch::Trouble;
use crate::verdict::{Code, Finding, Gate};
use crate::worker::Worker;
use assay_stats::{Looks, Side, StatsError};
use serde_json::json;
use std::path::PathBuf;

const GATE: Gate = Gate::Timing;
/// Process pairs and samples of a quick judgement.
const QUICK: (u32, u32) = (3, 20);
/// How many times as wide the interval of three process pairs is as that of seven with the same spread: Student's quantiles 4.303
/// and 2.447 over the roots of 3 and 7.
const QUICK_WIDTH: f64 = 2.7;
/// Short blocks on data that no call has seen, at each shape in each process pair.
const RENEWED: usize = 4;
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

/// What is raced, where and for how long.
struct Race<'a> {
    setup: &'a Setup<'a>,
    timing: Timing,
    cases: Vec<Case>,
    /// For each shape whether it counts for the verdict.
    headline: Vec<bool>,
    /// The baseline's library.
    theirs: PathBuf,
    /// The candidate's.
    own: PathBuf,
}

impl Race<'_> {
    fn plan(&self, libraries: [&PathBuf; 2], cache: Cache, seed: u64) -> Plan<'_> {
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

    fn pass<'p>(&'p self, lane: Lane, timing: &'p Timing) -> Pass<'p> {
        Pass { lane, timing, cases: &self.cases, headline: &self.headline }
    }
}

fn check(bench: &mut Bench<'_>) -> Result<(), Stop> {
    let Some(baseline) = bench.baseline.clone() else { return Ok(()) };
    let (cases, shapes) = (bench.measured(), &bench.setup.loaded.shapes);
    let headline =
        cases.iter().map(|case| shapes.iter().any(|shape| shape.axes == case.axes && shape.headline));
    let race = Race {
        setup: bench.setup,
        timing: timing(bench),
        headline: headline.collect(),
        cases,
        theirs: baseline.library().to_owned(),
        own: bench.library.clone(),
    };
    let [seed_glance, seed_lanes] = ["glance", "lanes"].map(|purpose| bench.seed(purpose));
    let lanes = bench.task().timing.lanes(&bench.task().abi);
    let seed = bench.seed("timed data");
    let mut watch = Timed::new(bench, Lane::BaselineItself, race.cases.clone(), seed)?;
    let brief = Plan { samples: GLANCE, ..race.plan([&race.theirs, &race.own], lanes[0], seed_glance) };
    glance(brief, &mut watch, &race.cases)?;
    let (mut facts, decision, mut last) = headline_lane(&race, lanes[0], &mut watch)?;
    let once = Timing { extend: 1, ..race.timing.clone() };
    for other in &lanes[1..] {
        // The workers of the lane before may hold half of the device.
        drop(last.take());
        let mut measured = Measurement::new(race.plan([&race.theirs, &race.own], *other, seed_lanes));
        let look = race.pass(Lane::Candidate, &once).measure(&mut measured, &mut watch, |_| true)?;
        let TimingFacts { lane, processes, pairs, geomean, rows, .. } =
            self::facts(*other, &measured, look.geomean, &race)?;
        facts.lanes.push(LaneFacts { lane, processes, pairs, geomean, rows });
        last = measured.last();
    }
    bench.facts.timing = Some(facts);
    bench.facts.decision = Some(decision);
    bench.timed = last;
    Ok(())
}

/// The lane that the verdict is about: times, what they say, and the candidate's last worker.
fn headline_lane(
    race: &Race<'_>,
    cache: Cache,
    watch: &mut Timed<'_, '_>,
) -> Result<(TimingFacts, Decision, Option<Worker>), Stop> {
    let timing = &race.timing;
    let [seed_aa, seed_ab] = ["itself", "timing"].map(|purpose| watch.bench().seed(purpose));
    watch.lane(Lane::BaselineItself);
    let fewer = timing.processes < race.setup.loaded.task.timing.processes;
    let stretch = if race.setup.quick && fewer { QUICK_WIDTH } else { 1.0 };
    let noise_of = |aa: &Interval| Noise::of(aa, timing, stretch);
    let mut itself = Measurement::new(race.plan([&race.theirs, &race.theirs], cache, seed_aa));
    let aside = race.pass(Lane::BaselineItself, timing);
    let mut aa = aside.measure(&mut itself, watch, |_| true)?.geomean;

    watch.lane(Lane::Candidate);
    let plan = race.plan([&race.theirs, &race.own], cache, seed_ab);
    let mut measured = Measurement::new(Plan { renewed: RENEWED, ..plan });
    let beside = race.pass(Lane::Candidate, timing);
    let mut decision = Decision::Undecided;
    let mut decided = |look: &Look| {
        decision = decide(look, timing);
        decision != Decision::Undecided
    };
    // One look on a noisy machine tells whether the effect is far larger than the noise; only if it is not, more samples of the
    // baseline against itself tell whether the machine is as noisy as it seemed.
    let noisy = noise_of(&aa) != Noise::Quiet;
    let mut look = beside.measure(&mut measured, watch, |look| decided(look) || noisy)?;
    if noisy && !noise_of(&aa).lets_stand(&look.geomean, timing) {
        watch.lane(Lane::BaselineItself);
        aa = aside.measure(&mut itself, watch, |look| noise_of(&look.geomean) == Noise::Quiet)?.geomean;
        if noise_of(&aa) == Noise::Quiet {
            watch.lane(Lane::Candidate);
            look = beside.measure(&mut measured, watch, &mut decided)?;
        }
    }
    let overall = look.geomean;
    let known = &mut watch.bench().facts;
    known.aa = Some(aa);
    known.notes.extend(noted(noise_of(&aa), &aa, &overall, timing)?);
    if let Some(seen) = look.seen.filter(|_| look.unseen(timing)) {
        known.notes.push(format!(
            "by the judge's own clock it is {:.3} times as fast, {} interval {:.3} to {:.3}: what only the worker's clock shows is no win",
            seen.ratio,
            seen.level_words(),
            seen.lo,
            seen.hi
        ));
    }
    if let Some(renewed) = look.renewed.filter(|_| look.remembers(timing)) {
        return Err(Stop::Found(remembers(&overall, &renewed)));
    }
    let facts = facts(cache, &measured, overall, race)?;
    Ok((facts, decision, measured.last()))
}

/// Who answers from memory or leaves calls out is refused before time is spent on noise. Nothing of this is counted.
fn glance(plan: Plan<'_>, watch: &mut Timed<'_, '_>, cases: &[Case]) -> Result<(), Stop> {
    watch.lane(Lane::Candidate);
    watch.plan(plan.samples * cases.len());
    Measurement::new(plan).process(watch).or_else(|trouble| match trouble {
        Trouble::Few { .. } => Ok(()),
        trouble => Err(stop(trouble, Lane::Candidate, cases)),
    })
}

/// The finding of a gain that is none on data that no call has seen.
fn remembers(geomean: &Interval, renewed: &Interval) -> Finding {
    let message = format!(
        "{:.2} times as fast as the baseline on data that comes again, and {:.2} times ({:.2} to {:.2}) on data that no call has seen: it remembers",
        geomean.ratio, renewed.ratio, renewed.lo, renewed.hi
    );
    Finding::new(GATE, Code::StaleResult, message, json!({ "geomean": geomean, "renewed": renewed }))
}

/// What a reader should know of the noise where the verdict stands in spite of it.
fn noted(noise: Noise, aa: &Interval, geomean: &Interval, timing: &Timing) -> Result<Option<String>, Stop> {
    if noise == Noise::Quiet {
        return Ok(None);
    }
    let what = noise.what(aa, timing);
    if noise.lets_stand(geomean, timing) {
        return Ok(Some(format!("{what}; the verdict stands, because the effect is far larger than that")));
    }
    let evidence = json!({ "aa": aa, "max_aa": timing.max_aa, "noise": noise, "geomean": geomean });
    Err(Stop::Found(Finding::new(GATE, Code::NoisyDevice, what, evidence)))
}

/// A measurement from its first look to its last.
#[derive(Clone, Copy)]
struct Pass<'p> {
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
    fn measure(
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

fn look(measurement: &Measurement<'_>, headline: &[bool], alpha: f64) -> Result<Look, StatsError> {
    let rows = measurement.shapes().iter().zip(headline).filter(|(_, headline)| **headline);
    Ok(Look {
        geomean: measurement.geomean(alpha, |shape| headline[shape])?,
        seen: measurement.geomean_seen(alpha, |shape| headline[shape])?,
        renewed: measurement.geomean_renewed(alpha, |shape| headline[shape])?,
        rows: rows.map(|(shape, _)| shape.interval(alpha)).collect::<Result<_, _>>()?,
    })
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

fn facts(
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
