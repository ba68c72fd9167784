//! Data of inputs. An element depends on the seed, its tensor's name and its index only: not on the layout, not on other tensors.
//!
//! Values are rounded to the tensor's type, so that the oracle computes on exactly what the kernel reads. Must not know oracles.

mod edit;
mod philox;

pub use edit::{Pattern, change, disturb, dominate, special};
pub use philox::{Numbers, Stream};

use crate::case::{Case, Kind};
use crate::task::{Dist, Generator, Input, Task, axes};
use sha2::{Digest, Sha256};

/// A seed for a purpose, from another seed: data of different gates must not be the same.
pub fn seed(seed: u64, purpose: &str) -> u64 {
    let digest = Sha256::new().chain_update(purpose).chain_update(seed.to_le_bytes()).finalize();
    digest.iter().take(8).fold(0, |word, byte| word << 8 | u64::from(*byte))
}

/// Factors where a task names none: small numbers, where a constant shows, and large ones, where a narrow type inside does.
const USUAL: [f64; 3] = [0.05, 1.0, 30.0];

/// The factors of one input: those that it names. Where no input names any, the first whose type has digits behind the point is
/// looked at with [`USUAL`], since a test at one scale tells too little; all of them at a time could leave what a type holds.
fn own<'t>(task: &'t Task, input: &'t Input) -> &'t [f64] {
    let named = &input.generator.scales;
    if !named.is_empty() {
        return named;
    }
    let unnamed = task.inputs.values().all(|input| input.generator.scales.is_empty());
    let first = || task.inputs.values().find(|input| input.generator.dist != Dist::Integers);
    if unnamed && first().is_some_and(|first| std::ptr::eq(first, input)) { &USUAL } else { &[1.0] }
}

/// The factors that checks run at: those of all inputs, each once, in the task's order.
pub fn scales(task: &Task) -> Vec<f64> {
    let mut all: Vec<f64> = Vec::new();
    for scale in task.inputs.values().flat_map(|input| own(task, input)) {
        if !all.contains(scale) {
            all.push(*scale);
        }
    }
    all
}

/// Where the smallest scale is made smaller for shapes that look at scalars; a power of two, so that no digit is lost.
const FAINT: f64 = 1.0 / 1024.0;

/// The factors that checks of a shape run at: [`scales`], and a small part of the least where scalars are looked at. A number beside
/// a sum, such as an epsilon, is seen where the sum is small.
///
/// A large shape is looked at with one: it is there for its size.
pub fn scales_at(task: &Task, kind: Kind) -> Vec<f64> {
    let mut all = scales(task);
    if kind == Kind::Large {
        all.retain(|scale| *scale == 1.0);
        all.extend(scales(task).first().filter(|_| all.is_empty()));
    }
    if kind == Kind::Scalar {
        all.extend(least(task).map(|least| least * FAINT));
    }
    all
}

fn least(task: &Task) -> Option<f64> {
    scales(task).into_iter().reduce(f64::min)
}

/// The factor of one input in a check at `scale`: that one if the input names it, otherwise 1 or the first that it names.
fn scale_of(task: &Task, input: &Input, scale: f64) -> f64 {
    if let Some(least) = least(task).filter(|least| scale == least * FAINT) {
        let named = scale_of(task, input, least);
        return if named == least { scale } else { named };
    }
    let own = own(task, input);
    let named = |wanted: f64| own.contains(&wanted).then_some(wanted);
    named(scale).or_else(|| named(1.0)).or(own.first().copied()).unwrap_or(1.0)
}

/// Values of an input in the order of its indices, rounded to its type; nothing for an output.
///
/// `scale` is a factor of [`scales`] or [`scales_at`]; an input that does not name it stays as it is.
pub fn values(task: &Task, case: &Case, tensor: usize, seed: u64, scale: f64) -> Vec<f64> {
    let tensor = &case.tensors[tensor];
    let Some(input) = task.inputs.get(&tensor.name) else { return Vec::new() };
    let factor = scale_of(task, input, scale);
    let mut values = draw(&input.generator, case, &tensor.name, tensor.layout.len(), seed, factor);
    tensor.layout.dtype.round_all(&mut values);
    values
}

fn draw(generator: &Generator, case: &Case, name: &str, count: usize, seed: u64, factor: f64) -> Vec<f64> {
    let numbers = Numbers::new(seed, name);
    let (mean, spread) = (generator.mean * factor, generator.std * factor);
    match generator.dist {
        Dist::Normal => pairs(count, |at| numbers.normal(at).map(|normal| mean + spread * normal)),
        Dist::Uniform => {
            pairs(count, |at| numbers.uniform(at).map(|part| mean + spread * (2.0 * part - 1.0)))
        }
        Dist::Integers => {
            // The loader computed both at every measured shape.
            let bound = |text: &str| axes::size(text, &case.axes).unwrap_or(0);
            let (low, high) = (bound(&generator.low), bound(&generator.high));
            let width = u128::from(high.saturating_sub(low));
            pairs(count, |at| {
                numbers.words(at).map(|word| (low + ((u128::from(word) * width) >> 64) as u64) as f64)
            })
        }
    }
}

/// Numbers come in pairs, the pair of element `i` has the number `i / 2`.
fn pairs(count: usize, mut pair: impl FnMut(u64) -> [f64; 2]) -> Vec<f64> {
    let mut values = Vec::with_capacity(count + 1);
    (0..count.div_ceil(2)).for_each(|at| values.extend(pair(at as u64)));
    values.truncate(count);
    values
}

/// Writes an input's values to its memory; gaps are left alone. `bytes` is as long as the layout's span.
pub fn fill(task: &Task, case: &Case, tensor: usize, seed: u64, scale: f64, bytes: &mut [u8]) {
    case.tensors[tensor].layout.write(&values(task, case, tensor, seed, scale), bytes);
}
