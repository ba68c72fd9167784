//! The profiler: what is recorded, until when, and how the files come to be. The traces are synthetic.

use super::config::{Config, Framework, ProfileSpec};
use super::fixed::{Fixed, Passes, Progress};
use super::launch::Launch;
use super::server::Log;
use assay_trace::generate::{Annotations, GenerateError, Recipe, write, write_gz};
use serde_json::{Map, Value, json};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Fastest compression: a real profiler does not spend its time there either.
const LEVEL: u32 = 1;
/// Decode passes in a trace whose request names no number of steps, at most.
const MOST_PASSES: u32 = 40;

/// The profiler.
pub(super) struct Profiler {
    spec: ProfileSpec,
    framework: Framework,
    server_args: Value,
    seed: u64,
    log: Log,
    recording: Option<Recording>,
    /// What no request starts.
    fixed: Option<Fixed>,
    writers: Vec<JoinHandle<()>>,
    hurry: Arc<AtomicBool>,
}

#[derive(Debug, Clone)]
struct Recording {
    dir: PathBuf,
    by_stage: bool,
    prefix: String,
    id: String,
    /// Steps when it began.
    from: u64,
    /// Steps to record, where the request said it.
    steps: Option<u32>,
}

/// Status and text of an answer.
pub(super) type Said = (u16, String);

impl Profiler {
    pub fn new(config: &Config, log: &Log) -> Self {
        let launch = Launch::read(&config.argv);
        let mut server_args = launch.flags;
        let model = launch.model.unwrap_or_else(|| config.model.clone());
        server_args.entry("model_path").or_insert_with(|| json!(model));
        server_args.entry("tp_size").or_insert_with(|| json!(config.profile.ranks));
        Self {
            spec: config.profile.clone(),
            framework: config.framework,
            server_args: Value::Object(server_args),
            seed: config.seed,
            log: log.clone(),
            recording: None,
            fixed: config.profile.at_launch.clone().map(Fixed::new),
            writers: Vec::new(),
            hurry: Arc::new(AtomicBool::new(false)),
        }
    }

    /// Starts recording. `steps` is how many the server has made.
    pub fn start(&mut self, body: &[u8], steps: u64) -> Said {
        let vllm = self.framework == Framework::Vllm;
        if vllm && self.spec.dir.is_none() {
            return (404, "Not Found".to_owned());
        }
        if self.recording.is_some() {
            return (400, "A profile is being recorded already; end it with `/stop_profile`.".to_owned());
        }
        let fields: Map<String, Value> = match body.trim_ascii() {
            [] => Map::new(),
            body => match serde_json::from_slice(body) {
                Ok(fields) => fields,
                Err(error) => return (400, format!("The body is no JSON object: {error}")),
            },
        };
        let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
        let named = text("output_dir").filter(|_| !vllm).map(PathBuf::from);
        let Some(dir) = named.or_else(|| self.spec.dir.clone()) else {
            return (400, "`output_dir` is missing, and the server was started without a folder.".to_owned());
        };
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let id = format!("{}.{:06}", since.as_secs(), since.subsec_micros());
        let count = if vllm { "max_iterations" } else { "num_steps" };
        let recording = Recording {
            by_stage: !vllm && fields.get("profile_by_stage").and_then(Value::as_bool).unwrap_or(false),
            prefix: text("profile_prefix").unwrap_or_default(),
            id: text("profile_id").unwrap_or(id),
            from: steps,
            steps: fields.get(count).and_then(number).filter(|steps| *steps > 0),
            dir,
        };
        let written = std::fs::create_dir_all(&recording.dir).and_then(|()| {
            std::fs::write(recording.dir.join("server_args.json"), self.server_args.to_string())
        });
        if let Err(error) = written {
            return (500, format!("Cannot write to `{}`: {error}", recording.dir.display()));
        }
        self.recording = Some(recording);
        (200, "Recording.\n".to_owned())
    }

    /// Ends recording; the files come later.
    pub fn stop(&mut self, steps: u64) -> Said {
        match self.recording.take() {
            Some(recording) => match self.write(recording, steps) {
                Ok(()) => (200, "Recording has ended; the files are being written.\n".to_owned()),
                Err(error) => (500, format!("Cannot start a thread: {error}")),
            },
            None => (400, "No profile is being recorded; start one with `/start_profile`.".to_owned()),
        }
    }

    /// Ends a recording whose steps are done.
    pub fn tick(&mut self, steps: u64) {
        let done = |recording: &mut Recording| {
            recording.steps.is_some_and(|wanted| steps >= recording.from + u64::from(wanted))
        };
        if self.recording.as_mut().is_some_and(done) {
            let (status, text) = self.stop(steps);
            if status != 200 {
                (self.log)(&text);
            }
        }
    }

