//! Layers by the module frames around the launches: `nn.Module: Class_n`, whatever the class is called.
//!
//! Builtins and torch frames lie within module frames, so what is innermost does not matter (B17).

use crate::analysis::Analysis;
use crate::intern::NameId;
use crate::link::StackId;
use crate::store::Ns;
use std::collections::{BTreeMap, HashMap, HashSet};

/// A class whose time is below this share of the largest class's is no kind of layer.
const MINOR_TIME: f64 = 0.1;
/// Nor is one whose instances launch fewer than this share of what those of the largest class do: a linear layer of the
/// head may take long and is one kernel.
const MINOR_LAUNCHES: f64 = 0.25;

/// The class and number of a module frame: `nn.Module: Qwen3MoeDecoderLayer_7`, or with a path `layers.7`.
pub fn parse(frame: &str) -> Option<(&str, u32)> {
    let name = frame.strip_prefix("nn.Module: ")?;
    let (class, number) = name.rsplit_once(['_', '.'])?;
    Some((class, number.parse().ok()?))
}

/// The layer module around every stack in which something was launched.
pub struct Modules {
    layer_of_stack: Vec<Option<NameId>>,
}

impl Modules {
    /// Looks for the classes that repeat; `None` where no module does.
    pub fn new(analysis: &Analysis<'_>) -> Option<Self> {
        let frames = Frames::of(analysis);
        if frames.parsed.is_empty() {
            return None;
        }
        let used = used(analysis);
        let repeated = frames.repeated(analysis, &used);
        let stacks = &analysis.links.stacks;
        // The outermost repeated class around a launch is what the model repeats; its parts repeat within it.
        let outermost = |stack: StackId| {
            let around = stacks.ancestors(stack).filter_map(|node| stacks.frame(node));
            around.filter(|name| frames.class(*name).is_some_and(|class| repeated.contains(class))).last()
        };
        let mut classes: BTreeMap<&str, Class> = BTreeMap::new();
        let mut layer_of_stack = vec![None; stacks.len()];
        for &(stack, launches, time) in &used {
            let layer = outermost(stack);
            layer_of_stack[stack.index()] = layer;
            if let Some((class, name)) = layer.and_then(|name| Some((frames.class(name)?, name))) {
                let class = classes.entry(class).or_default();
                class.launches += launches;
                class.time += time;
                class.instances.insert(name);
            }
        }
        let largest = classes.values().max_by_key(|class| (class.time, class.launches))?;
        let minor = |name: NameId| frames.class(name).is_none_or(|class| classes[class].is_minor(largest));
        for layer in &mut layer_of_stack {
            *layer = layer.filter(|&name| !minor(name));
        }
        Some(Self { layer_of_stack })
    }

    /// The layer module that launched an event; none for graph replays, whose stack is that of the replay.
    pub fn layer(&self, analysis: &Analysis<'_>, event: usize) -> Option<NameId> {
        let stack = Some(analysis.links.stack(event)).filter(|_| !analysis.links.in_graph(event))?;
        self.layer_of_stack[stack.index()]
    }
}

/// What instances of one class launched as outermost repeated module.
#[derive(Default)]
struct Class {
    launches: u64,
    time: Ns,
    instances: HashSet<NameId>,
}

impl Class {
    fn is_minor(&self, largest: &Self) -> bool {
        let each = |class: &Self| class.launches as f64 / class.instances.len() as f64;
        (self.time as f64) < MINOR_TIME * largest.time as f64 || each(self) < MINOR_LAUNCHES * each(largest)
    }
}

/// Stacks with the number of launches in them and their time.
fn used(analysis: &Analysis<'_>) -> Vec<(StackId, u64, Ns)> {
    let mut used: HashMap<StackId, (u64, Ns)> = HashMap::new();
    for event in (0..analysis.len()).filter(|&event| !analysis.links.in_graph(event)) {
        let sums = used.entry(analysis.links.stack(event)).or_default();
        *sums = (sums.0 + 1, sums.1 + analysis.trace.gpu.dur[event]);
    }
    let mut used: Vec<(StackId, u64, Ns)> =
        used.into_iter().map(|(stack, (launches, time))| (stack, launches, time)).collect();
    used.sort_unstable();
    used
}

/// Module frames among the names.
struct Frames<'t> {
    parsed: HashMap<NameId, (&'t str, u32)>,
}

impl<'t> Frames<'t> {
    fn of(analysis: &Analysis<'t>) -> Self {
        let trace = analysis.trace;
        Self { parsed: trace.names.iter().filter_map(|(id, name)| Some((id, parse(name)?))).collect() }
    }

    fn class(&self, name: NameId) -> Option<&'t str> {
        self.parsed.get(&name).map(|(class, _)| *class)
    }

    /// Classes of which several instances launched something. A model of one layer has none: then classes called a
    /// layer or a block count.
    fn repeated(&self, analysis: &Analysis<'_>, used: &[(StackId, u64, Ns)]) -> HashSet<&'t str> {
        let stacks = &analysis.links.stacks;
        let mut instances: HashMap<&str, HashSet<u32>> = HashMap::new();
        let mut seen = vec![false; stacks.len()];
        for &(stack, ..) in used {
            for node in stacks.ancestors(stack) {
                if std::mem::replace(&mut seen[node.index()], true) {
                    break;
                }
                if let Some((class, number)) = stacks.frame(node).and_then(|name| self.parsed.get(&name)) {
                    instances.entry(class).or_default().insert(*number);
                }
            }
        }
        let called_layer = |class: &str| class.ends_with("Layer") || class.ends_with("Block");
        let named: HashSet<&str> = instances.keys().copied().filter(|class| called_layer(class)).collect();
        let several = |class: &&str| instances[class].len() > 1;
        let repeated: HashSet<&str> = instances.keys().copied().filter(several).collect();
        if repeated.iter().any(|class| called_layer(class)) || named.is_empty() {
            repeated
        } else {
            &repeated | &named
        }
    }
}

/// Groups the events of a pass, in the order of launches, by the layer module that launched them. A module that comes
/// again after another one starts another layer.
pub fn groups(analysis: &Analysis<'_>, modules: &Modules, events: &[u32]) -> Vec<(NameId, Vec<u32>)> {
    let mut groups: Vec<(NameId, Vec<u32>)> = Vec::new();
    for &event in events {
        let Some(module) = modules.layer(analysis, event as usize) else { continue };
        match groups.last_mut() {
            Some((last, group)) if *last == module => group.push(event),
            _ => groups.push((module, vec![event])),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn class_and_number_of_any_module() {
        assert_eq!(parse("nn.Module: Qwen3MoeDecoderLayer_47"), Some(("Qwen3MoeDecoderLayer", 47)));
        assert_eq!(parse("nn.Module: ModuleList_3"), Some(("ModuleList", 3)));
        assert_eq!(parse("nn.Module: model.layers.12"), Some(("model.layers", 12)));
        assert_eq!(parse("nn.Module: Qwen3Model"), None);
        assert_eq!(parse("layers_3"), None);
    }
}
