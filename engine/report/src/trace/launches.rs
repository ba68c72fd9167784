//! Launch statistics.

use crate::sheet::{Block, Cell, Column, Remark, Section, Table, Tone};
use assay_trace::view::launches::{CallRow, LaunchStats, QueueDepth, StageLaunches};

/// Calls that people read.
const SHOWN: usize = 12;

/// All statistics.
pub fn section(stats: &LaunchStats) -> Section {
    let mut blocks = Vec::new();
    for (what, reason) in
        [("launch delays", &stats.delays_withheld), ("waits of steps", &stats.waits_of_steps_withheld)]
    {
        if let Some(reason) = reason {
            let text = format!("Withheld: {what}, because {reason}.");
            blocks.push(Block::Remark(Remark { tone: Tone::Plain, text, help: None }));
        }
    }
    blocks.push(Block::Table(stages(&stats.stages)));
    blocks.push(Block::Table(calls(&stats.calls)));
    blocks.push(Block::Table(queues(&stats.queue_depth)));
    Section { id: "launches".to_owned(), title: "Launches".to_owned(), blocks }
}

fn stages(stages: &[StageLaunches]) -> Table {
    let row = |stage: &StageLaunches| {
        let delay = |of: fn(&assay_trace::view::launches::DelayStats) -> i64| {
            stage.delay.as_ref().map_or_else(Cell::none, |delay| Cell::us(of(delay)))
        };
        let short = stage.short_kernels.as_ref();
        vec![
            Cell::text(stage.stage.title()),
            Cell::count(stage.direct_launches),
            Cell::count(stage.graph_launches),
            stage.launches_per_step.map_or_else(Cell::none, |launches| Cell::number(launches, 1)),
            Cell::percent(stage.graph_coverage),
            Cell::percent(stage.graph_time_share),
            delay(|delay| delay.p50_ns),
            delay(|delay| delay.p99_ns),
            delay(|delay| delay.max_ns),
            short.map_or_else(Cell::none, |short| Cell::percent(short.share_of_launches)),
            short.map_or_else(Cell::none, |short| Cell::percent(short.share_of_time)),
            stage.waits.as_ref().map_or_else(Cell::none, |waits| Cell::ms(waits.time_ns)),
        ]
    };
    Table {
        id: "launches".to_owned(),
        caption: "Launches by stage; the delay runs from the call to the kernel's begin".to_owned(),
        columns: vec![
            Column::text("stage", "Stage"),
            Column::number("direct_launches", "Direct"),
            Column::number("graph_launches", "Graph"),
            Column::number("launches_per_step", "Per step"),
            Column::number("graph_coverage_percent", "Under graph"),
            Column::number("graph_time_percent", "Its time"),
            Column::number("delay_p50_us", "Delay p50"),
            Column::number("delay_p99_us", "Delay p99"),
            Column::number("delay_max_us", "Delay max"),
            Column::number("short_launches_percent", "Shorter than their launch"),
            Column::number("short_time_percent", "Their time"),
            Column::number("waits_us", "Host waits"),
        ],
        rows: stages.iter().map(row).collect(),
        empty: "Nothing was launched.".to_owned(),
    }
}

fn calls(calls: &[CallRow]) -> Table {
    let row = |call: &CallRow| {
        vec![
            Cell::text(&call.name),
            Cell::count(call.count),
            Cell::ms(call.total_ns),
            Cell::number(call.mean_ns / 1e3, 2),
            Cell::text(if call.waits { "yes" } else { "no" }),
        ]
    };
    Table {
        id: "calls".to_owned(),
        caption: "Calls of the runtime and the driver, most time first".to_owned(),
        columns: vec![
            Column::code("call", "Call"),
            Column::number("count", "Count"),
            Column::number("total_us", "Time"),
            Column::number("mean_us", "Mean (us)"),
            Column::text("waits", "Waits for the GPU"),
        ],
        rows: calls.iter().take(SHOWN).map(row).collect(),
        empty: "No call was recorded.".to_owned(),
    }
}

fn queues(queues: &[QueueDepth]) -> Table {
    let row = |queue: &QueueDepth| vec![Cell::text(&queue.device), Cell::count(queue.max)];
    Table {
        id: "queues".to_owned(),
        caption: "Launches under way at most: called and not begun".to_owned(),
        columns: vec![Column::text("device", "Device"), Column::number("max", "Launches")],
        rows: queues.iter().map(row).collect(),
        empty: "No launch can be followed.".to_owned(),
    }
}
