//! `y = a + b`, of one shape. Inputs `a` and `b` (by name or order).

use super::wants::{Shapes, Wants};
use super::{Case, Expected, Oracle, OracleError, Task};

pub(super) const NAME: &str = "add";

struct Add {
    a: usize,
    b: usize,
}

pub(super) fn make(task: &Task) -> Result<Box<dyn Oracle>, OracleError> {
    let mut wants = Wants::new(NAME, task);
    let oracle = Add { a: wants.input("a", 0)?, b: wants.input("b", 1)? };
    wants.done(1)?;
    Ok(Box::new(oracle))
}

impl Oracle for Add {
    fn expect(&self, case: &Case, inputs: &[Vec<f64>]) -> Result<Vec<Expected>, OracleError> {
        let shapes = Shapes { oracle: NAME, case };
        let shape = shapes.input(self.a)?;
        shapes.is("b", self.b, shape)?;
        shapes.output(0, shape)?;
        let pairs = || inputs[self.a].iter().zip(&inputs[self.b]);
        let values = pairs().map(|(a, b)| a + b).collect();
        Ok(vec![Expected { values, terms: pairs().map(|(a, b)| a.abs() + b.abs()).collect() }])
    }
}
