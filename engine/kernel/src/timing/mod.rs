//! Whether the candidate is faster: blocks of calls of both sides in random order, in two workers, with outputs checked inside.
//!
//! Time is the wall clock of the worker around a block, bracketed by the judge's own. Must not decide whether a candidate is right
//! in general; it only refuses one whose timed outputs are wrong.

mod blocks;
pub mod clock;
mod cpu;
pub mod decide;
mod escape;
pub mod estimate;
pub mod measure;
pub mod schedule;
pub mod shape;
pub mod watch;

pub(crate) use cpu::CpuClock;
