//! Finding a run and reading its records; every way in which that fails has its exit code.

use crate::context::Cx;
use crate::fail::Failure;
use assay_protocol::{ExitCode, PlanDoc, ProcessIdentity, RunState};
use assay_store::{FindError, Journal, JournalError, RunDir};

/// Largest `plan.json` that is read, in bytes.
const PLAN_MAX: u64 = 256 << 20;
/// Candidates that are listed for an ambiguous prefix.
const SHOWN: usize = 10;

/// The run that `wanted` names: `latest`, a unique prefix of its id or folder, or a path.
pub fn run(cx: &Cx, wanted: &str) -> Result<RunDir, Failure> {
    // A path starts at the snapshot's directory, like everything else.
    let wanted = match wanted == "." || wanted.contains('/') {
        true => cx.paths.cwd.join(wanted).to_string_lossy().into_owned(),
        false => wanted.to_owned(),
    };
    let path = assay_store::find(&cx.paths.runs, &wanted).map_err(|error| unknown(cx, error))?;
    Ok(RunDir::open(&path)?)
}

fn unknown(cx: &Cx, error: FindError) -> Failure {
    let message = error.to_string();
    let failure = Failure::new(ExitCode::UnknownRun, "unknown-run", message);
    match error {
        FindError::Unknown { .. } => failure
            .help(format!("runs are looked for in `{}`", cx.paths.shown(&cx.paths.runs)))
            .help("use another folder with `--runs-dir` or `ASSAY_RUNS`")
            .next("assay list runs", "shows the runs that are there"),
        FindError::Ambiguous { candidates, .. } => {
            let more = candidates.len().saturating_sub(SHOWN);
            let failure = candidates.iter().take(SHOWN).fold(failure, |failure, folder| failure.help(folder));
            let failure = if more > 0 { failure.help(format!("and {more} more")) } else { failure };
            failure.help("give more characters, or `latest`")
        }
        FindError::Store(error) => error.into(),
    }
}

/// The records of a run, checked.
pub fn journal(cx: &Cx, run: &RunDir) -> Result<Journal, Failure> {
    assay_store::read(run, &cx.head(run.id())).map_err(|error| refused(&error))
}

fn refused(error: &JournalError) -> Failure {
    let (exit, code, help) = match error {
        JournalError::Missing { .. } => (ExitCode::UnknownRun, "unknown-run", "name another run"),
        JournalError::Corrupt { .. } | JournalError::Tampered { .. } => (
            ExitCode::Unfair,
            "tampered",
            "this run is no evidence any more; look into its folder, then start a new run",
        ),
        JournalError::Newer { .. } => {
            (ExitCode::Incompatible, "newer-format", "use the version of Assay that wrote it, or a newer one")
        }
        JournalError::Store(_) => (ExitCode::Internal, "store", "the run's folder must be readable"),
    };
    Failure::new(exit, code, error.to_string()).help(help)
}

/// The recorded plan.
pub fn plan(run: &RunDir) -> Result<PlanDoc, Failure> {
    let bytes = run.read("plan.json", PLAN_MAX)?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Failure::new(ExitCode::Unfair, "damaged-plan", format!("`plan.json` of the run is damaged: {error}"))
            .help("the journal is still there; start a new run to get a whole record")
    })
}

/// Who works on the run now, as far as its lock tells.
pub fn worker(run: &RunDir) -> Result<Option<Option<ProcessIdentity>>, Failure> {
    Ok(assay_store::holder(run)?)
}

/// Somebody works on the run.
pub fn locked(run: &RunDir, by: Option<&ProcessIdentity>) -> Failure {
    let who = by.map(|by| format!(" (pid {})", by.pid)).unwrap_or_default();
    let id = run.id();
    Failure::new(ExitCode::Locked, "locked", format!("another process works on run `{id}`{who}"))
        .next(format!("assay wait {id} --for 90s"), "waits for its end")
        .next(format!("assay cancel {id}"), "stops it; it can be resumed")
}

/// The step that `wanted` names: its path, or a unique end of it.
pub fn step<'a>(state: &'a RunState, wanted: &str) -> Result<&'a str, Failure> {
    let all = || state.nodes.keys().chain(state.gates.keys()).chain(state.checks.keys()).map(String::as_str);
    if let Some(exact) = all().find(|path| *path == wanted) {
        return Ok(exact);
    }
    let ends: Vec<&str> = all().filter(|path| path.ends_with(&format!("/{wanted}"))).collect();
    if let [one] = ends.as_slice() {
        return Ok(one);
    }
    let failure = Failure::new(ExitCode::Nothing, "unknown-step", format!("no step `{wanted}` is recorded"));
    if !ends.is_empty() {
        return Err(ends
            .iter()
            .take(SHOWN)
            .fold(failure, |failure, path| failure.help(format!("it could be `{path}`"))));
    }
    Err(match assay_diagnostics::did_you_mean(wanted, all()) {
        Some(near) => failure.help(format!("did you mean `{near}`?")),
        None => failure
            .help("a step is recorded once it was started, skipped or blocked; instances are `step[key]`"),
    })
}
