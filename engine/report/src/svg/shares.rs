//! Shares of a whole: one bar for each row, cut into named parts. Parts are told apart by their labels and by an order
//! that is the same in every bar; colour only helps.

use super::{Svg, text_width};
use crate::format::shorten;

const WIDTH: f64 = 1000.0;
const BAR: f64 = 26.0;
const ROW: f64 = 58.0;
const LEGEND: f64 = 20.0;
/// Colours of the style sheet; parts beyond them begin again.
const COLOURS: usize = 10;

/// One bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// What it is about.
    pub label: String,
    /// Name of each part and its size, in any one unit; in the order of drawing.
    pub parts: Vec<(String, f64)>,
    /// Said at the end of the label: the whole with its unit.
    pub whole: String,
}

/// The picture; bars are as wide as their share of the widest.
pub fn picture(title: &str, bars: &[Bar]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in bars.iter().flat_map(|bar| &bar.parts) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let lines = legend_lines(&names);
    let height = bars.len() as f64 * ROW + lines.len() as f64 * LEGEND + 12.0;
    let mut svg = Svg::new("sh", WIDTH, height, title, None);
    for (index, bar) in bars.iter().enumerate() {
        draw(&mut svg, bar, index as f64 * ROW, &names);
    }
    let mut y = bars.len() as f64 * ROW + 16.0;
    for line in lines {
        let mut x = 0.0;
        for name in line {
            svg.rect(&format!("part {}", class(&names, name)), x, y - 10.0, 12.0, 12.0, 2.0);
            svg.text("soft", x + 17.0, y, name);
            x += 17.0 + text_width(name, 11.0) + 18.0;
        }
        y += LEGEND;
    }
    svg.finish()
}

fn legend_lines<'a>(names: &[&'a str]) -> Vec<Vec<&'a str>> {
    let mut lines: Vec<Vec<&str>> = Vec::new();
    let mut x = WIDTH;
    for name in names {
        let width = 35.0 + text_width(name, 11.0);
        if x + width > WIDTH {
            lines.push(Vec::new());
            x = 0.0;
        }
        x += width;
        if let Some(line) = lines.last_mut() {
            line.push(name);
        }
    }
    lines
}

fn class(names: &[&str], name: &str) -> String {
    format!("k{}", names.iter().position(|other| *other == name).unwrap_or(0) % COLOURS)
}

fn draw(svg: &mut Svg, bar: &Bar, y: f64, names: &[&str]) {
    svg.text("name", 0.0, y + 14.0, &bar.label);
    svg.text("soft end", WIDTH, y + 14.0, &bar.whole);
    let whole: f64 = bar.parts.iter().map(|part| part.1).sum();
    let mut x = 0.0;
    for (name, size) in bar.parts.iter().filter(|part| part.1 > 0.0) {
        let width = size / whole * WIDTH;
        let share = size * 100.0 / whole;
        svg.group("", &format!("{name}: {share:.1} %"));
        svg.rect(&format!("part {}", class(names, name)), x, y + 21.0, width, BAR, 0.0);
        let full = format!("{name} {share:.0} %");
        let label =
            if text_width(&full, 11.5) + 8.0 <= width { full } else { shorten(name, (width / 7.0) as usize) };
        if text_width(&label, 11.5) + 8.0 <= width && label.len() > 2 {
            svg.text("in", x + 5.0, y + 21.0 + BAR / 2.0 + 4.0, &label);
        }
        svg.end_group();
        x += width;
    }
}
