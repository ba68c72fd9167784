//! Data that no call has seen: whoever answers from memory has nothing to answer with.

use super::Timed;
use crate::generate;
use crate::judge::data::Data;
use crate::judge::stage::Stop;
use crate::timing::schedule::{SETS, Sample};
use crate::verdict::Code;
use crate::worker::Arena;
use rand::RngExt;
use serde_json::json;

/// An input as it was given.
pub(super) struct Given {
    set: usize,
    tensor: usize,
    bytes: Vec<u8>,
}

impl Timed<'_, '_> {
    /// Changes the inputs of every set; `false` where there is nothing to change.
    pub(super) fn give_new(&mut self, seed: u64, arena: &mut Arena) -> bool {
        self.changed = None;
        self.renewed.clear();
        let keep = self.bench.task().abi.own_memory();
        let (case, mut any) = (&self.cases[self.shape], false);
        for set in 0..SETS {
            for (at, tensor) in case.inputs().enumerate() {
                let seed = generate::seed(seed, &format!("set {set} input {at}"));
                let bytes = arena.bytes_mut(set, tensor);
                any |= generate::disturb(&case.tensors[tensor].layout, seed, bytes);
                if keep {
                    self.renewed.push(Given { set, tensor, bytes: bytes.to_vec() });
                }
            }
        }
        any
    }

    /// The inputs are what they were. Where they are mapped read-only nothing else can be.
    pub(super) fn unchanged(&self, arena: &Arena) -> Result<(), Stop> {
        let changed =
            self.renewed.iter().find(|given| arena.bytes(given.set, given.tensor) != given.bytes.as_slice());
        changed.map_or(Ok(()), |given| self.mutated(given.tensor))
    }

    /// Looks at about every second block, at a set that nobody can foresee: whoever leaves work out in some of them is seen in one.
    pub(super) fn maybe_right(&mut self, sample: &Sample, arena: &Arena) -> Result<(), Stop> {
        if self.random.random() { self.right_on_new(sample, arena) } else { Ok(()) }
    }

    /// The outputs of the set of the watched call, with a right answer of their own; one of them also as it was when that call returned.
    fn right_on_new(&mut self, sample: &Sample, arena: &Arena) -> Result<(), Stop> {
        let (case, set) = (self.case().clone(), sample.order[sample.watched.0]);
        let read = |tensor: usize| case.tensors[tensor].layout.read(arena.bytes(set, tensor));
        let data = Data::of(self.bench.oracle, &case, String::new(), case.inputs().map(read).collect())
            .map_err(Stop::Failed)?;
        let data = self.bench.modelled(&case, data)?;
        for (output, tensor) in case.outputs().enumerate() {
            let errors = self.whole(output, &data.expected[output], arena.bytes(set, tensor));
            if !errors.passed() {
                let message = format!(
                    "{} of {} elements of an output are wrong, on data that no call had seen",
                    errors.failed, errors.elements
                );
                return self.found(Code::TimedOutputWrong, message, json!({ "errors": errors }));
            }
        }
        let output = sample.watched.1;
        let span = case.outputs().nth(output).map_or(0, |tensor| case.tensors[tensor].layout.span());
        let then = self.whole(output, &data.expected[output], &arena.snapshot()[..span]);
        if then.passed() {
            return Ok(());
        }
        let message =
            "an output was not there when its call returned, on data that no call had seen".to_owned();
        self.found(Code::DeferredWrite, message, json!({ "then": then }))
    }
}
