//! Tasks from and to the formats of flashinfer-bench: a Definition with its Workloads in, a Trace out.
//!
//! What a task cannot hold is an error that says so; nothing is dropped in silence. A reference in Python is not run: who imports
//! names the oracle.

mod constraint;
mod trace;
mod workload;

pub use trace::{Correctness, Environment, Evaluation, Performance, Status, Trace, Workload};

use crate::dtype::DType;
use crate::task::{
    Abi, Allow, Axis, Baseline, Build, Determinism, Dist, Generator, Hidden, Input, Limits, Oracle, Output,
    OutputMode, Scalar, Size, Special, Strides, Task, Timing, Tolerance, Workloads,
};
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::Value;

/// Why a definition is no task.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It is not of that format.
    #[error("{what} is not in flashinfer-bench's format: {cause}")]
    Format {
        /// `the definition`, `line 3 of the workloads`.
        what: String,
        /// Why.
        cause: String,
    },
    /// A task has no place for it.
    #[error("{what} cannot be said in a task: {cause}")]
    Beyond {
        /// What it is.
        what: String,
        /// Why, and what to do.
        cause: String,
    },
}

/// What a definition does not say.
#[derive(Debug, Clone, PartialEq)]
pub struct Choices {
    /// Name of the entry.
    pub symbol: String,
    /// Where right answers come from; the definition's own is Python.
    pub oracle: Oracle,
    /// What is to be beaten.
    pub baseline: Baseline,
    /// Distributions by input. Inputs of whole numbers need one.
    pub generators: IndexMap<String, Generator>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Definition {
    name: String,
    #[serde(alias = "type")]
    op_type: String,
    axes: IndexMap<String, AxisSpec>,
    inputs: IndexMap<String, TensorSpec>,
    outputs: IndexMap<String, TensorSpec>,
    #[serde(rename = "reference")]
    _reference: String,
    #[serde(default, rename = "tags")]
    _tags: Option<Vec<String>>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    constraints: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
enum AxisSpec {
    Const {
        value: u64,
        #[serde(default)]
        description: Option<String>,
    },
    Var {
        #[serde(default)]
        parent: Option<String>,
        #[serde(default)]
        description: Option<String>,
    },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TensorSpec {
    shape: Option<Vec<String>>,
    dtype: String,
    #[serde(default, rename = "description")]
    _description: Option<String>,
}

fn beyond<T>(what: impl Into<String>, cause: impl Into<String>) -> Result<T, ImportError> {
    Err(ImportError::Beyond { what: what.into(), cause: cause.into() })
}

/// A task from elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// The task.
    pub task: Task,
    /// What the definition did not say and was chosen, a sentence each, for who imports.
    pub notes: Vec<String>,
}

/// A task from a definition (JSON) and its workloads (JSON Lines).
///
/// Constant axes take one size; variable ones reach from 1 to the largest measured. Inputs without a shape become scalars if every
/// workload gives them the same value. The task is not checked as [`crate::task::load`] does: write it, and load it.
pub fn import(definition: &str, workloads: &str, choices: &Choices) -> Result<Imported, ImportError> {
    let format = |error: serde_json::Error| ImportError::Format {
        what: "the definition".to_owned(),
        cause: error.to_string(),
    };
    let definition: Definition = serde_json::from_str(definition).map_err(format)?;
    let rows = workload::read(workloads, &definition.name)?;
    let axes = axes(&definition, &rows)?;
    let mut constraints = definition.constraints.iter().flatten();
    if let Some(constraint) = constraints.find(|constraint| !constraint::is_implied(constraint, &axes)) {
        return beyond(
            format!("the constraint `{constraint}`"),
            "axes of a task are independent; write derived sizes as expressions and take the constraint away",
        );
    }
    let mut task = empty(&definition, choices);
    task.workloads = workload::shapes(&rows, &axes)?;
    task.axes = axes;
    for (name, spec) in &definition.inputs {
        match &spec.shape {
            Some(shape) => {
                let dtype = dtype(name, &spec.dtype)?;
                let generator = generator(name, dtype, choices)?;
                let shape = shape.iter().cloned().map(Size).collect();
                task.inputs
                    .insert(name.clone(), Input { dtype, shape, strides: Strides::Contiguous, generator });
            }
            None => {
                task.scalars.insert(
                    name.clone(),
                    Scalar { value: Some(workload::scalar(&rows, name)?), ..Scalar::default() },
                );
            }
        }
        workload::random_only(&rows, name, spec.shape.is_none())?;
    }
    for (name, spec) in &definition.outputs {
        let Some(shape) = &spec.shape else {
            return beyond(format!("the output `{name}`, a number"), "outputs of a task are tensors");
        };
        let (dtype, shape) = (dtype(name, &spec.dtype)?, shape.iter().cloned().map(Size).collect());
        let output =
            Output { dtype, shape, strides: Strides::Contiguous, roundings: 1, mode: OutputMode::Ulp };
        task.outputs.insert(name.clone(), output);
    }
    let notes = notes(&definition, &task, rows.len());
    Ok(Imported { task, notes })
}

/// What was chosen, and where to change it.
fn notes(definition: &Definition, task: &Task, rows: usize) -> Vec<String> {
    let variable =
        task.axes.iter().filter(|(name, _)| matches!(definition.axes[*name], AxisSpec::Var { .. }));
    let mut notes: Vec<String> = variable
        .map(|(name, axis)| {
            let [least, most] = axis.range;
            format!("`{name}` goes from {least} to {most}, its largest workload; widen `axes` if a kernel must serve more")
        })
        .collect();
    notes.push("`reject` is empty: no call is tried that a kernel must refuse; add such calls".to_owned());
    notes.push("`abi.inplace_allowed` is false: no output is tried in an input's memory; set it where callers do that".to_owned());
    let shapes = task.workloads.shapes.len();
    if shapes < rows {
        notes.push(format!(
            "{rows} workloads have {shapes} shapes; the first `uuid` of each stands for the others"
        ));
    }
    notes
}

/// A task without tensors.
fn empty(definition: &Definition, choices: &Choices) -> Task {
    let lower = definition.name.to_lowercase();
    let description = definition
        .description
        .clone()
        .unwrap_or_else(|| format!("{} ({})", definition.name, definition.op_type));
    Task {
        api_version: "assay/v1".to_owned(),
        kind: "KernelTask".to_owned(),
        name: lower
            .chars()
            .map(|char| if char.is_ascii_alphanumeric() || char == '-' { char } else { '_' })
            .collect(),
        description,
        abi: Abi::c(&choices.symbol),
        axes: IndexMap::new(),
        inputs: IndexMap::new(),
        outputs: IndexMap::new(),
        scalars: IndexMap::new(),
        oracle: choices.oracle.clone(),
        tolerance: Tolerance::default(),
        special: Special::default(),
        workloads: Workloads::default(),
        hidden: Hidden::default(),
        reject: Vec::new(),
        launch: None,
        determinism: Determinism::default(),
        build: Build::default(),
        baseline: choices.baseline.clone(),
        allow: Allow::default(),
        timing: Timing::default(),
        limits: Limits::default(),
        roofline: None,
    }
}

fn axes(definition: &Definition, rows: &[workload::Row]) -> Result<IndexMap<String, Axis>, ImportError> {
    let mut axes = IndexMap::new();
    for (name, spec) in &definition.axes {
        let (range, description) = match spec {
            AxisSpec::Const { value, description } => ([*value; 2], description),
            AxisSpec::Var { parent: Some(parent), .. } => {
                return beyond(
                    format!("the axis `{name}` under `{parent}`"),
                    "axes of a task are independent",
                );
            }
            AxisSpec::Var { description, .. } => {
                let largest = rows.iter().filter_map(|row| row.axes.get(name)).max();
                let Some(largest) = largest else {
                    return beyond(
                        format!("the axis `{name}`"),
                        "no workload gives it a size, so it has no range",
                    );
                };
                ([1, *largest], description)
            }
        };
        if range[1] == 0 {
            return beyond(format!("the axis `{name}`"), "its size is 0");
        }
        let description = description.clone().unwrap_or_default();
        axes.insert(name.clone(), Axis { range, multiple_of: 1, description });
    }
    Ok(axes)
}

fn dtype(name: &str, text: &str) -> Result<DType, ImportError> {
    Ok(match text {
        "float64" => DType::Fp64,
        "float32" => DType::Fp32,
        "float16" => DType::Fp16,
        "bfloat16" => DType::Bf16,
        "float8_e4m3fn" | "float8_e4m3" => DType::E4m3,
        "float8_e5m2" => DType::E5m2,
        "int64" => DType::Int64,
        "int32" => DType::Int32,
        "int8" => DType::Int8,
        "uint8" => DType::Uint8,
        "bool" => DType::Bool,
        _ => return beyond(format!("the type `{text}` of `{name}`"), "tasks have no such elements"),
    })
}

fn generator(name: &str, dtype: DType, choices: &Choices) -> Result<Generator, ImportError> {
    let given = choices.generators.get(name).cloned();
    if dtype.unit_roundoff().is_none() && given.as_ref().is_none_or(|made| made.dist != Dist::Integers) {
        return beyond(
            format!("random values of `{name}`, whole numbers"),
            "the definition does not say from where to where; give it a generator with `low` and `high`",
        );
    }
    Ok(given.unwrap_or_default())
}

/// A value of JSON as a number; true is 1.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_bool().map(|truth| f64::from(u8::from(truth))))
}
