//! From steps and evidence to passes with layers.

use super::anchor::{self, Kernels};
use super::cut::{self, Cut};
use super::modules::{self, Modules};
use super::{
    ForwardPass, Layer, LayerError, LayerOptions, Method, PassSource, Passes, extent, order, recurring,
};
use crate::analysis::Analysis;
use crate::name::EventKind;
use crate::stage::Stage;
use crate::store::Ns;
use std::collections::HashMap;

/// Below this share of a pass's kernels modules do not tell its layers: they are in a replayed graph.
const MODULES_NEEDED: f64 = 0.5;

/// What repeats must be this share of a pass's kernels to be called its layers: around the layers of a model of a few
/// layers there is less than that.
const COVERAGE_NEEDED: f64 = 0.5;

/// See [`super::find`].
pub fn passes(analysis: &Analysis<'_>, options: &LayerOptions) -> Result<Passes, LayerError> {
    let moments = order::moments(analysis);
    let modules = Modules::new(analysis);
    let (mut groups, source) = groups(analysis, &moments, modules.as_ref());
    let inside: usize = groups.iter().map(|group| group.events.len()).sum();
    let withheld = groups.is_empty().then(|| {
        if analysis.is_empty() {
            "nothing ran on a GPU"
        } else {
            "there are no steps, and no layers of a transformer repeat"
        }
        .into()
    });
    if let Some(anchor) = &options.anchor
        && !analysis.trace.names.iter().any(|(_, name)| anchor.matches(name))
    {
        return Err(LayerError::AnchorAbsent { anchor: anchor.substring.clone() });
    }
    let mut finder = Finder { analysis, options, modules, known: HashMap::new() };
    let mut passes = Vec::with_capacity(groups.len());
    for (number, group) in groups.iter_mut().enumerate() {
        if source == PassSource::Steps {
            order::by_launch(analysis, &moments, &mut group.events);
        }
        passes.push(finder.pass(number, group)?);
    }
    Ok(Passes {
        passes,
        source,
        outside: (analysis.len() - inside) as u64,
        withheld,
        profile: options.profile(),
    })
}

/// The events of a pass, sorted by start.
struct Group {
    device: u32,
    step: Option<u32>,
    stage: Stage,
    events: Vec<u32>,
}

/// Events by device and step, or by what recurs where there are no steps.
fn groups(analysis: &Analysis<'_>, moments: &[Ns], modules: Option<&Modules>) -> (Vec<Group>, PassSource) {
    let steps = analysis.segments.steps.len();
    let devices = analysis.trace.devices.len();
    if steps == 0 {
        let mut of_device = vec![Vec::new(); devices];
        (0..analysis.len())
            .for_each(|event| of_device[analysis.trace.device_of(event) as usize].push(event as u32));
        let stage = analysis.segments.of_file.unwrap_or(Stage::Unknown);
        let group = |device: usize, events| Group { device: device as u32, step: None, stage, events };
        let groups = of_device.into_iter().enumerate().flat_map(|(device, events)| {
            recurring::passes(analysis, moments, modules, events)
                .into_iter()
                .map(move |events| group(device, events))
        });
        return (groups.collect(), PassSource::Recurring);
    }
    let mut of_step: Vec<Vec<u32>> = vec![Vec::new(); devices * steps];
    for event in 0..analysis.len() {
        if let Some(step) = analysis.segments.of_event[event] {
            of_step[analysis.trace.device_of(event) as usize * steps + step as usize].push(event as u32);
        }
    }
    let group = |(place, events): (usize, Vec<u32>)| {
        let step = place % steps;
        let stage = analysis.segments.steps[step].stage;
        Group { device: (place / steps) as u32, step: Some(step as u32), stage, events }
    };
    let groups = of_step.into_iter().enumerate().filter(|(_, events)| !events.is_empty()).map(group);
    (groups.collect(), PassSource::Steps)
}

