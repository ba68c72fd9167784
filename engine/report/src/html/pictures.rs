//! The DAG, the plans of calls, and the timeline.

use super::Page;
use crate::model::Model;
use crate::svg::{dag as drawing, timeline as lanes};
use crate::{escape, format, mark};
use assay_protocol::{PlanDoc, RunState};
use std::fmt::Write;

/// Pictures of more bytes than this are high: about 60 lanes or nodes.
const TALL_BYTES: usize = 48 << 10;
/// Pictures of calls on one page.
const MAX_CALLS: usize = 12;

/// The DAG of the run and, folded, of each call.
pub fn dag(model: &Model, page: &mut Page) {
    let plan = model.input.plan;
    if plan.nodes.is_empty() {
        return;
    }
    page.section("dag", "The workflow");
    figure(page, &drawing::picture(plan, Some(model.state()), "", None), &legend(plan));
    let mut left = MAX_CALLS;
    let omitted = calls(plan, model.state(), "", &mut left, page);
    if omitted > 0 {
        let text = format!("{} more called plans are not drawn.", format::grouped(omitted));
        page.paragraph("soft", &text);
    }
    page.end_section();
}

fn legend(plan: &PlanDoc) -> String {
    if plan.nodes.len() > drawing::MAX_NODES {
        return String::new();
    }
    let has_edges = plan.nodes.iter().any(|node| !node.needs.is_empty());
    let mut parts = Vec::new();
    if has_edges {
        parts.push("An arrow leads to what waits; a dashed arrow only waits for the end.");
    }
    if plan.nodes.iter().any(|node| node.kind == assay_protocol::PlanNodeKind::Gate) {
        parts.push("Gates have pointed sides.");
    }
    if plan.nodes.iter().any(|node| node.call.is_some()) {
        parts.push("Calls have double sides; their plans are below.");
    }
    if plan.nodes.iter().any(|node| !node.foreach.is_empty()) {
        parts.push("Stacked boxes run once per value.");
    }
    if has_edges {
        parts.push("Arrows that others imply are left out.");
    }
    parts.join(" ")
}

/// A picture in a frame; what is much higher than a window scrolls inside it.
fn figure(page: &mut Page, picture: &str, caption: &str) {
    let tall = if picture.len() > TALL_BYTES { " tall" } else { "" };
    let _ = write!(
        page.out,
        "<figure class=\"figure\"><div class=\"scroll{tall}\" tabindex=\"0\">{picture}</div>{}</figure>",
        if caption.is_empty() {
            String::new()
        } else {
            format!("<figcaption>{}</figcaption>", escape::html(caption))
        }
    );
}

/// Draws the plans of calls, one per instance; returns how many found no room.
fn calls(plan: &PlanDoc, state: &RunState, prefix: &str, left: &mut usize, page: &mut Page) -> usize {
    let mut omitted = 0;
    for node in &plan.nodes {
        let Some(inner) = &node.call else { continue };
        let path = format!("{prefix}{}", node.id);
        let expanded = state.nodes.get(&path).and_then(|node| node.expanded.as_ref());
        let instances: Vec<String> = match expanded {
            Some(expanded) => expanded.instances.iter().map(|one| format!("{path}[{}]", one.key)).collect(),
            None if node.foreach.is_empty() => vec![path],
            None => Vec::new(),
        };
        for instance in instances {
            if *left == 0 {
                omitted += 1;
                continue;
            }
            *left -= 1;
            let mark = mark::node(state.nodes.get(&instance));
            let below = format!("{instance}/");
            let open = if mark.tone == mark::Tone::Bad { " open" } else { "" };
            let _ = write!(
                page.out,
                "<details{open}><summary><b>{}</b> calls {} · {}</summary>",
                escape::html(&instance),
                escape::html(&inner.name),
                super::badge(mark)
            );
            figure(page, &drawing::picture(inner, Some(state), &below, None), &inner.description);
            omitted += calls(inner, state, &below, left, page);
            page.out.push_str("</details>");
        }
    }
    omitted
}

/// The timeline.
pub fn timeline(model: &Model, page: &mut Page) {
    if model.lanes.is_empty() {
        return;
    }
    page.section("timeline", "Timeline");
    let (picture, left_out) = lanes::picture(&model.lanes, model.state());
    let mut caption = "One lane per step, one bar per attempt; times are UTC.".to_owned();
    if model.lanes.iter().any(|lane| lane.attempts.iter().any(|attempt| attempt.ready_at.is_some())) {
        caption.push_str(" A diamond marks when a server was ready.");
    }
    if left_out > 0 {
        let left_out = format::count(left_out, "shorter step");
        caption.push_str(&format!(
            " {left_out} left out: what failed and the {} longest are drawn.",
            lanes::MAX_LANES
        ));
    }
    figure(page, &picture, &caption);
    page.end_section();
}
