//! Known fusions: which small kernels a framework can run as one, and whether a trace already does.
//!
//! The registry is data (`registry/*.yaml`, one file per framework); this module reads it and matches rows of a kernel
//! table against it. It must not know events or files of traces.

mod error;
mod format;
mod matching;
mod registry;
mod select;
mod token;

pub use error::RegistryError;
pub use format::{Entry, Example, ExampleRow, Expect, Field, RegistryFile, Status, VERSION, schema};
pub use matching::{
    Confidence, Context, Evidence, EvidenceField, Match, Outcome, Reason, Row, Skipped, match_rows,
};
pub use registry::Registry;
pub use token::Token;
