//! A trace's document as a sheet. One view is one file and one line in [`sheet`].

mod account;
mod chosen;
mod diff;
mod flame;
mod flow;
mod fuse;
mod integrity;
mod kernels;
mod launches;
mod layer_diff;
mod layers;
mod names;
mod ncu;
mod overlap;
mod passes;
mod ranks;
mod roofline;
mod steps;

use crate::sheet::{Block, Remark, Section, Sheet, Table, Tone, csv, html, markdown, value};
use crate::svg::style::{PICTURES, VARIABLES};
use crate::table::TableError;
use assay_protocol::Value;
use assay_trace::{Document, TraceReport};

/// Everything that a report holds, in the order in which it is read.
pub fn sheet(report: &TraceReport) -> Sheet {
    let [document] = &report.documents[..] else { return several(report) };
    Sheet {
        title: "Triage View".to_owned(),
        facts: integrity::facts(document),
        answer: document.answer.as_ref().map(integrity::answer),
        sections: sections(document),
    }
}

/// One after the other, each with its head; ids are numbered so that files and links stay apart.
fn several(report: &TraceReport) -> Sheet {
    let mut sheet = Sheet { title: "Triage View".to_owned(), ..Sheet::default() };
    sheet.facts.push(("Traces".to_owned(), report.documents.len().to_string()));
    let answers: Vec<&str> = report
        .documents
        .iter()
        .filter_map(|document| Some(document.answer.as_ref()?.sentence.as_str()))
        .collect();
    if !answers.is_empty() {
        sheet.answer = Some(Remark { tone: Tone::Plain, text: answers.join(" "), help: None });
    }
    for (index, document) in report.documents.iter().enumerate() {
        let number = index + 1;
        let facts = integrity::facts(document)
            .into_iter()
            .map(|(name, value)| Block::Text(format!("{name}: {value}")));
        let title = format!("Trace {number}");
        sheet.sections.push(Section { id: format!("trace-{number}"), title, blocks: facts.collect() });
        for mut section in sections(document) {
            section.id = format!("{}-{number}", section.id);
            section.title = format!("{} ({number})", section.title);
            for block in &mut section.blocks {
                match block {
                    Block::Table(table) => table.id = format!("{}-{number}", table.id),
                    Block::Figure(figure) => figure.id = format!("{}-{number}", figure.id),
                    _ => {}
                }
            }
            sheet.sections.push(section);
        }
    }
    sheet
}

/// The views of one trace.
fn sections(document: &Document) -> Vec<Section> {
    let sections = [
        Some(integrity::section(document)),
        document.kernels.as_ref().map(kernels::section),
        document.overlap.as_ref().map(overlap::section),
        document.fuse.as_ref().map(fuse::section),
        document.diff.as_ref().map(diff::section),
        document.steps.as_deref().map(|steps| steps::section(steps, document)),
        document.passes.as_ref().map(passes::section),
        document.layers.as_ref().map(layers::section),
        document.flow.as_deref().map(flow::section),
        document.layer_diff.as_deref().map(layer_diff::section),
        document.account.as_ref().map(account::section),
        document.launches.as_ref().map(launches::section),
        document.roofline.as_ref().map(roofline::section),
        document.ncu.as_ref().map(ncu::section),
        document.ranks.as_ref().map(ranks::section),
        document.flame.as_ref().map(flame::section),
    ];
    sections.into_iter().flatten().collect()
}

/// The tables that manifests deliver, as values `{columns, rows}`. A column in front says which part a row is from: the
/// stage, or for tables of one pass the stage and the pass.
pub fn tables(report: &TraceReport) -> Vec<(&'static str, Value)> {
    const WHOLE: &str = "all";
    let sections: Vec<Section> = report.documents.iter().flat_map(sections).collect();
    let blocks = || sections.iter().flat_map(|section| &section.blocks);
    let of = |name: &'static str| {
        let tables =
            blocks().filter_map(|block| if let Block::Table(table) = block { Some(table) } else { None });
        let parts = tables.filter_map(|table| match table.id.strip_prefix(name)? {
            "" => Some((WHOLE, table)),
            rest => Some((rest.strip_prefix('-')?, table)),
        });
        (name, value(("part", "Part"), &parts.collect::<Vec<_>>()))
    };
    let mut found = ["kernels", "overlap", "fuse", "passes", "layers", "clusters", "flow"].map(of).to_vec();
    let chosen: Vec<Table> = report.documents.iter().map(chosen::table).collect();
    let chosen: Vec<(&str, &Table)> = chosen.iter().map(|table| (WHOLE, table)).collect();
    found.push(("chosen", value(("part", "Part"), &chosen)));
    found
}

/// A file made from a report: its name and its text.
pub type File = (String, String);

/// Every form of a report: `trace.md`, `trace.html`, `trace.json`, a CSV file for each table and an SVG file for each
/// picture.
///
/// # Errors
/// [`TableError::Csv`] if a CSV file cannot be made.
pub fn files(report: &TraceReport) -> Result<Vec<File>, TableError> {
    let sheet = sheet(report);
    let mut files = vec![
        ("trace.md".to_owned(), markdown(&sheet)),
        ("trace.html".to_owned(), html(&sheet)),
        ("trace.json".to_owned(), json(report)),
    ];
    for table in sheet.tables().filter(|table| !table.columns.is_empty()) {
        files.push((format!("{}.csv", table.id), csv(table)?));
    }
    files.extend(sheet.figures().map(|figure| (format!("{}.svg", figure.id), standalone(&figure.svg))));
    for (index, document) in report.documents.iter().enumerate() {
        let number = if report.documents.len() > 1 { format!("-{}", index + 1) } else { String::new() };
        files.extend(document.flame.iter().map(|flame| (format!("flame{number}.folded"), flame.folded())));
    }
    Ok(files)
}

/// The report as JSON, ended by a newline.
pub fn json(report: &TraceReport) -> String {
    let mut text = serde_json::to_string_pretty(report).unwrap_or_default();
    text.push('\n');
    text
}

/// A picture with the styles that the page gives it otherwise.
fn standalone(svg: &str) -> String {
    svg.replacen("</title>", &format!("</title><style>{VARIABLES}{PICTURES}</style>"), 1)
}
