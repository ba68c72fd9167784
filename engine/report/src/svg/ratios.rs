//! Ratios with their intervals, one per line, on a logarithmic axis around 1.

use super::axis::round_ticks;
use super::{Path, Svg, text_width};
use crate::format;

const WIDTH: f64 = 820.0;
const TOP: f64 = 30.0;
const LINE: f64 = 30.0;
/// Names are bold, and fonts differ: room beside what a text is estimated to take.
const BOLD: f64 = 1.18;
/// Room for the figures at the right.
const FIGURES: f64 = 178.0;
/// Characters of a name that are shown.
const LABEL: usize = 40;

/// A line of the picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Ratio {
    /// What it is of.
    pub label: String,
    /// Estimate, lower and upper end; above 1 the candidate is faster.
    pub interval: [f64; 3],
    /// Class of its colour, such as `t-good`.
    pub tone: &'static str,
    /// Drawn hollow: it no longer counts.
    pub hollow: bool,
    /// A second mark on the line: what became of it in the whole, and in words.
    pub whole: Option<(f64, String)>,
}

impl Ratio {
    fn second(&self) -> Option<f64> {
        self.whole.as_ref().map(|(value, _)| *value).filter(|value| value.is_finite() && *value > 0.0)
    }
}

struct Axis {
    low: f64,
    high: f64,
    left: f64,
    right: f64,
}

impl Axis {
    fn x(&self, ratio: f64) -> f64 {
        let share = (ratio / self.low).ln() / (self.high / self.low).ln();
        self.left + share.clamp(0.0, 1.0) * (self.right - self.left)
    }

    fn ticks(&self) -> Vec<f64> {
        if self.high / self.low < 4.0 {
            return round_ticks(self.low, self.high, 6);
        }
        let decades = self.low.log10().floor() as i32..=self.high.log10().ceil() as i32;
        let all = decades.flat_map(|decade| [1.0, 2.0, 5.0].map(|m| m * 10_f64.powi(decade)));
        all.filter(|tick| *tick >= self.low && *tick <= self.high).collect()
    }
}

/// Draws the lines; `None` if none can be drawn. `band`: the share around 1 that counts as no change.
pub fn picture(title: &str, ratios: &[Ratio], band: Option<f64>) -> Option<String> {
    let sound = |ratio: &&Ratio| ratio.interval.iter().all(|value| value.is_finite() && *value > 0.0);
    let ratios: Vec<&Ratio> = ratios.iter().filter(sound).collect();
    if ratios.is_empty() {
        return None;
    }
    let labels = ratios.iter().map(|ratio| text_width(&shown(ratio), 13.0) * BOLD).fold(0.0, f64::max);
    let left = labels + 22.0;
    let ends = |of: fn(f64, f64) -> f64, start: f64| {
        ratios.iter().flat_map(|ratio| ratio.interval.into_iter().chain(ratio.second())).fold(start, of)
    };
    let (low, high) = (ends(f64::min, 1.0), ends(f64::max, 1.0));
    let margin = ((high / low).ln() * 0.06).max(0.02).exp();
    let axis = Axis { low: low / margin, high: high * margin, left, right: WIDTH - FIGURES };
    let bottom = TOP + LINE * ratios.len() as f64 + 6.0;
    let mut svg = Svg::new("rt", WIDTH, bottom + 26.0, title, None);
    frame(&mut svg, &axis, bottom, band);
    for (index, ratio) in ratios.iter().enumerate() {
        line(&mut svg, &axis, ratio, TOP + LINE * (index as f64 + 0.5) + 3.0);
    }
    Some(svg.finish())
}

/// Its name as drawn.
fn shown(ratio: &Ratio) -> String {
    format::shorten(&ratio.label, LABEL)
}

