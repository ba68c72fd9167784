//! `assay sim-server`: a simulated inference server, in the foreground.

use crate::context::Cx;
use crate::fail::Failure;
use crate::reply::Reply;
use assay_loadgen::LoadError;
use assay_loadgen::sim::{AtLaunch, Config, Framework, How, Launch, Pace, Server, Stray};
use assay_manifest::absolute;
use assay_protocol::{ExitCode, Value};
use assay_yaml::{Limits, parse};
use clap::{Args, ValueEnum};
use serde_json::json;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::signal::unix::{SignalKind, signal};

/// Iterations that TensorRT-LLM records, `first-last`.
const RECORDED: &str = "TLLM_PROFILE_START_STOP";
/// File of its recording.
const TRACE: &str = "TLLM_TORCH_PROFILE_TRACE";

/// Options of `sim-server`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  assay sim-server --port 30000 --ttft-ms 50 --itl-ms 10    tokens at known times\n  assay sim-server --port 30000 --flood                     tokens as fast as they are taken\n  assay sim-server --config server.yaml                     continuous batching, failures, and whatever else\n  assay sim-server --as sglang -- python -m sglang.launch_server --model-path M --port 30000\n\nThe last form stands in for a framework's own command: port, host and model are read from it, and every flag shows in\n`/server_info`. `GET /truth` says what the server did by its own clock. SIGTERM and SIGINT end it."
)]
pub struct Options {
    /// Configuration: pace, tokenizer, failures
    #[arg(long, value_name = "FILE")]
    pub config: Option<String>,
    /// Address to listen on [default: that of the framework's command, else 127.0.0.1]
    #[arg(long)]
    pub host: Option<String>,
    /// Port to listen on, 0 for any [default: that of the framework's command, else the framework's own with `--as`, else 0]
    #[arg(long)]
    pub port: Option<u16>,
    /// Time to the first token in milliseconds
    #[arg(long, value_name = "MS")]
    pub ttft_ms: Option<f64>,
    /// Time between tokens in milliseconds
    #[arg(long, value_name = "MS")]
    pub itl_ms: Option<f64>,
    /// Tokens as fast as the socket takes them; with a number, so many of a stream in one write
    #[arg(long, value_name = "PER_WRITE", num_args = 0..=1, default_missing_value = "1",
        conflicts_with_all = ["ttft_ms", "itl_ms"])]
    pub flood: Option<u32>,
    /// Name of the served model
    #[arg(long)]
    pub model: Option<String>,
    /// `tokenizer.json` by which prompts are counted, or the folder that holds it
    #[arg(long, value_name = "FILE")]
    pub tokenizer: Option<String>,
    /// Seconds from the start to readiness
    #[arg(long, value_name = "S")]
    pub startup_s: Option<f64>,
    /// Folder for traces of the profiler endpoints
    #[arg(long, value_name = "DIR")]
    pub profile_dir: Option<String>,
    /// Seed of whatever is drawn by chance
    #[arg(long)]
    pub seed: Option<u64>,
    /// Framework to imitate in log lines, errors and names of files
    #[arg(long = "as", value_name = "FRAMEWORK")]
    pub imitate: Option<Imitate>,
    /// The framework's own command, recorded and read for port, host and model
    #[arg(trailing_var_arg = true, value_name = "COMMAND")]
    pub argv: Vec<String>,
}

/// Framework to imitate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Imitate {
    /// SGLang.
    Sglang,
    /// vLLM.
    Vllm,
    /// TensorRT-LLM.
    TensorrtLlm,
    /// TokenSpeed.
    Tokenspeed,
    /// llama-cpp-python.
    LlamaCpp,
    /// `transformers serve`.
    Transformers,
}

/// Serves until a signal or a failure of the configuration.
pub fn run(cx: &Cx, options: Options) -> Result<Reply, Failure> {
    let config = config(cx, &options)?;
    let launch = Launch::read(&config.argv);
    let own = options.imitate.map_or(0, |_| config.framework.port());
    let port = options.port.or(launch.port).unwrap_or(own);
    let host = options.host.or(launch.host).unwrap_or_else(|| "127.0.0.1".to_owned());
    let server = Server::bind(config, address(&host, port)?).map_err(refused)?;
    let stop = stop_on_signal()?;
    allow_many_connections();
    if let Some(stray) = server.stray() {
        leave(cx, stray)?;
    }
    let console = cx.console;
    let server = server.on_log(Arc::new(move |line| console.err(&format!("{line}\n"))));
    let ended = server.run(&stop).map_err(refused)?;
    match ended.how {
        How::Stopped => Ok(Reply::ok(json!(ended.truth), "")),
        How::Exited(2) => Ok(Reply::said(ExitCode::Usage)),
        How::Exited(_) => Ok(Reply::said(ExitCode::Internal)),
        How::Crashed => std::process::abort(),
    }
}

/// What the file says, then what the framework's command says, then what the flags say.
fn config(cx: &Cx, options: &Options) -> Result<Config, Failure> {
    let mut config = match &options.config {
        Some(file) => from_file(cx, file)?,
        None => Config::default(),
    };
    if let Some(framework) = options.imitate {
        config.framework = framework.into();
    }
    if !options.argv.is_empty() {
        config.argv.clone_from(&options.argv);
    }
    let launch = Launch::read(&config.argv);
    let path = |text: &str| absolute(&cx.paths.cwd, text);
    let named = options.model.clone().or(launch.served_model_name).or(launch.model);
    config.model = named.unwrap_or(config.model);
    config.tokenizer = options.tokenizer.as_deref().map(path).or(config.tokenizer);
    config.profile.dir = options.profile_dir.as_deref().map(path).or(config.profile.dir);
    if config.framework == Framework::TensorrtLlm && config.profile.at_launch.is_none() {
        config.profile.at_launch = recording(cx)?;
    }
    config.startup_s = options.startup_s.unwrap_or(config.startup_s);
    config.seed = options.seed.unwrap_or(config.seed);
    if let Some(per_write) = options.flood {
        config.pace = Pace::Flood { per_write };
    }
    if options.ttft_ms.is_some() || options.itl_ms.is_some() {
        let (ttft, itl) = match config.pace {
            Pace::Paced { ttft_ms, itl_ms } => (ttft_ms, itl_ms),
            _ => (0.0, 0.0),
        };
        config.pace =
            Pace::Paced { ttft_ms: options.ttft_ms.unwrap_or(ttft), itl_ms: options.itl_ms.unwrap_or(itl) };
    }
    Ok(config)
}

