//! From a loaded manifest to a run: the house of three processes, the executor inside, reports and verdict at the end.
//! The only module that knows the executor's interface.

use crate::context::Cx;
use crate::detached;
use crate::fail::Failure;
#[cfg(feature = "fault")]
use crate::fault;
use crate::phase::Phase;
use crate::render::Files;
use crate::reply::{self, Reply};
use crate::reports::{self, Recorded};
use crate::screen::{Kind, Screen};
use crate::verdict::{self, Look};
use crate::{find, summary};
use assay_diagnostics::Sources;
use assay_plan::{ManifestPlan, plan_doc};
use assay_process::{EngineSide, HouseEnd, HouseOptions, run_house};
use assay_protocol::{Event, ExitCode, PlanDoc, ValueMap};
use assay_run::{AnswerRequest, HouseIds, Job, RunEnd, Subscriber, execute, send_answer, socket_path};
use assay_store::{Journal, LockError, RunDir, RunLock, StoreError};
use serde_json::json;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;
use std::rc::Rc;

pub use assay_run::Options;

/// Where a detached run's lines go, inside its folder.
const CONSOLE: &str = "console.log";

/// A run that is about to be worked on.
pub struct Start {
    /// The verb that asked for it.
    pub verb: &'static str,
    /// Its plan.
    pub plan: Rc<ManifestPlan>,
    /// Digest over the manifest's texts.
    pub digest: String,
    /// The texts, for places in messages.
    pub sources: Sources,
    /// Resolved inputs.
    pub inputs: ValueMap,
    /// Where the caller stood when the run began.
    pub caller_dir: PathBuf,
    /// Its folder.
    pub run: RunDir,
    /// Held from before the journal was read.
    pub lock: RunLock,
    /// What was recorded so far; `None` for a new run.
    pub journal: Option<Journal>,
    /// How to work.
    pub options: Options,
    /// In the background.
    pub detach: bool,
    /// Write the reports at the end.
    pub report: bool,
}

/// Takes the lock of a run, or says who has it.
pub fn lock(run: &RunDir) -> Result<RunLock, Failure> {
    RunLock::acquire(run, &assay_process::own_identity()).map_err(|error| match error {
        LockError::Held { by } => find::locked(run, by.as_ref()),
        LockError::Store(error) => error.into(),
    })
}

/// Hands an answer to the engine that works on the run. `None`: no engine listens.
pub fn tell(cx: &Cx, run_id: &str, step: &str, choice: &str, comment: &str) -> Option<Result<(), String>> {
    let request = AnswerRequest {
        step: step.to_owned(),
        choice: choice.to_owned(),
        comment: comment.to_owned(),
        terminal: cx.env.terminal[0],
    };
    send_answer(&socket_path(&cx.paths.state, run_id), &request).ok()
}

/// Works at the run; returns in the process that the user started.
pub fn work(cx: &Cx, start: Start) -> Result<Reply, Failure> {
    let mut doc = plan_doc(&start.plan, &start.digest, &start.inputs);
    doc.rehearsal = start.options.rehearsal;
    if start.journal.as_ref().is_none_or(|journal| changed(journal, &start.digest)) {
        let bytes = serde_json::to_vec(&doc).map_err(|error| Failure::internal(error.to_string()))?;
        start.run.publish("plan.json", &bytes)?;
    }
    let output = if start.detach { Some(console_file(&start.run)?) } else { None };
    let (run, detach) = (start.run.clone(), start.detach);
    let options = HouseOptions { detach, output };
    let end = run_house(options, |side| engine(cx, start, &doc, side))
        .map_err(|error| Failure::internal(error.to_string()))?;
    match end {
        HouseEnd::Detached { front, .. } => Ok(detached(cx, &run, front.pid)),
        HouseEnd::Ended { code, killed_by: None, supervisor_lost: false } => {
            // An engine that panicked has said so; its code is that of a bug.
            Ok(Reply::said(ExitCode::from_code(code).unwrap_or(ExitCode::Internal)))
        }
        HouseEnd::Ended { killed_by, supervisor_lost, .. } => {
            Err(killed(cx, &run, killed_by, supervisor_lost))
        }
    }
}

fn changed(journal: &Journal, digest: &str) -> bool {
    journal.state.sessions.last().is_none_or(|session| session.engine.digest != digest)
}

fn console_file(run: &RunDir) -> Result<OwnedFd, StoreError> {
    // A resume in the background starts a new one: what the engine before said is in the journal.
    run.remove(CONSOLE)?;
    Ok(run.create_file(CONSOLE)?.into())
}

fn detached(cx: &Cx, run: &RunDir, pid: u32) -> Reply {
    let id = run.id();
    let dir = cx.paths.shown(run.path());
    let data = json!({"run": id, "dir": run.path(), "state": "running", "pid": pid});
    Reply::ok(data, format!("{id}\n"))
        .next(format!("assay wait {id} --for 90s"), format!("waits for the end; the run is in {dir}"))
        .next(format!("assay logs {id} -f"), "shows what the steps print")
}

