//! `assay trace generate`: a synthetic trace and what is true of it.

use crate::context::Cx;
use crate::fail::Failure;
use crate::reply::Reply;
use assay_manifest::absolute;
use assay_protocol::ExitCode;
use assay_trace::generate::{Annotations, Recipe, Vendor, write_file};
use clap::{Args, ValueEnum};
use serde_json::json;

/// Options of `trace generate`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  assay trace generate small.json.gz --layers 4\n  assay trace generate big.json.gz --prefill 40 --decode 140\n\nBeside the trace stands `<OUT>.truth.json`: stage, count, sum, place and operator of every kernel, each pass and layer,\nand how the GPU's time was spent, counted from what was written. The same options give the same bytes."
)]
pub struct Options {
    /// File to write; `.gz` at its end compresses it
    pub out: String,
    /// Prefill passes
    #[arg(long, default_value_t = 1)]
    pub prefill: u32,
    /// Decode passes
    #[arg(long, default_value_t = 4)]
    pub decode: u32,
    /// Passes with both
    #[arg(long, default_value_t = 0)]
    pub mixed: u32,
    /// Decoder layers
    #[arg(long, default_value_t = 48)]
    pub layers: u32,
    /// Requests in a decode pass
    #[arg(long, default_value_t = 32)]
    pub batch: u32,
    /// Tokens of a prefill pass
    #[arg(long, default_value_t = 16384)]
    pub tokens: u32,
    /// Python frames of helpers around every operator
    #[arg(long, default_value_t = 10)]
    pub noise: u32,
    /// Seed of all random choices
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// This trace's rank
    #[arg(long, default_value_t = 0)]
    pub rank: u32,
    /// Replay each decode pass from a graph
    #[arg(long)]
    pub graph: bool,
    /// Leave out Python frames
    #[arg(long)]
    pub no_stack: bool,
    /// How steps are marked
    #[arg(long, value_name = "WHOSE", default_value = "sglang")]
    pub annotations: Marks,
    /// Whose GPU
    #[arg(long, value_name = "VENDOR", default_value = "nvidia")]
    pub vendor: Gpu,
}

/// How steps are marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Marks {
    /// `step[DECODE bs=32]`
    Sglang,
    /// `execute_context_0(0)_generation_32(32)`
    Vllm,
    /// Not at all.
    None,
}

/// Whose GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Gpu {
    /// CUDA.
    Nvidia,
    /// HIP.
    Amd,
}

/// Writes the trace and its truth.
pub fn run(cx: &Cx, options: &Options) -> Result<Reply, Failure> {
    let recipe = Recipe {
        prefill: options.prefill,
        decode: options.decode,
        mixed: options.mixed,
        layers: options.layers,
        batch: options.batch,
        tokens: options.tokens,
        noise: options.noise,
        seed: options.seed,
        rank: options.rank,
        graph: options.graph,
        stacks: !options.no_stack,
        annotations: match options.annotations {
            Marks::Sglang => Annotations::Sglang,
            Marks::Vllm => Annotations::Vllm,
            Marks::None => Annotations::None,
        },
        vendor: match options.vendor {
            Gpu::Nvidia => Vendor::Nvidia,
            Gpu::Amd => Vendor::Amd,
        },
        ..Recipe::default()
    };
    recipe.check().map_err(|error| Failure::usage(error.to_string()))?;
    let out = absolute(&cx.paths.cwd, &options.out);
    let failed =
        |error: &dyn std::fmt::Display| Failure::new(ExitCode::Internal, "trace-write", error.to_string());
    if let Some(folder) = out.parent() {
        std::fs::create_dir_all(folder).map_err(|error| failed(&error))?;
    }
    let truth = write_file(&recipe, &out).map_err(|error| failed(&error))?;
    let truth_path =
        out.with_file_name(format!("{}.truth.json", out.file_name().unwrap_or_default().to_string_lossy()));
    let text = serde_json::to_string(&truth).map_err(|error| failed(&error))?;
    std::fs::write(&truth_path, text).map_err(|error| failed(&error))?;
    let events: u64 = truth.events.values().sum();
    let kernels: u64 = truth.kernels.iter().map(|kernel| kernel.count).sum();
    let (shown, shown_truth) = (cx.paths.shown(&out), cx.paths.shown(&truth_path));
    let data = json!({"trace": out, "truth": truth_path, "events": events, "gpu_events": kernels});
    Ok(Reply::ok(data, format!("{shown}\n{shown_truth}\n")))
}
