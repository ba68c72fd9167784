//! What a synthetic trace shall look like: a plain struct with defaults.

use serde::{Deserialize, Serialize};

use super::GenerateError;

/// How the server marks its steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Annotations {
    /// `step[DECODE bs=32]`, `step[EXTEND bs=4 toks=16384]`, `step[MIXED bs=36 toks=16416]`.
    Sglang,
    /// SGLang with both of its marks nested: the step mark around `execute_32_context_0(sq0…)_generation_32(sq32…)`.
    SglangExecute,
    /// `execute_context_4(16384)_generation_0(0)`; the frames and kernels are vLLM's as well.
    Vllm,
    /// No marks; the frames are SGLang's. The stage of a step cannot be told from the trace by marks.
    None,
}

/// Whose runtime and kernel names the trace shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vendor {
    /// CUDA names, `cuda_driver` launches, `gpu_user_annotation`, graph node ids.
    Nvidia,
    /// HIP names, Tensile and `ck_tile` kernels; no GPU annotations, no graph node ids.
    Amd,
}

/// Which generation of the profiler's output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schema {
    /// Lower-case categories, times with three decimals.
    Current,
    /// 2021: `Kernel`, `Operator`, `Runtime`; whole microseconds; `external id`; thread ids as strings; step marks are
    /// operators; neither Python frames nor GPU annotations.
    Y2021,
}

/// The root of the JSON document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Root {
    /// An object with `traceEvents` and the description of the machine.
    Object,
    /// The bare list of events.
    List,
}

/// One rank whose GPU is slower than the others'.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Straggler {
    /// The slow rank.
    pub rank: u32,
    /// How much longer its expert GEMM takes in every layer, in microseconds.
    pub extra_us_per_layer: u32,
}

/// What to generate. The same recipe always gives the same bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recipe {
    /// Number of prefill passes.
    pub prefill: u32,
    /// Number of decode passes.
    pub decode: u32,
    /// Number of mixed passes (chunked prefill together with decode).
    pub mixed: u32,
    /// Decoder layers of the model.
    pub layers: u32,
    /// Sequences in a decode pass.
    pub batch: u32,
    /// Tokens of a prefill or mixed pass.
    pub tokens: u32,
    /// Python frames of built-ins and helpers around every operator.
    pub noise: u32,
    /// Seed of all random choices. Every rank of one job has the same.
    pub seed: u64,
    /// Which rank's trace this is.
    pub rank: u32,
    /// Number of ranks in the job.
    pub world: u32,
    /// How steps are marked, and with it the framework.
    pub annotations: Annotations,
    /// Each decode pass is one replay of a graph.
    pub graph: bool,
    /// Prefill and mixed passes (and decode passes without `graph`) replay two graphs a layer around an eager attention.
    pub piecewise: bool,
    /// Python frames are recorded.
    pub stacks: bool,
    /// Shapes are recorded with the CPU operators.
    pub shapes: bool,
    /// The whole document in one line.
    pub compact: bool,
    /// Whose GPU.
    pub vendor: Vendor,
    /// Which generation of the format.
    pub schema: Schema,
    /// The root of the document.
    pub root: Root,
    /// Rank `r` starts `r` times this many microseconds late.
    pub skew_us: u32,
    /// A slow rank, on which the collectives of all others wait.
    pub straggler: Option<Straggler>,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            prefill: 1,
            decode: 4,
            mixed: 0,
            layers: 48,
            batch: 32,
            tokens: 16384,
            noise: 10,
            seed: 1,
            rank: 0,
            world: 8,
            annotations: Annotations::Sglang,
            graph: false,
            piecewise: false,
            stacks: true,
            shapes: true,
            compact: false,
            vendor: Vendor::Nvidia,
            schema: Schema::Current,
            root: Root::Object,
            skew_us: 0,
            straggler: None,
        }
    }
}

impl Recipe {
    /// Refuses a recipe that describes no trace.
    ///
    /// # Errors
    /// [`GenerateError::Rank`] for a rank outside the world, [`GenerateError::Range`] for a number outside its bounds.
    pub fn check(&self) -> Result<(), GenerateError> {
        let ranks = [Some(self.rank), self.straggler.map(|slow| slow.rank)];
        for rank in ranks.into_iter().flatten() {
            if rank >= self.world {
                return Err(GenerateError::Rank { rank, world: self.world });
            }
        }
        let bounds = [
            ("layers", self.layers, 1, 10_000),
            ("batch", self.batch, 1, 1_000_000),
            ("tokens", self.tokens, 1, 100_000_000),
            ("noise", self.noise, 0, 100_000),
            ("world", self.world, 1, 4096),
        ];
        for (field, value, least, most) in bounds {
            if !(least..=most).contains(&value) {
                return Err(GenerateError::Range { field, value, least, most });
            }
        }
        Ok(())
    }

    /// The smallest step of every time in the trace, in nanoseconds.
    pub(super) fn grid(&self) -> u64 {
        if self.schema == Schema::Y2021 { 1000 } else { 1 }
    }

    /// Whether Python frames reach the file.
    pub(super) fn frames(&self) -> bool {
        self.stacks && self.schema == Schema::Current
    }

    /// The device that this rank's process sees its kernels on.
    pub(super) fn device(&self) -> u32 {
        self.rank % 8
    }

    /// The process id of this rank.
    pub(super) fn process(&self) -> u32 {
        4242 + self.rank
    }
}
