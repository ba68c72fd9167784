//! `assay trace`: a profiler trace as tables.

use crate::context::Cx;
use crate::fail::Failure;
use crate::reply::Reply;
use crate::trace::generate;
use crate::trace::output::{Format, printed, unreadable, write};
use assay_manifest::absolute;
use assay_protocol::ExitCode;
use assay_trace::{Analysis, Document, Options as Analyse, ViewName, read};
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::Path;

/// Options of `trace`.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  assay trace decode.trace.json.gz                 the tables, as markdown\n  assay trace decode.trace.json.gz -o tables       markdown, HTML, JSON, CSV and pictures into a folder\n  assay trace decode.trace.json.gz --format json   everything, for programs\n  assay trace new.json.gz --diff old.json.gz       what changed, per step\n  assay trace decode.trace.json.gz --view steps,kernels --min-share 0"
)]
pub struct Options {
    /// Something else than reading a trace
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Trace of `torch.profiler` (`.json` or `.json.gz`; told by content)
    #[arg(required = true)]
    pub path: Option<String>,
    /// Views, divided by commas; `all` for every one
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "all")]
    pub view: Vec<String>,
    /// What to print
    #[arg(long, value_name = "FORMAT", default_value = "markdown")]
    pub format: Format,
    /// Write every form into this folder, and print the answer only
    #[arg(long, short, value_name = "DIR")]
    pub out: Option<String>,
    /// Compare with this trace, per step of each stage
    #[arg(long, value_name = "BASE")]
    pub diff: Option<String>,
    /// Share of a stage's kernel time in percent below which a row is left out
    #[arg(long, value_name = "PERCENT", default_value_t = 1.0)]
    pub min_share: f64,
    /// Let the path name the stage (`decode`, `prefill`, `extend`) of what no step claims
    #[arg(long)]
    pub stage_from_path: bool,
}

/// Something else than reading a trace.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a synthetic trace of an inference server, and beside it what is true of it
    Generate(generate::Options),
}

/// Runs the verb.
pub fn run(cx: &Cx, options: Options) -> Result<Reply, Failure> {
    if let Some(Command::Generate(options)) = &options.command {
        return generate::run(cx, options);
    }
    let views = views(&options.view)?;
    if !(0.0..=100.0).contains(&options.min_share) {
        return Err(Failure::usage(format!("`--min-share {}` is no percentage", options.min_share)));
    }
    let path = absolute(&cx.paths.cwd, options.path.as_deref().unwrap_or_default());
    let how = |path: &Path| Analyse {
        min_share: options.min_share,
        stage_from_path: options.stage_from_path.then(|| path.to_owned()),
    };
    let trace = read::read(&path).map_err(|error| unreadable(&error))?;
    let analysis = Analysis::new(&trace, how(&path));
    let mut document = Document::build(&analysis, cx.paths.shown(&path), &views);
    if let Some(base) = &options.diff {
        let path = absolute(&cx.paths.cwd, base);
        let trace = read::read(&path).map_err(|error| unreadable(&error))?;
        document = document.against(cx.paths.shown(&path), &Analysis::new(&trace, how(&path)), &analysis);
    }
    let exit = if document.integrity.sound { ExitCode::Ok } else { ExitCode::Inconclusive };
    let text = match &options.out {
        Some(folder) => write(cx, &absolute(&cx.paths.cwd, folder), &document)?,
        None => printed(&document, options.format)?,
    };
    Ok(Reply::new(exit, json!(document), text))
}

fn views(wanted: &[String]) -> Result<Vec<ViewName>, Failure> {
    if wanted.iter().any(|name| name == "all") {
        return Ok(ViewName::ALL.to_vec());
    }
    let find = |name: &String| {
        ViewName::ALL.iter().copied().find(|view| view.name() == name).ok_or_else(|| {
            let known: Vec<String> = ViewName::ALL.iter().map(|view| format!("`{}`", view.name())).collect();
            Failure::usage(format!("there is no view `{name}`"))
                .help(format!("use `all`, or some of {}", known.join(", ")))
        })
    };
    wanted.iter().map(find).collect()
}
