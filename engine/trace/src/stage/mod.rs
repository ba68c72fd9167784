//! Steps of a serving engine and the stage each belongs to: prefill, decode or both at once.
//!
//! Prefill and decode differ by a factor of ten in every number, so a table that mixes them says nothing. Stages come
//! from what the program wrote into the trace, never from the path of the file unless the caller asks for it. What
//! nothing proves stays unknown.

mod assign;
mod frames;
mod grammar;
mod path;

pub use assign::segment;
pub use grammar::{Batch, parse};
pub use path::of_path;

use crate::store::Ns;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a step computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Prompts; SGLang says "extend".
    Prefill,
    /// One token for each request.
    Decode,
    /// Prompts and single tokens in one batch.
    Mixed,
    /// Nothing in the trace says it.
    Unknown,
}

impl Stage {
    /// All, in the order of tables.
    pub const ALL: [Self; 4] = [Self::Prefill, Self::Decode, Self::Mixed, Self::Unknown];

    /// The heading of its section.
    pub fn title(self) -> &'static str {
        match self {
            Self::Prefill => "extend/prefill",
            Self::Decode => "decode",
            Self::Mixed => "mixed",
            Self::Unknown => "stage unknown",
        }
    }
}

/// What a step was recognised by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StepSource {
    /// A range that the engine named, on the CPU's timeline.
    Annotation,
    /// The same on the GPU's timeline; the CPU side is missing.
    GpuAnnotation,
    /// Python frames of the engine's step function.
    Frames,
}

/// One step of the engine, such as one forward pass of a batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// What it computes.
    pub stage: Stage,
    /// The name of the range, or of the frame.
    pub name: String,
    /// Begin of the range, in the trace's nanoseconds.
    pub start: Ns,
    /// End of the range.
    pub end: Ns,
    /// Requests and tokens, where the name says them.
    pub batch: Batch,
    /// What it was recognised by.
    pub source: StepSource,
}

/// Steps in time order, and the step of every GPU event.
#[derive(Debug, Clone, Default)]
pub struct Segments {
    /// Steps by start.
    pub steps: Vec<Step>,
    /// Index into `steps` for each GPU event.
    pub of_event: Vec<Option<u32>>,
    /// Set where the caller asked for the path to decide and it said something.
    pub of_file: Option<Stage>,
}

impl Segments {
    /// The stage of a GPU event.
    pub fn stage(&self, event: usize) -> Stage {
        match self.of_event[event] {
            Some(step) => self.steps[step as usize].stage,
            None => self.of_file.unwrap_or(Stage::Unknown),
        }
    }
}
