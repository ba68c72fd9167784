//! Views: what a trace shows, each one plain struct with a schema. Rendering is another crate's work.
//!
//! One view is one file: the struct, `build`, and its tests.

pub mod answer;
pub mod devices;
pub mod diff;
pub mod flame;
pub mod integrity;
pub mod kernels;
pub mod ranks;
pub mod roofline;
pub mod steps;
