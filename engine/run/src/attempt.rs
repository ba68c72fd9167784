//! One attempt of a step, from its start to its final record.

use crate::ctx::StepCtx;
use crate::engine::{Cancel, Engine};
use crate::message::{Ended, Message, Reused};
use crate::step::{Outcome, Step};
use crate::world::{End, Unit};
use assay_manifest::OnFail;
use assay_plan::fingerprint::Fingerprint;
use assay_process::{Secrets, isolation_support};
use assay_protocol::{Event, FileDigest, Note, Status, StepFinished, Value, ValueMap};
use assay_store::sha256_file;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;
use tokio::time::Instant;

/// Outputs of this many bytes and more stand in `result.json` instead of the journal. From `manifest.md`, the run.
const OUTPUTS_IN_JOURNAL: usize = 4096;
/// Files of this size are hashed on another thread.
const HASH_INLINE: u64 = 1 << 20;
/// How much later than the step the executor enforces `timeout`, so that a process can be stopped in an orderly way.
const TIMEOUT_MARGIN: Duration = Duration::from_secs(15);

/// What an attempt needs beyond its context.
pub(crate) struct Plan {
    pub step_type: Rc<dyn Step>,
    pub files: Vec<(String, PathBuf)>,
    pub reads: Vec<PathBuf>,
    pub fingerprint: Fingerprint,
    pub folder: String,
    /// An earlier result of this run that still counts if the fingerprint is the same.
    pub compare_with: Option<StepFinishedWithPrint>,
    pub cache: bool,
    pub frozen: bool,
}

/// An earlier final record and the fingerprint it was made under.
#[derive(Debug, Clone)]
pub(crate) struct StepFinishedWithPrint {
    pub finished: StepFinished,
    pub fingerprint: String,
}

/// Runs the attempt and tells the dispatcher.
pub(crate) async fn run(cx: StepCtx, plan: Plan, cancel: Rc<Cancel>) {
    let started = Instant::now();
    let tag = cx.host.tag_value(&cx.path, cx.attempt);
    cx.host.live_tags.borrow_mut().insert(tag.clone());
    let mut ended = Ended {
        outcome: Outcome::failed(""),
        attempt: cx.attempt,
        duration_s: 0.0,
        stdout: None,
        stderr: None,
        reads: Vec::new(),
        stopped: false,
        reused: None,
        outputs_file: None,
        adopted: false,
        left: false,
    };
    match digest_all(&plan.reads).await {
        Ok(reads) => {
            ended.reads = reads;
            let print = complete_fingerprint(&plan, &ended.reads);
            cx.fingerprint.replace(print.clone());
            if cx.survivor().is_some_and(|survivor| survivor.fingerprint != print) {
                cx.refuse_adoption("its configuration or what it reads changed");
            }
            match reuse(&cx, &plan, &print) {
                Some((reused, outcome)) => {
                    ended.reused = Some(reused);
                    ended.outcome = outcome;
                }
                None if cx.refused_adoption().is_some() => {}
                None => work(&cx, &plan, &cancel, &mut ended).await,
            }
        }
        Err((path, error)) => {
            let problem = format!("`reads`: `{}`: {error}", path.display());
            cx.refuse_adoption(&problem);
            ended.outcome = Outcome::failed(problem);
        }
    }
    if cx.refused_adoption().is_some() && cx.survivor().is_some() {
        cx.end_kept_server().await;
    }
    ended.duration_s = started.elapsed().as_secs_f64();
    if let (Some(Reused::ThisRun), Some(earlier)) = (&ended.reused, &plan.compare_with) {
        // What reads its logs or its duration sees those of the attempt that made the result.
        ended.stdout.clone_from(&earlier.finished.stdout);
        ended.stderr.clone_from(&earlier.finished.stderr);
        ended.duration_s = earlier.finished.duration_s;
    }
    cx.host.live_tags.borrow_mut().remove(&tag);
    let escaped = cx.host.end_escapees().await;
    if escaped > 0 {
        cx.note(format!("{escaped} processes that it left behind were ended"));
    }
    if !cx.is_left() {
        // A log that was opened again is not made for writing.
        put_away(&cx, &plan, &mut ended, escaped == 0 && cx.survivor().is_none()).await;
    }
    ended.left = cx.is_left();
    ended.adopted = cx.survivor().is_some();
    if let (Some(unit), Some(reason), true) = (cx.unit, cx.refused_adoption(), ended.adopted && !ended.left) {
        let _ = cx.messages.send(Message::NotAdopted { unit, reason });
    } else if let Some(unit) = cx.unit {
        // The dispatcher outlives its attempts unless the engine goes down.
        let _ = cx.messages.send(Message::Ended { unit, ended: Box::new(ended) });
    }
}

