//! `baseline`: freezes files, values, command outputs and host facts once per run, by digest.

mod from_run;

use crate::command::run_to_zero;
use crate::config::{self, canonical, schema_of};
use crate::fields::{Argv, FilePath};
use crate::parse::{Source, read_source};
use assay_manifest::{Effects, Kind, OutputDoc};
use assay_protocol::{Value, ValueMap};
use assay_run::{CommandLine, LocalFuture, Outcome, Step, StepCtx};
use assay_store::{Artifacts, blake3_hex, sha256_file, sha256_hex, slug};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Bytes of a command's output that are kept as text; the digest is over all of it.
const KEPT: usize = 64 << 10;

/// Freezes what later measurements are compared against.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BaselineConfig {
    /// Files and folders: digested, and copied into the run. Named by their file name, or by their whole path where
    /// two have the same name.
    #[serde(default)]
    files: Vec<FilePath>,
    /// Values, by name.
    #[serde(default)]
    values: Map<String, Value>,
    /// Commands whose standard output is frozen, by name. They must exit with 0.
    #[serde(default)]
    commands: BTreeMap<String, FrozenCommand>,
    /// Host facts: `true` for all, or a list of their names.
    #[serde(default)]
    facts: Facts,
    /// Another run whose baseline is taken over: its id, a unique prefix of it, `latest`, or its path. Its digests are
    /// verified again. Stands alone, at most with `step`.
    #[serde(default)]
    pub(crate) from: Option<String>,
    /// With `from`: the path of the baseline step in that run. May be left out if it has only one.
    #[serde(default)]
    pub(crate) step: Option<String>,
}

/// A command whose output is frozen.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FrozenCommand {
    /// Program and arguments.
    argv: Argv,
}

/// Which host facts are frozen.
#[derive(Debug, Clone, Default, PartialEq)]
enum Facts {
    #[default]
    None,
    All,
    Named(Vec<String>),
}

impl<'de> Deserialize<'de> for Facts {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Bool(true) => Ok(Self::All),
            Value::Bool(false) => Ok(Self::None),
            list => serde_json::from_value(list).map(Self::Named).map_err(|_| {
                serde::de::Error::custom("`facts` is `true` or a list of names such as `[cpu, kernel]`")
            }),
        }
    }
}

impl JsonSchema for Facts {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Facts".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"anyOf": [{"type": "boolean"}, {"type": "array", "items": {"type": "string"}}]})
    }
}

/// What a baseline holds; its outputs.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Frozen {
    /// `{path, sha256, bytes, kept}` by name.
    pub files: Map<String, Value>,
    /// Values by name.
    pub values: Map<String, Value>,
    /// `{argv, sha256, bytes, stdout, truncated}` by name.
    pub commands: Map<String, Value>,
    /// Facts by name.
    pub facts: Map<String, Value>,
}

impl Frozen {
    /// Digest over names and contents: where a file stood does not count.
    pub(crate) fn digest(&self) -> String {
        let contents = |entries: &Map<String, Value>| -> Map<String, Value> {
            let content = |value: &Value| json!({"sha256": value["sha256"], "bytes": value["bytes"]});
            entries.iter().map(|(name, value)| (name.clone(), content(value))).collect()
        };
        let all = json!({
            "files": contents(&self.files), "values": self.values,
            "commands": contents(&self.commands), "facts": self.facts,
        });
        blake3_hex(canonical(&all).as_bytes())
    }

    pub(crate) fn outputs(self) -> ValueMap {
        let digest = self.digest();
        let outputs = json!({
            "digest": digest, "files": self.files, "values": self.values, "commands": self.commands,
            "facts": self.facts,
        });
        outputs.as_object().cloned().unwrap_or_default()
    }
}

/// The step type.
#[derive(Debug)]
pub(crate) struct Baseline;

