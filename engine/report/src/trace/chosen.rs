//! The pass that layers are read from: which, why, and where to look at it.

use crate::sheet::{Cell, Column, Table};
use assay_trace::Document;
use assay_trace::view::flow::Flow;
use assay_trace::view::layers::LayerTable;

/// A row for each chosen pass of a document; empty without layers.
pub fn table(document: &Document) -> Table {
    let tables = document.layers.iter().flat_map(|layers| &layers.tables);
    Table {
        id: "chosen".to_owned(),
        caption: "Passes that layers are from".to_owned(),
        columns: vec![
            Column::text("stage", "Stage"),
            Column::text("device", "Device"),
            Column::number("pass", "Fwd#"),
            Column::text("steady", "Steady"),
            Column::text("reason", "Why this one"),
            Column::number("layers", "Layers"),
            Column::number("explained_percent", "Explained"),
            Column::text("representative", "Representative layer"),
            Column::text("perfetto", "Perfetto, pass"),
            Column::text("perfetto_layer", "Perfetto, layer"),
        ],
        rows: tables.map(|layers| row(document, layers)).collect(),
        empty: "No pass has layers.".to_owned(),
    }
}

fn row(document: &Document, layers: &LayerTable) -> Vec<Cell> {
    let flow = document.flow.iter().flatten().find(|flow| flow.pass == layers.pass);
    vec![
        Cell::text(layers.stage.title()),
        Cell::text(&layers.device),
        Cell::count(u64::from(layers.pass)),
        Cell::text(if layers.steady { "yes" } else { "no" }),
        Cell::text(&layers.reason),
        Cell::count(layers.rows.len() as u64),
        Cell::percent(layers.explained),
        flow.map_or_else(Cell::none, |flow| Cell::text(representative(flow))),
        Cell::text(&layers.range.perfetto),
        flow.map_or_else(Cell::none, |flow| Cell::text(&flow.range.perfetto)),
    ]
}

fn representative(flow: &Flow) -> String {
    match &flow.module {
        Some(module) => format!("{} ({module})", flow.layer),
        None => flow.layer.to_string(),
    }
}
