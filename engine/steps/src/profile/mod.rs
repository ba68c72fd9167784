//! `profile`: traces of a running inference server, prefill and decode apart.

mod capture;
mod files;
mod server;

use crate::config::{self, schema_of};
use crate::fields::{Duration, FilePath};
use assay_manifest::{Effects, Kind, OutputDoc};
use assay_protocol::{Status, Value, ValueMap};
use assay_run::{LocalFuture, Outcome, Step, StepCtx};
use assay_serving::adapter::{Adapter, Profile as Facts, ProfileHow};
use assay_store::sha256_file;
use capture::{Capture, Shape, Taken, Trouble};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use server::{Server, arming};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const WARMUP_STEPS: u32 = 10;
const STEPS: u32 = 5;
/// Prompts that fill one chunk of a chunked prefill, and one token.
const PREFILL: [u32; 2] = [4090, 1];
/// One token, and an answer that is long enough for any recording.
const DECODE: [u32; 2] = [1, 2048];
/// Large traces are written by one thread.
const FLUSH: std::time::Duration = std::time::Duration::from_secs(180);

/// Records traces of a running inference server.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Outputs of a `server` step, such as `{{ steps.srv }}`: its URL, and the framework where it has an adapter.
    #[serde(default)]
    #[schemars(with = "Option<serde_json::Map<String, Value>>")]
    server: Option<Value>,
    /// URL of the server, such as `http://127.0.0.1:30000`. This or `server`.
    #[serde(default)]
    url: Option<String>,
    /// The framework: name of an adapter, where `server` does not say it.
    #[serde(default)]
    framework: Option<String>,
    /// Folder for the traces, one folder below it for each stage. Default: the step's own.
    #[serde(default)]
    dir: Option<FilePath>,
    /// Folder that the server was launched with for its traces, where the framework decides that at launch (vLLM,
    /// TensorRT-LLM). The traces are moved from there. Default: `dir`, if it is given.
    #[serde(default)]
    armed_dir: Option<FilePath>,
    /// What to record, in this order. Default: `[prefill, decode]`.
    #[serde(default)]
    #[schemars(length(min = 1))]
    stages: Option<Vec<Stage>>,
    /// Lengths of the requests of each stage.
    #[serde(default)]
    workloads: Workloads,
    /// Steps of the server before the recording. Default: 10.
    #[serde(default)]
    warmup_steps: Option<u32>,
    /// Steps that are recorded. Default: 5.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1000))]
    steps: Option<u32>,
    /// Longest wait for complete files, per stage. Default: `180s`.
    #[serde(default)]
    flush_timeout: Option<Duration>,
    /// What is recorded, where the server lets that be chosen. Default: `[CPU, GPU]`.
    #[serde(default)]
    activities: Option<Vec<Activity>>,
    /// Record places in the source, where the server lets that be chosen. Default: `true`.
    #[serde(default)]
    with_stack: Option<bool>,
}

/// Lengths of the requests of each stage: `[tokens of a prompt, tokens asked for]`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Workloads {
    /// For the prefill. Default: `[4090, 1]`.
    #[serde(default)]
    prefill: Option<[u32; 2]>,
    /// For the decode. Default: `[1, 2048]`.
    #[serde(default)]
    decode: Option<[u32; 2]>,
}

/// What a trace shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Stage {
    /// Prompts are read.
    Prefill,
    /// Answers are written.
    Decode,
}

impl Stage {
    /// Its name, also that of its folder.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Prefill => "prefill",
            Self::Decode => "decode",
        }
    }
}

/// What is recorded.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Activity {
    /// The program.
    Cpu,
    /// Kernels.
    Gpu,
    /// Memory.
    Mem,
    /// ROCm's own profiler.
    Rpd,
}

/// The step type.
#[derive(Debug)]
pub(crate) struct Profile;

