//! What the neighbours of a kernel on its stream say about moving it: over all of its launches, since one launch
//! says nothing about thousands.

use super::groups::Groups;
use crate::analysis::Analysis;
use crate::name::Lane;
use crate::store::Ns;
use hashbrown::HashMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether a kernel probably waits for its neighbour, or its neighbour for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Risk {
    /// Few launches have a related neighbour close by.
    Low,
    /// At least half of the launches do.
    High,
    /// Launches disagree, or it is unknown where close neighbours come from.
    Unclear,
}

/// Neighbours of a kernel over all of its launches, on the same stream unless said otherwise. Close means: a gap of at most 15 % of the kernel's own
/// duration, but no less than 2 us and no more than 20 us. Related means: from the same file or function, of the same
/// CPU op, or of lanes that feed each other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Dependency {
    /// The conclusion.
    pub risk: Risk,
    /// Launches that were looked at: all.
    pub launches: u64,
    /// Share of launches with a close neighbour on either side, in percent.
    pub tight: f64,
    /// Share of launches with a close, related kernel before, in percent.
    pub related_before: f64,
    /// Share of launches with a close, related kernel after, in percent.
    pub related_after: f64,
    /// Share of launches with a close, related kernel on either side, in percent.
    pub related: f64,
    /// Share of launches whose close neighbours are not known to be related, but without known places, in percent.
    pub unmapped: f64,
    /// Share of launches that begin when a kernel of another stream of the device has just ended, in percent. It does
    /// not enter `risk`: it hints at an event that one stream waits for, which a trace does not show.
    pub behind_other_stream: f64,
}

/// Clocks of streams are read at most this far apart, in ns: a kernel that seems to begin before another one ends.
const CLOCK_NS: Ns = 100;

/// From this share of launches on a relation is the rule, in percent.
const RULE: f64 = 50.0;
/// Below this share it is an exception, in percent. Between the two the launches disagree.
const EXCEPTION: f64 = 25.0;

const TIGHT: u8 = 1;
const RELATED_BEFORE: u8 = 2;
const RELATED_AFTER: u8 = 4;
const UNMAPPED: u8 = 8;
const BEHIND_OTHER: u8 = 16;

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    launches: u64,
    tight: u64,
    before: u64,
    after: u64,
    related: u64,
    unmapped: u64,
    behind_other: u64,
}

/// The dependency of each group.
pub(super) fn dependencies(analysis: &Analysis<'_>, groups: &Groups<'_>) -> Vec<Dependency> {
    let flags = flags(analysis);
    let mut counts = vec![Counts::default(); groups.list.len()];
    for (event, &flag) in flags.iter().enumerate() {
        let counts = &mut counts[groups.of_event[event] as usize];
        let related = flag & (RELATED_BEFORE | RELATED_AFTER) != 0;
        counts.launches += 1;
        counts.tight += u64::from(flag & TIGHT != 0);
        counts.before += u64::from(flag & RELATED_BEFORE != 0);
        counts.after += u64::from(flag & RELATED_AFTER != 0);
        counts.related += u64::from(related);
        counts.unmapped += u64::from(!related && flag & UNMAPPED != 0);
        counts.behind_other += u64::from(flag & BEHIND_OTHER != 0);
    }
    counts.iter().map(Dependency::of).collect()
}

impl Dependency {
    fn of(counts: &Counts) -> Self {
        let share = |part: u64| part as f64 * 100.0 / counts.launches.max(1) as f64;
        let related = share(counts.related);
        let risk = if related >= RULE {
            Risk::High
        } else if share(counts.related + counts.unmapped) >= EXCEPTION {
            Risk::Unclear
        } else {
            Risk::Low
        };
        Self {
            risk,
            launches: counts.launches,
            tight: share(counts.tight),
            related_before: share(counts.before),
            related_after: share(counts.after),
            related,
            unmapped: share(counts.unmapped),
            behind_other_stream: share(counts.behind_other),
        }
    }
}