/// The recording that TensorRT-LLM's own variables ask for; one of them alone asks for none.
fn recording(cx: &Cx) -> Result<Option<AtLaunch>, Failure> {
    let (Some(steps), Some(file)) = (cx.env.get(RECORDED), cx.env.get(TRACE)) else { return Ok(None) };
    let ends = steps.split_once('-').and_then(|(first, last)| {
        Some((first.trim().parse::<u64>().ok()?, last.trim().parse::<u64>().ok()?))
    });
    let (first, last) = ends.ok_or_else(|| {
        Failure::usage(format!("`{RECORDED}` is `{steps}`, not `first-last`"))
            .help("the simulated server records one range of iterations, such as `11-15`")
    })?;
    Ok(Some(AtLaunch { first, last, file: absolute(&cx.paths.cwd, file) }))
}

fn from_file(cx: &Cx, file: &str) -> Result<Config, Failure> {
    let wrong = |problem: String| {
        Failure::new(ExitCode::InvalidManifest, "invalid-config", format!("`{file}`: {problem}"))
            .help("`assay schema sim-server` describes what it may hold")
    };
    let path = absolute(&cx.paths.cwd, file);
    let text = std::fs::read_to_string(&path)
        .map_err(|error| Failure::usage(format!("cannot read `{file}`: {error}")))?;
    let mut sources = assay_diagnostics::Sources::new();
    let source = sources.add(file, text.as_str());
    let parsed = parse(source, &text, &Limits::default());
    if let Some(found) =
        parsed.diagnostics.iter().find(|found| found.severity == assay_diagnostics::Severity::Error)
    {
        return Err(wrong(found.message.clone()));
    }
    let value = match parsed.root.map(|root| root.to_json()) {
        None | Some(Value::Null) => json!({}),
        Some(value) => value,
    };
    let mut config: Config = serde_json::from_value(value).map_err(|error| wrong(error.to_string()))?;
    // Paths in the file start at the file.
    let folder = path.parent().unwrap_or(Path::new("/"));
    config.tokenizer = config.tokenizer.map(|tokenizer| folder.join(tokenizer));
    config.profile.dir = config.profile.dir.map(|dir| folder.join(dir));
    if let Some(recording) = &mut config.profile.at_launch {
        recording.file = folder.join(&recording.file);
    }
    Ok(config)
}

fn address(host: &str, port: u16) -> Result<SocketAddr, Failure> {
    let found = (host, port).to_socket_addrs().ok().and_then(|mut found| found.next());
    found.ok_or_else(|| Failure::usage(format!("`{host}` is no address of this machine")))
}

fn refused(error: LoadError) -> Failure {
    match &error {
        LoadError::Config(_) => Failure::new(ExitCode::InvalidManifest, "invalid-config", error.to_string()),
        LoadError::System { error: cause, .. } if cause.kind() == std::io::ErrorKind::AddrInUse => {
            Failure::new(ExitCode::Internal, "port", error.to_string())
                .help("choose another `--port`, or 0 for any")
        }
        _ => Failure::new(ExitCode::Internal, "sim-server", error.to_string()),
    }
}

/// A flag that SIGTERM or SIGINT raises.
fn stop_on_signal() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let raised = Arc::clone(&stop);
    let failed = |error: std::io::Error| Failure::internal(format!("cannot listen to signals: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(failed)?;
    let (mut terminate, mut interrupt) = {
        let _inside = runtime.enter();
        (signal(SignalKind::terminate()).map_err(failed)?, signal(SignalKind::interrupt()).map_err(failed)?)
    };
    let wait = move || {
        runtime.block_on(async {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        });
        raised.store(true, Ordering::Relaxed);
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(wait).map_err(failed)?;
    Ok(stop)
}

/// A burst needs more descriptors than the usual soft limit of 1024. Where the hard limit is no higher, connections wait.
fn allow_many_connections() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // What cannot be raised stays: no reason not to serve.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

/// Starts the process that lives on behind the server.
fn leave(cx: &Cx, stray: Stray) -> Result<(), Failure> {
    let mut command = Command::new("sleep");
    command.arg(stray.seconds.to_string()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if stray.own_group {
        command.process_group(0);
    }
    let child =
        command.spawn().map_err(|error| Failure::internal(format!("cannot start `sleep`: {error}")))?;
    cx.console.err(&format!("child {} lives on for {} s\n", child.id(), stray.seconds));
    Ok(())
}

impl From<Imitate> for Framework {
    fn from(imitate: Imitate) -> Self {
        match imitate {
            Imitate::Sglang => Self::Sglang,
            Imitate::Vllm => Self::Vllm,
            Imitate::TensorrtLlm => Self::TensorrtLlm,
            Imitate::Tokenspeed => Self::Tokenspeed,
            Imitate::LlamaCpp => Self::LlamaCpp,
            Imitate::Transformers => Self::Transformers,
        }
    }
}
