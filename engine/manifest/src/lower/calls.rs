//! Which other manifests a manifest calls.

use crate::manifest::{At, Manifest, Uses};

/// Names called by `uses: skill:<name>`, with their places, in order, repeats included.
pub fn called_names(manifest: &Manifest) -> impl Iterator<Item = At<&str>> {
    manifest.steps.iter().chain(&manifest.finally).filter_map(|step| match &step.uses.value {
        Uses::Call(name) => Some(At { value: name.as_str(), span: step.uses.span }),
        Uses::Kind(_) => None,
    })
}
