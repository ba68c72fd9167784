//! The calls of operators in a trace, each with its kernels and what it must do at least.
//!
//! FLOPs belong to a call, not to a kernel: where a product splits its sum over a second kernel, both took the time.
//! Every kernel belongs to one call at most, so no time and no work is counted twice.

use super::gpus::Gpu;
use super::peak::{Roof, format, roof};
use super::shape::Inputs;
use super::{Cost, Dtype, Missing, flops};
use crate::analysis::Analysis;
use crate::intern::NameId;
use crate::name::EventKind;
use crate::store::Ns;
use std::collections::HashMap;

/// One call of an operator whose work is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Call {
    /// Index into the trace's operators.
    pub op: usize,
    /// Its longest kernel, which names it.
    pub main: usize,
    /// Kernels that it launched.
    pub kernels: u64,
    /// Sum of their durations, in ns.
    pub time: Ns,
    /// Index into [`Calls::costs`].
    pub cost: usize,
    /// The format it multiplies in.
    pub dtype: Option<Dtype>,
    /// Whether that is fp8 within a kernel whose inputs are wider.
    pub fp8_internal: bool,
    /// Its least times.
    pub roof: Roof,
}

/// All calls whose work is known, and why it is not for all other kernels.
#[derive(Debug, Clone, Default)]
pub struct Calls {
    /// Known ones, by operator.
    pub known: Vec<Call>,
    /// Different costs.
    pub costs: Vec<Cost>,
    /// Why a GPU event has no place under the roof, for each of them; `None` where it has one, and for copies and
    /// fills.
    pub missing: Vec<Option<Missing>>,
}

/// The inputs of an operator, as names.
type Key = [NameId; 4];

/// Finds the calls of a trace. `gpus` are the kinds of its devices.
pub fn calls(analysis: &Analysis<'_>, gpus: &[Option<&Gpu>]) -> Calls {
    let trace = analysis.trace;
    let mut calls = Calls { missing: vec![None; analysis.len()], ..Calls::default() };
    let mut of_op: Vec<(u32, u32)> = Vec::new();
    for event in (0..analysis.len()).filter(|&event| trace.gpu.kind[event] == EventKind::Kernel) {
        match analysis.links.op(event) {
            _ if analysis.links.in_graph(event) => calls.missing[event] = Some(Missing::GraphReplay),
            None => calls.missing[event] = Some(Missing::NoOp),
            Some(op) => of_op.push((op as u32, event as u32)),
        }
    }
    of_op.sort_unstable();
    let mut known: HashMap<Key, Result<usize, Missing>> = HashMap::new();
    let mut formats: HashMap<(NameId, usize), Option<(Dtype, bool)>> = HashMap::new();
    for kernels in of_op.chunk_by(|left, right| left.0 == right.0) {
        let op = kernels[0].0 as usize;
        // An operator runs in one step; where kernels of several steps bear its id, none of them is known to be its.
        let step = |&(_, event): &(u32, u32)| analysis.segments.of_event[event as usize];
        if kernels.iter().any(|kernel| step(kernel) != step(&kernels[0])) {
            kernels.iter().for_each(|&(_, event)| calls.missing[event as usize] = Some(Missing::NoOp));
            continue;
        }
        let row = trace.ops.row(op);
        let cost = *known
            .entry([row.name, row.dims, row.types, row.values])
            .or_insert_with_key(|key| cost(analysis, *key, &mut calls.costs));
        let placed = cost
            .and_then(|cost| place(analysis, gpus, (op, kernels), (cost, &calls.costs[cost]), &mut formats));
        match placed {
            Ok(call) => calls.known.push(call),
            Err(missing) => {
                kernels.iter().for_each(|&(_, event)| calls.missing[event as usize] = Some(missing));
            }
        }
    }
    calls
}

fn cost(analysis: &Analysis<'_>, key: Key, costs: &mut Vec<Cost>) -> Result<usize, Missing> {
    let [name, dims, types, values] = key.map(|name| analysis.trace.text(name));
    let inputs = Inputs::parse(dims, types, values).ok_or(Missing::NoShapes)?;
    // Ranges of Nsight Systems hold sizes without types.
    if types.is_empty() || types == "[]" {
        return Err(Missing::UnknownType);
    }
    costs.push(flops::cost(name, &inputs)?);
    Ok(costs.len() - 1)
}

fn place(
    analysis: &Analysis<'_>,
    gpus: &[Option<&Gpu>],
    (op, kernels): (usize, &[(u32, u32)]),
    (index, cost): (usize, &Cost),
    formats: &mut HashMap<(NameId, usize), Option<(Dtype, bool)>>,
) -> Result<Call, Missing> {
    let gpu = &analysis.trace.gpu;
    let events = || kernels.iter().map(|&(_, event)| event as usize);
    // The first of the longest ones, whatever their order in the file.
    let main =
        events().max_by_key(|&event| (gpu.dur[event], std::cmp::Reverse(event))).ok_or(Missing::NoOp)?;
    let device = gpus[analysis.trace.device_of(main) as usize].ok_or(Missing::UnknownGpu)?;
    let format = *formats
        .entry((gpu.name[main], index))
        .or_insert_with(|| format(cost, analysis.trace.text(gpu.name[main])));
    let dtype = format.map(|(dtype, _)| dtype);
    Ok(Call {
        op,
        main,
        kernels: kernels.len() as u64,
        time: events().map(|event| gpu.dur[event]).sum(),
        cost: index,
        dtype,
        fp8_internal: format.is_some_and(|(_, internal)| internal),
        roof: roof(cost, dtype, device)?,
    })
}
