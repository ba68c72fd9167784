//! What outputs hold before a block: bytes that are no answer, or answers to other data. Whoever tells from an output that its work was
//! done before leaves the wrong one.

use super::{POOL, Timed};
use crate::case::Case;
use crate::judge::bench::POISON;
use crate::judge::data::Data;
use crate::timing::schedule::{SETS, Sample};
use crate::worker::Arena;
use rand::RngExt;

/// What outputs hold.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cover {
    /// This byte everywhere.
    Poison(u8),
    /// The right answers to the next data of the pool.
    Decoy,
}

/// The right answers to each data of a pool, as the outputs' memory holds them.
pub(super) fn decoys(case: &Case, pool: &[Data]) -> Vec<Vec<Vec<u8>>> {
    let of = |data: &Data| {
        let bytes = |(tensor, output): (usize, usize)| {
            let layout = &case.tensors[tensor].layout;
            let (mut values, mut bytes) = (data.expected[output].values.clone(), vec![0; layout.span()]);
            layout.dtype.round_all(&mut values);
            layout.write(&values, &mut bytes);
            bytes
        };
        case.outputs().enumerate().map(|(output, tensor)| bytes((tensor, output))).collect()
    };
    pool.iter().map(of).collect()
}

impl Timed<'_, '_> {
    /// Draws what the outputs of a sample hold, so that nobody can foresee it.
    pub(super) fn draw_cover(&mut self) {
        self.cover = match self.random.random_range(0..POISON.len() + 1) {
            at if at < POISON.len() => Cover::Poison(POISON[at]),
            _ => Cover::Decoy,
        };
    }

    /// Covers the outputs that a sample uses.
    pub(super) fn lay(&self, sample: &Sample, arena: &mut Arena) {
        for set in &sample.order[..sample.order.len().min(SETS)] {
            let decoys = &self.decoys[self.shape][(self.holds[*set] + 1) % POOL];
            for (tensor, decoy) in self.cases[self.shape].outputs().zip(decoys) {
                let bytes = arena.bytes_mut(*set, tensor);
                match self.cover {
                    Cover::Poison(byte) => bytes.fill(byte),
                    Cover::Decoy => bytes.copy_from_slice(decoy),
                }
            }
        }
    }
}
