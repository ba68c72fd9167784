//! Ranks against each other.

use super::names::Names;
use crate::sheet::{Block, Cell, Column, Remark, Section, Table, Tone};
use assay_trace::view::ranks::{CollectiveRow, RankRow, Ranks, StepSkew};

/// Steps that people read.
const SHOWN: usize = 20;
/// Longest kernel name for people.
const NAME: usize = 60;

/// Who waits for whom.
pub fn section(ranks: &Ranks) -> Section {
    let mut blocks = Vec::new();
    if let Some(reason) = &ranks.withheld {
        let text = format!("Withheld: arrivals, because {reason}.");
        blocks.push(Block::Remark(Remark { tone: Tone::Plain, text, help: None }));
    }
    if let Some(straggler) = &ranks.straggler {
        let text = format!(
            "Rank {} makes the others wait: {:.0} % of all waiting is for it, {:.1} us each time.",
            straggler.rank,
            straggler.caused_share,
            straggler.mean_wait_ns / 1e3
        );
        let help = "Look at its own work before the collectives, not at the collectives.".to_owned();
        blocks.push(Block::Remark(Remark { tone: Tone::Warn, text, help: Some(help) }));
    } else if ranks.withheld.is_none() {
        let text = "No rank makes the others wait more than chance would.".to_owned();
        blocks.push(Block::Remark(Remark { tone: Tone::Good, text, help: None }));
    }
    blocks.push(Block::Table(rows(&ranks.ranks)));
    blocks.push(Block::Table(collectives(&ranks.collectives)));
    blocks.push(Block::Table(steps(&ranks.steps)));
    Section { id: "ranks".to_owned(), title: "Ranks".to_owned(), blocks }
}

fn rows(ranks: &[RankRow]) -> Table {
    let row = |rank: &RankRow| {
        vec![
            Cell::count(u64::from(rank.rank)),
            Cell::text(&rank.source),
            Cell::count(rank.gpu_events),
            Cell::ms(rank.busy_ns),
            Cell::ms(rank.communication_ns),
            Cell::ms(rank.waited_ns),
            Cell::ms(rank.late_ns),
            Cell::count(rank.last),
            Cell::ms(rank.caused_ns),
            Cell::us(rank.clock_offset_ns),
        ]
    };
    Table {
        id: "ranks".to_owned(),
        caption: "Ranks; communication holds the waiting, so the longest is not the slowest".to_owned(),
        columns: vec![
            Column::number("rank", "Rank"),
            Column::text("source", "Source"),
            Column::number("gpu_events", "GPU events"),
            Column::number("busy_us", "Busy"),
            Column::number("communication_us", "Communication"),
            Column::number("waited_us", "Waited"),
            Column::number("late_us", "Late"),
            Column::number("last", "Came last"),
            Column::number("caused_us", "Others waited for it"),
            Column::number("clock_offset_us", "Clock offset"),
        ],
        rows: ranks.iter().map(row).collect(),
        empty: "No rank.".to_owned(),
    }
}

fn collectives(rows: &[CollectiveRow]) -> Table {
    let names = Names::of(rows.iter().map(|row| row.kernel.as_str()), NAME);
    let row = |row: &CollectiveRow| {
        vec![
            names.cell(&row.kernel),
            Cell::count(row.matched),
            Cell::us(row.spread_p50_ns),
            Cell::us(row.spread_p99_ns),
            Cell::us(row.spread_max_ns),
            Cell::ms(row.transfer_ns),
            Cell::ms(row.waited_ns),
        ]
    };
    Table {
        id: "collectives".to_owned(),
        caption: "Arrival at collectives, by kernel".to_owned(),
        columns: vec![
            Column::code("kernel", "Kernel"),
            Column::number("matched", "Matched"),
            Column::number("spread_p50_us", "Spread p50"),
            Column::number("spread_p99_us", "Spread p99"),
            Column::number("spread_max_us", "Spread max"),
            Column::number("transfer_us", "Transfer"),
            Column::number("waited_us", "Waited, all ranks"),
        ],
        rows: rows.iter().map(row).collect(),
        empty: "No collective could be matched.".to_owned(),
    }
}

fn steps(rows: &[StepSkew]) -> Table {
    let row = |row: &StepSkew| {
        vec![
            Cell::count(row.index),
            Cell::text(row.stage.title()),
            Cell::us(row.start_spread_ns),
            Cell::ms(row.least_busy_ns),
            Cell::ms(row.most_busy_ns),
            Cell::count(u64::from(row.slowest)),
        ]
    };
    let left_out = rows.len().saturating_sub(SHOWN);
    let more = if left_out == 0 {
        String::new()
    } else {
        format!("; the first {SHOWN} of {} are shown", rows.len())
    };
    Table {
        id: "rank-steps".to_owned(),
        caption: format!("Skew of each step, communication left out of the busy time{more}"),
        columns: vec![
            Column::number("index", "#"),
            Column::text("stage", "Stage"),
            Column::number("start_spread_us", "Start spread"),
            Column::number("least_busy_us", "Quickest"),
            Column::number("most_busy_us", "Slowest"),
            Column::number("slowest_rank", "Slowest rank"),
        ],
        rows: rows.iter().take(SHOWN).map(row).collect(),
        empty: "No step is on every rank.".to_owned(),
    }
}
