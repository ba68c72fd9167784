//! Taking over the baseline of another run: found, verified, copied.
//!
//! Must not trust a digest without hashing the copy again.

use crate::baseline::{Frozen, kept_name};
use assay_protocol::{FileDigest, RunState, Status, StepFinished, Value, ValueMap};
use assay_run::{Outcome, StepCtx};
use assay_store::{Artifacts, Head, Journal, RunDir, find, read};
use serde_json::json;
use std::path::Path;

/// Largest file of outputs that is read.
const OUTPUTS_LIMIT: u64 = 64 << 20;

/// The baseline of `run`, its files copied into this run.
///
/// # Errors
/// It is not there, did not pass, is not what was frozen, or is that of a rehearsal (`unfair`).
pub(crate) fn take_over(cx: &StepCtx, run: &str, step: Option<&str>) -> Result<Frozen, Outcome> {
    let (other, journal) = open(cx, run).map_err(Outcome::failed)?;
    if journal.state.is_rehearsal() && !cx.is_rehearsal() {
        return Err(Outcome::ended(
            Status::Unfair,
            format!(
                "run `{run}` is a rehearsal: its servers were simulated; take the baseline of a real run"
            ),
        ));
    }
    let frozen = || {
        let finished =
            baseline_step(&journal.state, step).map_err(|error| format!("run `{run}`: {error}"))?;
        copy(cx, &other, &outputs_of(&other, finished)?)
    };
    frozen().map_err(Outcome::failed)
}

fn open(cx: &StepCtx, run: &str) -> Result<(RunDir, Journal), String> {
    let wanted = if run.contains('/') && Path::new(run).is_relative() {
        // Paths in a manifest start at its folder.
        cx.skill_dir.join(run).to_string_lossy().into_owned()
    } else {
        run.to_owned()
    };
    let path = find(cx.runs_root(), &wanted).map_err(|error| error.to_string())?;
    let other = RunDir::open(&path).map_err(|error| error.to_string())?;
    if other.id() == cx.run_dir().id() {
        return Err(format!("`from: {run}` is this run itself; name an earlier one"));
    }
    let head = Head::at(cx.state_dir(), other.id(), assay_process::boot_id());
    let journal = read(&other, &head).map_err(|error| format!("cannot read run `{run}`: {error}"))?;
    Ok((other, journal))
}

/// The end of the wanted baseline step.
fn baseline_step<'s>(state: &'s RunState, wanted: Option<&str>) -> Result<&'s StepFinished, String> {
    let all: Vec<(&str, &StepFinished)> = state
        .nodes
        .iter()
        .filter(|(_, node)| node.attempts.last().is_some_and(|attempt| attempt.started.uses == "baseline"))
        .filter_map(|(path, node)| Some((path.as_str(), node.finished.as_deref()?)))
        .collect();
    let list = || all.iter().map(|(path, _)| format!("`{path}`")).collect::<Vec<_>>().join(", ");
    let (path, finished) = match (wanted, all.as_slice()) {
        (_, []) => return Err("it has no finished baseline".to_owned()),
        (Some(wanted), _) => all
            .iter()
            .find(|(path, _)| *path == wanted)
            .ok_or_else(|| format!("it has no baseline step `{wanted}`; it has {}", list()))?,
        (None, [only]) => only,
        (None, _) => return Err(format!("it has several baselines; say which with `step`: {}", list())),
    };
    if finished.status != Status::Passed {
        return Err(format!("its baseline `{path}` is {}", finished.status.word()));
    }
    Ok(finished)
}

fn outputs_of(run: &RunDir, finished: &StepFinished) -> Result<ValueMap, String> {
    let Some(file) = &finished.outputs_file else { return Ok(finished.outputs.clone()) };
    match Artifacts::of(run).verify(file) {
        Ok(true) => {}
        Ok(false) => return Err(format!("`{}` of that run is not what was recorded", file.path)),
        Err(error) => return Err(error.to_string()),
    }
    let bytes = run.read(&file.path, OUTPUTS_LIMIT).map_err(|error| error.to_string())?;
    serde_json::from_slice(&bytes)
        .map_err(|error| format!("`{}` of that run cannot be read: {error}", file.path))
}

