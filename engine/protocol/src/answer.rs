//! What every verb prints with `--json`: exactly one object.

use crate::{ExitCode, FORMAT_VERSION, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A literal command that makes sense next, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NextCommand {
    /// The command line, ready to be run.
    pub command: String,
    /// What it would do.
    pub why: String,
}

/// One diagnostic in a machine answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Stable kebab-case code.
    pub code: String,
    /// `error`, `warning` or `note`.
    pub severity: String,
    /// One sentence.
    pub message: String,
    /// File as shown to the user, if the finding has a place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Column in characters, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// The way out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub help: Vec<String>,
}

/// The one object a verb prints on stdout with `--json`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Answer {
    /// Format version.
    pub v: u32,
    /// Whether `exit` is 0.
    pub ok: bool,
    /// The exit code of the process.
    pub exit: u8,
    /// The name of the exit code.
    pub exit_name: String,
    /// The verb that answered.
    pub verb: String,
    /// The verb's own data.
    pub data: Value,
    /// Diagnostics, if any.
    pub diagnostics: Vec<Finding>,
    /// Literal follow-up commands.
    pub next: Vec<NextCommand>,
}

impl Answer {
    /// An answer without diagnostics and follow-ups.
    pub fn new(verb: &str, exit: ExitCode, data: Value) -> Self {
        Self {
            v: FORMAT_VERSION,
            ok: exit == ExitCode::Ok,
            exit: exit.code(),
            exit_name: exit.name().to_owned(),
            verb: verb.to_owned(),
            data,
            diagnostics: Vec::new(),
            next: Vec::new(),
        }
    }
}
