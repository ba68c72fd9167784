//! `assay kernel check`: a task, with everything that can be checked without foreign code.

use crate::context::Cx;
use crate::fail::Failure;
use crate::format::shell_word;
use crate::kernel::output::table;
use crate::kernel::{files, refused};
use crate::reply::Reply;
use assay_kernel::build::regular;
use assay_kernel::case::{Case, Drawn, Kind, cases, rejected};
use assay_kernel::judge::JudgeError;
use assay_kernel::oracle::{oracle, without_terms};
use assay_kernel::task::{Loaded, missing, silent};
use assay_manifest::absolute;
use assay_protocol::Finding;
use clap::Args;
use serde_json::json;

/// Options of `kernel check`.
#[derive(Debug, Args)]
pub struct Options {
    /// The task: its file, or the folder that holds its `task.yaml`
    pub task: String,
    /// A candidate: whether it can be read, and whether its form fits; nothing of it is run
    #[arg(long, short, value_name = "FILE")]
    pub candidate: Option<String>,
}

/// Runs it.
pub fn run(cx: &Cx, options: &Options) -> Result<Reply, Failure> {
    let loaded = files::task(cx, &options.task)?;
    // Any seed shows how many shapes a judgement looks at; its own are drawn when it begins.
    let all = cases(&loaded, 0).map_err(|error| refused::task(cx, &error))?;
    let axes = &loaded.shapes.first().map(|shape| shape.axes.clone()).unwrap_or_default();
    let refused_calls = rejected(&loaded.task, axes).map_err(|error| refused::task(cx, &error))?.len();
    let count = |kind| all.iter().filter(|case| case.kind == kind).count();
    let counts = json!({
        "measured": count(Kind::Measured), "hidden": count(Kind::Hidden), "random": count(Kind::Random),
        "large": count(Kind::Large), "scalars": count(Kind::Scalar), "strided": count(Kind::Strided), "rejected": refused_calls,
    });
    let (task, drawn) = (&loaded.task, Drawn::of(&loaded));
    let shapes: Vec<_> = measured(&all)
        .zip(&loaded.shapes)
        .map(|(case, shape)| json!({"axes": shape.axes, "headline": shape.headline, "bytes": bytes(case)}))
        .collect();
    let data = json!({
        "task": task.name, "digest": loaded.digest, "file": cx.paths.shown(&loaded.file), "form": task.abi.form,
        "symbol": task.abi.symbol, "shapes": shapes, "cases": counts,
        "drawn": {"random": drawn.random, "beyond": drawn.beyond, "large": count(Kind::Large)},
        "files": loaded.files,
    });
    let text = text(&loaded, &all, refused_calls);
    let mut reply = Reply::ok(data, text);
    for word in missing(task, &loaded.folder) {
        let message = format!(
            "the oracle's command names `{word}`, which is not beside the task: it is not locked, and a judgement may fail"
        );
        let help = "put the file into the task's folder, or correct `oracle.command`";
        warn(&mut reply, &loaded, "oracle-missing", message, help);
    }
    // Of a program this is known only once it was run.
    if task.oracle.builtin.is_some() {
        let told = oracle(&loaded).map_err(JudgeError::from).and_then(|oracle| {
            let silent = silent(&loaded, oracle.as_ref())?;
            Ok(silent.into_iter().map(without_terms).collect::<Vec<_>>())
        });
        for message in told.map_err(|error| refused::judgement(cx, &error))? {
            warn(&mut reply, &loaded, "terms-missing", message, "`docs/kernels.md` says what `terms` are");
        }
    }
    let (candidate, why) = match &options.candidate {
        Some(given) => {
            readable(cx, given)?;
            (given.clone(), "judges it")
        }
        None => {
            // The task's own baseline is a candidate that everybody has.
            (
                cx.paths.shown(&loaded.baseline()),
                "judges the baseline against itself; put a candidate in its place",
            )
        }
    };
    let next = format!(
        "assay kernel judge {} --candidate {} --quick",
        shell_word(&options.task),
        shell_word(&candidate)
    );
    Ok(reply.next(next, why))
}

/// A candidate that cannot be read is said now, not after the first gate.
fn readable(cx: &Cx, given: &str) -> Result<(), Failure> {
    let path = absolute(&cx.paths.cwd, given);
    // Opening a pipe would wait for its writer.
    regular(&path).and_then(|()| std::fs::File::open(&path).map(drop)).map_err(|error| {
        Failure::usage(format!("the candidate `{}` cannot be read: {error}", cx.paths.shown(&path)))
            .help("give the path of a source or a library from the folder that you are in")
    })
}

