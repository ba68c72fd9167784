//! `assay list`: what can be run and where it comes from; also runs, step types, adapters and rules.

use crate::console::{Tone, paint};
use crate::context::Cx;
use crate::fail::Failure;
use crate::format::one_line;
use crate::library::{Listed, Shelves};
use crate::phase::Phase;
use crate::reply::Reply;
use crate::{find, reports};
use assay_diagnostics::Sources;
use assay_lint::Family;
use assay_protocol::{ExitCode, Value};
use assay_store::RunDir;
use assay_yaml::{Limits, parse};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use serde_json::json;

/// Runs that are listed.
const RUNS: usize = 20;

/// Options of `list`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  assay list\n  assay list runs\n  assay list steps --json\n  assay list adapters\n  assay list rules --family safety"
)]
pub struct Options {
    /// What to list
    #[arg(value_enum, default_value = "skills")]
    pub what: What,
    /// Only the rules of one family
    #[arg(long, value_name = "FAMILY", value_parser = family_parser())]
    pub family: Option<Family>,
}

fn family_parser() -> impl TypedValueParser<Value = Family> {
    PossibleValuesParser::new(Family::ALL.map(Family::word))
        .map(|word| Family::ALL.into_iter().find(|family| family.word() == word).unwrap_or(Family::Language))
}

/// What to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// Skills and workflows, in the order in which they are looked for.
    Skills,
    /// The last runs, newest first.
    Runs,
    /// Step types and checks.
    Steps,
    /// Inference frameworks that `server` can launch, and how each was checked.
    Adapters,
    /// Rules of `assay lint`.
    Rules,
}

/// Runs the verb.
pub fn run(cx: &Cx, options: Options) -> Result<Reply, Failure> {
    if options.family.is_some() && options.what != What::Rules {
        let failure = Failure::usage("only rules have families");
        return Err(failure.next("assay list rules", "lists them by family"));
    }
    match options.what {
        What::Skills => Ok(skills(cx)),
        What::Runs => runs(cx),
        What::Steps => Ok(steps()),
        What::Adapters => adapters(),
        What::Rules => Ok(rules(options.family)),
    }
}

fn adapters() -> Result<Reply, Failure> {
    let (text, data) = crate::adapters::list()?;
    Ok(Reply::ok(data, text)
        .next("assay explain adapter-<name>", "shows its flags, readiness, failures and evidence"))
}

fn rules(family: Option<Family>) -> Reply {
    let (text, data) = crate::lint::manual::list(family);
    Reply::ok(data, text).next("assay explain <rule>", "says what it finds, why, and how to mend it")
}

/// What a manifest says of itself at its top.
struct Head {
    kind: String,
    version: String,
    description: String,
}

fn head(listed: &Listed) -> Head {
    let text = match &listed.text {
        Ok(text) => text,
        Err(why) => return Head { kind: "?".to_owned(), version: "-".to_owned(), description: why.clone() },
    };
    let source = Sources::new().add(listed.shown.as_str(), text.as_str());
    let root = parse(source, text, &Limits::default()).root.map(|root| root.to_json()).unwrap_or_default();
    let field = |name: &str, otherwise: &str| {
        root.get(name)
            .and_then(Value::as_str)
            .map_or_else(|| otherwise.to_owned(), |text| one_line(text, 300))
    };
    Head {
        kind: field("kind", "?"),
        version: field("version", "-"),
        description: field("description", "cannot be read; `assay plan` says why"),
    }
}

fn skills(cx: &Cx) -> Reply {
    let listed = Shelves::new(&cx.paths, &cx.paths.cwd).list();
    let heads: Vec<(Listed, Head)> = listed
        .into_iter()
        .map(|one| {
            let head = head(&one);
            (one, head)
        })
        .collect();
    let width = heads.iter().map(|(listed, _)| listed.name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (listed, head) in &heads {
        let shadowed = if listed.shadowed { " (shadowed by the one above)" } else { "" };
        let from = match listed.place {
            "builtin" => "built in".to_owned(),
            _ => listed.shown.clone(),
        };
        let line =
            format!("{:<width$}  {:<8}  {:<8}  {from}{shadowed}", listed.name, head.kind, head.version);
        let tone = if listed.shadowed { Tone::Quiet } else { Tone::Strong };
        text.push_str(&format!("{}\n", paint(cx.console.color_out, tone, &line)));
        text.push_str(&format!("{:<width$}  {}\n", "", head.description));
    }
    let data: Vec<Value> = heads
        .iter()
        .map(|(listed, head)| {
            json!({"name": listed.name, "kind": head.kind, "version": head.version, "description": head.description,
                "from": listed.place, "file": listed.shown, "shadowed": listed.shadowed})
        })
        .collect();
    Reply::ok(Value::Array(data), text).next("assay plan <name>", "shows its steps and inputs")
}

fn runs(cx: &Cx) -> Result<Reply, Failure> {
    let entries = assay_store::list(&cx.paths.runs)?;
    let (mut text, mut data) = (String::new(), Vec::new());
    for entry in entries.iter().take(RUNS) {
        let (word, exit, name) = stands(cx, &entry.path);
        text.push_str(&format!("{:<10}  {:<12}  {:<17}  {name}\n", entry.id, word, exit));
        data.push(
            json!({"run": entry.id, "folder": entry.folder, "state": word, "exit_name": exit, "name": name}),
        );
    }
    if entries.is_empty() {
        return Err(Failure::new(
            ExitCode::Nothing,
            "no-runs",
            format!("there are no runs in `{}`", cx.paths.shown(&cx.paths.runs)),
        )
        .next("assay run quickstart", "makes a first one"));
    }
    if entries.len() > RUNS {
        text.push_str(&format!("and {} more in {}\n", entries.len() - RUNS, cx.paths.shown(&cx.paths.runs)));
    }
    Ok(Reply::ok(json!({"runs": data, "total": entries.len()}), text))
}

/// State, exit name and manifest of a run; a damaged run is listed with what is wrong.
fn stands(cx: &Cx, path: &std::path::Path) -> (&'static str, &'static str, String) {
    let look = || -> Result<_, Failure> {
        let run = RunDir::open(path)?;
        let working = find::worker(&run)?.is_some();
        let recorded = reports::read(cx, &run)?;
        let phase = Phase::of(&recorded.journal.state, working);
        let mark = if recorded.plan.rehearsal { " (rehearsal)" } else { "" };
        let name = format!("{}{mark}", recorded.plan.name);
        Ok((phase.word(), phase.exit(&recorded.journal.state).name(), name))
    };
    look().unwrap_or_else(|failure| ("unreadable", failure.exit.name(), failure.message))
}

fn steps() -> Reply {
    let catalog = assay_steps::registry().catalog();
    let mut text = String::from("step types\n");
    for kind in catalog.steps.values() {
        text.push_str(&format!("  {:<12}  {}\n", kind.name, kind.summary));
    }
    text.push_str("checks\n");
    for kind in catalog.checks.values() {
        text.push_str(&format!("  {:<12}  {}\n", kind.name, kind.summary));
    }
    let of = |kinds: Vec<&assay_manifest::Kind>| -> Vec<Value> {
        kinds.iter().map(|kind| json!({"name": kind.name, "summary": kind.summary})).collect()
    };
    let data = json!({"steps": of(catalog.steps.values().collect()), "checks": of(catalog.checks.values().collect())});
    Reply::ok(data, text).next("assay explain <name>", "shows its configuration, outputs and an example")
}
