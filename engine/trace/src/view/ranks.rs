//! Ranks against each other: who arrives last.
//!
//! A collective ends on all ranks at about the same time, whoever was late, so durations accuse the wrong ones: the
//! rank that waits longest has the longest kernel. What tells is the arrival, the moment at which a rank's kernel
//! begins. Clocks of ranks differ; they are put on one by the ends of the collectives, which must agree.

use crate::analysis::Analysis;
use crate::name::{Category, canonical};
use crate::stage::Stage;
use crate::store::Ns;
use crate::timeline::{Span, busy};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Matched collectives below which nobody is called a straggler.
const COLLECTIVES_NEEDED: usize = 10;
/// Ends of one collective lie this close together on ranks whose clocks agree; a ring's last hop takes less.
const ENDS_AGREE_NS: Ns = 50_000;
/// A rank that causes this share of all waiting, in percent, does so by more than chance where there are several.
const CAUSED_SHARE: f64 = 50.0;
/// Mean waiting for a rank below which nothing is gained by looking for a cause: a kernel launch takes as long.
const WAIT_NS: f64 = 5_000.0;

/// All ranks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ranks {
    /// Each rank, by number.
    pub ranks: Vec<RankRow>,
    /// Collectives by name.
    pub collectives: Vec<CollectiveRow>,
    /// Steps by their order.
    pub steps: Vec<StepSkew>,
    /// The rank that makes the others wait, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub straggler: Option<Straggler>,
    /// Why arrivals are not compared, where they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withheld: Option<String>,
}

/// One rank.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RankRow {
    /// Its number.
    pub rank: u32,
    /// Where it comes from: a file, or a device of a merged trace.
    pub source: String,
    /// GPU events.
    pub gpu_events: u64,
    /// Time during which its GPU did anything, in ns.
    pub busy_ns: Ns,
    /// Sum of its communication kernels, in ns: waiting included, so not a measure of speed.
    pub communication_ns: Ns,
    /// Its clock minus the first rank's, in ns, by the ends of collectives.
    pub clock_offset_ns: Ns,
    /// Time that it waited for others in matched collectives, in ns.
    pub waited_ns: Ns,
    /// Time by which it came after the first of the others, summed over matched collectives, in ns.
    pub late_ns: Ns,
    /// Matched collectives in which it came last.
    pub last: u64,
    /// Time that the others waited for it, summed over them, in ns.
    pub caused_ns: Ns,
}

/// One kind of collective.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CollectiveRow {
    /// Kernel.
    pub kernel: String,
    /// How often it ran on every rank and could be matched.
    pub matched: u64,
    /// Median of the time between first and last arrival, in ns.
    pub spread_p50_ns: Ns,
    /// The 99th percentile, in ns.
    pub spread_p99_ns: Ns,
    /// The largest, in ns.
    pub spread_max_ns: Ns,
    /// Shortest duration of each, summed: the transfer without waiting, in ns.
    pub transfer_ns: Ns,
    /// Sum of all ranks' waiting, in ns.
    pub waited_ns: Ns,
}

/// One step on all ranks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepSkew {
    /// Its number, from 0.
    pub index: u64,
    /// What it computes.
    pub stage: Stage,
    /// Time between the first and the last rank's first kernel, in ns, on one clock.
    pub start_spread_ns: Ns,
    /// Busy time without communication of the quickest rank, in ns.
    pub least_busy_ns: Ns,
    /// Busy time without communication of the slowest rank, in ns.
    pub most_busy_ns: Ns,
    /// The slowest rank by that time.
    pub slowest: u32,
}

/// The rank that makes the others wait.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Straggler {
    /// Its number.
    pub rank: u32,
    /// Share of all waiting that was for it, in percent.
    pub caused_share: f64,
    /// Mean time that another rank waited for it in the collectives in which it came last, in ns.
    pub mean_wait_ns: f64,
}

/// What is compared: a trace of one rank, or one device of a trace of several.
#[derive(Debug, Clone)]
pub struct Rank<'a, 't> {
    /// Its number.
    pub rank: u32,
    /// Its name in the table.
    pub source: String,
    /// Its trace.
    pub analysis: &'a Analysis<'t>,
    /// Its device, where the trace has others.
    pub device: Option<u32>,
}

/// The ranks of one trace: its devices, where a merged trace or a process with several has more than one.
pub fn of_trace<'a, 't>(analysis: &'a Analysis<'t>) -> Vec<Rank<'a, 't>> {
    let devices = analysis.trace.devices.iter().enumerate();
    devices
        .map(|(device, place)| Rank {
            rank: place.rank.or(place.index).unwrap_or(device as u32),
            source: format!("device {}", place.label),
            analysis,
            device: Some(device as u32),
        })
        .collect()
}

