//! One stage of a profile: warm up, record while requests run, wait for the files.

use crate::profile::files::Watch;
use crate::profile::server::{Server, arming};
use crate::profile::{Activity, Stage};
use assay_loadgen::client::{self, Load, Reply};
use assay_loadgen::dataset::{Dataset, Random, build};
use assay_loadgen::{FailureKind, LoadError, Record, Request};
use assay_protocol::{Status, Value};
use assay_run::Outcome;
use assay_serving::adapter::{Profile, ProfileHow};
use serde_json::{Map, json};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Longest time of one request.
const REQUEST_LIMIT: Duration = Duration::from_secs(600);
/// Every tokenizer in use has more.
const VOCABULARY: u32 = 8192;
/// Steps beyond those that are recorded, so that a recording that counts them ends by itself.
const MARGIN: u32 = 4;
/// How long a recording that ends by itself has until a file shows; then it is ended.
const SHOWS: Duration = Duration::from_secs(3);
/// Longest wait for the end of a recording once the step was stopped.
const HURRY: Duration = Duration::from_secs(5);
/// Requests of a prefill, at most, where only the server knows when its recording is over.
const UNTIL_OVER: u32 = 200;
const LOOK: Duration = Duration::from_millis(20);

/// Why there is no trace.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    #[error("`{path}` of the server was not answered: {error}")]
    Unreachable { path: String, error: String },
    #[error("`{method} {path}` was answered with {status}: {body}")]
    Refused { method: &'static str, path: String, status: u16, body: String },
    #[error("{title} was not launched for recordings; launch it with {arm}")]
    Unarmed { title: String, arm: String },
    #[error("{title} takes no token ids, so that no prompt of an exact length can be asked")]
    NoIds { title: String },
    #[error("a request of the {stage} failed: {message}")]
    Request { stage: &'static str, message: String },
    #[error(
        "the {stage} was over before {needed} steps, warm-up included; raise the output length in `workloads.{stage}`"
    )]
    TooShort { stage: &'static str, needed: u32 },
    #[error("no new trace ({patterns}) came to `{}` within {waited_s} s; {hint}", dir.display())]
    NoFile { dir: PathBuf, patterns: String, waited_s: u64, hint: &'static str },
    #[error("`{}` was not complete within {waited_s} s: {problem}; raise `flush_timeout`", path.display())]
    Cut { path: PathBuf, waited_s: u64, problem: String },
    #[error("cannot {action} `{}`: {error}", path.display())]
    Io { action: &'static str, path: PathBuf, error: std::io::Error },
    #[error("{0}")]
    Digest(String),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error("the step was stopped")]
    Stopped,
}

impl Trouble {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Io { action, path, error }
    }

    pub(crate) fn refused(method: &'static str, path: &str, reply: &Reply) -> Self {
        let body = crate::config::excerpt(reply.body.trim(), 300);
        Self::Refused { method, path: path.to_owned(), status: reply.status, body }
    }

    pub(crate) fn outcome(&self) -> Outcome {
        let status = match self {
            Self::NoIds { .. } => Status::Unsupported,
            Self::Io { .. } => Status::Environment,
            _ => Status::Failed,
        };
        Outcome::ended(status, self.to_string())
    }
}

/// A stage and the lengths of its requests, in tokens.
pub(crate) struct Shape {
    pub stage: Stage,
    pub input_len: u32,
    pub output_len: u32,
}

/// The traces of one stage.
pub(crate) struct Taken {
    pub stage: Stage,
    pub dir: PathBuf,
    pub files: Vec<PathBuf>,
    pub server_args: Option<PathBuf>,
}

/// How stages are recorded.
pub(crate) struct Capture<'a> {
    pub server: &'a Server,
    pub facts: &'a Profile,
    pub dir: &'a Path,
    /// Where the server writes, if that was decided at launch.
    pub armed_dir: Option<&'a Path>,
    pub warmup_steps: u32,
    pub steps: u32,
    pub flush: Duration,
    pub activities: &'a [Activity],
    pub with_stack: bool,
    pub stop: &'a AtomicBool,
}

