//! Passes of a trace without steps: blocks of layers with what lies between them.
//!
//! Layers are those of modules where frames show them, and repeating kernels otherwise. What repeats in a program that
//! nobody knows may be anything: without a kernel that mixes tokens in it, it is not called a layer.

use super::modules::Modules;
use super::{mixes_tokens, order, period};
use crate::analysis::Analysis;
use crate::name::EventKind;
use crate::store::Ns;
use std::collections::HashSet;
use std::ops::Range;

/// Prefill and decode, each with up to two kinds of layers.
const ROUNDS: u32 = 4;
/// A period that covers less than this share of a device's kernels makes no passes.
const WORTHWHILE: f64 = 0.05;
/// Below this share of a device's events modules do not show its passes.
const MODULES_NEEDED: f64 = 0.5;

/// A stretch of layers.
struct Block {
    /// Positions within the device's events.
    at: Range<usize>,
    /// Stretches of different rounds may be one pass; those of modules never are.
    round: Option<u32>,
}

/// Events of one device, sorted by start, cut into passes, each in the order of launches.
pub fn passes(
    analysis: &Analysis<'_>,
    moments: &[Ns],
    modules: Option<&Modules>,
    mut events: Vec<u32>,
) -> Vec<Vec<u32>> {
    order::by_launch(analysis, moments, &mut events);
    let of_modules = modules.and_then(|modules| module_blocks(analysis, modules, &events));
    let blocks = of_modules.unwrap_or_else(|| blocks(analysis, &events));
    if blocks.is_empty() {
        return Vec::new();
    }
    let mut cuts = vec![0];
    for pair in blocks.windows(2) {
        if let Some(cut) = boundary(analysis, moments, &events, &pair[0], &pair[1]) {
            cuts.push(cut);
        }
    }
    cuts.push(events.len());
    cuts.windows(2).map(|pair| events[pair[0]..pair[1]].to_vec()).collect()
}

/// A block ends where a layer's module comes again.
fn module_blocks(analysis: &Analysis<'_>, modules: &Modules, events: &[u32]) -> Option<Vec<Block>> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut seen = HashSet::new();
    let (mut last, mut inside) = (None, 0);
    for (place, &event) in events.iter().enumerate() {
        let Some(module) = modules.layer(analysis, event as usize) else { continue };
        inside += 1;
        if last != Some(module) && !seen.insert(module) {
            seen = HashSet::from([module]);
            blocks.push(Block { at: place..place + 1, round: None });
        }
        last = Some(module);
        match blocks.last_mut() {
            Some(block) => block.at.end = place + 1,
            None => blocks.push(Block { at: place..place + 1, round: None }),
        }
    }
    (inside as f64 >= MODULES_NEEDED * events.len() as f64).then_some(blocks)
}

fn blocks(analysis: &Analysis<'_>, events: &[u32]) -> Vec<Block> {
    let gpu = &analysis.trace.gpu;
    let is_kernel = |place: &usize| gpu.kind[events[*place] as usize] == EventKind::Kernel;
    let places: Vec<usize> = (0..events.len()).filter(is_kernel).collect();
    let mut tokens: Vec<u32> = places.iter().map(|&place| gpu.name[events[place] as usize].0).collect();
    let mut blocks = Vec::new();
    for round in 0..ROUNDS {
        let Some(runs) = period::all(&tokens) else { break };
        let covered: usize = runs.iter().map(|run| run.at.len()).sum();
        if (covered as f64) < WORTHWHILE * tokens.len() as f64 {
            break;
        }
        for run in runs {
            // Names that nothing else has: the next round sees other periods only.
            for (place, token) in tokens[run.at.clone()].iter_mut().enumerate() {
                *token = u32::MAX - (run.at.start + place) as u32;
            }
            let at = places[run.at.start]..places[run.at.end - 1] + 1;
            if events[at.clone()].iter().any(|&event| mixes_tokens(analysis.category(event as usize))) {
                blocks.push(Block { at, round: Some(round) });
            }
        }
    }
    blocks.sort_by_key(|block| block.at.start);
    blocks
}

/// Where the pass of `next` begins, unless both blocks are of one pass.
fn boundary(
    analysis: &Analysis<'_>,
    moments: &[Ns],
    events: &[u32],
    block: &Block,
    next: &Block,
) -> Option<usize> {
    let between = block.at.end..next.at.start;
    let gpu = &analysis.trace.gpu;
    // What was sampled goes back to the host at the end of a pass.
    let returns = |place: &usize| analysis.raw_name(events[*place] as usize).contains("DtoH");
    if let Some(copy) = between.clone().rev().find(returns) {
        return Some(copy + 1);
    }
    let attends = |place: usize| mixes_tokens(analysis.category(events[place] as usize));
    if block.round.is_some() && (block.round != next.round || between.clone().any(attends)) {
        return None;
    }
    let pause = |place: usize| {
        let (before, after) = (events[place - 1] as usize, events[place] as usize);
        let on_gpu = gpu.start[after] - (gpu.start[before] + gpu.dur[before]);
        (moments[after].saturating_sub(moments[before]), on_gpu)
    };
    (between.start..=between.end).rev().max_by_key(|&place| pause(place))
}
