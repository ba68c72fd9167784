//! What every verb gets.

use crate::console::Console;
use crate::env::Env;
use crate::paths::Paths;
use assay_store::Head;

/// Environment, folders and output of one command.
#[derive(Debug, Clone)]
pub struct Cx {
    /// The caller's environment.
    pub env: Env,
    /// Where things are kept.
    pub paths: Paths,
    /// Where output goes.
    pub console: Console,
}

impl Cx {
    /// The stored head of a run's journal.
    pub fn head(&self, run_id: &str) -> Head {
        Head::at(&self.paths.state, run_id, assay_process::boot_id())
    }
}
