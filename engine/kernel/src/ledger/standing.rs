//! Which rows of a ledger still say something.

use super::row::{Current, Row, Standing};
use crate::task::Loaded;

impl Current {
    /// What rows about a task are compared with today.
    pub fn of(loaded: &Loaded) -> Self {
        Self {
            task_id: loaded.task.name.clone(),
            task_sha: loaded.digest.clone(),
            baseline_sha: loaded.baseline_sha(),
        }
    }

    /// What a row was judged against.
    fn of_row(row: &Row) -> Self {
        Self {
            task_id: row.task_id.clone(),
            task_sha: row.task_sha.clone(),
            baseline_sha: row.baseline_sha.clone(),
        }
    }
}

/// The standing of each row. Tasks that are not among `known` are taken to be what their last row was judged against: that shows what
/// newer rows made stale, not whether the task's files changed since.
pub fn standings(rows: &[&Row], known: &[Current]) -> Vec<Standing> {
    let current = |row: &Row| {
        let given = known.iter().find(|current| current.task_id == row.task_id);
        given.cloned().or_else(|| {
            rows.iter().rev().find(|other| other.task_id == row.task_id).map(|row| Current::of_row(row))
        })
    };
    rows.iter().map(|row| current(row).map_or(Standing::Other, |current| row.standing(&current))).collect()
}
