//! Inputs: from what the caller gives to typed values, and JSON Schema checks of values.

use crate::fields::Unit;
use crate::manifest::{Input, Manifest};
use crate::paths;
use assay_protocol::{Value, ValueMap};
use std::path::Path;
use thiserror::Error;

/// An input that does not fit.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum InputError {
    /// There is no such input.
    #[error("there is no input `{name}`")]
    Unknown {
        /// What was given.
        name: String,
        /// The nearest name that exists.
        near: Option<String>,
    },
    /// A required input is missing.
    #[error("input `{name}` is missing")]
    Missing {
        /// Its name.
        name: String,
        /// What it is.
        description: Option<String>,
    },
    /// The value does not fit its type.
    #[error("{what}")]
    Invalid {
        /// What is wrong, with the path inside the value.
        what: String,
    },
    /// The declared type is not a valid schema.
    #[error("the schema is not valid: {what}")]
    BadSchema {
        /// What is wrong.
        what: String,
    },
}

/// A compiled JSON Schema.
#[derive(Debug)]
pub struct CompiledSchema(jsonschema::Validator);

/// Compiles a JSON Schema; the error says what is wrong with it.
pub fn compile(schema: &Value) -> Result<CompiledSchema, String> {
    jsonschema::options()
        .should_validate_formats(false)
        .build(schema)
        .map(CompiledSchema)
        .map_err(|error| error.to_string())
}

/// What is wrong with a JSON Schema: the place in it as a JSON pointer, and the fault in words.
pub(crate) fn schema_fault(schema: &Value) -> Result<(), (String, String)> {
    match jsonschema::options().should_validate_formats(false).build(schema) {
        Ok(_) => Ok(()),
        Err(error) => Err((error.instance_path().to_string(), error.to_string())),
    }
}

impl CompiledSchema {
    /// Every fault of `value`: its place as a path and what is wrong.
    pub fn faults(&self, value: &Value) -> Vec<(String, String)> {
        self.0
            .iter_errors(value)
            .map(|error| (error.instance_path().to_string(), error.to_string()))
            .collect()
    }
}

/// Checks one value against a schema.
pub fn check(schema: &Value, value: &Value) -> Result<(), InputError> {
    if let Some(fits) = check_simple(schema, value) {
        return fits;
    }
    let compiled = compile(schema).map_err(|what| InputError::BadSchema { what })?;
    match compiled.faults(value).into_iter().next() {
        None => Ok(()),
        Some((place, what)) if place.is_empty() => Err(InputError::Invalid { what }),
        Some((place, what)) => Err(InputError::Invalid { what: format!("at `{place}`: {what}") }),
    }
}

/// Types without further keywords need no schema compiler; `None` when they do.
fn check_simple(schema: &Value, value: &Value) -> Option<Result<(), InputError>> {
    let object = schema.as_object()?;
    let kind = object.get("type")?.as_str()?;
    if !object.keys().all(|key| matches!(key.as_str(), "type" | "format" | "examples")) {
        return None;
    }
    let fits = match kind {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|f| f.fract() == 0.0),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => return None,
    };
    Some(if fits {
        Ok(())
    } else {
        Err(InputError::Invalid { what: format!("{value} is not of type \"{kind}\"") })
    })
}

/// One given value made fit for its input: a unit becomes a number, a path absolute.
///
/// `base` is the folder relative paths start in; an empty path stays empty.
pub fn convert(input: &Input, value: &Value, base: &Path) -> Result<Value, InputError> {
    match input.format() {
        Some("path") => {
            check(&input.schema, value)?;
            let text = value.as_str().unwrap_or_default();
            if text.is_empty() {
                return Ok(value.clone()); // no file is meant, not the folder that paths start in
            }
            Ok(Value::from(paths::absolute(base, text).to_string_lossy().into_owned()))
        }
        Some(format) => match Unit::of_format(format) {
            Some(unit) => unit
                .from_value(value)
                .map(Value::from)
                .map_err(|error| InputError::Invalid { what: format!("{error}; {}", error.way_out()) }),
            None => check(&input.schema, value).map(|()| value.clone()),
        },
        None => check(&input.schema, value).map(|()| value.clone()),
    }
}

/// Text from a command line (`-i key=value`) as a value of the input's type.
pub fn from_text(input: &Input, text: &str) -> Value {
    let kind = input.schema.get("type").and_then(Value::as_str).unwrap_or("string");
    match kind {
        "string" => Value::from(text),
        _ => serde_yaml::from_str::<Value>(text).unwrap_or_else(|_| Value::from(text)),
    }
}

/// Fills in defaults and checks everything; all faults at once, by input name.
///
/// `given` holds the caller's values, already typed; relative paths among them start at `caller_dir`, those of
/// defaults at the manifest's folder.
pub fn resolve(
    manifest: &Manifest,
    given: &ValueMap,
    caller_dir: &Path,
) -> Result<ValueMap, Vec<(String, InputError)>> {
    let mut values = ValueMap::new();
    let mut faults = Vec::new();
    for name in given.keys().filter(|name| !manifest.inputs.contains_key(name.as_str())) {
        let near = assay_diagnostics::did_you_mean(name, manifest.inputs.keys().map(String::as_str));
        let near = near.map(str::to_owned);
        faults.push((name.clone(), InputError::Unknown { name: name.clone(), near }));
    }
    for (name, input) in &manifest.inputs {
        let converted = match (given.get(name), &input.default) {
            (Some(value), _) => convert(input, value, caller_dir),
            (None, Some(default)) => convert(input, &default.value, &manifest.origin.dir),
            (None, None) => {
                Err(InputError::Missing { name: name.clone(), description: input.description.clone() })
            }
        };
        match converted {
            Ok(value) => {
                values.insert(name.clone(), value);
            }
            Err(error) => faults.push((name.clone(), error)),
        }
    }
    if faults.is_empty() { Ok(values) } else { Err(faults) }
}