fn killed(cx: &Cx, run: &RunDir, signal: Option<i32>, supervisor_lost: bool) -> Failure {
    let who = if supervisor_lost { "the supervisor" } else { "the engine" };
    let how = signal.map_or("ended without a word".to_owned(), |signal| {
        format!("was killed by {}", assay_process::signal_name(signal))
    });
    let id = run.id();
    let failure =
        Failure::new(ExitCode::Interrupted, "engine-killed", format!("{who} {how}; its steps were stopped"))
            .help(format!("everything that had ended is kept in {}", cx.paths.shown(run.path())));
    // A journal that cannot be read is not what is to be told here.
    let servers = find::journal(cx, run).map(|journal| detached::running(&journal.state)).unwrap_or_default();
    let lines = detached::lines(id, &servers);
    let failure = lines.lines().fold(failure, |failure, line| failure.help(line));
    failure.next(format!("assay resume {id}"), "continues; finished steps are not repeated")
}

/// Tells a caller that waits for a detached run about its first event: from then on the run can be found.
struct Announcer {
    side: Option<EngineSide>,
    line: String,
}

impl Subscriber for Announcer {
    fn event(&mut self, _at: f64, _event: &Event) {
        if let Some(mut side) = self.side.take() {
            side.announce(&self.line);
        }
    }
}

/// The life of the engine's process.
fn engine(cx: &Cx, start: Start, doc: &PlanDoc, side: EngineSide) -> u8 {
    let (run, verb, report) = (start.run.clone(), start.verb, start.report);
    #[cfg(feature = "fault")]
    if let Some(spec) = cx.env.get(fault::VARIABLE)
        && let Err(problem) = fault::install(spec, &side)
    {
        return reply::finish(cx, verb, Err(Failure::new(ExitCode::Usage, "fault", problem)));
    }
    let only_checks = start.options.preflight_only;
    // The supervisor keeps the run locked until everything below it is dead.
    let held = side.link.hold("run", start.lock.as_fd());
    let kind = match (cx.console.json, start.detach, cx.console.live) {
        (true, false, _) => Kind::Quiet,
        _ if only_checks => Kind::Quiet,
        (false, false, true) => Kind::Live,
        _ => Kind::Plain,
    };
    // The streams of a detached run lead to a file, whatever those of its caller were.
    let color = cx.console.color_err && !start.detach;
    let (screen, subscriber) = Screen::open(kind, color, &run, doc);
    if kind != Kind::Quiet && start.journal.is_none() {
        let what = if doc.rehearsal { "rehearsal" } else { "run" };
        cx.console.err(&format!("{what} {} in {}\n", run.id(), cx.paths.shown(run.path())));
    }
    let mut subscribers: Vec<Box<dyn Subscriber>> = subscriber.into_iter().collect();
    let house = HouseIds {
        engine: side.engine.clone(),
        supervisor: Some(side.supervisor.clone()),
        front: Some(side.front.clone()),
        link: held.is_ok().then(|| side.link.clone()),
    };
    subscribers.push(Box::new(Announcer { side: Some(side), line: run.id().to_owned() }));
    let (lock, end) = execute_job(cx, start, house, subscribers);
    screen.close();
    let result = answer(cx, &run, end, report, only_checks);
    drop(lock);
    reply::finish(cx, verb, result)
}

fn execute_job(
    cx: &Cx,
    start: Start,
    house: HouseIds,
    subscribers: Vec<Box<dyn Subscriber>>,
) -> (RunLock, RunEnd) {
    let job = Job {
        plan: start.plan,
        digest: start.digest,
        sources: start.sources,
        inputs: start.inputs,
        caller_dir: start.caller_dir,
        head: cx.head(start.run.id()),
        run: start.run,
        runs_root: cx.paths.runs.clone(),
        state_dir: cx.paths.state.clone(),
        kept: vec![cx.paths.state.clone(), cx.paths.locks.clone(), cx.paths.cache.clone()],
        journal: start.journal,
        locks_dir: cx.paths.locks.clone(),
        env: cx.env.vars.clone(),
        registry: assay_steps::registry(),
        house,
        subscribers,
        renderer: Rc::new(Files),
        options: start.options,
    };
    (start.lock, execute(job))
}

/// What is to be said once the executor has ended.
fn answer(cx: &Cx, run: &RunDir, end: RunEnd, report: bool, only_checks: bool) -> Result<Reply, Failure> {
    let problem = |exit, problem: String| {
        Failure::new(exit, "engine", problem)
            .next(format!("assay status {}", run.id()), "shows what is recorded of the run")
    };
    let recorded = match (reports::read(cx, run), &end.problem) {
        (Ok(recorded), _) => recorded,
        (Err(_), Some(text)) => return Err(problem(end.exit, text.clone())),
        (Err(failure), None) => return Err(failure),
    };
    if report {
        let written = reports::write(run, &recorded);
        if let (Err(failure), None) = (written, &end.problem) {
            return Err(failure);
        }
    }
    match end.problem {
        Some(text) => Err(problem(end.exit, text)),
        None if only_checks => Ok(crate::verbs::preflight::found(cx, &recorded, end.exit)),
        None => Ok(verdict(cx, run, &recorded, end.exit)),
    }
}

/// The verdict of a run that nobody works on, as text and as data.
pub fn verdict(cx: &Cx, run: &RunDir, recorded: &Recorded, exit: ExitCode) -> Reply {
    let state = &recorded.journal.state;
    let phase = Phase::of(state, false);
    let look = Look { color: cx.console.color_out, width: cx.console.width() };
    let html = run.path().join("report.html");
    let report = html.is_file().then(|| cx.paths.shown(&html));
    let text = verdict::text(state, &recorded.plan, phase, report.as_deref(), look);
    let mut reply = Reply::new(exit, summary::of(cx, run, state, phase), text);
    reply.next = summary::next(run.id(), state, phase);
    reply.remarks = detached::lines(run.id(), &detached::running(state));
    reply
}
