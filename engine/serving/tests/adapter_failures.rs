//! Why boots fail, from logs; and fallbacks.
//!
//! Lines of vLLM and SGLang are put together from messages in their sources (0.33.0, 0.5.23) with invented numbers, and the
//! long vLLM log follows a failure that was seen on a CPU (0.32.0). No log of a GPU was at hand: those lines, and all of
//! TensorRT-LLM, TokenSpeed and llama.cpp, are written in the form that these programs use.

use assay_serving::adapter::{
    Adapter,
    FailureClass::{self, Environment, Failed, Oom, Unsupported},
};
use std::collections::BTreeSet;

fn adapter(name: &str) -> Adapter {
    Adapter::named(name).expect("a built-in adapter")
}

/// Framework, signature, class, a line.
const LINES: &[(&str, &str, FailureClass, &str)] = &[
    // Groups that hold for several frameworks.
    (
        "sglang",
        "gpu-out-of-memory",
        Oom,
        "[2026-11-22 16:00:00 TP0] torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.",
    ),
    ("vllm", "no-gpu", Environment, "(EngineCore pid=9) RuntimeError: No CUDA GPUs are available"),
    ("sglang", "too-few-gpus", Environment, "RuntimeError: CUDA error: invalid device ordinal"),
    (
        "vllm",
        "no-kernel-for-gpu",
        Unsupported,
        "RuntimeError: CUDA error: no kernel image is available for execution on the device",
    ),
    (
        "sglang",
        "nccl",
        Environment,
        "torch.distributed.DistBackendError: NCCL error in: ProcessGroupNCCL.cpp:3690, unhandled system error",
    ),
    (
        "transformers",
        "port-taken",
        Environment,
        "ERROR:    [Errno 98] error while attempting to bind on address ('127.0.0.1', 8000): address already in use",
    ),
    (
        "vllm",
        "host-out-of-memory",
        Oom,
        "(Worker pid=7) RuntimeError: [enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes.",
    ),
    ("vllm", "disk-full", Environment, "OSError: [Errno 28] No space left on device: '/dev/shm/psm_1'"),
    ("sglang", "too-many-files", Environment, "OSError: [Errno 24] Too many open files"),
    (
        "sglang",
        "shared-library-missing",
        Environment,
        "ImportError: libcudart.so.13: cannot open shared object file: No such file or directory",
    ),
    (
        "llama-cpp",
        "program-missing",
        Environment,
        "/usr/bin/python: Error while finding module specification for 'llama_cpp.server' (ModuleNotFoundError: No module named 'llama_cpp')",
    ),
    (
        "vllm",
        "model-access",
        Environment,
        "huggingface_hub.errors.GatedRepoError: 403 Client Error. Cannot access gated repo for url",
    ),
    (
        "transformers",
        "model-not-found",
        Environment,
        "OSError: /models/no is not a local folder and is not a valid model identifier listed on 'https://huggingface.co/models'",
    ),
    (
        "vllm",
        "model-unsupported",
        Unsupported,
        "pydantic_core._pydantic_core.ValidationError: Value error, Model architectures ['Nope'] are not supported for now.",
    ),
    (
        "sglang",
        "remote-code",
        Failed,
        "ValueError: Loading /m requires you to execute the configuration file in that repo on your local machine.",
    ),
    (
        "transformers",
        "weights-broken",
        Environment,
        "safetensors_rust.SafetensorError: Error while deserializing header: MetadataIncompleteBuffer",
    ),
    (
        "sglang",
        "flag-unknown",
        Unsupported,
        "launch_server.py: error: unrecognized arguments: --cuda-graph-max-bs 32",
    ),
    (
        "sglang",
        "flag-value",
        Unsupported,
        "launch_server.py: error: argument --schedule-policy: invalid choice: 'lmp' (choose from 'lpm', 'random')",
    ),
    ("vllm", "module-missing", Environment, "ModuleNotFoundError: No module named 'xgrammar'"),
    (
        "sglang",
        "killed",
        Failed,
        "subprocess.CalledProcessError: Command 'x' died with <Signals.SIGKILL: 9>.",
    ),
    ("sglang", "python-exception", Failed, "[2026-11-22 16:00:00 TP1] KeyError: 'rope_theta'"),
    // SGLang
    (
        "sglang",
        "kv-cache-no-memory",
        Oom,
        "[2026-11-22 16:00:00 TP0] RuntimeError: Not enough memory. Please try to increase --mem-fraction-static.",
    ),
    (
        "sglang",
        "mem-fraction-too-small",
        Oom,
        "ValueError: pool of 0 tokens; lower the page size or increase --mem-fraction-static.",
    ),
    ("sglang", "cuda-graph-capture", Failed, "Exception: Capture cuda graph failed: no workspace"),
    (
        "sglang",
        "attention-backend-gpu",
        Unsupported,
        "AssertionError: FlashAttention v3 Backend requires SM>=80 and SM<=90. Please use `--attention-backend flashinfer`.",
    ),
    (
        "sglang",
        "scheduler-died",
        Failed,
        "RuntimeError: Rank 0 scheduler died during initialization (exit code: 1).",
    ),
    ("sglang", "warmup-failed", Failed, "[2026-11-22 16:00:00] Initialization failed. warmup error: timeout"),
    // vLLM
    (
        "vllm",
        "kv-cache-no-memory",
        Oom,
        "(EngineCore pid=12) ERROR 11-22 16:00:00 [core.py:1] ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization`.",
    ),
    (
        "vllm",
        "gpu-memory-taken",
        Environment,
        "(Worker_TP0 pid=31) ValueError: Free memory on device cuda:0 (11.2/79.1 GiB) on startup is less than desired GPU memory utilization (0.92, 72.8 GiB).",
    ),
    (
        "vllm",
        "kv-cache-too-small",
        Oom,
        "ValueError: To serve at least one request with the model's max seq len (131072), (16.0 GiB KV cache is needed, which is larger than the available KV cache memory (9.5 GiB).",
    ),
    ("vllm", "head-size", Unsupported, "ValueError: Head size 16 is not supported by this attention"),
    (
        "vllm",
        "attention-backend",
        Unsupported,
        "ValueError: Selected backend AttentionBackendEnum.FLASHMLA is not valid for this configuration",
    ),
    ("vllm", "worker-failed", Failed, "(Worker pid=7) ERROR WorkerProc hit an exception."),
    (
        "vllm",
        "engine-core-failed",
        Failed,
        "RuntimeError: Engine core initialization failed. See root cause above.",
    ),
    (
        "vllm",
        "engine-dead",
        Failed,
        "vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue. See stack trace (above) for the root cause.",
    ),
    // TensorRT-LLM
    (
        "tensorrt-llm",
        "kv-cache-no-memory",
        Oom,
        "[11/22/2026-16:00:00] [TRT-LLM] [E] RuntimeError: Executor creation failed due to insufficient GPU memory.",
    ),
    (
        "tensorrt-llm",
        "backend-missing",
        Unsupported,
        "Error: backend pytorch is not a known backend, check help for available options.",
    ),
    ("tensorrt-llm", "mpi", Environment, "MPI_ABORT was invoked on rank 0 in communicator MPI_COMM_WORLD"),
    ("tensorrt-llm", "executor-init", Failed, "[TRT-LLM] [E] Failed to initialize executor on rank 1"),
    // TokenSpeed
    (
        "tokenspeed",
        "gateway-missing",
        Environment,
        "ts serve requires the bundled gateway packages, normally installed as part of `tokenspeed`.",
    ),
    (
        "tokenspeed",
        "kv-cache-no-memory",
        Oom,
        "[ts] RuntimeError: Not enough memory; increase --gpu-memory-utilization.",
    ),
    ("tokenspeed", "gateway-argument", Unsupported, "[smg] error: unexpected argument '--max-runing' found"),
    ("tokenspeed", "engine-startup", Failed, "engine exited with code 1 before it served"),
    // llama.cpp
    ("llama-cpp", "model-path", Environment, "ValueError: Model path does not exist: /m/tiny.gguf"),
    (
        "llama-cpp",
        "gguf-broken",
        Unsupported,
        "gguf_init_from_file_impl: invalid magic characters: 'PK', expected 'GGUF'",
    ),
    (
        "llama-cpp",
        "context-memory",
        Oom,
        "ggml_backend_cpu_buffer_type_alloc_buffer: failed to allocate buffer of size 68719476736",
    ),
    ("llama-cpp", "context-failed", Failed, "ValueError: Failed to load model from file: /m/tiny.gguf"),
    ("llama-cpp", "illegal-instruction", Environment, "Illegal instruction (core dumped)"),
    ("llama-cpp", "server-extra", Environment, "ModuleNotFoundError: No module named 'starlette_context'"),
    ("llama-cpp", "settings-invalid", Unsupported, "1 validation error for ModelSettings"),
    // transformers
    (
        "transformers",
        "serving-extra",
        Environment,
        "ImportError: Missing dependencies for serving. Install with `pip install transformers[serving]`",
    ),
    (
        "transformers",
        "accelerate-missing",
        Environment,
        "ValueError: Using a `device_map` or `tp_plan` requires `accelerate`.",
    ),
    (
        "transformers",
        "attention-missing",
        Unsupported,
        "ImportError: FlashAttention2 has been toggled on, but it cannot be used due to the following error",
    ),
];

