//! The DAG as a picture: preflight above, steps and gates in layers, `finally` below.

use super::layout::{self, NODE_HEIGHT};
use super::{Path, Svg, text_width};
use crate::format;
use crate::mark::{self, Mark};
use assay_protocol::{PlanDoc, PlanNode, PlanNodeKind, RunState};
use std::collections::HashMap;

/// Nodes drawn one by one; above this they are counted per status.
pub const MAX_NODES: usize = 300;
/// Edges drawn; more would be a grey area.
const MAX_EDGES: usize = 1000;
const MAX_WIDTH: f64 = 240.0;
const MARGIN: f64 = 6.0;

/// Draws the plan, with statuses where a state is given. `prefix` is the path of the call, with its slash.
pub fn picture(plan: &PlanDoc, state: Option<&RunState>, prefix: &str, style: Option<&str>) -> String {
    let cards: Vec<Card> = plan.nodes.iter().map(|node| Card::new(node, state, prefix)).collect();
    if cards.len() > MAX_NODES {
        return summary(&cards, plan, style);
    }
    let bands = [PlanNodeKind::Check, PlanNodeKind::Step, PlanNodeKind::Finally]
        .map(|kind| Band::new(kind, plan, &cards))
        .into_iter()
        .filter(|band| !band.members.is_empty())
        .collect::<Vec<_>>();
    let label_width = if bands.len() > 1 { 76.0 } else { 0.0 };
    let width = bands.iter().map(|band| band.layout.width).fold(0.0, f64::max);
    let gap = 34.0;
    let height = bands.iter().map(|band| band.layout.height + gap).sum::<f64>() - gap + 2.0 * MARGIN;
    let title = format!("DAG of {}: {}", plan.name, format::count(plan.nodes.len(), "node"));
    let total = width + 2.0 * MARGIN + label_width;
    let mut svg = Svg::new("dg", total, height.max(NODE_HEIGHT), &title, style);
    let mut top = MARGIN;
    for (index, band) in bands.iter().enumerate() {
        if index > 0 {
            svg.line("band", (0.0, top - gap / 2.0), (total, top - gap / 2.0));
        }
        if label_width > 0.0 {
            svg.text("soft", 2.0, top + NODE_HEIGHT / 2.0 + 4.0, band.label());
        }
        let left = MARGIN + label_width + (width - band.layout.width) / 2.0;
        band.draw(&mut svg, &cards, left, top);
        top += band.layout.height + gap;
    }
    svg.finish()
}

/// A node as it is drawn.
struct Card<'a> {
    node: &'a PlanNode,
    mark: Option<Mark>,
    name: String,
    detail: String,
    tooltip: String,
    width: f64,
}

impl<'a> Card<'a> {
    fn new(node: &'a PlanNode, state: Option<&RunState>, prefix: &str) -> Self {
        let path = format!("{prefix}{}", node.id);
        let mark = state.map(|state| mark_of(node, state, &path));
        let node_state = state.and_then(|state| state.nodes.get(&path));
        let mut name = format::shorten(&node.id, 26);
        match node_state.and_then(|node| node.expanded.as_ref()) {
            Some(expanded) => name.push_str(&format!(" ×{}", expanded.instances.len())),
            None if !node.foreach.is_empty() => name.push_str(&format!(" × {}", node.foreach.join(", "))),
            None => {}
        }
        let mut parts: Vec<String> = vec![match node.kind {
            PlanNodeKind::Gate => format!("{} gate", node.uses),
            _ => node.uses.clone(),
        }];
        parts.extend(mark.map(|mark| mark.word.to_owned()));
        if let Some(node_state) = node_state {
            if node_state.attempts.len() > 1 {
                parts.push(format!("{} attempts", node_state.attempts.len()));
            }
            let took = node_state.finished.as_ref().map(|finished| finished.duration_s);
            parts.extend(took.filter(|seconds| *seconds > 0.0).map(format::duration));
        }
        let detail = format::shorten(&parts.join(" · "), 40);
        let text = text_width(&name, 13.5).max(text_width(&detail, 11.0) - 20.0);
        let width = (text + 48.0).clamp(96.0, MAX_WIDTH);
        let wanted = node.wanted.as_ref().or(node.when.as_ref());
        let tooltip = wanted.map_or_else(|| path.clone(), |wanted| format!("{path}: {wanted}"));
        Self { node, mark, name, detail, tooltip, width }
    }