/// The widest gap at which a neighbour is close.
fn closest(dur: Ns) -> Ns {
    (dur * 15 / 100).clamp(2_000, 20_000)
}

fn flags(analysis: &Analysis<'_>) -> Vec<u8> {
    let gpu = &analysis.trace.gpu;
    let places = Places::new(analysis);
    let mut flags = vec![0u8; analysis.len()];
    let mut last: Vec<Option<usize>> = vec![None; analysis.trace.tracks.len()];
    let streams = Streams::new(analysis);
    for event in 0..analysis.len() {
        if streams.just_ended(analysis, event, &last) {
            flags[event] |= BEHIND_OTHER;
        }
        let Some(before) = last[gpu.track[event] as usize].replace(event) else { continue };
        let gap = gpu.start[event] - (gpu.start[before] + gpu.dur[before]);
        let same = places.same(analysis, before, event);
        for (one, neighbour, side) in [(event, before, RELATED_BEFORE), (before, event, RELATED_AFTER)] {
            if gap > closest(gpu.dur[one]) {
                continue;
            }
            flags[one] |= TIGHT;
            if same == Some(true) || feeds(analysis.lane(one), analysis.lane(neighbour)) {
                flags[one] |= side;
            } else if same.is_none() {
                flags[one] |= UNMAPPED;
            }
        }
    }
    flags
}

/// The streams of each device.
struct Streams {
    of_device: Vec<Vec<u32>>,
}

impl Streams {
    fn new(analysis: &Analysis<'_>) -> Self {
        let mut of_device = vec![Vec::new(); analysis.trace.devices.len()];
        for (track, place) in analysis.trace.tracks.iter().enumerate() {
            of_device[place.device as usize].push(track as u32);
        }
        Self { of_device }
    }

    /// Whether the last event of another stream ends close before `event` begins. `last` is the last event of each
    /// stream that began before.
    fn just_ended(&self, analysis: &Analysis<'_>, event: usize, last: &[Option<usize>]) -> bool {
        let gpu = &analysis.trace.gpu;
        let others = self.of_device[analysis.trace.device_of(event) as usize].iter();
        let others = others.filter(|&&track| track != gpu.track[event]);
        others.filter_map(|&track| last[track as usize]).any(|other| {
            let gap = gpu.start[event] - (gpu.start[other] + gpu.dur[other]);
            (-CLOCK_NS..=closest(gpu.dur[event])).contains(&gap)
        })
    }
}

/// Whether kernels of these lanes that stand close together usually need each other's results.
fn feeds(lane: Lane, neighbour: Lane) -> bool {
    match lane {
        Lane::Communication => neighbour != Lane::Communication,
        Lane::Elementwise | Lane::Memory => neighbour != Lane::Other,
        Lane::Compute | Lane::Other => false,
    }
}

/// Files and functions of sites as numbers.
struct Places {
    of_site: Vec<(u32, u32)>,
}

impl Places {
    fn new(analysis: &Analysis<'_>) -> Self {
        fn number<'s>(known: &mut HashMap<&'s str, u32>, text: &'s str) -> u32 {
            let next = known.len() as u32;
            *known.entry(text).or_insert(next)
        }
        let (mut files, mut functions) = (HashMap::new(), HashMap::new());
        let sites = analysis.sites.iter();
        let of_site = sites
            .map(|site| (number(&mut files, &site.file), number(&mut functions, &site.function)))
            .collect();
        Self { of_site }
    }

    /// Whether two GPU events come from the same file, function or op. `None` if one has no place, unless the ops say
    /// yes.
    fn same(&self, analysis: &Analysis<'_>, a: usize, b: usize) -> Option<bool> {
        let op = analysis.op_name(a);
        if op.is_some() && op == analysis.op_name(b) {
            return Some(true);
        }
        let (a, b) = (self.of_site[analysis.site(a)?], self.of_site[analysis.site(b)?]);
        Some(a.0 == b.0 || a.1 == b.1)
    }
}
