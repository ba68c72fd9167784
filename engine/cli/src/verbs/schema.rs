//! `assay schema`: JSON Schemas of manifests, configurations, input files and machine formats.

use crate::context::Cx;
use crate::fail::Failure;
use crate::load;
use crate::reply::Reply;
use crate::schemas::KINDS;
use assay_manifest::{Kind, StepCatalog, schema};
use assay_protocol::{ExitCode, Value};
use clap::Args;
use serde_json::json;

/// Options of `schema`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  assay schema                          lists the kinds\n  assay schema manifest > schemas/manifest.schema.json\n  assay schema step:command             what stands under `with` of a step type\n  assay schema check:gpu_idle           the same of a check\n  assay schema inputs:quickstart        a file for `assay run quickstart --inputs`\n\nAn editor with a YAML language server completes and checks a manifest whose first line names the schema, from the\nmanifest's folder on:\n  # yaml-language-server: $schema=../../schemas/manifest.schema.json"
)]
pub struct Options {
    /// The kind; without it the kinds are listed
    pub kind: Option<String>,
}

/// Runs the verb.
pub fn run(cx: &Cx, options: Options) -> Result<Reply, Failure> {
    let catalog = assay_steps::registry().catalog();
    let Some(wanted) = options.kind else { return Ok(list(&catalog)) };
    let schema = match wanted.strip_prefix("inputs:") {
        Some(name) => {
            let ready = load::manifest(cx, &catalog, name, &cx.paths.cwd)?;
            schema::inputs(&ready.plan.manifest)
        }
        None => find(&wanted, &catalog).ok_or_else(|| unknown(&wanted, &catalog))?,
    };
    let text = format!("{schema:#}\n");
    Ok(Reply::ok(json!({"kind": wanted, "schema": schema}), text))
}

fn find(wanted: &str, catalog: &StepCatalog) -> Option<Value> {
    let kind = KINDS.iter().find(|kind| kind.name == wanted);
    kind.map(|kind| (kind.make)(catalog)).or_else(|| {
        let (_, kind) = types(catalog).find(|(name, _)| name == wanted)?;
        Some(schema::configuration(kind))
    })
}

/// Step types and checks under the names that they have here.
fn types(catalog: &StepCatalog) -> impl Iterator<Item = (String, &Kind)> {
    let named = |prefix: &'static str| move |kind| (named(prefix, kind), kind);
    fn named(prefix: &str, kind: &Kind) -> String {
        format!("{prefix}:{}", kind.name)
    }
    catalog.steps.values().map(named("step")).chain(catalog.checks.values().map(named("check")))
}

fn list(catalog: &StepCatalog) -> Reply {
    let fixed = KINDS.iter().map(|kind| {
        let file = kind.kept.then(|| format!("schemas/{}.schema.json", kind.name));
        (kind.name.to_owned(), kind.summary.to_owned(), file)
    });
    let of_types = types(catalog)
        .map(|(name, kind)| (name, format!("`with` of `{}`: {}", kind.name, kind.summary), None));
    let inputs =
        ("inputs:<manifest>".to_owned(), "A file with inputs of a skill or a workflow".to_owned(), None);
    let kinds: Vec<_> = fixed.chain(of_types).chain([inputs]).collect();
    let width = kinds.iter().map(|(name, ..)| name.len()).max().unwrap_or(0);
    let text: String =
        kinds.iter().map(|(name, summary, _)| format!("{name:<width$}  {summary}\n")).collect();
    let data: Vec<Value> = kinds
        .iter()
        .map(|(name, summary, file)| json!({"name": name, "summary": summary, "file": file}))
        .collect();
    Reply::ok(json!({"kinds": data}), text).next("assay schema manifest", "prints the schema of a manifest")
}

fn unknown(wanted: &str, catalog: &StepCatalog) -> Failure {
    let failure =
        Failure::new(ExitCode::Nothing, "unknown-schema", format!("there is no schema of kind `{wanted}`"));
    let known: Vec<String> =
        KINDS.iter().map(|kind| kind.name.to_owned()).chain(types(catalog).map(|(name, _)| name)).collect();
    // Somebody who asks for `command` means the step type.
    let bare = known.iter().find(|name| name.split_once(':').is_some_and(|(_, name)| name == wanted));
    let near = bare.map(String::as_str);
    let near = near.or_else(|| assay_diagnostics::did_you_mean(wanted, known.iter().map(String::as_str)));
    match near {
        Some(near) => failure.help(format!("did you mean `{near}`?")),
        None => failure.help(
            "kinds: a document such as `manifest`, `step:<type>`, `check:<type>` or `inputs:<manifest>`",
        ),
    }
    .next("assay schema", "lists the kinds")
}
