//! Which step each GPU event belongs to: the one during which it was launched.
//!
//! The GPU runs behind the CPU, so the time of the kernel is the wrong time to look at. In order: the step around the
//! launch; the step whose range has the kernel's `External id`; the step's range on the GPU's timeline.

use super::{Batch, Segments, Stage, Step, StepSource, frames, grammar, path};
use crate::link::Links;
use crate::store::{EventId, Ns, Trace};
use std::collections::HashMap;
use std::path::Path;

/// A step with where it was found.
struct Found {
    step: Step,
    /// Thread, or track for ranges on the GPU.
    place: u32,
    external: EventId,
}

/// Cuts a trace into steps. With `from_path`, events of no step take the stage that the path names.
pub fn segment(trace: &Trace, links: &Links, from_path: Option<&Path>) -> Segments {
    let mut found = outermost(annotated(trace, false));
    if found.is_empty() {
        found = outermost(operators(trace));
    }
    let on_gpu = outermost(annotated(trace, true));
    if found.is_empty() {
        let steps = frames::steps(trace).into_iter();
        found = steps.map(|(place, step)| Found { step, place, external: EventId::NONE }).collect();
    }
    let cpu = !found.is_empty();
    if !cpu {
        found = on_gpu;
        return by_window(trace, found, from_path);
    }
    found.sort_by_key(|found| (found.step.start, -found.step.end));
    let external: HashMap<EventId, u32> = ids(trace, &found);
    let windows = gpu_windows(trace, &on_gpu, &found);
    let process: Vec<u16> = found.iter().map(|found| trace.threads[found.place as usize].process).collect();
    let start: Vec<Ns> = found.iter().map(|found| found.step.start).collect();
    let of_event = (0..trace.gpu.len()).map(|event| {
        let by_launch = links.call(event).and_then(|call| {
            let call = trace.calls.row(call);
            around(&found, &start, call.start, |step| {
                process[step] == trace.threads[call.thread as usize].process
            })
        });
        by_launch
            .or_else(|| external.get(&trace.gpu.external[event]).copied())
            .or_else(|| window(&windows, trace.device_of(event), trace.gpu.start[event]))
    });
    let of_event = of_event.collect();
    Segments {
        steps: found.into_iter().map(|found| found.step).collect(),
        of_event,
        of_file: claimed(from_path),
    }
}

fn claimed(path: Option<&Path>) -> Option<Stage> {
    path.and_then(path::of_path)
}

/// Ranges whose name is a step, on one timeline.
fn annotated(trace: &Trace, on_gpu: bool) -> Vec<Found> {
    let source = if on_gpu { StepSource::GpuAnnotation } else { StepSource::Annotation };
    let rows = trace.annotations.rows().filter(|row| row.on_gpu == on_gpu && row.dur > 0);
    rows.filter_map(|row| {
        let name = trace.text(row.name);
        let (stage, batch) = grammar::parse(name)?;
        let (start, end) = (row.start, row.start + row.dur);
        let step = Step { stage, name: name.to_owned(), start, end, batch, source };
        Some(Found { step, place: row.place, external: row.external })
    })
    .collect()
}

/// The same among CPU operators, where profilers of 2021 put the ranges of a program.
fn operators(trace: &Trace) -> Vec<Found> {
    let steps: Vec<Option<(Stage, Batch)>> =
        trace.names.iter().map(|(_, name)| grammar::parse(name)).collect();
    let rows = trace.ops.rows().filter(|row| row.dur > 0);
    rows.filter_map(|row| {
        let (stage, batch) = steps[row.name.0 as usize]?;
        let (start, end) = (row.start, row.start + row.dur);
        let name = trace.text(row.name).to_owned();
        let step = Step { stage, name, start, end, batch, source: StepSource::Annotation };
        Some(Found { step, place: row.thread, external: EventId::NONE })
    })
    .collect()
}

/// Drops ranges within an earlier one of the same place: engines name one step twice. Of the two the outer counts,
/// unless only the inner one knows its stage.
fn outermost(found: Vec<Found>) -> Vec<Found> {
    let mut kept: Vec<Found> = Vec::new();
    for next in found {
        let outer = kept
            .iter_mut()
            .rev()
            .take(8)
            .find(|outer| outer.place == next.place && next.step.start < outer.step.end);
        match outer {
            None => kept.push(next),
            Some(outer) if outer.step.stage == Stage::Unknown => {
                outer.step.stage = next.step.stage;
                outer.step.batch = next.step.batch;
            }
            Some(_) => {}
        }
    }
    kept
}

/// Steps by the external id of their range.
fn ids(trace: &Trace, found: &[Found]) -> HashMap<EventId, u32> {
    let mut ids = HashMap::new();
    for (step, found) in found.iter().enumerate().filter(|(_, found)| found.external.is_some()) {
        ids.insert(found.external, step as u32);
    }
    // An op may bear the same id; then it is the op that the kernel belongs to.
    for external in &trace.ops.external {
        ids.remove(external);
    }
    ids
}

/// The innermost step at `moment` that `fits`. Steps do not nest, but threads may run steps at the same time.
fn around(found: &[Found], start: &[Ns], moment: Ns, fits: impl Fn(usize) -> bool) -> Option<u32> {
    let after = start.partition_point(|&start| start <= moment);
    let near = after.saturating_sub(16)..after;
    near.rev().find(|&step| moment < found[step].step.end && fits(step)).map(|step| step as u32)
}

/// A step's range on a device: device, start, end, step.
type Window = (u32, Ns, Ns, u32);

/// The ranges on the GPU, joined with the steps of the CPU by their id, or by their name and order.
fn gpu_windows(trace: &Trace, on_gpu: &[Found], found: &[Found]) -> Vec<Window> {
    let by_id: HashMap<EventId, u32> = found
        .iter()
        .enumerate()
        .filter(|(_, found)| found.external.is_some())
        .map(|(step, found)| (found.external, step as u32))
        .collect();
    let windows = on_gpu.iter().filter_map(|window| {
        let step = *by_id.get(&window.external)?;
        Some((trace.tracks[window.place as usize].device, window.step.start, window.step.end, step))
    });
    let mut windows: Vec<Window> = windows.collect();
    windows.sort_unstable_by_key(|window| (window.0, window.1));
    windows
}

fn window(windows: &[Window], device: u32, moment: Ns) -> Option<u32> {
    let after = windows.partition_point(|window| (window.0, window.1) <= (device, moment));
    let near = windows[after.saturating_sub(8)..after].iter().rev();
    near.filter(|window| window.0 == device && moment < window.2).map(|window| window.3).next()
}

/// Steps from the GPU's timeline alone.
fn by_window(trace: &Trace, found: Vec<Found>, from_path: Option<&Path>) -> Segments {
    let windows: Vec<Window> = {
        let of = |(step, found): (usize, &Found)| {
            (trace.tracks[found.place as usize].device, found.step.start, found.step.end, step as u32)
        };
        let mut windows: Vec<Window> = found.iter().enumerate().map(of).collect();
        windows.sort_unstable_by_key(|window| (window.0, window.1));
        windows
    };
    let of_event = (0..trace.gpu.len())
        .map(|event| window(&windows, trace.device_of(event), trace.gpu.start[event]))
        .collect();
    Segments {
        steps: found.into_iter().map(|found| found.step).collect(),
        of_event,
        of_file: claimed(from_path),
    }
}
