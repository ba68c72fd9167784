//! A trace with everything that views share: links, steps, places and categories, each worked out once.

use crate::intern::NameId;
use crate::link::{Links, Site, Sites};
use crate::name::{self, Category, EventKind, Lane};
use crate::pair::{self, MappingCoverage, Way};
use crate::stage::{Segments, Stage, segment};
use crate::store::{GpuEvent, Trace};
use std::collections::HashMap;
use std::path::PathBuf;

/// What the caller decides.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Rows below this share of their stage's kernel time, in percent, are summed up in one line.
    pub min_share: f64,
    /// Let this path name the stage of what no step claims.
    pub stage_from_path: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        // The community's bar: below 1.0 % of a stage no patch is worth its review.
        Self { min_share: 1.0, stage_from_path: None }
    }
}

/// No site.
const NONE: u32 = u32::MAX;

/// A trace ready for views.
#[derive(Debug)]
pub struct Analysis<'t> {
    /// The trace.
    pub trace: &'t Trace,
    /// What the caller decided.
    pub options: Options,
    /// Kernel to launch to op and frames.
    pub links: Links,
    /// Steps and stages.
    pub segments: Segments,
    /// Different places in sources.
    pub sites: Vec<Site>,
    site_of_event: Vec<u32>,
    class_of_event: Vec<(Category, Lane)>,
    mapped: Option<Mapped<'t>>,
}

/// What a mapping trace adds.
#[derive(Debug)]
struct Mapped<'t> {
    trace: &'t Trace,
    /// Rows of the mapping trace's ops.
    op_of_event: Vec<u32>,
    way_of_event: Vec<Option<Way>>,
    coverage: MappingCoverage,
}

impl<'t> Analysis<'t> {
    /// Works everything out.
    pub fn new(trace: &'t Trace, options: Options) -> Self {
        let links = Links::new(trace);
        let segments = segment(trace, &links, options.stage_from_path.as_deref());
        let (sites, site_of_event) = sites(trace, &links);
        let class_of_event = classes(trace, |event| links.op(event).map(|op| (trace, op)));
        Self { trace, options, links, segments, sites, site_of_event, class_of_event, mapped: None }
    }

    /// Lets a second, readable trace of the same program name the kernels that cannot name themselves: those of graph
    /// replays, and those without a Python frame.
    #[must_use]
    pub fn with_mapping(mut self, mapping: &Analysis<'t>) -> Self {
        let joined = pair::join(&self, mapping);
        let mut known: HashMap<Site, u32> =
            self.sites.iter().enumerate().map(|(index, site)| (site.clone(), index as u32)).collect();
        let mut own_site = vec![NONE; mapping.sites.len()];
        let mut op_of_event = vec![NONE; self.len()];
        for (event, mapped) in joined.of_event.iter().enumerate() {
            let Some(mapped) = mapped else { continue };
            let same = mapped.event as usize;
            if let Some(site) = mapping.site(same) {
                let slot = &mut own_site[site];
                if *slot == NONE {
                    *slot = *known.entry(mapping.sites[site].clone()).or_insert_with(|| {
                        self.sites.push(mapping.sites[site].clone());
                        self.sites.len() as u32 - 1
                    });
                }
                self.site_of_event[event] = *slot;
            }
            if let Some(op) = mapping.links.op(same).filter(|_| mapped.op) {
                op_of_event[event] = op as u32;
            }
        }
        let way_of_event = joined.of_event.iter().map(|mapped| mapped.map(|mapped| mapped.way)).collect();
        self.mapped =
            Some(Mapped { trace: mapping.trace, op_of_event, way_of_event, coverage: joined.coverage });
        // The op may say what a name leaves open.
        self.class_of_event = classes(self.trace, |event| self.op(event));
        self
    }

    /// How a mapping trace named a GPU event.
    pub fn mapped_by(&self, event: usize) -> Option<Way> {
        self.mapped.as_ref().and_then(|mapped| mapped.way_of_event[event])
    }

