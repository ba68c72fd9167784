//! Tree to manifest: every fault of the text in one go, each with its place and a way out.

mod calls;
mod context;
mod control;
mod document;
mod ends;
mod gates;
mod inputs;
mod outputs;
mod steps;
mod words;

pub use calls::called_names;
pub use context::Lower;
pub(crate) use context::{expected, is_meant, quoted_list};
pub(crate) use document::KINDS;
pub(crate) use ends::SIGNALS;
pub(crate) use gates::{ON_FAIL as GATE_ON_FAIL, VERDICTS};
pub(crate) use inputs::{FORMATS, TYPES as INPUT_TYPES};
pub(crate) use outputs::TYPES as OUTPUT_TYPES;
#[cfg(test)]
pub(crate) use steps::STEP_FIELDS;
pub(crate) use steps::{CHECK_WORDS, IN_CALLS, NO_PROCESS, NO_PROCESS_IN_CALLS, ON_FAIL};
pub(crate) use words::meant;

use crate::catalog::StepCatalog;
use crate::manifest::{Manifest, Origin};
use assay_diagnostics::{Diagnostic, Severity, SourceId};

/// A manifest with everything that was found wrong on the way to it.
#[derive(Debug)]
pub struct Lowered {
    /// The manifest, unless the text could not even be read as one.
    pub manifest: Option<Manifest>,
    /// The tree it was made from, if the text is YAML.
    pub tree: Option<assay_yaml::Node>,
    /// What was found.
    pub diagnostics: Vec<Diagnostic>,
}

impl Lowered {
    /// Whether anything found is an error.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

/// Reads `text` as a manifest, within the limits of the language.
pub fn lower(source: SourceId, text: &str, origin: Origin, catalog: &StepCatalog) -> Lowered {
    lower_within(&assay_yaml::Limits::default(), source, text, origin, catalog)
}

/// Reads `text` as a manifest, for those who look at foreign text and have less time than a run.
pub fn lower_within(
    limits: &assay_yaml::Limits,
    source: SourceId,
    text: &str,
    origin: Origin,
    catalog: &StepCatalog,
) -> Lowered {
    let parsed = assay_yaml::parse(source, text, limits);
    let mut cx = Lower::new(source, text, catalog);
    cx.left = context::Left::of(limits);
    cx.diagnostics = parsed.diagnostics;
    let tree = parsed.root;
    let manifest = tree.as_ref().and_then(|root| document::lower_document(&mut cx, root, origin));
    Lowered { manifest, tree, diagnostics: cx.diagnostics }
}
