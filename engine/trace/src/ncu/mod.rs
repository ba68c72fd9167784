//! What Nsight Compute says about single kernels: a digest of each, and where they stand in a trace.
//!
//! Reading is [`crate::read::ncu`]'s work. Numbers are ncu's own; what its table lacks is absent here.

mod digest;
mod join;
mod proposal;
mod units;

pub use crate::read::ncu::{Metric, NcuKernel, parse, read};
pub use digest::{Digest, Limiter, Occupancy, Roofline, Side, Stall, digest};
pub use join::{Joined, MatchedBy, TraceKernel, join};
pub use proposal::{Proposal, proposal};