fn frame(svg: &mut Svg, axis: &Axis, bottom: f64, band: Option<f64>) {
    if let Some(band) = band.filter(|band| *band > 0.0) {
        let (from, to) = (axis.x(1.0 / (1.0 + band)), axis.x(1.0 + band));
        svg.group("", &format!("Less than {} % is no change", format::significant(band * 100.0, 3)));
        svg.rect("tie", from, TOP, (to - from).max(1.0), bottom - TOP, 0.0);
        svg.end_group();
    }
    let mut free = f64::NEG_INFINITY;
    for tick in axis.ticks() {
        let (x, text) = (axis.x(tick), format::significant(tick, 4));
        svg.line("grid", (x, TOP), (x, bottom));
        let half = text_width(&text, 11.0) / 2.0;
        if x - half > free {
            svg.text("soft mid", x, bottom + 16.0, &text);
            free = x + half + 8.0;
        }
    }
    let one = axis.x(1.0);
    svg.line("equal", (one, TOP - 6.0), (one, bottom));
    let (slower, faster) = ("← slower than the baseline", "faster →");
    if one - 8.0 > text_width(slower, 11.0) {
        svg.text("soft end", one - 8.0, TOP - 12.0, slower);
    }
    svg.text("soft", one + 8.0, TOP - 12.0, faster);
}

fn line(svg: &mut Svg, axis: &Axis, ratio: &Ratio, y: f64) {
    let [estimate, low, high] = ratio.interval;
    let figures = format!("{estimate:.3} [{low:.3}, {high:.3}]");
    svg.group(ratio.tone, &format!("{}: {figures}", ratio.label));
    svg.text("name end", axis.left - 18.0, y + 4.5, &shown(ratio));
    let (from, to) = (axis.x(low), axis.x(high));
    svg.line("ci", (from, y), (to, y));
    for x in [from, to] {
        svg.line("ci", (x, y - 5.0), (x, y + 5.0));
    }
    svg.dot(if ratio.hollow { "hollow" } else { "point" }, axis.x(estimate), y, 5.0);
    svg.text("end", WIDTH, y + 4.5, &figures);
    svg.end_group();
    if let (Some(value), Some((_, words))) = (ratio.second(), &ratio.whole) {
        let x = axis.x(value);
        svg.group(ratio.tone, &format!("{}: {words}", ratio.label));
        let corners = [(x, y - 6.0), (x + 6.0, y), (x, y + 6.0), (x - 6.0, y)];
        svg.path("whole", Path::default().to('M', &corners[..1]).to('L', &corners[1..]).close());
        svg.end_group();
    }
}

#[cfg(test)]
mod tests {
    use super::{Ratio, picture};

    fn ratio(interval: [f64; 3]) -> Ratio {
        Ratio { label: "R=1 <b>".to_owned(), interval, tone: "t-good", hollow: false, whole: None }
    }

    #[test]
    fn the_whole_is_a_second_mark_within_the_picture() {
        let mut one = ratio([2.0, 1.5, 2.5]);
        one.whole = Some((0.5, "tokens/s 1200 to 600".to_owned()));
        let drawn = picture("Ratios", &[one.clone()], None).expect("a picture");
        assert!(drawn.matches("class=\"whole\"").count() == 1 && drawn.contains("1200 to 600"), "{drawn}");
        one.whole = Some((f64::NAN, String::new()));
        assert!(!picture("Ratios", &[one], None).expect("a picture").contains("class=\"whole\""));
    }

    #[test]
    fn every_sound_ratio_has_a_line() {
        let drawn = picture("Ratios", &[ratio([2.0, 1.5, 2.5]), ratio([0.5, f64::NAN, 0.6])], Some(0.01));
        let drawn = drawn.expect("a picture");
        assert!(drawn.contains("2.000 [1.500, 2.500]") && drawn.contains("R=1 &lt;b&gt;"), "{drawn}");
        assert_eq!(drawn.matches("class=\"point\"").count(), 1);
        assert_eq!(picture("Ratios", &[ratio([0.0, 0.0, 0.0])], None), None);
    }
}
