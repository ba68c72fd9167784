//! One engine's work at one run: what it is given and what it says at the end.

use crate::engine::Engine;
use crate::host::{Clock, Host, HostParts, Subscriber};
use crate::message::Message;
use crate::resume::{self, Resumed};
use crate::step::Registry;
use assay_diagnostics::Sources;
use assay_plan::ManifestPlan;
use assay_process::{Reaper, SupervisorLink};
use assay_protocol::{Answered, ExitCode, ProcessIdentity, Value, ValueMap};
use assay_store::{Head, HostLocks, Journal, JournalWriter, RunDir};
use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Makes the bytes of a delivered file.
pub trait Render {
    /// `extension` picks the format; `declared` is the declaration of the output that is delivered, if it is one.
    ///
    /// # Errors
    /// Why this value has no such form, in words.
    fn render(&self, extension: &str, value: &Value, declared: Option<&Value>) -> Result<Vec<u8>, String>;
}

/// The processes around the engine.
#[derive(Debug, Clone)]
pub struct HouseIds {
    /// The engine itself.
    pub engine: ProcessIdentity,
    /// The supervisor above it.
    pub supervisor: Option<ProcessIdentity>,
    /// The front above the supervisor.
    pub front: Option<ProcessIdentity>,
    /// The line to the supervisor.
    pub link: Option<SupervisorLink>,
}

/// How to work.
#[derive(Debug, Clone)]
pub struct Options {
    /// CPU slots; by default the host's cores.
    pub cpus: Option<u32>,
    /// Time between TERM and KILL.
    pub grace: Duration,
    /// Steps that run again with everything after them.
    pub from: Vec<String>,
    /// Run again only what failed, and what was blocked by it.
    pub only_failed: bool,
    /// An answer that continues a waiting run.
    pub answer: Option<Answered>,
    /// End after the checks.
    pub preflight_only: bool,
    /// Servers that have an adapter are simulated, and no GPU is leased. A run that began so goes on so.
    pub rehearsal: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cpus: None,
            grace: Duration::from_secs(5),
            from: Vec::new(),
            only_failed: false,
            answer: None,
            preflight_only: false,
            rehearsal: false,
        }
    }
}

/// Everything an engine needs.
pub struct Job {
    /// The plan.
    pub plan: Rc<ManifestPlan>,
    /// Digest of the manifest's texts.
    pub digest: String,
    /// The texts, for places in messages.
    pub sources: Sources,
    /// Resolved inputs.
    pub inputs: ValueMap,
    /// Where the caller stood.
    pub caller_dir: PathBuf,
    /// The run directory.
    pub run: RunDir,
    /// The folder that holds the runs.
    pub runs_root: PathBuf,
    /// Where stored heads lie.
    pub state_dir: PathBuf,
    /// Folders of Assay's own beside the run's: an isolated step cannot write to them either.
    pub kept: Vec<PathBuf>,
    /// The stored head of this run.
    pub head: Head,
    /// The journal as read, to continue a run.
    pub journal: Option<Journal>,
    /// Folder of the host's locks.
    pub locks_dir: PathBuf,
    /// The caller's environment.
    pub env: HashMap<String, String>,
    /// Step types.
    pub registry: Registry,
    /// The processes around the engine.
    pub house: HouseIds,
    /// Who hears the events.
    pub subscribers: Vec<Box<dyn Subscriber>>,
    /// Makes delivered files.
    pub renderer: Rc<dyn Render>,
    /// How to work.
    pub options: Options,
}

/// How an engine's work ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunEnd {
    /// The exit code.
    pub exit: ExitCode,
    /// What went wrong with the engine itself, or why it refused, in one sentence.
    pub problem: Option<String>,
}

impl RunEnd {
    pub(crate) fn new(exit: ExitCode) -> Self {
        Self { exit, problem: None }
    }

    pub(crate) fn problem(exit: ExitCode, problem: impl Into<String>) -> Self {
        Self { exit, problem: Some(problem.into()) }
    }
}