fn copy(cx: &StepCtx, other: &RunDir, outputs: &ValueMap) -> Result<Frozen, String> {
    let part = |name: &str| outputs.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
    let mut frozen = Frozen {
        files: part("files"),
        values: part("values"),
        commands: part("commands"),
        facts: part("facts"),
    };
    let recorded = outputs.get("digest").and_then(Value::as_str).unwrap_or_default();
    if frozen.digest() != recorded {
        return Err("the baseline of that run does not have the digest that was recorded".to_owned());
    }
    let (from, to) = (Artifacts::of(other), Artifacts::of(cx.run_dir()));
    for (index, (name, entry)) in frozen.files.iter_mut().enumerate() {
        let copy =
            digest_of(entry).ok_or_else(|| format!("the record of `{name}` in that run is not complete"))?;
        let changed = || format!("the copy of `{name}` in that run is not what was frozen: `{}`", copy.path);
        if !from.verify(&copy).map_err(|error| error.to_string())? {
            return Err(changed());
        }
        let source = other.path().join(&copy.path);
        let kept = to
            .keep(&source, &kept_name(&cx.path, index, Path::new(name)))
            .map_err(|error| format!("cannot keep a copy of `{name}`: {error}"))?;
        if kept.sha256 != copy.sha256 {
            return Err(changed());
        }
        let path = cx.run_dir().path().join(&kept.path);
        *entry = json!({"path": path, "sha256": kept.sha256, "bytes": kept.bytes, "kept": kept.path});
    }
    Ok(frozen)
}

/// The kept copy of a recorded entry.
fn digest_of(entry: &Value) -> Option<FileDigest> {
    Some(FileDigest {
        path: entry["kept"].as_str()?.to_owned(),
        sha256: entry["sha256"].as_str()?.to_owned(),
        bytes: entry["bytes"].as_u64()?,
    })
}

#[cfg(test)]
mod tests {
    use super::{baseline_step, digest_of};
    use assay_protocol::{Event, RunState, Status, StepFinished, StepStarted};
    use serde_json::json;

    fn state(steps: &[(&str, &str, Status)]) -> RunState {
        let mut state = RunState::default();
        for (step, uses, status) in steps {
            let started = json!({"step": step, "uses": uses, "attempt": 1});
            let started: StepStarted = serde_json::from_value(started).unwrap();
            state.apply(1.0, Event::StepStarted(started));
            let finished =
                json!({"step": step, "attempt": 1, "status": status, "final": true, "duration_s": 1.0});
            let finished: StepFinished = serde_json::from_value(finished).unwrap();
            state.apply(2.0, Event::StepFinished(finished));
        }
        state
    }

    #[test]
    fn the_wanted_baseline_must_be_clear_and_passed() {
        let one = state(&[("freeze", "baseline", Status::Passed), ("a", "command", Status::Passed)]);
        assert_eq!(baseline_step(&one, None).unwrap().step, "freeze");
        assert!(baseline_step(&one, Some("a")).unwrap_err().contains("`freeze`"));
        let two = state(&[("x", "baseline", Status::Passed), ("c/x", "baseline", Status::Failed)]);
        assert!(baseline_step(&two, None).unwrap_err().contains("`x`, `c/x`"));
        assert!(baseline_step(&two, Some("c/x")).unwrap_err().contains("is failed"));
        assert!(baseline_step(&state(&[]), None).unwrap_err().contains("no finished baseline"));
    }

    #[test]
    fn an_entry_without_its_copy_is_not_complete() {
        assert!(digest_of(&json!({"sha256": "1", "bytes": 1})).is_none());
        let entry = json!({"kept": "artifacts/a", "sha256": "1", "bytes": 1});
        assert_eq!(digest_of(&entry).unwrap().path, "artifacts/a");
    }
}
