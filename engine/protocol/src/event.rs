//! What happens in a run, as it is written to the journal and told to every subscriber.

use crate::{Outcome, ProcessIdentity, Status, Value, ValueMap};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

fn is_false(value: &bool) -> bool {
    !*value
}

macro_rules! events {
    ($($(#[$doc:meta])* $variant:ident($name:literal);)*) => {
        /// One event of a run. Its name stands in the record's `type`, its fields in `data`.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(tag = "type", content = "data", rename_all = "snake_case")]
        pub enum Event { $($(#[$doc])* $variant($variant),)* }

        impl Event {
            /// The record's `type`.
            pub fn type_name(&self) -> &'static str { match self { $(Self::$variant(_) => $name),* } }

            /// Reads an event from a record's `type` and `data`; `Ok(None)` for a type that this version does not know.
            pub fn from_parts(type_name: &str, data: &str) -> Result<Option<Self>, serde_json::Error> {
                Ok(Some(match type_name {
                    $($name => Self::$variant(serde_json::from_str(data)?),)*
                    _ => return Ok(None),
                }))
            }

            /// Appends the record's `data` as JSON to `out`.
            pub fn write_data(&self, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
                match self { $(Self::$variant(data) => serde_json::to_writer(out, data)),* }
            }
        }
    };
}

events! {
    /// A run came into being.
    RunStarted("run_started");
    /// An engine took the run over: at its start, and again at each resume.
    EngineStarted("engine_started");
    /// Facts about the host.
    Facts("facts");
    /// A preflight check ended.
    CheckFinished("check_finished");
    /// A `foreach` list became known.
    Expanded("expanded");
    /// An attempt of a step began.
    StepStarted("step_started");
    /// The process of an attempt whose start was recorded before it was there.
    StepProcess("step_process");
    /// A server is ready, or another long step has outputs while it runs on.
    StepReady("step_ready");
    /// A step, an instance or a call ended, or one attempt of it did (`final` false).
    StepFinished("step_finished");
    /// A gate was decided.
    GateDecided("gate_decided");
    /// A step waits for an answer.
    Asked("asked");
    /// Somebody answered, or tried to.
    Answered("answered");
    /// A file was placed in the run directory, or could not be.
    Delivered("delivered");
    /// Earlier results are void from here on, with the reason: the step runs again.
    Invalidated("invalidated");
    /// Something a reader of the report should know.
    Note("note");
    /// The engine stopped before the end and said so.
    Interrupted("interrupted");
    /// The run ended.
    RunFinished("run_finished");
}

/// Data of [`Event::RunStarted`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunStarted {
    /// Run id: the part after the last dash of the folder's name.
    pub run: String,
    /// Name of the manifest.
    pub name: String,
    /// `Skill` or `Workflow`.
    pub kind: String,
    /// Version of the manifest.
    pub version: String,
    /// The manifest's absolute path, or `builtin:<name>`.
    pub manifest: String,
    /// Digest over the texts of the manifest and everything it calls.
    pub digest: String,
    /// Inputs as resolved, with defaults.
    pub inputs: ValueMap,
    /// Version of the engine.
    pub engine: String,
    /// The directory `-i` paths were relative to.
    pub caller_dir: String,
    /// Calendar date of the run (`YYYY-MM-DD`), fixed at its start: `run.date`.
    pub date: String,
    /// Servers were simulated and no GPU was leased: nothing here is a measurement.
    #[serde(default, skip_serializing_if = "is_false")]
    pub rehearsal: bool,
}

/// Data of [`Event::EngineStarted`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EngineStarted {
    /// The engine process.
    pub engine: ProcessIdentity,
    /// The supervisor above it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supervisor: Option<ProcessIdentity>,
    /// The front above the supervisor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub front: Option<ProcessIdentity>,
    /// Whether this continues an earlier engine's work.
    #[serde(default, skip_serializing_if = "is_false")]
    pub resume: bool,
    /// Leftover processes of an earlier engine that were ended first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ended_leftovers: Vec<u32>,
    /// Bytes of a torn last record that were dropped.
    #[serde(default)]
    pub dropped_bytes: u64,
    /// Digest over the manifest texts as this engine read them.
    pub digest: String,
}

/// Data of [`Event::Facts`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Facts {
    /// `facts` as expressions see it.
    pub facts: ValueMap,
}

/// Data of [`Event::CheckFinished`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CheckFinished {
    /// Path: the call's path and the check's id.
    pub check: String,
    /// Check type.
    pub uses: String,
    /// How it ended.
    pub status: Status,
    /// `stop`, `exclude` or `warn`.
    pub on_fail: String,
    /// What was found, in one sentence.
    pub reason: String,
    /// Measured values.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub evidence: Value,
}

/// One instance of a `foreach`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Instance {
    /// Its key.
    pub key: String,
    /// The values of the looped names.
    pub each: ValueMap,
}

/// Data of [`Event::Expanded`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Expanded {
    /// Path of the step.
    pub step: String,
    /// Instances in order.
    pub instances: Vec<Instance>,
}

/// Data of [`Event::StepStarted`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepStarted {
    /// Path: `call[key]/step[key]`.
    pub step: String,
    /// Step type.
    pub uses: String,
    /// Attempt, from 1, over all engines.
    pub attempt: u32,
    /// Fingerprint of type, configuration and what it reads.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub fingerprint: String,
    /// The process, where the step is one process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessIdentity>,
    /// The command as it ran.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Where its output stands while it runs, relative to the run directory: stdout, then stderr.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub live: Vec<String>,
    /// Physical GPU ids it holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gpus: Vec<u32>,
}

