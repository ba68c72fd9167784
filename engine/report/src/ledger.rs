//! A ledger of judgements as a sheet: every judgement in a line, kernel and whole model side by side, what became stale.

use crate::kernel::{WHOLE, decisive, effect, gain, interval, short, tone};
use crate::sheet::{Block, Cell, Column, Figure, Remark, Section, Sheet, Table, Tone};
use crate::svg::ratios::{self, Ratio};
use assay_kernel::ledger::{Read, Row, Signature, Standing};
use assay_kernel::verdict::Class;

/// Lines of the picture; the newest are drawn.
const DRAWN: usize = 40;

/// Characters of a path that people see, from its end.
const PATH: usize = 32;
/// Characters of a command line that people see.
const PARENT: usize = 80;
/// What is said of a row that nobody signed.
const TO_BE_READ: &str = "to be read";

/// Why a row no longer counts, in a word or two; empty if it does.
pub fn stale(standing: Standing) -> &'static str {
    match standing {
        Standing::Valid => "",
        Standing::StaleTask => "stale: task changed",
        Standing::StaleBaseline => "stale: baseline changed",
        Standing::Other => "another task",
    }
}

/// Whether a row that nobody should believe unseen was read, in a word or two; empty where it needs no reader.
pub fn signed(read: &Read, number: usize, row: &Row) -> String {
    if !row.sign_off || row.verdict == Class::Reject {
        return String::new();
    }
    let mut users: Vec<&str> = Vec::new();
    for (_, signature) in read.signatures(number) {
        if !users.contains(&signature.by.user.as_str()) {
            users.push(&signature.by.user);
        }
    }
    if users.is_empty() { TO_BE_READ.to_owned() } else { format!("signed by {}", users.join(", ")) }
}

/// How many rows wait for a reader.
pub fn unread(read: &Read) -> usize {
    read.judgements().filter(|(number, row)| signed(read, *number, row) == TO_BE_READ).count()
}

/// Everything, in the order in which it is read. A standing for each judgement.
pub fn sheet(title: &str, read: &Read, standings: &[Standing]) -> Sheet {
    let rows: Vec<(usize, &Row, Standing)> =
        read.judgements().zip(standings).map(|((number, row), standing)| (number, row, *standing)).collect();
    let count = |class: Class| rows.iter().filter(|(_, row, _)| row.verdict == class).count();
    let gone = rows.iter().filter(|(_, _, standing)| *standing != Standing::Valid).count();
    let mut facts = vec![
        ("Judgements".to_owned(), rows.len().to_string()),
        ("Accepted".to_owned(), count(Class::Accept).to_string()),
        ("Refused".to_owned(), count(Class::Reject).to_string()),
        ("Not decided or no change".to_owned(), count(Class::Inconclusive).to_string()),
        ("Stale".to_owned(), gone.to_string()),
    ];
    let unread = unread(read);
    if unread > 0 {
        facts.push(("To be read".to_owned(), unread.to_string()));
    }
    let mut blocks = Vec::new();
    if let Some(figure) = picture(&rows) {
        blocks.push(figure);
    }
    blocks.push(Block::Table(table(read, &rows)));
    let mut sections = vec![Section { id: "judgements".to_owned(), title: "Judgements".to_owned(), blocks }];
    sections.extend(signatures(read));
    Sheet { title: title.to_owned(), facts, answer: Some(answer(read)), sections }
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
    let wait = match unread(read) {
        0 => "",
        _ => {
            " What is marked \"to be read\" counts only after somebody read its source: `assay ledger sign`."
        }
    };
    Remark {
        tone: if torn.is_empty() && wait.is_empty() { Tone::Good } else { Tone::Warn },
        text: format!("The chain of {} rows holds.{torn}{wait}", read.entries.len()),
        help: Some(
            "A kernel that is twice as fast is often a model that is 2 % faster: read both columns. A stale row was judged against \
             a task or a baseline that is no longer there."
                .to_owned(),
        ),
    }
}

/// A path of which people see the end.
pub fn tail(path: &str) -> String {
    match path.char_indices().rev().nth(PATH - 1) {
        Some((at, _)) if at > 0 => format!("…{}", &path[at..]),
        _ => path.to_owned(),
    }
}

/// Whether a row counts, as far as is known.
fn stands(standing: Standing, signed: &str) -> String {
    let standing = if standing == Standing::Valid { "valid" } else { stale(standing) };
    if signed.is_empty() { standing.to_owned() } else { format!("{standing}, {signed}") }
}

fn named(path: &str) -> Cell {
    Cell { exact: path.to_owned(), shown: tail(path) }
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
            let quick = if row.quick { " quick" } else { "" };
            let label = format!("{number}: {} {}{quick}", row.task_id, row.code.word());
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

fn table(read: &Read, rows: &[(usize, &Row, Standing)]) -> Table {
    let columns = vec![
        Column::number("row", "Row"),
        Column::text("ts", "Judged (UTC)"),
        Column::code("task", "Task"),
        Column::code("file", "File"),
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
            row.candidate.as_ref().map_or_else(Cell::none, |name| named(name)),
            digest(&row.candidate_sha),
            Cell::text(format!("{}{}", row.verdict.word(), if row.quick { ", quick" } else { "" })),
            Cell::text(row.code.word()),
            measured(row).map_or_else(Cell::none, |of| Cell::text(interval(of))),
            e2e,
            Cell::text(stands(*standing, &signed(read, *number, row))),
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

/// Who read what, where anybody did.
fn signatures(read: &Read) -> Option<Section> {
    let all: Vec<(usize, &Signature)> =
        (1..=read.entries.len()).flat_map(|number| read.signatures(number)).collect();
    if all.is_empty() {
        return None;
    }
    let columns = vec![
        Column::number("signed", "Signed row"),
        Column::text("user", "By"),
        Column::text("ts", "Signed (UTC)"),
        Column::text("comment", "Comment"),
        Column::text("terminal", "At a terminal"),
        Column::code("parent", "Called by").wide(),
        Column::number("row", "In row"),
    ];
    let rows = all.into_iter().map(|(number, signature)| {
        let by = &signature.by;
        vec![
            Cell::count(signature.row as u64),
            Cell::text(by.user.clone()),
            Cell { exact: signature.ts.clone(), shown: minute(&signature.ts) },
            Cell::text(signature.comment.clone()),
            Cell::text(if by.terminal { "yes" } else { "no" }),
            Cell::short(by.parent.clone(), PARENT),
            Cell::count(number as u64),
        ]
    });
    let table = Table {
        id: "signatures".to_owned(),
        caption: "Who read the source of what is too fast to be believed unseen, as far as the machine knows"
            .to_owned(),
        columns,
        rows: rows.collect(),
        empty: String::new(),
    };
    let blocks = vec![Block::Table(table)];
    Some(Section { id: "signatures".to_owned(), title: "Signatures".to_owned(), blocks })
}

#[cfg(test)]
mod tests {
    use super::{PATH, tail};

    #[test]
    fn of_long_paths_the_end_is_seen() {
        assert_eq!(tail("fast.c"), "fast.c");
        assert_eq!(tail(&"ü".repeat(PATH)), "ü".repeat(PATH));
        assert_eq!(
            tail(&format!("{}/fast.c", "ü".repeat(PATH))),
            format!("…{}/fast.c", "ü".repeat(PATH - 7))
        );
    }
}
