//! Table 3 as the community prints it.

use super::kernels::stage_id;
use crate::format::shorten;
use crate::sheet::{Block, Cell, Column, Remark, Section, Table, Tone};
use assay_trace::view::fuse::{FuseRow, FuseSection, FuseTable};

const COLUMNS: [Column; 7] = [
    Column::text("pattern", "Pattern"),
    Column::text("confidence", "Confidence"),
    Column::number("related_us", "Related GPU time"),
    Column::number("share_percent", "Share"),
    Column::code("evidence_kernels", "Evidence kernels"),
    Column::code("python_location", "Current kernel Python location"),
    Column::code("fused_path", "Candidate fused Python path"),
];
const RATIONALE: Column = Column::text("rationale", "Rationale");

/// One table for each stage.
pub fn section(table: &FuseTable) -> Section {
    let mut blocks: Vec<Block> =
        table.sections.iter().map(|section| Block::Table(self::table(section))).collect();
    if blocks.is_empty() {
        blocks.push(Block::Text("No kernel ran.".to_owned()));
    }
    if !table.untried.is_empty() {
        let untried: Vec<String> =
            table.untried.iter().map(|untried| format!("`{}` needs {}", untried.id, untried.needs)).collect();
        let text = format!("Not tried although their kernels run: {}.", untried.join("; "));
        let help = "Give `--model` and `--tp`, or put `server_args.json` beside the trace.".to_owned();
        blocks.push(Block::Remark(Remark { tone: Tone::Plain, text, help: Some(help) }));
    }
    Section { id: "fuse".to_owned(), title: "Fuse opportunities".to_owned(), blocks }
}

fn table(section: &FuseSection) -> Table {
    let mut columns = COLUMNS.to_vec();
    columns.push(RATIONALE);
    Table {
        id: format!("fuse-{}", stage_id(section.stage)),
        caption: format!("Stage `{}`", section.stage.title()),
        columns,
        rows: section.rows.iter().map(row).collect(),
        empty: "No known pattern.".to_owned(),
    }
}

fn row(row: &FuseRow) -> Vec<Cell> {
    let list = |texts: Vec<String>, limit: usize| match texts.is_empty() {
        true => Cell::none(),
        false => {
            let shown: Vec<String> = texts.iter().map(|text| shorten(text, limit)).collect();
            Cell { exact: texts.join("; "), shown: shown.join("; ") }
        }
    };
    let whose = if row.framework_known { String::new() } else { format!(" ({})", row.framework) };
    let confidence = match (row.confirmed, row.already_fused) {
        (_, true) => "Confirmed: already fused",
        (true, false) => "Confirmed",
        (false, false) => "Candidate",
    };
    vec![
        Cell::text(format!("{}{whose}", row.pattern)),
        Cell::text(format!("{confidence}; {}", row.status)),
        Cell::ms(row.related_ns),
        Cell::percent(row.share),
        list(row.evidence.iter().map(|evidence| assay_trace::name::display(&evidence.kernel)).collect(), 60),
        list(row.locations.clone(), 90),
        list(row.fused_paths.clone(), 120),
        Cell::text(&row.rationale),
    ]
}
