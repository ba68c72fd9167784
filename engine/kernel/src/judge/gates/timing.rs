//! As fast as it claims: the baseline against itself first, then against the candidate, with outputs checked inside.

mod glance;
mod race;

use crate::judge::bench::Bench;
use crate::judge::setup::{JudgeError, Lane};
use crate::judge::stage::{Stop, settle};
use crate::judge::timed::Timed;
use crate::ledger::{LaneFacts, TimingFacts};
use crate::task::{Cache, Timing};
use crate::timing::decide::{Decision, Look, Noise, decide};
use crate::timing::estimate::Interval;
use crate::timing::measure::{Measurement, Plan};
use crate::verdict::{Code, Finding, Gate};
use crate::worker::Worker;
use race::{Race, facts};
use serde_json::json;

const GATE: Gate = Gate::Timing;
/// Process pairs and samples of a quick judgement.
const QUICK: (u32, u32) = (3, 20);
/// How many times as wide the interval of three process pairs is as that of seven with the same spread: Student's quantiles 4.303
/// and 2.447 over the roots of 3 and 7.
const QUICK_WIDTH: f64 = 2.7;
/// Short blocks on data that no call has seen, at each shape in each process pair.
const RENEWED: usize = 4;

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
    let seed_lanes = bench.seed("lanes");
    let lanes = bench.task().timing.lanes(&bench.task().abi);
    let seed = bench.seed("timed data");
    let mut watch = Timed::new(bench, Lane::BaselineItself, race.cases.clone(), seed)?;
    let far = glance::glance(&race, lanes[0], &mut watch)?;
    // One lane is enough to see that.
    let others = if far.is_some() { &[] } else { &lanes[1..] };
    let Raced { mut facts, decision, mut last } = match far {
        Some(raced) => raced,
        None => headline_lane(&race, lanes[0], &mut watch)?,
    };
    let once = Timing { extend: 1, ..race.timing.clone() };
    for other in others {
        // The workers of the lane before may hold half of the device.
        drop(last.take());
        let mut measured = Measurement::new(race.plan([&race.theirs, &race.own], *other, seed_lanes));
        let look = race.pass(Lane::Candidate, &once).measure(&mut measured, &mut watch, |_| true)?;
        let TimingFacts { lane, processes, pairs, geomean, rows, .. } =
            race::facts(*other, &measured, look.geomean, &race)?;
        facts.lanes.push(LaneFacts { lane, processes, pairs, geomean, rows });
        last = measured.last();
    }
    bench.facts.timing = Some(facts);
    bench.facts.decision = Some(decision);
    bench.timed = last;
    Ok(())
}

/// A lane that was measured.
struct Raced {
    facts: TimingFacts,
    /// What it says.
    decision: Decision,
    /// The candidate's last worker.
    last: Option<Worker>,
}

/// The lane that the verdict is about.
fn headline_lane(race: &Race<'_>, cache: Cache, watch: &mut Timed<'_, '_>) -> Result<Raced, Stop> {
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
    let shown = |at: Interval, what: &str| {
        format!(
            "{:.3} times as fast, {} interval {:.3} to {:.3}: {what}",
            at.ratio,
            at.level_words(),
            at.lo,
            at.hi
        )
    };
    if let Some(seen) = look.seen.filter(|_| look.unseen(timing)) {
        let what = shown(seen, "what only the worker's clock shows is no win");
        known.notes.push(format!("by the judge's own clock it is {what}"));
    }
    if let Some(renewed) = look.renewed.filter(|_| look.unproven()) {
        let what = shown(renewed, "that a part of the win is there as well is not shown");
        known.notes.push(format!("on data that no call has seen it is {what}"));
    }
    if let Some(finding) = told_by(&look, timing) {
        return Err(Stop::Found(finding));
    }
    let facts = facts(cache, &measured, overall, race)?;
    Ok(Raced { facts, decision, last: measured.last() })
}

/// The finding of a gain that is none: on data that no call has seen, or by the judge's clock.
fn told_by(look: &Look, timing: &Timing) -> Option<Finding> {
    let Look { geomean, seen, renewed, .. } = look;
    if let Some(seen) = seen.filter(|_| look.forged()) {
        let message = format!(
            "{:.2} times as fast as the baseline by its own clock, and {:.2} times ({:.2} to {:.2}) by the judge's",
            geomean.ratio, seen.ratio, seen.lo, seen.hi
        );
        let evidence = json!({ "geomean": geomean, "seen": seen });
        return Some(Finding::new(GATE, Code::ClockMismatch, message, evidence));
    }
    let renewed = renewed.filter(|_| look.remembers(timing))?;
    let message = format!(
        "{:.2} times as fast as the baseline on data that comes again, and {:.2} times ({:.2} to {:.2}) on data that no call has seen: it remembers",
        geomean.ratio, renewed.ratio, renewed.lo, renewed.hi
    );
    let evidence = json!({ "geomean": geomean, "renewed": renewed });
    Some(Finding::new(GATE, Code::StaleResult, message, evidence))
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
