//! The stand-in for a server in a rehearsal: the simulated server of this program, with the command line of the real one.

use assay_loadgen::sim::Config as Sim;
use assay_protocol::Value;
use assay_run::{CommandLine, StepCtx};
use assay_serving::adapter::{Adapter, Launch};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::json;
use std::borrow::Cow;
use std::path::PathBuf;

/// How the simulated server behaves: a file, or its fields.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Rehearsal {
    /// A configuration of `assay sim-server`.
    File(PathBuf),
    /// The same, written in the manifest.
    Inline(Value),
}

impl<'de> Deserialize<'de> for Rehearsal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let fields = value.as_object().ok_or_else(|| D::Error::custom("`rehearsal` is no mapping"))?;
        if let Some(file) = fields.get("config") {
            if fields.len() > 1 {
                return Err(D::Error::custom("`rehearsal` has `config` and other fields; keep one of both"));
            }
            let file = file.as_str().ok_or_else(|| D::Error::custom("`rehearsal.config` is no path"))?;
            return Ok(Self::File(PathBuf::from(file)));
        }
        let sim =
            Sim::deserialize(&value).map_err(|error| D::Error::custom(format!("`rehearsal`: {error}")))?;
        sim.check().map_err(|error| D::Error::custom(format!("`rehearsal`: {error}")))?;
        Ok(Self::Inline(value))
    }
}

impl JsonSchema for Rehearsal {
    fn schema_name() -> Cow<'static, str> {
        "Rehearsal".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = Sim::json_schema(generator);
        if let Some(properties) = schema.ensure_object().get_mut("properties").and_then(Value::as_object_mut)
        {
            let doc = "File with the configuration, in place of the other fields; `assay schema sim-server` describes it.";
            properties
                .insert("config".to_owned(), json!({"type": "string", "format": "path", "description": doc}));
            // A path in a manifest starts at its folder.
            if let Some(Value::Object(tokenizer)) = properties.get_mut("tokenizer") {
                tokenizer.insert("format".to_owned(), json!("path"));
            }
        }
        schema
    }
}

/// What is started in place of `launch`.
///
/// # Errors
/// Its configuration cannot be written, in words.
pub(crate) fn stand_in(
    cx: &StepCtx,
    rehearsal: Option<&Rehearsal>,
    adapter: &Adapter,
    launch: &Launch,
    port: u16,
) -> Result<CommandLine, String> {
    let program = std::env::current_exe().map_err(|error| format!("this program is not found: {error}"))?;
    let mut argv = vec![program.to_string_lossy().into_owned()];
    let port = port.to_string();
    argv.extend(
        ["sim-server", "--as", &adapter.name, "--port", &port, "--model", &launch.model_id]
            .map(str::to_owned),
    );
    let file = match rehearsal {
        None => None,
        Some(Rehearsal::File(file)) => Some(file.clone()),
        Some(Rehearsal::Inline(fields)) => {
            let path = cx.own_dir()?.join("rehearsal.json");
            std::fs::write(&path, fields.to_string())
                .map_err(|error| format!("cannot write `{}`: {error}", path.display()))?;
            Some(path)
        }
    };
    if let Some(file) = file {
        argv.extend(["--config".to_owned(), file.to_string_lossy().into_owned()]);
    }
    argv.push("--".to_owned());
    argv.extend(launch.argv.iter().cloned());
    // What the framework reads from its environment, the stand-in does too.
    let env = launch.env.clone().into_iter().collect();
    Ok(CommandLine { argv, env, unset: launch.unset.clone(), ..CommandLine::default() })
}

#[cfg(test)]
mod tests {
    use super::Rehearsal;
    use serde_json::{from_value, json};

    #[test]
    fn it_is_a_file_or_fields_and_not_both() {
        let file: Rehearsal = from_value(json!({"config": "/a/b.yaml"})).unwrap();
        assert_eq!(file, Rehearsal::File("/a/b.yaml".into()));
        let fields = json!({"startup_s": 0.5, "failures": [{"kind": "oom_at_start"}]});
        assert_eq!(from_value::<Rehearsal>(fields.clone()).unwrap(), Rehearsal::Inline(fields));
        for (bad, word) in [
            (json!({"config": "/a", "seed": 3}), "keep one"),
            (json!({"startup": 3}), "startup_s"),
            (json!({"startup_s": -1}), "startup_s"),
            (json!([]), "no mapping"),
        ] {
            let error = from_value::<Rehearsal>(bad).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
