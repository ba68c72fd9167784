//! `trace`: a profiler trace as tables, in every form.

mod outputs;

use crate::config::{self, schema_of, write_output};
use crate::fields::FilePath;
use assay_manifest::{Effects, Kind};
use assay_protocol::{Status, Value, ValueMap};
use assay_report::trace as forms;
use assay_run::{LocalFuture, Outcome, Step, StepCtx};
use assay_store::sha256_hex;
use assay_trace::name::Framework;
use assay_trace::request::{Anchor, Choice, Request, analyse};
use assay_trace::{Options, RequestError, TraceError, ViewName};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use std::path::PathBuf;

/// Reads a trace, or a folder of traces, and writes its tables.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Trace of `torch.profiler`, export of Nsight Systems, or a folder of them. Told by content, not by name.
    path: FilePath,
    /// Views to build: names as in `assay trace --help`, `triage` or `all`. Default: `[triage]`.
    #[serde(default)]
    views: Option<Vec<String>>,
    /// Readable trace of the same program (graphs off, with stacks) that names the kernels of this one; a file or a
    /// folder. Empty: none, as for every other text of this step.
    #[serde(default)]
    mapping: Option<FilePath>,
    /// `config.json` of the model: number and types of its layers.
    #[serde(default)]
    config: Option<FilePath>,
    /// Kernels whose name holds this mark layers, instead of what the trace itself shows.
    #[serde(default)]
    anchor: Option<String>,
    /// How often the anchor occurs in a layer. Default, and 0: worked out.
    #[serde(default)]
    anchors_per_layer: Option<u32>,
    /// Layers of a pass, where no `config.json` says it. Default: 0, not known.
    #[serde(default)]
    layers: Option<u32>,
    /// Layer whose compute flow is shown. Default: the one in the middle.
    #[serde(default)]
    layer: Option<u32>,
    /// Layer to compare that one with.
    #[serde(default)]
    compare_layer: Option<u32>,
    /// Table of Nsight Compute (`ncu --csv`) of the same program.
    #[serde(default)]
    ncu: Option<FilePath>,
    /// GPU, where the trace does not say it, such as `H200`: for the view `roofline`.
    #[serde(default)]
    gpu: Option<String>,
    /// Trace to compare with, per step of each stage.
    #[serde(default)]
    base: Option<FilePath>,
    /// Rank to read from a folder. Default: the lowest. Exclusive with `all_ranks`.
    #[serde(default)]
    rank: Option<u32>,
    /// Read every rank of a folder and compare them. Default: `false`.
    #[serde(default)]
    all_ranks: bool,
    /// Share of a stage's kernel time in percent below which a row is left out. Default: 1.
    #[serde(default)]
    #[schemars(range(min = 0, max = 100))]
    min_share: Option<f64>,
    /// Let the path name the stage of what no step claims. Default: `false`.
    #[serde(default)]
    stage_from_path: bool,
    /// Framework, where the trace does not prove it. Default: `auto`.
    #[serde(default)]
    framework: FrameworkName,
    /// Model, where no `server_args.json` beside the trace says it.
    #[serde(default)]
    model: Option<String>,
    /// Ranks of the tensor-parallel group, where no `server_args.json` says it. Default: 0, not known.
    #[serde(default)]
    tp: Option<u32>,
    /// More fusions to look for.
    #[serde(default)]
    registries: Vec<FilePath>,
}

/// A serving framework.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum FrameworkName {
    /// What the trace, or `server_args.json` beside it, proves.
    #[default]
    Auto,
    /// SGLang.
    Sglang,
    /// vLLM.
    Vllm,
    /// TensorRT-LLM.
    TensorrtLlm,
    /// TokenSpeed.
    Tokenspeed,
}

/// The step type.
#[derive(Debug)]
pub(crate) struct Trace;

impl Step for Trace {
    fn kind(&self) -> Kind {
        Kind {
            name: "trace",
            summary: "Turn a profiler trace into the tables that decide the next patch",
            doc: "Every form (`trace.md`, `trace.html`, `trace.json`, a CSV file for each table, pictures) is written into \
                  the folder of the step. The three tables of a triage are outputs of the form `{columns, rows}`, so \
                  that a manifest can deliver them.\n\n\
                  A trace that cannot be read whole fails the step and says how far it was read. A trace that speaks \
                  against its own tables (`sound` is false) passes: gate on `sound`.",
            example: "uses: trace\nwith:\n  path: /tmp/capture/1759-TP-0-DECODE.trace.json.gz\n  views: [triage, account]\n",
            schema: std::sync::LazyLock::new(schema_of::<Config>),
            outputs: outputs::DOCS,
            effects: Effects::Contained,
            runs_processes: false,
        }
    }

