//! Table 1 as the community prints it; the wide columns stand in HTML and CSV.

use super::names::Names;
use crate::sheet::{Block, Cell, Column, Figure, Section, Table};
use crate::svg::shares::{self, Bar};
use assay_trace::view::kernels::{self, KernelTable, Row};

const COLUMNS: [Column; 11] = [
    Column::code("kernel", "Kernel"),
    Column::text("category", "Category"),
    Column::number("time_us", "GPU time"),
    Column::number("share_percent", "Share"),
    Column::number("launches", "Launches"),
    Column::number("mean_us", "Mean").wide(),
    Column::number("p50_us", "p50").wide(),
    Column::number("p99_us", "p99").wide(),
    Column::number("max_us", "Max").wide(),
    Column::code("python_location", "Python location (site share)"),
    Column::code("cpu_op", "CPU op"),
];
/// Longest kernel name for people.
const NAME: usize = 72;

/// One table for each stage.
pub fn section(table: &KernelTable) -> Section {
    let mut blocks: Vec<Block> =
        table.sections.iter().map(|section| Block::Table(self::table(section))).collect();
    if blocks.is_empty() {
        blocks.push(Block::Text("No kernel ran.".to_owned()));
    } else {
        blocks.push(Block::Figure(picture(table)));
    }
    Section { id: "kernels".to_owned(), title: "Kernel table".to_owned(), blocks }
}

/// Each stage as a bar of categories; every kernel counts, those below the bar of the table too.
fn picture(table: &KernelTable) -> Figure {
    let bar = |section: &kernels::Section| Bar {
        label: format!("Stage {}", section.stage.title()),
        parts: section.categories.iter().map(|part| (word(&part.category), part.time_ns as f64)).collect(),
        whole: format!("{:.2} ms", section.total_ns as f64 / 1e6),
    };
    let bars: Vec<Bar> = table.sections.iter().map(bar).collect();
    let caption = "GPU time of each stage by category.".to_owned();
    Figure { id: "categories".to_owned(), svg: shares::picture(&caption, &bars), caption }
}

fn table(section: &kernels::Section) -> Table {
    let names = Names::of(section.rows.iter().map(|row| row.kernel.as_str()), NAME);
    let hidden = match section.hidden_rows {
        0 => String::new(),
        1 => format!("; 1 kernel below the bar ({:.2} ms) is left out", section.hidden_ns as f64 / 1e6),
        rows => format!(
            "; {rows} kernels below the bar ({:.2} ms together) are left out",
            section.hidden_ns as f64 / 1e6
        ),
    };
    Table {
        id: format!("kernels-{}", stage_id(section.stage)),
        caption: format!(
            "Stage `{}`: {:.2} ms in {} launches{hidden}",
            section.stage.title(),
            section.total_ns as f64 / 1e6,
            section.launches
        ),
        columns: COLUMNS.to_vec(),
        rows: section.rows.iter().map(|row| self::row(row, &names)).collect(),
        empty: "No kernel reaches the bar.".to_owned(),
    }
}

/// The stage in the name of a file.
pub fn stage_id(stage: assay_trace::stage::Stage) -> &'static str {
    use assay_trace::stage::Stage;
    match stage {
        Stage::Prefill => "prefill",
        Stage::Decode => "decode",
        Stage::Mixed => "mixed",
        Stage::Unknown => "unknown",
    }
}

fn row(row: &Row, names: &Names<'_>) -> Vec<Cell> {
    vec![
        names.cell(&row.kernel),
        Cell::text(word(&row.category)),
        Cell::ms(row.time_ns),
        Cell::percent(row.share),
        Cell::count(row.launches),
        Cell { shown: format!("{:.2} us", row.mean_ns / 1e3), ..Cell::number(row.mean_ns / 1e3, 2) },
        Cell::us(row.p50_ns),
        Cell::us(row.p99_ns),
        Cell::us(row.max_ns),
        sites(row),
        row.cpu_op.as_ref().map_or_else(Cell::none, Cell::text),
    ]
}

/// A value's own name in JSON.
pub fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The best two places; shares where there is more than one.
fn sites(row: &Row) -> Cell {
    let shown = |site: &kernels::SiteShare| {
        if row.sites.len() > 1 { format!("{} ({:.0} %)", site.site, site.share) } else { site.site.clone() }
    };
    let all: Vec<String> = row.sites.iter().map(shown).collect();
    match (all.is_empty(), row.graph_share >= 50.0) {
        (true, true) => Cell { exact: String::new(), shown: "(graph replay)".to_owned() },
        (true, false) => Cell::none(),
        _ => Cell { exact: all.join("; "), shown: all[..all.len().min(2)].join("; ") },
    }
}
