//! Forward passes as the community prints them, and which one to look at.

use super::kernels::word;
use crate::sheet::{Block, Cell, Column, Remark, Section, Table, Tone};
use assay_trace::view::passes::{Choice, PassRow, PassTable};

/// Passes that people read.
const SHOWN: usize = 30;

/// The passes.
pub fn section(table: &PassTable) -> Section {
    let mut blocks = Vec::new();
    if let Some(reason) = &table.withheld {
        let text = format!("Withheld: forward passes, because {reason}.");
        blocks.push(Block::Remark(Remark { tone: Tone::Plain, text, help: None }));
    }
    for choice in &table.chosen {
        blocks.push(Block::Text(chosen(choice)));
    }
    blocks.push(Block::Table(rows(table)));
    Section { id: "passes".to_owned(), title: "Forward passes".to_owned(), blocks }
}

fn chosen(choice: &Choice) -> String {
    let stage = choice.stage.title();
    match choice.pass {
        Some(pass) => format!("Pass to look at in {stage}: {pass}, because {}.", choice.reason),
        None => format!("Pass to look at in {stage}: none, because {}.", choice.reason),
    }
}

fn rows(table: &PassTable) -> Table {
    let ms = |ns: Option<i64>| ns.map_or_else(Cell::none, Cell::exact_ms);
    let seconds = |value: f64| Cell { exact: format!("{value}"), shown: format!("{value:.6}") };
    let row = |pass: &PassRow| {
        let notes: Vec<String> = pass.notes.iter().map(|note| word(note).replace('-', " ")).collect();
        vec![
            Cell::count(u64::from(pass.index)),
            Cell::text(pass.stage.title()),
            seconds(pass.range.start_s),
            seconds(pass.range.end_s),
            Cell::exact_ms(pass.wall_ns),
            ms(pass.average_layer_ns),
            ms(pass.first_layer_ns),
            Cell::exact_ms(pass.busy_ns),
            Cell::count(pass.kernels),
            Cell::count(u64::from(pass.layers)),
            pass.method.as_ref().map_or_else(Cell::none, |method| Cell::text(word(method).replace('-', " "))),
            Cell::text(notes.join(", ")),
        ]
    };
    let left_out = table.rows.len().saturating_sub(SHOWN);
    let more = if left_out == 0 { String::new() } else { format!("; the first {SHOWN} are shown") };
    Table {
        id: "passes".to_owned(),
        caption: format!(
            "{} passes by {}{more}; seconds count from the first event",
            table.rows.len(),
            word(&table.source).replace('-', " ")
        ),
        columns: vec![
            Column::number("fwd", "Fwd#"),
            Column::text("stage", "Stage"),
            Column::number("start_s", "Start (s)"),
            Column::number("end_s", "End (s)"),
            Column::number("duration_ms", "Duration"),
            Column::number("average_layer_ms", "Avg layer"),
            Column::number("first_layer_ms", "First layer"),
            Column::number("busy_ms", "Busy").wide(),
            Column::number("kernels", "Kernels").wide(),
            Column::number("layers", "Layers"),
            Column::text("method", "Layers by").wide(),
            Column::text("notes", "Notes"),
        ],
        rows: table.rows.iter().take(SHOWN).map(row).collect(),
        empty: "No forward pass.".to_owned(),
    }
}
