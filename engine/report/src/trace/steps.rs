//! Steps of the engine: what was recognised, and what it was recognised by.

use super::kernels::word;
use crate::sheet::{Block, Cell, Column, Section, Table};
use assay_trace::Document;
use assay_trace::view::steps::StepRow;

/// Rows that people read; files hold all.
const SHOWN: usize = 40;

/// The steps.
pub fn section(steps: &[StepRow], document: &Document) -> Section {
    let cell = |value: Option<u64>| value.map_or_else(Cell::none, Cell::count);
    let row = |step: &StepRow| {
        vec![
            Cell::count(step.index),
            Cell::text(step.stage.title()),
            Cell::text(&step.name),
            cell(step.batch.prefill_requests),
            cell(step.batch.decode_requests),
            cell(step.batch.tokens),
            Cell::ms(step.cpu_ns),
            Cell::ms(step.gpu_busy_ns),
            Cell::count(step.gpu_events),
        ]
    };
    let by = document
        .integrity
        .steps_from
        .map(|source| format!(", recognised by {}", word(&source).replace('-', " ")));
    let more = steps.len().saturating_sub(SHOWN);
    let left_out = if more == 0 { String::new() } else { format!("; the first {SHOWN} are shown") };
    let table = Table {
        id: "steps".to_owned(),
        caption: format!("{} steps{}{left_out}", steps.len(), by.unwrap_or_default()),
        columns: vec![
            Column::number("index", "#"),
            Column::text("stage", "Stage"),
            Column::code("name", "Range"),
            Column::number("prefill_requests", "Prefill requests"),
            Column::number("decode_requests", "Decode requests"),
            Column::number("tokens", "Tokens"),
            Column::number("cpu_us", "Host time"),
            Column::number("gpu_busy_us", "GPU busy"),
            Column::number("gpu_events", "GPU events"),
        ],
        rows: steps.iter().take(SHOWN).map(row).collect(),
        empty: "No step was recognised.".to_owned(),
    };
    Section { id: "steps".to_owned(), title: "Steps".to_owned(), blocks: vec![Block::Table(table)] }
}
