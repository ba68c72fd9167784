//! What `assay lint` does around the rules: which files, in parallel, with which configuration, and what comes of it.

pub mod accepted;
mod all;
mod cache;
mod files;
pub mod fix;
pub mod manual;
pub mod output;
mod settings;

pub use all::{Checked, Look};
pub use cache::Cache;
pub use files::{STDIN, Target, collect, is_kernel_task, is_manifest, kernel_task, not_a_manifest};
pub use settings::{Settings, settings};
