//! Renderers, one file each. They return text or data and never print.

mod excerpt;
mod json;
mod text;

pub use json::json;
pub use text::text;

use crate::Diagnostic;

/// Diagnostics in the order a reader meets them: those without a place, then by source and position.
fn sorted(diagnostics: &[Diagnostic]) -> Vec<&Diagnostic> {
    let mut list: Vec<&Diagnostic> = diagnostics.iter().collect();
    list.sort_by_key(|diagnostic| diagnostic.primary().map(|span| (span.source, span.start, span.end)));
    list
}