    fn draw(&self, svg: &mut Svg, centre: f64, top: f64) {
        let (x, w, h) = (centre - self.width / 2.0, self.width, NODE_HEIGHT);
        svg.group(self.mark.map_or("", |mark| mark.tone.class()), &self.tooltip);
        if !self.node.foreach.is_empty() {
            svg.rect("back", x + 4.0, top - 4.0, w, h, 7.0);
        }
        if self.node.kind == PlanNodeKind::Gate {
            let cut = 11.0;
            let right = [(x + w - cut, top), (x + w, top + h / 2.0), (x + w - cut, top + h)];
            let left = [(x + cut, top + h), (x, top + h / 2.0)];
            svg.path(
                "box",
                Path::default().to('M', &[(x + cut, top)]).to('L', &right).to('L', &left).close(),
            );
        } else {
            svg.rect("box", x, top, w, h, 7.0);
        }
        if self.node.call.is_some() {
            svg.path("bar", Path::default().to('M', &[(x + 5.0, top)]).to('L', &[(x + 5.0, top + h)]));
            svg.path(
                "bar",
                Path::default().to('M', &[(x + w - 5.0, top)]).to('L', &[(x + w - 5.0, top + h)]),
            );
        }
        let indent = if self.mark.is_some() { 32.0 } else { 14.0 };
        if let Some(mark) = self.mark {
            svg.icon(mark, x + 11.0, top + 7.0);
        }
        svg.text("name", x + indent, top + 19.5, &self.name);
        svg.text("soft", x + 13.0, top + 36.5, &self.detail);
        svg.end_group();
    }
}

fn mark_of(node: &PlanNode, state: &RunState, path: &str) -> Mark {
    match node.kind {
        PlanNodeKind::Check => mark::check(state.checks.get(path)),
        PlanNodeKind::Gate => mark::gate(state.gates.get(path)),
        PlanNodeKind::Step | PlanNodeKind::Finally => {
            let own = state.nodes.get(path);
            let found = mark::node(own);
            let has_parts = node.call.is_some() || !node.foreach.is_empty();
            if found != mark::NOT_REACHED || !has_parts || state.finished.is_some() {
                return found;
            }
            let below =
                |other: &String| other.strip_prefix(path).is_some_and(|rest| rest.starts_with(['/', '[']));
            if state.nodes.keys().any(below) { mark::RUNNING } else { found }
        }
    }
}

/// Nodes that stand together.
struct Band<'a> {
    kind: PlanNodeKind,
    members: Vec<usize>,
    edges: Vec<(usize, usize, bool)>,
    layout: layout::Layout,
    plan: &'a PlanDoc,
}

impl<'a> Band<'a> {
    fn new(kind: PlanNodeKind, plan: &'a PlanDoc, cards: &[Card]) -> Self {
        let belongs = |other: PlanNodeKind| match kind {
            PlanNodeKind::Step => matches!(other, PlanNodeKind::Step | PlanNodeKind::Gate),
            kind => other == kind,
        };
        let members: Vec<usize> =
            (0..plan.nodes.len()).filter(|index| belongs(plan.nodes[*index].kind)).collect();
        let places: HashMap<&str, usize> = members
            .iter()
            .enumerate()
            .map(|(place, index)| (plan.nodes[*index].id.as_str(), place))
            .collect();
        let mut edges = Vec::new();
        for (place, index) in members.iter().enumerate() {
            for edge in &plan.nodes[*index].needs {
                edges
                    .extend(places.get(edge.from.as_str()).map(|from| (*from, place, edge.requires_success)));
            }
        }
        let edges = super::reduce::reduce(members.len(), edges);
        let widths: Vec<f64> = members.iter().map(|index| cards[*index].width).collect();
        let plain: Vec<(usize, usize)> = edges.iter().map(|(from, to, _)| (*from, *to)).collect();
        Self { kind, layout: layout::layered(&widths, &plain), members, edges, plan }
    }

