//! A comparison as a picture: the ratio with its interval against 1 and the threshold, and the samples of both sides.

use super::axis::round_ticks;
use super::{Path, Svg, text_width};
use crate::format;
use crate::model::Comparison;

const WIDTH: f64 = 720.0;
const LEFT: f64 = 110.0;
const RIGHT: f64 = 24.0;
const RATIO_HEIGHT: f64 = 118.0;
const SIDE_HEIGHT: f64 = 56.0;
/// Samples drawn per side; more are thinned evenly.
const MAX_DOTS: usize = 400;

/// Draws the comparison; `None` if nothing in it can be drawn.
pub fn picture(comparison: &Comparison) -> Option<String> {
    let has_ratio = comparison.ratio.is_some_and(|ratio| ratio > 0.0);
    if !has_ratio && comparison.samples.is_empty() {
        return None;
    }
    let ratio_height = if has_ratio { RATIO_HEIGHT } else { 0.0 };
    let sides = comparison.samples.len() as f64;
    let samples_height = if sides > 0.0 { sides * SIDE_HEIGHT + 44.0 } else { 0.0 };
    let title = format!("{}: {}", comparison.path, comparison.sentence());
    let mut svg = Svg::new("cp", WIDTH, ratio_height + samples_height, &title, None);
    if let Some(ratio) = comparison.ratio.filter(|_| has_ratio) {
        draw_ratio(&mut svg, comparison, ratio);
    }
    if sides > 0.0 {
        draw_samples(&mut svg, comparison, ratio_height);
    }
    Some(svg.finish())
}

/// A logarithmic axis of ratios: twice as fast and twice as slow are equally far from 1.
struct RatioAxis {
    low: f64,
    high: f64,
}

impl RatioAxis {
    fn new(comparison: &Comparison, ratio: f64) -> Self {
        let (low, high) = comparison.interval.filter(|(low, _)| *low > 0.0).unwrap_or((ratio, ratio));
        let band = 1.0 + comparison.threshold.unwrap_or(0.0).max(0.0);
        let low = low.min(ratio).min(1.0 / band).min(1.0);
        let high = high.max(ratio).max(band).max(1.0);
        let margin = ((high / low).ln() * 0.12).max(0.012).exp();
        Self { low: low / margin, high: high * margin }
    }

    fn x(&self, ratio: f64) -> f64 {
        let share = (ratio / self.low).ln() / (self.high / self.low).ln();
        LEFT + share.clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT)
    }

    fn ticks(&self) -> Vec<f64> {
        if self.high / self.low < 6.0 {
            return round_ticks(self.low, self.high, 6);
        }
        let decades = self.low.log10().floor() as i32..=self.high.log10().ceil() as i32;
        let all = decades.flat_map(|decade| [1.0, 2.0, 5.0].map(|m| m * 10_f64.powi(decade)));
        all.filter(|tick| *tick >= self.low && *tick <= self.high).collect()
    }
}

fn draw_ratio(svg: &mut Svg, comparison: &Comparison, ratio: f64) {
    let axis = RatioAxis::new(comparison, ratio);
    let (top, bottom) = (26.0, 84.0);
    let middle = (top + bottom) / 2.0;
    if let Some(threshold) = comparison.threshold.filter(|threshold| *threshold > 0.0) {
        let (from, to) = (axis.x(1.0 / (1.0 + threshold)), axis.x(1.0 + threshold));
        svg.group("", &format!("Threshold: {} %", format::significant(threshold * 100.0, 3)));
        svg.rect("tie", from, top, (to - from).max(1.0), bottom - top, 0.0);
        svg.end_group();
    }
    for tick in axis.ticks() {
        let x = axis.x(tick);
        svg.line("grid", (x, bottom), (x, bottom + 5.0));
        svg.text("soft mid", x, bottom + 18.0, &format::significant(tick, 4));
    }
    svg.line("grid", (LEFT, bottom), (WIDTH - RIGHT, bottom));
    let one = axis.x(1.0);
    svg.line("equal", (one, top - 6.0), (one, bottom));
    svg.text("name end", LEFT - 14.0, middle - 2.0, "Ratio");
    svg.text("soft end", LEFT - 14.0, middle + 13.0, "95 % interval");
    if one - LEFT > text_width("← baseline better", 11.0) {
        svg.text("soft end", one - 8.0, top - 10.0, "← baseline better");
    }
    if WIDTH - one > text_width("candidate better →", 11.0) {
        svg.text("soft", one + 8.0, top - 10.0, "candidate better →");
    }
    let mut label = format::significant(ratio, 4);
    if let Some((low, high)) = comparison.interval {
        let (from, to) = (axis.x(low), axis.x(high));
        svg.line("ci", (from, middle), (to, middle));
        for x in [from, to] {
            svg.line("ci", (x, middle - 6.0), (x, middle + 6.0));
        }
        label = format!("{label}  [{}, {}]", format::significant(low, 4), format::significant(high, 4));
    }
    svg.dot("point", axis.x(ratio), middle, 5.5);
    let half = text_width(&label, 13.0) / 2.0;
    let x = axis.x(ratio).clamp(LEFT + half, WIDTH - RIGHT - half);
    svg.text("name mid", x, middle - 13.0, &label);
}

