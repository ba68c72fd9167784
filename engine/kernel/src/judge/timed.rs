//! Outputs of timed calls: other data in every sample, poisoned before each block, looked at after it.
//!
//! Every sample changes a few elements of one set and gives another set other data as a whole. After a block of the candidate, random
//! elements of every set that was used are compared with the right answers, the copy that was taken when a random call returned is
//! compared as a whole, and, as often as the shape is small, so are the outputs of the changed set, with a right answer of their own.

mod cover;
mod renewed;

use super::bench::{Bench, POISON};
use super::data::Data;
use super::gpu::{self, Smi, State};
use super::setup::{JudgeError, Lane};
use super::stage::Stop;
use crate::case::Case;
use crate::generate;
use crate::oracle::Expected;
use crate::timing::schedule::{SETS, Sample};
use crate::timing::watch::Watch;
use crate::tolerance;
use crate::verdict::{Code, Finding, Gate};
use crate::worker::{Arena, Blocked, End, Mode};
use assay_stats::Side;
use cover::{Cover, decoys};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

const GATE: Gate = Gate::Timing;
/// Data that sets are filled from.
const POOL: usize = 4;
/// Elements of each output that are looked at in every set.
const PROBES: usize = 32;
/// Elements of a shape up to which every sample has a right answer of its own; larger shapes have it in proportion more rarely.
const WHOLE: usize = 16_384;

/// A set whose data was changed for a sample.
struct Changed {
    set: usize,
    /// Values of its inputs.
    values: Vec<Vec<f64>>,
    /// The input that was changed, and its bytes.
    input: (usize, Vec<u8>),
}

/// Looks at the outputs of timed calls.
pub struct Timed<'b, 'a> {
    bench: &'b mut Bench<'a>,
    lane: Lane,
    cases: Vec<Case>,
    pools: Vec<Vec<Data>>,
    /// For each shape and data of its pool the right answers, see [`cover::decoys`].
    decoys: Vec<Vec<Vec<Vec<u8>>>>,
    shape: usize,
    /// Which data is in each set.
    holds: [usize; SETS],
    /// The set whose data was changed for the sample, and how.
    changed: Option<Changed>,
    /// Data that no call had seen, where the worker has memory of its own.
    renewed: Vec<renewed::Given>,
    random: StdRng,
    /// Who tells the state of the device, and what it was when the process pair was warm.
    smi: Option<Smi>,
    before: Option<State>,
    cover: Cover,
    done: usize,
    of: usize,
}

impl<'b, 'a> Timed<'b, 'a> {
    /// Draws data for all shapes.
    pub fn new(
        bench: &'b mut Bench<'a>,
        lane: Lane,
        cases: Vec<Case>,
        seed: u64,
    ) -> Result<Self, JudgeError> {
        let mut pools = Vec::new();
        for (number, case) in cases.iter().enumerate() {
            let mut pool = Vec::new();
            for at in 0..POOL {
                pool.push(bench.draw(case, generate::seed(seed, &format!("data {number} {at}")), 1.0)?);
            }
            pools.push(pool);
        }
        let random = StdRng::seed_from_u64(generate::seed(seed, "looks"));
        let holds = std::array::from_fn(|set| set % POOL);
        let cover = Cover::Poison(POISON[0]);
        let decoys = cases.iter().zip(&pools).map(|(case, pool)| decoys(case, pool)).collect();
        let device = bench.facts.device.as_ref();
        let smi = device.map(|about| Smi::find(&bench.setup.toolkit, &bench.setup.launcher, &about.uuid));
        if smi == Some(None) {
            bench
                .facts
                .notes
                .push("`nvidia-smi` is not here: nobody watched clocks and temperature".to_owned());
        }
        let (smi, before, changed, shape, done, of) = (smi.flatten(), None, None, 0, 0, 0);
        let renewed = Vec::new();
        Ok(Self {
            bench,
            lane,
            cases,
            pools,
            decoys,
            shape,
            holds,
            changed,
            renewed,
            random,
            smi,
            before,
            cover,
            done,
            of,
        })
    }

