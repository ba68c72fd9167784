//! Kernel tasks: whether a candidate is the same kernel as the baseline, and whether it is faster.
//!
//! A [`task`] fixes everything that must not move: the entry's signature, shapes, inputs, tolerances, timing. A [`case`] is the task
//! at one shape. Foreign code runs only in a [`worker`], a process of its own with memory that it shares with the judge; the
//! judge generates inputs, holds the oracle, and decides, gate after gate ([`verdict`]). This crate must not know workflows,
//! and must not print.

pub mod build;
pub mod case;
#[cfg(feature = "cuda")]
pub mod cuda;
pub mod dtype;
pub mod generate;
pub mod import;
pub mod judge;
pub mod layout;
pub mod ledger;
pub mod oracle;
pub mod ptx;
pub mod statics;
pub mod task;
pub mod timing;
pub mod tolerance;
pub mod verdict;
pub mod worker;
