//! A load over time: requests in flight and what came, one above the other on one clock.

use super::axes::{LEFT, RIGHT, Scale, WIDTH, below, left};
use crate::svg::{Path, Svg, text_width};
use assay_loadgen::metrics::{Slice, Timeline};

/// Points drawn; with more slices, neighbours are put together.
const MOST: usize = 300;
const PANEL: f64 = 140.0;
const FIRST: f64 = 44.0;
const SECOND: f64 = FIRST + PANEL + 44.0;
const HEIGHT: f64 = SECOND + PANEL + 42.0;

/// What is drawn of one stretch.
struct Point {
    from: f64,
    to: f64,
    active: f64,
    active_max: f64,
    rate: f64,
    failed: u64,
}

/// The picture; `None` without a slice.
pub fn picture(timeline: &Timeline) -> Option<String> {
    let tokens = timeline.slices.iter().all(|slice| slice.output_tokens.is_some());
    let points = points(timeline, tokens);
    let end = points.last()?.to;
    let x = Scale::exact(end, LEFT, WIDTH - RIGHT);
    let title = format!("The load over {end:.1} seconds");
    let mut svg = Svg::new("bp", WIDTH, HEIGHT, &title, None);
    let most = |of: fn(&Point) -> f64| points.iter().map(of).fold(0.0, f64::max);

    let y = Scale::linear(most(|point| point.active_max), FIRST + PANEL, FIRST);
    panel(&mut svg, &x, &y, FIRST);
    course(&mut svg, &points, &x, &y, "course", true, |point| point.active);
    course(&mut svg, &points, &x, &y, "most", false, |point| point.active_max);
    let any_failed = failures(&mut svg, &points, &x);
    legend(&mut svg, any_failed);

    let name = if tokens { "Output tokens per second" } else { "Pieces per second" };
    let y = Scale::linear(most(|point| point.rate), SECOND + PANEL, SECOND);
    panel(&mut svg, &x, &y, SECOND);
    course(&mut svg, &points, &x, &y, "course", true, |point| point.rate);
    svg.text("", 0.0, SECOND - 14.0, name);
    below(&mut svg, &x, SECOND + PANEL, SECOND + PANEL, "Seconds since the first start");
    Some(svg.finish())
}

fn points(timeline: &Timeline, tokens: bool) -> Vec<Point> {
    let mut slices: Vec<&[Slice]> =
        timeline.slices.chunks(timeline.slices.len().div_ceil(MOST).max(1)).collect();
    // A rest that is much shorter than its neighbours would draw a rate from next to nothing.
    let length = |part: &[Slice]| part.iter().map(|slice| slice.length_s).sum::<f64>();
    if let [.., before, rest] = slices[..]
        && length(rest) < length(before) / 2.0
    {
        let count = before.len() + rest.len();
        slices.truncate(slices.len() - 2);
        slices.push(&timeline.slices[timeline.slices.len() - count..]);
    }
    let point = |part: &&[Slice]| {
        let seconds = length(part);
        let came = |slice: &Slice| match (tokens, slice.output_tokens) {
            (true, Some(tokens)) => tokens,
            _ => slice.chunks as f64,
        };
        Point {
            from: part[0].at_s,
            to: part[0].at_s + seconds,
            active: part.iter().map(|slice| slice.active * slice.length_s).sum::<f64>() / seconds,
            active_max: part.iter().map(|slice| slice.active_max).max().unwrap_or(0) as f64,
            rate: part.iter().map(came).sum::<f64>() / seconds,
            failed: part.iter().map(|slice| slice.failed).sum(),
        }
    };
    slices.iter().map(point).collect()
}

fn panel(svg: &mut Svg, x: &Scale, y: &Scale, top: f64) {
    left(svg, y, "");
    for tick in x.ticks(12) {
        svg.line("grid", (x.at(tick), top), (x.at(tick), top + PANEL));
    }
    svg.line("base", (LEFT, top + PANEL), (WIDTH - RIGHT, top + PANEL));
}

/// Steps, because each value holds for its whole stretch.
fn course(
    svg: &mut Svg,
    points: &[Point],
    x: &Scale,
    y: &Scale,
    class: &str,
    filled: bool,
    of: fn(&Point) -> f64,
) {
    let corner = |point: &Point| [(x.at(point.from), y.at(of(point))), (x.at(point.to), y.at(of(point)))];
    let line: Vec<(f64, f64)> = points.iter().flat_map(corner).collect();
    let (Some(first), Some(last)) = (line.first(), line.last()) else { return };
    if filled {
        let floor = y.at(0.0);
        let area = Path::default().to('M', &[(first.0, floor)]).to('L', &line).to('L', &[(last.0, floor)]);
        svg.path("area", area.close());
    }
    svg.path(class, Path::default().to('M', &line[..1]).to('L', &line[1..]));
}

/// Triangles where requests failed; says whether there are any.
fn failures(svg: &mut Svg, points: &[Point], x: &Scale) -> bool {
    for point in points.iter().filter(|point| point.failed > 0) {
        svg.group("", &format!("{} failed", point.failed));
        triangle(svg, x.at(f64::midpoint(point.from, point.to)), FIRST + PANEL);
        svg.end_group();
    }
    points.iter().any(|point| point.failed > 0)
}

fn triangle(svg: &mut Svg, x: f64, foot: f64) {
    let corners = [(x - 4.5, foot), (x + 4.5, foot)];
    svg.path("failed", Path::default().to('M', &[(x, foot - 8.0)]).to('L', &corners).close());
}

fn legend(svg: &mut Svg, any_failed: bool) {
    let y = FIRST - 14.0;
    svg.text("", 0.0, y, "Requests in flight");
    let mut at = text_width("Requests in flight", 12.0) + 24.0;
    for (class, name) in [("course", "mean"), ("most", "most at one moment")] {
        svg.line(class, (at, y - 4.0), (at + 18.0, y - 4.0));
        svg.text("soft", at + 24.0, y, name);
        at += 24.0 + text_width(name, 11.0) + 18.0;
    }
    if any_failed {
        triangle(svg, at + 5.0, y);
        svg.text("soft", at + 16.0, y, "requests failed");
    }
}
