//! What a step type and a check type are to the executor.

use crate::ctx::StepCtx;
use assay_manifest::{Kind, StepCatalog};
use assay_protocol::{Status, Value, ValueMap};
use indexmap::IndexMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

/// A future on the executor's own thread.
pub type LocalFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// How one attempt of a step ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The status.
    pub status: Status,
    /// Why, in one sentence without a final period; empty when there is nothing to say.
    pub reason: String,
    /// Exit code, if a process exited.
    pub exit: Option<i32>,
    /// Signal name, if one ended a process.
    pub signal: Option<String>,
    /// Outputs under the step's id.
    pub outputs: ValueMap,
    /// A new attempt is asked for whatever `retry.when_status` says (exit code mapped to `retry`).
    pub asks_retry: bool,
}

impl Outcome {
    /// Passed with these outputs.
    pub fn passed(outputs: ValueMap) -> Self {
        Self { outputs, ..Self::ended(Status::Passed, "") }
    }

    /// Failed for a reason.
    pub fn failed(reason: impl Into<String>) -> Self {
        Self::ended(Status::Failed, reason)
    }

    /// Ended with a status and a reason.
    pub fn ended(status: Status, reason: impl Into<String>) -> Self {
        Self {
            status,
            reason: reason.into(),
            exit: None,
            signal: None,
            outputs: ValueMap::new(),
            asks_retry: false,
        }
    }
}

/// A step type.
///
/// `run` is dropped when the step is cancelled or hits its time limit; processes that it started through the
/// context are ended by the executor then.
pub trait Step {
    /// Its entry in the catalog.
    fn kind(&self) -> Kind;

    /// Runs one attempt.
    fn run<'a>(&'a self, cx: &'a StepCtx) -> LocalFuture<'a, Outcome>;

    /// Outputs that `--dry-run` shows to later steps, from the rendered configuration.
    fn stub(&self, _config: &Value) -> ValueMap {
        ValueMap::new()
    }
}

/// What a check found.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckResult {
    /// Whether the fact holds.
    pub holds: bool,
    /// What was found, in one sentence without a final period.
    pub found: String,
    /// Measured values.
    pub evidence: Value,
    /// The status when it does not hold, where the check knows better than the manifest (`gpu_idle` without a GPU).
    pub status: Option<Status>,
}

impl CheckResult {
    /// The fact holds.
    pub fn holds(found: impl Into<String>, evidence: Value) -> Self {
        Self { holds: true, found: found.into(), evidence, status: None }
    }

    /// The fact does not hold.
    pub fn fails(found: impl Into<String>, evidence: Value) -> Self {
        Self { holds: false, ..Self::holds(found, evidence) }
    }
}

/// A preflight check type.
pub trait Check {
    /// Its entry in the catalog.
    fn kind(&self) -> Kind;

    /// Finds out whether the fact holds. The context's `config` is the check's configuration.
    fn run<'a>(&'a self, cx: &'a StepCtx) -> LocalFuture<'a, CheckResult>;
}

/// Every step type and check type of this build.
#[derive(Default)]
pub struct Registry {
    steps: IndexMap<&'static str, Rc<dyn Step>>,
    checks: IndexMap<&'static str, Rc<dyn Check>>,
}

impl Registry {
    /// Adds a step type.
    pub fn step(mut self, step: impl Step + 'static) -> Self {
        self.steps.insert(step.kind().name, Rc::new(step));
        self
    }

    /// Adds a check type.
    pub fn check(mut self, check: impl Check + 'static) -> Self {
        self.checks.insert(check.kind().name, Rc::new(check));
        self
    }

    /// The step type called `name`.
    pub fn step_type(&self, name: &str) -> Option<Rc<dyn Step>> {
        self.steps.get(name).cloned()
    }

    /// The check type called `name`.
    pub fn check_type(&self, name: &str) -> Option<Rc<dyn Check>> {
        self.checks.get(name).cloned()
    }

    /// The catalog as data, for `manifest` and `lint`.
    pub fn catalog(&self) -> StepCatalog {
        StepCatalog {
            steps: self.steps.iter().map(|(name, step)| (*name, step.kind())).collect(),
            checks: self.checks.iter().map(|(name, check)| (*name, check.kind())).collect(),
        }
    }
}
