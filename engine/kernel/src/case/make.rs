//! The tensors of a call at given sizes.

use super::{Case, Kind, Launch, Role, Tensor};
use crate::dtype::DType;
use crate::layout::Layout;
use crate::task::{Form, Size, Strides, Task, TaskError, axes};
use indexmap::IndexMap;

/// Most elements of one tensor: memory of a machine, not of a task's wish.
const MOST_ELEMENTS: u64 = 1 << 34;

/// The call of a task at these sizes, with the scalars that are measured. `gap` elements lie behind each row of the tensors that may have gaps.
///
/// # Errors
/// If a size of a tensor cannot be computed, is 0, or is beyond any memory.
pub fn make(task: &Task, kind: Kind, axes: &IndexMap<String, u64>, gap: usize) -> Result<Case, TaskError> {
    set(task, kind, axes, &[gap], 0)
}

/// Least `byte_offset` of descriptors, in bytes: what DLPack asks addresses to be aligned to.
const SHIFT: usize = 256;

/// As [`make`], with the scalars of a setting (see [`Task::settings`]), and gaps that the tensors which may have some take in turn.
pub(super) fn set(
    task: &Task,
    kind: Kind,
    axes: &IndexMap<String, u64>,
    gaps: &[usize],
    setting: usize,
) -> Result<Case, TaskError> {
    let mut case = Case {
        kind,
        axes: axes.clone(),
        tensors: Vec::new(),
        scalars: task.scalars.values().map(|one| one.at(setting)).collect(),
        launch: None,
        // Exports of tvm-ffi take the address alone: frameworks never offset it.
        shift: if kind == Kind::Strided && task.abi.form == Form::CDltensor {
            SHIFT.max(task.abi.align)
        } else {
            0
        },
    };
    let mut gaps = gaps.iter().cycle();
    let inputs =
        task.inputs.iter().map(|(name, one)| (name, Role::Input, one.dtype, &one.shape, one.strides));
    let outputs =
        task.outputs.iter().map(|(name, one)| (name, Role::Output, one.dtype, &one.shape, one.strides));
    for (name, role, dtype, shape, strides) in inputs.chain(outputs) {
        let padded = strides == Strides::RowPaddedOk && shape.len() > 1;
        let gap = if padded { gaps.next().copied().unwrap_or(0) } else { 0 };
        let layout = layout(dtype, shape, axes, gap).map_err(|cause| TaskError::Case {
            title: case.title(),
            message: format!("`{name}`: {cause}"),
        })?;
        case.tensors.push(Tensor { name: name.clone(), role, layout });
    }
    case.launch = Launch::of(task, axes, &case.tensors, &case.scalars)
        .map_err(|cause| TaskError::Case { title: case.title(), message: format!("the launch: {cause}") })?;
    Ok(case)
}

fn layout(dtype: DType, shape: &[Size], axes: &IndexMap<String, u64>, gap: usize) -> Result<Layout, String> {
    let (mut sizes, mut elements) = (Vec::with_capacity(shape.len()), 1_u64);
    for (at, size) in shape.iter().enumerate() {
        let value = axes::size(&size.0, axes).map_err(|error| error.to_string())?;
        if value == 0 {
            return Err(format!("dimension {at}, `{}`, is 0", size.0));
        }
        elements = elements.saturating_mul(value);
        if elements > MOST_ELEMENTS {
            return Err(format!("more than {MOST_ELEMENTS} elements"));
        }
        sizes.push(value as usize);
    }
    Ok(Layout::padded(dtype, &sizes, gap))
}
