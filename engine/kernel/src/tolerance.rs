//! How far from the right answer is still right.
//!
//! An element passes if `|y - y*| <= (k + c) u max(|y*|, m) + g S`: `k` roundings of the contract, `c` for what is between them, `u`
//! the unit roundoff of the output's type, `m` its least normal number (below it a rounding's error is absolute), `S` the sum of
//! the absolute terms, and `g` what the sum's type does to it: `n u` at worst, `3 sqrt(n) u` for errors of random sign (Higham,
//! "Accuracy and stability of numerical algorithms", ch. 4; Higham and Mary, 2019). Must not know where values come from.

use crate::dtype::DType;
use crate::oracle::Expected;
use crate::task::{Output, OutputMode, SumModel, Task, axes};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// The element that is furthest off.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Miss {
    /// Its place in the order of the indices.
    pub at: usize,
    /// The right value. JSON has no NaN and no infinity; they are `null` there, and NaN when they come back.
    #[serde(deserialize_with = "number_or_nan")]
    pub expected: f64,
    /// What was found.
    #[serde(deserialize_with = "number_or_nan")]
    pub got: f64,
    /// How far off it may be.
    #[serde(deserialize_with = "number_or_nan")]
    pub bound: f64,
}

impl std::fmt::Display for Miss {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { at, expected, got, bound } = self;
        write!(out, "element {at} is {got:e} and not {expected:e}, with {bound:.1e} allowed")
    }
}

fn number_or_nan<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

/// Errors of an output.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Errors {
    /// Elements compared.
    pub elements: usize,
    /// Elements beyond their bound.
    pub failed: usize,
    /// Largest error in unit roundoffs of the output's type, among finite elements; one correct rounding stays at 1. For
    /// integers, the largest difference.
    pub max_u: f64,
    /// Error relative to the right answer, both in the 2-norm, over finite elements. One correct rounding gives 0.42 u.
    pub rel_l2: f64,
    /// Mean of the errors away from zero in units of their standard deviation, less what chance gives and what the sum may be off
    /// by: 0 for honest rounding, about -1.6 for truncation. 0 too where there are too few different results to tell.
    pub bias_t: f64,
    /// The first element that fails by most; none if none fails.
    pub worst: Option<Miss>,
}

impl Errors {
    /// Whether every element is within its bound.
    pub fn passed(&self) -> bool {
        self.failed == 0
    }
}

/// Standard errors of a mean that are put down to chance: one honest judgement in 16,000 goes beyond.
const CHANCE: f64 = 4.0;

/// What an element may be off by.
struct Bound {
    dtype: DType,
    /// `u`; none for integers.
    unit: Option<f64>,
    /// `(k + c) u`; 0 for integers.
    relative: f64,
    least: f64,
    /// `g`.
    sum: f64,
    bitwise: bool,
}

impl Bound {
    fn new(task: &Task, output: &Output, sizes: &IndexMap<String, u64>) -> Self {
        let unit = output.dtype.unit_roundoff();
        let u = unit.unwrap_or(0.0);
        let sum = task.tolerance.accum.as_ref().map_or(0.0, |accum| {
            // The loader computed it at every measured shape; without a value the bound is the tightest.
            let n = axes::size(&accum.n.0, sizes).unwrap_or(0) as f64;
            let unit = accum.unit.unit_roundoff().unwrap_or(0.0);
            match accum.model {
                SumModel::Sqrt => 3.0 * n.sqrt() * unit,
                SumModel::Worst => n * unit,
            }
        });
        Self {
            dtype: output.dtype,
            unit,
            relative: (f64::from(output.roundings) + task.tolerance.c_out) * u,
            least: output.dtype.min_normal().unwrap_or(0.0),
            sum: if u > 0.0 { sum } else { 0.0 },
            bitwise: output.mode == OutputMode::BitwiseVsBaseline,
        }
    }

    fn of(&self, expected: f64, terms: f64) -> f64 {
        self.relative * expected.abs().max(self.least) + self.of_sum(terms)
    }

    /// The part of the sum; beside an infinity or NaN it tells nothing.
    fn of_sum(&self, terms: f64) -> f64 {
        if terms.is_finite() { self.sum * terms } else { 0.0 }
    }

    /// Whether an element passes.
    fn passes(&self, expected: f64, got: f64, bound: f64) -> bool {
        let error = (expected - got).abs();
        // So are nearly all; a difference that is finite is one of finite numbers.
        if error <= bound && error.is_finite() && !self.bitwise {
            return true;
        }
        if expected.is_nan() || got.is_nan() {
            return expected.is_nan() && got.is_nan() || self.overflows_to(expected, got, bound);
        }
        if self.bitwise {
            return expected.to_bits() == got.to_bits();
        }
        // Equal infinities have no difference.
        expected == got || self.overflows_to(expected, got, bound)
    }

