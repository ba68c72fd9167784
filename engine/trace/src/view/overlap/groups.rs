//! The kernels of each stage: the rows that an overlap table may have.

use crate::analysis::Analysis;
use crate::name::{Category, Lane, canonical};
use crate::stage::Stage;
use crate::store::Ns;
use crate::view::kernels::SiteShare;
use hashbrown::HashMap;
use std::borrow::Cow;

/// One kernel of one stage.
pub(super) struct Group<'t> {
    pub stage: Stage,
    pub kernel: Cow<'t, str>,
    pub category: Category,
    pub lane: Lane,
    pub launches: u64,
    pub time: Ns,
}

/// All of them, by stage and name, and the one of each GPU event.
pub(super) struct Groups<'t> {
    pub list: Vec<Group<'t>>,
    pub of_event: Vec<u32>,
    /// Group, site, launches, time; sorted.
    sites: Vec<(u32, usize, u64, Ns)>,
}

/// No group yet.
const NONE: u32 = u32::MAX;

impl<'t> Groups<'t> {
    pub(super) fn new(analysis: &Analysis<'t>) -> Self {
        let (kernel_of_name, kernels) = kernels(analysis);
        let mut group_of: Vec<[u32; 4]> = vec![[NONE; 4]; kernels.len()];
        for event in 0..analysis.len() {
            let kernel = kernel_of_name[analysis.trace.gpu.name[event].0 as usize];
            group_of[kernel as usize][analysis.stage(event) as usize] = 0;
        }
        let mut list = Vec::new();
        for stage in Stage::ALL {
            for (kernel, groups) in group_of.iter_mut().enumerate() {
                let group = &mut groups[stage as usize];
                if *group != NONE {
                    *group = list.len() as u32;
                    list.push(Group {
                        stage,
                        kernel: kernels[kernel].clone(),
                        category: Category::Other,
                        lane: Lane::Other,
                        launches: 0,
                        time: 0,
                    });
                }
            }
        }
        let of_event = (0..analysis.len()).map(|event| {
            let kernel = kernel_of_name[analysis.trace.gpu.name[event].0 as usize];
            group_of[kernel as usize][analysis.stage(event) as usize]
        });
        let mut groups = Self { list, of_event: of_event.collect(), sites: Vec::new() };
        groups.sum_up(analysis);
        groups
    }

    fn sum_up(&mut self, analysis: &Analysis<'_>) {
        let mut sites: HashMap<(u32, usize), (u64, Ns)> = HashMap::new();
        let mut kinds: HashMap<(u32, Category, Lane), Ns> = HashMap::new();
        for (event, &of) in self.of_event.iter().enumerate() {
            let dur = analysis.trace.gpu.dur[event];
            let group = &mut self.list[of as usize];
            group.launches += 1;
            group.time += dur;
            *kinds.entry((of, analysis.category(event), analysis.lane(event))).or_default() += dur;
            if let Some(site) = analysis.site(event) {
                let (launches, time) = sites.entry((of, site)).or_default();
                *launches += 1;
                *time += dur;
            }
        }
        // One name is of two kinds only where the CPU op decides; then most of the time does.
        let mut kinds: Vec<_> = kinds.into_iter().collect();
        kinds.sort_unstable_by_key(|&((of, category, lane), time)| (of, time, category, lane));
        for ((of, category, lane), _) in kinds {
            let group = &mut self.list[of as usize];
            (group.category, group.lane) = (category, lane);
        }
        self.sites =
            sites.into_iter().map(|((of, site), (launches, time))| (of, site, launches, time)).collect();
        self.sites.sort_unstable();
    }

    /// The place that most of the time of a group came from, with its share of all of the group's time.
    pub(super) fn site(&self, group: usize, analysis: &Analysis<'_>) -> Option<SiteShare> {
        let from = self.sites.partition_point(|row| (row.0 as usize) < group);
        let of_group = self.sites[from..].iter().take_while(|row| row.0 as usize == group);
        let best = of_group
            .max_by(|a, b| a.3.cmp(&b.3).then_with(|| analysis.sites[b.1].cmp(&analysis.sites[a.1])))?;
        Some(SiteShare {
            site: analysis.sites[best.1].to_string(),
            launches: best.2,
            share: best.3 as f64 * 100.0 / self.list[group].time as f64,
        })
    }
}

/// For each name its kernel, and the kernels by name: different raw names may be shown as one.
fn kernels<'t>(analysis: &Analysis<'t>) -> (Vec<u32>, Vec<Cow<'t, str>>) {
    let trace = analysis.trace;
    let mut used = vec![false; trace.names.len()];
    trace.gpu.name.iter().for_each(|name| used[name.0 as usize] = true);
    let shown = |name: u32| canonical(trace.text(crate::intern::NameId(name)));
    let mut named: Vec<(Cow<'t, str>, u32)> =
        (0..used.len() as u32).filter(|&name| used[name as usize]).map(|name| (shown(name), name)).collect();
    named.sort_unstable();
    let mut of_name = vec![NONE; used.len()];
    let mut kernels: Vec<Cow<'t, str>> = Vec::new();
    for (kernel, name) in named {
        if kernels.last() != Some(&kernel) {
            kernels.push(kernel);
        }
        of_name[name as usize] = kernels.len() as u32 - 1;
    }
    (of_name, kernels)
}
