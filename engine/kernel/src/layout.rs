//! Where a tensor's elements lie in its memory.

use crate::dtype::DType;
use serde::{Deserialize, Serialize};

/// Shape and strides, in elements; every stride is positive, the first element lies at 0.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Layout {
    /// Type of the elements.
    pub dtype: DType,
    /// Elements in each dimension.
    pub shape: Vec<usize>,
    /// Elements from one index of a dimension to the next.
    pub strides: Vec<usize>,
}

impl Layout {
    /// Rows behind each other without a gap.
    pub fn contiguous(dtype: DType, shape: &[usize]) -> Self {
        Self::padded(dtype, shape, 0)
    }

    /// As [`Self::contiguous`], with `gap` unused elements behind each row of the last dimension. A tensor of one dimension has
    /// no rows and gets no gap.
    pub fn padded(dtype: DType, shape: &[usize], gap: usize) -> Self {
        let mut strides = vec![1; shape.len()];
        let mut step = 1;
        for at in (0..shape.len()).rev() {
            strides[at] = step;
            step *= shape[at].max(1);
            if at + 1 == shape.len() {
                step += gap;
            }
        }
        Self { dtype, shape: shape.to_vec(), strides }
    }

    /// Elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The index of the element with this place in the order of the indices.
    pub fn index(&self, at: usize) -> Vec<usize> {
        let mut rest = at;
        let mut index: Vec<usize> = self
            .shape
            .iter()
            .rev()
            .map(|size| {
                let here = rest % size.max(&1);
                rest /= size.max(&1);
                here
            })
            .collect();
        index.reverse();
        index
    }

    /// Whether rows follow each other without a gap.
    pub fn is_contiguous(&self) -> bool {
        *self == Self::contiguous(self.dtype, &self.shape)
    }

    /// Bytes from the first element to behind the last.
    pub fn span(&self) -> usize {
        if self.is_empty() {
            return 0;
        }
        let last: usize =
            self.shape.iter().zip(&self.strides).map(|(size, stride)| (size - 1) * stride).sum();
        (last + 1) * self.dtype.size()
    }

    /// Calls `take` with the place in memory of each element, in elements, in the order of the indices (the last fastest).
    pub fn each(&self, mut take: impl FnMut(usize)) {
        self.runs(|start, len| (start..start + len).for_each(&mut take));
    }

    /// Calls `take` with place and number of elements that lie behind one another, in the order of the indices.
    fn runs(&self, mut take: impl FnMut(usize, usize)) {
        if self.is_empty() {
            return;
        }
        if self.is_contiguous() {
            return take(0, self.len());
        }
        // A row is a run, unless its own elements lie apart.
        let inner = usize::from(self.strides.last() == Some(&1));
        let outer = &self.shape[..self.shape.len() - inner];
        let row = if inner == 1 { self.shape[outer.len()] } else { 1 };
        let mut index = vec![0; outer.len()];
        loop {
            take(index.iter().zip(&self.strides).map(|(at, stride)| at * stride).sum(), row);
            // The next index, as an odometer counts.
            let mut dimension = outer.len();
            loop {
                if dimension == 0 {
                    return;
                }
                dimension -= 1;
                index[dimension] += 1;
                if index[dimension] < outer[dimension] {
                    break;
                }
                index[dimension] = 0;
            }
        }
    }

    /// The place in memory, in elements, of the element with a number in the order of the indices.
    pub fn place(&self, mut number: usize) -> usize {
        let mut place = 0;
        for (size, stride) in self.shape.iter().zip(&self.strides).rev() {
            place += number % (*size).max(1) * stride;
            number /= (*size).max(1);
        }
        place
    }

    /// The elements' values in the order of the indices. `bytes` are the tensor's, [`Self::span`] long.
    pub fn read(&self, bytes: &[u8]) -> Vec<f64> {
        let (size, mut values) = (self.dtype.size(), Vec::with_capacity(self.len()));
        self.runs(|start, len| self.dtype.read_all(&bytes[start * size..(start + len) * size], &mut values));
        values
    }

    /// Writes values in the order of the indices; gaps are left alone.
    pub fn write(&self, values: &[f64], bytes: &mut [u8]) {
        let (size, mut rest) = (self.dtype.size(), values);
        self.runs(|start, len| {
            let (now, then) = rest.split_at(len.min(rest.len()));
            self.dtype.write_all(now, &mut bytes[start * size..(start + len) * size]);
            rest = then;
        });
    }

    /// For each byte of the span, whether it belongs to an element (and not to a gap).
    pub fn used(&self) -> Vec<bool> {
        let (size, mut used) = (self.dtype.size(), vec![false; self.span()]);
        self.runs(|start, len| used[start * size..(start + len) * size].fill(true));
        used
    }
}

#[cfg(test)]
mod tests {
    use super::{DType, Layout};

    #[test]
    fn places_in_the_order_of_the_indices_have_an_index() {
        let layout = Layout::padded(DType::Fp16, &[2, 2, 3], 2);
        assert_eq!(layout.index(0), [0, 0, 0]);
        assert_eq!(layout.index(5), [0, 1, 2]);
        assert_eq!(layout.index(11), [1, 1, 2]);
        assert!(Layout::contiguous(DType::Fp16, &[]).index(0).is_empty());
    }

    #[test]
    fn gaps_lie_behind_rows() {
        let padded = Layout::padded(DType::Fp16, &[2, 2, 3], 2);
        assert_eq!(padded.strides, [10, 5, 1]);
        assert_eq!(padded.span(), (10 + 5 + 2 + 1) * 2);
        let mut places = Vec::new();
        padded.each(|at| places.push(at));
        assert_eq!(places, (0..padded.len()).map(|number| padded.place(number)).collect::<Vec<_>>());
        assert_eq!(places, [0, 1, 2, 5, 6, 7, 10, 11, 12, 15, 16, 17]);
        assert_eq!(padded.used().iter().filter(|used| **used).count(), 24);
        assert!(!padded.is_contiguous() && Layout::contiguous(DType::Fp16, &[2, 3]).is_contiguous());
    }

    #[test]
    fn what_is_written_is_read() {
        let apart = Layout { strides: vec![8, 2], ..Layout::contiguous(DType::Int8, &[2, 3]) };
        let padded = [&[][..], &[4], &[2, 3], &[0, 3], &[1, 1, 1, 2], &[2, 2, 5]];
        let padded = padded.map(|shape| Layout::padded(DType::Fp32, shape, 3));
        for layout in padded.into_iter().chain([apart]) {
            let mut places = Vec::new();
            layout.each(|at| places.push(at));
            assert_eq!(places, (0..layout.len()).map(|number| layout.place(number)).collect::<Vec<_>>());
            let values: Vec<f64> = (0..layout.len()).map(|at| at as f64 - 2.0).collect();
            let mut bytes = vec![0xff; layout.span()];
            layout.write(&values, &mut bytes);
            assert_eq!(layout.read(&bytes), values);
        }
    }
}