impl Capture<'_> {
    /// Records one stage. A recording that was started is ended, whatever happens.
    pub(crate) fn stage(&self, shape: &Shape) -> Result<Taken, Trouble> {
        let dir = self.dir.join(shape.stage.word());
        std::fs::create_dir_all(&dir).map_err(Trouble::io("make", &dir))?;
        let written_to = self.armed_dir.unwrap_or(&dir);
        if self.is_fixed() {
            // The server opens its file and makes no folder.
            std::fs::create_dir_all(written_to).map_err(Trouble::io("make", written_to))?;
        }
        let watch = Watch::new(written_to, &self.facts.files, self.stop)?;
        let recording = AtomicBool::new(false);
        let recorded = self.record(shape, &dir, &watch, &recording);
        if recorded.is_err() && recording.load(Ordering::Relaxed) {
            // What went wrong before is what is told.
            let _ = self.end(true);
        }
        recorded?;
        let mut files = watch.complete(self.flush, self.hint())?;
        if written_to != dir {
            files = files.iter().map(|file| moved(file, &dir)).collect::<Result<_, _>>()?;
        }
        let server_args = self.server.save_args(&dir)?;
        Ok(Taken { stage: shape.stage, dir, files, server_args })
    }

    fn record(
        &self,
        shape: &Shape,
        dir: &Path,
        watch: &Watch<'_>,
        recording: &AtomicBool,
    ) -> Result<(), Trouble> {
        let needed = self.counted() + MARGIN;
        // Each request of a prefill is a step, each token of an answer is one of a decode.
        let (warmup, requests, begin_at) = match shape.stage {
            Stage::Prefill if self.is_fixed() => (self.warmup_steps, UNTIL_OVER, 0),
            Stage::Prefill => (self.warmup_steps, needed, 0),
            Stage::Decode => (0, 1, self.warmup_steps),
        };
        if warmup > 0 {
            self.run(&self.load(shape, warmup)?, self.stop, &AtomicU64::new(0), shape.stage)?;
        }
        let load = self.load(shape, requests)?;
        let (pieces, halt) = (AtomicU64::new(0), AtomicBool::new(false));
        if begin_at == 0 {
            self.begin(dir, shape.stage)?;
            recording.store(true, Ordering::Relaxed);
        }
        std::thread::scope(|scope| {
            let asked = scope.spawn(|| self.run(&load, &halt, &pieces, shape.stage));
            let until = |wanted: u64| {
                while pieces.load(Ordering::Relaxed) < wanted && !asked.is_finished() && !self.stopped() {
                    std::thread::sleep(LOOK);
                }
            };
            let recorded = (|| {
                until(begin_at.into());
                if begin_at > 0 {
                    if asked.is_finished() && pieces.load(Ordering::Relaxed) < u64::from(begin_at) {
                        return Ok(());
                    }
                    self.begin(dir, shape.stage)?;
                    recording.store(true, Ordering::Relaxed);
                }
                let from = pieces.load(Ordering::Relaxed);
                until(from + u64::from(needed));
                // Which steps are recorded was said at launch: requests go on until it is done.
                while self.is_fixed() && !asked.is_finished() && !self.stopped() && !watch.shows(LOOK)? {}
                if self.stopped() {
                    return Err(Trouble::Stopped);
                }
                let seen = pieces.load(Ordering::Relaxed) - from;
                if shape.stage == Stage::Decode && asked.is_finished() && seen < self.steps.into() {
                    return Err(self.too_short(shape));
                }
                self.finish(watch)
            })();
            halt.store(true, Ordering::Relaxed);
            let answered = asked.join().unwrap_or(Err(Trouble::Stopped));
            answered.and(recorded)
        })?;
        if !recording.load(Ordering::Relaxed) {
            return Err(self.too_short(shape));
        }
        recording.store(false, Ordering::Relaxed);
        Ok(())
    }

    fn too_short(&self, shape: &Shape) -> Trouble {
        Trouble::TooShort { stage: shape.stage.word(), needed: self.warmup_steps + self.steps }
    }

    /// Whether steps and file of the recording were fixed when the server was launched.
    fn is_fixed(&self) -> bool {
        self.facts.how == ProfileHow::Environment
    }

    /// What to look at where no file comes.
    fn hint(&self) -> &'static str {
        if self.is_fixed() {
            "the server may have been launched with another file, then give its folder as `armed_dir`; or its recording \
             was over before this step or begins later than its requests reach, then launch it with other steps"
        } else if self.facts.arm.is_some() {
            "the server may have been launched with another folder; give that as `armed_dir`"
        } else {
            "the server's log says more; it must be able to write to this folder"
        }
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Steps that the recording is asked for. Older versions of SGLang count one before they look whether to end.
    fn counted(&self) -> u32 {
        let guards = self.facts.start.as_ref().is_some_and(|start| start.fields.contains_key("num_steps"));
        self.steps + u32::from(guards)
    }

    fn load(&self, shape: &Shape, requests: u32) -> Result<Load, Trouble> {
        let random = Random {
            num_prompts: requests,
            input_len: shape.input_len,
            output_len: shape.output_len,
            range_ratio: 1.0,
            vocab_size: Some(VOCABULARY),
        };
        // Never the same twice: a prefix cache must not know any of it.
        let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as u64;
        let requests: Vec<Request> = build(&Dataset::Random(random), seed, None, true)?.requests;
        Ok(Load {
            target: self.server.target.clone(),
            ask: self.server.asks(shape.output_len),
            warmup: Vec::new(),
            requests,
            offsets_ns: None,
            concurrency: Some(1),
            flush: None,
            timeout: REQUEST_LIMIT,
            keep_text: false,
        })
    }

    fn run(&self, load: &Load, halt: &AtomicBool, pieces: &AtomicU64, stage: Stage) -> Result<(), Trouble> {
        let done = client::run(load, halt, &mut |progress| pieces.store(progress.pieces, Ordering::Relaxed))?;
        pieces.store(done.records.iter().map(|record| record.chunk_ns.len() as u64).sum(), Ordering::Relaxed);
        let failed = |record: &Record| {
            let failure = record.failure.clone()?;
            // An answer whose one token is no text was an answer all the same.
            let harmless = [FailureKind::Stopped, FailureKind::NotSent, FailureKind::Empty];
            (!harmless.contains(&failure.kind)).then_some(failure)
        };
        match done.records.iter().find_map(failed) {
            Some(failure) => Err(Trouble::Request { stage: stage.word(), message: failure.message }),
            None if self.stopped() => Err(Trouble::Stopped),
            None => Ok(()),
        }
    }

    fn begin(&self, dir: &Path, stage: Stage) -> Result<(), Trouble> {
        let Some(start) = &self.facts.start else { return Ok(()) };
        let fields = start.fields.keys().filter_map(|name| {
            let value = match name.as_str() {
                "output_dir" => json!(dir),
                // Some versions take only text here.
                "num_steps" => json!(self.counted().to_string()),
                "max_iterations" => json!(self.counted()),
                "activities" => json!(self.activities),
                "with_stack" => json!(self.with_stack),
                "record_shapes" => json!(false),
                "profile_id" if !self.facts.ends_by_itself => json!(stage.word()),
                _ => return None,
            };
            Some((name.clone(), value))
        });
        let body = Value::Object(fields.collect::<Map<String, Value>>());
        let reply = self.server.post(&start.path, &body, Duration::from_secs(start.timeout_s))?;
        match (reply.status, &self.facts.arm) {
            (200..300, _) => Ok(()),
            (404 | 405, Some(arm)) => Err(Trouble::Unarmed {
                title: self.server.adapter.title.clone(),
                arm: arming(&self.server.adapter, arm, &self.armed_dir.unwrap_or(dir).display().to_string()),
            }),
            _ => Err(Trouble::refused("POST", &start.path, &reply)),
        }
    }

    /// Ends the recording, unless it has done so by itself.
    fn finish(&self, watch: &Watch<'_>) -> Result<(), Trouble> {
        let by_itself = self.facts.ends_by_itself;
        if by_itself && (self.is_fixed() || watch.shows(SHOWS)?) {
            return Ok(());
        }
        self.end(by_itself)
    }

    /// A recording that may have ended by itself answers as it likes; the files tell.
    fn end(&self, may_be_over: bool) -> Result<(), Trouble> {
        let Some(stop) = &self.facts.stop else { return Ok(()) };
        let limit = if self.stopped() { HURRY } else { Duration::from_secs(stop.timeout_s) };
        let reply = self.server.post(&stop.path, &Value::Null, limit)?;
        if (200..300).contains(&reply.status) || may_be_over {
            return Ok(());
        }
        Err(Trouble::refused("POST", &stop.path, &reply))
    }
}

/// The file in another folder.
fn moved(file: &Path, folder: &Path) -> Result<PathBuf, Trouble> {
    let to = folder.join(file.file_name().unwrap_or_default());
    if std::fs::rename(file, &to).is_err() {
        // Another file system.
        std::fs::copy(file, &to).map_err(Trouble::io("copy", file))?;
        std::fs::remove_file(file).map_err(Trouble::io("remove", file))?;
    }
    Ok(to)
}
