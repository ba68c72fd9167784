//! What served the model: from `server_args.json` beside the trace or one level up. What it does not say stays
//! unknown, for a guess here would apply another engine's rules.

use crate::name::Framework;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// What is known about the program that was profiled.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Context {
    /// The engine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub framework: Option<Framework>,
    /// Path or name of the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Ranks of the tensor-parallel group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tp: Option<u32>,
    /// Ranks that share the experts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ep: Option<u32>,
    /// The file that says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<PathBuf>,
    /// Why that file could not be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

const NAME: &str = "server_args.json";
/// Longest file that is read; real ones have a few kilobytes.
const LONGEST: u64 = 4 << 20;

/// Texts that name an engine, the rarer first: each of the later ones is also written by programs built on it.
const TEXTS: [(Framework, &[&str]); 4] = [
    (Framework::Tokenspeed, &["tokenspeed", "token-speed"]),
    (Framework::TensorrtLlm, &["tensorrt_llm", "tensorrt-llm", "trtllm", "pyexecutor"]),
    (Framework::Vllm, &["vllm"]),
    (Framework::Sglang, &["sglang", "sgl_kernel"]),
];

/// The context of a trace.
pub fn beside(trace: &Path) -> Context {
    let folders = trace.ancestors().skip(1).take(2);
    let Some(source) = folders.map(|folder| folder.join(NAME)).find(|path| path.is_file()) else {
        return Context::default();
    };
    match arguments(&source) {
        Ok(arguments) => Context { source: Some(source), ..of(&arguments) },
        Err(problem) => Context { source: Some(source), problem: Some(problem), ..Context::default() },
    }
}

fn arguments(path: &Path) -> Result<Map<String, Value>, String> {
    let mut text = Vec::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    file.take(LONGEST).read_to_end(&mut text).map_err(|error| error.to_string())?;
    match serde_json::from_slice(&text) {
        Ok(Value::Object(arguments)) => Ok(arguments),
        Ok(_) => Err("it is no JSON object".into()),
        Err(error) => Err(error.to_string()),
    }
}

fn of(arguments: &Map<String, Value>) -> Context {
    let text = |keys: [&str; 2]| {
        let found = keys.iter().find_map(|key| arguments.get(*key)?.as_str().filter(|text| !text.is_empty()));
        found.map(str::to_owned)
    };
    let number = |keys: [&str; 3]| {
        let found = keys.iter().find_map(|key| arguments.get(*key)?.as_u64());
        found.and_then(|number| u32::try_from(number).ok())
    };
    Context {
        framework: framework(arguments),
        model: text(["model_path", "model"]),
        tp: number(["tp_size", "tensor_parallel_size", "tp"]),
        ep: number(["ep_size", "expert_parallel_size", "moe_expert_parallel_size"]),
        ..Context::default()
    }
}

fn framework(arguments: &Map<String, Value>) -> Option<Framework> {
    let explicit = arguments.get("framework").and_then(Value::as_str).map(str::to_lowercase);
    let named = explicit.as_deref().and_then(of_text);
    let by_keys = || Framework::from_server_arguments(arguments.keys().map(String::as_str));
    // Names of models and of whole files hold any word, so the keys come first.
    named.or_else(by_keys).or_else(|| of_text(&Value::Object(arguments.clone()).to_string().to_lowercase()))
}

fn of_text(text: &str) -> Option<Framework> {
    let named = |words: &[&str]| words.iter().any(|word| text.contains(word));
    TEXTS.into_iter().find(|(_, words)| named(words)).map(|(framework, _)| framework)
}
