//! Workloads of flashinfer-bench: one JSON object per line, bare or inside a trace without a solution.

use super::{ImportError, beyond, number};
use crate::task::{Axis, Workloads};
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::Value;

/// A workload.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    pub(super) axes: IndexMap<String, u64>,
    inputs: IndexMap<String, Spec>,
    uuid: String,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
enum Spec {
    Random,
    Scalar {
        value: Value,
    },
    Safetensors {
        path: String,
        #[serde(rename = "tensor_key")]
        _key: String,
    },
}

pub(super) fn read(text: &str, definition: &str) -> Result<Vec<Row>, ImportError> {
    let mut rows = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let format =
            |cause: String| ImportError::Format { what: format!("line {} of the workloads", at + 1), cause };
        let mut value: Value = serde_json::from_str(line).map_err(|error| format(error.to_string()))?;
        if let Some(named) = value.get("definition").and_then(Value::as_str)
            && named != definition
        {
            return Err(format(format!("it belongs to `{named}`, not to `{definition}`")));
        }
        if let Some(inner) = value.get_mut("workload") {
            value = inner.take();
        }
        rows.push(Row::deserialize(value).map_err(|error| format(error.to_string()))?);
    }
    match rows.is_empty() {
        true => beyond("a definition without workloads", "a task measures at least one shape"),
        false => Ok(rows),
    }
}

/// Sizes by axis, each shape once and under its first name, constant axes filled in.
pub(super) fn shapes(rows: &[Row], axes: &IndexMap<String, Axis>) -> Result<Workloads, ImportError> {
    let mut workloads = Workloads::default();
    for row in rows {
        if let Some(name) = row.axes.keys().find(|name| !axes.contains_key(*name)) {
            return beyond(format!("the axis `{name}` of a workload"), "the definition has no such axis");
        }
        let mut shape = IndexMap::new();
        for (name, axis) in axes {
            let constant = (axis.range[0] == axis.range[1]).then_some(axis.range[0]);
            let Some(size) = row.axes.get(name).copied().or(constant) else {
                return beyond(format!("a workload without `{name}`"), "every axis needs a size");
            };
            shape.insert(name.clone(), size);
        }
        if !workloads.shapes.contains(&shape) {
            workloads.shapes.push(shape);
            workloads.uuids.push(row.uuid.clone());
        }
    }
    Ok(workloads)
}

/// The one value of a scalar.
pub(super) fn scalar(rows: &[Row], name: &str) -> Result<f64, ImportError> {
    let mut found: Option<f64> = None;
    for row in rows {
        let value = match row.inputs.get(name) {
            Some(Spec::Scalar { value }) => number(value),
            _ => None,
        };
        match (value, found) {
            (None, _) => return beyond(format!("the scalar `{name}`"), "a workload gives it no value"),
            (Some(value), Some(before)) if value != before => {
                return beyond(
                    format!("the scalar `{name}`"),
                    format!(
                        "it is {before} in one workload and {value} in another; split them into two tasks"
                    ),
                );
            }
            (value, _) => found = value,
        }
    }
    found.map_or_else(|| beyond(format!("the scalar `{name}`"), "there is no workload"), Ok)
}

/// Refuses data from files, which a task generates, and numbers for tensors.
pub(super) fn random_only(rows: &[Row], name: &str, scalar: bool) -> Result<(), ImportError> {
    for row in rows {
        match row.inputs.get(name) {
            Some(Spec::Safetensors { path, .. }) => {
                return beyond(
                    format!("data of `{name}` from `{path}`"),
                    "inputs of a task are generated, so that nobody can learn them by heart; write \
                     `{\"type\": \"random\"}` in its place, with a generator where its values need one, or leave the workload out",
                );
            }
            Some(Spec::Scalar { .. }) if !scalar => {
                return beyond(format!("a single number for the tensor `{name}`"), "tensors are generated");
            }
            _ => {}
        }
    }
    Ok(())
}
