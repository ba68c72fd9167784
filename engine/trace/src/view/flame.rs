//! Where GPU time comes from in the program: folded stacks, weighted by GPU time.
//!
//! Frames are the Python stack of the launch, then the CPU op, then the kernel. Graph replays show the stack of the
//! replay and, below it, their kernels; where a mapping trace names them, its place and its CPU op stand between. Builtin functions are not kept by the reader and so do not show.

use crate::analysis::Analysis;
use crate::intern::NameId;
use crate::link::StackId;
use crate::name::canonical;
use crate::stage::Stage;
use crate::store::Ns;
use hashbrown::HashMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Folded stacks: `frame;frame;frame` with the GPU time spent below exactly this path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Flame {
    /// Sum of all, in ns.
    pub total_ns: Ns,
    /// The tree, by time; its root is the whole trace.
    pub root: FlameNode,
}

/// A frame with what lies below it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FlameNode {
    /// What it is.
    pub name: String,
    /// Time of it and all below, in ns.
    pub time_ns: Ns,
    /// Frames below, most time first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub children: Vec<FlameNode>,
}

/// Share of the whole below which a frame is put together with its neighbours.
const SMALLEST: f64 = 0.0005;

/// Where an event was launched: its stack, the place that a mapping trace gives it, its CPU op, its kernel.
type Path<'t> = (Stage, StackId, Option<usize>, Option<&'t str>, NameId);

/// Sums up GPU time by stage and stack.
pub fn build(analysis: &Analysis<'_>) -> Flame {
    let mut sums: HashMap<Path<'_>, Ns> = HashMap::new();
    for event in 0..analysis.len() {
        let stack = analysis.links.stack(event);
        let mapped = analysis.mapped_by(event).and_then(|_| analysis.site(event));
        let kernel = analysis.trace.gpu.name[event];
        let path = (analysis.stage(event), stack, mapped, analysis.op_name(event), kernel);
        *sums.entry(path).or_default() += analysis.trace.gpu.dur[event];
    }
    let mut root = Builder::default();
    let mut known: HashMap<StackId, Vec<String>> = HashMap::new();
    for ((stage, stack, mapped, op, kernel), time) in sums {
        let frames = known.entry(stack).or_insert_with(|| frames(analysis, stack));
        let mut node = root.child(stage.title());
        for frame in frames.iter() {
            node = node.child(frame);
        }
        if let Some(site) = mapped.map(|site| &analysis.sites[site]) {
            node = node.child(&place(&site.file, site.line, &site.function));
        }
        if let Some(op) = op {
            node = node.child(op);
        }
        node.child(&canonical(analysis.trace.text(kernel))).time += time;
    }
    let total_ns = root.sum();
    let root = root.node("all".to_owned(), (total_ns as f64 * SMALLEST) as Ns);
    Flame { total_ns, root }
}

/// Frames of a stack, outermost first, without what every stack begins with below the program.
fn frames(analysis: &Analysis<'_>, stack: StackId) -> Vec<String> {
    let names = analysis.links.stacks.frames(stack).map(|frame| analysis.trace.text(frame));
    let mut frames: Vec<String> = names.map(short).collect();
    frames.reverse();
    frames
}

/// `a/b/c/file.py(12): f` as `c/file.py:12 f`: the last folder tells files of one name apart. Modules lose the number
/// of their instance: the layers of a model are one path.
fn short(frame: &str) -> String {
    if let Some(module) = frame.strip_prefix("nn.Module: ") {
        return module
            .trim_end_matches(|letter: char| letter.is_ascii_digit())
            .trim_end_matches('_')
            .to_owned();
    }
    let Some((head, function)) = frame.split_once("): ") else { return frame.to_owned() };
    let Some((file, line)) = head.rsplit_once('(') else { return frame.to_owned() };
    place(file, line, function)
}

fn place(file: &str, line: impl std::fmt::Display, function: &str) -> String {
    let from = file.rmatch_indices('/').nth(1).map_or(0, |(at, _)| at + 1);
    format!("{}:{line} {function}", &file[from..])
}

#[derive(Default)]
struct Builder {
    time: Ns,
    children: BTreeMap<String, Builder>,
}

impl Builder {
    fn child(&mut self, name: &str) -> &mut Self {
        self.children.entry(name.to_owned()).or_default()
    }

    fn sum(&mut self) -> Ns {
        self.time += self.children.values_mut().map(Self::sum).sum::<Ns>();
        self.time
    }

    fn node(self, name: String, smallest: Ns) -> FlameNode {
        let mut rest = 0;
        let mut children = Vec::new();
        for (name, child) in self.children {
            if child.time >= smallest {
                children.push(child.node(name, smallest));
            } else {
                rest += child.time;
            }
        }
        children.sort_by(|a, b| b.time_ns.cmp(&a.time_ns).then_with(|| a.name.cmp(&b.name)));
        if rest > 0 {
            children.push(FlameNode { name: "(others)".to_owned(), time_ns: rest, children: Vec::new() });
        }
        FlameNode { name, time_ns: self.time, children }
    }
}

impl Flame {
    /// The text that flame graph tools read: `frame;frame;frame nanoseconds`, a line each.
    pub fn folded(&self) -> String {
        let mut out = String::new();
        for child in &self.root.children {
            fold(child, "", &mut out);
        }
        out
    }
}

fn fold(node: &FlameNode, above: &str, out: &mut String) {
    // Semicolons and line ends divide; names of C++ may hold the first.
    let name = node.name.replace([';', '\n'], ",");
    let path = if above.is_empty() { name } else { format!("{above};{name}") };
    let below: Ns = node.children.iter().map(|child| child.time_ns).sum();
    if node.time_ns > below {
        out.push_str(&format!("{path} {}\n", node.time_ns - below));
    }
    for child in &node.children {
        fold(child, &path, out);
    }
}

#[cfg(test)]
mod tests {
    use super::{FlameNode, fold};

    #[test]
    fn folded_lines_hold_what_no_child_has() {
        let leaf = |name: &str, time_ns| FlameNode { name: name.into(), time_ns, children: Vec::new() };
        let node = FlameNode { name: "a".into(), time_ns: 10, children: vec![leaf("b;c", 6), leaf("d", 3)] };
        let mut out = String::new();
        fold(&node, "", &mut out);
        assert_eq!(out, "a 1\na;b,c 6\na;d 3\n");
    }
}
