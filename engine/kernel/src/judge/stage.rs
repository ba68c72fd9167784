//! One call of foreign code, and everything that is looked at around it.

use super::data::Data;
use super::ends;
use super::setup::JudgeError;
use crate::case::Case;
use crate::task::Abi;
use crate::verdict::{Code, Finding, Gate};
use crate::worker::{Arena, Called, Edge, Mode, Worker};
use serde_json::json;

/// Why a gate stops.
#[derive(Debug)]
pub enum Stop {
    /// Something was found against the candidate.
    Found(Finding),
    /// There can be no judgement.
    Failed(JudgeError),
}

impl<E: Into<JudgeError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// A gate's outcome.
pub fn settle(outcome: Result<(), Stop>) -> Result<Vec<Finding>, JudgeError> {
    match outcome {
        Ok(()) => Ok(Vec::new()),
        Err(Stop::Found(finding)) => Ok(vec![finding]),
        Err(Stop::Failed(error)) => Err(error),
    }
}

/// The code by which a kernel says that memory ran out: `-ENOMEM`.
const NO_MEMORY: i32 = -12;

/// Memory of a case with what is known of it.
#[derive(Debug)]
pub struct Stage<'a> {
    /// The case.
    pub case: &'a Case,
    /// Its memory.
    pub arena: Arena,
    /// Outputs in the order of the call, with the bytes that belong to elements where rows have gaps.
    outputs: Vec<(usize, Option<Vec<bool>>)>,
    alias: bool,
    /// Where the worker has memory of its own, what each set's inputs are: nothing there keeps a kernel from writing to them.
    inputs: Option<Vec<Vec<Vec<u8>>>>,
}

impl<'a> Stage<'a> {
    /// Memory for `sets` times a case.
    pub fn new(case: &'a Case, sets: usize, edge: Edge, abi: &Abi, alias: bool) -> Result<Self, JudgeError> {
        let arena = Arena::new(case, sets, edge, abi.align, alias)
            .map_err(|source| JudgeError::Memory { title: case.title(), source })?;
        let outputs = case
            .outputs()
            .map(|tensor| {
                let layout = &case.tensors[tensor].layout;
                (tensor, (!layout.is_contiguous()).then(|| layout.used()))
            })
            .collect();
        let inputs = abi.own_memory().then(|| vec![Vec::new(); sets]);
        Ok(Self { case, arena, outputs, alias, inputs })
    }

    /// Puts inputs into a set.
    pub fn load(&mut self, set: usize, data: &Data) {
        for (tensor, bytes) in self.case.inputs().zip(&data.bytes) {
            self.arena.bytes_mut(set, tensor).copy_from_slice(bytes);
        }
        if let Some(inputs) = &mut self.inputs {
            inputs[set].clone_from(&data.bytes);
        }
    }

    /// Fills the outputs of a set, their gaps too. Where output 0 lies in input 0's memory it is left alone.
    pub fn poison(&mut self, set: usize, byte: u8) {
        for (tensor, _) in self.outputs.iter().skip(usize::from(self.alias)) {
            self.arena.bytes_mut(set, *tensor).fill(byte);
        }
    }

    /// The bytes of an output of a set.
    pub fn output(&self, set: usize, output: usize) -> &[u8] {
        self.arena.bytes(set, self.outputs[output].0)
    }

    /// Copies of all outputs of a set.
    pub fn taken(&self, set: usize) -> Vec<Vec<u8>> {
        (0..self.outputs.len()).map(|output| self.output(set, output).to_vec()).collect()
    }

    /// One call with everything that holds for every call: it ends, returns 0, leaves the mode of floating point alone, and writes
    /// nothing but elements of outputs. Outputs have been poisoned with `poison`.
    pub fn call(&mut self, worker: &mut Worker, gate: Gate, set: usize, poison: u8) -> Result<Called, Stop> {
        let called = worker.call(set).map_err(|end| ends::stop(gate, Some(self.case), end))?;
        self.returned(gate, called.rc, worker.said())?;
        self.mode(gate, &called)?;
        self.unchanged(gate, set)?;
        self.bounds(gate, set, poison)?;
        Ok(called)
    }

    /// Judges a return code of a call that had to be served.
    pub fn returned(&self, gate: Gate, rc: i32, said: &str) -> Result<(), Stop> {
        let title = self.case.title();
        let (code, message) = match rc {
            0 => return Ok(()),
            NO_MEMORY => (Code::ResourceLimit, format!("it found no memory at {title} (returned {rc})")),
            _ if !said.is_empty() => {
                (Code::ReturnedError, format!("it failed at {title}, which it must serve: {said}"))
            }
            _ => (Code::ReturnedError, format!("it returned {rc} at {title}, which it must serve")),
        };
        let evidence = json!({ "axes": self.case.axes, "rc": rc, "said": said });
        Err(Stop::Found(Finding::new(gate, code, message, evidence)))
    }

    fn mode(&self, gate: Gate, called: &Called) -> Result<(), Stop> {
        if called.mode_before == called.mode_after {
            return Ok(());
        }
        Err(Stop::Found(mode_changed(gate, self.case, called)))
    }

    /// The inputs of a set are what they were. Where they are mapped read-only nothing else can be.
    pub fn unchanged(&self, gate: Gate, set: usize) -> Result<(), Stop> {
        let Some(inputs) = &self.inputs else { return Ok(()) };
        // Where output 0 lies in input 0's memory that one is an output.
        for (tensor, bytes) in self.case.inputs().zip(&inputs[set]).skip(usize::from(self.alias)) {
            if self.arena.bytes(set, tensor) != bytes {
                let (name, title) = (&self.case.tensors[tensor].name, self.case.title());
                return Err(Stop::Found(Finding::new(
                    gate,
                    Code::InputMutated,
                    format!("it changed the input `{name}` at {title}"),
                    json!({ "axes": self.case.axes, "kind": self.case.kind, "tensor": name }),
                )));
            }
        }
        Ok(())
    }

    /// Nothing was written around tensors or between rows.
    pub fn bounds(&self, gate: Gate, set: usize, poison: u8) -> Result<(), Stop> {
        let name = |tensor: usize| self.case.tensors[tensor].name.clone();
        let found = |tensor: usize, place: &str| {
            Err(Stop::Found(Finding::new(
                gate,
                Code::OobWrite,
                format!("it wrote {place} `{}` at {}", name(tensor), self.case.title()),
                json!({ "axes": self.case.axes, "kind": self.case.kind, "tensor": name(tensor) }),
            )))
        };
        if let Some((_, tensor)) = self.arena.margins_intact() {
            return found(tensor, "beside");
        }
        if self.alias {
            return Ok(());
        }
        for (tensor, used) in &self.outputs {
            let Some(used) = used else { continue };
            let bytes = self.arena.bytes(set, *tensor);
            if bytes.iter().zip(used).any(|(byte, used)| !used && *byte != poison) {
                return found(*tensor, "between rows of");
            }
        }
        Ok(())
    }
}

/// The finding of a changed mode.
pub fn mode_changed(gate: Gate, case: &Case, called: &Called) -> Finding {
    let changed = called.mode_before.vector ^ called.mode_after.vector;
    let left = called.mode_after.x87 & Mode::LEFT != 0;
    let what =
        if left { "left registers of x87 full" } else { "changed how the processor rounds or flushes" };
    Finding::new(
        gate,
        Code::MathModeChanged,
        format!("it {what}, at {}", case.title()),
        json!({ "axes": case.axes, "before": called.mode_before, "after": called.mode_after, "changed_bits": format!("{changed:#x}") }),
    )
}
