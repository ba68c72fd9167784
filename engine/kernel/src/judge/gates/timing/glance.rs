//! A first look at the candidate, short: what is far off is refused before time is spent on noise.

use super::race::{Race, facts, look, stop};
use super::{RENEWED, Raced, noted, told_by};
use crate::judge::setup::Lane;
use crate::judge::stage::Stop;
use crate::judge::timed::Timed;
use crate::task::Cache;
use crate::timing::decide::{Decision, Look, Noise};
use crate::timing::estimate::ALPHA;
use crate::timing::measure::{Measurement, Plan};
use crate::timing::watch::Trouble;

/// Samples at each shape in a process pair.
const SAMPLES: usize = 8;
/// Process pairs where the first gives reason to look closer: the fewest whose interval says anything.
const CLOSER: usize = 3;

/// Looks at the candidate. Who answers from memory or leaves calls out is refused; who is far slower than the baseline has its
/// verdict. `None`: nothing of the kind, and nothing of this is counted.
pub fn glance(race: &Race<'_>, cache: Cache, watch: &mut Timed<'_, '_>) -> Result<Option<Raced>, Stop> {
    watch.lane(Lane::Candidate);
    let plan = race.plan([&race.theirs, &race.own], cache, watch.bench().seed("glance"));
    let mut measured = Measurement::new(Plan { samples: SAMPLES, renewed: RENEWED, ..plan });
    if !pairs(&mut measured, 1, race, Lane::Candidate, watch)? {
        return Ok(None);
    }
    let hint = measured.hint(|shape| race.headline[shape]);
    if !hint.suspect(&race.timing) || !pairs(&mut measured, CLOSER, race, Lane::Candidate, watch)? {
        return Ok(None);
    }
    let seen = look(&measured, &race.headline, ALPHA)?;
    if let Some(finding) = told_by(&seen, &race.timing) {
        return Err(Stop::Found(finding));
    }
    if !seen.far_slower() {
        return Ok(None);
    }
    watch.lane(Lane::BaselineItself);
    let plan = race.plan([&race.theirs, &race.theirs], cache, watch.bench().seed("glance itself"));
    let mut itself = Measurement::new(Plan { samples: SAMPLES, ..plan });
    if !pairs(&mut itself, CLOSER, race, Lane::BaselineItself, watch)? {
        return Ok(None);
    }
    slower(race, cache, watch, measured, &seen, &look(&itself, &race.headline, ALPHA)?)
}

/// Measures until there are so many process pairs; `false` where hardly a pair of blocks can be believed.
fn pairs(
    measured: &mut Measurement<'_>,
    processes: usize,
    race: &Race<'_>,
    lane: Lane,
    watch: &mut Timed<'_, '_>,
) -> Result<bool, Stop> {
    watch.plan((processes - measured.processes()) * SAMPLES * race.cases.len());
    while measured.processes() < processes {
        match measured.process(watch) {
            Ok(()) => {}
            Err(Trouble::Few { .. }) => return Ok(false),
            Err(trouble) => return Err(stop(trouble, lane, &race.cases)),
        }
    }
    Ok(true)
}

/// The verdict of a candidate that is far slower, where the baseline's difference from itself does not explain it.
fn slower(
    race: &Race<'_>,
    cache: Cache,
    watch: &mut Timed<'_, '_>,
    measured: Measurement<'_>,
    seen: &Look,
    itself: &Look,
) -> Result<Option<Raced>, Stop> {
    let (aa, timing) = (itself.geomean, &race.timing);
    let noise = Noise::of(&aa, timing, 1.0);
    if !noise.lets_stand(&seen.geomean, timing) {
        return Ok(None);
    }
    let facts = facts(cache, &measured, seen.geomean, race)?;
    let known = &mut watch.bench().facts;
    known.aa = Some(aa);
    known.notes.extend(noted(noise, &aa, &seen.geomean, timing)?);
    known.notes.push(format!(
        "the first look, {CLOSER} process pairs of {SAMPLES} samples, tells that it is far slower: no more were taken"
    ));
    Ok(Some(Raced { facts, decision: Decision::Slower, last: measured.last() }))
}
