//! The same inputs give the same outputs, at the same and at other addresses.

use crate::judge::bench::{Bench, POISON};
use crate::judge::ends;
use crate::judge::setup::JudgeError;
use crate::judge::stage::{Stop, settle};
use crate::layout::Layout;
use crate::verdict::{Code, Finding, Gate};
use crate::worker::Edge;
use serde_json::json;

const GATE: Gate = Gate::Determinism;
/// Calls at each address. An order of summing that changes moves few rounded results, so more of them see more.
const CALLS: usize = 3;

/// Runs the gate.
pub fn run(bench: &mut Bench<'_>) -> Result<Vec<Finding>, JudgeError> {
    settle(check(bench))
}

fn check(bench: &mut Bench<'_>) -> Result<(), Stop> {
    let allowed = bench.task().determinism.max_ulp;
    for case in bench.measured() {
        let data = bench.draw(&case, bench.seed("determinism"), 1.0)?;
        let mut worker = bench.worker(GATE)?;
        let mut first: Option<Vec<Vec<u8>>> = None;
        for edge in [Edge::End, Edge::Start] {
            let mut stage = bench.stage(&case, 1, edge)?;
            worker.map(&stage.arena).map_err(|end| ends::stop(GATE, Some(&case), end))?;
            for call in 0..CALLS {
                let taken = bench.answer(GATE, &mut worker, &mut stage, &data, POISON[call % 2])?;
                let Some(first) = &first else {
                    first = Some(taken);
                    continue;
                };
                for (at, tensor) in case.outputs().enumerate() {
                    let tensor = &case.tensors[tensor];
                    let (differ, ulp) = difference(&tensor.layout, &first[at], &taken[at]);
                    if ulp > u64::from(allowed) {
                        return Err(Stop::Found(Finding::new(
                            GATE,
                            Code::Nondeterministic,
                            format!(
                                "{differ} elements of `{}` differ between two calls on the same inputs at {}, by up to {ulp} in the last place",
                                tensor.name,
                                case.title()
                            ),
                            json!({ "axes": case.axes, "output": tensor.name, "differ": differ, "max_ulp": ulp, "allowed": allowed }),
                        )));
                    }
                }
            }
        }
    }
    Ok(())
}

/// Elements that differ, and the largest distance in units of the last place.
fn difference(layout: &Layout, a: &[u8], b: &[u8]) -> (usize, u64) {
    if a == b {
        return (0, 0);
    }
    let (size, mut differ, mut most) = (layout.dtype.size(), 0, 0);
    layout.each(|place| {
        let bytes = place * size..(place + 1) * size;
        let (a, b) = (&a[bytes.clone()], &b[bytes]);
        if a != b {
            differ += 1;
            most = most.max(steps(layout, a).abs_diff(steps(layout, b)));
        }
    });
    (differ, most)
}

/// Bits as a number that grows with the value, so that neighbours differ by one.
fn steps(layout: &Layout, bytes: &[u8]) -> i64 {
    let mut word = [0; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    let bits = i64::from_le_bytes(word);
    if layout.dtype.unit_roundoff().is_none() {
        return bits;
    }
    let sign = 1_i64.rotate_left(bytes.len() as u32 * 8 - 1);
    if bits & sign == 0 { bits } else { -(bits & !sign) }
}

#[cfg(test)]
mod tests {
    use super::difference;
    use crate::dtype::DType;
    use crate::layout::Layout;

    #[test]
    fn neighbours_are_one_apart_in_every_type() {
        for (dtype, values, apart) in [
            (DType::Bf16, [1.0, 1.0 + 1.0 / 128.0], 1),
            (DType::Bf16, [-1.0, -1.0 - 1.0 / 128.0], 1),
            (DType::Fp16, [0.0, -0.0], 0),
            (DType::Fp32, [1.0, 1.0], 0),
            (DType::Fp64, [1.0, 1.0 + f64::EPSILON * 3.0], 3),
            (DType::Int32, [7.0, 9.0], 2),
        ] {
            let layout = Layout::contiguous(dtype, &[1]);
            let bytes = values.map(|value| {
                let mut bytes = vec![0; layout.span()];
                layout.write(&[value], &mut bytes);
                bytes
            });
            assert_eq!(difference(&layout, &bytes[0], &bytes[1]).1, apart, "{dtype:?} {values:?}");
        }
    }
}
