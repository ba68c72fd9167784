//! Who looks on while blocks are timed, and what may end a measurement.

use super::clock::Mismatch;
use super::schedule::Sample;
use crate::worker::{Arena, Blocked, End};
use assay_stats::Side;
use std::io;

/// Who looks at outputs of timed calls.
pub trait Watch {
    /// Why it stops the measurement.
    type Stop;

    /// Fills all sets of a shape, at the beginning of each process pair.
    fn begin(&mut self, shape: usize, arena: &mut Arena) -> Result<(), Self::Stop>;

    /// Changes data for a sample.
    fn prepare(&mut self, sample: &Sample, arena: &mut Arena) -> Result<(), Self::Stop>;

    /// Makes the outputs of the sets that a sample uses unusable, before each side's block.
    fn poison(&mut self, sample: &Sample, arena: &mut Arena);

    /// Looks at a block that came back.
    fn look(
        &mut self,
        side: Side,
        sample: &Sample,
        arena: &Arena,
        blocked: &Blocked,
    ) -> Result<(), Self::Stop>;

    /// Gives the inputs of all sets data that no call has seen; `false` where there is nothing to change.
    fn renew(&mut self, seed: u64, arena: &mut Arena) -> bool;

    /// Looks at a block of the candidate on such data.
    fn look_renewed(&mut self, sample: &Sample, arena: &Arena, blocked: &Blocked) -> Result<(), Self::Stop>;

    /// Hears that a sample is done.
    fn done(&mut self);

    /// Hears that both workers of a process pair are warm.
    fn warm(&mut self) {}

    /// Why the process pair that is at its end cannot be counted: something disturbed the device.
    fn disturbed(&mut self) -> Option<String> {
        None
    }
}

/// Why a measurement ends early.
#[derive(Debug)]
pub enum Trouble<S> {
    /// The watch stops it.
    Stop(S),
    /// The candidate's clock cannot be believed.
    Clock {
        /// What is wrong.
        mismatch: Mismatch,
    },
    /// Work goes on when the caller's stream is done.
    Escape {
        /// What was seen.
        mismatch: Mismatch,
    },
    /// Every attempt at a process pair was disturbed.
    Disturbed {
        /// By what, the last time.
        why: String,
    },
    /// Hardly a pair of blocks can be believed.
    Few {
        /// The shape.
        shape: usize,
        /// Pairs that count.
        counted: usize,
        /// Pairs that were taken.
        of: usize,
    },
    /// A worker is no more.
    End {
        /// Whose.
        side: Side,
        /// The shape, if it was at one.
        shape: Option<usize>,
        /// How.
        end: End,
    },
    /// Memory for a shape cannot be had.
    Memory {
        /// The shape.
        shape: usize,
        /// The system's reason.
        source: io::Error,
    },
}
