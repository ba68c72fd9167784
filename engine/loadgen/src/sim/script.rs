//! What the simulated frameworks print: when they start, when they are ready, when they fail. Lines as data; the forms are
//! those of the real programs, so that whoever looks for signatures finds them.

use super::config::{Config, Framework};
use super::failure::Failure;

/// A start that fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fatal {
    pub lines: Vec<String>,
    /// The exit status.
    pub code: i32,
    /// Found while the command line is read, so before anything is loaded.
    pub at_once: bool,
}

/// How a start ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Start {
    /// It becomes ready.
    Good,
    /// It exits.
    Fails(Fatal),
    /// It hangs, without listening, behind these lines.
    Hangs(Vec<String>),
    /// It listens and never becomes ready.
    Unready,
}

/// How the start ends: the first failure in the list that fits the command line.
pub(super) fn start(config: &Config, port: u16) -> Start {
    config.failures.iter().find_map(|failure| one(config, failure, port)).unwrap_or(Start::Good)
}

fn one(config: &Config, failure: &Failure, port: u16) -> Option<Start> {
    let fits = |flag: &Option<String>| flag.as_ref().is_none_or(|flag| config.has_flag(flag));
    let fails = |lines, code, at_once| Some(Start::Fails(Fatal { lines, code, at_once }));
    match failure {
        Failure::OomAtStart { with_flag } if fits(with_flag) => {
            fails(out_of_memory(config.framework), 1, false)
        }
        Failure::UnknownFlag { flag } if fits(flag) => fails(unknown_flag(config, flag.as_deref()), 2, true),
        Failure::MissingModel { with_flag } if fits(with_flag) => fails(missing_model(config), 1, true),
        Failure::PortInUse { with_flag } if fits(with_flag) => fails(port_in_use(port), 1, false),
        Failure::NcclHang { with_flag } if fits(with_flag) => Some(Start::Hangs(nccl())),
        Failure::NeverReady { with_flag } if fits(with_flag) => Some(Start::Unready),
        _ => None,
    }
}

/// Lines at the start.
pub(super) fn loading(config: &Config) -> Vec<String> {
    match config.framework {
        Framework::Vllm => vec![
            format!(
                "(APIServer pid=1) INFO [api_server.py] vLLM API server (simulated), model {}",
                config.model
            ),
            format!(
                "(EngineCore_DP0 pid=2) INFO [core.py] Initializing a V1 LLM engine with model {}",
                config.model
            ),
        ],
        _ => vec![format!("Loading {} (simulated)", config.model)],
    }
}

/// Lines when it is ready.
pub(super) fn ready(config: &Config, port: u16) -> Vec<String> {
    let uvicorn = format!("INFO:     Uvicorn running on port {port} (Press CTRL+C to quit)");
    let own = format!("Simulated server of {} listens on port {port}", config.model);
    match config.framework {
        Framework::Sglang | Framework::Tokenspeed => {
            vec![own, uvicorn, "The server is fired up and ready to roll!".to_owned()]
        }
        Framework::Vllm => {
            vec![own, uvicorn, "(APIServer pid=1) INFO:     Application startup complete.".to_owned()]
        }
        _ => vec![own, uvicorn, "INFO:     Application startup complete.".to_owned()],
    }
}

/// Lines when it dies in the middle of its work.
pub(super) fn crash(config: &Config) -> Vec<String> {
    let cause = "RuntimeError: CUDA error: an illegal memory access was encountered";
    match config.framework {
        Framework::Vllm => vec![
            format!("(Worker_TP0 pid=3) ERROR [multiproc_executor.py] {cause}"),
            format!("(EngineCore_DP0 pid=2) ERROR [core.py] {cause}"),
            "(APIServer pid=1) ERROR [async_llm.py] vllm.v1.engine.exceptions.EngineDeadError: EngineCore \
             encountered an issue."
                .to_owned(),
        ],
        _ => vec!["Traceback (most recent call last):".to_owned(), cause.to_owned()],
    }
}

fn out_of_memory(framework: Framework) -> Vec<String> {
    let cause = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 3.50 GiB. GPU 0 has a total capacity \
                 of 139.80 GiB of which 1.94 GiB is free.";
    match framework {
        Framework::Vllm => {
            let mut lines = vec![
                "INFO [cuda.py] gpuGetDeviceCount failed in the profiler (error ignored)".to_owned(),
                format!("(Worker_TP0 pid=3) ERROR [multiproc_executor.py] {cause}"),
                format!("(EngineCore_DP0 pid=2) ERROR [core.py] EngineCore failed to start: {cause}"),
                "(APIServer pid=1) RuntimeError: Engine core initialization failed. See root cause above."
                    .to_owned(),
            ];
            // The real one ends with noise that hides the cause from whoever reads the last lines.
            lines.extend(
                (0..20).map(|leak| format!("nanobind: leaked instance {leak} of type \"sim.Grammar\"!")),
            );
            lines
        }
        _ => vec![
            "Traceback (most recent call last):".to_owned(),
            "  File \"model_runner.py\", line 1, in init_memory_pool".to_owned(),
            cause.to_owned(),
        ],
    }
}

fn unknown_flag(config: &Config, flag: Option<&str>) -> Vec<String> {
    let last = config.argv.iter().rev().find(|word| word.starts_with("--")).map(String::as_str);
    let flag = flag.or(last).unwrap_or("--unknown");
    let program = match config.framework {
        Framework::Sglang => "launch_server.py",
        Framework::Vllm => "vllm serve",
        Framework::TensorrtLlm => "trtllm-serve",
        Framework::Tokenspeed => "tokenspeed",
        Framework::LlamaCpp => "__main__.py",
        Framework::Transformers => "transformers",
    };
    vec![format!("usage: {program} [-h] ..."), format!("{program}: error: unrecognized arguments: {flag}")]
}

fn missing_model(config: &Config) -> Vec<String> {
    vec![
        "Traceback (most recent call last):".to_owned(),
        format!("OSError: {} is not a local folder and is not a valid model identifier", config.model),
    ]
}

fn port_in_use(port: u16) -> Vec<String> {
    vec![format!(
        "ERROR:    [Errno 98] error while attempting to bind on address ('127.0.0.1', {port}): address already in use"
    )]
}

fn nccl() -> Vec<String> {
    vec![
        "sim:1:1 [0] NCCL INFO Bootstrap: Using eth0:127.0.0.1<0>".to_owned(),
        "sim:1:1 [0] NCCL INFO ncclCommInitRank comm 0x1 rank 0 nranks 8 cudaDev 0 - Init START".to_owned(),
    ]
}
