//! Short programs beside a step's own process: what they print is an answer, and no part of the step's log.
//!
//! Must not hand a secret on: nothing masks what is captured.

use crate::ctx::StepCtx;
use crate::spawn::CommandLine;
use assay_process::{CaptureLimits, Captured, ResolveError, Spawn};
use std::time::Duration;
use tokio::time::Instant;

/// Bytes of each stream that are kept. The longest help of a server has some hundred KiB.
const KEPT: usize = 4 << 20;

/// Why nothing was captured.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The program is not there, or cannot be run.
    #[error("{error}{}", error.hint().map(|hint| format!("; {hint}")).unwrap_or_default())]
    Missing {
        /// What is wrong with it.
        error: ResolveError,
    },
    /// It could not be started.
    #[error("{0}")]
    Failed(String),
}

impl StepCtx {
    /// Runs a program with the step's environment, without its secrets, and gives what it printed. After `limit`, at the
    /// latest at the end of the step's `timeout`, it is killed.
    ///
    /// # Errors
    /// It is not there, or cannot be started.
    pub async fn capture(&self, command: &CommandLine, limit: Duration) -> Result<Captured, CaptureError> {
        let (name, cwd, mut env) = self.surroundings(command).map_err(CaptureError::Failed)?;
        env.retain(|(_, value)| !self.secrets.iter().any(|secret| value.to_str() == Some(secret)));
        let program = self
            .host
            .programs
            .borrow_mut()
            .resolve(name.as_ref(), &crate::spawn::search_path(&env), &cwd)
            .map_err(|error| CaptureError::Missing { error })?;
        let spawn = Spawn {
            program,
            argv: command.argv.iter().map(Into::into).collect(),
            env,
            cwd,
            isolation: self.isolation.clone(),
            ..Spawn::default()
        };
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let limits = CaptureLimits { timeout: left.map_or(limit, |left| left.min(limit)), bytes: KEPT };
        let captured = self.host.reaper.output(&spawn, limits).await;
        captured.map_err(|error| CaptureError::Failed(error.to_string()))
    }
}