#[test]
fn each_line_is_recognised() {
    for (framework, id, class, line) in LINES {
        let log = format!("INFO starting\n{line}\nINFO bye\n");
        let failure = adapter(framework).classify_boot_failure(&log);
        let failure = failure.unwrap_or_else(|| panic!("{framework} {id}: no failure in {line}"));
        assert_eq!((failure.signature.as_str(), failure.class), (*id, *class), "{framework}: {line}");
        assert_eq!(failure.line_number, 2);
        assert!(!failure.cause.is_empty() && !failure.way_out.is_empty());
    }
}

#[test]
fn each_signature_has_a_line() {
    let covered: BTreeSet<&str> = LINES.iter().map(|(_, id, ..)| *id).collect();
    for adapter in Adapter::all().expect("the built-in adapters") {
        for signature in &adapter.boot.failures {
            assert!(covered.contains(signature.id.as_str()), "{} {}", adapter.name, signature.id);
        }
    }
}

/// The shape of a failure as vLLM tells it: the worker that failed, then the engine that waited for it, then the server
/// that waited for that one, then what the interpreter prints while it dies.
fn repeated() -> String {
    let mut log = String::from(
        "(APIServer pid=100) INFO 11-22 16:00:00 [api_server.py:1] vLLM API server version 0.32.0\n\
         (EngineCore pid=120) INFO 11-22 16:00:02 [core.py:2] Initializing a V1 LLM engine\n\
         (Worker pid=130) WARNING 11-22 16:00:03 [cpu_worker.py:3] ImportError: optional kernels are missing\n\
         (Worker pid=130) gpuGetDeviceCount failed with error code 100\n",
    );
    for (process, pid, module) in [("APIServer", 100, "api_server.py:9"), ("EngineCore", 120, "core.py:9")] {
        log += &format!(
            "({process} pid={pid}) ERROR 11-22 16:00:09 [{module}] RuntimeError: Engine core initialization failed.\n"
        );
    }
    for _ in 0..3 {
        log += "(Worker pid=130) ERROR 11-22 16:00:09 [cpu_attn.py:4] ValueError: Head size 16 is not supported by this backend\n\
                (EngineCore pid=120) ERROR 11-22 16:00:09 [core.py:8] vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue.\n";
    }
    log += "nanobind: leaked 14 instances!\n";
    for index in 0..18 {
        log += &format!(" - leaked instance {index} of type \"xgrammar.Error\"\n");
    }
    log + "nanobind: this is likely caused by a reference counting issue\n"
}