/// Compares ranks; at least two are needed for anything but the rows.
pub fn build(ranks: &[Rank<'_, '_>]) -> Ranks {
    let mut sides: Vec<Side<'_>> = ranks.iter().map(Side::of).collect();
    let mut result = Ranks {
        ranks: Vec::new(),
        collectives: Vec::new(),
        steps: Vec::new(),
        straggler: None,
        withheld: None,
    };
    match matched(&sides).and_then(|names| align(&mut sides, &names).map(|()| names)) {
        Ok(names) => compare(&mut result, &mut sides, &names),
        Err(reason) => result.withheld = Some(reason),
    }
    result.steps = steps(&sides);
    result.ranks = sides.iter().zip(ranks).map(|(side, rank)| side.row(rank)).collect();
    result
}

/// One collective of one rank, on its own clock.
#[derive(Debug, Clone, Copy)]
struct Arrival {
    start: Ns,
    end: Ns,
}

/// The work of one step of one rank.
struct Work {
    stage: Stage,
    first: Ns,
    busy: Ns,
}

struct Side<'t> {
    rank: u32,
    events: u64,
    busy: Ns,
    communication: Ns,
    offset: Ns,
    waited: Ns,
    late: Ns,
    last: u64,
    caused: Ns,
    collectives: BTreeMap<Cow<'t, str>, Vec<Arrival>>,
    steps: Vec<Work>,
}

impl<'t> Side<'t> {
    fn of(rank: &Rank<'_, 't>) -> Self {
        let analysis = rank.analysis;
        let mut spans = Vec::new();
        let mut by_step: BTreeMap<u32, Vec<Span>> = BTreeMap::new();
        let mut collectives: BTreeMap<Cow<'t, str>, Vec<Arrival>> = BTreeMap::new();
        let mut communication = 0;
        for (index, event) in analysis.trace.gpu.rows().enumerate() {
            if rank.device.is_some_and(|device| device != analysis.trace.device_of(index)) {
                continue;
            }
            let span =
                Span { start: event.start, end: event.end(), stream: event.track, event: index as u32 };
            spans.push(span);
            if analysis.category(index) == Category::Communication {
                communication += event.dur;
                let name = canonical(analysis.trace.text(event.name));
                collectives.entry(name).or_default().push(Arrival { start: event.start, end: event.end() });
            } else if let Some(step) = analysis.segments.of_event[index] {
                by_step.entry(step).or_default().push(span);
            }
        }
        let work = |(step, spans): (&u32, &Vec<Span>)| Work {
            stage: analysis.segments.steps[*step as usize].stage,
            first: spans[0].start,
            busy: busy(spans).busy,
        };
        Self {
            rank: rank.rank,
            events: spans.len() as u64,
            busy: busy(&spans).busy,
            communication,
            offset: 0,
            waited: 0,
            late: 0,
            last: 0,
            caused: 0,
            collectives,
            steps: by_step.iter().map(work).collect(),
        }
    }

    fn row(&self, rank: &Rank<'_, '_>) -> RankRow {
        RankRow {
            rank: self.rank,
            source: rank.source.clone(),
            gpu_events: self.events,
            busy_ns: self.busy,
            communication_ns: self.communication,
            clock_offset_ns: self.offset,
            waited_ns: self.waited,
            late_ns: self.late,
            last: self.last,
            caused_ns: self.caused,
        }
    }
}

/// Collectives that every rank ran equally often, or why there is none.
fn matched<'t>(sides: &[Side<'t>]) -> Result<Vec<Cow<'t, str>>, String> {
    let [first, others @ ..] = sides else { return Err("there is no rank".into()) };
    if others.is_empty() {
        return Err("there is one rank only".into());
    }
    if first.collectives.is_empty() {
        return Err(format!("rank {} ran no communication kernel", first.rank));
    }
    let equal = |name: &&Cow<'t, str>| {
        let count = first.collectives[*name].len();
        others.iter().all(|side| side.collectives.get(*name).is_some_and(|all| all.len() == count))
    };
    let names: Vec<Cow<'t, str>> = first.collectives.keys().filter(equal).cloned().collect();
    if names.is_empty() {
        return Err("no communication kernel ran equally often on every rank, so none can be matched".into());
    }
    Ok(names)
}

/// Puts every rank on the first one's clock.
fn align(sides: &mut [Side<'_>], names: &[Cow<'_, str>]) -> Result<(), String> {
    let ends = |side: &Side<'_>| -> Vec<Ns> {
        names.iter().flat_map(|name| side.collectives[name].iter().map(|arrival| arrival.end)).collect()
    };
    let reference = ends(&sides[0]);
    for side in &mut sides[1..] {
        let mut differences: Vec<Ns> =
            ends(side).iter().zip(&reference).map(|(own, first)| own - first).collect();
        differences.sort_unstable();
        let offset = differences[differences.len() / 2];
        let mut off: Vec<Ns> = differences.iter().map(|difference| (difference - offset).abs()).collect();
        off.sort_unstable();
        let typical = off[off.len() / 2];
        if typical > ENDS_AGREE_NS {
            return Err(format!(
                "the ends of rank {}'s collectives do not agree with the first rank's on any clock (typically {} us apart)",
                side.rank,
                typical / 1000
            ));
        }
        side.offset = offset;
    }
    Ok(())
}

