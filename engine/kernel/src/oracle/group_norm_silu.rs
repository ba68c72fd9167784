//! Group norm, then `v * sigmoid(v)`. Inputs `x` [N, C, ...], `w` [C], `b` [C] (by name or order), scalar `eps`, setting `groups`.

use super::wants::{Shapes, Wants};
use super::{Case, Expected, Oracle, OracleError, Task};

pub(super) const NAME: &str = "group_norm_silu";

/// Largest slope of `v * sigmoid(v)`, at v = 2.4.
const STEEPEST: f64 = 1.1;

struct GroupNormSilu {
    x: usize,
    w: usize,
    b: usize,
    eps: usize,
    groups: usize,
}

pub(super) fn make(task: &Task) -> Result<Box<dyn Oracle>, OracleError> {
    let mut wants = Wants::new(NAME, task);
    let oracle = GroupNormSilu {
        x: wants.input("x", 0)?,
        w: wants.input("w", 1)?,
        b: wants.input("b", 2)?,
        eps: wants.scalar("eps")?,
        groups: wants.count("groups")?,
    };
    wants.done(1)?;
    Ok(Box::new(oracle))
}

impl Oracle for GroupNormSilu {
    fn expect(&self, case: &Case, inputs: &[Vec<f64>]) -> Result<Vec<Expected>, OracleError> {
        let shapes = Shapes { oracle: NAME, case };
        let shape = shapes.input(self.x)?;
        let [_, channels, inner @ ..] = shape else {
            return Err(shapes.error("`x` is not [N, C, ...]".to_owned()));
        };
        if channels % self.groups != 0 {
            return Err(shapes.error(format!("{channels} channels are not {} equal groups", self.groups)));
        }
        shapes.is("w", self.w, &[*channels])?;
        shapes.is("b", self.b, &[*channels])?;
        shapes.output(0, shape)?;
        let inner: usize = inner.iter().product();
        let group = channels / self.groups * inner;
        let mut expected = Expected::with_capacity(inputs[self.x].len());
        for (at, values) in inputs[self.x].chunks(group).enumerate() {
            let first = at % self.groups * (channels / self.groups);
            let weights =
                |place: usize| (inputs[self.w][first + place / inner], inputs[self.b][first + place / inner]);
            one(values, weights, case.scalars[self.eps], &mut expected);
        }
        Ok(vec![expected])
    }
}

/// One group. Terms: the mean is a sum, and what is left of it after the subtraction is scaled; the variance is another.
fn one(values: &[f64], weights: impl Fn(usize) -> (f64, f64), eps: f64, expected: &mut Expected) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let size = values.iter().map(|value| value.abs()).sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n;
    let factor = 1.0 / (variance + eps).sqrt();
    for (place, value) in values.iter().enumerate() {
        let (w, b) = weights(place);
        let normed = (value - mean) * factor;
        let v = normed * w + b;
        // For v below -745 the exponential is infinite, and the quotient the right 0.
        expected.values.push(v / (1.0 + (-v).exp()));
        expected.terms.push(STEEPEST * ((size * factor + normed.abs()) * w.abs() + b.abs()));
    }
}
