//! What `assay lint` does around the rules: which files, in parallel, with which configuration.

mod all;
mod files;
pub mod manual;
mod settings;

pub use all::{Checked, check};
pub use files::collect;
pub use settings::{Settings, settings};