    /// How much a mapping trace named; `None` without one.
    pub fn mapping_coverage(&self) -> Option<MappingCoverage> {
        self.mapped.as_ref().map(|mapped| mapped.coverage)
    }

    /// The op of a GPU event, with the trace that has it.
    fn op(&self, event: usize) -> Option<(&'t Trace, usize)> {
        if let Some(own) = self.links.op(event) {
            return Some((self.trace, own));
        }
        let mapped = self.mapped.as_ref()?;
        let op = mapped.op_of_event[event];
        (op != NONE).then_some((mapped.trace, op as usize))
    }

    /// GPU event `event`.
    pub fn event(&self, event: usize) -> GpuEvent {
        self.trace.gpu.row(event)
    }

    /// Number of GPU events.
    pub fn len(&self) -> usize {
        self.trace.gpu.len()
    }

    /// Whether nothing ran on a GPU.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name of a GPU event as the profiler wrote it.
    pub fn raw_name(&self, event: usize) -> &'t str {
        self.trace.text(self.trace.gpu.name[event])
    }

    /// The CPU op of a GPU event.
    pub fn op_name(&self, event: usize) -> Option<&'t str> {
        self.op(event).map(|(trace, op)| trace.text(trace.ops.name[op]))
    }

    /// `Input Dims` of the CPU op of a GPU event, as the profiler wrote them.
    pub fn dims(&self, event: usize) -> Option<&'t str> {
        let dims = self.op(event).map(|(trace, op)| trace.text(trace.ops.dims[op]));
        dims.filter(|dims| !dims.is_empty())
    }

    /// The place in a source that launched a GPU event: none for graph replays, whose places are those of the capture,
    /// unless a mapping trace names it.
    pub fn site(&self, event: usize) -> Option<usize> {
        let site = self.site_of_event[event];
        (site != NONE).then_some(site as usize)
    }

    /// What a GPU event is.
    pub fn category(&self, event: usize) -> Category {
        self.class_of_event[event].0
    }

    /// What a GPU event is to the overlap of streams.
    pub fn lane(&self, event: usize) -> Lane {
        self.class_of_event[event].1
    }

    /// The stage of a GPU event.
    pub fn stage(&self, event: usize) -> Stage {
        self.segments.stage(event)
    }
}

fn sites(trace: &Trace, links: &Links) -> (Vec<Site>, Vec<u32>) {
    let mut finder = Sites::default();
    let mut all = Vec::new();
    let mut known: HashMap<Site, u32> = HashMap::new();
    let mut of_stack: HashMap<usize, u32> = HashMap::new();
    let of_event = (0..trace.gpu.len()).map(|event| {
        if links.in_graph(event) {
            return NONE;
        }
        let stack = links.stack(event);
        *of_stack.entry(stack.index()).or_insert_with(|| {
            match finder.of(stack, &links.stacks, &trace.names) {
                None => NONE,
                Some(site) => *known.entry(site.clone()).or_insert_with(|| {
                    all.push(site.clone());
                    all.len() as u32 - 1
                }),
            }
        })
    });
    let of_event = of_event.collect();
    (all, of_event)
}

/// Category and lane of each event, worked out once for each name and op.
fn classes<'t>(trace: &'t Trace, op: impl Fn(usize) -> Option<(&'t Trace, usize)>) -> Vec<(Category, Lane)> {
    /// What decides a category; the op is one of this trace's names or one of the mapping's.
    type Key = (EventKind, NameId, Option<(bool, NameId)>);
    let mut known: HashMap<Key, (Category, Lane)> = HashMap::new();
    let of = |event: usize| {
        let (kind, name) = (trace.gpu.kind[event], trace.gpu.name[event]);
        let op = op(event).map(|(owner, op)| (owner, owner.ops.name[op]));
        let key = (kind, name, op.map(|(owner, op)| (std::ptr::eq(owner, trace), op)));
        *known.entry(key).or_insert_with(|| {
            let category = name::classify(kind, trace.text(name), op.map(|(owner, op)| owner.text(op)));
            (category, category.lane(name::multiplies(trace.text(name))))
        })
    };
    (0..trace.gpu.len()).map(of).collect()
}
