//! The DAG of a plan as SVG, Graphviz or Mermaid. Pictures only: nothing is judged here.

use crate::escape;
use crate::mark::{self, Tone};
use crate::svg::{dag, style};
use assay_protocol::{PlanDoc, PlanNode, PlanNodeKind, RunState};
use std::fmt::Write;

/// The plan as an SVG file that stands alone, with statuses if a state is given. Above 300 nodes they are counted per
/// status instead of drawn.
pub fn svg(plan: &PlanDoc, state: Option<&RunState>) -> String {
    let css = format!("{}{}svg{{background:var(--page)}}", style::VARIABLES, style::PICTURES);
    dag::picture(plan, state, "", Some(&css))
}

/// The plan for Graphviz: calls are clusters, dashed edges only wait.
pub fn dot(plan: &PlanDoc) -> String {
    let mut out = format!(
        "digraph \"{}\" {{\n  rankdir=TB;\n  compound=true;\n  node [fontname=\"sans-serif\", fontsize=11];\n",
        escape::dot(&plan.name)
    );
    dot_level(plan, "", 1, &mut out);
    out.push_str("}\n");
    out
}

fn dot_level(plan: &PlanDoc, prefix: &str, depth: usize, out: &mut String) {
    let pad = "  ".repeat(depth);
    for node in &plan.nodes {
        let path = format!("{prefix}{}", node.id);
        let label = format!("{}\\n{}", escape::dot(&node_name(node)), escape::dot(&node.uses));
        let shape = match node.kind {
            PlanNodeKind::Check => "note",
            PlanNodeKind::Gate => "hexagon",
            PlanNodeKind::Step if node.call.is_some() => "box3d",
            PlanNodeKind::Step => "box",
            PlanNodeKind::Finally => "cds",
        };
        let _ = writeln!(out, "{pad}\"{}\" [label=\"{label}\", shape={shape}];", escape::dot(&path));
        if let Some(inner) = &node.call {
            let name = escape::dot(&path);
            let _ = writeln!(
                out,
                "{pad}subgraph \"cluster_{name}\" {{\n{pad}  label=\"{name}\";\n{pad}  style=dashed;"
            );
            dot_level(inner, &format!("{path}/"), depth + 1, out);
            let _ = writeln!(out, "{pad}}}");
        }
        for edge in &node.needs {
            let style = if edge.requires_success { "" } else { " [style=dashed]" };
            let from = escape::dot(&format!("{prefix}{}", edge.from));
            let _ = writeln!(out, "{pad}\"{from}\" -> \"{}\"{style};", escape::dot(&path));
        }
    }
}

/// The plan for Mermaid: calls are subgraphs of their own below, dotted edges only wait.
pub fn mermaid(plan: &PlanDoc) -> String {
    mermaid_with(plan, None)
}

/// The same with the sign and the word of each status.
pub(crate) fn mermaid_with(plan: &PlanDoc, state: Option<&RunState>) -> String {
    let mut out = String::from("flowchart TD\n");
    let mut next = 0;
    let mut classes: Vec<(Tone, usize)> = Vec::new();
    mermaid_level(plan, state, 1, &mut next, &mut classes, &mut out);
    for (tone, style) in [
        (Tone::Bad, "fill:#fcebe9,stroke:#b3261e,color:#1c2128"),
        (Tone::Good, "fill:#e7f4ec,stroke:#1a7543,color:#1c2128"),
        (Tone::Warn, "fill:#fdf3dc,stroke:#8a5a00,color:#1c2128"),
    ] {
        let members: Vec<String> = classes
            .iter()
            .filter(|(other, _)| *other == tone)
            .map(|(_, number)| format!("n{number}"))
            .collect();
        if !members.is_empty() {
            let class = tone.class().trim_start_matches("t-");
            let _ = writeln!(out, "  classDef {class} {style}\n  class {} {class}", members.join(","));
        }
    }
    out
}

fn mermaid_level(
    plan: &PlanDoc,
    state: Option<&RunState>,
    depth: usize,
    next: &mut usize,
    classes: &mut Vec<(Tone, usize)>,
    out: &mut String,
) {
    let pad = "  ".repeat(depth);
    // Ids such as `end` are keywords of Mermaid, so nodes are numbered.
    let first = *next;
    *next += plan.nodes.len();
    let number: std::collections::HashMap<&str, usize> =
        plan.nodes.iter().enumerate().map(|(index, node)| (node.id.as_str(), first + index)).collect();
    for (index, node) in plan.nodes.iter().enumerate() {
        let id = first + index;
        let mut label = format!("{}<br>{}", escape::mermaid(&node_name(node)), escape::mermaid(&node.uses));
        if let Some(state) = state {
            let mark = match node.kind {
                PlanNodeKind::Check => mark::check(state.checks.get(&node.id)),
                PlanNodeKind::Gate => mark::gate(state.gates.get(&node.id)),
                _ => mark::node(state.nodes.get(&node.id)),
            };
            let _ = write!(label, "<br>{} {}", mark.sign, mark.word);
            classes.push((mark.tone, id));
        }
        let (open, close) = match node.kind {
            PlanNodeKind::Check => ("([", "])"),
            PlanNodeKind::Gate => ("{{", "}}"),
            PlanNodeKind::Step if node.call.is_some() => ("[[", "]]"),
            PlanNodeKind::Step => ("[", "]"),
            PlanNodeKind::Finally => ("(", ")"),
        };
        let _ = writeln!(out, "{pad}n{id}{open}\"{label}\"{close}");
        for edge in &node.needs {
            if let Some(from) = number.get(edge.from.as_str()) {
                let _ = writeln!(
                    out,
                    "{pad}n{from} {} n{id}",
                    if edge.requires_success { "-->" } else { "-.->" }
                );
            }
        }
        // With statuses the picture stays on one level: instances of a call may differ.
        if let (Some(inner), None) = (&node.call, state) {
            let _ = writeln!(out, "{pad}subgraph s{id}[\"{}\"]", escape::mermaid(&node.id));
            mermaid_level(inner, None, depth + 1, next, classes, out);
            let _ = writeln!(out, "{pad}end\n{pad}n{id} -.- s{id}");
        }
    }
}

fn node_name(node: &PlanNode) -> String {
    if node.foreach.is_empty() {
        node.id.clone()
    } else {
        format!("{} × {}", node.id, node.foreach.join(", "))
    }
}