impl Step for Profile {
    fn kind(&self) -> Kind {
        Kind {
            name: "profile",
            summary: "Record traces of a running inference server",
            doc: "Each stage is recorded by itself: requests of its lengths warm the server up, the recording is started, \
                  runs for a few steps while requests go on, and ends. The step waits until the files no longer grow and \
                  can be read whole. Prompts are unlike each other, so that no prefix cache shortens them.\n\n\
                  How a recording is started is the adapter's data. Some servers decide at launch whether and where they \
                  record; a server that was not launched so is an error that says what to add. Measure without: a \
                  server that records is slower.\n\n\
                  `uses: trace` takes the folder of a stage as its `path`.",
            example: "uses: profile\nwith:\n  url: http://127.0.0.1:30000\n  framework: sglang\n  \
                      workloads: {prefill: [8000, 1], decode: [1, 1000]}\n",
            schema: std::sync::LazyLock::new(schema_of::<Config>),
            outputs: &[
                OutputDoc { name: "dir", doc: "Folder with a folder for each stage", volatile: false },
                OutputDoc { name: "framework", doc: "Name of the adapter", volatile: false },
                OutputDoc { name: "model", doc: "Name of the served model", volatile: false },
                OutputDoc {
                    name: "stages",
                    doc: "What was recorded: `{stage, dir, input_len, output_len}` each",
                    volatile: false,
                },
                OutputDoc {
                    name: "traces",
                    doc: "The files: `{stage, path, bytes, sha256}` each",
                    volatile: false,
                },
                OutputDoc {
                    name: "server_args",
                    doc: "Path of the file with the server's arguments, beside the first trace; absent where there is none",
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
        let fields = json!({
            "dir": "traces", "framework": "framework", "model": "model", "server_args": "server_args.json",
            "stages": [{"stage": "prefill", "dir": "prefill", "input_len": 1, "output_len": 1}],
            "traces": [{"stage": "prefill", "path": "trace.json.gz", "bytes": 0, "sha256": ""}],
        });
        fields.as_object().cloned().unwrap_or_default()
    }
}

/// Ends the work of the other thread when the step is cancelled.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

async fn run(cx: &StepCtx) -> Result<Outcome, Outcome> {
    let config: Config = config::read(&cx.config).map_err(Outcome::failed)?;
    let (url, framework) = config.server().map_err(Outcome::failed)?;
    let adapter = Adapter::named(&framework).map_err(|error| Outcome::failed(error.to_string()))?;
    let Some(facts) = adapter.profile.clone() else {
        let reason = format!("{} has no profiler that can be started from outside", adapter.title);
        return Err(Outcome::ended(Status::Unsupported, reason));
    };
    let shapes = config.shapes(&facts).map_err(Outcome::failed)?;
    let armed_dir = config.armed_dir(&adapter, &facts).map_err(Outcome::failed)?;
    let dir = match &config.dir {
        Some(dir) => dir.0.clone(),
        None => cx.own_dir().map_err(Outcome::failed)?,
    };
    cx.started(&[format!("profile {url}")]);
    let stop = Arc::new(AtomicBool::new(false));
    let guard = StopOnDrop(Arc::clone(&stop));
    let work = move || {
        let server = Server::find(&url, &adapter)?;
        let capture = Capture {
            server: &server,
            facts: &facts,
            dir: &dir,
            armed_dir: armed_dir.as_deref(),
            warmup_steps: config.warmup_steps.unwrap_or(WARMUP_STEPS),
            steps: config.steps.unwrap_or(STEPS),
            flush: config.flush_timeout.map_or(FLUSH, |limit| limit.get()),
            activities: config.activities.as_deref().unwrap_or(&[Activity::Cpu, Activity::Gpu]),
            with_stack: config.with_stack.unwrap_or(true),
            stop: &stop,
        };
        let taken = shapes.iter().map(|shape| capture.stage(shape)).collect::<Result<Vec<_>, Trouble>>()?;
        outputs(&server, &dir, &shapes, &taken)
    };
    // Requests and waiting block; the engine's loop must go on meanwhile.
    let done = tokio::task::spawn_blocking(work).await;
    drop(guard);
    match done {
        Ok(done) => done.map(Outcome::passed).map_err(|trouble| trouble.outcome()),
        Err(error) => Err(Outcome::failed(format!("recording broke off: {error}"))),
    }
}

fn outputs(server: &Server, dir: &Path, shapes: &[Shape], taken: &[Taken]) -> Result<ValueMap, Trouble> {
    let mut traces = Vec::new();
    for one in taken {
        for path in &one.files {
            let digest = sha256_file(path).map_err(|error| Trouble::Digest(error.to_string()))?;
            let stage = one.stage.word();
            traces
                .push(json!({"stage": stage, "path": path, "bytes": digest.bytes, "sha256": digest.sha256}));
        }
    }
    let stages: Vec<Value> = shapes
        .iter()
        .zip(taken)
        .map(|(shape, one)| {
            let (input, output) = (shape.input_len, shape.output_len);
            json!({"stage": shape.stage, "dir": one.dir, "input_len": input, "output_len": output})
        })
        .collect();
    let fields = json!({
        "dir": dir, "framework": server.adapter.name, "model": server.model, "stages": stages, "traces": traces,
    });
    let mut outputs = fields.as_object().cloned().unwrap_or_default();
    if let Some(path) = taken.iter().find_map(|one| one.server_args.as_ref()) {
        outputs.insert("server_args".to_owned(), json!(path));
    }
    Ok(outputs)
}

impl Config {
    /// URL and framework.
    fn server(&self) -> Result<(String, String), String> {
        let of = |name: &str| {
            let value = self.server.as_ref().and_then(|server| server.get(name)).and_then(Value::as_str);
            value.map(str::to_owned)
        };
        let said = |own: &Option<String>| own.clone().filter(|text| !text.is_empty());
        // What the author says counts over what the server says.
        let url = said(&self.url).or_else(|| of("url"));
        let url = url.ok_or("neither `server` nor `url` is given; write `server: \"{{ steps.<id> }}\"`")?;
        let framework = said(&self.framework)
            .or_else(|| of("framework"))
            .ok_or("the framework is not known; give `framework`, or a `server` with an adapter")?;
        Ok((url, framework))
    }

    fn shapes(&self, facts: &Facts) -> Result<Vec<Shape>, String> {
        let stages = self.stages.as_deref().unwrap_or(&[Stage::Prefill, Stage::Decode]);
        if facts.how == ProfileHow::Environment && stages.len() != 1 {
            return Err("what this server records is fixed at its launch: give one stage, such as \
                        `stages: [decode]`, and launch once for each"
                .to_owned());
        }
        if let Some(stage) = stages.iter().enumerate().find(|(at, stage)| stages[..*at].contains(stage)) {
            return Err(format!("`stages` lists `{}` twice", stage.1.word()));
        }
        let shape = |&stage: &Stage| {
            let [input_len, output_len] = match stage {
                Stage::Prefill => self.workloads.prefill.unwrap_or(PREFILL),
                Stage::Decode => self.workloads.decode.unwrap_or(DECODE),
            };
            if input_len == 0 || output_len == 0 {
                return Err(format!(
                    "`workloads.{}` holds a length of 0; lengths are 1 or more",
                    stage.word()
                ));
            }
            Ok(Shape { stage, input_len, output_len })
        };
        stages.iter().map(shape).collect()
    }

    /// The folder that the server was launched with, where that is decided at launch.
    fn armed_dir(&self, adapter: &Adapter, facts: &Facts) -> Result<Option<PathBuf>, String> {
        let Some(arm) = &facts.arm else { return Ok(None) };
        match self.armed_dir.as_ref().or(self.dir.as_ref()) {
            Some(dir) => Ok(Some(dir.0.clone())),
            None => Err(format!(
                "{} decides at launch where it records; launch it with {} and give that folder as `armed_dir`",
                adapter.title,
                arming(adapter, arm, "<folder>")
            )),
        }
    }
}
