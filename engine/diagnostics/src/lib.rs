//! One type for everything that Assay tells an author about a text: what, where, and the way out.
//!
//! Also the table of sources that the places refer to, and the renderers, one file each. This crate must not
//! find problems and must not print: it returns text and data.

mod diagnostic;
pub mod render;
mod source;
mod suggest;

pub use diagnostic::{Confidence, Diagnostic, Edit, Fix, Label, Severity};
pub use source::{SourceId, Sources, Span};
pub use suggest::did_you_mean;
