//! What the mapping trace knows: one pass of each stage, and the places of each name.

use crate::analysis::Analysis;
use crate::intern::NameId;
use crate::layers::{ForwardPass, Passes};
use crate::name::EventKind;
use crate::stage::Stage;
use std::collections::HashMap;

/// A part of a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What ran before the layers.
    Prologue,
    /// Kernels of the layer of this number.
    Kernels(u32),
    /// Copies and fills of the layer of this number.
    Rest(u32),
    /// What ran after the layers.
    Epilogue,
}

/// The events of one part.
struct Template {
    part: Part,
    events: Vec<u32>,
    names: Vec<NameId>,
}

/// Parts of one pass of each stage.
pub struct Templates {
    templates: Vec<Template>,
    /// Range of a stage's templates.
    of_stage: Vec<(Stage, std::ops::Range<usize>)>,
}

impl Templates {
    /// Takes the last pass of each stage whose kernels name themselves: the first ones warm up.
    pub fn new(mapping: &Analysis<'_>, passes: &Passes) -> Self {
        let mut all = Self { templates: Vec::new(), of_stage: Vec::new() };
        for stage in Stage::ALL {
            let fits = |pass: &&ForwardPass| {
                let named = pass.events.iter().filter(|&&event| mapping.site(event as usize).is_some());
                pass.stage == stage && !pass.layers.is_empty() && named.count() * 2 > pass.events.len()
            };
            let Some(pass) = passes.passes.iter().rev().find(fits) else { continue };
            let first = all.templates.len();
            for layer in &pass.layers {
                let kinds = &mapping.trace.gpu.kind;
                let (kernels, rest): (Vec<u32>, Vec<u32>) =
                    layer.events.iter().partition(|&&event| kinds[event as usize] == EventKind::Kernel);
                all.add(mapping, Part::Kernels(layer.index), &kernels);
                all.add(mapping, Part::Rest(layer.index), &rest);
            }
            all.add(mapping, Part::Prologue, &pass.prologue);
            all.add(mapping, Part::Epilogue, &pass.epilogue);
            all.of_stage.push((stage, first..all.templates.len()));
        }
        all
    }

    fn add(&mut self, mapping: &Analysis<'_>, part: Part, events: &[u32]) {
        let names = events.iter().map(|&event| mapping.trace.gpu.name[event as usize]).collect();
        self.templates.push(Template { part, events: events.to_vec(), names });
    }

    /// Events of a template.
    pub fn events(&self, template: usize) -> &[u32] {
        &self.templates[template].events
    }

    /// Names of a template's events.
    pub fn names(&self, template: usize) -> &[NameId] {
        &self.templates[template].names
    }

    /// The template for a part of a layer, and whether its kernels are the same: in the same stage the layer of the same number
    /// or another one with the same kernels; then the layer of the same number or kind, to be aligned; then another
    /// stage.
    pub fn layer(&self, stage: Stage, part: Part, names: &[NameId]) -> Option<(usize, bool)> {
        let own = self.of_stage.iter().filter(|(other, _)| *other == stage);
        let others = self.of_stage.iter().filter(|(other, _)| *other != stage);
        own.chain(others).find_map(|(_, range)| {
            let alike = |other: Part| std::mem::discriminant(&other) == std::mem::discriminant(&part);
            let layers = || range.clone().filter(|&template| alike(self.templates[template].part));
            let numbered = layers().find(|&template| self.templates[template].part == part);
            let same = |template: &usize| self.templates[*template].names == names;
            numbered
                .filter(same)
                .or_else(|| layers().find(same))
                .map(|template| (template, true))
                .or_else(|| numbered.or_else(|| layers().next_back()).map(|template| (template, false)))
        })
    }

    /// The prologue or epilogue for a stage; of other stages where the mapping lacks this one.
    pub fn part(&self, stage: Stage, part: Part) -> Option<usize> {
        let own = self.of_stage.iter().find(|(other, _)| *other == stage);
        let (_, range) = own.or_else(|| self.of_stage.first())?;
        range.clone().find(|&template| self.templates[template].part == part)
    }
}

/// Where the mapping launches a name from.
pub struct Place {
    /// An event of that name.
    pub event: u32,
    /// Whether all launches are from one place.
    pub unique: bool,
    /// Whether all launches belong to the same op.
    pub one_op: bool,
}

/// Places of each name, of each stage and (with `None`) of the whole trace.
pub fn places(mapping: &Analysis<'_>) -> HashMap<(Option<Stage>, NameId), Place> {
    let mut places: HashMap<(Option<Stage>, NameId), Place> = HashMap::new();
    for event in (0..mapping.len()).filter(|&event| mapping.site(event).is_some()) {
        let name = mapping.trace.gpu.name[event];
        for stage in [Some(mapping.stage(event)), None] {
            let first = Place { event: event as u32, unique: true, one_op: true };
            let place = places.entry((stage, name)).or_insert(first);
            let known = place.event as usize;
            place.unique &= mapping.site(known) == mapping.site(event);
            place.one_op &= mapping.op_name(known) == mapping.op_name(event);
        }
    }
    places
}