#[test]
fn the_first_line_of_the_deepest_process_counts() {
    let failure = adapter("vllm").classify_boot_failure(&repeated()).expect("a failure");
    assert_eq!(failure.signature, "head-size");
    assert_eq!(failure.process.as_deref(), Some("Worker"));
    assert_eq!(failure.line_number, 7);
    assert!(failure.line.contains("Head size 16"), "{}", failure.line);
}

#[test]
fn a_deeper_process_outranks_an_earlier_line() {
    let log = "(APIServer pid=1) ERROR [a.py:1] OSError: [Errno 98] address already in use\n\
               (Worker_TP1 pid=3) ERROR [w.py:1] torch.OutOfMemoryError: CUDA out of memory.\n\
               (Worker_TP0 pid=2) ERROR [w.py:1] RuntimeError: NCCL error in: x\n";
    let failure = adapter("vllm").classify_boot_failure(log).expect("a failure");
    assert_eq!((failure.signature.as_str(), failure.line_number), ("gpu-out-of-memory", 2));
    // With colours, too.
    let coloured = log.replace("(Worker_TP1 pid=3)", "\u{1b}[0;36m(Worker_TP1 pid=3)\u{1b}[0;0m");
    assert_eq!(
        adapter("vllm").classify_boot_failure(&coloured).expect("a failure").process.as_deref(),
        Some("Worker")
    );
}

