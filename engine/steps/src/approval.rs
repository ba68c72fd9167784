//! `approval`: asks a person and waits for the answer.

use crate::config::{self, canonical, schema_of};
use crate::fields::FilePath;
use assay_manifest::{Effects, Kind, OutputDoc};
use assay_protocol::{Asked, Value, ValueMap};
use assay_run::{LocalFuture, Outcome, Step, StepCtx};
use assay_store::{blake3_hex, sha256_file};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

/// Asks a question.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The question, one sentence that can be answered with one of the choices.
    question: String,
    /// What may be answered, in the order shown. Default: `[yes, no]`.
    #[serde(default = "default_choices")]
    choices: Vec<String>,
    /// Choices that let the step pass; every other fails it. Default: `[yes]`.
    #[serde(default = "default_passes")]
    passes: Vec<String>,
    /// A value or text shown with the question.
    #[serde(default)]
    show: Value,
    /// Files and folders whose digests are shown with the question, so that the answer is about exactly these.
    #[serde(default)]
    show_files: Vec<FilePath>,
}

fn default_choices() -> Vec<String> {
    ["yes", "no"].map(str::to_owned).into()
}

fn default_passes() -> Vec<String> {
    vec!["yes".to_owned()]
}

/// The step type.
#[derive(Debug)]
pub(crate) struct Approval;

impl Step for Approval {
    fn kind(&self) -> Kind {
        Kind {
            name: "approval",
            summary: "Ask a person and wait for the answer",
            doc: "Shows a question with its choices and waits until somebody answers with `assay answer`. The record \
                  holds who answered (user id, terminal or not, parent command) and a digest of what was shown; an \
                  answer that comes from below the run's own supervisor is refused. Resuming a run never answers: \
                  an open question stays open, and an answer counts only for the attempt that asked. A step that \
                  runs again asks again.",
            example: "uses: approval\nwith:\n  question: Publish these numbers?\n  show: \"{{ steps.race.ratio }}\"\n",
            schema: std::sync::LazyLock::new(schema_of::<Config>),
            outputs: &[
                OutputDoc { name: "choice", doc: "The answer", volatile: false },
                OutputDoc {
                    name: "comment",
                    doc: "A remark that came with it; may be empty",
                    volatile: false,
                },
                OutputDoc { name: "by", doc: "Who answered: `{uid, pid, terminal, parent}`", volatile: true },
            ],
            effects: Effects::Question,
            runs_processes: false,
        }
    }

    fn run<'a>(&'a self, cx: &'a StepCtx) -> LocalFuture<'a, Outcome> {
        Box::pin(async move { run(cx).await.unwrap_or_else(Outcome::failed) })
    }

    fn stub(&self, config: &Value) -> ValueMap {
        let choice = config::read::<Config>(config).ok().and_then(|config| config.passes.into_iter().next());
        let mut outputs = ValueMap::new();
        outputs.insert("choice".to_owned(), choice.into());
        outputs.insert("comment".to_owned(), Value::from(""));
        outputs.insert("by".to_owned(), json!({"uid": 0, "pid": 0, "terminal": true, "parent": "sh"}));
        outputs
    }
}

async fn run(cx: &StepCtx) -> Result<Outcome, String> {
    let config: Config = config::read(&cx.config)?;
    check(&config)?;
    let question = question(&cx.path, cx.attempt, &config)?;
    cx.started(&[]);
    let answer = cx.ask(question).await;
    let passes = config.passes.contains(&answer.choice);
    let mut outputs = ValueMap::new();
    outputs.insert("choice".to_owned(), Value::from(answer.choice.as_str()));
    outputs.insert("comment".to_owned(), Value::from(answer.comment));
    outputs.insert("by".to_owned(), serde_json::to_value(&answer.by).unwrap_or_default());
    Ok(if passes {
        Outcome::passed(outputs)
    } else {
        Outcome { outputs, ..Outcome::failed(format!("answered `{}`", answer.choice)) }
    })
}

fn check(config: &Config) -> Result<(), String> {
    if config.choices.is_empty() {
        return Err("`choices` is empty, so nobody could answer".to_owned());
    }
    for (index, choice) in config.choices.iter().enumerate() {
        if choice.trim().is_empty() || config.choices[..index].contains(choice) {
            return Err(format!(
                "`choices` holds `{choice}` twice or empty; each choice needs a word of its own"
            ));
        }
    }
    match config.passes.iter().find(|choice| !config.choices.contains(choice)) {
        Some(stray) => Err(format!("`passes` holds `{stray}`, which is not among `choices`")),
        None => Ok(()),
    }
}

/// The question with the digest of everything shown: an answer counts only for exactly this.
fn question(path: &str, attempt: u32, config: &Config) -> Result<Asked, String> {
    let mut files = Vec::new();
    for file in &config.show_files {
        let digest = sha256_file(&file.0).map_err(|error| format!("cannot show a file: {error}"))?;
        files.push(json!({"path": digest.path, "sha256": digest.sha256, "bytes": digest.bytes}));
    }
    let shown = match (&config.show, files.is_empty()) {
        (show, true) => show.clone(),
        (Value::Null, false) => json!({"files": files}),
        (show, false) => json!({"show": show, "files": files}),
    };
    let all = json!({
        "question": config.question, "choices": config.choices, "passes": config.passes, "shown": shown,
    });
    Ok(Asked {
        step: path.to_owned(),
        attempt,
        question: config.question.clone(),
        choices: config.choices.clone(),
        passes: config.passes.clone(),
        shown,
        digest: blake3_hex(canonical(&all).as_bytes()),
    })
}

#[cfg(test)]
mod tests {
    use super::{Config, check, question};
    use crate::config::read;
    use serde_json::json;

    #[test]
    fn the_digest_follows_what_is_shown() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a");
        std::fs::write(&file, "one").unwrap();
        let config: Config =
            read(&json!({"question": "Go?", "show": {"r": 1.2}, "show_files": [file]})).unwrap();
        let first = question("ok", 1, &config).unwrap();
        assert_eq!(first.digest, question("ok", 2, &config).unwrap().digest);
        assert_eq!(first.choices, ["yes", "no"]);
        std::fs::write(&file, "two").unwrap();
        assert_ne!(first.digest, question("ok", 1, &config).unwrap().digest);
        std::fs::remove_file(&file).unwrap();
        assert!(question("ok", 1, &config).is_err());
    }

    #[test]
    fn choices_must_make_sense() {
        for (bad, word) in [
            (json!({"question": "?", "choices": []}), "empty"),
            (json!({"question": "?", "choices": ["a", "a"], "passes": ["a"]}), "twice"),
            (json!({"question": "?", "choices": ["go", "stop"]}), "not among"),
        ] {
            let error = check(&read(&bad).unwrap()).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }
}
