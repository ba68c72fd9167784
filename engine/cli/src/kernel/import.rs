//! `assay kernel import`: a definition of flashinfer-bench as a task.

use crate::context::Cx;
use crate::fail::Failure;
use crate::kernel::files;
use crate::reply::Reply;
use assay_kernel::import::{Choices, ImportError, import};
use assay_kernel::oracle;
use assay_kernel::task::{Baseline, Generator, Oracle};
use assay_protocol::{ExitCode, Value};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;

/// Options of `kernel import`.
#[derive(Debug, Args)]
pub struct Options {
    /// The definition, JSON
    pub definition: String,
    /// Its workloads, JSON Lines
    pub workloads: Option<String>,
    /// Name of the entry
    #[arg(long, default_value = "kv_entry")]
    pub symbol: String,
    /// Function that knows the right answers [default: the one named as the definition's type]
    #[arg(long, value_name = "NAME")]
    pub oracle: Option<String>,
    /// Program that knows them, in place of `--oracle`; repeat it for each word
    #[arg(long, value_name = "WORD", conflicts_with = "oracle")]
    pub oracle_command: Vec<String>,
    /// The baseline's source, from the task's folder
    #[arg(long, value_name = "FILE", default_value = "baseline/kernel.c")]
    pub baseline: PathBuf,
    /// Where the baseline comes from
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub baseline_source: String,
    /// Commit there
    #[arg(long, value_name = "COMMIT", default_value = "")]
    pub baseline_commit: String,
    /// How an input is made, as JSON: `--generator 'index={"dist": "integers", "high": "N"}'`; repeatable
    #[arg(long, value_name = "INPUT=JSON")]
    pub generator: Vec<String>,
}

/// Runs it.
pub fn run(cx: &Cx, options: &Options) -> Result<Reply, Failure> {
    let definition = files::text(cx, &options.definition)?;
    let workloads = options.workloads.as_deref().map(|file| files::text(cx, file)).transpose()?;
    let choices = Choices {
        symbol: options.symbol.clone(),
        oracle: answers(options, &definition)?,
        baseline: Baseline {
            path: options.baseline.clone(),
            file: None,
            source: options.baseline_source.clone(),
            commit: options.baseline_commit.clone(),
        },
        generators: options.generator.iter().map(|text| generator(text)).collect::<Result<_, _>>()?,
    };
    let imported =
        import(&definition, workloads.as_deref().unwrap_or_default(), &choices).map_err(|error| {
            let failure = Failure::new(ExitCode::InvalidManifest, "kernel-import", error.to_string());
            match (&error, workloads.is_none()) {
                (ImportError::Beyond { .. }, true) => {
                    failure.help("give the file of its workloads behind it")
                }
                _ => failure,
            }
        })?;
    let text = serde_yaml::to_string(&imported.task)
        .map_err(|error| Failure::internal(format!("the task is no YAML: {error}")))?;
    let data = json!({"task": imported.task, "notes": imported.notes});
    let remarks = imported.notes.iter().map(|note| format!("note: {note}\n")).collect();
    let reply = Reply { remarks, ..Reply::ok(data, text) };
    Ok(reply.next("assay kernel check task.yaml", "checks it, once it is in a file beside its baseline"))
}

/// Where right answers come from. The definition's own reference is Python and is not run.
fn answers(options: &Options, definition: &str) -> Result<Oracle, Failure> {
    if !options.oracle_command.is_empty() {
        return Ok(Oracle { command: options.oracle_command.clone(), ..Oracle::default() });
    }
    let told = serde_json::from_str::<Value>(definition).unwrap_or_default();
    let of_type = ["op_type", "type"].iter().find_map(|key| told.get(key)).and_then(Value::as_str);
    let name = options.oracle.as_deref().or(of_type).unwrap_or_default();
    if oracle::names().any(|known| known == name) {
        return Ok(Oracle { builtin: Some(name.to_owned()), ..Oracle::default() });
    }
    let known: Vec<String> = oracle::names().map(|name| format!("`{name}`")).collect();
    Err(Failure::usage(format!("no function `{name}` knows the right answers"))
        .help(format!("give `--oracle` one of {}", known.join(", ")))
        .help("or `--oracle-command` a program: it gets safetensors files of the inputs and for the outputs"))
}

fn generator(text: &str) -> Result<(String, Generator), Failure> {
    let wrong = |why: String| {
        Failure::usage(format!("`--generator {text}` is no generator: {why}"))
            .help("write `--generator 'index={\"dist\": \"integers\", \"low\": \"0\", \"high\": \"N\"}'`")
    };
    let (name, generator) = text.split_once('=').ok_or_else(|| wrong("it has no `=`".to_owned()))?;
    let generator = serde_json::from_str(generator).map_err(|error| wrong(error.to_string()))?;
    Ok((name.to_owned(), generator))
}