#[test]
fn a_consequence_counts_only_alone() {
    let log = "(Worker pid=3) ERROR WorkerProc hit an exception.\n(APIServer pid=1) ValueError: No available memory for the cache blocks.\n";
    assert_eq!(
        adapter("vllm").classify_boot_failure(log).expect("a failure").signature,
        "kv-cache-no-memory"
    );
    let alone = log.lines().next().expect("a line");
    assert_eq!(adapter("vllm").classify_boot_failure(alone).expect("a failure").signature, "worker-failed");
}

#[test]
fn a_bare_error_says_nothing() {
    let harmless = "ERROR\nError:\nerror: something\nan error occurred\nexit status 1\nlog_level='error'\n\
                    Traceback (most recent call last):\n  File \"x.py\", line 1, in <module>\n";
    for adapter in Adapter::all().expect("the built-in adapters") {
        assert_eq!(adapter.classify_boot_failure(harmless), None, "{}", adapter.name);
        assert_eq!(adapter.classify_boot_failure(""), None, "{}", adapter.name);
    }
}

#[test]
fn hostile_logs_are_survived() {
    let mut long = "é".repeat(5 << 20);
    long.push_str(" CUDA out of memory\n");
    let late = format!("{long}(Worker pid=1) ValueError: No available memory for the cache blocks\r\n");
    let broken = "\u{fffd}\u{fffd}\0 RuntimeError: \u{fffd} CUDA out of memory \u{1b}[31m\n";
    for adapter in Adapter::all().expect("the built-in adapters") {
        // What stands behind 16 KiB of a line is not looked at, and lines behind it are.
        assert_eq!(adapter.classify_boot_failure(&long), None, "{}", adapter.name);
        adapter.fallback_signals(&long);
        let failure = adapter.classify_boot_failure(broken).expect("a failure");
        assert_eq!(failure.signature, "gpu-out-of-memory");
        assert!(!failure.line.contains(['\0', '\u{1b}']));
    }
    let failure = adapter("vllm").classify_boot_failure(&late).expect("a failure");
    assert_eq!(failure.line_number, 2);
    assert!(failure.line.chars().count() <= 400 && !failure.line.contains('\r'));
}

#[test]
fn fallbacks_are_found_once_each() {
    for (framework, id, line) in [
        (
            "sglang",
            "cuda-graph-off",
            "[2026-11-22 16:00:00] Cuda graph is disabled because of using torch native attention backend",
        ),
        (
            "sglang",
            "attention-backend-switched",
            "FlashAttention3 only supports fp8_e4m3 if using FP8; Setting attention backend to triton.",
        ),
        (
            "sglang",
            "page-size-changed",
            "FA4 backend only supports page size 128, changing page_size from 1 to 128.",
        ),
        ("vllm", "cuda-graph-off", "(EngineCore pid=1) INFO Cudagraph is disabled under eager mode"),
        ("vllm", "dtype-cast", "INFO Casting torch.float32 to torch.bfloat16."),
        (
            "llama-cpp",
            "no-gpu-offload",
            "warning: not compiled with GPU offload support, --gpu-layers option will be ignored",
        ),
    ] {
        let log = format!("INFO a\n{line}\n{line}\n");
        let signals = adapter(framework).fallback_signals(&log);
        assert_eq!(signals.len(), 1, "{framework} {signals:?}");
        assert_eq!((signals[0].id.as_str(), signals[0].line_number), (id, 2), "{framework}");
    }
    assert!(adapter("sglang").fallback_signals("The server is fired up and ready to roll!\n").is_empty());
}