/// Data of [`Event::StepProcess`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepProcess {
    /// Path of the step.
    pub step: String,
    /// Attempt.
    pub attempt: u32,
    /// The process.
    pub process: ProcessIdentity,
    /// The keeper above it, which lets it outlive the engine (`detach: true`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keeper: Option<ProcessIdentity>,
}

/// Data of [`Event::StepReady`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepReady {
    /// Path of the step.
    pub step: String,
    /// Attempt.
    pub attempt: u32,
    /// Outputs that others may read now.
    pub outputs: ValueMap,
    /// Seconds from start to ready.
    pub ready_s: f64,
    /// Why it is ready without having been started: a later engine took it up again (`detach: true`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopted: Option<String>,
}

/// Data of [`Event::StepFinished`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepFinished {
    /// Path of the step.
    pub step: String,
    /// Attempt; 0 if none began (`skipped`, `blocked`) and for the sum of a `foreach` or a call.
    pub attempt: u32,
    /// How it ended.
    pub status: Status,
    /// Whether this decides the step: `false` before a retry.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// Why, in one sentence; empty when there is nothing to say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Exit code, if it exited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<i32>,
    /// Signal name, if one ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// Seconds from start to end.
    pub duration_s: f64,
    /// Outputs under the step's id, `result` and `files` among them; stands in `result.json` when it is 4 KiB or more.
    #[serde(default, skip_serializing_if = "ValueMap::is_empty")]
    pub outputs: ValueMap,
    /// File of the outputs when they are too large for the journal, relative to the run directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs_file: Option<FileDigest>,
    /// Standard output, relative to the run directory, if there was any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout: Option<String>,
    /// Standard error, relative to the run directory, if there was any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr: Option<String>,
    /// Digests of files it read, checked again on resume.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<FileDigest>,
    /// Whether dependents may start although it did not pass (`on_fail: warn`).
    #[serde(default, skip_serializing_if = "is_false")]
    pub warned: bool,
    /// The run whose result was reused (`cache: true`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_from: Option<String>,
}

/// A file by path and digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileDigest {
    /// Path: absolute, or relative to the run directory.
    pub path: String,
    /// SHA-256, hex. For a folder: over the sorted list of its files' paths and digests.
    pub sha256: String,
    /// Size in bytes; for a folder the sum.
    pub bytes: u64,
}

/// Data of [`Event::GateDecided`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GateDecided {
    /// Path: the call's path and the gate's id.
    pub gate: String,
    /// The decision.
    pub outcome: Outcome,
    /// Whether it passed: `warn` and `skipped` do not count as passed.
    pub passed: bool,
    /// What was wanted, as written.
    pub wanted: String,
    /// What was measured, in words a report can show.
    pub measured: String,
    /// Every value the condition read, by its expression.
    #[serde(default, skip_serializing_if = "ValueMap::is_empty")]
    pub values: ValueMap,
    /// Why, in one sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Digests of the baselines that were hashed again before deciding.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub baselines: Vec<String>,
}

/// Data of [`Event::Asked`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Asked {
    /// Path of the step.
    pub step: String,
    /// Attempt.
    pub attempt: u32,
    /// The question.
    pub question: String,
    /// What may be answered, in order.
    pub choices: Vec<String>,
    /// Choices that let the step pass.
    pub passes: Vec<String>,
    /// What is shown with the question.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub shown: Value,
    /// Digest of question, choices and what is shown.
    pub digest: String,
}

/// Who answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Answerer {
    /// User id.
    pub uid: u32,
    /// Process id.
    pub pid: u32,
    /// Whether standard input was a terminal.
    pub terminal: bool,
    /// Command line of the parent process.
    pub parent: String,
}

/// Data of [`Event::Answered`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Answered {
    /// Path of the step.
    pub step: String,
    /// The choice.
    pub choice: String,
    /// A remark.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
    /// Who answered.
    pub by: Answerer,
    /// Digest of what had been shown.
    pub digest: String,
    /// Why it was refused; an accepted answer has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// Data of [`Event::Delivered`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Delivered {
    /// Path relative to the run directory.
    pub path: String,
    /// SHA-256, hex, of what was written; empty if it could not be.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sha256: String,
    /// Bytes written.
    pub bytes: u64,
    /// Why it could not be written, or which values are null and why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// Data of [`Event::Invalidated`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Invalidated {
    /// Path of the step.
    pub step: String,
    /// Why it runs again.
    pub reason: String,
}

/// Data of [`Event::Note`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Note {
    /// Path of what it is about; empty for the run.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
    /// One sentence.
    pub message: String,
}

/// Data of [`Event::Interrupted`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interrupted {
    /// `SIGINT` or `SIGTERM`.
    pub signal: String,
}

/// Data of [`Event::RunFinished`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunFinished {
    /// Exit code of the run.
    pub exit: u8,
    /// One sentence: the verdict and what it rests on.
    pub verdict: String,
    /// The declared outputs.
    pub outputs: ValueMap,
    /// Why an output is null, by name.
    #[serde(default, skip_serializing_if = "ValueMap::is_empty")]
    pub output_reasons: ValueMap,
    /// Seconds this engine worked on the run.
    pub duration_s: f64,
}
