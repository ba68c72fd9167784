//! `y = x / sqrt(mean(x^2) + eps) * w`, over the last dimension. Inputs `x` and `w` (by name or order), scalar `eps`.

use super::wants::{Shapes, Wants};
use super::{Case, Expected, Oracle, OracleError, Task};

pub(super) const NAME: &str = "rmsnorm";

struct RmsNorm {
    x: usize,
    w: usize,
    eps: usize,
}

pub(super) fn make(task: &Task) -> Result<Box<dyn Oracle>, OracleError> {
    let mut wants = Wants::new(NAME, task);
    let oracle = RmsNorm { x: wants.input("x", 0)?, w: wants.input("w", 1)?, eps: wants.scalar("eps")? };
    wants.done(1)?;
    Ok(Box::new(oracle))
}

/// The factor `1 / sqrt(mean(x^2) + eps)` of a row, and how much of a relative error of the sum it takes: the derivative of the
/// logarithm of the factor is a half of the sum's share.
pub(super) fn factor(row: &[f64], eps: f64) -> (f64, f64) {
    let mean = row.iter().map(|value| value * value).sum::<f64>() / row.len() as f64;
    let share = if mean + eps > 0.0 { mean / (mean + eps) } else { 0.0 };
    (1.0 / (mean + eps).sqrt(), 0.5 * share)
}

impl Oracle for RmsNorm {
    fn expect(&self, case: &Case, inputs: &[Vec<f64>]) -> Result<Vec<Expected>, OracleError> {
        let shapes = Shapes { oracle: NAME, case };
        let (_, width) = shapes.rows("x", self.x)?;
        shapes.is("w", self.w, &[width])?;
        shapes.output(0, shapes.input(self.x)?)?;
        let (x, w, eps) = (&inputs[self.x], &inputs[self.w], case.scalars[self.eps]);
        let mut expected = Expected::with_capacity(x.len());
        for row in x.chunks(width) {
            let (factor, share) = factor(row, eps);
            for (value, weight) in row.iter().zip(w) {
                let y = value * factor * weight;
                expected.values.push(y);
                expected.terms.push(share * y.abs());
            }
        }
        Ok(vec![expected])
    }
}
