//! `assay kernel check`: a task, with everything that can be checked without foreign code.

use crate::context::Cx;
use crate::fail::Failure;
use crate::kernel::output::table;
use crate::kernel::{files, refused};
use crate::reply::Reply;
use assay_kernel::case::{Case, Kind, cases, rejected};
use assay_kernel::task::Loaded;
use clap::Args;
use serde_json::json;

/// Options of `kernel check`.
#[derive(Debug, Args)]
pub struct Options {
    /// The task: its file, or the folder that holds its `task.yaml`
    pub task: String,
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
        "strided": count(Kind::Strided), "rejected": refused_calls,
    });
    let task = &loaded.task;
    let shapes: Vec<_> = measured(&all)
        .zip(&loaded.shapes)
        .map(|(case, shape)| json!({"axes": shape.axes, "headline": shape.headline, "bytes": bytes(case)}))
        .collect();
    let data = json!({
        "task": task.name, "digest": loaded.digest, "file": cx.paths.shown(&loaded.file), "form": task.abi.form,
        "symbol": task.abi.symbol, "shapes": shapes, "cases": counts,
        "files": loaded.files,
    });
    let text = text(&loaded, &all, refused_calls);
    let next = format!("assay kernel judge {} --candidate <file>", options.task);
    Ok(Reply::ok(data, text).next(next, "judges a candidate against the baseline"))
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
    let count = |kind| all.iter().filter(|case| case.kind == kind).count();
    text.push_str(&format!(
        "\nAlso checked: {} hidden shapes, {} drawn in each judgement, {} with gaps between rows, {refused_calls} calls that must be refused.\n",
        count(Kind::Hidden),
        count(Kind::Random),
        count(Kind::Strided)
    ));
    let locked: Vec<String> = loaded.files.iter().map(|file| format!("`{}`", file.path.display())).collect();
    text.push_str(&format!("The digest covers the task and {}.\n", locked.join(", ")));
    text
}
