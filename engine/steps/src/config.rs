//! From a rendered configuration to a type's own struct, with faults in words.

use assay_manifest::input;
use assay_run::{CommandLine, StepCtx};
use schemars::{JsonSchema, generate::SchemaSettings};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::path::Path;

use crate::fields::Argv;

/// The JSON Schema of a configuration struct.
pub(crate) fn schema_of<T: JsonSchema>() -> Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value()
}

/// Reads a rendered configuration. A value that a template gave has its type only now, so it may still not fit.
///
/// # Errors
/// What does not fit and where, in words.
pub(crate) fn read<T: DeserializeOwned + JsonSchema>(config: &Value) -> Result<T, String> {
    serde_json::from_value(config.clone()).map_err(|error| {
        let place = place_of_fault(&schema_of::<T>(), config);
        format!("the configuration does not fit{place}: {error}")
    })
}

/// serde does not say which field it read; the schema knows.
fn place_of_fault(schema: &Value, config: &Value) -> String {
    let Ok(compiled) = input::compile(schema) else { return String::new() };
    let faults = compiled.faults(config);
    // Quantities may arrive as numbers although their schema says text.
    let real = faults
        .iter()
        .find(|(place, _)| !place.is_empty() && !config.pointer(place).is_some_and(Value::is_number));
    real.map(|(place, _)| format!(" at `with{place}`")).unwrap_or_default()
}

/// The program of a step or side: exactly one of `argv` and `shell`.
///
/// # Errors
/// What is wrong, with a way out.
pub(crate) fn command_line(argv: Option<&Argv>, shell: Option<&str>) -> Result<CommandLine, String> {
    match (argv, shell) {
        (Some(argv), None) => Ok(CommandLine::new(argv.0.clone())),
        (None, Some(line)) => Ok(CommandLine::shell(line)),
        (Some(_), Some(_)) => Err("both `argv` and `shell` are given; keep one".to_owned()),
        (None, None) => {
            Err("neither `argv` nor `shell` is given; write `argv: [program, argument]`".to_owned())
        }
    }
}

/// Writes a file that the step produces; inside the run directory without following links that a step planted.
///
/// # Errors
/// What the system says, in words.
pub(crate) fn write_output(cx: &StepCtx, path: &Path, bytes: &[u8]) -> Result<(), String> {
    let words = |error: &dyn std::fmt::Display| format!("cannot write `{}`: {error}", path.display());
    match path.strip_prefix(cx.run_dir().path()) {
        Ok(relative) => cx.run_dir().publish(relative, bytes).map_err(|error| words(&error)),
        Err(_) => std::fs::write(path, bytes).map_err(|error| words(&error)),
    }
}

/// A value with its keys sorted at every depth, without spaces: the same text for the same value.
pub(crate) fn canonical(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<(&String, &Value)> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            let parts: Vec<String> = entries
                .iter()
                .map(|(key, value)| format!("{}:{}", Value::from(key.as_str()), canonical(value)))
                .collect();
            format!("{{{}}}", parts.join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        scalar => scalar.to_string(),
    }
}

/// Text cut to at most `limit` characters, with a mark where it was cut.
pub(crate) fn excerpt(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((at, _)) => format!("{} ...", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{canonical, command_line, excerpt, read};
    use crate::fields::{Argv, Duration};
    use schemars::JsonSchema;
    use serde::Deserialize;
    use serde_json::json;

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        pairs: u32,
        #[serde(default)]
        wait: Option<Duration>,
    }

    #[test]
    fn a_value_of_the_wrong_type_is_named_with_its_place() {
        let error = read::<Sample>(&json!({"wait": 3, "pairs": "many"})).unwrap_err();
        assert!(error.contains("`with/pairs`") && error.contains("many"), "{error}");
        let sample: Sample = read(&json!({"wait": 3, "pairs": 2})).unwrap();
        assert_eq!((sample.pairs, sample.wait), (2, Some(Duration(3.0))));
    }

    #[test]
    fn exactly_one_of_argv_and_shell() {
        let argv = Argv(vec!["cc".to_owned()]);
        assert_eq!(command_line(Some(&argv), None).unwrap().argv, ["cc"]);
        assert_eq!(command_line(None, Some("a | b")).unwrap().argv, ["/bin/sh", "-c", "a | b"]);
        assert!(command_line(Some(&argv), Some("x")).unwrap_err().contains("keep one"));
        assert!(command_line(None, None).unwrap_err().contains("argv: ["));
    }

    #[test]
    fn canonical_text_does_not_depend_on_the_order_of_keys() {
        let (a, b) =
            (json!({"b": [1, {"z": 1, "y": 2}], "a": "x"}), json!({"a": "x", "b": [1, {"y": 2, "z": 1}]}));
        assert_eq!(canonical(&a), canonical(&b));
        assert_eq!(canonical(&a), r#"{"a":"x","b":[1,{"y":2,"z":1}]}"#);
    }

    #[test]
    fn excerpts_count_characters() {
        assert_eq!(excerpt("äöü", 2), "äö ...");
        assert_eq!(excerpt("äöü", 3), "äöü");
    }
}