    /// Whether a value beyond the type, or within its bound of that, became what the type has for it: an infinity; of 8-bit floats,
    /// whose conversions may cut off, the largest number; of `e4m3`, which has no infinity, NaN.
    fn overflows_to(&self, expected: f64, got: f64, bound: f64) -> bool {
        let Some(most) = self.dtype.max_finite() else { return false };
        // Half a step beyond the largest number rounding leaves the type.
        let step = self.dtype.unit_roundoff().unwrap_or(0.0) * 2f64.powi(most.log2().floor() as i32);
        if self.bitwise || expected.is_nan() || expected.abs() + bound.min(f64::MAX) < most + step {
            return false;
        }
        match self.dtype {
            DType::E4m3 if got.is_nan() => return true,
            DType::E4m3 | DType::E5m2 if got == most.copysign(expected) => return true,
            _ => {}
        }
        got.is_infinite() && got.signum() == expected.signum()
    }

    /// What an error is multiplied by to count in unit roundoffs.
    fn per_u(&self, expected: f64) -> f64 {
        self.unit.map_or(1.0, |u| 1.0 / (u * expected.abs().max(self.least)))
    }
}

/// Compares an output with the right answer. `axes` are the sizes of the case; `got` is in the order of the indices.
///
/// A length that differs is an error of the caller: the elements that lack a partner fail.
pub fn errors(
    task: &Task,
    output: &Output,
    axes: &IndexMap<String, u64>,
    expected: &Expected,
    got: &[f64],
) -> Errors {
    let bound = Bound::new(task, output, axes);
    let elements = expected.values.len().max(got.len());
    let mut errors =
        Errors { elements, failed: elements - expected.values.len().min(got.len()), ..Errors::default() };
    let (mut squares, mut size, mut excess, mut bias) = (0.0, 0.0, -1.0, Bias::default());
    for (at, (right, got)) in expected.values.iter().zip(got).enumerate() {
        let terms = expected.terms.get(at).copied().unwrap_or(0.0);
        let allowed = bound.of(*right, terms);
        let (error, finite) = ((got - right).abs(), right.is_finite() && got.is_finite());
        if !bound.passes(*right, *got, allowed) {
            errors.failed += 1;
            let beyond = if finite { error - allowed } else { f64::INFINITY };
            if beyond > excess {
                excess = beyond;
                errors.worst = Some(Miss { at, expected: *right, got: *got, bound: allowed });
            }
        }
        if finite {
            let per_u = bound.per_u(*right);
            errors.max_u = errors.max_u.max(error * per_u);
            squares += error * error;
            size += right * right;
            if right.abs() >= bound.least {
                bias.add((got - right) * right.signum() * per_u);
                bias.different.see(*got);
                bias.allowed += bound.of_sum(terms) * per_u;
            }
        }
    }
    errors.rel_l2 = if squares == 0.0 { 0.0 } else { (squares / size).sqrt() };
    errors.bias_t = bias.beyond_chance();
    errors
}

/// Mean and spread of signed errors.
#[derive(Default)]
struct Bias {
    n: f64,
    sum: f64,
    squares: f64,
    /// Sum of what the sums of the elements may be off by: one wrong factor moves a whole row to one side.
    allowed: f64,
    /// Results that differ in size. Equal results have equal errors, so only these are independent.
    different: Different,
}

/// Results that differ, counted by a bit for each hash (multiplication with the golden ratio, Knuth, volume 3, section 6.4): there is one
/// for every element, so it must cost next to nothing. Two results with one bit count once; of 4096 that is one in 32.
struct Different {
    bits: Vec<u64>,
    count: usize,
}

impl Default for Different {
    fn default() -> Self {
        Self { bits: vec![0; 1 << (Self::LOG - 6)], count: 0 }
    }
}

impl Different {
    /// Logarithm of the number of bits.
    const LOG: u32 = 16;

    fn see(&mut self, result: f64) {
        let hash = result.abs().to_bits().wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - Self::LOG);
        let (word, bit) = (&mut self.bits[(hash >> 6) as usize], 1 << (hash & 63));
        self.count += usize::from(*word & bit == 0);
        *word |= bit;
    }
}

/// Different results that count; with as many chance is at 0.06.
const DIFFERENT: usize = 4096;
/// Fewer different results say nothing about a bias: an RMS norm over one element gives the same one everywhere.
const LEAST_DIFFERENT: usize = 64;

impl Bias {
    fn add(&mut self, error: f64) {
        self.n += 1.0;
        self.sum += error;
        self.squares += error * error;
    }

    fn beyond_chance(&self) -> f64 {
        let different = self.different.count.min(DIFFERENT);
        if different < LEAST_DIFFERENT {
            return 0.0;
        }
        let mean = self.sum / self.n;
        // Errors of honest rounding lie around zero, and a mean a thousand times their spread still leaves ten digits of it.
        let spread = ((self.squares - self.sum * mean) / (self.n - 1.0)).sqrt();
        // Without a spread (one element, or no error at all) there is nothing to tell chance from.
        if spread.is_nan() || spread <= 0.0 {
            return 0.0;
        }
        let share = mean / spread;
        let beyond = share.abs() - self.allowed / self.n / spread - CHANCE / (different as f64).sqrt();
        if beyond > 0.0 { beyond.copysign(share) } else { 0.0 }
    }
}

#[cfg(test)]
mod tests;
