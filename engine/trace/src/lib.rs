//! Profiler traces to tables, and a generator of traces with known truth.

pub mod generate;
