//! A flame graph: each box as wide as its share of the whole, callers above what they call.

use super::{Svg, text_width};
use crate::format;

const WIDTH: f64 = 1200.0;
const ROW: f64 = 18.0;
/// Boxes narrower than this are not drawn: nobody could see or touch them.
const NARROW: f64 = 0.7;
/// Rows drawn; deeper ones are left out, and the caption says so.
const DEEPEST: usize = 80;

/// A box with the boxes below it.
#[derive(Debug, Clone, PartialEq)]
pub struct Flame<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its size, in nanoseconds.
    pub ns: i64,
    /// Boxes below it, which together are no larger.
    pub children: Vec<Flame<'a>>,
}

/// The picture.
pub fn picture(title: &str, root: &Flame<'_>) -> String {
    let rows = depth(root, 1).min(DEEPEST);
    let mut svg = Svg::new("fl", WIDTH, rows as f64 * ROW + 4.0, title, None);
    draw(&mut svg, root, 0.0, WIDTH / root.ns.max(1) as f64, 0, root.ns.max(1));
    svg.finish()
}

fn depth(node: &Flame<'_>, so_far: usize) -> usize {
    if so_far >= DEEPEST {
        return so_far;
    }
    node.children.iter().map(|child| depth(child, so_far + 1)).max().unwrap_or(so_far)
}

fn draw(svg: &mut Svg, node: &Flame<'_>, x: f64, scale: f64, row: usize, whole: i64) {
    let width = node.ns as f64 * scale;
    if width < NARROW || row >= DEEPEST {
        return;
    }
    let y = row as f64 * ROW + 2.0;
    let share = node.ns as f64 * 100.0 / whole as f64;
    svg.group("", &format!("{}: {}, {share:.2} %", node.name, format::duration(node.ns as f64 / 1e9)));
    svg.rect(&format!("part f{}", shade(node.name)), x, y, (width - 0.6).max(0.4), ROW - 1.5, 1.5);
    let letters = ((width - 8.0) / 6.6).max(0.0) as usize;
    if letters >= 3 {
        let label = format::shorten(node.name, letters);
        if text_width(&label, 11.0) <= width {
            svg.text("in", x + 4.0, y + 12.0, &label);
        }
    }
    svg.end_group();
    let mut left = x;
    for child in &node.children {
        draw(svg, child, left, scale, row + 1, whole);
        left += child.ns as f64 * scale;
    }
}

/// A shade by the name, so that one function looks the same everywhere.
fn shade(name: &str) -> u32 {
    name.bytes().fold(0u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte))) % 6
}
