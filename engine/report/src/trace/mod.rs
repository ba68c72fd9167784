//! A trace's document as a sheet. One view is one file and one line in [`sheet`].

mod diff;
mod flame;
mod integrity;
mod kernels;
mod steps;

use crate::sheet::{Section, Sheet, csv, html, markdown};
use crate::svg::style::{PICTURES, VARIABLES};
use crate::table::TableError;
use assay_trace::Document;

/// Everything that a document holds, in the order in which it is read.
pub fn sheet(document: &Document) -> Sheet {
    let sections = [
        Some(integrity::section(document)),
        document.kernels.as_ref().map(kernels::section),
        document.diff.as_ref().map(diff::section),
        document.steps.as_deref().map(|steps| steps::section(steps, document)),
        document.flame.as_ref().map(flame::section),
    ];
    Sheet {
        title: "Triage View".to_owned(),
        facts: integrity::facts(document),
        answer: document.answer.as_ref().map(integrity::answer),
        sections: sections.into_iter().flatten().collect::<Vec<Section>>(),
    }
}

/// A file made from a document: its name and its text.
pub type File = (String, String);

/// Every form of a document: `trace.md`, `trace.html`, `trace.json`, a CSV file for each table and an SVG file for
/// each picture.
///
/// # Errors
/// [`TableError::Csv`] if a CSV file cannot be made.
pub fn files(document: &Document) -> Result<Vec<File>, TableError> {
    let sheet = sheet(document);
    let mut files = vec![
        ("trace.md".to_owned(), markdown(&sheet)),
        ("trace.html".to_owned(), html(&sheet)),
        ("trace.json".to_owned(), json(document)),
    ];
    for table in sheet.tables().filter(|table| !table.columns.is_empty()) {
        files.push((format!("{}.csv", table.id), csv(table)?));
    }
    files.extend(sheet.figures().map(|figure| (format!("{}.svg", figure.id), standalone(&figure.svg))));
    files.extend(document.flame.iter().map(|flame| ("flame.folded".to_owned(), flame.folded())));
    Ok(files)
}

/// The document as JSON, ended by a newline.
pub fn json(document: &Document) -> String {
    let mut text = serde_json::to_string_pretty(document).unwrap_or_default();
    text.push('\n');
    text
}

/// A picture with the styles that the page gives it otherwise.
fn standalone(svg: &str) -> String {
    svg.replacen("</title>", &format!("</title><style>{VARIABLES}{PICTURES}</style>"), 1)
}
