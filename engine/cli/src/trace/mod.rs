//! What `assay trace` does besides reading its options.

pub mod generate;
pub mod output;