fn compare(result: &mut Ranks, sides: &mut [Side<'_>], names: &[Cow<'_, str>]) {
    let mut all = 0usize;
    for name in names {
        let count = sides[0].collectives[name].len();
        let mut row = Sums::default();
        for index in 0..count {
            let arrivals: Vec<Arrival> =
                sides.iter().map(|side| shifted(side.collectives[name][index], side.offset)).collect();
            let (first, last) = ends_of(arrivals.iter().map(|arrival| arrival.start));
            row.spreads.push(last - first);
            row.transfer +=
                arrivals.iter().map(|arrival| arrival.end - arrival.start).min().unwrap_or_default();
            let latest =
                arrivals.iter().enumerate().max_by_key(|(_, arrival)| arrival.start).map(|(side, _)| side);
            let mut caused = 0;
            for (side, arrival) in arrivals.iter().enumerate() {
                let waited = (last - arrival.start).min(arrival.end - arrival.start);
                sides[side].waited += waited;
                sides[side].late += arrival.start - first;
                caused += waited;
            }
            row.waited += caused;
            if let Some(side) = latest {
                sides[side].last += 1;
                sides[side].caused += caused;
            }
            all += 1;
        }
        result.collectives.push(row.finish(name));
    }
    result.collectives.sort_by(|a, b| b.waited_ns.cmp(&a.waited_ns).then_with(|| a.kernel.cmp(&b.kernel)));
    result.straggler = straggler(sides, all);
}

fn shifted(arrival: Arrival, offset: Ns) -> Arrival {
    Arrival { start: arrival.start - offset, end: arrival.end - offset }
}

fn ends_of(values: impl Iterator<Item = Ns>) -> (Ns, Ns) {
    values.fold((Ns::MAX, Ns::MIN), |(low, high), value| (low.min(value), high.max(value)))
}

#[derive(Default)]
struct Sums {
    spreads: Vec<Ns>,
    transfer: Ns,
    waited: Ns,
}

impl Sums {
    fn finish(mut self, name: &str) -> CollectiveRow {
        self.spreads.sort_unstable();
        let at = |percent: usize| self.spreads[(self.spreads.len() * percent).div_ceil(100).max(1) - 1];
        CollectiveRow {
            kernel: name.to_owned(),
            matched: self.spreads.len() as u64,
            spread_p50_ns: at(50),
            spread_p99_ns: at(99),
            spread_max_ns: at(100),
            transfer_ns: self.transfer,
            waited_ns: self.waited,
        }
    }
}

fn straggler(sides: &[Side<'_>], all: usize) -> Option<Straggler> {
    let waited: Ns = sides.iter().map(|side| side.waited).sum();
    if all < COLLECTIVES_NEEDED || waited == 0 {
        return None;
    }
    let side = sides.iter().max_by_key(|side| side.caused)?;
    let caused_share = side.caused as f64 * 100.0 / waited as f64;
    let mean_wait_ns = side.caused as f64 / (side.last.max(1) as usize * (sides.len() - 1)) as f64;
    // With two ranks each causes half of the waiting by chance.
    let needed = CAUSED_SHARE.max(150.0 / sides.len() as f64);
    let straggles = caused_share >= needed && mean_wait_ns >= WAIT_NS;
    straggles.then_some(Straggler { rank: side.rank, caused_share, mean_wait_ns })
}

/// Steps that every rank has, by their order.
fn steps(sides: &[Side<'_>]) -> Vec<StepSkew> {
    let count = sides.iter().map(|side| side.steps.len()).min().unwrap_or(0);
    if sides.len() < 2 {
        return Vec::new();
    }
    let skew = |index: usize| {
        let works = || sides.iter().map(|side| (side, &side.steps[index]));
        let (first, last) = ends_of(works().map(|(side, work)| work.first - side.offset));
        let (least, most) = ends_of(works().map(|(_, work)| work.busy));
        let slowest = works().max_by_key(|(_, work)| work.busy).map_or(0, |(side, _)| side.rank);
        StepSkew {
            index: index as u64,
            stage: sides[0].steps[index].stage,
            start_spread_ns: last - first,
            least_busy_ns: least,
            most_busy_ns: most,
            slowest,
        }
    };
    (0..count).map(skew).collect()
}
