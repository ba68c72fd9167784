//! The timeline: one lane per step, one bar per attempt, on the wall clock.

use super::axis::Clock;
use super::{Path, Svg, text_width};
use crate::format;
use crate::mark::{self, Mark, Tone};
use crate::model::{Lane, attempt_mark};
use assay_protocol::{Attempt, RunState};

/// Lanes drawn; above this the failed and the longest stay.
pub const MAX_LANES: usize = 200;
const WIDTH: f64 = 1000.0;
const RIGHT: f64 = 120.0;
const ROW: f64 = 24.0;
const BAR: f64 = 13.0;
const TOP: f64 = 40.0;

/// The picture, and how many lanes were left out.
pub fn picture(lanes: &[Lane], state: &RunState) -> (String, usize) {
    let chosen = choose(lanes);
    let names: Vec<String> = chosen.iter().map(|lane| format::shorten(lane.path, 34)).collect();
    let label = names.iter().map(|name| text_width(name, 12.5)).fold(80.0, f64::max).min(250.0) + 34.0;
    let end = |attempt: &Attempt| attempt.ended_at.unwrap_or(state.last_at).max(attempt.started_at);
    // All work counts for the axis, also that of lanes left out.
    let work = lanes.iter().flat_map(|lane| lane.attempts).map(|attempt| (attempt.started_at, end(attempt)));
    let clock = Clock::new(work.collect(), label, WIDTH - RIGHT);
    let legend = legend_marks(&chosen, state);
    let bottom = TOP + chosen.len() as f64 * ROW;
    let title = format!("Timeline of {} over {}", format::count(chosen.len(), "step"), wall(state));
    let mut svg = Svg::new("tl", WIDTH, bottom + 40.0, &title, None);
    svg.raw(PATTERNS);
    axis(&mut svg, &clock, bottom);
    for (index, (lane, name)) in chosen.iter().zip(&names).enumerate() {
        draw_lane(&mut svg, lane, name, TOP + index as f64 * ROW, label, &clock, state);
    }
    folds(&mut svg, &clock, bottom);
    sessions(&mut svg, &clock, state, bottom);
    draw_legend(&mut svg, &legend, bottom + 18.0);
    (svg.finish(), lanes.len() - chosen.len())
}

fn wall(state: &RunState) -> String {
    format::duration(state.finished_at.unwrap_or(state.last_at) - state.started_at)
}

fn choose<'a, 'b>(lanes: &'b [Lane<'a>]) -> Vec<&'b Lane<'a>> {
    let mut chosen: Vec<&Lane> = lanes.iter().collect();
    if chosen.len() > MAX_LANES {
        let rank = |lane: &Lane| lane.mark.tone != Tone::Bad;
        chosen.sort_by(|a, b| rank(a).cmp(&rank(b)).then(b.busy_s.total_cmp(&a.busy_s)));
        chosen.truncate(MAX_LANES);
        chosen.sort_by(|a, b| a.start.total_cmp(&b.start));
    }
    chosen
}

/// Fills that tell statuses apart without colour. The ids exist once per page.
const PATTERNS: &str = "<defs>\
<pattern id=\"tl-diagonal\" width=\"7\" height=\"7\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">\
<path class=\"hatch\" d=\"M0 0V7\"/></pattern>\
<pattern id=\"tl-upright\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\"><path class=\"hatch\" d=\"M1 0V6\"/>\
</pattern>\
<pattern id=\"tl-level\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\"><path class=\"hatch\" d=\"M0 1H5\"/>\
</pattern>\
<pattern id=\"tl-dots\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\">\
<circle class=\"hatch-dot\" cx=\"2\" cy=\"2\" r=\"1.2\"/></pattern></defs>";

fn pattern(mark: Mark) -> Option<&'static str> {
    match mark.word {
        "passed" | "running" => None,
        "timed out" => Some("upright"),
        "cancelled" | "excluded" => Some("level"),
        "environment" | "unsupported" | "ended with its engine" => Some("dots"),
        _ => Some("diagonal"),
    }
}

fn bar(svg: &mut Svg, class: &str, mark: Mark, x: f64, y: f64, width: f64) {
    svg.rect(class, x, y, width, BAR, 2.0);
    if let (Some(name), "run") = (pattern(mark), class) {
        svg.raw(&format!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{BAR}\" fill=\"url(#tl-{name})\"/>"
        ));
    }
}