    fn run<'a>(&'a self, cx: &'a StepCtx) -> LocalFuture<'a, Outcome> {
        Box::pin(async move { run(cx).await.unwrap_or_else(|outcome| outcome) })
    }

    fn stub(&self, _config: &Value) -> ValueMap {
        outputs::stub()
    }
}

async fn run(cx: &StepCtx) -> Result<Outcome, Outcome> {
    let config: Config = config::read(&cx.config).map_err(Outcome::failed)?;
    let request = request(config).map_err(Outcome::failed)?;
    let folder = cx.own_dir().map_err(Outcome::failed)?;
    // Minutes of work for a large trace: the engine's loop must go on meanwhile.
    let answered = tokio::task::spawn_blocking(move || {
        let report = analyse(&request)?;
        let files = forms::files(&report);
        Ok::<_, RequestError>((report, files))
    });
    let (report, files) = match answered.await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return Err(unanswered(&error)),
        Err(error) => return Err(Outcome::failed(format!("the analysis broke off: {error}"))),
    };
    let mut outputs = outputs::of(&report);
    for (name, text) in files.map_err(|error| Outcome::failed(error.to_string()))? {
        let path = folder.join(&name);
        write_output(cx, &path, text.as_bytes()).map_err(Outcome::failed)?;
        if let Some(output) = outputs::of_file(&name) {
            // The form of a declared file, which a manifest can deliver.
            let value = json!({"path": path, "sha256": sha256_hex(text.as_bytes()), "bytes": text.len()});
            outputs.insert(output.to_owned(), value);
        }
    }
    Ok(Outcome::passed(outputs))
}

fn request(config: Config) -> Result<Request, String> {
    let ranks = match (config.rank, config.all_ranks) {
        (Some(_), true) => return Err("both `rank` and `all_ranks` are given; keep one".to_owned()),
        (Some(rank), false) => Choice::One(rank),
        (None, true) => Choice::All,
        (None, false) => Choice::Lowest,
    };
    Ok(Request {
        path: config.path.0,
        views: views(config.views.as_deref().unwrap_or(&["triage".to_owned()]))?,
        ranks,
        mapping: named(config.mapping),
        config: named(config.config),
        anchor: said(config.anchor)
            .map(|substring| Anchor { substring, per_layer: counted(config.anchors_per_layer) }),
        layers: counted(config.layers),
        layer: config.layer,
        other_layer: config.compare_layer,
        ncu: named(config.ncu),
        gpu: said(config.gpu),
        diff: named(config.base),
        options: Options {
            min_share: config.min_share.unwrap_or(Options::default().min_share),
            ..Options::default()
        },
        stage_from_path: config.stage_from_path,
        framework: framework(config.framework),
        model: said(config.model),
        tp: counted(config.tp),
        registries: config.registries.into_iter().map(|file| file.0).collect(),
    })
}

fn framework(name: FrameworkName) -> Option<Framework> {
    match name {
        FrameworkName::Auto => None,
        FrameworkName::Sglang => Some(Framework::Sglang),
        FrameworkName::Vllm => Some(Framework::Vllm),
        FrameworkName::TensorrtLlm => Some(Framework::TensorrtLlm),
        FrameworkName::Tokenspeed => Some(Framework::Tokenspeed),
    }
}

/// A file that was named. Manifests hand on inputs that their callers may leave empty.
fn named(file: Option<FilePath>) -> Option<PathBuf> {
    file.map(|file| file.0).filter(|path| !path.as_os_str().is_empty())
}

/// The same for a text.
fn said(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// The same for a count.
fn counted(count: Option<u32>) -> Option<u32> {
    count.filter(|&count| count > 0)
}

fn views(wanted: &[String]) -> Result<Vec<ViewName>, String> {
    let mut views = Vec::new();
    for name in wanted {
        views.extend(
            ViewName::named(name)
                .ok_or_else(|| format!("there is no view `{name}`; use {}", ViewName::known().join(", ")))?,
        );
    }
    Ok(views)
}

/// A trace that was cut off may be whole the next time; another one never becomes a trace.
fn unanswered(error: &RequestError) -> Outcome {
    let status = match error {
        RequestError::Trace(TraceError::Io { .. }) => Status::Environment,
        _ => Status::Failed,
    };
    Outcome::ended(status, format!("{error}; {}", error.hint()))
}
