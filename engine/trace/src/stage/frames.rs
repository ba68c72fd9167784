//! Steps where the engine named none: calls of its step function that lead to a forward of one stage.

use super::{Batch, Stage, Step, StepSource};
use crate::store::{Frames, Trace};

/// A function that computes one batch, by the end of its frame's name.
const STEP_FUNCTIONS: [(&str, &str); 4] = [
    ("managers/scheduler.py", "run_batch"),
    ("managers/tp_worker.py", "forward_batch_generation"),
    ("worker/gpu_model_runner.py", "execute_model"),
    ("pyexecutor/py_executor.py", "_forward_step"),
];
/// A function that is called for one stage only.
const STAGE_FUNCTIONS: [(&str, &str, Stage); 5] = [
    ("", "forward_extend", Stage::Prefill),
    ("", "forward_decode", Stage::Decode),
    ("", "forward_mixed", Stage::Mixed),
    // SGLang captures whole graphs for decode only; pieces it replays below `forward_extend`, by a runner of its own.
    ("model_executor/cuda_graph_runner.py", "replay", Stage::Decode),
    ("model_executor/piecewise_cuda_graph_runner.py", "replay", Stage::Prefill),
];

/// Outermost step calls of all threads in which exactly one stage is seen.
pub fn steps(trace: &Trace) -> Vec<(u32, Step)> {
    let mut found = Vec::new();
    for (thread, frames) in trace.frames.iter().enumerate() {
        of_thread(trace, frames, thread as u32, &mut found);
    }
    found
}

fn of_thread(trace: &Trace, frames: &Frames, thread: u32, found: &mut Vec<(u32, Step)>) {
    let role: Vec<Role> = trace.names.iter().map(|(_, name)| Role::of(name)).collect();
    let mut open: Option<Step> = None;
    let mut seen: Vec<Stage> = Vec::new();
    let mut close = |step: Option<Step>, seen: &mut Vec<Stage>| {
        if let (Some(mut step), [stage]) = (step, &seen[..]) {
            step.stage = *stage;
            found.push((thread, step));
        }
        seen.clear();
    };
    for frame in frames.rows() {
        if open.as_ref().is_some_and(|step| frame.start >= step.end) {
            close(open.take(), &mut seen);
        }
        match role[frame.name.0 as usize] {
            Role::Step if open.is_none() => {
                let name = trace.text(frame.name).to_owned();
                let (start, end) = (frame.start, frame.end);
                let (stage, batch, source) = (Stage::Unknown, Batch::default(), StepSource::Frames);
                open = Some(Step { stage, name, start, end, batch, source });
            }
            Role::Stage(stage) if open.is_some() && !seen.contains(&stage) => seen.push(stage),
            _ => {}
        }
    }
    close(open, &mut seen);
}

#[derive(Debug, Clone, Copy)]
enum Role {
    None,
    Step,
    Stage(Stage),
}

impl Role {
    fn of(name: &str) -> Self {
        let Some((place, function)) = name.split_once("): ") else { return Self::None };
        let Some((file, _)) = place.rsplit_once('(') else { return Self::None };
        let fits = |(end, wanted): (&str, &str)| wanted == function && file.ends_with(end);
        if STEP_FUNCTIONS.into_iter().any(fits) {
            return Self::Step;
        }
        let stage = STAGE_FUNCTIONS.into_iter().find(|&(end, wanted, _)| fits((end, wanted)));
        stage.map_or(Self::None, |(_, _, stage)| Self::Stage(stage))
    }
}