/// Works at a run until it ends, waits, or is interrupted.
pub fn execute(job: Job) -> RunEnd {
    if let Some(journal) = &job.journal
        && let Some(end) = resume::nothing_to_do(journal, &job)
    {
        return end;
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return RunEnd::problem(ExitCode::Internal, format!("no event loop: {error}")),
    };
    let local = tokio::task::LocalSet::new();
    let end = local.block_on(&runtime, work(job));
    drop(local);
    runtime.shutdown_background();
    end
}

async fn work(job: Job) -> RunEnd {
    let (messages, inbox) = mpsc::unbounded_channel();
    let resumed = match &job.journal {
        Some(journal) => resume::clean_up(journal, job.run.id()).await,
        None => Resumed::default(),
    };
    let journal = match open_journal(&job, &messages) {
        Ok(journal) => journal,
        Err(end) => return end,
    };
    let reaper = match Reaper::start() {
        Ok(reaper) => reaper,
        Err(error) => return RunEnd::problem(ExitCode::Internal, format!("cannot watch children: {error}")),
    };
    let locks = match HostLocks::open(&job.locks_dir) {
        Ok(locks) => locks,
        Err(error) => return RunEnd::problem(ExitCode::Internal, error.to_string()),
    };
    let last = job.journal.as_ref().map_or(0.0, |journal| journal.last_ts);
    // Not a count of recorded engines: one may have worked and been killed before its first record was written.
    let session = format!("{:x}-{:x}", job.house.engine.start, job.house.engine.pid);
    let host = Host::new(HostParts {
        run: job.run.clone(),
        runs_root: job.runs_root.clone(),
        state_dir: job.state_dir.clone(),
        kept: job.kept.clone(),
        journal,
        reaper,
        session,
        link: job.house.link.clone(),
        locks,
        env: job.env.clone(),
        identity: job.house.engine.clone(),
        clock: Clock::starting_after(last),
        subscribers: job.subscribers,
        registry: job.registry,
        grace: job.options.grace,
    });
    let parts = crate::engine::Parts {
        plan: job.plan,
        digest: job.digest,
        sources: job.sources,
        inputs: job.inputs,
        caller_dir: job.caller_dir,
        house: job.house,
        renderer: job.renderer,
        options: job.options,
        // An engine that was killed before its first record leaves an empty journal: the run begins now.
        prior: job.journal.map(|journal| journal.state).filter(|state| state.started.is_some()),
        dropped_bytes: resumed.dropped_bytes,
        ended_leftovers: resumed.ended,
        survivors: resumed.survivors,
    };
    Engine::new(host, parts, messages, inbox).run().await
}

fn open_journal(job: &Job, messages: &mpsc::UnboundedSender<Message>) -> Result<JournalWriter, RunEnd> {
    let durable = messages.clone();
    let failed = messages.clone();
    // The receiver lives as long as the executor; after it nobody needs to know.
    let on_durable = Box::new(move |seq| drop(durable.send(Message::Durable(seq))));
    let on_error = Box::new(move |error: assay_store::StoreError| {
        drop(failed.send(Message::JournalFailed(unwritable(&error))));
    });
    let opened = match &job.journal {
        None => JournalWriter::create(&job.run, &job.head, on_durable, on_error),
        Some(journal) => JournalWriter::resume(&job.run, &job.head, journal, on_durable, on_error),
    };
    opened.map_err(|error| unwritable(&error))
}

/// Without its journal an engine cannot work: why, and the way out.
fn unwritable(error: &assay_store::StoreError) -> RunEnd {
    let exit = match error {
        assay_store::StoreError::Tampered { .. } => ExitCode::Unfair,
        _ => ExitCode::Internal,
    };
    let problem = format!("the journal cannot be written: {error}; nothing that was not recorded counts");
    RunEnd::problem(
        exit,
        match error.hint() {
            Some(hint) => format!("{problem}; {hint}"),
            None => problem,
        },
    )
}