    /// An iteration is over: ends the recording that was fixed at launch, if that was its last.
    pub fn iterated(&mut self, done: Progress) {
        let Some(fixed) = &mut self.fixed else { return };
        let Some(passes) = fixed.ended(done) else { return };
        let at = fixed.at.clone();
        (self.log)(&format!(
            "Profiling of iterations {} to {} has ended; the trace goes to {}",
            at.first,
            at.last,
            at.file.display()
        ));
        let recipe = self.recipe(0, passes);
        if let Err(error) = self.write_later(vec![(at.file, recipe)]) {
            (self.log)(&format!("Cannot start a thread: {error}"));
        }
    }

    fn write(&mut self, recording: Recording, steps: u64) -> std::io::Result<()> {
        let seen = (steps - recording.from).clamp(1, u64::from(MOST_PASSES)) as u32;
        let passes = recording.steps.unwrap_or(seen);
        self.write_later(self.files(&recording, passes))
    }

    fn write_later(&mut self, files: Vec<(PathBuf, Recipe)>) -> std::io::Result<()> {
        let (flush, hurry, log) =
            (Duration::from_secs_f64(self.spec.flush_s), Arc::clone(&self.hurry), self.log.clone());
        let work = move || {
            if let Err(error) = write_files(&files, flush, &hurry) {
                log(&format!("the profiler cannot write its trace: {error}"));
            }
        };
        self.writers.push(std::thread::Builder::new().name("sim-profiler".to_owned()).spawn(work)?);
        Ok(())
    }

    fn files(&self, recording: &Recording, passes: u32) -> Vec<(PathBuf, Recipe)> {
        let ranks = self.spec.ranks.max(1);
        let stages: &[(&str, u32, u32)] = if recording.by_stage {
            &[("-EXTEND", passes, 0), ("-DECODE", 0, passes)]
        } else {
            &[("", 1, passes)]
        };
        let mut files = Vec::new();
        for rank in 0..ranks {
            for (stage, prefill, decode) in stages {
                let vllm = self.framework == Framework::Vllm;
                let (prefix, id) = (&recording.prefix, &recording.id);
                let name = if vllm {
                    format!("{prefix}rank{rank}.{id}.pt.trace.json.gz")
                } else {
                    format!("{prefix}{id}-TP-{rank}{stage}.trace.json.gz")
                };
                let passes = Passes { prefill: *prefill, decode: *decode };
                files.push((recording.dir.join(name), self.recipe(rank, passes)));
            }
        }
        files
    }

    fn recipe(&self, rank: u32, passes: Passes) -> Recipe {
        let vllm = self.framework == Framework::Vllm;
        Recipe {
            prefill: passes.prefill,
            decode: passes.decode,
            layers: self.spec.layers,
            batch: self.spec.batch,
            tokens: self.spec.tokens,
            noise: 1,
            seed: self.seed,
            rank,
            world: self.spec.ranks.max(1),
            annotations: if vllm { Annotations::Vllm } else { Annotations::Sglang },
            ..Recipe::default()
        }
    }
}

impl Drop for Profiler {
    fn drop(&mut self) {
        self.hurry.store(true, Ordering::Relaxed);
        self.writers.drain(..).for_each(|writer| {
            let _ = writer.join();
        });
    }
}

fn number(value: &Value) -> Option<u32> {
    match value {
        Value::String(text) => text.parse().ok(),
        value => value.as_u64().and_then(|number| u32::try_from(number).ok()),
    }
}

/// Half of each file at once, the rest after `flush`: who does not wait reads a file that is cut.
fn write_files(
    files: &[(PathBuf, Recipe)],
    flush: Duration,
    hurry: &AtomicBool,
) -> Result<(), GenerateError> {
    let begun = Instant::now();
    let halves: Vec<(File, Vec<u8>)> =
        files.iter().map(|(path, recipe)| begin(path, recipe)).collect::<Result<_, GenerateError>>()?;
    while begun.elapsed() < flush && !hurry.load(Ordering::Relaxed) {
        std::thread::sleep((flush.saturating_sub(begun.elapsed())).min(Duration::from_millis(20)));
    }
    for (mut file, rest) in halves {
        file.write_all(&rest)?;
    }
    Ok(())
}

fn begin(path: &Path, recipe: &Recipe) -> Result<(File, Vec<u8>), GenerateError> {
    let mut bytes = Vec::new();
    match path.extension().is_some_and(|ending| ending == "gz") {
        true => write_gz(recipe, LEVEL, &mut bytes)?,
        false => write(recipe, &mut bytes)?,
    };
    let create = |source| GenerateError::Create { path: path.to_owned(), source };
    let mut file = File::create(path).map_err(create)?;
    let rest = bytes.split_off(bytes.len() / 2);
    file.write_all(&bytes)?;
    Ok((file, rest))
}
