//! `cache: true`: a passed result of equal fingerprint from an earlier run in the same folder of runs.

use crate::attempt::files_hold;
use crate::ctx::StepCtx;
use assay_protocol::{Status, StepFinished};
use assay_store::{Head, RunDir};

/// How many earlier runs are looked at, newest first.
const RUNS_SEARCHED: usize = 50;

/// The run's id and the record, if there is one whose files still hold.
pub(crate) fn find(cx: &StepCtx, fingerprint: &str) -> Option<(String, StepFinished)> {
    let runs = assay_store::list(cx.runs_root()).ok()?;
    for entry in runs.iter().filter(|entry| entry.id != cx.host.run.id()).take(RUNS_SEARCHED) {
        // A run that cannot be read, or was tampered with, is no source of results.
        let Ok(run) = RunDir::open(&entry.path) else { continue };
        let head = Head::at(cx.state_dir(), run.id(), assay_process::boot_id());
        let Ok(journal) = assay_store::read(&run, &head) else { continue };
        // Their fingerprints differ already; this holds whatever goes into those.
        if journal.state.is_rehearsal() != cx.is_rehearsal() {
            continue;
        }
        for node in journal.state.nodes.values() {
            let Some(finished) = &node.finished else { continue };
            let same = node.attempts.last().is_some_and(|attempt| attempt.started.fingerprint == fingerprint);
            if same
                && finished.status == Status::Passed
                && finished.outputs_file.is_none()
                && files_hold(finished)
            {
                return Some((entry.id.clone(), StepFinished::clone(finished)));
            }
        }
    }
    None
}
