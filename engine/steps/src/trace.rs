//! `trace`: a profiler trace as tables, in every form.

use crate::config::{self, schema_of, write_output};
use crate::fields::FilePath;
use assay_manifest::{Effects, Kind, OutputDoc};
use assay_protocol::{Status, Value, ValueMap};
use assay_report::trace as forms;
use assay_run::{LocalFuture, Outcome, Step, StepCtx};
use assay_trace::name::Framework;
use assay_trace::request::{Anchor, Choice, Request, analyse};
use assay_trace::{Options, RequestError, TraceError, TraceReport, ViewName};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

/// Reads a trace, or a folder of traces, and writes its tables.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Trace of `torch.profiler`, export of Nsight Systems, or a folder of them. Told by content, not by name.
    path: FilePath,
    /// Views to build: names as in `assay trace --help`, `triage` or `all`. Default: `[triage]`.
    #[serde(default)]
    views: Option<Vec<String>>,
    /// Readable trace of the same program (graphs off, with stacks) that names the kernels of this one; a file or a folder.
    #[serde(default)]
    mapping: Option<FilePath>,
    /// `config.json` of the model: number and types of its layers.
    #[serde(default)]
    config: Option<FilePath>,
    /// Kernels whose name holds this mark layers, instead of what the trace itself shows.
    #[serde(default)]
    anchor: Option<String>,
    /// How often the anchor occurs in a layer. Default: worked out.
    #[serde(default)]
    #[schemars(range(min = 1))]
    anchors_per_layer: Option<u32>,
    /// Layers of a pass, where no `config.json` says it.
    #[serde(default)]
    #[schemars(range(min = 1))]
    layers: Option<u32>,
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
    /// Framework, where the trace does not prove it.
    #[serde(default)]
    framework: Option<FrameworkName>,
    /// Model, where no `server_args.json` beside the trace says it.
    #[serde(default)]
    model: Option<String>,
    /// Ranks of the tensor-parallel group, where no `server_args.json` says it.
    #[serde(default)]
    #[schemars(range(min = 1))]
    tp: Option<u32>,
    /// More fusions to look for.
    #[serde(default)]
    registries: Vec<FilePath>,
}

