//! The difference of two traces, stage by stage.

use super::kernels::{stage_id, word};
use super::names::Names;
use crate::sheet::{Block, Cell, Column, Remark, Section, Table, Tone};
use assay_trace::view::diff::{Change, Diff, Judgement, Per, Presence, StageDiff};

/// Rows of a table of kernels that people read.
const SHOWN: usize = 30;
/// Longest kernel name for people.
const NAME: usize = 72;

/// All stages.
pub fn section(diff: &Diff) -> Section {
    let mut blocks =
        vec![Block::Text(format!("Compared with `{}`; negative is less time than there.", diff.base))];
    for concern in &diff.concerns {
        let text = format!("{}.", crate::format::sentence(concern));
        blocks.push(Block::Remark(Remark { tone: Tone::Warn, text, help: None }));
    }
    let unknown = diff.stages.iter().any(|stage| stage.time.judgement == Judgement::NoiseUnknown);
    if unknown {
        let text =
            "A stage with fewer than 3 steps in either trace has no noise band: nothing is decided there.";
        let help = "Capture more steps, and repeat the whole run for a decision.";
        blocks.push(Block::Remark(Remark { tone: Tone::Plain, text: text.into(), help: Some(help.into()) }));
    }
    blocks.push(Block::Table(stages(diff)));
    for stage in &diff.stages {
        blocks.push(Block::Table(categories(stage)));
        blocks.push(Block::Table(kernels(stage)));
    }
    Section { id: "diff".to_owned(), title: "Difference".to_owned(), blocks }
}

const CHANGE: [Column; 5] = [
    Column::number("base_us", "Base"),
    Column::number("new_us", "New"),
    Column::number("delta_us", "Delta"),
    Column::number("delta_percent", "Delta %"),
    Column::text("judgement", "Judgement"),
];

fn change(change: &Change) -> Vec<Cell> {
    let us = |ns: f64| Cell { exact: format!("{}", ns / 1e3), shown: format!("{:.2} us", ns / 1e3) };
    let signed = |ns: f64| Cell { exact: format!("{}", ns / 1e3), shown: format!("{:+.2} us", ns / 1e3) };
    let percent = |value: f64| Cell { exact: format!("{value}"), shown: format!("{value:+.1} %") };
    vec![
        us(change.base_ns),
        us(change.new_ns),
        signed(change.delta_ns),
        change.delta_percent.map_or_else(Cell::none, percent),
        Cell::text(word(&change.judgement).replace('-', " ")),
    ]
}

fn stages(diff: &Diff) -> Table {
    let row = |stage: &StageDiff| {
        let per = if stage.per == Per::Step { "step" } else { "trace" };
        let mut row = vec![
            Cell::text(stage.stage.title()),
            Cell::text(per),
            Cell::count(stage.base_steps),
            Cell::count(stage.new_steps),
        ];
        row.extend(change(&stage.time));
        row
    };
    let mut columns = vec![
        Column::text("stage", "Stage"),
        Column::text("per", "Per"),
        Column::number("base_steps", "Base steps"),
        Column::number("new_steps", "New steps"),
    ];
    columns.extend(CHANGE);
    Table {
        id: "diff-stages".to_owned(),
        caption: "GPU time per step".to_owned(),
        columns,
        rows: diff.stages.iter().map(row).collect(),
        empty: "Neither trace has GPU work.".to_owned(),
    }
}

fn categories(stage: &StageDiff) -> Table {
    let mut columns = vec![Column::text("category", "Category")];
    columns.extend(CHANGE);
    let rows = stage.categories.iter().map(|row| {
        let mut cells = vec![Cell::text(word(&row.category))];
        cells.extend(change(&row.time));
        cells
    });
    Table {
        id: format!("diff-categories-{}", stage_id(stage.stage)),
        caption: format!("Stage `{}` by category", stage.stage.title()),
        columns,
        rows: rows.collect(),
        empty: "No category.".to_owned(),
    }
}

fn kernels(stage: &StageDiff) -> Table {
    let mut columns = vec![
        Column::code("kernel", "Kernel"),
        Column::text("category", "Category"),
        Column::text("presence", "In"),
        Column::number("base_launches", "Base launches"),
        Column::number("new_launches", "New launches"),
    ];
    columns.extend(CHANGE);
    let names = Names::of(stage.kernels.iter().take(SHOWN).map(|row| row.kernel.as_str()), NAME);
    let rows = stage.kernels.iter().take(SHOWN).map(|row| {
        let presence = match row.presence {
            Presence::Added => "new only",
            Presence::Removed => "base only",
            Presence::Both => "both",
        };
        let mut cells = vec![
            names.cell(&row.kernel),
            Cell::text(word(&row.category)),
            Cell::text(presence),
            Cell::number(row.base_launches, 1),
            Cell::number(row.new_launches, 1),
        ];
        cells.extend(change(&row.time));
        cells
    });
    let left_out = stage.unchanged_kernels + stage.kernels.len().saturating_sub(SHOWN) as u64;
    let more = if left_out == 0 {
        String::new()
    } else {
        format!("; {left_out} kernels with less difference are left out")
    };
    Table {
        id: format!("diff-kernels-{}", stage_id(stage.stage)),
        caption: format!("Stage `{}` by kernel, largest difference first{more}", stage.stage.title()),
        columns,
        rows: rows.collect(),
        empty: "No kernel differs.".to_owned(),
    }
}
