//! Two traces of one program: a readable one names the kernels of the served one.
//!
//! Kernels of a replayed graph have no Python frame and no op. A second capture with graphs off and stacks on (the
//! mapping) has both for every kernel. What runs at the same place of the same layer is the same code: position within
//! the layer joins first, and where a layer has other kernels, their alignment; a name that the mapping launches from
//! one place only joins last. The formal trace has no vote on any of it (B9): its own launches, however many, say
//! nothing about where a graph was captured.

mod align;
mod templates;

use crate::analysis::Analysis;
use crate::intern::NameId;
use crate::layers::{self, ForwardPass, LayerError, LayerOptions, Passes};
use crate::name::{EventKind, Profile};
use crate::stage::Stage;
use crate::store::Ns;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use templates::{Part, Templates};

/// How the place of a kernel was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// The same position of a layer with the same kernels in the same order.
    LayerPosition,
    /// The same name in the same order within a layer, prologue or epilogue that has other kernels too.
    Alignment,
    /// The mapping launches this name from one place only.
    UniqueName,
}

/// The mapping's event that stands for a formal one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapped {
    /// GPU event of the mapping trace.
    pub event: u32,
    /// How it was found.
    pub way: Way,
    /// Whether its CPU op is that of the formal one too: not where the name has one place and several ops.
    pub op: bool,
}

/// How much of a formal trace the mapping names. It speaks of events that do not name themselves: those of graph
/// replays, and those without a Python frame.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MappingCoverage {
    /// GPU events that do not name themselves.
    pub events: u64,
    /// Of them, found by position within a layer.
    pub by_layer_position: u64,
    /// Found by alignment.
    pub by_alignment: u64,
    /// Found by a unique name.
    pub by_unique_name: u64,
    /// Not found.
    pub unmapped: u64,
    /// Share of them that was found, in percent of events; 100 where all name themselves.
    pub share: f64,
    /// The same in percent of their time.
    pub time_share: f64,
}

/// The join of two traces.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapping {
    /// For each GPU event of the formal trace what stands for it; `None` also where it names itself.
    pub of_event: Vec<Option<Mapped>>,
    /// How much was found.
    pub coverage: MappingCoverage,
}

/// Joins two traces by what they themselves show.
pub fn join(formal: &Analysis<'_>, mapping: &Analysis<'_>) -> Mapping {
    let none = |_: LayerError| Passes {
        passes: Vec::new(),
        source: layers::PassSource::Steps,
        outside: 0,
        withheld: None,
        profile: Profile::Generic,
    };
    // Without an anchor finding passes cannot fail; if it does, names alone still join.
    let options = LayerOptions::default();
    let of_formal = layers::find(formal, &options).unwrap_or_else(none);
    let of_mapping = layers::find(mapping, &options).unwrap_or_else(none);
    join_passes((formal, &of_formal), (mapping, &of_mapping))
}

/// Joins two traces whose passes were found.
pub fn join_passes(formal: (&Analysis<'_>, &Passes), mapping: (&Analysis<'_>, &Passes)) -> Mapping {
    let names = common_names(formal.0, mapping.0);
    let templates = Templates::new(mapping.0, mapping.1);
    let mut joiner = Joiner {
        formal: formal.0,
        mapping: mapping.0,
        names,
        templates,
        of_event: vec![None; formal.0.len()],
        aligned: HashMap::new(),
    };
    formal.1.passes.iter().for_each(|pass| joiner.pass(pass));
    joiner.by_name();
    let coverage = coverage(formal.0, &joiner.of_event);
    Mapping { of_event: joiner.of_event, coverage }
}

/// Whether an event must be named by the mapping.
fn anonymous(formal: &Analysis<'_>, event: usize) -> bool {
    formal.links.in_graph(event) || formal.site(event).is_none()
}

/// The mapping's id of each name of the formal trace that it has too.
fn common_names(formal: &Analysis<'_>, mapping: &Analysis<'_>) -> HashMap<NameId, NameId> {
    let mut names = HashMap::new();
    for &name in &formal.trace.gpu.name {
        if !names.contains_key(&name)
            && let Some(same) = mapping.trace.names.find(formal.trace.text(name))
        {
            names.insert(name, same);
        }
    }
    names
}

/// Stands for a name that the mapping does not have.
const UNKNOWN: NameId = NameId(u32::MAX);

/// Which events of a part stand for which of a template.
type Pairs = std::rc::Rc<Vec<(usize, usize)>>;

