//! The typed form of a skill or a workflow: what `lower` makes of the tree, and what `plan` reads.

use crate::config::{Config, ExprAt, TextAt};
use assay_diagnostics::{SourceId, Span};
use assay_protocol::{Status, Value};
use indexmap::IndexMap;
use std::collections::HashSet;
use std::path::PathBuf;

/// A value with its place in the text.
#[derive(Debug, Clone, PartialEq)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub span: Span,
}

/// What a manifest is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManifestKind {
    /// A reusable procedure.
    Skill,
    /// An entry point, run by name.
    Workflow,
}

impl ManifestKind {
    /// The word used in manifests.
    pub fn word(self) -> &'static str {
        match self {
            Self::Skill => "Skill",
            Self::Workflow => "Workflow",
        }
    }
}

/// Where a manifest comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Its file as an absolute path, or `builtin:<name>`.
    pub file: String,
    /// `skill.dir`: the folder relative paths start at.
    pub dir: PathBuf,
}

/// A skill or a workflow.
#[derive(Debug)]
pub struct Manifest {
    /// Its text.
    pub source: SourceId,
    /// Its file and folder.
    pub origin: Origin,
    /// Skill or workflow.
    pub kind: ManifestKind,
    /// Its name.
    pub name: At<String>,
    /// Its version (semver).
    pub version: At<String>,
    /// What it is for.
    pub description: String,
    /// What it was last verified against.
    pub verified: Option<Verified>,
    /// Template for a part of the run folder's name.
    pub slug: Option<TextAt>,
    /// Typed inputs.
    pub inputs: IndexMap<String, Input>,
    /// Names of secret environment variables.
    pub secrets: Vec<At<String>>,
    /// Environment for all steps.
    pub env: IndexMap<String, TextAt>,
    /// Names of variables passed from the caller's environment to all steps.
    pub pass_env: Vec<At<String>>,
    /// Facts that must hold before any step runs.
    pub preflight: Vec<Check>,
    /// The steps.
    pub steps: Vec<Step>,
    /// The gates.
    pub gates: Vec<Gate>,
    /// The fixed output format.
    pub outputs: Vec<Output>,
    /// Files placed in the run directory.
    pub deliver: Vec<Deliver>,
    /// Steps that run whatever happened.
    pub finally: Vec<Step>,
    /// Names that were declared, but with errors that leave nothing of them, as `steps.build`.
    pub broken: HashSet<String>,
}

/// `verified:` — when and against what the skill was last seen to work.
#[derive(Debug, Clone)]
pub struct Verified {
    /// Versions it was verified against.
    pub against: String,
    /// The date, `YYYY-MM-DD`.
    pub date: At<String>,
    /// Seconds after which it is stale.
    pub stale_after: Option<f64>,
}

/// One typed input.
#[derive(Debug, Clone)]
pub struct Input {
    /// Where its name stands.
    pub span: Span,
    /// JSON Schema of the value, `format` included, without `default` and `description`.
    pub schema: Value,
    /// The value when the caller gives none.
    pub default: Option<At<Value>>,
    /// What it is.
    pub description: Option<String>,
}

impl Input {
    /// The JSON Schema `format`, if there is one.
    pub fn format(&self) -> Option<&str> {
        self.schema.get("format").and_then(Value::as_str)
    }
}

/// What follows when a check or a step does not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFail {
    /// What requires it is blocked.
    #[default]
    Stop,
    /// The branch takes itself out.
    Exclude,
    /// It is recorded; dependents start.
    Warn,
}

impl OnFail {
    /// The word used in manifests.
    pub fn word(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Exclude => "exclude",
            Self::Warn => "warn",
        }
    }
}

/// A preflight check.
#[derive(Debug)]
pub struct Check {
    /// Its id.
    pub id: At<String>,
    /// Check type.
    pub check: At<String>,
    /// Its configuration.
    pub with: Config,
    /// Condition.
    pub when: Option<ExprAt>,
    /// What follows when it does not pass.
    pub on_fail: OnFail,
    /// The word recorded when it does not pass.
    pub recorded_as: Status,
}

/// What a step is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Uses {
    /// A built-in step type.
    Kind(String),
    /// A call of a skill or a workflow by name.
    Call(String),
}

impl Uses {
    /// As written.
    pub fn word(&self) -> String {
        match self {
            Self::Kind(kind) => kind.clone(),
            Self::Call(name) => format!("skill:{name}"),
        }
    }
}

/// `foreach:` names and the lists they go through.
#[derive(Debug)]
pub struct Foreach {
    /// Name to list.
    pub lists: Vec<(At<String>, Config)>,
    /// All combinations instead of aligned tuples.
    pub product: bool,
}

/// `retry:`
#[derive(Debug, Clone, PartialEq)]
pub struct Retry {
    /// New attempts after the first.
    pub max: u32,
    /// Seconds before the first new attempt.
    pub first_s: f64,
    /// Growth from one pause to the next.
    pub factor: f64,
    /// Longest pause in seconds.
    pub limit_s: f64,
    /// Statuses that are tried again.
    pub when_status: Vec<Status>,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            max: 0,
            first_s: 1.0,
            factor: 2.0,
            limit_s: 60.0,
            when_status: vec![Status::Failed, Status::TimedOut],
        }
    }
}

/// `resources:`
#[derive(Debug)]
pub struct Resources {
    /// CPU slots.
    pub cpus: Field,
    /// A count or a list of physical ids.
    pub gpus: Field,
    /// Bytes of memory, enforced.
    pub memory: Option<Field>,
    /// Named locks.
    pub locks: Vec<TextAt>,
}

