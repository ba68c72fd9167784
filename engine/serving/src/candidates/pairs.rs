//! The greedy choice of a candidate that holds many pairs of values nobody has tried yet.

use super::cover::{Cover, ValuePair};
use super::space::{Row, Space};

/// How many untried pairs are tried as the beginning of a candidate; the one that gathers most pairs wins.
const SEEDS: usize = 16;

/// The next candidate, with the pair it was made for; `None` once no pair is open.
pub(super) fn next_row(space: &Space, cover: &mut Cover) -> Option<(Row, ValuePair)> {
    let mut best: Option<(usize, Row, ValuePair)> = None;
    for seed in cover.open(SEEDS) {
        let (gain, row) = grow(space, cover, seed);
        if best.as_ref().is_none_or(|(most, ..)| gain > *most) {
            best = Some((gain, row, seed));
        }
    }
    best.map(|(_, row, seed)| (row, seed))
}

/// Fills the other flags in their order: each takes the value with most open pairs to those before it, then the one
/// used least, then the one listed first.
fn grow(space: &Space, cover: &Cover, (a, b): ValuePair) -> (usize, Row) {
    let mut row: Vec<Option<usize>> = vec![None; space.axes.len()];
    for number in [a, b] {
        let (axis, value) = cover.place(number);
        row[axis] = Some(value);
    }
    let mut chosen = vec![a, b];
    let mut gain = 1;
    for (axis, slot) in row.iter_mut().enumerate().filter(|(_, slot)| slot.is_none()) {
        let of = |value: usize| {
            let number = cover.number(axis, value);
            let open = chosen.iter().filter(|other| cover.is_open(**other, number)).count();
            (open, number, value)
        };
        let options = (0..space.axes[axis].values.len()).map(of);
        let least_used = |number: usize| std::cmp::Reverse(cover.uses(number));
        let key = |&(open, number, value): &(usize, usize, usize)| {
            (open, least_used(number), std::cmp::Reverse(value))
        };
        if let Some((open, number, value)) = options.max_by_key(key) {
            gain += open;
            chosen.push(number);
            *slot = Some(value);
        }
    }
    (gain, row.into_iter().map(Option::unwrap_or_default).collect())
}
