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

/// One diagnostic in a machine answer. Columns count characters; an end is exclusive.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Stable kebab-case code; `assay explain <code>` says more.
    pub code: String,
    /// `error`, `warning` or `note`.
    pub severity: String,
    /// `high`, `medium` or `low`; absent in answers of other verbs than `lint`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<String>,
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
    /// Line of the end, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_line: Option<u32>,
    /// Column of the end, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_column: Option<u32>,
    /// What is said at the place.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// Other places that belong to it: the cause, the first occurrence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<Related>,
    /// The way out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub help: Vec<String>,
    /// A change that settles it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<FindingFix>,
}

/// A secondary place of a finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Related {
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// What is said there.
    pub label: String,
}

/// A piece of a file. Lines and columns from 1, columns in characters, the end exclusive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// File as shown to the user.
    pub file: String,
    /// Line of the start.
    pub line: u32,
    /// Column of the start.
    pub column: u32,
    /// Line of the end.
    pub end_line: u32,
    /// Column of the end.
    pub end_column: u32,
}

/// A change that settles a finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FindingFix {
    /// What it does.
    pub title: String,
    /// Whether it may be applied unseen.
    pub safe: bool,
    /// The replacements; they do not overlap.
    pub edits: Vec<FindingEdit>,
}

/// A replacement of one piece of a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FindingEdit {
    /// What is replaced; an empty place inserts.
    #[serde(flatten)]
    pub place: Place,
    /// What stands there afterwards.
    pub replacement: String,
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
