//! Two layers of a pass against each other.

use super::kernels::word;
use crate::sheet::{Block, Cell, Column, Section, Table};
use assay_trace::view::layer_diff::{DiffRow, LayerDiff};

/// One table for each pass.
pub fn section(diffs: &[LayerDiff]) -> Section {
    let mut blocks: Vec<Block> = diffs.iter().map(|diff| Block::Table(table(diff))).collect();
    if blocks.is_empty() {
        blocks.push(Block::Text("No pass has both layers.".to_owned()));
    }
    Section { id: "layer-diff".to_owned(), title: "Two layers".to_owned(), blocks }
}

fn table(diff: &LayerDiff) -> Table {
    let row = |row: &DiffRow| {
        vec![
            Cell { exact: row.kernel.clone(), shown: crate::format::shorten(&row.short, 60) },
            Cell::text(word(&row.category)),
            Cell::count(row.count_a),
            Cell::count(row.count_b),
            Cell::us(row.time_a_ns),
            Cell::us(row.time_b_ns),
            Cell::us(row.delta_ns),
        ]
    };
    let same = if diff.same_kernels { "the same kernels in the same order" } else { "different kernels" };
    Table {
        id: format!("layer-diff-{}-{}-{}", diff.a.pass, diff.a.layer, diff.b.layer),
        caption: format!(
            "Pass {}: layer {} ({:.3} ms) and layer {} ({:.3} ms), {same}",
            diff.a.pass,
            diff.a.layer,
            diff.a.wall_ns as f64 / 1e6,
            diff.b.layer,
            diff.b.wall_ns as f64 / 1e6
        ),
        columns: vec![
            Column::code("kernel", "Kernel"),
            Column::text("category", "Category"),
            Column::number("count_a", "First #"),
            Column::number("count_b", "Second #"),
            Column::number("time_a_us", "First"),
            Column::number("time_b_us", "Second"),
            Column::number("delta_us", "Delta"),
        ],
        rows: diff.rows.iter().map(row).collect(),
        empty: "Neither layer ran anything.".to_owned(),
    }
}
