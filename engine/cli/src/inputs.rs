//! Inputs as users give them: `-i key=value` and files, made into typed values with all faults in one go.

use crate::context::Cx;
use crate::fail::Failure;
use assay_diagnostics::{Severity, Sources, render};
use assay_manifest::input::{InputError, from_text, resolve};
use assay_manifest::{Input, Manifest};
use assay_protocol::{ExitCode, Value, ValueMap};
use std::io::Read as _;
use std::path::Path;

/// Where inputs come from.
#[derive(Debug, Clone, clap::Args)]
pub struct Given {
    /// An input of the workflow; may be given several times, and wins over `--inputs`
    #[arg(short = 'i', long = "input", value_name = "KEY=VALUE")]
    pub input: Vec<String>,
    /// YAML or JSON file with inputs; `-` reads standard input
    #[arg(long, value_name = "FILE")]
    pub inputs: Option<String>,
}

/// Typed inputs with defaults. Relative paths among the given ones start at `base`.
pub fn resolved(cx: &Cx, manifest: &Manifest, given: &Given, base: &Path) -> Result<ValueMap, Failure> {
    let mut values = match &given.inputs {
        Some(file) => from_file(cx, file)?,
        None => ValueMap::new(),
    };
    for pair in &given.input {
        let (name, text) = split(pair)?;
        let value =
            manifest.inputs.get(name).map_or_else(|| Value::from(text), |input| from_text(input, text));
        values.insert(name.to_owned(), value);
    }
    complete(manifest, &values, base)
}

/// Recorded inputs for a manifest that may have changed since: new ones get their defaults, those gone are left out.
pub fn recorded(manifest: &Manifest, recorded: &ValueMap, base: &Path) -> Result<ValueMap, Failure> {
    let known = recorded.iter().filter(|(name, _)| manifest.inputs.contains_key(name.as_str()));
    let known: ValueMap = known.map(|(name, value)| (name.clone(), value.clone())).collect();
    complete(manifest, &known, base)
}

fn complete(manifest: &Manifest, values: &ValueMap, base: &Path) -> Result<ValueMap, Failure> {
    resolve(manifest, values, base).map_err(|faults| refused(manifest, values, &faults))
}

fn split(pair: &str) -> Result<(&str, &str), Failure> {
    pair.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(|| {
        Failure::usage(format!("`-i {pair}` is not of the form `key=value`"))
            .help("write `-i name=value`; quote the whole when the value has spaces: `-i 'name=two words'`")
    })
}

fn from_file(cx: &Cx, file: &str) -> Result<ValueMap, Failure> {
    let text = read(cx, file).map_err(|error| {
        Failure::usage(format!("cannot read the inputs in `{file}`: {error}"))
            .help("`--inputs` takes a YAML or JSON file with a mapping of input names to values")
    })?;
    let mut sources = Sources::new();
    let source = sources.add(file, text.as_str());
    let parsed = assay_yaml::parse(source, &text, &assay_yaml::Limits::default());
    if parsed.diagnostics.iter().any(|found| found.severity == Severity::Error) {
        return Err(Failure {
            drawn: render::text(&parsed.diagnostics, &sources, cx.console.color_err),
            findings: render::json(&parsed.diagnostics, &sources),
            ..Failure::new(
                ExitCode::InvalidManifest,
                "invalid-inputs",
                format!("`{file}` cannot be read as inputs"),
            )
        });
    }
    match parsed.root.map(|root| root.to_json()) {
        Some(Value::Object(values)) => Ok(values),
        Some(Value::Null) | None => Ok(ValueMap::new()),
        Some(other) => Err(Failure::new(
            ExitCode::InvalidManifest,
            "invalid-inputs",
            format!("`{file}` holds {}, not a mapping of input names to values", kind(&other)),
        )),
    }
}

