//! `assay ledger show`, `verify` and `export`; signing is in `sign`.

use crate::console::clean;
use crate::context::Cx;
use crate::fail::Failure;
use crate::kernel::output::{short, table};
use crate::kernel::{files, refused};
use crate::reply::Reply;
use assay_kernel::ledger::{Current, Ledger, Read, Row, Standing, standings, traces};
use assay_kernel::task::Loaded;
use assay_manifest::absolute;
use assay_protocol::ExitCode;
use assay_report::ledger::{signed, stale, tail, unread};
use assay_report::{kernel, sheet};
use clap::Args;
use serde_json::json;

/// Options of `ledger show`.
#[derive(Debug, Args)]
pub struct Show {
    /// The ledger
    pub ledger: String,
    /// Mark rows by what this task is today, not by what its last row was judged against; repeatable
    #[arg(long, value_name = "TASK")]
    pub task: Vec<String>,
    /// Write a page with a picture into this file
    #[arg(long, value_name = "FILE")]
    pub html: Option<String>,
}

/// Options of `ledger verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// The ledger
    pub ledger: String,
    /// At least so many rows: what was noted elsewhere shows whether rows were cut off at the end
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub rows: usize,
}

/// Options of `ledger export`.
#[derive(Debug, Args)]
pub struct Export {
    /// The ledger
    pub ledger: String,
    /// The task whose rows are wanted: its file, or the folder that holds its `task.yaml`
    #[arg(long)]
    pub task: String,
}

/// Shows the judgements.
pub fn show(cx: &Cx, options: &Show) -> Result<Reply, Failure> {
    let (shown, read) = read(cx, &options.ledger)?;
    let known = options.task.iter().map(|task| files::task(cx, task).map(|loaded| Current::of(&loaded)));
    let judgements: Vec<&Row> = read.judgements().map(|(_, row)| row).collect();
    let standings = standings(&judgements, &known.collect::<Result<Vec<_>, _>>()?);
    let mut text = rows(&read, &standings);
    text.push_str(&signatures(&read));
    let gone = standings.iter().filter(|standing| **standing != Standing::Valid).count();
    if gone > 0 {
        text.push_str(&format!(
            "\n{gone} of {} rows are stale: they were judged against a task or a baseline that changed since. Judge again.\n",
            judgements.len()
        ));
    }
    let unread = unread(&read);
    if unread > 0 {
        let rows = if unread == 1 { "row is" } else { "rows are" };
        text.push_str(&format!(
            "\n{unread} {rows} to be read: the gain is too large to count before a person has read the source. `assay explain sign_off`\n"
        ));
    }
    if let Some(file) = &options.html {
        let path = absolute(&cx.paths.cwd, file);
        let page =
            sheet::html(&assay_report::ledger::sheet(&format!("Kernel ledger {shown}"), &read, &standings));
        files::write(cx, &path, &page)?;
        text.push_str(&format!("page: {}\n", cx.paths.shown(&path)));
    }
    let marked: Vec<_> = read
        .judgements()
        .zip(&standings)
        .map(|((number, row), standing)| {
            let signatures: Vec<_> = read.signatures(number).map(|(_, signature)| signature).collect();
            json!({"number": number, "standing": standing, "row": row, "signatures": signatures})
        })
        .collect();
    let data =
        json!({"ledger": shown, "rows": marked, "broken": broken_data(&read), "torn": read.torn.is_some()});
    Ok(ended(Reply::new(exit(&read), data, text), &shown, &read))
}

/// Checks the chain.
pub fn verify(cx: &Cx, options: &Verify) -> Result<Reply, Failure> {
    let (shown, read) = read(cx, &options.ledger)?;
    let count = read.entries.len();
    let data =
        json!({"ledger": shown, "rows": count, "broken": broken_data(&read), "torn": read.torn.is_some()});
    if read.broken.is_none() && count < options.rows {
        let message = format!(
            "{shown}: {count} rows hold, and {} were expected: rows are missing at the end",
            options.rows
        );
        return Err(Failure::new(ExitCode::Unfair, "kernel-ledger", message)
            .help("look for a copy of the ledger that has them"));
    }
    let judgements = read.judgements().count();
    let signatures = match count - judgements {
        0 => String::new(),
        1 => format!(", {judgements} judgements and 1 signature"),
        more => format!(", {judgements} judgements and {more} signatures"),
    };
    let text = if read.broken.is_some() {
        String::new()
    } else {
        format!("{shown}: the chain of {count} rows holds{signatures}\n")
    };
    Ok(ended(Reply::new(exit(&read), data, text), &shown, &read))
}

