//! Changes to generated values: special numbers, one element that dominates, and few elements that change.

use super::philox::Stream;
use crate::dtype::DType;
use crate::layout::Layout;

/// Kind of special rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// One NaN in the row.
    Nan,
    /// One infinity in the row, of either sign.
    Inf,
    /// Zeros, some of them negative.
    Zero,
    /// Subnormal numbers of the type.
    Subnormal,
}

/// Rows of the last dimension.
fn rows(layout: &Layout) -> (usize, usize) {
    let width = layout.shape.last().copied().unwrap_or(1).max(1);
    (layout.len() / width, width)
}

/// Makes every second row special, the first one included, and tells which; the others show whether it spreads. Types without
/// such numbers (integers; infinities of `e4m3`) are left alone.
pub fn special(pattern: Pattern, layout: &Layout, seed: u64, values: &mut [f64]) -> Vec<usize> {
    let Some(least) = layout.dtype.min_normal() else { return Vec::new() };
    if pattern == Pattern::Inf && !layout.dtype.rounded(f64::INFINITY).is_infinite() {
        return Vec::new();
    }
    let (count, width) = rows(layout);
    let mut stream = Stream::new(seed, "special");
    let special: Vec<usize> = (0..count).step_by(2).collect();
    for row in &special {
        let row = &mut values[row * width..(row + 1) * width];
        let sign = |stream: &mut Stream| if stream.word() & 1 == 0 { 1.0 } else { -1.0 };
        match pattern {
            Pattern::Nan => row[stream.below(width as u64) as usize] = f64::NAN,
            Pattern::Inf => row[stream.below(width as u64) as usize] = f64::INFINITY * sign(&mut stream),
            Pattern::Zero => row.iter_mut().for_each(|value| *value = 0.0 * sign(&mut stream)),
            Pattern::Subnormal => row.iter_mut().for_each(|value| {
                // Below a half of the least normal number no rounding leads out of the subnormal ones.
                *value = layout.dtype.rounded(sign(&mut stream) * least * 0.5 * stream.uniform());
            }),
        }
    }
    special
}

/// Makes one element of each row a thousand times as large as the row's largest, as far as the type goes: a sum that leaves
/// elements out is then far off.
pub fn dominate(layout: &Layout, seed: u64, values: &mut [f64]) {
    let Some(most) = layout.dtype.max_finite() else { return };
    let (_, width) = rows(layout);
    let mut stream = Stream::new(seed, "dominate");
    for row in values.chunks_mut(width) {
        let largest = row.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
        let at = stream.below(row.len() as u64) as usize;
        // The square root keeps squares within the type.
        let value = (1000.0 * largest).min(most.sqrt().max(largest));
        row[at] = layout.dtype.rounded(value.copysign(row[at]));
    }
}

/// Gives `n` elements at random places another value, and tells the places. Fewer if there are fewer elements.
pub fn change(layout: &Layout, n: usize, seed: u64, values: &mut [f64]) -> Vec<usize> {
    let mut stream = Stream::new(seed, "change");
    let mut places: Vec<usize> = Vec::new();
    let spread = values.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    let roundoff = layout.dtype.unit_roundoff();
    // Of few values that change one after the other, the last might find no other one left.
    let occurring = if roundoff.is_none() { values.to_vec() } else { Vec::new() };
    while places.len() < n.min(values.len()) {
        let at = stream.below(values.len() as u64) as usize;
        if places.contains(&at) {
            continue;
        }
        places.push(at);
        let old = values[at];
        values[at] = match roundoff {
            // The negative of a number as large as any: it shows in every sum over it.
            Some(_) if spread > 0.0 => {
                layout.dtype.rounded((0.5 + 0.5 * stream.uniform()) * spread).copysign(-old)
            }
            Some(_) => 1.0,
            // Integers may be indices: only values that occur are taken.
            None => other(&occurring, old, &mut stream),
        };
    }
    places
}

