//! Torch-profiler traces to tables.

pub mod fuse;
pub mod name;
