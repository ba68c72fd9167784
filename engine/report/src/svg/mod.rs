//! Pictures, written by hand as SVG.
//!
//! Colours come from CSS variables, so that one picture fits light and dark pages. Icons are paths, not characters
//! of a font. Every picture has a title for those who do not see it.

pub mod axis;
pub mod compare;
pub mod dag;
pub mod flame;
mod layout;
pub mod ratios;
mod reduce;
pub mod shares;
pub mod style;
pub mod timeline;

use crate::escape;
use crate::mark::Mark;
use std::fmt::{Display, Write};

/// A coordinate, printed with one decimal at most: files stay small and diffs readable.
struct Px(f64);

impl Display for Px {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tenths = (self.0 * 10.0).round();
        if tenths % 10.0 == 0.0 { write!(f, "{}", tenths / 10.0) } else { write!(f, "{:.1}", tenths / 10.0) }
    }
}

/// An SVG element in the making.
pub struct Svg {
    out: String,
}

impl Svg {
    /// Opens the root element. `title` names the picture; `style` is put inside for files that stand alone.
    pub fn new(class: &str, width: f64, height: f64, title: &str, style: Option<&str>) -> Self {
        let mut out = String::with_capacity(4096);
        let (w, h) = (Px(width), Px(height));
        let _ = write!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"{class}\" role=\"img\" width=\"{w}\" height=\"{h}\" \
             viewBox=\"0 0 {w} {h}\"><title>{}</title>",
            escape::html(title)
        );
        if let Some(style) = style {
            let _ = write!(out, "<style>{style}</style>");
        }
        Self { out }
    }

    /// Closes the root element.
    pub fn finish(mut self) -> String {
        self.out.push_str("</svg>");
        self.out
    }

    /// Adds markup that is already well-formed and escaped.
    pub fn raw(&mut self, markup: &str) {
        self.out.push_str(markup);
    }

    /// Opens a group with a tooltip.
    pub fn group(&mut self, class: &str, tooltip: &str) {
        let _ = write!(self.out, "<g class=\"{class}\"><title>{}</title>", escape::html(tooltip));
    }

    /// Closes the group opened last.
    pub fn end_group(&mut self) {
        self.out.push_str("</g>");
    }

    /// A rectangle; `radius` rounds its corners.
    pub fn rect(&mut self, class: &str, x: f64, y: f64, w: f64, h: f64, radius: f64) {
        let _ = write!(
            self.out,
            "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"",
            Px(x),
            Px(y),
            Px(w),
            Px(h)
        );
        if radius > 0.0 {
            let _ = write!(self.out, " rx=\"{}\"", Px(radius));
        }
        self.out.push_str("/>");
    }

    /// A straight line.
    pub fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        self.path(class, Path::default().to('M', &[from]).to('L', &[to]));
    }

    /// A path.
    pub fn path(&mut self, class: &str, path: Path) {
        let _ = write!(self.out, "<path class=\"{class}\" d=\"{}\"/>", path.0);
    }

    /// A dot.
    pub fn dot(&mut self, class: &str, x: f64, y: f64, radius: f64) {
        let _ = write!(
            self.out,
            "<circle class=\"{class}\" cx=\"{}\" cy=\"{}\" r=\"{}\"/>",
            Px(x),
            Px(y),
            Px(radius)
        );
    }

    /// One line of text; its place and size come from the class. Add `mid` or `end` to the class to anchor it.
    pub fn text(&mut self, class: &str, x: f64, y: f64, text: &str) {
        let _ = write!(
            self.out,
            "<text class=\"{class}\" x=\"{}\" y=\"{}\">{}</text>",
            Px(x),
            Px(y),
            escape::html(text)
        );
    }

    /// The icon of a mark with its upper left corner at `x`, `y`.
    pub fn icon(&mut self, mark: Mark, x: f64, y: f64) {
        let _ = write!(
            self.out,
            "<path class=\"icon {}\" transform=\"translate({} {})\" d=\"{}\"/>",
            mark.tone.class(),
            Px(x),
            Px(y),
            mark.path
        );
    }
}

/// Path data in the making.
#[derive(Default)]
pub struct Path(String);

impl Path {
    /// Adds a command and its points.
    pub fn to(mut self, command: char, points: &[(f64, f64)]) -> Self {
        self.0.push(command);
        for (index, (x, y)) in points.iter().enumerate() {
            let blank = if index > 0 { " " } else { "" };
            let _ = write!(self.0, "{blank}{} {}", Px(*x), Px(*y));
        }
        self
    }

    /// Closes the shape.
    pub fn close(mut self) -> Self {
        self.0.push('z');
        self
    }
}

/// Width of text in pixels at `size` px, estimated for a system sans serif (no font can be asked here).
pub fn text_width(text: &str, size: f64) -> f64 {
    let em = |c: char| match c {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | '\'' | '|' | ':' | ';' | '!' | '[' | ']' | 'f' | 't' | 'r'
        | ' ' => 0.36,
        'm' | 'w' | 'M' | 'W' | '@' => 0.9,
        c if c.is_ascii_uppercase() => 0.7,
        c if (c as u32) > 0x2e80 => 1.0,
        _ => 0.58,
    };
    text.chars().map(em).sum::<f64>() * size
}
