//! `assay kernel header` and `assay kernel allowed`: what somebody who writes a kernel must have at hand.

use crate::context::Cx;
use crate::fail::Failure;
use crate::format::{shell_word, wrapped};
use crate::kernel::files;
use crate::reply::Reply;
use assay_kernel::build::HEADER;
use assay_kernel::statics::{ALWAYS, CPP};
use assay_manifest::absolute;
use clap::Args;
use serde_json::json;

/// Columns that a list of names fills.
const WIDTH: usize = 100;

/// Options of `kernel header`.
#[derive(Debug, Args)]
pub struct HeaderOptions {
    /// Write it into this file, or into this folder as `assay_kernel.h`
    #[arg(long, short, value_name = "FILE")]
    pub out: Option<String>,
}

/// Options of `kernel allowed`.
#[derive(Debug, Args)]
pub struct AllowedOptions {
    /// A task, for what it allows beside
    pub task: Option<String>,
}

/// Prints the header, or writes it.
pub fn header(cx: &Cx, options: &HeaderOptions) -> Result<Reply, Failure> {
    let Some(out) = &options.out else { return Ok(Reply::ok(json!({"header": HEADER}), HEADER)) };
    let mut path = absolute(&cx.paths.cwd, out);
    if path.is_dir() {
        path.push("assay_kernel.h");
    }
    files::write(cx, &path, HEADER)?;
    let shown = cx.paths.shown(&path);
    let folder = path.parent().map(|folder| cx.paths.shown(folder)).unwrap_or_default();
    let text = format!(
        "header: {shown}\nIt is for editors and compilers of your own (`-I {}`); a judgement brings its own copy.\n",
        shell_word(&folder)
    );
    Ok(Reply::ok(json!({"file": shown}), text))
}

/// Prints what a kernel may import.
pub fn allowed(cx: &Cx, options: &AllowedOptions) -> Result<Reply, Failure> {
    let mut text = String::from("Every kernel may import:\n");
    for (what, names) in ALWAYS {
        text.push_str(&format!("\n{what}\n{}", joined(names.iter().copied())));
    }
    text.push_str(&format!(
        "\nEvery kernel may need the run-time libraries of C++:\n{}",
        joined(CPP.iter().copied())
    ));
    let groups: Vec<_> = ALWAYS.iter().map(|(what, names)| json!({"for": what, "names": names})).collect();
    let mut data = json!({"always": groups, "needed": CPP});
    match &options.task {
        Some(task) => {
            let allow = files::task(cx, task)?.task.allow;
            text.push_str(&format!("\nbeside them, by `allow.imports` of {task}\n"));
            text.push_str(&listed(&allow.imports));
            text.push_str("\nlibraries that it may need, by `allow.needed`\n");
            text.push_str(&listed(&allow.needed));
            data["allow"] = json!(allow);
        }
        None => text.push_str("\nA task may allow more: `allow.imports`, `allow.needed`.\n"),
    }
    Ok(Reply::ok(data, text))
}

fn listed(names: &[String]) -> String {
    match names.is_empty() {
        true => "  none\n".to_owned(),
        false => joined(names.iter().map(String::as_str)),
    }
}

fn joined<'a>(names: impl Iterator<Item = &'a str>) -> String {
    wrapped(&names.collect::<Vec<_>>().join(" "), 2, WIDTH)
}
