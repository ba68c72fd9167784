//! Table 2 as the community prints it.

use super::kernels::{stage_id, word};
use super::names::Names;
use crate::sheet::{Block, Cell, Column, Section, Table};
use assay_trace::view::overlap::{OverlapRow, OverlapSection, OverlapTable, StreamPair};

const COLUMNS: [Column; 12] = [
    Column::text("priority", "Priority"),
    Column::text("verdict", "Verdict"),
    Column::code("kernel", "Kernel"),
    Column::code("python_scope", "Python scope"),
    Column::text("formal_signal", "Formal signal"),
    Column::number("time_us", "GPU time").wide(),
    Column::number("share_percent", "Share").wide(),
    Column::number("exclusive_percent", "Exclusive").wide(),
    Column::number("hidden_percent", "Hidden").wide(),
    Column::text("dependency_risk", "Dep risk"),
    Column::number("tight_percent", "Tight neighbours").wide(),
    Column::text("recommendation", "Recommendation"),
];

/// Longest kernel name for people.
const NAME: usize = 60;

/// One table for each stage.
pub fn section(table: &OverlapTable) -> Section {
    let mut blocks = Vec::new();
    for section in &table.sections {
        blocks.push(Block::Table(self::table(section)));
        if !section.pairs.is_empty() {
            blocks.push(Block::Table(pairs(section)));
        }
    }
    if blocks.is_empty() {
        blocks.push(Block::Text("No kernel ran.".to_owned()));
    }
    Section { id: "overlap".to_owned(), title: "Overlap opportunities".to_owned(), blocks }
}

fn table(section: &OverlapSection) -> Table {
    let names = Names::of(section.rows.iter().map(|row| row.kernel.as_str()), NAME);
    Table {
        id: format!("overlap-{}", stage_id(section.stage)),
        caption: format!("Stage `{}`", section.stage.title()),
        columns: COLUMNS.to_vec(),
        rows: section.rows.iter().map(|row| self::row(row, &names)).collect(),
        empty: "Nothing to overlap or to leave alone.".to_owned(),
    }
}

fn row(row: &OverlapRow, names: &Names<'_>) -> Vec<Cell> {
    let site = row.site.as_ref().map_or_else(Cell::none, |site| {
        let share = if site.share < 99.95 { format!(" ({:.0} %)", site.share) } else { String::new() };
        Cell::text(format!("{}{share}", site.site))
    });
    let signal = format!(
        "{:.1} us, share {:.1} %, excl {:.0} % / hid {:.0} %",
        row.time_ns as f64 / 1e3,
        row.share,
        row.exclusive,
        row.hidden
    );
    vec![
        Cell::text(word(&row.priority).to_uppercase()),
        Cell::text(word(&row.verdict)),
        names.cell(&row.kernel),
        site,
        Cell::text(signal),
        Cell::us(row.time_ns),
        Cell::percent(row.share),
        Cell::percent(row.exclusive),
        Cell::percent(row.hidden),
        Cell::text(word(&row.dependency.risk)),
        Cell::percent(row.dependency.tight),
        Cell::text(&row.recommendation),
    ]
}

fn pairs(section: &OverlapSection) -> Table {
    let row = |pair: &StreamPair| {
        vec![
            Cell::text(&pair.device),
            Cell::text(&pair.compute_stream),
            Cell::text(&pair.communication_stream),
            Cell::ms(pair.together_ns),
            Cell::ms(pair.communication_ns),
            Cell::percent(pair.share),
        ]
    };
    Table {
        id: format!("streams-{}", stage_id(section.stage)),
        caption: format!("Stage `{}`: communication beside compute, by stream", section.stage.title()),
        columns: vec![
            Column::text("device", "Device"),
            Column::text("compute_stream", "Compute stream"),
            Column::text("communication_stream", "Communication stream"),
            Column::number("together_us", "Together"),
            Column::number("communication_us", "Communication"),
            Column::number("share_percent", "Hidden"),
        ],
        rows: section.pairs.iter().map(row).collect(),
        empty: String::new(),
    }
}
