//! `y = x * (1 + scale) + shift`. Inputs `x`, `scale`, `shift` (by name or order). `scale` and `shift` are spread over `x` as NumPy
//! does, from the last dimension; one of shape [B, C] beside an `x` of shape [B, ..., C] holds a row for each `B`.

use super::wants::{Shapes, Wants};
use super::{Case, Expected, Oracle, OracleError, Task};

pub(super) const NAME: &str = "scale_shift";

struct ScaleShift {
    x: usize,
    scale: usize,
    shift: usize,
}

pub(super) fn make(task: &Task) -> Result<Box<dyn Oracle>, OracleError> {
    let mut wants = Wants::new(NAME, task);
    let oracle = ScaleShift {
        x: wants.input("x", 0)?,
        scale: wants.input("scale", 1)?,
        shift: wants.input("shift", 2)?,
    };
    wants.done(1)?;
    Ok(Box::new(oracle))
}

impl Oracle for ScaleShift {
    fn expect(&self, case: &Case, inputs: &[Vec<f64>]) -> Result<Vec<Expected>, OracleError> {
        let shapes = Shapes { oracle: NAME, case };
        let shape = shapes.input(self.x)?;
        shapes.output(0, shape)?;
        let spread = |role: &str, at: usize| {
            let small = shapes.input(at)?;
            strides(small, shape)
                .ok_or_else(|| shapes.error(format!("`{role}`, {small:?}, cannot be spread over {shape:?}")))
        };
        let (scales, shifts) = (spread("scale", self.scale)?, spread("shift", self.shift)?);
        let mut expected = Expected::with_capacity(inputs[self.x].len());
        let mut index = vec![0; shape.len()];
        for x in &inputs[self.x] {
            let place =
                |strides: &[usize]| index.iter().zip(strides).map(|(at, stride)| at * stride).sum::<usize>();
            let (scale, shift) = (inputs[self.scale][place(&scales)], inputs[self.shift][place(&shifts)]);
            expected.values.push(x * (1.0 + scale) + shift);
            // `1 + scale` is rounded, too, and may cancel.
            expected.terms.push(x.abs() * (1.0 + scale.abs()) + shift.abs());
            for (at, size) in index.iter_mut().zip(shape).rev() {
                *at += 1;
                if *at < *size {
                    break;
                }
                *at = 0;
            }
        }
        Ok(vec![expected])
    }
}

/// Steps of a small tensor for each dimension of a large one; 0 where it is spread.
fn strides(small: &[usize], large: &[usize]) -> Option<Vec<usize>> {
    let per_batch =
        small.len() == 2 && large.len() > 2 && small[0] == large[0] && small[1] == large[large.len() - 1];
    // [B, C] may also be the last two dimensions of `x`; only if they do not fit it is per batch.
    if per_batch && small[0] != large[large.len() - 2] {
        let mut strides = vec![0; large.len()];
        (strides[0], strides[large.len() - 1]) = (small[1], 1);
        return Some(strides);
    }
    let before = large.len().checked_sub(small.len())?;
    let (mut strides, mut step) = (vec![0; large.len()], 1);
    for at in (0..small.len()).rev() {
        match (small[at], large[before + at]) {
            (1, _) => {}
            (size, other) if size == other => strides[before + at] = step,
            _ => return None,
        }
        step *= small[at];
    }
    Some(strides)
}

#[cfg(test)]
mod tests {
    use super::strides;

    #[test]
    fn small_tensors_are_spread() {
        assert_eq!(strides(&[4], &[2, 3, 4]), Some(vec![0, 0, 1]));
        assert_eq!(strides(&[2, 1, 4], &[2, 3, 4]), Some(vec![4, 0, 1]));
        assert_eq!(strides(&[2, 4], &[2, 3, 4]), Some(vec![4, 0, 1]), "a row for each batch");
        assert_eq!(strides(&[3, 4], &[2, 3, 4]), Some(vec![0, 4, 1]));
        assert_eq!(strides(&[1], &[2, 3]), Some(vec![0, 0]));
        assert_eq!(strides(&[], &[2]), Some(vec![0]));
        assert_eq!(strides(&[3], &[2, 4]), None);
        assert_eq!(strides(&[2, 3, 4], &[3, 4]), None);
    }
}
