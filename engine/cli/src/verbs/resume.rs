//! `assay resume`: continue a run after a failure, an interruption or a crash.

use crate::context::Cx;
use crate::engine::{self, Start};
use crate::fail::Failure;
use crate::phase::Phase;
use crate::reply::Reply;
use crate::reports::{self, Recorded};
use crate::{find, inputs, load};
use assay_protocol::{ExitCode, PlanDoc, RunState, ValueMap};
use assay_store::{RunDir, RunLock};
use clap::Args;
use std::path::{Path, PathBuf};

/// Options of `resume`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  assay resume latest\n  assay resume k3f --from build\n  assay plan k3f                what a resume would do, and why"
)]
pub struct Options {
    /// Run: unique prefix of its id, `latest`, or its folder
    pub run: String,
    /// Also run this step again, and what depends on it; may be given several times
    #[arg(long, value_name = "STEP")]
    pub from: Vec<String>,
    /// Run only what failed and what was blocked by it, even if the manifest changed
    #[arg(long, conflicts_with = "from")]
    pub only_failed: bool,
    /// CPU slots to hand out [default: the host's cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub cpus: Option<u32>,
    /// Run in the background; prints the run's id and returns
    #[arg(long)]
    pub detach: bool,
    /// Write no reports at the end
    #[arg(long)]
    pub no_report: bool,
}

/// Runs the verb.
pub fn run(cx: &Cx, options: Options) -> Result<Reply, Failure> {
    let run = find::run(cx, &options.run)?;
    let lock = engine::lock(&run)?;
    let recorded = reports::read(cx, &run)?;
    let how = How {
        verb: "resume",
        options: engine::Options {
            cpus: options.cpus,
            only_failed: options.only_failed,
            from: options
                .from
                .iter()
                .map(|step| find::step(&recorded.journal.state, step).map(str::to_owned))
                .collect::<Result<_, _>>()?,
            ..engine::Options::default()
        },
        detach: options.detach,
        report: !options.no_report,
    };
    if options.from.is_empty()
        && let Some(exit) = complete(cx, &recorded)
    {
        return Ok(engine::verdict(cx, &run, &recorded, exit));
    }
    proceed(cx, run, lock, recorded, how)
}

/// How to continue.
pub struct How {
    /// The verb that asked for it.
    pub verb: &'static str,
    /// Options of the executor.
    pub options: engine::Options,
    /// In the background.
    pub detach: bool,
    /// Write reports at the end.
    pub report: bool,
}

/// Continues a run from its records.
pub fn proceed(cx: &Cx, run: RunDir, lock: RunLock, recorded: Recorded, how: How) -> Result<Reply, Failure> {
    let origin = Origin::of(cx, &recorded);
    let catalog = assay_steps::registry().catalog();
    let base = origin.caller_dir.as_path();
    let ready = load::manifest(cx, &catalog, &origin.manifest, base)?;
    // What began as a rehearsal never becomes a real run, nor the other way round.
    let rehearsal = recorded.journal.state.is_rehearsal() || recorded.plan.rehearsal;
    let inputs = inputs::recorded(&ready.plan.manifest, &origin.inputs, base)?;
    if !cx.console.json {
        cx.console.err(&ready.drawn);
    }
    engine::work(
        cx,
        Start {
            verb: how.verb,
            plan: ready.plan,
            digest: ready.digest,
            sources: ready.sources,
            inputs,
            caller_dir: origin.caller_dir,
            run,
            lock,
            journal: Some(recorded.journal),
            options: engine::Options { rehearsal, ..how.options },
            detach: how.detach,
            report: how.report,
        },
    )
}

/// Where a run comes from.
struct Origin {
    manifest: String,
    caller_dir: PathBuf,
    inputs: ValueMap,
}

impl Origin {
    /// From the first record. A run that was killed before it was written may have started steps all the same, so it goes on
    /// too: its plan says what was meant, and the inputs in it are complete.
    fn of(cx: &Cx, recorded: &Recorded) -> Self {
        match &recorded.journal.state.started {
            Some(started) => Self {
                manifest: started.manifest.clone(),
                caller_dir: PathBuf::from(&started.caller_dir),
                inputs: started.inputs.clone(),
            },
            None => Self {
                manifest: recorded.plan.file.clone(),
                caller_dir: cx.paths.cwd.clone(),
                inputs: recorded.plan.inputs.clone(),
            },
        }
    }
}

/// The exit code of a run that has nothing left to do: it ended well, its manifests are the same, and no file it read or
/// produced has to be looked at. Found without parsing a manifest, so that asking again costs little.
fn complete(cx: &Cx, recorded: &Recorded) -> Option<ExitCode> {
    let state = &recorded.journal.state;
    match Phase::of(state, false) {
        Phase::Finished(ExitCode::Ok) if !has_files(state) => {}
        _ => return None,
    }
    same_texts(cx, &recorded.plan, state).then_some(ExitCode::Ok)
}

fn has_files(state: &RunState) -> bool {
    let ends = state.nodes.values().filter_map(|node| node.finished.as_ref());
    let baselines = state.gates.values().any(|gate| !gate.decided.baselines.is_empty());
    let passed = state
        .nodes
        .values()
        .all(|node| node.finished.as_ref().is_some_and(|end| end.warned || end.status.satisfies_needs()));
    baselines
        || !passed
        || ends.into_iter().any(|end| {
            !end.reads.is_empty() || end.outputs.contains_key("files") || end.outputs_file.is_some()
        })
}

fn same_texts(cx: &Cx, plan: &PlanDoc, state: &RunState) -> bool {
    let Some(started) = &state.started else { return false };
    let recorded = state.sessions.last().map(|session| session.engine.digest.as_str());
    let now = load::digest_now(cx, plan, Path::new(&started.caller_dir));
    now.is_some() && now.as_deref() == recorded
}