impl Step for Baseline {
    fn kind(&self) -> Kind {
        Kind {
            name: "baseline",
            summary: "Freeze files, values, command outputs and host facts by digest",
            doc: "Runs once per run and never again: a resume that would change what it froze is refused as \
                  `tampered`, and every gate downstream hashes the files again. Copies of the files are kept under \
                  the run's `artifacts/`.\n\n`from` takes over the baseline of another run after verifying its \
                  copies; the frozen files are then the copies.",
            example: "uses: baseline\nwith:\n  files: [reference.c, data]\n  values: {tolerance: 1.0e-5}\n  commands: \
                      {compiler: {argv: [cc, --version]}}\n",
            schema: std::sync::LazyLock::new(schema_of::<BaselineConfig>),
            outputs: &[
                OutputDoc { name: "digest", doc: "BLAKE3 over everything frozen, hex", volatile: false },
                OutputDoc {
                    name: "files",
                    doc: "`{path, sha256, bytes, kept}` by file name; `kept` is the copy, relative to the run directory",
                    volatile: false,
                },
                OutputDoc { name: "values", doc: "The values by name", volatile: false },
                OutputDoc {
                    name: "commands",
                    doc: "`{argv, sha256, bytes, stdout, truncated}` by name; `stdout` holds at most 64 KiB",
                    volatile: false,
                },
                OutputDoc { name: "facts", doc: "The host facts by name", volatile: false },
            ],
            effects: Effects::Frozen,
            runs_processes: true,
        }
    }

    fn run<'a>(&'a self, cx: &'a StepCtx) -> LocalFuture<'a, Outcome> {
        Box::pin(async move {
            match run(cx).await {
                Ok(frozen) => Outcome::passed(frozen.outputs()),
                Err(outcome) => outcome,
            }
        })
    }

    fn stub(&self, config: &Value) -> ValueMap {
        let Ok(config) = config::read::<BaselineConfig>(config) else { return ValueMap::new() };
        let empty = json!({"path": "", "sha256": "", "bytes": 0, "kept": ""});
        let names = names(&config.files).into_iter();
        Frozen {
            files: names.map(|(name, _)| (name, empty.clone())).collect(),
            values: config.values,
            commands: config.commands.keys().map(|name| (name.clone(), json!({"stdout": ""}))).collect(),
            facts: Map::new(),
        }
        .outputs()
    }
}

async fn run(cx: &StepCtx) -> Result<Frozen, Outcome> {
    let config: BaselineConfig = config::read(&cx.config).map_err(Outcome::failed)?;
    check(&config).map_err(Outcome::failed)?;
    cx.started_durably(&[]).await;
    if let Some(run) = &config.from {
        return from_run::take_over(cx, run, config.step.as_deref());
    }
    let mut frozen = Frozen { values: config.values.clone(), ..Frozen::default() };
    for (index, (name, path)) in names(&config.files).into_iter().enumerate() {
        let entry = keep(cx, index, &path).map_err(Outcome::failed)?;
        frozen.files.insert(name, entry);
        tokio::task::yield_now().await;
    }
    for (name, command) in &config.commands {
        frozen.commands.insert(name.clone(), freeze_command(cx, name, command).await?);
    }
    frozen.facts = facts(&cx.facts(), &config.facts).map_err(Outcome::failed)?;
    Ok(frozen)
}

fn check(config: &BaselineConfig) -> Result<(), String> {
    let holds = !(config.files.is_empty() && config.values.is_empty() && config.commands.is_empty())
        || config.facts != Facts::None;
    match (&config.from, &config.step) {
        (None, Some(_)) => Err("`step` belongs to `from`".to_owned()),
        (None, None) if !holds => {
            Err("nothing is frozen; give `files`, `values`, `commands`, `facts` or `from`".to_owned())
        }
        (Some(_), _) if holds => Err("`from` takes over a whole baseline and stands alone".to_owned()),
        _ => Ok(()),
    }
}

/// Files by name: the file name where it is the only one of that name, else the whole path.
fn names(files: &[FilePath]) -> Vec<(String, PathBuf)> {
    let file_name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let named = |file: &FilePath| {
        let own = file_name(&file.0);
        let alone = files.iter().filter(|other| other.0 != file.0).all(|other| file_name(&other.0) != own);
        let name = own.filter(|_| alone).unwrap_or_else(|| file.0.to_string_lossy().into_owned());
        (name, file.0.clone())
    };
    files.iter().map(named).collect()
}

