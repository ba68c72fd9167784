//! Throughput against latency: one point per row, numbered as in the table of rows.

use super::axes::{LEFT, RIGHT, Scale, WIDTH, below, left};
use crate::svg::{Path, Svg, text_width};
use assay_loadgen::row::{Row, Status};

const TOP: f64 = 34.0;
const BOTTOM: f64 = 310.0;
const LEGEND: f64 = 20.0;
/// Latencies that differ by more than this factor get a logarithmic axis.
const WIDE: f64 = 20.0;
/// Colours, each with a shape of its own.
const TONES: [&str; 5] = ["t-live", "t-warn", "t-good", "t-bad", "t-quiet"];

struct Point<'a> {
    number: usize,
    row: &'a Row,
    throughput: f64,
    latency: f64,
}

/// Throughput of every row in one unit: tokens, or requests where a row has no tokens.
fn throughput(rows: &[&Row]) -> (&'static str, fn(&Row) -> Option<f64>) {
    if rows.iter().all(|row| row.metrics.output_token_throughput.is_some()) {
        ("Output tokens per second", |row| row.metrics.output_token_throughput)
    } else {
        ("Requests per second", |row| row.metrics.request_throughput)
    }
}

/// The picture of rows that have both figures; `None` below two of them.
pub fn picture(rows: &[Row]) -> Option<String> {
    let with_latency: Vec<&Row> = rows.iter().filter(|row| row.metrics.p50_ttft_ms.is_some()).collect();
    let (unit, throughput) = throughput(&with_latency);
    let point = |(index, row)| {
        let (throughput, latency) = (throughput(row)?, row.metrics.p50_ttft_ms?);
        Some(Point { number: index + 1, row, throughput, latency })
    };
    let points: Vec<Point> = rows.iter().enumerate().filter_map(point).collect();
    if points.len() < 2 {
        return None;
    }
    let mut frameworks: Vec<&str> = points.iter().map(|point| point.row.framework.as_str()).collect();
    frameworks.sort_unstable();
    frameworks.dedup();
    let most = |of: fn(&Point) -> f64| points.iter().map(of).fold(0.0, f64::max);
    let least = points.iter().map(|point| point.latency).fold(f64::INFINITY, f64::min);
    let x = Scale::linear(most(|point| point.throughput), LEFT, WIDTH - RIGHT);
    let slowest = most(|point| point.latency);
    let y = if least > 0.0 && slowest / least > WIDE {
        Scale::log(least / 1.2, slowest * 1.2, BOTTOM, TOP)
    } else {
        Scale::linear(slowest, BOTTOM, TOP)
    };
    let lines = legend_lines(&frameworks);
    let height = BOTTOM + 48.0 + LEGEND * lines.len() as f64;
    let mut svg = Svg::new("bp", WIDTH, height, "Throughput against latency", None);
    svg.text("", 0.0, 12.0, "Median TTFT in ms; lower and further right is better");
    left(&mut svg, &y, "");
    below(&mut svg, &x, TOP, BOTTOM, unit);
    limit(&mut svg, &points, &y);
    trails(&mut svg, &points, &frameworks, &x, &y);
    draw(&mut svg, &points, &frameworks, &x, &y);
    legend(&mut svg, &lines, &frameworks);
    Some(svg.finish())
}

fn place(frameworks: &[&str], framework: &str) -> usize {
    frameworks.iter().position(|other| *other == framework).unwrap_or(0)
}

/// The limit, where rows do not have different ones and it lies within the picture.
fn limit(svg: &mut Svg, points: &[Point], y: &Scale) {
    let of = |point: &Point| point.row.sla().and_then(|sla| sla.limits.max_p50_ttft_ms);
    let mut limits = points.iter().filter_map(of);
    let Some(limit) = limits.next() else { return };
    let is_inside = y.at(limit) > TOP && y.at(limit) < BOTTOM;
    if is_inside && limits.all(|other| other == limit) {
        svg.line("limit", (LEFT, y.at(limit)), (WIDTH - RIGHT, y.at(limit)));
        svg.text("soft end", WIDTH - RIGHT, y.at(limit) - 6.0, &format!("limit {limit} ms"));
    }
}

/// A line through the rows of one candidate, in the order of their load.
fn trails(svg: &mut Svg, points: &[Point], frameworks: &[&str], x: &Scale, y: &Scale) {
    let key = |point: &Point| (point.row.framework.clone(), point.row.candidate_id.clone());
    let mut keys: Vec<(String, String)> = points.iter().map(key).collect();
    keys.sort_unstable();
    keys.dedup();
    for wanted in keys {
        let mut own: Vec<&Point> = points.iter().filter(|point| key(point) == wanted).collect();
        own.sort_by(|a, b| a.throughput.total_cmp(&b.throughput));
        let at: Vec<(f64, f64)> = own.iter().map(|p| (x.at(p.throughput), y.at(p.latency))).collect();
        if at.len() > 1 {
            let tone = TONES[place(frameworks, &wanted.0) % TONES.len()];
            svg.path(&format!("trail {tone}"), Path::default().to('M', &at[..1]).to('L', &at[1..]));
        }
    }
}

