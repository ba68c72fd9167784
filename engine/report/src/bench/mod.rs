//! A serving benchmark as a sheet: figures, shapes of latencies, the course of the load, and rows against each other.
//!
//! Everything shown is in the rows and metrics that it is given; verdicts are those that the rows' figures give.

mod axes;
mod course;
mod load;
mod rows;
mod shape;
mod tradeoff;

use crate::sheet::{Block, Figure, Sheet, csv, html, markdown};
use crate::svg::style::{PICTURES, VARIABLES};
use crate::table::TableError;
use assay_loadgen::metrics::{Detail, Metrics};
use assay_loadgen::row::Row;

/// What a benchmark's report is made from.
#[derive(Debug, Clone, Copy)]
pub struct Benchmark<'a> {
    /// The heading of the whole.
    pub title: &'a str,
    /// Results, one per candidate and scenario.
    pub rows: &'a [Row],
    /// Loads whose records are at hand, such as the repeats of one row.
    pub loads: &'a [Load<'a>],
}

/// One load.
#[derive(Debug, Clone, Copy)]
pub struct Load<'a> {
    /// What tells it from the others, such as `repeat 2`.
    pub name: &'a str,
    /// Its figures.
    pub metrics: &'a Metrics,
    /// Its shapes and its course.
    pub detail: &'a Detail,
}

/// Everything, in the order in which it is read.
pub fn sheet(benchmark: &Benchmark) -> Sheet {
    let mut sections = Vec::new();
    if !benchmark.rows.is_empty() {
        sections.push(rows::section(benchmark.rows));
    }
    for (index, load) in benchmark.loads.iter().enumerate() {
        let number = (benchmark.loads.len() > 1).then_some(index + 1);
        for mut section in load::sections(load) {
            if let Some(number) = number {
                section.title = format!("{} ({})", section.title, load.name);
                number_ids(&mut section, number);
            }
            sections.push(section);
        }
    }
    Sheet {
        title: benchmark.title.to_owned(),
        facts: rows::facts(benchmark.rows),
        answer: rows::answer(benchmark.rows),
        sections,
    }
}

/// Links and files of several loads need names of their own.
fn number_ids(section: &mut crate::sheet::Section, number: usize) {
    section.id = format!("{}-{number}", section.id);
    for block in &mut section.blocks {
        match block {
            Block::Table(table) => table.id = format!("{}-{number}", table.id),
            Block::Figure(figure) => figure.id = format!("{}-{number}", figure.id),
            Block::Text(_) | Block::Remark(_) => {}
        }
    }
}

/// Every form of a report: `bench.md`, `bench.html`, a CSV file for each table and an SVG file for each picture, as names
/// and texts.
///
/// # Errors
/// [`TableError::Csv`] if a CSV file cannot be made.
pub fn files(benchmark: &Benchmark) -> Result<Vec<(String, String)>, TableError> {
    let sheet = sheet(benchmark);
    let mut files = vec![("bench.md".to_owned(), markdown(&sheet)), ("bench.html".to_owned(), html(&sheet))];
    for table in sheet.tables() {
        files.push((format!("{}.csv", table.id), csv(table)?));
    }
    files.extend(sheet.figures().map(|figure| (format!("{}.svg", figure.id), standalone(&figure.svg))));
    Ok(files)
}

/// A picture with the styles that the page gives it otherwise.
fn standalone(svg: &str) -> String {
    svg.replacen("</title>", &format!("</title><style>{VARIABLES}{PICTURES}</style>"), 1)
}

fn figure(id: &str, caption: String, svg: String) -> Block {
    Block::Figure(Figure { id: id.to_owned(), caption, svg })
}
