//! Compute flow of one layer of each chosen pass.

use super::kernels::word;
use crate::sheet::{Block, Cell, Column, Section, Table};
use assay_trace::view::flow::{Flow, FlowRow};

/// One table for each layer.
pub fn section(flows: &[Flow]) -> Section {
    let mut blocks: Vec<Block> = flows.iter().map(|flow| Block::Table(table(flow))).collect();
    if blocks.is_empty() {
        blocks.push(Block::Text("No layer was found to follow.".to_owned()));
    }
    Section { id: "flow".to_owned(), title: "Compute flow".to_owned(), blocks }
}

fn table(flow: &Flow) -> Table {
    let text = |value: &Option<String>| value.as_ref().map_or_else(Cell::none, Cell::text);
    let row = |row: &FlowRow| {
        vec![
            Cell::count(u64::from(row.number)),
            row.half.as_ref().map_or_else(Cell::none, |half| Cell::text(word(half))),
            Cell::text(word(&row.category)),
            Cell::text(word(&row.label)),
            Cell { exact: row.kernel.clone(), shown: crate::format::shorten(&row.short, 60) },
            Cell::us(row.dur_ns),
            Cell::percent(row.share),
            Cell { shown: format!("{:.4}", row.start_ns as f64 / 1e6), ..Cell::exact_ms(row.start_ns) },
            Cell::text(&row.stream),
            text(&row.input_dims),
        ]
    };
    let module = flow.module.as_ref().map(|module| format!(" (`{module}`)")).unwrap_or_default();
    Table {
        id: format!("flow-{}-{}", flow.pass, flow.layer),
        caption: format!(
            "Layer {}{module} of pass {}: {:.3} ms",
            flow.layer,
            flow.pass,
            flow.wall_ns as f64 / 1e6
        ),
        columns: vec![
            Column::number("number", "#"),
            Column::text("half", "Half"),
            Column::text("category", "Category"),
            Column::text("label", "Label").wide(),
            Column::code("kernel", "Simplified name"),
            Column::number("dur_us", "dur"),
            Column::number("share_percent", "%"),
            Column::number("start_ms", "ts_rel (ms)"),
            Column::text("stream", "Stream").wide(),
            Column::code("input_dims", "Input Dims"),
        ],
        rows: flow.rows.iter().map(row).collect(),
        empty: "The layer ran nothing.".to_owned(),
    }
}