fn draw(svg: &mut Svg, points: &[Point], frameworks: &[&str], x: &Scale, y: &Scale) {
    let centres: Vec<(f64, f64)> = points.iter().map(|p| (x.at(p.throughput), y.at(p.latency))).collect();
    // Boxes that no number may cover: first all points, then each number that was written.
    let mut taken: Vec<[f64; 4]> =
        centres.iter().map(|(x, y)| [x - 6.0, y - 6.0, x + 6.0, y + 6.0]).collect();
    for (point, (x, y)) in points.iter().zip(&centres) {
        let row = point.row;
        let status = if row.status() == Status::Ok { "" } else { row.status().word() };
        svg.group(
            TONES[place(frameworks, &row.framework) % TONES.len()],
            &format!("{}: {} {} {status}", point.number, row.framework, row.candidate_id),
        );
        let class = if row.status() == Status::Ok { "shape" } else { "hollow" };
        shape(svg, class, place(frameworks, &row.framework), *x, *y);
        svg.end_group();
        let text = point.number.to_string();
        let width = text_width(&text, 12.0);
        if let Some(box_of) = free(&taken, *x, *y, width) {
            svg.text("", box_of[0], box_of[3] - 2.0, &text);
            taken.push(box_of);
        }
    }
}

/// A box for a number beside a point that covers nothing: right, above, below or left, near or a little away.
fn free(taken: &[[f64; 4]], x: f64, y: f64, width: f64) -> Option<[f64; 4]> {
    let place = |far: f64| {
        let half = width / 2.0;
        [(8.0 + far, -6.0), (-half, -20.0 - far), (-half, 8.0 + far), (-8.0 - far - width, -6.0)]
            .map(|(dx, dy)| [x + dx, y + dy, x + dx + width, y + dy + 12.0])
    };
    let covers = |a: &[f64; 4], b: &[f64; 4]| a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];
    let is_free = |found: &[f64; 4]| {
        found[0] > LEFT
            && found[2] < WIDTH
            && found[1] > TOP - 20.0
            && found[3] < BOTTOM + 1.0
            && !taken.iter().any(|other| covers(found, other))
    };
    [0.0, 8.0].into_iter().flat_map(place).find(is_free)
}

fn shape(svg: &mut Svg, class: &str, index: usize, x: f64, y: f64) {
    let polygon = |points: &[(f64, f64)]| {
        let at: Vec<(f64, f64)> = points.iter().map(|(dx, dy)| (x + dx, y + dy)).collect();
        Path::default().to('M', &at[..1]).to('L', &at[1..]).close()
    };
    match index % 5 {
        0 => svg.dot(class, x, y, 5.0),
        1 => svg.rect(class, x - 4.5, y - 4.5, 9.0, 9.0, 0.0),
        2 => svg.path(class, polygon(&[(0.0, -6.0), (5.5, 4.5), (-5.5, 4.5)])),
        3 => svg.path(class, polygon(&[(0.0, -6.0), (6.0, 0.0), (0.0, 6.0), (-6.0, 0.0)])),
        _ => svg.path(class, polygon(&[(0.0, 6.0), (5.5, -4.5), (-5.5, -4.5)])),
    }
}

const NOT_OK: &str = "hollow: not ok";

fn legend_lines<'a>(frameworks: &[&'a str]) -> Vec<Vec<(&'a str, f64)>> {
    let mut lines: Vec<Vec<(&str, f64)>> = vec![Vec::new()];
    let mut x = LEFT;
    for name in frameworks.iter().copied().chain([NOT_OK]) {
        let width = 14.0 + text_width(name, 11.0) + 20.0;
        if x + width > WIDTH && x > LEFT {
            lines.push(Vec::new());
            x = LEFT;
        }
        if let Some(line) = lines.last_mut() {
            line.push((name, x));
        }
        x += width;
    }
    lines
}

fn legend(svg: &mut Svg, lines: &[Vec<(&str, f64)>], frameworks: &[&str]) {
    for (index, line) in lines.iter().enumerate() {
        let y = BOTTOM + 60.0 + LEGEND * index as f64;
        for (name, x) in line {
            let place = place(frameworks, name);
            let (tone, class, place) = if *name == NOT_OK {
                ("t-quiet", "hollow", 0)
            } else {
                (TONES[place % TONES.len()], "shape", place)
            };
            svg.group(tone, name);
            shape(svg, class, place, x + 5.0, y - 4.0);
            svg.text("soft", x + 16.0, y, name);
            svg.end_group();
        }
    }
}