impl Default for Resources {
    fn default() -> Self {
        Self {
            cpus: Field::Literal(Value::from(1)),
            gpus: Field::Literal(Value::from(0)),
            memory: None,
            locks: Vec::new(),
        }
    }
}

/// A field that is a literal or a template that yields one.
#[derive(Debug, Clone)]
pub enum Field {
    /// Known from the text.
    Literal(Value),
    /// Known when the step starts.
    Template(TextAt),
}

/// What an exit code stands for in a `status` map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitMeaning {
    /// This status.
    Status(Status),
    /// A new attempt, whatever `when_status` says; `failed` when none is left.
    Retry,
}

/// Which ends of a process pass.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Ends {
    /// Exit code 0.
    #[default]
    Success,
    /// `expect:` — any listed end passes.
    Expect(Expect),
    /// `status:` — exit code to status.
    Map(Vec<(i32, ExitMeaning)>),
}

/// `expect:`
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Expect {
    /// Exit codes that pass.
    pub exit: Option<ExpectExit>,
    /// A signal that passes, such as `SIGABRT`.
    pub signal: Option<String>,
    /// Running into `timeout` passes.
    pub timeout: bool,
}

/// `expect.exit:`
#[derive(Debug, Clone, PartialEq)]
pub enum ExpectExit {
    /// Any code.
    Any,
    /// Any code but 0.
    Nonzero,
    /// One of these.
    Codes(Vec<i32>),
}

/// A step of `steps` or `finally`.
#[derive(Debug)]
pub struct Step {
    /// Its id.
    pub id: At<String>,
    /// Step type or call.
    pub uses: At<Uses>,
    /// Its configuration; for a call its inputs.
    pub with: Config,
    /// The keys of a call's inputs with their places; empty for other steps.
    pub given: Vec<At<String>>,
    /// Order without data.
    pub needs: Vec<At<String>>,
    /// Condition.
    pub when: Option<ExprAt>,
    /// One instance per value.
    pub foreach: Option<Box<Foreach>>,
    /// Limit of one attempt.
    pub timeout: Option<Field>,
    /// New attempts.
    pub retry: Option<Box<Retry>>,
    /// What it books.
    pub resources: Option<Box<Resources>>,
    /// Which ends pass.
    pub ends: Ends,
    /// Files it produces.
    pub files: Vec<(At<String>, TextAt)>,
    /// Files it consumes.
    pub reads: Vec<TextAt>,
    /// Its environment.
    pub env: Vec<(String, TextAt)>,
    /// Variables passed from the caller's environment.
    pub pass_env: Vec<At<String>>,
    /// Working directory; by default the step's own.
    pub cwd: Option<TextAt>,
    /// Reuse a passed result of equal fingerprint from an earlier run.
    pub cache: bool,
    /// Outlives the engine.
    pub detach: bool,
    /// Runs again when a server that it used was restarted.
    pub bind_epoch: bool,
    /// Runs without write access to the run's records.
    pub isolate: bool,
    /// What follows when it does not pass.
    pub on_fail: OnFail,
}

/// What a gate demands.
#[derive(Debug)]
pub enum Demand {
    /// An expression that must be true.
    Assert(ExprAt),
    /// A comparison whose verdict must be wanted.
    Compare {
        /// The comparison step.
        step: ExprAt,
        /// Verdicts that pass.
        want: Vec<At<String>>,
        /// Least effect that counts, as a fraction; by default that of the comparison.
        threshold: Option<Field>,
    },
}

/// A gate.
#[derive(Debug)]
pub struct Gate {
    /// Its id.
    pub id: At<String>,
    /// What it demands.
    pub demand: Demand,
    /// Order without data.
    pub needs: Vec<At<String>>,
    /// Condition.
    pub when: Option<ExprAt>,
    /// What it means when the demand is not met.
    pub on_fail: assay_protocol::Outcome,
    /// What it is for.
    pub description: Option<String>,
}

/// What an output is.
#[derive(Debug)]
pub enum OutputKind {
    /// One value.
    Value {
        /// Where it comes from.
        value: ExprAt,
        /// Its JSON type.
        schema: Value,
        /// Its unit.
        unit: Option<String>,
    },
    /// Rows under fixed columns.
    Table {
        /// Where the rows come from.
        rows: ExprAt,
        /// Column key to title, in order.
        columns: Vec<(String, String)>,
    },
}

/// One declared output.
#[derive(Debug)]
pub struct Output {
    /// Its name.
    pub name: At<String>,
    /// What it is.
    pub kind: OutputKind,
    /// What it means.
    pub description: Option<String>,
}

/// What a delivered file is made from.
#[derive(Debug)]
pub enum DeliverFrom {
    /// A value.
    Value(ExprAt),
    /// A template file beside the manifest.
    Template(TextAt),
}

/// One delivered file or folder.
#[derive(Debug)]
pub struct Deliver {
    /// Relative path, may be a template.
    pub path: TextAt,
    /// What it is made from.
    pub from: DeliverFrom,
}

impl Manifest {
    /// Whether `section` declares `name` with errors that leave nothing of it.
    pub fn is_broken(&self, section: &str, name: &str) -> bool {
        !self.broken.is_empty() && self.broken.contains(&format!("{section}.{name}"))
    }

    /// The step with this id, in `steps` or `finally`.
    pub fn step(&self, id: &str) -> Option<&Step> {
        self.steps.iter().chain(&self.finally).find(|step| step.id.value == id)
    }
}
