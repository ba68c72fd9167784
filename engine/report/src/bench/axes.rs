//! Axes of the pictures of a benchmark: round ticks, linear from 0 or logarithmic, with their unit.

use crate::format;
use crate::svg::Svg;
use crate::svg::axis::round_ticks;

/// Width of every picture.
pub const WIDTH: f64 = 760.0;
/// Room at the left, for the labels of the upright axis.
pub const LEFT: f64 = 70.0;
/// Room at the right, for half a label.
pub const RIGHT: f64 = 26.0;

/// Where values stand along one direction, in pixels.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
    is_log: bool,
}

impl Scale {
    /// From 0 to a round number that holds `most`, from pixel `from` to pixel `to`.
    pub fn linear(most: f64, from: f64, to: f64) -> Self {
        let most = if most > 0.0 { most } else { 1.0 };
        let step = round_ticks(0.0, most, 4).get(1).copied().unwrap_or(most);
        Self { low: 0.0, high: (most / step).ceil() * step, from, to, is_log: false }
    }

    /// From 0 to exactly `most`.
    pub fn exact(most: f64, from: f64, to: f64) -> Self {
        Self { low: 0.0, high: if most > 0.0 { most } else { 1.0 }, from, to, is_log: false }
    }

    /// Equal ratios are equally long; `low` and `high` are above 0. A narrow range is widened to a factor of 2.
    pub fn log(low: f64, high: f64, from: f64, to: f64) -> Self {
        let widen = (2.0 / (high / low)).max(1.0).sqrt();
        Self { low: low / widen, high: high * widen, from, to, is_log: true }
    }

    /// Where a value stands; values outside stand at the nearer end.
    pub fn at(&self, value: f64) -> f64 {
        let share = if self.is_log {
            (value.max(f64::MIN_POSITIVE) / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        self.from + share.clamp(0.0, 1.0) * (self.to - self.from)
    }

    /// Round values, about `wished` of them.
    pub fn ticks(&self, wished: usize) -> Vec<f64> {
        if !self.is_log {
            return round_ticks(self.low, self.high, wished);
        }
        let decades = self.low.log10().floor() as i32..=self.high.log10().ceil() as i32;
        let within = |tick: &f64| *tick >= self.low * 0.999 && *tick <= self.high * 1.001;
        let of = |steps: &[f64]| -> Vec<f64> {
            let all = decades.clone().flat_map(|decade| steps.iter().map(move |m| m * 10_f64.powi(decade)));
            all.filter(within).collect()
        };
        let found = [&[1.0, 2.0, 5.0][..], &[1.0, 3.0], &[1.0]].map(of);
        let chosen = found.iter().find(|ticks| ticks.len() <= wished).unwrap_or(&found[2]);
        if chosen.len() >= 3 { chosen.clone() } else { round_ticks(self.low, self.high, wished.min(6)) }
    }
}

/// The axis below a picture: a line up to `top` for each tick, numbers and the unit.
pub fn below(svg: &mut Svg, scale: &Scale, top: f64, bottom: f64, unit: &str) {
    for tick in scale.ticks(12) {
        let x = scale.at(tick);
        svg.line("grid", (x, top), (x, bottom + 4.0));
        svg.text("soft mid", x, bottom + 17.0, &number(tick));
    }
    svg.line("base", (scale.from, bottom), (scale.to, bottom));
    svg.text("soft mid", f64::midpoint(scale.from, scale.to), bottom + 35.0, unit);
}

/// The axis at the left of a picture: a line to the right for each tick, and numbers with `suffix`.
pub fn left(svg: &mut Svg, scale: &Scale, suffix: &str) {
    for tick in scale.ticks(if scale.is_log { 7 } else { 5 }) {
        let y = scale.at(tick);
        svg.line("grid", (LEFT, y), (WIDTH - RIGHT, y));
        svg.text("soft end", LEFT - 8.0, y + 4.0, &format!("{}{suffix}", number(tick)));
    }
}

/// A number of an axis: digits in groups, and no rests of binary fractions.
pub fn number(value: f64) -> String {
    if (10_000.0..1e12).contains(&value) {
        return format::grouped(value.round() as usize);
    }
    format::significant((value * 1e9).round() / 1e9, 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_ratios_are_equally_long() {
        let scale = Scale::log(1.0, 100.0, 0.0, 200.0);
        assert!((scale.at(10.0) - 100.0).abs() < 1e-9);
        assert_eq!(scale.ticks(12), [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]);
        assert_eq!(scale.at(1e9), 200.0);
    }

    #[test]
    fn a_single_value_still_has_an_axis() {
        let scale = Scale::log(10.0, 10.0, 0.0, 100.0);
        assert!((scale.at(10.0) - 50.0).abs() < 1e-9 && scale.ticks(12).len() >= 3, "{:?}", scale.ticks(12));
        assert!(Scale::linear(0.0, 0.0, 100.0).at(0.5).is_finite());
    }

    #[test]
    fn a_linear_axis_ends_at_a_round_number() {
        let scale = Scale::linear(93.0, 0.0, 100.0);
        assert_eq!(scale.ticks(5).last(), Some(&100.0));
        assert_eq!([10_000.0, 0.1 + 0.2, 250.0].map(number), ["10,000", "0.3", "250"]);
    }
}
