//! YAML text to a tree with spans: the only reader of YAML in Assay.
//!
//! One parse decides what a document means (YAML 1.2 core schema), so that lint and run never see different
//! documents. Every problem that does not stop the parse is reported in one go; limits stop hostile input early.
//! This crate must not know manifests: no field names, no meaning.

mod anchors;
mod bridge;
mod build;
mod decode;
mod duplicates;
mod format;
mod inner;
mod limits;
mod node;
mod offsets;
mod places;
mod scalar;
mod syntax;

pub use build::{Parsed, parse};
pub use decode::{NotUtf8, decode};
pub use format::{Comment, FormatError, FormatRules, comments, format};
pub use limits::Limits;
pub use node::{Key, Kind, Node, Style};
