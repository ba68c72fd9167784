//! From the name of a manifest to its plan, with everything that is wrong in one go.

use crate::context::Cx;
use crate::fail::Failure;
use crate::library::Shelves;
use assay_diagnostics::{Severity, Sources, did_you_mean, render};
use assay_manifest::StepCatalog;
use assay_plan::{Loaded, ManifestPlan, NotFound, load};
use assay_protocol::{ExitCode, Finding, PlanDoc};
use std::path::Path;
use std::rc::Rc;

/// A manifest that can be run.
#[derive(Debug)]
pub struct Ready {
    /// Its plan.
    pub plan: Rc<ManifestPlan>,
    /// Digest over all its texts.
    pub digest: String,
    /// The texts, for places in messages.
    pub sources: Sources,
    /// Warnings drawn for people.
    pub drawn: String,
    /// Warnings for machines.
    pub findings: Vec<Finding>,
}

/// Loads the manifest that `wanted` names. Relative names start at `base`.
pub fn manifest(cx: &Cx, catalog: &StepCatalog, wanted: &str, base: &Path) -> Result<Ready, Failure> {
    let shelves = Shelves::new(&cx.paths, base);
    let found = shelves.named(wanted).map_err(|missing| not_found(wanted, &missing))?;
    let shown = found.shown.clone();
    let mut sources = Sources::new();
    let loaded = load(found, &shelves, catalog, &mut sources);
    let drawn = match loaded.diagnostics.is_empty() {
        true => String::new(),
        false => render::text(&loaded.diagnostics, &sources, cx.console.color_err),
    };
    let findings = render::json(&loaded.diagnostics, &sources);
    let digest = loaded.digest();
    match loaded.plan {
        Some(plan) => Ok(Ready { plan, digest, sources, drawn, findings }),
        None => Err(invalid(&shown, &loaded, drawn, findings)),
    }
}

fn invalid(shown: &str, loaded: &Loaded, drawn: String, findings: Vec<Finding>) -> Failure {
    let errors = loaded.diagnostics.iter().filter(|found| found.severity == Severity::Error).count();
    let many = if errors == 1 { "1 error".to_owned() } else { format!("{errors} errors") };
    let message = format!("`{shown}` cannot be used: {many}");
    Failure { drawn, findings, ..Failure::new(ExitCode::InvalidManifest, "invalid-manifest", message) }
}

fn not_found(wanted: &str, missing: &NotFound) -> Failure {
    let failure = Failure::new(ExitCode::Nothing, "unknown-manifest", missing.why.clone());
    let failure = match did_you_mean(wanted, missing.known.iter().map(String::as_str)) {
        Some(near) => failure.help(format!("did you mean `{near}`?")),
        None => failure,
    };
    failure.next("assay list", "shows what can be run and where it comes from")
}

/// The digest that the manifests of a recorded plan have now, read again but not parsed; `None` if one is gone.
pub fn digest_now(cx: &Cx, doc: &PlanDoc, base: &Path) -> Option<String> {
    let shelves = Shelves::new(&cx.paths, base);
    let mut texts: Vec<(String, String)> = Vec::new();
    collect(&shelves, doc, &mut texts)?;
    Some(Loaded { plan: None, diagnostics: Vec::new(), texts }.digest())
}

/// In the order in which the loader reads them: each file once, a caller before what it calls.
fn collect(shelves: &Shelves<'_>, doc: &PlanDoc, texts: &mut Vec<(String, String)>) -> Option<()> {
    if texts.iter().any(|(file, _)| *file == doc.file) {
        return Some(());
    }
    texts.push((doc.file.clone(), shelves.text_of(&doc.file)?));
    doc.nodes
        .iter()
        .filter_map(|node| node.call.as_deref())
        .try_for_each(|call| collect(shelves, call, texts))
}
