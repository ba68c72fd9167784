//! Constraints of a definition: those that the axes' ranges imply already say nothing, and a task needs no place for them.

use crate::task::Axis;
use crate::task::axes::size;
use indexmap::IndexMap;

/// Least and largest value of one side.
type Bounds = (i128, i128);

/// A sign, and whether each value of the left side relates to each of the right one.
type Relation = (&'static str, fn(Bounds, Bounds) -> bool);

/// Longer signs come first.
const RELATIONS: &[Relation] = &[
    (">=", |left, right| left.0 >= right.1),
    ("<=", |left, right| left.1 <= right.0),
    ("==", |left, right| left.0 == right.1 && left.1 == right.0),
    ("!=", |left, right| left.0 > right.1 || left.1 < right.0),
    (">", |left, right| left.0 > right.1),
    ("<", |left, right| left.1 < right.0),
];

/// Whether every size that the axes allow fulfils it: `batch_size > 0`, `heads % groups == 0` of constants.
pub(super) fn is_implied(constraint: &str, axes: &IndexMap<String, Axis>) -> bool {
    let relation = RELATIONS.iter().find_map(|(sign, holds)| Some((constraint.split_once(sign)?, holds)));
    let Some(((left, right), holds)) = relation else { return false };
    bounds(left.trim(), axes).zip(bounds(right.trim(), axes)).is_some_and(|(left, right)| holds(left, right))
}

/// Of an axis, of a number, or of an expression over constant axes.
fn bounds(side: &str, axes: &IndexMap<String, Axis>) -> Option<Bounds> {
    if let Some(axis) = axes.get(side) {
        return Some((axis.range[0].into(), axis.range[1].into()));
    }
    let constant = axes.iter().filter(|(_, axis)| axis.range[0] == axis.range[1]);
    let constants = constant.map(|(name, axis)| (name.clone(), axis.range[0])).collect();
    let value = i128::from(size(side, &constants).ok()?);
    Some((value, value))
}