fn complete_fingerprint(plan: &Plan, reads: &[FileDigest]) -> String {
    let mut fingerprint = plan.fingerprint.clone();
    for read in reads {
        fingerprint.part(&read.path, read.sha256.as_bytes());
    }
    fingerprint.finish()
}

/// An earlier result with the same fingerprint.
fn reuse(cx: &StepCtx, plan: &Plan, print: &str) -> Option<(Reused, Outcome)> {
    if let Some(earlier) = &plan.compare_with {
        if earlier.fingerprint == print && files_hold(&earlier.finished) {
            return Some((Reused::ThisRun, outcome_of(&earlier.finished)));
        }
        if plan.frozen {
            let reason = "a frozen baseline cannot be made anew: its configuration or its inputs changed";
            return Some((Reused::ThisRun, Outcome::ended(Status::Unfair, reason)));
        }
        cx.host.record(Event::Invalidated(assay_protocol::Invalidated {
            step: cx.path.clone(),
            reason: "its configuration or what it reads changed".to_owned(),
        }));
    }
    if plan.cache {
        let (run, finished) = crate::cache::find(cx, print)?;
        return Some((Reused::OtherRun(run), outcome_of(&finished)));
    }
    None
}

fn outcome_of(finished: &StepFinished) -> Outcome {
    Outcome {
        status: finished.status,
        reason: finished.reason.clone(),
        exit: finished.exit,
        signal: finished.signal.clone(),
        outputs: finished.outputs.clone(),
        asks_retry: false,
    }
}

/// Whether the files that a result names are still what they were.
pub(crate) fn files_hold(finished: &StepFinished) -> bool {
    changed_file(finished).is_none()
}

/// A file that a result names and that is no longer what it was.
pub(crate) fn changed_file(finished: &StepFinished) -> Option<String> {
    let produced = finished.outputs.get("files").and_then(Value::as_object);
    let produced = produced
        .into_iter()
        .flat_map(|files| files.values())
        .filter_map(|file| Some((file.get("path")?.as_str()?, file.get("sha256")?.as_str()?)));
    let read = finished.reads.iter().map(|file| (file.path.as_str(), file.sha256.as_str()));
    produced
        .chain(read)
        .find(|(path, sha256)| sha256_file(Path::new(path)).map_or(true, |now| now.sha256 != *sha256))
        .map(|(path, _)| path.to_owned())
}

async fn work(cx: &StepCtx, plan: &Plan, cancel: &Cancel, ended: &mut Ended) {
    if cx.isolation.is_some()
        && let Err(error) = isolation_support()
    {
        ended.outcome = Outcome::ended(Status::Unsupported, error.to_string());
        return;
    }
    let margin =
        if plan.step_type.kind().runs_processes { TIMEOUT_MARGIN + cx.grace() } else { Duration::ZERO };
    let over_time = async {
        match cx.deadline {
            Some(deadline) => tokio::time::sleep_until(deadline + margin).await,
            None => std::future::pending().await,
        }
    };
    let outcome = tokio::select! {
        biased;
        outcome = plan.step_type.run(cx) => outcome,
        () = cancel.notify.notified() => {
            ended.stopped = true;
            let why = cancel.why.borrow_mut().take();
            match why {
                Some(halt) => Outcome::ended(halt.status, halt.reason),
                None => Outcome::ended(Status::Cancelled, "stopped"),
            }
        }
        () = over_time => Outcome::ended(Status::TimedOut, "ran into its `timeout`"),
    };
    ended.outcome = match cx.unsupported.take() {
        Some(reason) => Outcome::ended(Status::Unsupported, reason),
        None => outcome,
    };
    cx.end_processes().await;
    // A cancelled step leaves its relays open.
    cx.finish_relays().await;
    if ended.outcome.status == Status::Passed {
        declared_files(cx, plan, ended).await;
    }
    if !cx.secrets.is_empty() {
        // A step that failed for another reason leaves its files behind, too.
        for (name, path) in plan.files.iter().filter(|(_, path)| path.exists()) {
            if let Some(problem) = holds_secret(cx, path) {
                cx.note(format!("file `{name}`: {problem}"));
            }
        }
        withhold_secrets(cx, &mut ended.outcome);
    }
}

/// What a step with secrets read from a file of its own, not from its masked log, may hold one. Nothing of it may reach the
/// journal, so the step fails and its outputs are dropped.
fn withhold_secrets(cx: &StepCtx, outcome: &mut Outcome) {
    let secrets = Secrets::new(cx.secrets.iter());
    let holds =
        |bytes: &[u8]| secrets.as_ref().map_or(true, |secrets| secrets.found_in(bytes).unwrap_or(true));
    // A reason quotes what it found with escapes of its own, so the first line of a secret may stand in either form.
    if holds(outcome.reason.as_bytes()) {
        outcome.reason = "the reason is withheld: it quotes a secret".to_owned();
    }
    if serde_json::to_vec(&outcome.outputs).map_or(true, |json| holds(&json)) {
        outcome.outputs.clear();
        outcome.status = Status::Failed;
        outcome.reason = "its outputs hold a secret and were dropped".to_owned();
    }
}