fn warn(reply: &mut Reply, loaded: &Loaded, code: &str, message: String, help: &str) {
    reply.remarks.push_str(&format!("warning[{code}]: {message}\n  {help}\n"));
    reply.findings.push(Finding {
        code: code.to_owned(),
        severity: "warning".to_owned(),
        message,
        file: Some(loaded.file.display().to_string()),
        help: vec![help.to_owned()],
        ..Finding::default()
    });
}

fn measured(all: &[Case]) -> impl Iterator<Item = &Case> {
    all.iter().filter(|case| case.kind == Kind::Measured)
}

/// Bytes of all tensors of a call.
fn bytes(case: &Case) -> usize {
    case.tensors.iter().map(|tensor| tensor.layout.span()).sum()
}

fn text(loaded: &Loaded, all: &[Case], refused_calls: usize) -> String {
    let task = &loaded.task;
    let oracle = match &task.oracle.builtin {
        Some(name) => format!("`{name}`, built in, in binary64"),
        None => format!("the program `{}`", task.oracle.command.join(" ")),
    };
    let in_place = if task.abi.inplace_allowed { ", also in place" } else { "" };
    let commit =
        if task.baseline.commit.is_empty() { String::new() } else { format!(" at {}", task.baseline.commit) };
    let source = if task.baseline.source.is_empty() {
        String::new()
    } else {
        format!(", from {}{commit}", task.baseline.source)
    };
    let mut text = format!("{}: {}\n", task.name, task.description);
    for (name, value) in [
        ("digest", loaded.digest.clone()),
        ("entry", format!("`{}` ({}){in_place}", task.abi.symbol, task.abi.form.word())),
        ("baseline", format!("`{}`{source}", task.baseline.path.display())),
        ("oracle", oracle),
    ] {
        text.push_str(&format!("  {name:<9} {value}\n"));
    }
    let rows: Vec<Vec<String>> = measured(all)
        .zip(&loaded.shapes)
        .map(|(case, shape)| {
            let headline = if shape.headline { "headline" } else { "beside it" };
            vec![case.title(), headline.to_owned(), format!("{:.1} KiB", bytes(case) as f64 / 1024.0)]
        })
        .collect();
    text.push('\n');
    text.push_str(&table(&["Measured shape", "Counts for", "Tensors"], &rows));
    text.push_str(&format!("\nAlso checked:\n{}", also(loaded, all, refused_calls)));
    let locked: Vec<String> = loaded.files.iter().map(|file| format!("`{}`", file.path.display())).collect();
    text.push_str(&format!("The digest covers the task and {}.\n", locked.join(", ")));
    text
}

/// What is checked beside measured shapes, each with the field of the task that it comes from.
fn also(loaded: &Loaded, all: &[Case], refused_calls: usize) -> String {
    let count = |kind| all.iter().filter(|case| case.kind == kind).count();
    let drawn = Drawn::of(loaded);
    let large = count(Kind::Large);
    let parts = drawn.random as usize + drawn.beyond.len() + large;
    let axes = drawn.beyond.iter().map(|axis| format!("`{axis}`")).collect::<Vec<_>>().join(", ");
    let mut from = vec![format!("{} by `hidden.random`", drawn.random)];
    if !drawn.beyond.is_empty() {
        from.push(format!("{} beyond the largest measured size of {axes}", drawn.beyond.len()));
    }
    if large > 0 {
        from.push(format!("{large} larger than `hidden.max_elements`"));
    }
    // Two that coincide are one, so a judgement may have fewer.
    let most = if count(Kind::Random) + large < parts { "up to " } else { "" };
    let mut lines = vec![
        format!("{} hidden shapes: sizes of `hidden.odd`, and both ends of each range", count(Kind::Hidden)),
        format!("{most}{parts} shapes drawn in each judgement: {}", from.join(", ")),
        format!("{} shapes with gaps between rows", count(Kind::Strided)),
        format!("{} shapes with other values of the scalars", count(Kind::Scalar)),
        format!("{refused_calls} calls that must be refused (`reject`)"),
    ];
    lines.retain(|line| !line.starts_with("0 "));
    lines.iter().map(|line| format!("  {line}\n")).collect()
}
