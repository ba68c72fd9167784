//! One type for everything that Assay tells an author about a text: what, where, and the way out.
//!
//! Also the table of sources that the places refer to, the renderers, one file each, and fixes applied to a text.
//! This crate must not find problems, must not read or write files and must not print: it returns text and data.

mod diagnostic;
mod edits;
mod fingerprint;
mod mask;
mod portable;
pub mod render;
#[cfg(test)]
mod sample;
mod source;
mod suggest;

pub use diagnostic::{Confidence, Diagnostic, Edit, Fix, Label, Severity};
pub use edits::{Applied, apply, diff};
pub use fingerprint::Fingerprints;
pub use mask::hidden;
pub use portable::{Portable, PortableFix, PortableText};
pub use source::{SourceId, Sources, Span};
pub use suggest::{did_you_mean, is_worth_suggesting};
