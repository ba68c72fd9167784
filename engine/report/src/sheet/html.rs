//! A sheet as one HTML file: readable without scripts, without colour and without a network.

use super::{Block, Remark, Section, Sheet, Table, Tone};
use crate::escape;
use crate::html::{inline, style};
use crate::svg::style::{PICTURES, VARIABLES};
use std::fmt::Write;

/// Styles that only sheets need.
const SHEET: &str = "\
.answer{margin:20px 0 0;padding:16px 20px;border:1px solid var(--tone);border-left-width:6px;border-radius:10px;\
background:var(--tint)}.answer p{margin:0;font-size:17px;font-weight:600;max-width:none}.answer .act{font-weight:400;\
font-size:14px;margin-top:6px;color:var(--soft)}main,header,footer{max-width:1720px}\
table.sheet td{max-width:420px;font-size:13px}table.sheet td.code{overflow-wrap:anywhere}table.sheet td.code{min-width:170px}table.sheet td.long{min-width:230px}\
table.sheet td.code.short{min-width:0;white-space:nowrap}\
table.sheet td.num{white-space:nowrap}table.sheet td code{background:none;padding:0}\
dl.facts{display:grid;grid-template-columns:max-content 1fr;gap:2px 18px;margin:14px 0 0;font-size:14px}\
dl.facts dt{color:var(--soft)}dl.facts dd{margin:0;overflow-wrap:anywhere}.empty{color:var(--soft);font-style:italic}\
tbody tr:hover{background:var(--faint)}";

/// Texts longer than this get a wide column.
const LONG: usize = 48;

/// Names of code up to this are not broken, and their column is as narrow as they are.
const SHORT: usize = 24;

/// The whole page.
pub fn html(sheet: &Sheet) -> String {
    let mut out = String::with_capacity(64 << 10);
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <title>{}</title><style>{VARIABLES}{PICTURES}{}{SHEET}</style></head><body>",
        escape::html(&sheet.title),
        style::PAGE
    );
    header(&mut out, sheet);
    out.push_str("<main>");
    sheet.sections.iter().for_each(|section| self::section(&mut out, section));
    out.push_str("</main><footer><p>Written by Assay.</p></footer></body></html>\n");
    out
}

fn header(out: &mut String, sheet: &Sheet) {
    let _ = write!(out, "<header><h1>{}</h1><dl class=\"facts\">", escape::html(&sheet.title));
    for (name, value) in &sheet.facts {
        let _ = write!(out, "<dt>{}</dt><dd>{}</dd>", escape::html(name), inline(value));
    }
    out.push_str("</dl>");
    if let Some(answer) = &sheet.answer {
        let _ = write!(
            out,
            "<div class=\"answer {}\" role=\"status\"><p>{}</p>",
            class(answer.tone),
            inline(&answer.text)
        );
        if let Some(help) = &answer.help {
            let _ = write!(out, "<p class=\"act\">{}</p>", inline(help));
        }
        out.push_str("</div>");
    }
    out.push_str("<nav aria-label=\"Sections\">");
    for section in &sheet.sections {
        let _ =
            write!(out, "<a href=\"#{}\">{}</a>", escape::html(&section.id), escape::html(&section.title));
    }
    out.push_str("</nav></header>");
}

fn section(out: &mut String, section: &Section) {
    let (id, title) = (escape::html(&section.id), escape::html(&section.title));
    let _ =
        write!(out, "<section id=\"{id}\" aria-labelledby=\"{id}-title\"><h2 id=\"{id}-title\">{title}</h2>");
    for block in &section.blocks {
        match block {
            Block::Text(text) => drop(write!(out, "<p>{}</p>", inline(text))),
            Block::Remark(remark) => self::remark(out, remark),
            Block::Table(table) => self::table(out, table),
            Block::Figure(figure) => drop(write!(
                out,
                "<figure class=\"figure\"><div class=\"scroll\">{}</div><figcaption>{}</figcaption></figure>",
                figure.svg,
                inline(&figure.caption)
            )),
        }
    }
    out.push_str("</section>");
}

fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "t-quiet",
        Tone::Good => "t-good",
        Tone::Warn => "t-warn",
        Tone::Bad => "t-bad",
    }
}

fn remark(out: &mut String, remark: &Remark) {
    let _ = write!(out, "<div class=\"card {}\"><p>{}</p>", class(remark.tone), inline(&remark.text));
    if let Some(help) = &remark.help {
        let _ = write!(out, "<p class=\"soft\">{}</p>", inline(help));
    }
    out.push_str("</div>");
}

fn table(out: &mut String, table: &Table) {
    let _ = write!(
        out,
        "<div class=\"scroll\"><table class=\"sheet\"><caption>{}</caption><thead><tr>",
        inline(&table.caption)
    );
    for column in &table.columns {
        let number = if column.numeric { " class=\"num\"" } else { "" };
        let _ = write!(out, "<th scope=\"col\"{number}>{}</th>", escape::html(column.title));
    }
    out.push_str("</tr></thead><tbody>");
    let long: Vec<bool> = (0..table.columns.len())
        .map(|column| table.rows.iter().any(|row| row[column].shown.len() > LONG))
        .collect();
    let short: Vec<bool> = (0..table.columns.len())
        .map(|column| table.rows.iter().all(|row| row[column].shown.chars().count() <= SHORT))
        .collect();
    for row in &table.rows {
        out.push_str("<tr>");
        for (((cell, column), long), short) in row.iter().zip(&table.columns).zip(&long).zip(&short) {
            let number = match (column.numeric, column.code, long) {
                (true, ..) => " class=\"num\"",
                (_, true, _) if *short => " class=\"code short\"",
                (_, true, _) => " class=\"code\"",
                (_, _, true) => " class=\"long\"",
                _ => "",
            };
            let whole = if cell.exact == cell.shown || column.numeric {
                String::new()
            } else {
                format!(" title=\"{}\"", escape::html(&cell.exact))
            };
            let shown = escape::html(&cell.shown);
            let shown = if column.code && !cell.exact.is_empty() {
                format!("<code>{shown}</code>")
            } else {
                shown.into_owned()
            };
            let _ = write!(out, "<td{number}{whole}>{shown}</td>");
        }
        out.push_str("</tr>");
    }
    if table.rows.is_empty() {
        let _ = write!(
            out,
            "<tr><td class=\"empty\" colspan=\"{}\">{}</td></tr>",
            table.columns.len().max(1),
            inline(&table.empty)
        );
    }
    out.push_str("</tbody></table></div>");
}

#[cfg(test)]
mod tests {
    #[test]
    fn nothing_is_left_unescaped() {
        let page = super::html(&super::super::sample());
        assert!(page.contains("void f&lt;a|b&gt;(&quot;x&quot;)") && page.contains("a &amp; b"), "{page}");
        assert!(page.contains("<code>g</code> dominates") && page.contains("no pattern matched"), "{page}");
        assert!(!page.contains("<script") && !page.contains("http://") && page.contains("<svg></svg>"));
    }
}
