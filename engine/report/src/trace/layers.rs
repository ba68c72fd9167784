//! Layers of the chosen passes: one by one, and by class.

use super::kernels::{stage_id, word};
use crate::sheet::{Block, Cell, Column, Figure, Remark, Section, Table, Tone};
use crate::svg::shares::{self, Bar};
use assay_trace::name::Category;
use assay_trace::view::layers::{CategoryTime, Cluster, LayerReport, LayerRow, LayerTable};

/// Layers that people read; files hold all.
const SHOWN: usize = 100;

/// One table for each chosen pass.
pub fn section(report: &LayerReport) -> Section {
    let mut blocks = Vec::new();
    if let Some(reason) = &report.withheld {
        let text = format!("Withheld: layers, because {reason}.");
        blocks.push(Block::Remark(Remark { tone: Tone::Plain, text, help: None }));
    }
    for table in &report.tables {
        if let Some(reason) = &table.types_withheld {
            let text = format!("Withheld: types of layers, because {reason}.");
            blocks.push(Block::Remark(Remark { tone: Tone::Plain, text, help: None }));
        }
        blocks.push(Block::Text(head(table)));
        blocks.push(Block::Table(clusters(table)));
        blocks.push(Block::Figure(picture(table)));
        blocks.push(Block::Table(rows(table)));
    }
    Section { id: "layers".to_owned(), title: "Layers".to_owned(), blocks }
}

fn head(table: &LayerTable) -> String {
    let ms = |ns: i64| format!("{:.3} ms", ns as f64 / 1e6);
    let by = table
        .method
        .as_ref()
        .map_or_else(String::new, |method| format!(" by {}", word(method).replace('-', " ")));
    format!(
        "Pass {} of {}: {} layers{by}, which explain {:.1} % of its kernels. Before the first layer {}, between layers {}, after the last {}. In Perfetto: `visStart={}&visEnd={}`.",
        table.pass,
        table.stage.title(),
        table.rows.len(),
        table.explained,
        ms(table.prologue.busy_ns),
        ms(table.between.busy_ns),
        ms(table.epilogue.busy_ns),
        table.range.start_ns,
        table.range.end_ns
    )
}

fn id(what: &str, table: &LayerTable) -> String {
    format!("{what}-{}-{}", stage_id(table.stage), table.pass)
}

/// Shares of the categories, largest first, in one cell.
fn shares_of(categories: &[CategoryTime]) -> Cell {
    let mut sorted: Vec<&CategoryTime> = categories.iter().collect();
    sorted.sort_by_key(|part| std::cmp::Reverse(part.time_ns));
    let text = |limit: usize| -> String {
        let parts =
            sorted.iter().take(limit).map(|part| format!("{} {:.0} %", word(&part.category), part.share));
        parts.collect::<Vec<_>>().join(", ")
    };
    Cell { exact: text(usize::MAX), shown: text(4) }
}

/// A mean of nanoseconds in milliseconds.
fn mean_ms(ns: f64) -> Cell {
    Cell { exact: format!("{}", ns / 1e6), shown: format!("{:.3} ms", ns / 1e6) }
}

fn clusters(table: &LayerTable) -> Table {
    let row = |cluster: &Cluster| {
        vec![
            Cell::text(&cluster.cluster),
            Cell::count(cluster.layers),
            mean_ms(cluster.mean_wall_ns),
            mean_ms(cluster.mean_sum_ns),
            shares_of(&cluster.categories),
        ]
    };
    Table {
        id: id("clusters", table),
        caption: "Layers of one type, or of one kernel sequence where types are not known".to_owned(),
        columns: vec![
            Column::text("cluster", "Cluster"),
            Column::number("layers", "#"),
            Column::number("mean_wall_ms", "Avg wall"),
            Column::number("mean_sum_ms", "Avg sum"),
            Column::text("categories", "Categories"),
        ],
        rows: table.clusters.iter().map(row).collect(),
        empty: "No layer was found.".to_owned(),
    }
}

fn picture(table: &LayerTable) -> Figure {
    let bar = |cluster: &Cluster| Bar {
        label: format!("{} ({} layers)", cluster.cluster, cluster.layers),
        parts: cluster.categories.iter().map(|part| (word(&part.category), part.time_ns as f64)).collect(),
        whole: format!("{:.3} ms each", cluster.mean_wall_ns / 1e6),
    };
    let bars: Vec<Bar> = table.clusters.iter().map(bar).collect();
    let caption = format!("Layers of pass {} of {} by category.", table.pass, table.stage.title());
    Figure { id: id("clusters", table), svg: shares::picture(&caption, &bars), caption }
}

fn time_of(layer: &LayerRow, category: Category) -> Cell {
    let of = layer.categories.iter().find(|part| part.category == category);
    Cell::exact_ms(of.map_or(0, |part| part.time_ns))
}

fn rows(table: &LayerTable) -> Table {
    let row = |layer: &LayerRow| {
        vec![
            Cell::count(u64::from(layer.layer)),
            layer.compress_ratio.map_or_else(Cell::none, |ratio| Cell::count(u64::from(ratio))),
            Cell::text(layer.layer_type.as_deref().unwrap_or(&layer.class)),
            Cell::exact_ms(layer.wall_ns),
            Cell::exact_ms(layer.sum_ns),
            time_of(layer, Category::Attention),
            time_of(layer, Category::Moe),
            time_of(layer, Category::Gemm),
            time_of(layer, Category::Communication),
            Cell::exact_ms(layer.mhc_ns),
            Cell::exact_ms(layer.hadamard_ns),
            shares_of(&layer.categories),
            Cell::count(layer.all_reduces),
            Cell::count(layer.kernels),
            Cell::text(format!("{}", layer.range.start_ns)),
            Cell::text(format!("{}", layer.range.end_ns)),
        ]
    };
    let left_out = table.rows.len().saturating_sub(SHOWN);
    let more = if left_out == 0 { String::new() } else { format!("; the first {SHOWN} are shown") };
    Table {
        id: id("layers", table),
        caption: format!(
            "Layers of pass {} of {}{more}; `MLA` is attention of every kind, `NCCL` all communication",
            table.pass,
            table.stage.title()
        ),
        columns: vec![
            Column::number("layer", "L"),
            Column::number("compress_ratio", "c_r"),
            Column::text("type", "Type"),
            Column::number("wall_ms", "Wall"),
            Column::number("sum_ms", "SumDur"),
            Column::number("attention_ms", "MLA"),
            Column::number("moe_ms", "MoE"),
            Column::number("gemm_ms", "GEMM"),
            Column::number("communication_ms", "NCCL"),
            Column::number("mhc_ms", "MHC"),
            Column::number("hadamard_ms", "Hadam"),
            Column::text("categories", "Categories").wide(),
            Column::number("all_reduces", "AR#"),
            Column::number("kernels", "K#"),
            Column::number("perfetto_start_ns", "visStart").wide(),
            Column::number("perfetto_end_ns", "visEnd").wide(),
        ],
        rows: table.rows.iter().take(SHOWN).map(row).collect(),
        empty: "No layer was found.".to_owned(),
    }
}
