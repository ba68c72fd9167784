//! `assay trace`: a profiler trace as tables.

use crate::context::Cx;
use crate::fail::Failure;
use crate::reply::Reply;
use crate::trace::generate;
use crate::trace::output::{Format, printed, unanswered, write};
use assay_manifest::absolute;
use assay_protocol::ExitCode;
use assay_trace::name::Framework;
use assay_trace::request::{Anchor, Choice, Request, analyse};
use assay_trace::{Options as Analyse, ViewName};
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::Path;

/// Options of `trace`.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  assay trace decode.trace.json.gz                 the tables, as markdown\n  assay trace decode.trace.json.gz -o tables       markdown, HTML, JSON, CSV and pictures into a folder\n  assay trace decode.trace.json.gz --format json   everything, for programs\n  assay trace served.json.gz --mapping eager.json.gz  name graph kernels by a trace without graphs\n  assay trace new.json.gz --diff old.json.gz       what changed, per step\n  assay trace decode.trace.json.gz --view steps,kernels --min-share 0"
)]
pub struct Options {
    /// Something else than reading a trace
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Trace of `torch.profiler`, export of Nsight Systems, or a folder of them (told by content, not by name)
    #[arg(required = true)]
    pub path: Option<String>,
    /// Views, divided by commas: `triage` for the three tables of a triage, `all` for every one
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "triage")]
    pub view: Vec<String>,
    /// What to print
    #[arg(long, value_name = "FORMAT", default_value = "markdown")]
    pub format: Format,
    /// Write every form into this folder, and print the answer only
    #[arg(long, short, value_name = "DIR")]
    pub out: Option<String>,
    /// Readable trace of the same program (graphs off, with stacks) that names the kernels of this one
    #[arg(long, value_name = "TRACE")]
    pub mapping: Option<String>,
    /// `config.json` of the model: number and types of its layers
    #[arg(long, value_name = "FILE")]
    pub config: Option<String>,
    /// Kernels whose name holds this mark layers, instead of what the trace itself shows
    #[arg(long, value_name = "TEXT")]
    pub anchor: Option<String>,
    /// How often the anchor occurs in a layer
    #[arg(long, value_name = "N", requires = "anchor")]
    pub anchors_per_layer: Option<u32>,
    /// Layers of a pass, where no `config.json` says it
    #[arg(long, value_name = "N")]
    pub layers: Option<u32>,
    /// Layer whose compute flow is shown [default: the one in the middle]
    #[arg(long, value_name = "N")]
    pub layer: Option<u32>,
    /// Layer to compare that one with
    #[arg(long, value_name = "N")]
    pub compare_layer: Option<u32>,
    /// Table of Nsight Compute (`ncu --csv --page raw` or `--page details`) of the same program
    #[arg(long, value_name = "FILE")]
    pub ncu: Option<String>,
    /// GPU, where the trace does not say it, such as `H200`: for the view `roofline`
    #[arg(long, value_name = "NAME")]
    pub gpu: Option<String>,
    /// Compare with this trace, per step of each stage
    #[arg(long, value_name = "BASE")]
    pub diff: Option<String>,
    /// Rank to read from a folder: a number, `lowest`, or `all` to compare them
    #[arg(long, value_name = "RANK", default_value = "lowest")]
    pub rank: String,
    /// Framework, where the trace does not prove it: `sglang`, `vllm`, `tensorrt-llm` or `tokenspeed`
    #[arg(long, value_name = "NAME")]
    pub framework: Option<String>,
    /// Model, where no `server_args.json` beside the trace says it; some fusions are for some models only
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Ranks of the tensor-parallel group, where no `server_args.json` says it
    #[arg(long, value_name = "N")]
    pub tp: Option<u32>,
    /// More fusions to look for: a file like those in `engine/trace/registry`
    #[arg(long, value_name = "FILE")]
    pub registry: Vec<String>,
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
    let request = request(cx, &options)?;
    let mut report = analyse(&request).map_err(|error| unanswered(&error))?;
    for document in &mut report.documents {
        let shown = |path: &mut String| *path = cx.paths.shown(Path::new(path.as_str()));
        shown(&mut document.trace);
        document.mapping.iter_mut().for_each(shown);
        document.server_args.iter_mut().for_each(shown);
        document.diff.iter_mut().for_each(|diff| shown(&mut diff.base));
    }
    let exit = if report.sound() { ExitCode::Ok } else { ExitCode::Inconclusive };
    let text = match &options.out {
        Some(folder) => write(cx, &absolute(&cx.paths.cwd, folder), &report)?,
        None => printed(&report, options.format)?,
    };
    Ok(Reply::new(exit, json!(report), text))
}

fn request(cx: &Cx, options: &Options) -> Result<Request, Failure> {
    if !(0.0..=100.0).contains(&options.min_share) {
        return Err(Failure::usage(format!("`--min-share {}` is no percentage", options.min_share)));
    }
    let path = |text: &str| absolute(&cx.paths.cwd, text);
    Ok(Request {
        path: path(options.path.as_deref().unwrap_or_default()),
        views: views(&options.view)?,
        ranks: rank(&options.rank)?,
        mapping: options.mapping.as_deref().map(path),
        config: options.config.as_deref().map(path),
        anchor: options
            .anchor
            .clone()
            .map(|substring| Anchor { substring, per_layer: options.anchors_per_layer }),
        layers: options.layers,
        layer: options.layer,
        other_layer: options.compare_layer,
        ncu: options.ncu.as_deref().map(path),
        gpu: options.gpu.clone(),
        diff: options.diff.as_deref().map(path),
        options: Analyse { min_share: options.min_share, ..Analyse::default() },
        stage_from_path: options.stage_from_path,
        framework: options.framework.as_deref().map(framework).transpose()?,
        model: options.model.clone(),
        tp: options.tp,
        registries: options.registry.iter().map(|file| path(file)).collect(),
    })
}

fn rank(text: &str) -> Result<Choice, Failure> {
    match text {
        "lowest" => Ok(Choice::Lowest),
        "all" => Ok(Choice::All),
        number => number.parse().map(Choice::One).map_err(|_| {
            Failure::usage(format!("`--rank {text}` is no rank")).help("use a number, `lowest` or `all`")
        }),
    }
}

fn framework(name: &str) -> Result<Framework, Failure> {
    Framework::ALL.into_iter().find(|framework| framework.as_str() == name).ok_or_else(|| {
        let known = Framework::ALL.map(|framework| format!("`{}`", framework.as_str())).join(", ");
        Failure::usage(format!("there is no framework `{name}`")).help(format!("use one of {known}"))
    })
}

fn views(wanted: &[String]) -> Result<Vec<ViewName>, Failure> {
    let find = |name: &String| {
        ViewName::named(name).ok_or_else(|| {
            let help = format!("use some of {}", ViewName::known().join(", "));
            Failure::usage(format!("there is no view `{name}`")).help(help)
        })
    };
    Ok(wanted.iter().map(find).collect::<Result<Vec<_>, _>>()?.concat())
}
