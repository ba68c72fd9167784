//! Parts of `assay bench`: its options, what it shows while it runs, and what it answers.

pub mod options;
pub mod output;
pub mod screen;
