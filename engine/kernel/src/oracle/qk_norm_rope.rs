//! Queries and keys: RMS norm over each head, then rotary position embedding.
//!
//! Inputs by name or order: `q` [tokens, heads, D], `k` [tokens, heads of keys, D], `q_weight` [D], `k_weight` [D], `cos_sin`
//! [positions, D], whose rows hold D/2 cosines, then D/2 sines; by name only `positions` [tokens], without which token t stands at
//! position t. Scalar `eps`. Outputs: queries, keys. The partner of element i is i + D/2; with `interleaved: true` pairs are
//! neighbours.

use super::rmsnorm::factor;
use super::wants::{Shapes, Wants};
use super::{Case, Expected, Oracle, OracleError, Task};

pub(super) const NAME: &str = "qk_norm_rope";

struct QkNormRope {
    heads: [usize; 2],
    weights: [usize; 2],
    cos_sin: usize,
    positions: Option<usize>,
    eps: usize,
    interleaved: bool,
}

pub(super) fn make(task: &Task) -> Result<Box<dyn Oracle>, OracleError> {
    let mut wants = Wants::new(NAME, task);
    let oracle = QkNormRope {
        heads: [wants.input("q", 0)?, wants.input("k", 1)?],
        weights: [wants.input("q_weight", 2)?, wants.input("k_weight", 3)?],
        cos_sin: wants.input("cos_sin", 4)?,
        positions: wants.optional("positions")?,
        eps: wants.scalar("eps")?,
        interleaved: wants.flag("interleaved")?,
    };
    wants.done(2)?;
    Ok(Box::new(oracle))
}

impl Oracle for QkNormRope {
    fn expect(&self, case: &Case, inputs: &[Vec<f64>]) -> Result<Vec<Expected>, OracleError> {
        let shapes = Shapes { oracle: NAME, case };
        let &[tokens, _, width] = shapes.input(self.heads[0])? else {
            return Err(shapes.error("`q` is not [tokens, heads, D]".to_owned()));
        };
        let (known, _) = shapes.rows("cos_sin", self.cos_sin)?;
        shapes.is("cos_sin", self.cos_sin, &[known, width])?;
        if width % 2 == 1 {
            return Err(shapes.error(format!("heads of {width} elements have no pairs")));
        }
        let positions = match self.positions {
            Some(at) => {
                shapes.is("positions", at, &[tokens])?;
                inputs[at].clone()
            }
            None => (0..tokens).map(|token| token as f64).collect(),
        };
        let outside = |at: &f64| !(0.0..known as f64).contains(at);
        if let Some(at) = positions.iter().find(|at| outside(at)) {
            return Err(shapes.error(format!("position {at} has no row in `cos_sin`, which has {known}")));
        }
        let mut all = Vec::new();
        for (at, (heads, weight)) in self.heads.into_iter().zip(self.weights).enumerate() {
            let shape = shapes.input(heads)?;
            let &[rows, count, wide] = shape else {
                return Err(shapes.error("`k` is not [tokens, heads, D]".to_owned()));
            };
            if rows != tokens || wide != width {
                return Err(
                    shapes.error(format!("`q` and `k` do not fit: {tokens} x {width} and {rows} x {wide}"))
                );
            }
            shapes.is(if at == 0 { "q_weight" } else { "k_weight" }, weight, &[width])?;
            shapes.output(at, shape)?;
            let mut expected = Expected::with_capacity(inputs[heads].len());
            for (token, position) in positions.iter().enumerate() {
                let turns = &inputs[self.cos_sin][*position as usize * width..][..width];
                for head in inputs[heads][token * count * width..][..count * width].chunks(width) {
                    self.turn(head, &inputs[weight], turns, case.scalars[self.eps], &mut expected);
                }
            }
            all.push(expected);
        }
        Ok(all)
    }
}

impl QkNormRope {
    /// One head. Terms: both products of a turned element, each off by what an error of the norm's sum does to it.
    fn turn(&self, head: &[f64], weight: &[f64], turns: &[f64], eps: f64, expected: &mut Expected) {
        let (factor, share) = factor(head, eps);
        let (width, start) = (head.len(), expected.values.len());
        let half = width / 2;
        expected.values.resize(start + width, 0.0);
        expected.terms.resize(start + width, 0.0);
        for pair in 0..half {
            let (first, second) =
                if self.interleaved { (2 * pair, 2 * pair + 1) } else { (pair, pair + half) };
            let (a, b) = (head[first] * factor * weight[first], head[second] * factor * weight[second]);
            let (cos, sin) = (turns[pair], turns[half + pair]);
            // The products themselves are rounded in the type of the sum, too: at least one roundoff of it.
            let share = share.max(0.5);
            expected.values[start + first] = a * cos - b * sin;
            expected.terms[start + first] = share * ((a * cos).abs() + (b * sin).abs());
            expected.values[start + second] = b * cos + a * sin;
            expected.terms[start + second] = share * ((b * cos).abs() + (a * sin).abs());
        }
    }
}
