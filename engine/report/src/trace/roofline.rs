//! Kernels against what the GPU could do.

use super::kernels::{stage_id, word};
use super::names::Names;
use crate::sheet::{Block, Cell, Column, Remark, Section, Table, Tone};
use assay_trace::view::roofline::layers::LayerRoof;
use assay_trace::view::roofline::{RoofRow, Roofline, StageRoof, StepRoof, Utilisation};

/// Steps that people read.
const SHOWN: usize = 20;
/// Longest kernel name for people.
const NAME: usize = 48;

/// All stages.
pub fn section(view: &Roofline) -> Section {
    let mut blocks = Vec::new();
    if let Some(reason) = &view.withheld {
        let help = (!view.known_gpus.is_empty())
            .then(|| format!("Known to `--gpu`: {}.", view.known_gpus.join(", ")));
        let text = format!("Withheld: roofline, because {reason}.");
        blocks.push(Block::Remark(Remark { tone: Tone::Plain, text, help }));
    }
    for concern in &view.concerns {
        let text = format!("{}.", crate::format::sentence(&concern.message));
        let help = Some(format!("{}.", crate::format::sentence(&concern.help)));
        blocks.push(Block::Remark(Remark { tone: Tone::Warn, text, help }));
    }
    for stage in &view.stages {
        blocks.push(Block::Text(head(stage)));
        blocks.push(Block::Table(rows(stage)));
    }
    if !view.steps.is_empty() {
        blocks.push(Block::Table(steps(view)));
    }
    if !view.layers.is_empty() {
        blocks.push(Block::Table(layers(view)));
    }
    Section { id: "roofline".to_owned(), title: "Roofline".to_owned(), blocks }
}

fn utilisation(of: &Utilisation) -> String {
    match (&of.mfu, &of.withheld, &of.implausible) {
        (_, _, Some(reason)) => format!("not believable: {reason}"),
        (Some(mfu), ..) => format!("{mfu:.1} %"),
        (None, Some(reason), _) => format!("withheld, because {reason}"),
        (None, None, None) => "-".to_owned(),
    }
}

fn head(stage: &StageRoof) -> String {
    format!(
        "Stage `{}`: MFU {}; shapes cover {:.1} % of the kernel time; at the roof it would take {:.2} ms less.",
        stage.stage.title(),
        utilisation(&stage.utilisation),
        stage.coverage.covered_share,
        stage.headroom_ns as f64 / 1e6
    )
}

fn rows(stage: &StageRoof) -> Table {
    let number = |value: Option<f64>, decimals: usize| {
        value.map_or_else(Cell::none, |value| Cell::number(value, decimals))
    };
    let names = Names::of(stage.rows.iter().map(|row| row.kernel.as_str()), NAME);
    let row = |row: &RoofRow| {
        let mut notes = row.assumptions.clone();
        notes.extend(row.implausible.clone());
        vec![
            names.cell(&row.kernel),
            Cell::text(&row.op),
            Cell::short(&row.shape, 48),
            row.dtype.as_ref().map_or_else(Cell::none, |dtype| Cell::text(word(dtype))),
            Cell::ms(row.time_ns),
            Cell::percent(row.share),
            number(row.tflops, 1),
            Cell::number(row.gb_per_s, 0),
            number(row.intensity, 1),
            Cell::text(word(&row.bound)),
            Cell::percent(row.roof_share),
            Cell::ms(row.headroom_ns),
            Cell::text(notes.join("; ")),
        ]
    };
    let hidden = match stage.hidden_rows {
        0 => String::new(),
        rows => format!(
            "; {rows} rows below the bar ({:.2} ms together) are left out",
            stage.hidden_ns as f64 / 1e6
        ),
    };
    Table {
        id: format!("roofline-{}", stage_id(stage.stage)),
        caption: format!("Stage `{}`, most headroom first{hidden}", stage.stage.title()),
        columns: vec![
            Column::code("kernel", "Kernel"),
            Column::code("op", "Op"),
            Column::code("shape", "Shape"),
            Column::text("dtype", "dtype"),
            Column::number("time_us", "GPU time"),
            Column::number("share_percent", "Share"),
            Column::number("tflops", "TFLOP/s"),
            Column::number("gb_per_s", "GB/s"),
            Column::number("intensity", "FLOP/byte"),
            Column::text("bound", "Bound"),
            Column::number("roof_percent", "Of roof"),
            Column::number("headroom_us", "Headroom"),
            Column::text("notes", "Notes"),
        ],
        rows: stage.rows.iter().map(row).collect(),
        empty: "No kernel with a known shape reaches the bar.".to_owned(),
    }
}

fn steps(view: &Roofline) -> Table {
    let row = |step: &StepRoof| {
        vec![
            Cell::count(step.index),
            Cell::text(step.stage.title()),
            Cell::ms(step.utilisation.window_ns),
            step.utilisation.mfu.map_or_else(Cell::none, Cell::percent),
            Cell::percent(step.coverage.covered_share),
        ]
    };
    let more =
        if view.steps.len() > SHOWN { format!("; the first {SHOWN} are shown") } else { String::new() };
    Table {
        id: "mfu-steps".to_owned(),
        caption: format!("MFU by step{more}"),
        columns: vec![
            Column::number("index", "#"),
            Column::text("stage", "Stage"),
            Column::number("window_us", "Window"),
            Column::number("mfu_percent", "MFU"),
            Column::number("covered_percent", "Covered by shapes"),
        ],
        rows: view.steps.iter().take(SHOWN).map(row).collect(),
        empty: String::new(),
    }
}

fn layers(view: &Roofline) -> Table {
    let row = |layer: &LayerRoof| {
        vec![
            Cell::count(u64::from(layer.pass)),
            Cell::text(layer.stage.title()),
            Cell::count(u64::from(layer.layer)),
            Cell::us(layer.wall_ns),
            Cell::number(layer.flops as f64 / 1e9, 2),
            Cell::percent(layer.covered_share),
            layer.mfu.map_or_else(Cell::none, Cell::percent),
            layer.withheld.as_ref().map_or_else(|| Cell::text(""), Cell::text),
        ]
    };
    Table {
        id: "mfu-layers".to_owned(),
        caption: "MFU by layer; a lower bound where shapes do not cover everything".to_owned(),
        columns: vec![
            Column::number("pass", "Pass"),
            Column::text("stage", "Stage"),
            Column::number("layer", "L"),
            Column::number("wall_us", "Wall"),
            Column::number("gflop", "GFLOP"),
            Column::number("covered_percent", "Covered by shapes"),
            Column::number("mfu_percent", "MFU"),
            Column::text("withheld", "Withheld because"),
        ],
        rows: view.layers.iter().map(row).collect(),
        empty: String::new(),
    }
}