/// Changes the digits of nearly every float in memory, at the speed of memory, so that no two tensors are ever the same, nor nearly so;
/// `false`, and nothing is done, for integers, which may be indices. Signs and powers of two stay, so finite numbers stay finite.
pub fn disturb(layout: &Layout, seed: u64, bytes: &mut [u8]) -> bool {
    // Digits of each element, repeated over eight bytes.
    let digits: u64 = match layout.dtype {
        DType::Fp64 => 0x000f_ffff_ffff_ffff,
        DType::Fp32 => 0x007f_ffff_007f_ffff,
        DType::Fp16 => 0x03ff_03ff_03ff_03ff,
        DType::Bf16 => 0x007f_007f_007f_007f,
        DType::E4m3 => 0x0707_0707_0707_0707,
        DType::E5m2 => 0x0303_0303_0303_0303,
        DType::Int64 | DType::Int32 | DType::Int8 | DType::Uint8 | DType::Bool => return false,
    };
    let mut state = seed;
    for chunk in bytes.chunks_mut(8) {
        // SplitMix64 (Steele, Lea and Flood, 2014): a few operations for each word.
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = (state ^ state >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ word >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        let change = ((word ^ word >> 31) & digits).to_le_bytes();
        for (byte, change) in chunk.iter_mut().zip(change) {
            // The one type whose largest power of two holds numbers as well as NaN.
            let nan = layout.dtype == DType::E4m3 && (*byte ^ change) & 0x7f == 0x7f;
            *byte ^= if nan { 0 } else { change };
        }
    }
    true
}

/// A value among these that is another one; the same if there is no other.
fn other(values: &[f64], old: f64, stream: &mut Stream) -> f64 {
    let start = stream.below(values.len() as u64) as usize;
    let around = values[start..].iter().chain(&values[..start]);
    around.copied().find(|value| *value != old).unwrap_or(old)
}

#[cfg(test)]
mod tests {
    use super::{Pattern, change, disturb, dominate, special};
    use crate::dtype::DType;
    use crate::layout::Layout;

    fn plain(layout: &Layout) -> Vec<f64> {
        (0..layout.len()).map(|at| layout.dtype.rounded((at as f64 * 0.7).sin() + 1.5)).collect()
    }

    #[test]
    fn what_is_disturbed_is_new_and_about_the_same() {
        for dtype in [DType::Fp64, DType::Fp32, DType::Fp16, DType::Bf16, DType::E4m3, DType::E5m2] {
            let layout = Layout::contiguous(dtype, &[7, 33]);
            let values: Vec<f64> =
                (0..layout.len()).map(|at| dtype.rounded((at as f64 * 0.7).sin() + 1.5)).collect();
            let mut bytes = vec![0; layout.span()];
            layout.write(&values, &mut bytes);
            let before = bytes.clone();
            assert!(disturb(&layout, 3, &mut bytes));
            let after = layout.read(&bytes);
            let changed = values.iter().zip(&after).filter(|(old, new)| old != new).count();
            assert!(changed > layout.len() / 3, "{dtype:?}: {changed}");
            // All digits, and not the power of two.
            let most =
                values.iter().zip(&after).map(|(old, new)| ((new - old) / old).abs()).fold(0.0, f64::max);
            assert!(most > 0.5 && most < 1.0, "{dtype:?}: {most}");
            let once = bytes.clone();
            disturb(&layout, 4, &mut bytes);
            assert!(bytes != once && bytes != before, "{dtype:?}");
        }
        // Its largest numbers stand beside NaN.
        let mut large = [0x7e; 64];
        disturb(&Layout::contiguous(DType::E4m3, &[64]), 1, &mut large);
        assert!(large.iter().all(|byte| *byte != 0x7f) && large.iter().any(|byte| *byte != 0x7e));
        let whole = Layout::contiguous(DType::Int32, &[4]);
        assert!(!disturb(&whole, 1, &mut [1; 16]));
    }

    #[test]
    fn special_rows_are_special_and_the_others_are_not() {
        for dtype in [DType::Fp64, DType::Fp32, DType::Fp16, DType::Bf16, DType::E5m2, DType::E4m3] {
            let layout = Layout::contiguous(dtype, &[5, 9]);
            for pattern in [Pattern::Nan, Pattern::Inf, Pattern::Zero, Pattern::Subnormal] {
                let mut values = plain(&layout);
                let rows = special(pattern, &layout, 3, &mut values);
                if rows.is_empty() {
                    assert_eq!((dtype, pattern), (DType::E4m3, Pattern::Inf), "only this has no such number");
                    continue;
                }
                assert_eq!(rows, [0, 2, 4]);
                assert_eq!(values[9..18], plain(&layout)[9..18]);
                let (row, least) = (&values[18..27], dtype.min_normal().expect("a float"));
                let count = |is: &dyn Fn(f64) -> bool| row.iter().filter(|value| is(**value)).count();
                match pattern {
                    Pattern::Nan => assert_eq!(count(&f64::is_nan), 1),
                    Pattern::Inf => assert_eq!(count(&f64::is_infinite), 1),
                    Pattern::Zero => assert_eq!(count(&|value| value == 0.0), 9),
                    Pattern::Subnormal => {
                        assert_eq!(count(&|value| value.abs() < least), 9);
                        assert!(count(&|value| value != 0.0) > 4);
                    }
                }
            }
        }
    }

    #[test]
    fn one_element_of_each_row_dominates() {
        let layout = Layout::contiguous(DType::Bf16, &[4, 32]);
        let mut values = plain(&layout);
        dominate(&layout, 8, &mut values);
        for row in values.chunks(32) {
            let largest = row.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
            let rest: f64 = row.iter().map(|value| value * value).sum::<f64>() - largest * largest;
            assert!(largest * largest > 1000.0 * rest && largest.is_finite());
        }
    }

    #[test]
    fn as_many_elements_change_as_are_asked() {
        for dtype in [DType::Bf16, DType::Int32] {
            let layout = Layout::contiguous(dtype, &[6, 7]);
            let before: Vec<f64> = plain(&layout)
                .iter()
                .enumerate()
                .map(|(at, value)| dtype.rounded(value + (at % 3) as f64))
                .collect();
            for n in [0, 1, 3, 99] {
                let mut values = before.clone();
                let places = change(&layout, n, 17, &mut values);
                assert_eq!(places.len(), n.min(42));
                for at in 0..42 {
                    assert_eq!(values[at] != before[at], places.contains(&at), "{dtype:?} {n} {at}");
                }
            }
        }
    }
}
