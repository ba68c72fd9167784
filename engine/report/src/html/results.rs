//! Outputs, comparisons and delivered files.

use super::{Page, inline, link};
use crate::model::{Comparison, MAX_TABLE_ROWS, Model, Output, OutputKind};
use crate::svg::compare;
use crate::table::Table;
use crate::{escape, format, value};
use assay_protocol::Value;
use std::fmt::Write;

/// Deliveries listed.
const MAX_DELIVERIES: usize = 300;
/// Characters of a JSON output that are shown.
const MAX_JSON: usize = 4000;

/// The declared outputs: single values first, then tables.
pub fn outputs(model: &Model, page: &mut Page) {
    if model.outputs.is_empty() {
        return;
    }
    page.section("outputs", "Outputs");
    let single = |output: &&Output| matches!(output.kind, OutputKind::Scalar(_) | OutputKind::Null(_));
    if model.outputs.iter().any(|output| single(&output)) {
        page.out.push_str("<dl class=\"scalars\">");
        model.outputs.iter().filter(single).for_each(|output| scalar(output, page));
        page.out.push_str("</dl>");
    }
    for output in &model.outputs {
        let described =
            if output.description.is_empty() { String::new() } else { format!(": {}", output.description) };
        let caption = format!("`{}`{described}", output.name);
        match &output.kind {
            OutputKind::Table(table) => data_table(table, &caption, page),
            OutputKind::Json(text) => {
                page.paragraph("", &caption);
                let _ = write!(page.out, "<pre>{}</pre>", escape::html(&format::shorten(text, MAX_JSON)));
            }
            OutputKind::Scalar(_) | OutputKind::Null(_) => {}
        }
    }
    page.end_section();
}

fn scalar(output: &Output, page: &mut Page) {
    let _ = write!(page.out, "<div><dt>{}</dt>", escape::html(output.name));
    match &output.kind {
        OutputKind::Scalar(text) => {
            let _ = write!(
                page.out,
                "<dd>{} <small>{}</small></dd>",
                escape::html(&format::shorten(text, 300)),
                escape::html(output.unit)
            );
        }
        OutputKind::Null(reason) => {
            let _ = write!(page.out, "<dd class=\"null\">null: {}</dd>", inline(reason));
        }
        OutputKind::Table(_) | OutputKind::Json(_) => {}
    }
    if !output.description.is_empty() {
        let _ = write!(page.out, "<dd class=\"note\">{}</dd>", inline(output.description));
    }
    page.out.push_str("</div>");
}

/// A table of results; columns of numbers are set flush right.
fn data_table(table: &Table, caption: &str, page: &mut Page) {
    let numeric: Vec<bool> = table.columns.iter().map(|(key, _)| table.is_numeric(key)).collect();
    let heads: Vec<String> = table
        .columns
        .iter()
        .zip(&numeric)
        .map(|((_, title), numeric)| if *numeric { format!("#{title}") } else { (*title).to_owned() })
        .collect();
    let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
    page.table("data", caption, &heads);
    for row in table.rows.iter().take(MAX_TABLE_ROWS) {
        page.out.push_str("<tr>");
        for ((key, _), numeric) in table.columns.iter().zip(&numeric) {
            let class = if *numeric { "num" } else { "text" };
            let text = row.get(*key).map_or(String::new(), value::short);
            let _ = write!(
                page.out,
                "<td class=\"{class}\">{}</td>",
                escape::html(&format::shorten(&text, 1000))
            );
        }
        page.out.push_str("</tr>");
    }
    page.end_table();
    if table.rows.len() > MAX_TABLE_ROWS {
        let text = format!(
            "The first {MAX_TABLE_ROWS} of {} rows are shown; a file in `deliver` can have them all.",
            format::grouped(table.rows.len())
        );
        page.paragraph("soft", &text);
    }
}

/// Comparisons with their plots.
pub fn comparisons(model: &Model, page: &mut Page) {
    if model.comparisons.is_empty() {
        return;
    }
    page.section("comparisons", "Comparisons");
    for comparison in &model.comparisons {
        one_comparison(comparison, page);
    }
    if model.comparisons_total > model.comparisons.len() {
        let left = format::grouped(model.comparisons_total - model.comparisons.len());
        page.paragraph(
            "soft",
            &format!("{left} more comparisons are not drawn; their results are in the journal."),
        );
    }
    page.end_section();
}

fn one_comparison(comparison: &Comparison, page: &mut Page) {
    let _ = write!(page.out, "<h3>{}</h3>", escape::html(&comparison.path));
    page.paragraph("", &comparison.sentence());
    if let Some(picture) = compare::picture(comparison) {
        let _ = write!(
            page.out,
            "<figure class=\"figure\"><div class=\"scroll\" tabindex=\"0\">{picture}</div><figcaption>A ratio above 1 means \
             that the candidate is better. Boxes span the middle half of the samples, the line in a box is the median, \
             each dot is one sample.</figcaption></figure>"
        );
    }
    let rows = match &comparison.rows {
        Value::Array(rows) if !rows.is_empty() => Table::of_rows(&comparison.rows).ok(),
        _ => None,
    };
    if let Some(table) = rows {
        data_table(&table, "Both sides as measured", page);
    }
}

/// Files placed in the run directory.
pub fn deliveries(model: &Model, page: &mut Page) {
    let deliveries = &model.state().deliveries;
    if deliveries.is_empty() {
        return;
    }
    page.section("deliveries", "Delivered files");
    page.table("", "Files in the run directory", &["File", "#Size", "SHA-256", "Remark"]);
    for delivery in deliveries.values().take(MAX_DELIVERIES) {
        let written = !delivery.sha256.is_empty();
        let _ = write!(
            page.out,
            "<tr><th scope=\"row\">{}</th><td class=\"num\">{}</td><td><code title=\"{}\">{}</code></td>\
             <td class=\"text\">{}</td></tr>",
            if written {
                link(&delivery.path, &delivery.path)
            } else {
                escape::html(&delivery.path).into_owned()
            },
            if written { format::bytes(delivery.bytes) } else { "not written".to_owned() },
            escape::html(&delivery.sha256),
            escape::html(&delivery.sha256.chars().take(12).collect::<String>()),
            inline(&format::sentence(&delivery.reason))
        );
    }
    page.end_table();
    if deliveries.len() > MAX_DELIVERIES {
        let left = format::grouped(deliveries.len() - MAX_DELIVERIES);
        page.paragraph("soft", &format!("{left} more files are left out here; the journal has them all."));
    }
    page.end_section();
}
