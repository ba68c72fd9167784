//! A ledger of judgements as a sheet: every judgement in a line, kernel and whole model side by side, what became stale.

use crate::kernel::{WHOLE, decisive, effect, gain, interval, short, tone};
use crate::sheet::{Block, Cell, Column, Figure, Remark, Section, Sheet, Table, Tone};
use crate::svg::ratios::{self, Ratio};
use assay_kernel::ledger::{Read, Row, Standing};
use assay_kernel::verdict::Class;

/// Lines of the picture; the newest are drawn.
const DRAWN: usize = 40;

/// Why a row no longer counts, in a word or two; empty if it does.
pub fn stale(standing: Standing) -> &'static str {
    match standing {
        Standing::Valid => "",
        Standing::StaleTask => "stale: task changed",
        Standing::StaleBaseline => "stale: baseline changed",
        Standing::Other => "another task",
    }
}

/// Everything, in the order in which it is read.
pub fn sheet(title: &str, read: &Read, standings: &[Standing]) -> Sheet {
    let rows: Vec<(usize, &Row, Standing)> = read
        .rows
        .iter()
        .zip(standings)
        .enumerate()
        .map(|(at, (row, standing))| (at + 1, row, *standing))
        .collect();
    let count = |class: Class| rows.iter().filter(|(_, row, _)| row.verdict == class).count();
    let gone = rows.iter().filter(|(_, _, standing)| *standing != Standing::Valid).count();
    let facts = vec![
        ("Judgements".to_owned(), rows.len().to_string()),
        ("Accepted".to_owned(), count(Class::Accept).to_string()),
        ("Refused".to_owned(), count(Class::Reject).to_string()),
        ("Not decided or no change".to_owned(), count(Class::Inconclusive).to_string()),
        ("Stale".to_owned(), gone.to_string()),
    ];
    let mut blocks = Vec::new();
    if let Some(figure) = picture(&rows) {
        blocks.push(figure);
    }
    blocks.push(Block::Table(table(&rows)));
    let section = Section { id: "judgements".to_owned(), title: "Judgements".to_owned(), blocks };
    Sheet { title: title.to_owned(), facts, answer: Some(answer(read)), sections: vec![section] }
}

fn answer(read: &Read) -> Remark {
    if let Some(broken) = &read.broken {
        return Remark {
            tone: Tone::Bad,
            text: format!("Row {} is broken: {}", broken.row, broken.reason),
            help: Some("Only the rows before it are shown. Nothing behind it may be believed.".to_owned()),
        };
    }
    let torn = match &read.torn {
        Some(_) => " A last line without an end is no row; its writer was stopped.",
        None => "",
    };
    Remark {
        tone: if torn.is_empty() { Tone::Good } else { Tone::Warn },
        text: format!("The chain of {} rows holds.{torn}", read.rows.len()),
        help: Some(
            "A kernel that is twice as fast is often a model that is 2 % faster: read both columns. A stale row was judged against \
             a task or a baseline that is no longer there."
                .to_owned(),
        ),
    }
}

/// A time in UTC, to the minute.
fn minute(ts: &str) -> String {
    ts.get(..16).unwrap_or(ts).replace('T', " ")
}

/// The ratio of a row that was measured and not refused for something else.
fn measured(row: &Row) -> Option<&assay_kernel::timing::estimate::Interval> {
    row.timing.as_ref().map(|timing| &timing.geomean).filter(|_| !decisive(row.code))
}

fn picture(rows: &[(usize, &Row, Standing)]) -> Option<Block> {
    let lines: Vec<Ratio> = rows
        .iter()
        .filter_map(|(number, row, standing)| {
            let of = measured(row)?;
            let label = format!("{number}: {} {}", row.task_id, row.code.word());
            let is_valid = *standing == Standing::Valid;
            let tone = if is_valid { tone(of) } else { "t-quiet" };
            let whole = row.e2e.as_ref().and_then(|e2e| Some((gain(e2e)?, effect(e2e))));
            Some(Ratio { label, interval: [of.ratio, of.lo, of.hi], tone, hollow: !is_valid, whole })
        })
        .collect();
    let newest = &lines[lines.len().saturating_sub(DRAWN)..];
    let svg = ratios::picture("Ratio of times by judgement", newest, None)?;
    let diamond = if newest.iter().any(|line| line.whole.is_some()) { WHOLE } else { "" };
    let caption = format!(
        "Geometric mean of baseline / candidate with its interval, for candidates that are right. Hollow: stale.{diamond}"
    );
    Some(Block::Figure(Figure { id: "ledger".to_owned(), caption, svg }))
}

fn table(rows: &[(usize, &Row, Standing)]) -> Table {
    let columns = vec![
        Column::number("row", "Row"),
        Column::text("ts", "Judged (UTC)"),
        Column::code("task", "Task"),
        Column::code("candidate", "Candidate"),
        Column::text("verdict", "Verdict"),
        Column::code("code", "Code"),
        Column::text("kernel", "Kernel ratio"),
        Column::text("e2e", "Whole model"),
        Column::text("standing", "Standing"),
        Column::text("device", "Device").wide(),
        Column::code("baseline", "Baseline").wide(),
    ];
    let digest = |sha: &str| Cell { exact: sha.to_owned(), shown: short(sha).trim_matches('`').to_owned() };
    let rows = rows.iter().map(|(number, row, standing)| {
        let e2e = row.e2e.as_ref().map_or_else(Cell::none, |e2e| Cell::text(effect(e2e)));
        vec![
            Cell::count(*number as u64),
            Cell { exact: row.ts.clone(), shown: minute(&row.ts) },
            Cell::text(row.task_id.clone()),
            digest(&row.candidate_sha),
            Cell::text(row.verdict.word()),
            Cell::text(row.code.word()),
            measured(row).map_or_else(Cell::none, |of| Cell::text(interval(of))),
            e2e,
            Cell::text(match stale(*standing) {
                "" => "valid",
                word => word,
            }),
            Cell::text(row.device.name.clone()),
            digest(&row.baseline_sha),
        ]
    });
    Table {
        id: "ledger".to_owned(),
        caption: "Every judgement, oldest first. Kernel ratio: baseline / candidate, above 1 the candidate is faster".to_owned(),
        columns,
        rows: rows.collect(),
        empty: "no judgement yet".to_owned(),
    }
}
