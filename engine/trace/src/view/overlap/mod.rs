//! Table 2: which kernels could run beside others, and which do so already.
//!
//! A kernel is *hidden* while another stream of the same device is at work, else *exclusive*. Rows are kernels of one
//! stage; shares are shares of the stage's summed kernel time, as in the kernel table. The table says where looking
//! pays, not that an overlap is legal: that depends on data, of which a trace knows only what ran close together.

mod advice;
mod groups;
mod signal;
mod sweep;

pub use advice::{Priority, Verdict};
pub use signal::{Dependency, Risk};

use super::kernels::SiteShare;
use crate::analysis::Analysis;
use crate::name::{Category, Lane};
use crate::stage::Stage;
use crate::store::Ns;
use groups::Groups;
use hashbrown::HashMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sweep::{Sums, Swept};

/// The overlap table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OverlapTable {
    /// Stages with work, in the order prefill, decode, mixed, unknown.
    pub sections: Vec<OverlapSection>,
}

/// One stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OverlapSection {
    /// The stage.
    pub stage: Stage,
    /// Sum of all durations of the stage, in ns: the denominator of every share, the same as in the kernel table.
    pub total_ns: Ns,
    /// Part of it during which no other stream of the device was at work, in ns.
    pub exclusive_ns: Ns,
    /// The rest, in ns.
    pub hidden_ns: Ns,
    /// At most five rows of each verdict, first things first.
    pub rows: Vec<OverlapRow>,
    /// Kernels that earn a verdict but lie below the bar.
    pub rows_below_bar: u64,
    /// Streams that compute while another communicates, by device and stream.
    pub pairs: Vec<StreamPair>,
}

/// One kernel of one stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OverlapRow {
    /// How soon to look at it.
    pub priority: Priority,
    /// What the overlap says.
    pub verdict: Verdict,
    /// Its name, as in the kernel table.
    pub kernel: String,
    /// What it is.
    pub category: Category,
    /// What it is to the overlap.
    pub lane: Lane,
    /// The place in a Python source that most of its time came from. None for graph replays and without stacks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<SiteShare>,
    /// Launches.
    pub launches: u64,
    /// Sum of durations, in ns.
    pub time_ns: Ns,
    /// Share of the stage's `total_ns`, in percent.
    pub share: f64,
    /// Time during which no other stream of its device was at work, in ns.
    pub exclusive_ns: Ns,
    /// The same as a share of `time_ns`, in percent.
    pub exclusive: f64,
    /// The rest, in ns.
    pub hidden_ns: Ns,
    /// The same as a share of `time_ns`, in percent.
    pub hidden: f64,
    /// Part of the hidden time beside a compute kernel, as a share of `time_ns`, in percent.
    pub hidden_by_compute: f64,
    /// What it mostly runs beside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partner: Option<Partner>,
    /// What its neighbours say about moving it.
    pub dependency: Dependency,
    /// What to do.
    pub recommendation: String,
}

/// The kernel of another stream beside which a kernel runs: the highest lane, then the longest time together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Partner {
    /// Its name.
    pub kernel: String,
    /// Its lane.
    pub lane: Lane,
    /// Time together, in ns.
    pub together_ns: Ns,
}

/// Two streams of a device, one computing while the other communicates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StreamPair {
    /// The device.
    pub device: String,
    /// The stream that computes.
    pub compute_stream: String,
    /// The stream that communicates, in this stage.
    pub communication_stream: String,
    /// Time during which both did, in ns.
    pub together_ns: Ns,
    /// Time during which the second one communicated at all in this stage, in ns.
    pub communication_ns: Ns,
    /// Share of `together_ns` in `communication_ns`, in percent.
    pub share: f64,
}

/// Rows of each verdict in one stage.
const ROWS: usize = 5;
/// Below this sum a kernel is not worth a look, in ns.
const LEAST_TIME_NS: Ns = 5_000;
/// Above this share of exclusive time there is something to hide, in percent.
const HEADROOM: f64 = 45.0;
/// Above this share of hidden time there is nothing left to gain, in percent.
const HIDDEN: f64 = 65.0;

/// Builds the table. It needs no second trace: places come from launches, and rows of graph replays have none.
pub fn build(analysis: &Analysis<'_>) -> OverlapTable {
    let groups = Groups::new(analysis);
    let swept = sweep::sweep(analysis, &groups);
    let dependencies = signal::dependencies(analysis, &groups);
    let sections = Stage::ALL.into_iter().filter_map(|stage| {
        let of_stage: Vec<usize> =
            (0..groups.list.len()).filter(|&group| groups.list[group].stage == stage).collect();
        let total_ns: Ns = of_stage.iter().map(|&group| groups.list[group].time).sum();
        if total_ns == 0 {
            return None;
        }
        let rows = of_stage.iter().map(|&group| Candidate {
            group,
            lane: groups.list[group].lane,
            share: groups.list[group].time as f64 * 100.0 / total_ns as f64,
            sums: swept.sums[group],
            dependency: &dependencies[group],
        });
        let exclusive_ns: Ns = of_stage.iter().map(|&group| swept.sums[group].exclusive).sum();
        let picked = pick(rows.collect(), analysis.options.min_share);
        let rows = picked.rows.iter().map(|(row, verdict)| finish(row, *verdict, &groups, &swept, analysis));
        let mut rows: Vec<OverlapRow> = rows.collect();
        rows.sort_by_key(|row| row.priority);
        Some(OverlapSection {
            stage,
            total_ns,
            exclusive_ns,
            hidden_ns: total_ns - exclusive_ns,
            rows,
            rows_below_bar: picked.below_bar,
            pairs: pairs(analysis, &swept, stage),
        })
    });
    OverlapTable { sections: sections.collect() }
}

