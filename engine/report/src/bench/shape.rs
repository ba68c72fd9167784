//! The shape of a latency: how many values lie where, on a logarithmic axis.

use super::axes::{LEFT, RIGHT, Scale, WIDTH, below, left, number};
use crate::svg::{Path, Svg, text_width};
use assay_loadgen::metrics::{Distribution, Histogram};

const TOP: f64 = 62.0;
const BOTTOM: f64 = 250.0;
const HEIGHT: f64 = 292.0;
/// A bin that holds a value is at least this high, so that one slow request can be seen.
const LEAST: f64 = 1.5;

/// What the upright axis is.
const UPRIGHT: &str = "Share of values in each bin";

/// A second histogram, drawn as an outline over the first.
pub struct Outline<'a> {
    /// Its values.
    pub histogram: &'a Histogram,
    /// What the bars are.
    pub bars: &'a str,
    /// What the outline is.
    pub name: &'a str,
}

/// The picture of milliseconds; `None` if no value is above 0.
pub fn picture(
    title: &str,
    unit: &str,
    bars: &Histogram,
    figures: &Distribution,
    outline: Option<&Outline>,
) -> Option<String> {
    let both = || [Some(bars), outline.map(|outline| outline.histogram)].into_iter().flatten();
    let low = both().filter_map(|h| h.edges.first().copied()).fold(f64::INFINITY, f64::min);
    let high = both().filter_map(|h| h.edges.last().copied()).fold(0.0, f64::max);
    if high == 0.0 {
        return None;
    }
    let share = |histogram: &Histogram, count: u64| count as f64 * 100.0 / histogram.n() as f64;
    let most = both().flat_map(|h| h.counts.iter().map(move |count| share(h, *count))).fold(0.0, f64::max);
    let x = Scale::log(low, high, LEFT, WIDTH - RIGHT);
    let y = Scale::linear(most, BOTTOM, TOP);
    let mut svg = Svg::new("bp", WIDTH, HEIGHT, title, None);
    left(&mut svg, &y, " %");
    below(&mut svg, &x, TOP, BOTTOM, unit);
    for (index, count) in bars.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let (from, to) = (bars.edges[index], bars.edges[index + 1]);
        let height = (BOTTOM - y.at(share(bars, *count))).max(LEAST);
        svg.group("", &format!("{} to {} ms: {count} values", round(from), round(to)));
        svg.rect("bin", x.at(from), BOTTOM - height, (x.at(to) - x.at(from)).max(1.0), height, 0.0);
        svg.end_group();
    }
    if let Some(outline) = outline {
        steps(&mut svg, outline.histogram, &x, |count| y.at(share(outline.histogram, count)));
        legend(&mut svg, outline);
    }
    svg.text("soft", 0.0, 12.0, UPRIGHT);
    let lines = [("p50", figures.p50), ("p99", figures.p99)];
    for (row, (name, value)) in lines.into_iter().enumerate() {
        mark(&mut svg, &format!("{name} {} ms", round(value)), x.at(value), 34.0 + 15.0 * row as f64);
    }
    Some(svg.finish())
}

fn round(value: f64) -> String {
    number(crate::format::significant(value, 3).parse().unwrap_or(value))
}

/// A line at a percentile, with its label on the side that has room, in a row of its own.
fn mark(svg: &mut Svg, label: &str, x: f64, y: f64) {
    svg.line("mark", (x, y - 9.0), (x, BOTTOM));
    let fits = x + 6.0 + text_width(label, 12.0) < WIDTH;
    svg.text(if fits { "" } else { "end" }, if fits { x + 6.0 } else { x - 6.0 }, y, label);
}

fn steps(svg: &mut Svg, histogram: &Histogram, x: &Scale, y: impl Fn(u64) -> f64) {
    let edges = &histogram.edges;
    let (Some(first), Some(last)) = (edges.first(), edges.last()) else { return };
    let mut points = Vec::with_capacity(2 * histogram.counts.len() + 1);
    for (index, count) in histogram.counts.iter().enumerate() {
        points.extend([(x.at(edges[index]), y(*count)), (x.at(edges[index + 1]), y(*count))]);
    }
    points.push((x.at(*last), BOTTOM));
    svg.path("other", Path::default().to('M', &[(x.at(*first), BOTTOM)]).to('L', &points));
}

fn legend(svg: &mut Svg, outline: &Outline) {
    let at = text_width(UPRIGHT, 11.0) + 28.0;
    svg.rect("bin", at, 3.0, 14.0, 10.0, 0.0);
    svg.text("soft", at + 20.0, 12.0, outline.bars);
    let at = at + 20.0 + text_width(outline.bars, 11.0) + 18.0;
    svg.line("other", (at, 8.0), (at + 16.0, 8.0));
    svg.text("soft", at + 22.0, 12.0, outline.name);
}
