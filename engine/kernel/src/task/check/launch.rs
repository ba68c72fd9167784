//! The form of the entry, and how a kernel is launched.

use super::{Checked, expression, problem};
use crate::task::{Array, Device, Form, Task, argument};

pub(super) fn form(task: &Task) -> Checked {
    let abi = &task.abi;
    if abi.form == Form::CudaKernel && abi.device == Device::Cpu {
        return problem(&["abi", "device"], "a `cuda_kernel` runs on a GPU", "write `device: cuda`");
    }
    if abi.form == Form::Python && abi.device == Device::Cuda && abi.array == Array::Numpy {
        return problem(&["abi", "array"], "numpy has no arrays on a GPU", "write `array: torch`");
    }
    interpreter(task)?;
    match (&task.launch, abi.form) {
        (None, Form::CudaKernel) => problem(
            &["abi", "form"],
            "nothing says how the kernel is launched",
            "add `launch` with `grid`, `block` and `args`",
        ),
        (Some(_), Form::CDltensor | Form::TvmFfi | Form::Python) => problem(
            &["launch"],
            "an entry of this form launches by itself",
            "leave `launch` out, or write `form: cuda_kernel`",
        ),
        (Some(launch), Form::CudaKernel) => {
            for (name, sizes) in [("grid", &launch.grid), ("block", &launch.block)] {
                if !(1..=3).contains(&sizes.len()) {
                    let message = format!("a {name} has one to three dimensions, not {}", sizes.len());
                    return problem(&["launch", name], message, "for example `[R]`");
                }
                for (at, size) in sizes.iter().enumerate() {
                    expression(task, &size.0, &["launch", name, &at.to_string()])?;
                }
            }
            expression(task, &launch.shared, &["launch", "shared"])?;
            for (at, text) in launch.args.iter().enumerate() {
                if let Err(message) = argument::parse(task, text) {
                    return problem(
                        &["launch", "args", &at.to_string()],
                        message,
                        "for example `x`, `R`, `x.stride[0]`, `eps: f32`",
                    );
                }
            }
            Ok(())
        }
        (None, _) => Ok(()),
    }
}

/// Variables that the judge sets, or that would change what the interpreter loads.
const OWN: [&str; 3] = ["PATH", "HOME", "TMPDIR"];
const LOADING: [&str; 2] = ["PYTHON", "LD_"];

fn interpreter(task: &Task) -> Checked {
    let build = &task.build;
    if build.python.first().is_none_or(String::is_empty) {
        return problem(&["build", "python"], "no interpreter is named", "for example `[python3]`");
    }
    for name in build.python_env.keys() {
        let upper = |char: char| char.is_ascii_uppercase() || char.is_ascii_digit() || char == '_';
        let path = ["build", "python_env", name];
        if name.is_empty() || !name.chars().all(upper) {
            return problem(&path, format!("`{name}` is no name of a variable"), "use `A-Z`, `0-9` and `_`");
        }
        if OWN.contains(&name.as_str()) || LOADING.iter().any(|start| name.starts_with(start)) {
            return problem(&path, format!("`{name}` is not for a task to set"), "leave it out");
        }
    }
    Ok(())
}