/// A serving framework.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum FrameworkName {
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
            outputs: &[
                OutputDoc {
                    name: "sound",
                    doc: "Whether nothing speaks against using the tables",
                    volatile: false,
                },
                OutputDoc { name: "answer", doc: "One sentence: what dominates", volatile: false },
                OutputDoc {
                    name: "framework",
                    doc: "The serving framework, or null where nothing proves it",
                    volatile: false,
                },
                OutputDoc {
                    name: "integrity",
                    doc: "What the tables stand on, of the first trace",
                    volatile: false,
                },
                OutputDoc {
                    name: "stages",
                    doc: "Kernel time of each stage in ms, by `prefill`, `decode`, `mixed`, `unknown`",
                    volatile: false,
                },
                OutputDoc {
                    name: "steady",
                    doc: "Number of the steady pass by stage, null where none is; needs the view `passes`",
                    volatile: false,
                },
                OutputDoc {
                    name: "layers",
                    doc: "Layers of the chosen passes, `{columns, rows}`; needs the view `layers`",
                    volatile: false,
                },
                OutputDoc {
                    name: "passes",
                    doc: "Forward passes, `{columns, rows}`; needs the view `passes`",
                    volatile: false,
                },
                OutputDoc {
                    name: "flow",
                    doc: "Kernels of one layer in order, `{columns, rows}`; needs the view `flow`",
                    volatile: false,
                },
                OutputDoc {
                    name: "clusters",
                    doc: "Layers by type, `{columns, rows}`; needs the view `layers`",
                    volatile: false,
                },
                OutputDoc { name: "kernels", doc: "Table 1, `{columns, rows}`", volatile: false },
                OutputDoc { name: "overlap", doc: "Table 2, `{columns, rows}`", volatile: false },
                OutputDoc { name: "fuse", doc: "Table 3, `{columns, rows}`", volatile: false },
                OutputDoc { name: "markdown", doc: "Path of `trace.md`", volatile: false },
                OutputDoc { name: "html", doc: "Path of `trace.html`", volatile: false },
                OutputDoc {
                    name: "json",
                    doc: "Path of `trace.json`, which holds every view",
                    volatile: false,
                },
            ],
            effects: Effects::Contained,
            runs_processes: false,
        }
    }

    fn run<'a>(&'a self, cx: &'a StepCtx) -> LocalFuture<'a, Outcome> {
        Box::pin(async move { run(cx).await.unwrap_or_else(|outcome| outcome) })
    }

    fn stub(&self, _config: &Value) -> ValueMap {
        let table = || json!({"columns": {"stage": "Stage"}, "rows": []});
        let entries = [
            ("sound", json!(true)),
            ("answer", json!("")),
            ("framework", Value::Null),
            ("integrity", json!({})),
            ("stages", json!({})),
            ("steady", json!({})),
            ("layers", table()),
            ("passes", table()),
            ("flow", table()),
            ("clusters", table()),
            ("kernels", table()),
            ("overlap", table()),
            ("fuse", table()),
            ("markdown", json!("trace.md")),
            ("html", json!("trace.html")),
            ("json", json!("trace.json")),
        ];
        entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

async fn run(cx: &StepCtx) -> Result<Outcome, Outcome> {
    let config: Config = config::read(&cx.config).map_err(Outcome::failed)?;
    let request = request(config).map_err(Outcome::failed)?;
    let folder = cx.step_dir().ok_or_else(|| Outcome::failed("the step has no folder of its own"))?;
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
    for (name, text) in files.map_err(|error| Outcome::failed(error.to_string()))? {
        write_output(cx, &folder.join(name), text.as_bytes()).map_err(Outcome::failed)?;
    }
    let mut outputs = outputs(&report);
    for (name, file) in [("markdown", "trace.md"), ("html", "trace.html"), ("json", "trace.json")] {
        outputs.insert(name.to_owned(), json!(folder.join(file)));
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
        mapping: config.mapping.map(|mapping| mapping.0),
        config: config.config.map(|file| file.0),
        anchor: config.anchor.map(|substring| Anchor { substring, per_layer: config.anchors_per_layer }),
        layers: config.layers,
        gpu: config.gpu,
        diff: config.base.map(|base| base.0),
        options: Options {
            min_share: config.min_share.unwrap_or(Options::default().min_share),
            ..Options::default()
        },
        stage_from_path: config.stage_from_path,
        framework: config.framework.map(framework),
        model: config.model,
        tp: config.tp,
        registries: config.registries.into_iter().map(|file| file.0).collect(),
    })
}

fn framework(name: FrameworkName) -> Framework {
    match name {
        FrameworkName::Sglang => Framework::Sglang,
        FrameworkName::Vllm => Framework::Vllm,
        FrameworkName::TensorrtLlm => Framework::TensorrtLlm,
        FrameworkName::Tokenspeed => Framework::Tokenspeed,
    }
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

fn outputs(report: &TraceReport) -> ValueMap {
    let mut outputs = ValueMap::new();
    let mut put = |name: &str, value: Value| outputs.insert(name.to_owned(), value);
    let answers: Vec<&str> = report
        .documents
        .iter()
        .filter_map(|document| Some(document.answer.as_ref()?.sentence.as_str()))
        .collect();
    put("sound", json!(report.sound()));
    put("answer", json!(answers.join(" ")));
    put("framework", json!(report.documents.first().and_then(|document| document.framework.clone())));
    put("integrity", json!(report.documents.first().map(|document| &document.integrity)));
    let mut stages = ValueMap::new();
    let tables = report.documents.iter().filter_map(|document| document.kernels.as_ref());
    for section in tables.flat_map(|table| &table.sections) {
        let name = json!(section.stage).as_str().unwrap_or_default().to_owned();
        let known = stages.get(&name).and_then(Value::as_f64).unwrap_or(0.0);
        stages.insert(name, json!(known + section.total_ns as f64 / 1e6));
    }
    put("stages", Value::Object(stages));
    let mut steady = ValueMap::new();
    let tables = report.documents.iter().filter_map(|document| document.passes.as_ref());
    for choice in tables.flat_map(|table| &table.chosen) {
        let name = json!(choice.stage).as_str().unwrap_or_default().to_owned();
        steady.entry(name).or_insert(json!(choice.pass));
    }
    put("steady", Value::Object(steady));
    for (name, table) in forms::tables(report) {
        put(name, table);
    }
    outputs
}
