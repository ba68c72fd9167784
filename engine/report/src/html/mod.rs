//! `report.html`: one file, readable without scripts, without colour and without a network.
//!
//! Text is put together by hand: a run of one step must not pay for a template engine. All recorded text passes
//! through [`escape::html`].

mod evidence;
mod head;
mod pictures;
mod records;
mod results;
pub(crate) mod style;

use crate::escape;
use crate::mark::{self, Mark};
use crate::model::Model;
use crate::svg::style::{PICTURES, VARIABLES};
use std::fmt::Write;

/// The whole page.
pub fn render(model: &Model) -> String {
    let mut page = Page { out: String::with_capacity(32 << 10), sections: Vec::new() };
    evidence::rests_on(model, &mut page);
    evidence::failures(model, &mut page);
    pictures::dag(model, &mut page);
    pictures::timeline(model, &mut page);
    results::outputs(model, &mut page);
    results::comparisons(model, &mut page);
    results::deliveries(model, &mut page);
    records::steps(model, &mut page);
    records::inputs(model, &mut page);
    records::environment(model, &mut page);
    records::answers(model, &mut page);
    records::notes(model, &mut page);
    records::sessions(model, &mut page);
    let mut out = String::with_capacity(page.out.len() + (16 << 10));
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <title>{}: {}</title><style>{VARIABLES}{PICTURES}{}</style></head><body>",
        escape::html(model.name()),
        escape::html(&model.verdict.title),
        style::PAGE
    );
    icons(&mut out);
    head::render(model, &page.sections, &mut out);
    out.push_str("<main>");
    out.push_str(&page.out);
    out.push_str("</main>");
    head::footer(model, &mut out);
    out.push_str("</body></html>\n");
    out
}

/// Every icon once; the page refers to them.
fn icons(out: &mut String) {
    out.push_str("<svg width=\"0\" height=\"0\" class=\"defs\" aria-hidden=\"true\"><defs>");
    for (index, mark) in mark::ALL.iter().enumerate() {
        let _ =
            write!(out, "<symbol id=\"i{index}\" viewBox=\"0 0 16 16\"><path d=\"{}\"/></symbol>", mark.path);
    }
    out.push_str("</defs></svg>");
}

/// The body in the making.
struct Page {
    out: String,
    sections: Vec<(&'static str, &'static str)>,
}

impl Page {
    /// Opens a section that the navigation links to.
    fn section(&mut self, id: &'static str, title: &'static str) {
        self.sections.push((id, title));
        let _ = write!(
            self.out,
            "<section id=\"{id}\" aria-labelledby=\"{id}-title\"><h2 id=\"{id}-title\">{title}</h2>"
        );
    }

    fn end_section(&mut self) {
        self.out.push_str("</section>");
    }

    /// A paragraph of recorded or own text, with backticks as code.
    fn paragraph(&mut self, class: &str, text: &str) {
        let _ = write!(self.out, "<p class=\"{class}\">{}</p>", inline(text));
    }

    /// Opens a table; a heading that starts with `#` heads a column of numbers.
    fn table(&mut self, class: &str, caption: &str, heads: &[&str]) {
        let _ = write!(
            self.out,
            "<div class=\"scroll\"><table class=\"{class}\"><caption>{}</caption>",
            inline(caption)
        );
        if !heads.is_empty() {
            self.out.push_str("<thead><tr>");
            for head in heads {
                let (class, head) =
                    head.strip_prefix('#').map_or(("", *head), |rest| (" class=\"num\"", rest));
                let _ = write!(self.out, "<th scope=\"col\"{class}>{}</th>", escape::html(head));
            }
            self.out.push_str("</tr></thead>");
        }
        self.out.push_str("<tbody>");
    }

    fn end_table(&mut self) {
        self.out.push_str("</tbody></table></div>");
    }

    /// A table of names and values.
    fn pairs(&mut self, caption: &str, pairs: &[(String, String)]) {
        self.table("pairs", caption, &[]);
        for (name, value) in pairs {
            let (name, value) = (escape::html(name), escape::html(value));
            let _ = write!(self.out, "<tr><th scope=\"row\">{name}</th><td>{value}</td></tr>");
        }
        self.end_table();
    }
}

/// A mark as icon and word.
fn badge(mark: Mark) -> String {
    let index = mark::ALL.iter().position(|other| other.path == mark.path).unwrap_or(0);
    format!(
        "<span class=\"badge {}\"><svg aria-hidden=\"true\"><use href=\"#i{index}\"/></svg>{}</span>",
        mark.tone.class(),
        escape::html(mark.word)
    )
}

/// Escaped text with what stands between backticks as code.
pub(crate) fn inline(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut parts = text.split('`').peekable();
    let mut is_code = false;
    while let Some(part) = parts.next() {
        match (is_code, parts.peek()) {
            (true, Some(_)) => {
                let _ = write!(out, "<code>{}</code>", escape::html(part));
            }
            // A backtick without a partner stays what it is.
            (true, None) => {
                let _ = write!(out, "`{}", escape::html(part));
            }
            (false, _) => out.push_str(&escape::html(part)),
        }
        is_code = !is_code;
    }
    out
}

/// A link to a file of the run directory.
fn link(path: &str, text: &str) -> String {
    format!("<a href=\"{}\">{}</a>", escape::html(&escape::href(path)), escape::html(text))
}

/// A path of a step, with places where the browser may break it.
fn step_path(path: &str) -> String {
    escape::html(path).replace('/', "/<wbr>").replace('[', "<wbr>[")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backticks_become_code_and_nothing_else_gets_through() {
        assert_eq!(inline("see `a<b` and <i>"), "see <code>a&lt;b</code> and &lt;i&gt;");
        assert_eq!(inline("odd ` tick"), "odd ` tick");
    }
}