/// Digest and copy of one file; both must agree, or it was changed meanwhile.
fn keep(cx: &StepCtx, index: usize, path: &Path) -> Result<Value, String> {
    let digest = sha256_file(path).map_err(|error| format!("cannot freeze: {error}"))?;
    let kept = Artifacts::of(cx.run_dir())
        .keep(path, &kept_name(&cx.path, index, path))
        .map_err(|error| format!("cannot keep a copy of `{}`: {error}", path.display()))?;
    if kept.sha256 != digest.sha256 {
        return Err(format!("`{}` was changed while it was being frozen", path.display()));
    }
    Ok(json!({"path": digest.path, "sha256": digest.sha256, "bytes": digest.bytes, "kept": kept.path}))
}

/// Name of a copy under `artifacts/`. Different steps may share a slug, so the path's digest goes with it.
pub(crate) fn kept_name(step: &str, index: usize, path: &Path) -> String {
    let digest = blake3_hex(step.as_bytes());
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    format!("baselines/{}-{}/{index}-{}", slug(step), &digest[..8], slug(&name))
}

async fn freeze_command(cx: &StepCtx, name: &str, command: &FrozenCommand) -> Result<Value, Outcome> {
    let offset = Source::Stdout.offset(cx);
    run_to_zero(cx, &CommandLine::new(command.argv.0.clone()), &format!("command `{name}`")).await?;
    let bytes = read_source(cx, &Source::Stdout, offset).map_err(Outcome::failed)?;
    let shown = &bytes[..bytes.len().min(KEPT)];
    Ok(json!({
        "argv": command.argv.0, "sha256": sha256_hex(&bytes), "bytes": bytes.len(),
        "stdout": String::from_utf8_lossy(shown), "truncated": bytes.len() > KEPT,
    }))
}

fn facts(all: &Value, wanted: &Facts) -> Result<Map<String, Value>, String> {
    let known = all.as_object().cloned().unwrap_or_default();
    match wanted {
        Facts::None => Ok(Map::new()),
        Facts::All => Ok(known),
        Facts::Named(names) => names
            .iter()
            .map(|name| match known.get(name) {
                Some(value) => Ok((name.clone(), value.clone())),
                None => {
                    let list: Vec<&str> = known.keys().map(String::as_str).collect();
                    Err(format!("there is no fact `{name}`; there are {}", list.join(", ")))
                }
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::{BaselineConfig, Facts, FilePath, Frozen, check, facts, kept_name, names};
    use crate::config::read;
    use serde_json::{Value, json};
    use std::path::Path;

    #[test]
    fn the_digest_is_over_names_and_contents() {
        let entry = |path: &str, sha: &str| json!({"path": path, "sha256": sha, "bytes": 1, "kept": "k"});
        let one = |value: Value| Frozen {
            files: [("a".to_owned(), value)].into_iter().collect(),
            ..Frozen::default()
        };
        assert_eq!(one(entry("/x/a", "1")).digest(), one(entry("/y/a", "1")).digest());
        assert_ne!(one(entry("/x/a", "1")).digest(), one(entry("/x/a", "2")).digest());
        let outputs = one(entry("/x/a", "1")).outputs();
        assert_eq!(outputs["files"]["a"]["path"], "/x/a");
    }

    #[test]
    fn files_of_one_name_keep_their_paths() {
        let files = ["/x/a", "/y/a", "/y/b"].map(|path| FilePath(path.into()));
        let named: Vec<String> = names(&files).into_iter().map(|(name, _)| name).collect();
        assert_eq!(named, ["/x/a", "/y/a", "b"]);
        assert_ne!(kept_name("a/b", 0, Path::new("/x")), kept_name("a b", 0, Path::new("/x")));
    }

    #[test]
    fn contradictions_are_refused() {
        for (bad, word) in [
            (json!({}), "nothing is frozen"),
            (json!({"step": "x", "values": {"a": 1}}), "belongs to `from`"),
            (json!({"from": "latest", "facts": true}), "stands alone"),
        ] {
            let error = check(&read::<BaselineConfig>(&bad).unwrap()).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
        assert!(read::<BaselineConfig>(&json!({"facts": 3})).unwrap_err().contains("list of names"));
    }

    #[test]
    fn facts_are_named_or_refused() {
        let all = json!({"cpu": "x", "kernel": "y"});
        assert_eq!(facts(&all, &Facts::Named(vec!["cpu".to_owned()])).unwrap().len(), 1);
        assert_eq!(facts(&all, &Facts::All).unwrap().len(), 2);
        assert!(facts(&all, &Facts::Named(vec!["gpu".to_owned()])).unwrap_err().contains("cpu, kernel"));
    }
}