/// What the step declared to produce must be there, and must not hold a secret.
async fn declared_files(cx: &StepCtx, plan: &Plan, ended: &mut Ended) {
    if plan.files.is_empty() {
        return;
    }
    let mut files = ValueMap::new();
    for (name, path) in &plan.files {
        match digest(path).await {
            Ok(digest) => {
                if let Some(problem) = holds_secret(cx, path) {
                    ended.outcome.status = Status::Failed;
                    ended.outcome.reason = format!("file `{name}`: {problem}");
                }
                let entry = json!({"path": digest.path, "sha256": digest.sha256, "bytes": digest.bytes});
                files.insert(name.clone(), entry);
            }
            Err(_) => {
                ended.outcome.status = Status::Failed;
                ended.outcome.reason =
                    format!("it declared the file `{name}`, and `{}` is missing", path.display());
            }
        }
    }
    ended.outcome.outputs.insert("files".to_owned(), Value::Object(files));
}

fn holds_secret(cx: &StepCtx, path: &Path) -> Option<String> {
    if cx.secrets.is_empty() {
        return None;
    }
    let found = (|| {
        let secrets = Secrets::new(cx.secrets.iter())?;
        if path.is_dir() {
            for entry in walk(path)? {
                if secrets.found_in(std::fs::File::open(&entry)?)? {
                    return Ok(true);
                }
            }
            return Ok(false);
        }
        secrets.found_in(std::fs::File::open(path)?)
    })();
    match found {
        Ok(false) => None,
        Ok(true) => {
            let removed =
                if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
            let fate = if removed.is_ok() { "it was deleted" } else { "and it could not be deleted" };
            Some(format!("it holds a secret; {fate}"))
        }
        Err::<_, std::io::Error>(error) => Some(format!("it could not be searched for secrets: {error}")),
    }
}

fn walk(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            files.extend(walk(&entry.path())?);
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    Ok(files)
}

