//! Bookkeeping of which values, and which pairs of values of two flags, some candidate holds.

use super::space::Space;

/// Values are numbered through all axes; a pair is two numbers, the smaller first.
pub(super) struct Cover {
    /// Number of each axis's first value.
    first: Vec<usize>,
    /// Axis of each value.
    axis: Vec<usize>,
    reached: Vec<bool>,
    barred: Vec<bool>,
    uses: Vec<usize>,
    /// Pairs that need no candidate any more: reached, barred, or no pair at all.
    closed: Vec<bool>,
    pairs_reached: usize,
    /// No open pair lies before it.
    cursor: usize,
}

/// Two values, by number.
pub(super) type ValuePair = (usize, usize);

impl Cover {
    pub(super) fn new(space: &Space) -> Self {
        let mut first = Vec::with_capacity(space.axes.len());
        let mut axis = Vec::new();
        for (index, one) in space.axes.iter().enumerate() {
            first.push(axis.len());
            axis.extend(std::iter::repeat_n(index, one.values.len()));
        }
        let count = axis.len();
        let closed = (0..count * count).map(|cell| axis[cell / count] >= axis[cell % count]).collect();
        Self {
            first,
            axis,
            reached: vec![false; count],
            barred: vec![false; count],
            uses: vec![0; count],
            closed,
            pairs_reached: 0,
            cursor: 0,
        }
    }

    /// The number of a value.
    pub(super) fn number(&self, axis: usize, value: usize) -> usize {
        self.first[axis] + value
    }

    /// Axis and value of a number.
    pub(super) fn place(&self, number: usize) -> (usize, usize) {
        let axis = self.axis[number];
        (axis, number - self.first[axis])
    }

    /// Counts a candidate that holds these values; gives how many pairs are new.
    pub(super) fn reach(&mut self, held: &[Option<usize>]) -> usize {
        let numbers: Vec<usize> =
            held.iter().enumerate().filter_map(|(axis, value)| Some(self.number(axis, (*value)?))).collect();
        let before = self.pairs_reached;
        for (at, number) in numbers.iter().enumerate() {
            self.reached[*number] = true;
            self.uses[*number] += 1;
            for other in &numbers[at + 1..] {
                let cell = number * self.axis.len() + other;
                self.pairs_reached += usize::from(!self.closed[cell]);
                self.closed[cell] = true;
            }
        }
        self.pairs_reached - before
    }

    pub(super) fn is_reached(&self, number: usize) -> bool {
        self.reached[number]
    }

    pub(super) fn uses(&self, number: usize) -> usize {
        self.uses[number]
    }

    pub(super) fn pairs_reached(&self) -> usize {
        self.pairs_reached
    }

    /// No candidate can hold this value.
    pub(super) fn bar_value(&mut self, number: usize) {
        self.barred[number] = true;
        for other in 0..self.axis.len() {
            self.bar_pair((number.min(other), number.max(other)));
        }
    }

    /// No candidate can hold both values.
    pub(super) fn bar_pair(&mut self, (a, b): ValuePair) {
        self.closed[a * self.axis.len() + b] = true;
    }

    pub(super) fn is_open(&self, a: usize, b: usize) -> bool {
        !self.closed[a.min(b) * self.axis.len() + a.max(b)]
    }

    /// Pairs of different flags, whatever happened to them.
    pub(super) fn pairs(&self) -> usize {
        let count = self.axis.len();
        (0..count).map(|a| (a + 1..count).filter(|b| self.axis[a] != self.axis[*b]).count()).sum()
    }

    /// Pairs that no candidate holds, though one could.
    pub(super) fn pairs_open(&self) -> usize {
        self.closed.iter().filter(|closed| !**closed).count()
    }

    /// The first open pairs, the most important flags first.
    pub(super) fn open(&mut self, most: usize) -> Vec<ValuePair> {
        let count = self.axis.len();
        while self.closed.get(self.cursor) == Some(&true) {
            self.cursor += 1;
        }
        let rest = self.closed.iter().enumerate().skip(self.cursor);
        rest.filter(|(_, closed)| !**closed)
            .map(|(cell, _)| (cell / count, cell % count))
            .take(most)
            .collect()
    }
}
