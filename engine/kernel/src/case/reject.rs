//! Calls that must be refused: right but for one thing.

use super::{Case, Kind, make};
use crate::layout::Layout;
use crate::task::{Task, TaskError};
use indexmap::IndexMap;

/// The calls that the task wants refused at these sizes, each with what is wrong about it.
pub fn rejected(task: &Task, axes: &IndexMap<String, u64>) -> Result<Vec<(String, Case)>, TaskError> {
    let right = make(task, Kind::Hidden, axes, 0)?;
    let mut all = Vec::new();
    let mut add = |name: &str, what: String, change: &dyn Fn(&Layout) -> Layout| {
        let mut case = right.clone();
        for tensor in case.tensors.iter_mut().filter(|tensor| tensor.name == name) {
            tensor.layout = change(&tensor.layout);
        }
        all.push((what, case));
    };
    for reject in &task.reject {
        for (name, dtype) in &reject.dtype {
            let what =
                format!("`{name}` is of type {}", serde_json::json!(dtype).as_str().unwrap_or_default());
            add(name, what, &|layout| Layout::contiguous(*dtype, &layout.shape));
        }
        for (name, rank) in &reject.rank {
            add(name, format!("`{name}` has {rank} dimensions"), &|layout| {
                Layout::contiguous(layout.dtype, &ranked(&layout.shape, *rank))
            });
        }
        for (name, more) in &reject.wider {
            add(name, format!("the last dimension of `{name}` has {more} more elements"), &|layout| {
                let mut shape = layout.shape.clone();
                shape.iter_mut().last().into_iter().for_each(|last| *last += more);
                Layout::contiguous(layout.dtype, &shape)
            });
        }
        for (name, step) in &reject.inner_stride {
            add(name, format!("neighbours of `{name}` are {step} elements apart"), &|layout| Layout {
                strides: layout.strides.iter().map(|stride| stride * step).collect(),
                ..layout.clone()
            });
        }
    }
    Ok(all)
}

/// The same elements in another number of dimensions: ones before, or the first dimensions folded into one.
fn ranked(shape: &[usize], rank: usize) -> Vec<usize> {
    match rank.checked_sub(shape.len()) {
        Some(more) => std::iter::repeat_n(1, more).chain(shape.iter().copied()).collect(),
        None if rank == 0 => Vec::new(),
        None => {
            let (folded, kept) = shape.split_at(shape.len() - rank + 1);
            std::iter::once(folded.iter().product()).chain(kept.iter().copied()).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ranked;

    #[test]
    fn dimensions_come_and_go_and_elements_stay() {
        assert_eq!(ranked(&[2, 3, 4], 1), [24]);
        assert_eq!(ranked(&[2, 3, 4], 2), [6, 4]);
        assert_eq!(ranked(&[2, 3], 4), [1, 1, 2, 3]);
        assert!(ranked(&[2, 3], 0).is_empty());
    }
}