fn draw_lane(svg: &mut Svg, lane: &Lane, name: &str, top: f64, label: f64, clock: &Clock, state: &RunState) {
    let many = match lane.attempts.len() {
        1 => String::new(),
        many => format!(", {many} attempts"),
    };
    let took = format::duration(lane.busy_s);
    svg.group("", &format!("{}: {}, {took}{many}", lane.path, lane.mark.word));
    svg.rect("lane", 0.0, top + 1.0, WIDTH, ROW - 2.0, 3.0);
    svg.icon(lane.mark, 4.0, top + 4.0);
    svg.text("", 26.0, top + 16.0, name);
    let mut last = label;
    for attempt in lane.attempts {
        let mark = attempt_mark(attempt, &state.nodes[lane.path]);
        last = draw_attempt(svg, attempt, mark, top + (ROW - BAR) / 2.0, clock, state.last_at);
    }
    let note = if lane.attempts.len() > 1 { format!("{took} · {}×", lane.attempts.len()) } else { took };
    // A note that a folded gap would cover stands before the first bar instead.
    let right = last + 7.0 + text_width(&note, 11.0);
    let covered = clock.folds().iter().any(|fold| last < fold.right && right > fold.left);
    if covered {
        svg.text("soft end", clock.x(lane.start) - 7.0, top + 16.0, &note);
    } else {
        svg.text("soft", last + 7.0, top + 16.0, &note);
    }
    svg.end_group();
}

/// Draws one attempt and returns where it ends.
fn draw_attempt(svg: &mut Svg, attempt: &Attempt, mark: Mark, y: f64, clock: &Clock, now: f64) -> f64 {
    let x = clock.x(attempt.started_at);
    let end = clock.x(attempt.ended_at.unwrap_or(now)).max(x + 2.0);
    let class = if attempt.ended_at.is_some() { "run" } else { "open" };
    let retry = attempt.finished.as_ref().is_some_and(|finished| !finished.is_final);
    let took = format::duration(attempt.ended_at.unwrap_or(now) - attempt.started_at);
    let retried = if retry { ", then retried" } else { "" };
    svg.group(mark.tone.class(), &format!("Attempt {}: {}{retried}, {took}", attempt.number, mark.word));
    match attempt.ready_at {
        Some(ready_at) => {
            let ready = clock.x(ready_at).clamp(x, end);
            svg.rect("starting", x, y, (ready - x).max(1.0), BAR, 2.0);
            bar(svg, class, mark, ready, y, (end - ready).max(2.0));
            let (mid, r) = (y + BAR / 2.0, 5.0);
            let rest = [(ready + r, mid), (ready, mid + r), (ready - r, mid)];
            svg.path("ready", Path::default().to('M', &[(ready, mid - r)]).to('L', &rest).close());
        }
        None => bar(svg, class, mark, x, y, end - x),
    }
    svg.end_group();
    end
}

fn axis(svg: &mut Svg, clock: &Clock, bottom: f64) {
    let (ticks, step) = clock.ticks(105.0);
    let mut free = 0.0;
    for at in ticks {
        let x = clock.x(at);
        svg.line("grid", (x, TOP - 6.0), (x, bottom));
        if x >= free {
            svg.text("soft mid", x, TOP - 24.0, &format::clock(at));
            let since = at - clock.start();
            // Below a second the clock repeats itself, so the offset carries the difference.
            let offset = if step < 1.0 { format!("+{since:.3} s") } else { format::offset(since) };
            svg.text("soft mid", x, TOP - 11.0, &offset);
            free = x + 70.0;
        }
    }
}

fn folds(svg: &mut Svg, clock: &Clock, bottom: f64) {
    for fold in clock.folds() {
        let middle = (fold.left + fold.right) / 2.0;
        svg.group("", &format!("Nothing ran for {}", format::duration(fold.seconds)));
        svg.rect("gap", fold.left + 4.0, TOP - 2.0, fold.right - fold.left - 8.0, bottom - TOP + 4.0, 0.0);
        svg.text("soft mid", middle, bottom + 11.0, &format!("idle {}", format::duration(fold.seconds)));
        svg.end_group();
    }
}

fn sessions(svg: &mut Svg, clock: &Clock, state: &RunState, bottom: f64) {
    for session in state.sessions.iter().filter(|session| session.engine.resume).take(20) {
        let x = clock.x(session.started_at);
        svg.group("", &format!("Resumed at {}", format::date_time(session.started_at)));
        svg.line("session", (x, TOP - 4.0), (x, bottom));
        svg.end_group();
    }
}

/// The marks that bars show, each once.
fn legend_marks(chosen: &[&Lane], state: &RunState) -> Vec<Mark> {
    let mut found: Vec<Mark> = Vec::new();
    for lane in chosen {
        for attempt in lane.attempts {
            let mark = attempt_mark(attempt, &state.nodes[lane.path]);
            if !found.contains(&mark) {
                found.push(mark);
            }
        }
    }
    mark::ALL.iter().copied().filter(|mark| found.contains(mark)).collect()
}

fn draw_legend(svg: &mut Svg, marks: &[Mark], y: f64) {
    let mut x = 26.0;
    for mark in marks {
        svg.group(mark.tone.class(), mark.word);
        let class = if mark.tone == Tone::Live { "open" } else { "run" };
        bar(svg, class, *mark, x, y, 26.0);
        svg.text("soft", x + 32.0, y + 10.5, mark.word);
        svg.end_group();
        x += 32.0 + text_width(mark.word, 11.0) + 22.0;
    }
}