    fn label(&self) -> &'static str {
        match self.kind {
            PlanNodeKind::Check => "Preflight",
            PlanNodeKind::Finally => "Finally",
            _ if self.plan.nodes.iter().any(|node| node.kind == PlanNodeKind::Gate) => "Steps, gates",
            _ => "Steps",
        }
    }

    fn draw(&self, svg: &mut Svg, cards: &[Card], left: f64, top: f64) {
        for ((from, to, requires), bends) in self.edges.iter().zip(&self.layout.bends).take(MAX_EDGES) {
            let move_by = |(x, y): (f64, f64)| (x + left, y + top);
            let (x, y) = move_by(self.layout.nodes[*from]);
            let end = move_by(self.layout.nodes[*to]);
            let mut here = (x, y + NODE_HEIGHT);
            let mut path = Path::default().to('M', &[here]);
            for bend in bends.iter().map(|bend| move_by(*bend)) {
                path = curve(path, here, bend);
                here = (bend.0, bend.1 + NODE_HEIGHT);
                path = path.to('L', &[here]);
            }
            path = curve(path, here, (end.0, end.1 - 4.0));
            svg.path(if *requires { "edge" } else { "edge waits" }, path);
            let tip = [(end.0 - 3.6, end.1 - 7.0), (end.0, end.1 - 0.5), (end.0 + 3.6, end.1 - 7.0)];
            svg.path("tip", Path::default().to('M', &tip[..1]).to('L', &tip[1..]).close());
        }
        for (place, index) in self.members.iter().enumerate() {
            let (x, y) = self.layout.nodes[place];
            cards[*index].draw(svg, x + left, y + top);
        }
    }
}

fn curve(path: Path, from: (f64, f64), to: (f64, f64)) -> Path {
    if (from.0 - to.0).abs() < 0.5 {
        return path.to('L', &[to]);
    }
    let half = (to.1 - from.1) / 2.0;
    path.to('C', &[(from.0, from.1 + half), (to.0, to.1 - half), to])
}

/// Too many nodes to draw: how many ended how, as bars.
fn summary(cards: &[Card], plan: &PlanDoc, style: Option<&str>) -> String {
    let mut groups: Vec<(Option<Mark>, usize)> = Vec::new();
    for card in cards {
        match groups.iter_mut().find(|(mark, _)| *mark == card.mark) {
            Some((_, count)) => *count += 1,
            None => groups.push((card.mark, 1)),
        }
    }
    groups.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let most = groups.first().map_or(1, |(_, count)| *count) as f64;
    let title = format!("{} of {}, counted per status", format::count(cards.len(), "node"), plan.name);
    let mut svg = Svg::new("dg", 640.0, groups.len() as f64 * 30.0 + 30.0, &title, style);
    let limit = format!(
        "{} nodes are too many to draw one by one; above {MAX_NODES} they are counted.",
        format::grouped(cards.len())
    );
    svg.text("soft", 2.0, 14.0, &limit);
    for (index, (mark, count)) in groups.iter().enumerate() {
        let top = 28.0 + index as f64 * 30.0;
        let mark = mark.unwrap_or(mark::NOT_REACHED);
        svg.group(mark.tone.class(), &format!("{count} {}", mark.word));
        svg.icon(mark, 2.0, top);
        svg.text("", 26.0, top + 12.5, mark.word);
        let width = (*count as f64 / most * 360.0).max(2.0);
        svg.rect("run", 180.0, top + 1.0, width, 14.0, 2.0);
        svg.text("soft", 188.0 + width, top + 12.5, &format::grouped(*count));
        svg.end_group();
    }
    svg.finish()
}