/// A kernel that may become a row.
struct Candidate<'a> {
    group: usize,
    lane: Lane,
    share: f64,
    sums: Sums,
    dependency: &'a Dependency,
}

struct Picked<'a> {
    rows: Vec<(Candidate<'a>, Verdict)>,
    below_bar: u64,
}

/// What exclusive time of a lane is worth: communication waits for others and is the best to hide.
fn weight(lane: Lane) -> f64 {
    match lane {
        Lane::Communication => 1.3,
        Lane::Memory => 1.15,
        Lane::Elementwise => 1.0,
        Lane::Other => 0.8,
        Lane::Compute => 0.35,
    }
}

fn pick(candidates: Vec<Candidate<'_>>, bar: f64) -> Picked<'_> {
    let mut below_bar = 0;
    let (mut headroom, mut hidden) = (Vec::new(), Vec::new());
    for candidate in candidates {
        let verdict = verdict(&candidate);
        if verdict.is_some() && candidate.share < bar {
            below_bar += 1;
            continue;
        }
        match verdict {
            Some(Verdict::Headroom) => headroom.push(candidate),
            Some(Verdict::LowRoiHidden) => hidden.push(candidate),
            None => {}
        }
    }
    let worth = |row: &Candidate<'_>| row.sums.exclusive as f64 * weight(row.lane);
    headroom.sort_by(|a, b| {
        let filler = |row: &Candidate<'_>| row.lane == Lane::Compute;
        filler(a).cmp(&filler(b)).then_with(|| worth(b).total_cmp(&worth(a))).then(a.group.cmp(&b.group))
    });
    let settled = |row: &Candidate<'_>| {
        row.sums.hidden as f64 * (1.0 + row.sums.by_compute as f64 / row.sums.time() as f64)
    };
    hidden.sort_by(|a, b| settled(b).total_cmp(&settled(a)).then(a.group.cmp(&b.group)));
    headroom.truncate(ROWS);
    hidden.truncate(ROWS);
    let rows = headroom.into_iter().map(|row| (row, Verdict::Headroom));
    let rows = rows.chain(hidden.into_iter().map(|row| (row, Verdict::LowRoiHidden)));
    Picked { rows: rows.collect(), below_bar }
}

fn verdict(row: &Candidate<'_>) -> Option<Verdict> {
    let time = row.sums.time();
    let share = |part: Ns| part as f64 * 100.0 / time as f64;
    if time < LEAST_TIME_NS {
        None
    } else if share(row.sums.exclusive) >= HEADROOM {
        Some(Verdict::Headroom)
    } else if share(row.sums.hidden) >= HIDDEN && matches!(row.lane, Lane::Elementwise | Lane::Memory) {
        Some(Verdict::LowRoiHidden)
    } else {
        None
    }
}

fn finish(
    row: &Candidate<'_>,
    verdict: Verdict,
    groups: &Groups<'_>,
    swept: &Swept,
    analysis: &Analysis<'_>,
) -> OverlapRow {
    let group = &groups.list[row.group];
    let share = |part: Ns| part as f64 * 100.0 / group.time as f64;
    let priority = advice::priority(verdict, row.share, row.dependency.risk);
    OverlapRow {
        priority,
        verdict,
        kernel: group.kernel.to_string(),
        category: group.category,
        lane: group.lane,
        site: groups.site(row.group, analysis),
        launches: group.launches,
        time_ns: group.time,
        share: row.share,
        exclusive_ns: row.sums.exclusive,
        exclusive: share(row.sums.exclusive),
        hidden_ns: row.sums.hidden,
        hidden: share(row.sums.hidden),
        hidden_by_compute: share(row.sums.by_compute),
        partner: partner(row.group, groups, swept),
        dependency: row.dependency.clone(),
        recommendation: advice::text(priority, group.lane, share(row.sums.hidden), row.dependency),
    }
}

fn partner(group: usize, groups: &Groups<'_>, swept: &Swept) -> Option<Partner> {
    let from = swept.together.partition_point(|&(of, _, _)| (of as usize) < group);
    let of_group = swept.together[from..].iter().take_while(|&&(of, _, _)| of as usize == group);
    let best = of_group.max_by_key(|&&(_, other, time)| {
        (groups.list[other as usize].lane, time, std::cmp::Reverse(other))
    })?;
    let other = &groups.list[best.1 as usize];
    Some(Partner { kernel: other.kernel.to_string(), lane: other.lane, together_ns: best.2 })
}

fn pairs(analysis: &Analysis<'_>, swept: &Swept, stage: Stage) -> Vec<StreamPair> {
    let trace = analysis.trace;
    let whole: HashMap<u32, Ns> =
        swept.communication.iter().filter(|row| row.0 == stage).map(|row| (row.1, row.2)).collect();
    let stream = |track: u32| trace.tracks[track as usize].stream.clone();
    let pair = |&(_, communication, compute, together_ns): &(Stage, u32, u32, Ns)| {
        let communication_ns = whole.get(&communication).copied().unwrap_or_default();
        StreamPair {
            device: trace.devices[trace.tracks[compute as usize].device as usize].label.clone(),
            compute_stream: stream(compute),
            communication_stream: stream(communication),
            together_ns,
            communication_ns,
            share: together_ns as f64 * 100.0 / communication_ns.max(1) as f64,
        }
    };
    swept.pairs.iter().filter(|row| row.0 == stage).map(pair).collect()
}

#[cfg(test)]
mod tests;