    /// Another lane with the same data.
    pub fn lane(&mut self, lane: Lane) {
        (self.lane, self.done) = (lane, 0);
    }

    /// How many samples are planned.
    pub fn plan(&mut self, of: usize) {
        self.of = of;
    }

    /// What it looks for.
    pub fn bench(&mut self) -> &mut Bench<'a> {
        self.bench
    }

    fn case(&self) -> &Case {
        &self.cases[self.shape]
    }

    fn fill(&self, set: usize, arena: &mut Arena) {
        let data = &self.pools[self.shape][self.holds[set]];
        for (tensor, bytes) in self.case().inputs().zip(&data.bytes) {
            arena.bytes_mut(set, tensor).copy_from_slice(bytes);
        }
    }

    /// The right answers of a set; those of the changed set are computed.
    fn expected(&mut self, set: usize) -> Result<Vec<Expected>, JudgeError> {
        let data = &self.pools[self.shape][self.holds[set]];
        match &self.changed {
            Some(Changed { set: changed, values, .. }) if *changed == set => {
                let (values, case) = (values.clone(), self.cases[self.shape].clone());
                let data = data.clone();
                let data =
                    self.bench.edit(&case, &data, "changed for a sample".to_owned(), |old| *old = values)?;
                Ok(data.expected)
            }
            _ => Ok(data.expected.clone()),
        }
    }

    fn found<T>(&self, code: Code, message: String, evidence: Value) -> Result<T, Stop> {
        let case = self.case();
        let evidence = json!({ "axes": case.axes, "sample": self.done, "seen": evidence });
        Err(Stop::Found(Finding::new(
            GATE,
            code,
            format!("{message}, at {} in timed calls", case.title()),
            evidence,
        )))
    }

    /// Compares an output, or what the judge has of it, with the right answer.
    fn whole(&self, output: usize, expected: &Expected, bytes: &[u8]) -> tolerance::Errors {
        let (case, task) = (self.case(), self.bench.task());
        let both = case.outputs().nth(output).zip(task.outputs.get_index(output));
        // A case has the outputs of its task.
        let Some((tensor, (_, declared))) = both else { return tolerance::Errors::default() };
        tolerance::errors(task, declared, &case.axes, expected, &case.tensors[tensor].layout.read(bytes))
    }

    /// Every call of the candidate was served, and left the mode of floating point alone.
    fn served(&self, blocked: &Blocked) -> Result<(), Stop> {
        if let Some((call, rc)) = blocked.failed {
            let evidence = json!({ "call": call, "rc": rc });
            return self.found(Code::ReturnedError, format!("it returned {rc}"), evidence);
        }
        if blocked.mode_after != Mode::DEFAULT {
            let message = "it changed how the processor rounds or flushes".to_owned();
            return self.found(Code::MathModeChanged, message, json!({ "after": blocked.mode_after }));
        }
        Ok(())
    }

    /// The inputs of every used set are what they were. Where they are mapped read-only nothing else can be.
    fn inputs(&self, sample: &Sample, arena: &Arena) -> Result<(), Stop> {
        if !self.bench.task().abi.own_memory() {
            return Ok(());
        }
        let case = self.case();
        for set in &sample.order[..sample.order.len().min(SETS)] {
            let data = &self.pools[self.shape][self.holds[*set]];
            let changed = self.changed.as_ref().filter(|changed| changed.set == *set);
            for (at, (tensor, bytes)) in case.inputs().zip(&data.bytes).enumerate() {
                let own = changed.map(|changed| &changed.input).filter(|(input, _)| *input == at);
                if arena.bytes(*set, tensor) != own.map_or(bytes, |(_, bytes)| bytes) {
                    return self.mutated(tensor);
                }
            }
        }
        Ok(())
    }

    fn mutated(&self, tensor: usize) -> Result<(), Stop> {
        let name = &self.case().tensors[tensor].name;
        let message = format!("it changed the input `{name}`");
        self.found(Code::InputMutated, message, json!({ "tensor": name }))
    }

    /// Random elements of every used set that holds data of the pool.
    fn probe(&mut self, sample: &Sample, arena: &Arena) -> Result<(), Stop> {
        let used = &sample.order[..sample.order.len().min(SETS)];
        let outputs: Vec<usize> = self.case().outputs().collect();
        for set in used.iter().filter(|set| self.changed.as_ref().is_none_or(|changed| changed.set != **set))
        {
            for (output, tensor) in outputs.iter().enumerate() {
                let layout = self.case().tensors[*tensor].layout.clone();
                if layout.is_empty() {
                    continue;
                }
                let size = layout.dtype.size();
                let expected = &self.pools[self.shape][self.holds[*set]].expected[output];
                let (mut picked, mut got) = (Expected::default(), Vec::with_capacity(PROBES));
                for _ in 0..PROBES {
                    let at = self.random.random_range(0..layout.len());
                    let place = layout.place(at) * size;
                    picked.values.push(expected.values[at]);
                    picked.terms.extend(expected.terms.get(at));
                    got.push(layout.dtype.read(&arena.bytes(*set, *tensor)[place..place + size]));
                }
                let task = self.bench.task();
                let Some((name, declared)) = task.outputs.get_index(output) else { continue };
                let errors = tolerance::errors(task, declared, &self.case().axes, &picked, &got);
                if !errors.passed() {
                    let message = format!(
                        "{} of {} random elements of `{name}` are wrong",
                        errors.failed, errors.elements
                    );
                    return self.found(
                        Code::TimedOutputWrong,
                        message,
                        json!({ "output": name, "errors": errors }),
                    );
                }
            }
        }
        Ok(())
    }

    /// The copy that was taken when a call returned.
    fn snapshot(&mut self, sample: &Sample, arena: &Arena) -> Result<(), Stop> {
        let (call, output) = sample.watched;
        let set = sample.order[call];
        let tensor = self.case().outputs().nth(output).unwrap_or(0);
        let span = self.case().tensors[tensor].layout.span();
        let (then, now) = (&arena.snapshot()[..span], arena.bytes(set, tensor));
        if then == now {
            return Ok(());
        }
        let expected = self.expected(set)?;
        let (then, now) =
            (self.whole(output, &expected[output], then), self.whole(output, &expected[output], now));
        let evidence = json!({ "call": call, "then": then, "in_the_end": now });
        match (then.passed(), now.passed()) {
            (false, true) => self.found(
                Code::DeferredWrite,
                "an output was not there when its call returned".to_owned(),
                evidence,
            ),
            (_, false) => self.found(Code::TimedOutputWrong, "an output is wrong".to_owned(), evidence),
            (true, true) => Ok(()),
        }
    }

    /// The outputs of the changed set, all of them.
    fn changed_set(&mut self, sample: &Sample, arena: &Arena) -> Result<(), Stop> {
        let elements: usize = self.case().tensors.iter().map(|tensor| tensor.layout.len()).sum();
        if self.random.random_range(0..elements.max(1)) >= WHOLE {
            return Ok(());
        }
        let expected = self.expected(sample.picked)?;
        let outputs: Vec<usize> = self.case().outputs().collect();
        for (output, tensor) in outputs.into_iter().enumerate() {
            let errors = self.whole(output, &expected[output], arena.bytes(sample.picked, tensor));
            if !errors.passed() {
                let message =
                    format!("{} of {} elements of an output are wrong", errors.failed, errors.elements);
                return self.found(Code::TimedOutputWrong, message, json!({ "errors": errors }));
            }
        }
        Ok(())
    }
}