async fn digest(path: &Path) -> Result<FileDigest, String> {
    let small = std::fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file() && meta.len() < HASH_INLINE);
    if small {
        return sha256_file(path).map_err(|error| error.to_string());
    }
    let path = path.to_owned();
    match tokio::task::spawn_blocking(move || sha256_file(&path)).await {
        Ok(digest) => digest.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

async fn digest_all(paths: &[PathBuf]) -> Result<Vec<FileDigest>, (PathBuf, String)> {
    let mut digests = Vec::with_capacity(paths.len());
    for path in paths {
        digests.push(digest(path).await.map_err(|error| (path.clone(), error))?);
    }
    Ok(digests)
}

/// Logs, working directory and large outputs go to their places.
///
/// `alone`: no process that escaped could still write into the files, so they may be handed on.
async fn put_away(cx: &StepCtx, plan: &Plan, ended: &mut Ended, alone: bool) {
    let folder = format!("{}/{}", plan.folder, cx.attempt);
    let mut problems = Vec::new();
    let reusable = alone && !ended.stopped;
    {
        let mut pool = cx.host.pool.borrow_mut();
        if let Some(pair) = cx.logs.borrow_mut().take() {
            for (log, name, slot) in [
                (pair.stdout, "stdout.log", &mut ended.stdout),
                (pair.stderr, "stderr.log", &mut ended.stderr),
            ] {
                match pool.finish_log(log, &format!("{folder}/{name}"), reusable) {
                    Ok(path) => *slot = path,
                    Err(error) => problems.push(error.to_string()),
                }
            }
        }
        if let Some(temporary) = cx.temporary.borrow_mut().take() {
            pool.discard_dir(temporary, reusable);
        }
        if let Some(work) = cx.work.borrow_mut().take() {
            pool.finish_dir(work, reusable);
        }
    }
    if ended.reused.is_none()
        && let Ok(text) = serde_json::to_vec(&ended.outcome.outputs)
        && text.len() >= OUTPUTS_IN_JOURNAL
    {
        let path = format!("{folder}/result.json");
        match cx.host.run.publish_durable(&path, &text) {
            Ok(()) => {
                ended.outputs_file = Some(FileDigest {
                    path,
                    sha256: assay_store::sha256_hex(&text),
                    bytes: text.len() as u64,
                });
            }
            Err(error) => problems.push(error.to_string()),
        }
    }
    if !problems.is_empty() {
        ended.outcome.status = Status::Failed;
        ended.outcome.reason = format!("its output could not be kept: {}", problems.join("; "));
    }
    let ports: Vec<_> = cx.ports.borrow_mut().drain(..).collect();
    for port in ports {
        cx.host.unlock(port).await;
    }
}

/// The dispatcher's side: record the end, try again, or end the unit.
pub(crate) fn finish(engine: &mut Engine, unit: Unit, ended: Ended) {
    if ended.reused == Some(Reused::ThisRun) && ended.outcome.status != Status::Unfair {
        let end = engine.end_of(unit, &ended);
        let path = engine.world.borrow().path(unit);
        // A refused resume may have recorded another end of a baseline since.
        let prior = engine.prior.get(&path);
        let seq = match prior.and_then(|node| node.status()) == Some(end.status) {
            true => 0,
            false => engine.record_attempt(unit, &ended, true),
        };
        // Comparing fingerprints is no attempt of the step.
        let attempts = prior.map_or(ended.attempt, |node| node.attempts.len() as u32);
        engine.world.borrow_mut().instance_mut(unit).attempts = attempts;
        return engine.end_unit(unit, end, seq);
    }
    if ended.left {
        // It has not ended: the next engine adopts it.
        let end = engine.end_of(unit, &ended);
        return engine.end_unit(unit, end, 0);
    }
    let ran = ended.reused.is_none() && !ended.adopted;
    engine.world.borrow_mut().instance_mut(unit).ran = ran;
    engine.world.borrow_mut().node_mut(unit.scope, unit.node).ran |= ran;
    if let Some(pause) = engine.pause_before_retry(unit, &ended) {
        engine.record_attempt(unit, &ended, false);
        engine.retry_after(unit, pause);
        return;
    }
    let unfinished = ended.stopped && engine.interrupted.is_some();
    let end = engine.end_of(unit, &ended);
    let seq = engine.record_attempt(unit, &ended, !unfinished);
    engine.end_unit(unit, end, seq);
}

impl Engine {
    pub(crate) fn end_of(&self, unit: Unit, ended: &Ended) -> End {
        let outcome = &ended.outcome;
        let warned = self.world.borrow().on_fail(unit) == OnFail::Warn && !outcome.status.satisfies_needs();
        End {
            status: outcome.status,
            reason: outcome.reason.clone(),
            exit: outcome.exit,
            signal: outcome.signal.clone(),
            duration_s: ended.duration_s,
            outputs: Rc::new(outcome.outputs.clone()),
            stdout: ended.stdout.clone(),
            stderr: ended.stderr.clone(),
            warned,
        }
    }

    /// Writes the end of an attempt. Gives the record's number.
    pub(crate) fn record_attempt(&self, unit: Unit, ended: &Ended, is_final: bool) -> u64 {
        let end = self.end_of(unit, ended);
        let path = self.world.borrow().path(unit);
        let mut record = crate::nodes::finished_record(&path, ended.attempt, &end);
        record.is_final = is_final;
        record.warned &= is_final;
        record.reads.clone_from(&ended.reads);
        record.outputs_file.clone_from(&ended.outputs_file);
        if record.outputs_file.is_some() {
            record.outputs = ValueMap::new();
        }
        if let Some(Reused::OtherRun(run)) = &ended.reused {
            record.cached_from = Some(run.clone());
            let message = format!("its result was reused from run `{run}`: the fingerprint is the same");
            self.host.record(Event::Note(Note { about: path, message }));
        }
        self.host.record(Event::StepFinished(record))
    }

    fn pause_before_retry(&self, unit: Unit, ended: &Ended) -> Option<Duration> {
        if ended.stopped || self.interrupted.is_some() || ended.outcome.status == Status::Passed {
            return None;
        }
        let world = self.world.borrow();
        if world.scopes[unit.scope].halt.is_some() {
            return None;
        }
        let plan = Rc::clone(&world.scopes[unit.scope].plan);
        let retry = plan.step(unit.node)?.retry.as_ref()?;
        let path = world.path(unit);
        let earlier = self.prior.get(&path).map_or(0, |node| node.attempts.len() as u32);
        let done_here = ended.attempt.saturating_sub(earlier);
        let wanted = ended.outcome.asks_retry || retry.when_status.contains(&ended.outcome.status);
        if !wanted || done_here > retry.max {
            return None;
        }
        let growth = retry.factor.powi(i32::try_from(done_here).unwrap_or(i32::MAX) - 1);
        Some(Duration::from_secs_f64((retry.first_s * growth).min(retry.limit_s).max(0.0)))
    }

    fn retry_after(&mut self, unit: Unit, pause: Duration) {
        self.timers += 1;
        let messages = self.messages.clone();
        tokio::task::spawn_local(async move {
            tokio::time::sleep(pause).await;
            let _ = messages.send(Message::Retry(unit));
        });
    }
}
