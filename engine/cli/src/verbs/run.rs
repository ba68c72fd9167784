//! `assay run`: a new run of a workflow or a skill.

use crate::context::Cx;
use crate::engine::{self, Start};
use crate::fail::Failure;
use crate::format::Clock;
use crate::inputs::{self, Given};
use crate::load::{self, Ready};
use crate::phase::Phase;
use crate::reply::Reply;
use crate::{find, outlook, reports, summary};
use assay_manifest::Manifest;
use assay_manifest::expr::MapScope;
use assay_protocol::{ExitCode, ValueMap};
use assay_store::RunDir;
use clap::Args;

/// Earlier runs that `--once` looks at, newest first.
const LOOKED_AT: usize = 200;

/// Options of `run`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  assay run quickstart\n  assay run ./skills/my-check -i count=10 -i source=./kernels\n  assay run nightly --inputs nightly.yaml --detach --json\n  assay run serving --rehearse                the whole workflow without a GPU\n\nThe exit code says who must act next; `assay explain exit-codes` lists them."
)]
pub struct Options {
    /// Name or path of a workflow or skill
    pub workflow: String,
    /// Where inputs come from.
    #[command(flatten)]
    pub given: Given,
    /// Run in the background; prints the run's id and returns
    #[arg(long)]
    pub detach: bool,
    /// Walk through conditions and loops with made-up results; nothing is started
    #[arg(long, conflicts_with = "detach")]
    pub dry_run: bool,
    /// CPU slots to hand out [default: the host's cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub cpus: Option<u32>,
    /// If a run of the same manifest with the same inputs exists, answer with that one
    #[arg(long)]
    pub once: bool,
    /// Rehearse: servers with an `adapter` are simulated, no GPU is leased, and nothing counts as a measurement
    #[arg(long, conflicts_with = "dry_run")]
    pub rehearse: bool,
    /// Write no reports at the end; `assay report` does it later
    #[arg(long)]
    pub no_report: bool,
}

/// Runs the verb.
pub fn run(cx: &Cx, options: Options) -> Result<Reply, Failure> {
    let catalog = assay_steps::registry().catalog();
    let ready = load::manifest(cx, &catalog, &options.workflow, &cx.paths.cwd)?;
    let inputs = inputs::resolved(cx, &ready.plan.manifest, &options.given, &cx.paths.cwd)?;
    if !cx.console.json {
        cx.console.err(&ready.drawn);
    }
    if options.dry_run {
        return Ok(super::plan::dry_run(cx, &ready, &inputs));
    }
    if options.once
        && let Some(reply) = existing(cx, &ready, &inputs, options.rehearse)?
    {
        return Ok(reply);
    }
    start(cx, ready, inputs, &options)
}

fn start(cx: &Cx, ready: Ready, inputs: ValueMap, options: &Options) -> Result<Reply, Failure> {
    let manifest = &ready.plan.manifest;
    let slug = slug(manifest, &outlook::known(&ready.plan, &inputs))?;
    let today = Clock::system().today();
    let run = RunDir::create(&cx.paths.runs, slug.as_deref(), &manifest.name.value, &today)?;
    let lock = engine::lock(&run)?;
    engine::work(
        cx,
        Start {
            verb: "run",
            plan: ready.plan,
            digest: ready.digest,
            sources: ready.sources,
            inputs,
            caller_dir: cx.paths.cwd.clone(),
            run,
            lock,
            journal: None,
            options: engine::Options {
                cpus: options.cpus,
                rehearsal: options.rehearse,
                ..engine::Options::default()
            },
            detach: options.detach,
            report: !options.no_report,
        },
    )
}

fn slug(manifest: &Manifest, scope: &MapScope) -> Result<Option<String>, Failure> {
    let Some(slug) = &manifest.slug else { return Ok(None) };
    slug.template.render_text(scope).map(Some).map_err(|error| {
        Failure::new(ExitCode::InvalidManifest, "invalid-slug", format!("`slug` cannot be rendered: {error}"))
            .help("only `inputs` and `skill` are known when the run's folder gets its name")
    })
}

/// The newest run of the same texts with the same inputs.
fn existing(cx: &Cx, ready: &Ready, inputs: &ValueMap, rehearsal: bool) -> Result<Option<Reply>, Failure> {
    for entry in assay_store::list(&cx.paths.runs)?.into_iter().take(LOOKED_AT) {
        let run = RunDir::open(&entry.path)?;
        let Ok(plan) = find::plan(&run) else { continue };
        if plan.digest != ready.digest || plan.inputs != *inputs || plan.rehearsal != rehearsal {
            continue;
        }
        let working = find::worker(&run)?.is_some();
        let recorded = reports::read(cx, &run)?;
        let state = &recorded.journal.state;
        let phase = Phase::of(state, working);
        if let Phase::Finished(exit) = phase {
            return Ok(Some(engine::verdict(cx, &run, &recorded, exit)));
        }
        let text = format!("{} {}\n", run.id(), phase.word());
        let mut reply = Reply::new(phase.exit(state), summary::of(cx, &run, state, phase), text);
        reply.next = summary::next(run.id(), state, phase);
        return Ok(Some(reply));
    }
    Ok(None)
}