impl Watch for Timed<'_, '_> {
    type Stop = Stop;

    fn begin(&mut self, shape: usize, arena: &mut Arena) -> Result<(), Stop> {
        self.bench.in_time(GATE)?;
        (self.shape, self.changed) = (shape, None);
        self.holds = std::array::from_fn(|set| set % POOL);
        (0..SETS).for_each(|set| self.fill(set, arena));
        Ok(())
    }

    fn prepare(&mut self, sample: &Sample, arena: &mut Arena) -> Result<(), Stop> {
        if let Some(changed) = self.changed.take() {
            self.fill(changed.set, arena);
        }
        self.holds[sample.moved] = self.random.random_range(0..POOL);
        self.fill(sample.moved, arena);
        let mut values = self.pools[self.shape][self.holds[sample.picked]].values.clone();
        let inputs: Vec<usize> = self.case().inputs().collect();
        let input = self.random.random_range(0..inputs.len());
        let layout = &self.cases[self.shape].tensors[inputs[input]].layout;
        let places = generate::change(layout, 1 + self.done % 3, sample.seed, &mut values[input]);
        let (size, bytes) = (layout.dtype.size(), arena.bytes_mut(sample.picked, inputs[input]));
        for at in places {
            let place = layout.place(at) * size;
            layout.dtype.write(values[input][at], &mut bytes[place..place + size]);
        }
        self.changed = Some(Changed { set: sample.picked, values, input: (input, bytes.to_vec()) });
        self.draw_cover();
        Ok(())
    }

