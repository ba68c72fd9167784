//! Hidden and exclusive time of every kernel: a sweep over the streams of each device, each device for itself.

use super::groups::Groups;
use crate::analysis::Analysis;
use crate::name::Lane;
use crate::stage::Stage;
use crate::store::Ns;
use crate::timeline::{Span, stretches};
use crate::view::devices::spans;
use hashbrown::HashMap;

/// What the sweep finds for one kernel of one stage. Times are summed over its launches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sums {
    /// No other stream of the device at work.
    pub exclusive: Ns,
    /// Another one at work.
    pub hidden: Ns,
    /// Part of `hidden` with a compute kernel on another stream.
    pub by_compute: Ns,
}

impl Sums {
    /// Sum of durations.
    pub(super) fn time(&self) -> Ns {
        self.exclusive + self.hidden
    }
}

/// What the sweep finds. The lists are sorted.
pub(super) struct Swept {
    /// By group.
    pub sums: Vec<Sums>,
    /// Group, group on another stream, time together.
    pub together: Vec<(u32, u32, Ns)>,
    /// Stage of the communication, its track, the computing track, time together.
    pub pairs: Vec<(Stage, u32, u32, Ns)>,
    /// Stage, track, time during which the track communicates.
    pub communication: Vec<(Stage, u32, Ns)>,
}

struct Sweeper<'a, 't> {
    analysis: &'a Analysis<'t>,
    groups: &'a Groups<'t>,
    sums: Vec<Sums>,
    together: HashMap<(u32, u32), Ns>,
    pairs: HashMap<(Stage, u32, u32), Ns>,
    communication: HashMap<(Stage, u32), Ns>,
}

pub(super) fn sweep(analysis: &Analysis<'_>, groups: &Groups<'_>) -> Swept {
    let mut sweeper = Sweeper {
        analysis,
        groups,
        sums: vec![Sums::default(); groups.list.len()],
        together: HashMap::new(),
        pairs: HashMap::new(),
        communication: HashMap::new(),
    };
    for device in 0..analysis.trace.devices.len() as u32 {
        stretches(&spans(analysis, device), |start, end, active| sweeper.add(end - start, active));
    }
    let mut swept = Swept {
        sums: sweeper.sums,
        together: sweeper.together.into_iter().map(|((a, b), time)| (a, b, time)).collect(),
        pairs: sweeper.pairs.into_iter().map(|((stage, a, b), time)| (stage, a, b, time)).collect(),
        communication: sweeper.communication.into_iter().map(|((stage, a), time)| (stage, a, time)).collect(),
    };
    swept.together.sort_unstable();
    swept.pairs.sort_unstable();
    swept.communication.sort_unstable();
    swept
}

impl Sweeper<'_, '_> {
    /// A stretch of `time` with the same kernels.
    fn add(&mut self, time: Ns, active: &[Span]) {
        for span in active {
            let group = self.groups.of_event[span.event as usize];
            let lane = |other: &Span| self.analysis.lane(other.event as usize);
            let others = active.iter().filter(|other| other.stream != span.stream);
            let partner = others
                .max_by_key(|other| (lane(other), other.end - other.start, std::cmp::Reverse(other.event)));
            let sums = &mut self.sums[group as usize];
            match partner {
                None => sums.exclusive += time,
                Some(partner) => {
                    sums.hidden += time;
                    // The highest lane is compute: if any other is, the partner is.
                    sums.by_compute += if lane(partner) == Lane::Compute { time } else { 0 };
                    let partner = self.groups.of_event[partner.event as usize];
                    *self.together.entry((group, partner)).or_default() += time;
                }
            }
        }
        self.add_pairs(time, active);
    }

    fn add_pairs(&mut self, time: Ns, active: &[Span]) {
        let lane = |span: &Span| self.analysis.lane(span.event as usize);
        // Two kernels of one stream at once are rare but occur: each stream counts once.
        let first = |at: usize| {
            let same = |other: &Span| other.stream == active[at].stream && lane(other) == lane(&active[at]);
            !active[..at].iter().any(same)
        };
        for (at, span) in active.iter().enumerate() {
            if lane(span) != Lane::Communication || !first(at) {
                continue;
            }
            let stage = self.analysis.stage(span.event as usize);
            *self.communication.entry((stage, span.stream)).or_default() += time;
            for (beside, other) in active.iter().enumerate() {
                if lane(other) == Lane::Compute && other.stream != span.stream && first(beside) {
                    *self.pairs.entry((stage, span.stream, other.stream)).or_default() += time;
                }
            }
        }
    }
}
