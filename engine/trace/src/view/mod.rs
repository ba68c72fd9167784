//! Views: what a trace shows, each one plain struct with a schema. Rendering is another crate's work.
//!
//! One view is one file, or one folder where it has parts: the struct, `build`, and its tests.

pub mod account;
pub mod answer;
pub mod devices;
pub mod diff;
pub mod flame;
pub mod flow;
pub mod fuse;
pub mod integrity;
pub mod kernels;
pub mod launches;
pub mod layer_diff;
pub mod layers;
pub mod ncu;
pub mod overlap;
pub mod passes;
pub mod ranks;
pub mod roofline;
pub mod steps;

mod replays;
#[cfg(test)]
mod tiny;
mod waits;