struct Joiner<'a, 'f, 'm> {
    formal: &'a Analysis<'f>,
    mapping: &'a Analysis<'m>,
    names: HashMap<NameId, NameId>,
    templates: Templates,
    of_event: Vec<Option<Mapped>>,
    /// Alignments by the names of a part and the number of the template.
    aligned: HashMap<(Vec<NameId>, usize), Pairs>,
}

impl Joiner<'_, '_, '_> {
    fn pass(&mut self, pass: &ForwardPass) {
        for layer in &pass.layers {
            self.layer(pass.stage, layer.index, &layer.events);
        }
        for (part, events) in [(Part::Prologue, &pass.prologue), (Part::Epilogue, &pass.epilogue)] {
            if let Some(template) = self.templates.part(pass.stage, part) {
                self.align(events, template);
            }
        }
    }

    /// Kernels have the same order in every layer; copies and fills, which have no node id, lie anywhere between.
    fn layer(&mut self, stage: Stage, index: u32, events: &[u32]) {
        let kinds = &self.formal.trace.gpu.kind;
        let (kernels, rest): (Vec<u32>, Vec<u32>) =
            events.iter().partition(|&&event| kinds[event as usize] == EventKind::Kernel);
        for (part, events) in [(Part::Kernels(index), kernels), (Part::Rest(index), rest)] {
            let names = self.names_of(&events);
            match self.templates.layer(stage, part, &names) {
                Some((template, true)) => {
                    for (place, &event) in events.iter().enumerate() {
                        self.set(event, self.templates.events(template)[place], Way::LayerPosition);
                    }
                }
                Some((template, false)) => self.align(&events, template),
                None => {}
            }
        }
    }

    fn align(&mut self, events: &[u32], template: usize) {
        let names = self.names_of(events);
        let templates = &self.templates;
        let pairs = self.aligned.entry((names, template)).or_insert_with_key(|(names, template)| {
            align::common(names, templates.names(*template), UNKNOWN).into()
        });
        for (own, other) in pairs.clone().iter().copied() {
            let same = self.templates.events(template)[other];
            self.set(events[own], same, Way::Alignment);
        }
    }

    fn names_of(&self, events: &[u32]) -> Vec<NameId> {
        let gpu = &self.formal.trace.gpu;
        let name = |&event: &u32| self.names.get(&gpu.name[event as usize]).copied().unwrap_or(UNKNOWN);
        events.iter().map(name).collect()
    }

    fn set(&mut self, event: u32, same: u32, way: Way) {
        // An event of the mapping that does not name itself names no other.
        if anonymous(self.formal, event as usize) && self.mapping.site(same as usize).is_some() {
            self.of_event[event as usize] = Some(Mapped { event: same, way, op: true });
        }
    }

    /// What no position names: kernels that the mapping launches from one place, in the same stage or at all.
    fn by_name(&mut self) {
        let places = templates::places(self.mapping);
        for event in 0..self.of_event.len() {
            if self.of_event[event].is_some() || !anonymous(self.formal, event) {
                continue;
            }
            let Some(name) = self.names.get(&self.formal.trace.gpu.name[event]) else { continue };
            let of_stage = places.get(&(Some(self.formal.stage(event)), *name));
            let place = of_stage.or_else(|| places.get(&(None, *name)));
            if let Some(place) = place.filter(|place| place.unique) {
                let (event_of_mapping, op) = (place.event, place.one_op);
                self.of_event[event] = Some(Mapped { event: event_of_mapping, way: Way::UniqueName, op });
            }
        }
    }
}

fn coverage(formal: &Analysis<'_>, of_event: &[Option<Mapped>]) -> MappingCoverage {
    let mut coverage = MappingCoverage::default();
    let (mut time, mut found_time): (Ns, Ns) = (0, 0);
    for (event, mapped) in of_event.iter().enumerate().filter(|&(event, _)| anonymous(formal, event)) {
        let dur = formal.trace.gpu.dur[event];
        coverage.events += 1;
        time += dur;
        found_time += if mapped.is_some() { dur } else { 0 };
        let slot = match mapped.map(|mapped| mapped.way) {
            Some(Way::LayerPosition) => &mut coverage.by_layer_position,
            Some(Way::Alignment) => &mut coverage.by_alignment,
            Some(Way::UniqueName) => &mut coverage.by_unique_name,
            None => &mut coverage.unmapped,
        };
        *slot += 1;
    }
    let percent = |part: f64, whole: f64| if whole == 0.0 { 100.0 } else { part * 100.0 / whole };
    coverage.share = percent((coverage.events - coverage.unmapped) as f64, coverage.events as f64);
    coverage.time_share = percent(found_time as f64, time as f64);
    coverage
}
