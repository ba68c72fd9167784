//! A Trace of flashinfer-bench: one candidate at one shape. The field names are that format's.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A candidate at one shape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// Name of the task.
    pub definition: String,
    /// The shape.
    pub workload: Workload,
    /// Name of the candidate.
    pub solution: String,
    /// What came out.
    pub evaluation: Evaluation,
}

/// A shape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Workload {
    /// Sizes by axis.
    pub axes: IndexMap<String, u64>,
    /// How each input is made: `{"type": "random"}` or `{"type": "scalar", "value": 1e-6}`.
    pub inputs: IndexMap<String, Value>,
    /// Its name, the same for the same shape of the same task: the one that the task gives it, or one made of digest and sizes.
    pub uuid: String,
}

impl Workload {
    /// The workload of a task at these sizes.
    pub fn new(loaded: &crate::task::Loaded, axes: &IndexMap<String, u64>) -> Self {
        let task = &loaded.task;
        let random = task.inputs.keys().map(|name| (name.clone(), json!({"type": "random"})));
        let scalars = task
            .scalars
            .iter()
            .map(|(name, one)| (name.clone(), json!({"type": "scalar", "value": one.at(0)})));
        // Tasks whose digest differs are other tasks, and so are their shapes.
        let sizes = axes.iter().map(|(axis, size)| format!("-{axis}{size}")).collect::<String>();
        let digest: String = loaded.digest.chars().take(16).collect();
        let shape = loaded.shapes.iter().find(|shape| shape.axes == *axes);
        let uuid = shape.and_then(|shape| shape.uuid.clone()).unwrap_or_else(|| format!("{digest}{sizes}"));
        Self { axes: axes.clone(), inputs: random.chain(scalars).collect(), uuid }
    }
}

/// How it ended, in that format's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Correct.
    Passed,
    /// An output of another shape.
    IncorrectShape,
    /// Wrong values.
    IncorrectNumerical,
    /// An output of another type.
    IncorrectDtype,
    /// It failed while it ran.
    RuntimeError,
    /// It could not be built.
    CompileError,
    /// It took too long.
    Timeout,
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// How it ended.
    pub status: Status,
    /// Where.
    pub environment: Environment,
    /// When, as RFC 3339.
    pub timestamp: String,
    /// Words for a reader.
    pub log: String,
    /// Errors; only of `Passed` and `IncorrectNumerical`.
    pub correctness: Option<Correctness>,
    /// Times; only of `Passed`.
    pub performance: Option<Performance>,
}

/// Where it ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// Name of the device.
    pub hardware: String,
    /// Versions by library.
    pub libs: IndexMap<String, String>,
}

/// Errors at the shape.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Correctness {
    /// Largest relative error of an element.
    pub max_relative_error: f64,
    /// Largest absolute error of an element.
    pub max_absolute_error: f64,
}

/// Times at the shape.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Performance {
    /// Time of a call of the candidate, in milliseconds.
    pub latency_ms: f64,
    /// Time of a call of the baseline, in milliseconds.
    pub reference_latency_ms: f64,
    /// Baseline over candidate.
    pub speedup_factor: f64,
}

impl Trace {
    /// The line of JSON Lines. Errors and times that the status does not allow are left out, as that format demands.
    pub fn line(&self) -> String {
        let mut trace = self.clone();
        let evaluation = &mut trace.evaluation;
        if evaluation.status != Status::Passed {
            evaluation.performance = None;
            if evaluation.status != Status::IncorrectNumerical {
                evaluation.correctness = None;
            }
        }
        json!(trace).to_string()
    }
}