/// Prints rows as traces.
pub fn export(cx: &Cx, options: &Export, loaded: &Loaded) -> Result<Reply, Failure> {
    let (shown, read) = read(cx, &options.ledger)?;
    let found: Vec<_> = read.judgements().filter_map(|(_, row)| traces(row, loaded)).flatten().collect();
    if found.is_empty() && read.broken.is_none() {
        let message = format!("`{shown}` has no row to export of `{}` as it is today", loaded.task.name);
        return Err(Failure::new(ExitCode::Nothing, "kernel-ledger", message)
            .help("rows of a task that changed since are stale; judge again, or give the task as it was"));
    }
    let text: String = found.iter().map(|trace| format!("{}\n", trace.line())).collect();
    Ok(ended(Reply::new(exit(&read), json!({"traces": found}), text), &shown, &read))
}

pub(super) fn read(cx: &Cx, given: &str) -> Result<(String, Read), Failure> {
    let path = absolute(&cx.paths.cwd, given);
    let shown = cx.paths.shown(&path);
    if !path.is_file() {
        return Err(Failure::new(
            ExitCode::Nothing,
            "kernel-ledger",
            format!("there is no ledger `{shown}`"),
        )
        .help(format!("a judgement with `--ledger {shown}` begins it"))
        .next("assay kernel judge --help", "shows how to judge a candidate"));
    }
    let read = Ledger::new(path).read().map_err(|error| refused::ledger(cx, &error))?;
    Ok((shown, read))
}

fn exit(read: &Read) -> ExitCode {
    if read.broken.is_some() { ExitCode::Unfair } else { ExitCode::Ok }
}

fn broken_data(read: &Read) -> serde_json::Value {
    read.broken
        .as_ref()
        .map_or(serde_json::Value::Null, |broken| json!({"row": broken.row, "reason": broken.reason}))
}

/// Adds what is wrong with the file, on standard error.
fn ended(mut reply: Reply, shown: &str, read: &Read) -> Reply {
    if let Some(broken) = &read.broken {
        reply.remarks.push_str(&format!(
            "error: row {} of `{shown}` is broken: {}\n  {} rows before it hold; look for a copy from before the change\n",
            broken.row,
            broken.reason,
            read.entries.len()
        ));
    }
    if read.torn.is_some() {
        reply.remarks.push_str("warning: the last line has no end: its writer was stopped; it is no row\n");
    }
    reply
}

fn rows(read: &Read, standings: &[Standing]) -> String {
    let cells: Vec<Vec<String>> = read
        .judgements()
        .zip(standings)
        .map(|((number, row), standing)| {
            let measured = row.timing.as_ref().filter(|_| !kernel::decisive(row.code));
            vec![
                number.to_string(),
                second(&row.ts),
                row.task_id.clone(),
                short(&row.candidate_sha).to_owned(),
                row.candidate.as_deref().map_or_else(|| "-".to_owned(), |name| clean(&tail(name))),
                row.code.word(),
                measured.map_or_else(|| "-".to_owned(), |timing| kernel::interval(&timing.geomean)),
                row.e2e.as_ref().map_or_else(|| "-".to_owned(), kernel::effect),
                marks(read, number, row, *standing),
            ]
        })
        .collect();
    if cells.is_empty() {
        return "no judgement yet\n".to_owned();
    }
    table(
        &["Row", "Judged (UTC)", "Task", "Candidate", "File", "Code", "Kernel ratio", "Whole model", ""],
        &cells,
    )
}

/// What a reader of a row must know beside its figures.
fn marks(read: &Read, number: usize, row: &Row, standing: Standing) -> String {
    let quick = if row.quick { "quick" } else { "" };
    let all = [quick.to_owned(), clean(&signed(read, number, row)), stale(standing).to_owned()];
    all.into_iter().filter(|mark| !mark.is_empty()).collect::<Vec<_>>().join(", ")
}

/// Who signed what.
fn signatures(read: &Read) -> String {
    let all = (1..=read.entries.len()).flat_map(|number| read.signatures(number));
    let lines: String = all
        .map(|(number, signature)| {
            let (by, comment) = (clean(&signature.by.user), clean(&signature.comment));
            format!(
                "row {number}: {by} signed row {}, {} UTC: {comment}\n",
                signature.row,
                second(&signature.ts)
            )
        })
        .collect();
    if lines.is_empty() { lines } else { format!("\n{lines}") }
}

/// A time to the second.
fn second(ts: &str) -> String {
    ts.get(..19).unwrap_or(ts).replace('T', " ")
}