    fn poison(&mut self, sample: &Sample, arena: &mut Arena) {
        self.lay(sample, arena);
    }

    fn look(&mut self, side: Side, sample: &Sample, arena: &Arena, blocked: &Blocked) -> Result<(), Stop> {
        if side == Side::Baseline || self.lane == Lane::BaselineItself {
            if let Some((_, rc)) = blocked.failed {
                let reason = format!("the baseline returned {rc} at {}", self.case().title());
                return Err(Stop::Failed(JudgeError::Worker {
                    end: End::System { what: "a timed call", reason },
                }));
            }
            return Ok(());
        }
        self.bench.facts.cases.run += sample.order.len() as u64;
        self.served(blocked)?;
        if let Some((_, tensor)) = arena.margins_intact() {
            let name = self.case().tensors[tensor].name.clone();
            return self.found(
                Code::OobWrite,
                format!("it wrote beside `{name}`"),
                json!({ "tensor": name }),
            );
        }
        self.inputs(sample, arena)?;
        self.snapshot(sample, arena)?;
        self.probe(sample, arena)?;
        self.changed_set(sample, arena)
    }

    fn renew(&mut self, seed: u64, arena: &mut Arena) -> bool {
        self.give_new(seed, arena)
    }

    fn look_renewed(&mut self, sample: &Sample, arena: &Arena, blocked: &Blocked) -> Result<(), Stop> {
        self.served(blocked)?;
        self.bench.facts.cases.run += sample.order.len() as u64;
        self.unchanged(arena)?;
        self.maybe_right(sample, arena)
    }

    fn warm(&mut self) {
        let Some(smi) = &self.smi else { return };
        self.before = smi.state();
        if self.before.is_none() {
            // Asked once: a part of a device (MIG), or a driver that does not tell, does not tell later either.
            let note =
                "`nvidia-smi` does not tell the state of this device: nobody watched clocks and temperature";
            self.bench.facts.notes.push(note.to_owned());
            self.smi = None;
        }
    }

    fn disturbed(&mut self) -> Option<String> {
        let before = self.before.take()?;
        let after = self.smi.as_ref().and_then(Smi::state)?;
        let why = gpu::disturbed(&before, &after);
        let seen = &mut self.bench.facts.gpu;
        seen.saw(before);
        seen.saw(after);
        seen.dropped += usize::from(why.is_some());
        why
    }

    fn done(&mut self) {
        self.done += 1;
        // A screen needs no more than this.
        if self.done.is_multiple_of(10) || self.done == self.of {
            let (lane, done, of) = (self.lane, self.done, self.of);
            self.bench.tell(lane, done, of);
        }
    }
}