/// The five numbers of a box plot: least, quartiles, greatest.
fn five(samples: &[f64]) -> [f64; 5] {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    // Linear interpolation between order statistics (type 7 of Hyndman and Fan 1996), as in NumPy and R.
    let at = |share: f64| {
        let place = share * (sorted.len() - 1) as f64;
        let (below, part) = (place.floor() as usize, place.fract());
        let above = (below + 1).min(sorted.len() - 1);
        sorted[below] + (sorted[above] - sorted[below]) * part
    };
    [at(0.0), at(0.25), at(0.5), at(0.75), at(1.0)]
}

fn draw_samples(svg: &mut Svg, comparison: &Comparison, top: f64) {
    let fives: Vec<[f64; 5]> = comparison.samples.iter().map(|(_, samples)| five(samples)).collect();
    let low = fives.iter().map(|five| five[0]).fold(f64::INFINITY, f64::min);
    let high = fives.iter().map(|five| five[4]).fold(f64::NEG_INFINITY, f64::max);
    let margin = ((high - low) * 0.05).max(high.abs() * 0.002).max(f64::MIN_POSITIVE);
    let (low, high) = (low - margin, high + margin);
    let x = |value: f64| LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT);
    let bottom = top + 14.0 + comparison.samples.len() as f64 * SIDE_HEIGHT;
    for tick in round_ticks(low, high, 6) {
        svg.line("grid", (x(tick), top + 8.0), (x(tick), bottom));
        svg.text("soft mid", x(tick), bottom + 15.0, &with_unit(tick, &comparison.unit));
    }
    for (index, ((side, samples), five)) in comparison.samples.iter().zip(&fives).enumerate() {
        let centre = top + 14.0 + (index as f64 + 0.5) * SIDE_HEIGHT;
        draw_side(svg, comparison, side, samples, five, centre, x);
    }
}

fn draw_side(
    svg: &mut Svg,
    comparison: &Comparison,
    side: &str,
    samples: &[f64],
    five: &[f64; 5],
    centre: f64,
    x: impl Fn(f64) -> f64,
) {
    let [least, lower, median, upper, greatest] = *five;
    let median_text = with_unit(median, &comparison.unit);
    svg.group("", &format!("{side}: median {median_text} of {} samples", samples.len()));
    svg.text("name end", LEFT - 14.0, centre - 2.0, &format::shorten(side, 13));
    svg.text("soft end", LEFT - 14.0, centre + 13.0, &median_text);
    let y = centre - 10.0;
    svg.path("whisker", Path::default().to('M', &[(x(least), y)]).to('L', &[(x(greatest), y)]));
    svg.rect("quartiles", x(lower), y - 7.0, (x(upper) - x(lower)).max(1.0), 14.0, 2.0);
    svg.line("median", (x(median), y - 9.0), (x(median), y + 9.0));
    let stride = samples.len().div_ceil(MAX_DOTS);
    for (index, sample) in samples.iter().step_by(stride).enumerate() {
        // Multiples of the golden ratio spread neighbours evenly without a random number.
        let jitter = (index as f64 * 0.618_033_988_75).fract() * 14.0;
        svg.dot("sample", x(*sample), centre + 6.0 + jitter, 2.3);
    }
    svg.end_group();
}

fn with_unit(value: f64, unit: &str) -> String {
    match unit {
        "s" => format::duration(value),
        "ms" => format::duration(value / 1e3),
        "us" | "µs" => format::duration(value / 1e6),
        "ns" => format::duration(value / 1e9),
        "" => format::significant(value, 4),
        unit => format!("{} {unit}", format::significant(value, 4)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_interpolate() {
        assert_eq!(five(&[4.0, 1.0, 2.0, 3.0]), [1.0, 1.75, 2.5, 3.25, 4.0]);
        assert_eq!(five(&[7.0]), [7.0; 5]);
    }

    #[test]
    fn twice_and_half_are_equally_far_from_one() {
        let axis = RatioAxis { low: 0.25, high: 4.0 };
        assert!((axis.x(2.0) - axis.x(1.0) - (axis.x(1.0) - axis.x(0.5))).abs() < 1e-9);
    }

    #[test]
    fn units_become_durations() {
        assert_eq!(with_unit(1500.0, "ns"), "1.5 µs");
        assert_eq!(with_unit(3.0, "tok/s"), "3 tok/s");
    }
}
