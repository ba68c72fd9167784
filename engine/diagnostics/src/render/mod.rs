//! Renderers, one file each. They return text or data and never print.

mod details;
mod excerpt;
mod github;
mod json;
mod junit;
mod sarif;
mod sarif_log;
mod text;

pub use github::github;
pub use json::json;
pub use junit::junit;
pub use sarif::{RuleDoc, Suppressed, Tool, sarif};
pub use sarif_log::{SarifLog, SuppressionKind};
pub use text::text;

use crate::Diagnostic;

/// Diagnostics in the order a reader meets them: those without a place, then by source and position.
fn sorted(diagnostics: &[Diagnostic]) -> Vec<&Diagnostic> {
    let mut list: Vec<&Diagnostic> = diagnostics.iter().collect();
    list.sort_by_key(|diagnostic| diagnostic.primary().map(|span| (span.source, span.start, span.end)));
    list
}