struct Finder<'a, 't> {
    analysis: &'a Analysis<'t>,
    options: &'a LayerOptions,
    modules: Option<Modules>,
    /// Passes replay the same graph thousands of times: each sequence is cut once.
    known: HashMap<Vec<u32>, Option<Cut>>,
}

impl Finder<'_, '_> {
    fn pass(&mut self, number: usize, group: &Group) -> Result<ForwardPass, LayerError> {
        let (start, end) = extent(self.analysis, &group.events);
        let mut pass = ForwardPass {
            device: group.device,
            step: group.step,
            stage: group.stage,
            events: group.events.clone(),
            layers: Vec::new(),
            prologue: Vec::new(),
            epilogue: Vec::new(),
            between: Vec::new(),
            method: None,
            explained: 0.0,
            withheld: None,
            start,
            end,
        };
        if self.options.anchor.is_some() {
            self.by_anchor(number, &mut pass)?;
        } else if !self.by_modules(&mut pass) {
            self.by_names(&mut pass);
        }
        if pass.layers.is_empty() {
            pass.withheld
                .get_or_insert_with(|| "no module frame repeats and no sequence of kernels does".into());
        }
        Ok(pass)
    }

    fn by_modules(&self, pass: &mut ForwardPass) -> bool {
        let Some(modules) = &self.modules else { return false };
        let groups = modules::groups(self.analysis, modules, &pass.events);
        let inside: usize = groups.iter().map(|(_, events)| events.len()).sum();
        if groups.is_empty() || (inside as f64) < MODULES_NEEDED * pass.events.len() as f64 {
            return false;
        }
        let mut layer_of: HashMap<u32, u32> = HashMap::new();
        for (index, (module, events)) in groups.into_iter().enumerate() {
            layer_of.extend(events.iter().map(|&event| (event, index as u32)));
            let (start, end) = extent(self.analysis, &events);
            pass.layers.push(Layer { index: index as u32, events, module: Some(module), start, end });
        }
        self.put_aside(pass, |_, event| layer_of.contains_key(&event));
        let kernels = |events: &[u32]| events.iter().filter(|&&event| self.is_kernel(event)).count();
        let (known, all) = (kernels_of(&pass.layers, &kernels), kernels(&pass.between));
        pass.explained = if known == 0 { 0.0 } else { known as f64 * 100.0 / (known + all) as f64 };
        pass.method = Some(Method::Modules);
        true
    }

    /// Sorts the events of no layer into those before, between and after layers.
    fn put_aside(&self, pass: &mut ForwardPass, in_layer: impl Fn(usize, u32) -> bool) {
        let inside: Vec<bool> =
            pass.events.iter().enumerate().map(|(place, &event)| in_layer(place, event)).collect();
        let first = inside.iter().position(|&inside| inside).unwrap_or(inside.len());
        let last = inside.iter().rposition(|&inside| inside).unwrap_or_default();
        for (place, &event) in pass.events.iter().enumerate().filter(|&(place, _)| !inside[place]) {
            match () {
                () if place < first => pass.prologue.push(event),
                () if place > last => pass.epilogue.push(event),
                () => pass.between.push(event),
            }
        }
    }

    fn by_names(&mut self, pass: &mut ForwardPass) {
        let in_graph =
            pass.events.iter().filter(|&&event| self.analysis.links.in_graph(event as usize)).count();
        let graph = in_graph * 2 > pass.events.len();
        let whole = order::has_nodes(self.analysis, &pass.events);
        let method = match (graph, whole) {
            (true, true) => Method::GraphNodes,
            (true, false) => Method::GraphStarts,
            (false, _) => Method::Period,
        };
        // Without node ids streams of a replay interleave as the clock wills; one stream alone keeps its order.
        let attempts: &[bool] = if whole { &[false, true] } else { &[true] };
        for &main_only in attempts {
            let places = self.kernels(pass, main_only);
            let tokens = self.tokens(pass, &places);
            let cut = self
                .known
                .get(&tokens)
                .cloned()
                .unwrap_or_else(|| cut::by_period(&tokens, &self.categories(pass, &places)));
            self.known.insert(tokens, cut.clone());
            let Some(cut) = cut else { continue };
            let covered: usize = cut.layers.iter().map(|layer| layer.len()).sum();
            if (covered as f64) < COVERAGE_NEEDED * places.len() as f64 {
                pass.withheld = Some(format!(
                    "what repeats is {:.0} % of the kernels of this pass, too little to be its layers",
                    covered as f64 * 100.0 / places.len() as f64
                ));
                continue;
            }
            pass.withheld = None;
            self.apply(pass, &places, &cut, method);
            return;
        }
    }

