//! The command line of a real framework, read as far as a stand-in needs it.

use serde_json::{Map, Value};

/// What a framework's command line says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Launch {
    /// `--host`.
    pub host: Option<String>,
    /// `--port`.
    pub port: Option<u16>,
    /// The model: `--model-path`, `--model`, or the first word that is no flag.
    pub model: Option<String>,
    /// The name that it is served under.
    pub served_model_name: Option<String>,
    /// Every flag, without its dashes and with `_` for `-`; numbers and truth values as such, a flag alone as `true`.
    pub flags: Map<String, Value>,
}

/// Words that name a program or a verb of one, before its arguments.
const PROGRAMS: [&str; 8] =
    ["vllm", "sglang", "trtllm-serve", "transformers", "tokenspeed", "llama-server", "serve", "env"];

impl Launch {
    /// Reads a command line, with the program in front or without it. It never fails: what is not understood is no flag.
    pub fn read(argv: &[String]) -> Self {
        let mut launch = Self::default();
        let mut words = arguments(argv).iter().map(String::as_str).peekable();
        while let Some(word) = words.next() {
            let Some(flag) = word.strip_prefix('-').filter(|flag| !flag.is_empty()) else {
                launch.model.get_or_insert_with(|| word.to_owned());
                continue;
            };
            let flag = flag.strip_prefix('-').unwrap_or(flag);
            let (name, value) = match flag.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (flag, words.next_if(|next| !is_flag(next))),
            };
            launch.add(&name.replace('-', "_"), value);
        }
        launch
    }

    fn add(&mut self, name: &str, value: Option<&str>) {
        let text = value.map(str::to_owned);
        match name {
            "host" => self.host = text,
            "port" => self.port = value.and_then(|value| value.parse().ok()),
            "model_path" | "model" => self.model = text,
            "served_model_name" | "model_alias" => self.served_model_name = text,
            _ => {}
        }
        self.flags.insert(name.to_owned(), typed(value));
    }
}

/// What stands behind the program: `python -m module`, `vllm serve`, `env A=1 trtllm-serve`.
fn arguments(argv: &[String]) -> &[String] {
    let mut rest = argv;
    while let [first, behind @ ..] = rest {
        let name = first.rsplit('/').next().unwrap_or(first);
        let assigns =
            first.split_once('=').is_some_and(|(name, _)| !name.is_empty() && !name.contains(['-', '/']));
        let python = name.starts_with("python");
        match behind {
            [flag, _module, behind @ ..] if python && flag == "-m" => rest = behind,
            [script, behind @ ..] if python && script.ends_with(".py") => rest = behind,
            _ if python || PROGRAMS.contains(&name) || assigns => rest = behind,
            _ => break,
        }
    }
    rest
}

fn is_flag(word: &str) -> bool {
    word.len() > 1 && word.starts_with('-') && word.parse::<f64>().is_err()
}

fn typed(value: Option<&str>) -> Value {
    match value {
        None => Value::Bool(true),
        Some(text) => match serde_json::from_str(text) {
            Ok(value @ (Value::Number(_) | Value::Bool(_))) => value,
            _ => Value::from(text),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::Launch;

    fn read(line: &str) -> Launch {
        Launch::read(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn command_lines_of_frameworks() {
        let cases = [
            "python3 -m sglang.launch_server --model-path M --port 9 --host h --served-model-name N",
            "env A=1 vllm serve M --port=9 --host=h --served-model-name=N",
            "/venv/bin/trtllm-serve serve M --host h --port 9 --served-model-name N",
            "python -m llama_cpp.server --model M --model_alias N --port 9 --host h",
            "--model M --port 9 --host h --served-model-name N",
        ];
        for line in cases {
            let launch = read(line);
            let name = launch.served_model_name.as_deref();
            assert_eq!(
                (launch.model.as_deref(), launch.port, launch.host.as_deref(), name),
                (Some("M"), Some(9), Some("h"), Some("N")),
                "{line}"
            );
        }
    }

    #[test]
    fn every_flag_is_kept_with_its_type() {
        let flags =
            read("vllm serve M --tp-size 2 --enforce-eager --dtype float32 --scale -0.5 --on true").flags;
        let expected = serde_json::json!({
            "tp_size": 2, "enforce_eager": true, "dtype": "float32", "scale": -0.5, "on": true
        });
        assert_eq!(serde_json::Value::Object(flags), expected);
    }
}
