//! Programs that rules know.

use crate::commands::{Command, Word};

/// Programs whose command runs in another place: a container or another host.
const ELSEWHERE: &[&str] =
    &["docker", "podman", "nerdctl", "kubectl", "ssh", "srun", "apptainer", "singularity", "lxc", "enroot"];

/// Whether what a command does happens in a container or on another host.
pub(crate) fn is_elsewhere(command: &Command<'_>) -> bool {
    ELSEWHERE.contains(&command.worker())
}

/// `python`, `python3`, `python3.12`.
pub(crate) fn is_python(name: &str) -> bool {
    name.strip_prefix("python").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
}

/// Whether a command only asks a program what it can do.
pub(crate) fn only_asks(words: &[Word]) -> bool {
    words.iter().any(|word| {
        matches!(word.text.as_str(), "--help" | "-h" | "--version" | "-V" | "help")
            || word.text.starts_with("--help=")
    })
}

/// A program that serves until it is stopped.
#[derive(Debug, Clone)]
pub(crate) struct Server<'w> {
    /// Its name as users know it.
    pub name: String,
    /// It loads a model: a port that listens does not mean that it can answer.
    pub inference: bool,
    /// The word that tells.
    pub word: &'w Word,
}

/// `python -m <module>`; `true`: for inference.
const MODULES: &[(&str, bool)] = &[
    ("sglang.launch_server", true),
    ("vllm.entrypoints.openai.api_server", true),
    ("vllm.entrypoints.api_server", true),
    ("llama_cpp.server", true),
    ("http.server", false),
    ("uvicorn", false),
    ("gunicorn", false),
    ("tensorboard.main", false),
];

/// A program that does nothing else; `true`: for inference.
const PROGRAMS: &[(&str, bool)] = &[
    ("trtllm-serve", true),
    ("llama-server", true),
    ("text-generation-launcher", true),
    ("tritonserver", true),
    ("uvicorn", false),
    ("gunicorn", false),
    ("hypercorn", false),
    ("redis-server", false),
    ("tensorboard", false),
];

/// Programs that serve with `serve`, all for inference.
const WITH_SERVE: &[&str] =
    &["sglang", "vllm", "tokenspeed", "ts", "lmdeploy", "ollama", "mlc_llm", "transformers"];

/// The server that a command starts, also inside a container.
pub(crate) fn server<'c>(command: &'c Command<'_>) -> Option<Server<'c>> {
    let words = command.effective();
    if only_asks(words) {
        return None;
    }
    let inner = match words.first()?.base() {
        "docker" | "podman"
            if words.get(1).is_some_and(|word| matches!(word.text.as_str(), "run" | "exec")) =>
        {
            return (2..words.len()).find_map(|at| server_at(&words[at..]));
        }
        _ => words,
    };
    server_at(inner)
}

fn server_at(words: &[Word]) -> Option<Server<'_>> {
    let first = words.first()?;
    let name = first.base();
    let found = |name: String, inference: bool, word| Some(Server { name, inference, word });
    if is_python(name) {
        // Options of Python itself come before `-m`.
        let at = words
            .iter()
            .skip(1)
            .take_while(|word| word.text.starts_with('-'))
            .position(|word| word.text == "-m")?;
        let module = words.get(at + 2)?;
        let (name, inference) = MODULES.iter().find(|(name, _)| *name == module.text)?;
        return found(format!("python -m {name}"), *inference, module);
    }
    if let Some((name, inference)) = PROGRAMS.iter().find(|(known, _)| *known == name) {
        return found((*name).to_owned(), *inference, first);
    }
    let serves = words.get(1).is_some_and(|word| word.text == "serve") && WITH_SERVE.contains(&name);
    if serves { found(format!("{name} serve"), true, first) } else { None }
}
