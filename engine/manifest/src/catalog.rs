//! The step catalog as data: what `lint` and `manifest` know of step types, produced by `steps`.

use assay_protocol::Value;
use indexmap::IndexMap;
use std::sync::LazyLock;

/// One output that a step type declares.
#[derive(Debug, Clone, Copy)]
pub struct OutputDoc {
    /// Its name under the step's id.
    pub name: &'static str,
    /// What it is, with its unit.
    pub doc: &'static str,
    /// Differs from run to run by nature (a port, a pid, a time): not part of a fingerprint.
    pub volatile: bool,
}

/// What kind of thing a step type does to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effects {
    /// Its process tree ends with it.
    Contained,
    /// It runs on while others use it.
    Server,
    /// It freezes something once per run and is never run again.
    Frozen,
    /// It waits for a person.
    Question,
}

/// One step type or check type.
pub struct Kind {
    /// The name in `uses:` or `check:`.
    pub name: &'static str,
    /// One line.
    pub summary: &'static str,
    /// A few paragraphs of markdown.
    pub doc: &'static str,
    /// A small YAML example.
    pub example: &'static str,
    /// JSON Schema of `with:`, made when it is first asked for: making one takes longer than reading a step.
    pub schema: LazyLock<Value>,
    /// Outputs beyond those every step has.
    pub outputs: &'static [OutputDoc],
    /// Whether an output may have any name (`parse`d results keep theirs under `result`).
    pub effects: Effects,
    /// Whether it runs processes of its own, so that `expect`, `status`, `files`, `env` and `cwd` make sense.
    pub runs_processes: bool,
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kind").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Every step type and check type of this build.
#[derive(Debug, Default)]
pub struct StepCatalog {
    /// Step types by name.
    pub steps: IndexMap<&'static str, Kind>,
    /// Check types by name.
    pub checks: IndexMap<&'static str, Kind>,
}

/// Outputs that every step has.
pub const COMMON_OUTPUTS: &[OutputDoc] = &[
    OutputDoc { name: "status", doc: "How it ended: `passed`, `failed`, ...", volatile: false },
    OutputDoc { name: "reason", doc: "Why, in one sentence", volatile: true },
    OutputDoc { name: "exit", doc: "Exit code, if it exited", volatile: false },
    OutputDoc { name: "signal", doc: "Signal that ended it, such as `SIGKILL`", volatile: false },
    OutputDoc { name: "duration_s", doc: "Seconds from start to end", volatile: true },
    OutputDoc { name: "attempts", doc: "Number of attempts", volatile: true },
    OutputDoc { name: "stdout", doc: "Path of its standard output", volatile: true },
    OutputDoc { name: "stderr", doc: "Path of its standard error", volatile: true },
    OutputDoc { name: "files", doc: "Declared files: `{path, sha256, bytes}` by name", volatile: false },
];