    fn by_anchor(&mut self, number: usize, pass: &mut ForwardPass) -> Result<(), LayerError> {
        let Some(anchor) = &self.options.anchor else { return Ok(()) };
        let places = self.kernels(pass, false);
        let tokens = self.tokens(pass, &places);
        let names = places.iter().map(|&place| self.analysis.raw_name(pass.events[place] as usize));
        let anchors: Vec<usize> =
            names.enumerate().filter(|(_, name)| anchor.matches(name)).map(|(place, _)| place).collect();
        if anchors.is_empty() {
            pass.withheld = Some(format!("anchor `{}` does not occur in this pass", anchor.substring));
            return Ok(());
        }
        let categories = self.categories(pass, &places);
        let kernels = Kernels { pass: number, tokens: &tokens, categories: &categories, anchors };
        let cut = anchor::cut(&kernels, anchor, self.options.expected())?;
        self.apply(pass, &places, &cut, Method::Anchor);
        Ok(())
    }

    /// Turns ranges of kernels into layers of events: what was issued within a layer or right before the next one
    /// belongs to it, kernels of other streams and copies too.
    fn apply(&self, pass: &mut ForwardPass, places: &[usize], cut: &Cut, method: Method) {
        let mut layer_of = vec![false; pass.events.len()];
        for (index, range) in cut.layers.iter().enumerate() {
            let next = cut.layers.get(index + 1).filter(|next| next.start == range.end);
            let end = next.map_or(places[range.end - 1] + 1, |next| places[next.start]);
            let at = places[range.start]..end;
            layer_of[at.clone()].fill(true);
            let events = pass.events[at].to_vec();
            let (start, end) = extent(self.analysis, &events);
            pass.layers.push(Layer { index: index as u32, events, module: None, start, end });
        }
        self.put_aside(pass, |place, _| layer_of[place]);
        pass.explained = cut.explained;
        pass.method = Some(method);
    }

    fn is_kernel(&self, event: u32) -> bool {
        self.analysis.trace.gpu.kind[event as usize] == EventKind::Kernel
    }

    /// Places of kernels among a pass's events, of its busiest stream alone if asked.
    fn kernels(&self, pass: &ForwardPass, main_only: bool) -> Vec<usize> {
        let tracks = &self.analysis.trace.gpu.track;
        let places = (0..pass.events.len()).filter(|&place| self.is_kernel(pass.events[place]));
        if !main_only {
            return places.collect();
        }
        let places: Vec<usize> = places.collect();
        let mut counts = vec![0u32; self.analysis.trace.tracks.len()];
        places.iter().for_each(|&place| counts[tracks[pass.events[place] as usize] as usize] += 1);
        let main = (0..counts.len()).rev().max_by_key(|&track| counts[track]).unwrap_or_default() as u32;
        places.into_iter().filter(|&place| tracks[pass.events[place] as usize] == main).collect()
    }

    fn tokens(&self, pass: &ForwardPass, places: &[usize]) -> Vec<u32> {
        let names = &self.analysis.trace.gpu.name;
        places.iter().map(|&place| names[pass.events[place] as usize].0).collect()
    }

    fn categories(&self, pass: &ForwardPass, places: &[usize]) -> Vec<crate::name::Category> {
        places.iter().map(|&place| self.analysis.category(pass.events[place] as usize)).collect()
    }
}

fn kernels_of(layers: &[Layer], count: &impl Fn(&[u32]) -> usize) -> usize {
    layers.iter().map(|layer| count(&layer.events)).sum()
}