fn read(cx: &Cx, file: &str) -> std::io::Result<String> {
    if file == "-" {
        let mut text = String::new();
        std::io::stdin().lock().read_to_string(&mut text)?;
        return Ok(text);
    }
    std::fs::read_to_string(cx.paths.cwd.join(file))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

/// Every fault with what was received, what is expected and the way out.
fn refused(manifest: &Manifest, given: &ValueMap, faults: &[(String, InputError)]) -> Failure {
    let name = &manifest.name.value;
    let many =
        if faults.len() == 1 { "an input does".to_owned() } else { format!("{} inputs do", faults.len()) };
    let mut failure =
        Failure::new(ExitCode::InvalidManifest, "invalid-inputs", format!("{many} not fit `{name}`"));
    for (input, fault) in faults {
        failure.help.push(explain(manifest, input, given.get(input), fault));
    }
    if faults.iter().any(|(_, fault)| matches!(fault, InputError::Unknown { .. })) {
        let known: Vec<&str> = manifest.inputs.keys().map(String::as_str).collect();
        let known = if known.is_empty() { "none".to_owned() } else { format!("`{}`", known.join("`, `")) };
        failure.help.push(format!("inputs of `{name}`: {known}"));
    }
    failure
}

fn explain(manifest: &Manifest, name: &str, given: Option<&Value>, fault: &InputError) -> String {
    let declared = manifest.inputs.get(name);
    match fault {
        InputError::Unknown { near: Some(near), .. } => {
            format!("there is no input `{name}`; did you mean `{near}`?")
        }
        InputError::Unknown { near: None, .. } => format!("there is no input `{name}`"),
        InputError::Missing { description, .. } => {
            let what = description.as_deref().map(|text| format!(" ({text})")).unwrap_or_default();
            let expected = declared.map(expected).unwrap_or_default();
            format!("input `{name}` is missing{what}: give it with `-i {name}=<{expected}>`")
        }
        InputError::Invalid { what } | InputError::BadSchema { what } => {
            let received = given.map(Value::to_string).unwrap_or_else(|| "its default".to_owned());
            let expected = declared.map(expected).unwrap_or_default();
            format!(
                "input `{name}`: {what}; received {received}, expected {expected}; give it with `-i {name}=...`"
            )
        }
    }
}

/// The type of an input in a few words: `integer, minimum 10`.
pub fn expected(input: &Input) -> String {
    let Some(schema) = input.schema.as_object() else { return "a value".to_owned() };
    let mut words = Vec::new();
    for (key, value) in schema {
        match (key.as_str(), value) {
            ("type" | "format", Value::String(word)) => words.insert(words.len().min(1), word.clone()),
            ("enum", Value::Array(list)) => {
                let list: Vec<String> = list.iter().map(Value::to_string).collect();
                words.push(format!("one of {}", list.join(", ")));
            }
            ("items" | "properties" | "examples", _) => {}
            (key, Value::Number(_) | Value::String(_) | Value::Bool(_)) => {
                words.push(format!("{key} {}", value.to_string().trim_matches('"')));
            }
            _ => {}
        }
    }
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::{expected, explain, split};
    use assay_diagnostics::Sources;
    use assay_manifest::input::resolve;
    use assay_manifest::{Manifest, Origin, StepCatalog, lower};
    use assay_protocol::ValueMap;
    use serde_json::json;
    use std::path::{Path, PathBuf};

    fn manifest() -> Manifest {
        let text = "apiVersion: assay/v1\nkind: Skill\nname: probe\nversion: 1.0.0\ndescription: A probe.\n\
                    inputs:\n  pairs: {type: integer, default: 30, minimum: 10}\n  \
                    source: {type: string, format: path, description: A folder}\nsteps: {}\n";
        let source = Sources::new().add("skill.yaml", text);
        let origin = Origin { file: "/s/skill.yaml".to_owned(), dir: PathBuf::from("/s") };
        lower(source, text, origin, &StepCatalog::default()).manifest.unwrap()
    }

    #[test]
    fn pairs_split_at_the_first_sign() {
        assert_eq!(split("a=b=c").unwrap(), ("a", "b=c"));
        assert_eq!(split("a=").unwrap(), ("a", ""));
        assert!(split("a").is_err() && split("=b").is_err());
    }

    #[test]
    fn every_fault_says_what_came_what_is_wanted_and_the_way_out() {
        let manifest = manifest();
        let given: ValueMap = json!({"pairs": 5, "sorce": "x"}).as_object().unwrap().clone();
        let faults = resolve(&manifest, &given, Path::new("/w")).unwrap_err();
        let texts: Vec<String> =
            faults.iter().map(|(name, fault)| explain(&manifest, name, given.get(name), fault)).collect();
        assert_eq!(texts.len(), 3, "{texts:?}");
        let all = texts.join("\n");
        assert!(all.contains("did you mean `source`?"), "{all}");
        assert!(all.contains("received 5, expected integer, minimum 10"), "{all}");
        assert!(all.contains("`-i source=<string, path>`"), "{all}");
    }

    #[test]
    fn types_in_words() {
        let manifest = manifest();
        assert_eq!(expected(&manifest.inputs["pairs"]), "integer, minimum 10");
        assert_eq!(expected(&manifest.inputs["source"]), "string, path");
    }
}
