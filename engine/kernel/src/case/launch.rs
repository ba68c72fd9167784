//! How a kernel is launched at one shape.

use super::Tensor;
use crate::task::argument::{self, Argument, Number};
use crate::task::{Size, Task, axes};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// An argument of a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arg {
    /// Address of a tensor of the case.
    Tensor(usize),
    /// 32-bit whole number.
    I32(i32),
    /// 64-bit whole number.
    I64(i64),
    /// binary32.
    F32(f32),
    /// binary64.
    F64(f64),
}

/// A launch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Launch {
    /// Blocks in each dimension.
    pub grid: [u32; 3],
    /// Threads of a block in each dimension.
    pub block: [u32; 3],
    /// Bytes of dynamic shared memory of a block.
    pub shared: u32,
    /// Arguments in the order of the kernel.
    pub args: Vec<Arg>,
}

impl Launch {
    /// The launch of a task at these sizes; `None` where the entry launches by itself.
    pub(super) fn of(
        task: &Task,
        sizes: &IndexMap<String, u64>,
        tensors: &[Tensor],
        scalars: &[f64],
    ) -> Result<Option<Self>, String> {
        let Some(launch) = &task.launch else { return Ok(None) };
        let value = |text: &str| -> Result<u32, String> {
            let value = axes::size(text, sizes).map_err(|error| error.to_string())?;
            u32::try_from(value).map_err(|_| format!("`{text}` is {value}, more than a launch can have"))
        };
        let three = |what: &str, list: &[Size]| -> Result<[u32; 3], String> {
            let mut all = [1; 3];
            for (place, size) in all.iter_mut().zip(list) {
                *place = value(&size.0)?;
                if *place == 0 {
                    return Err(format!("`{}` of the {what} is 0", size.0));
                }
            }
            Ok(all)
        };
        let args = launch.args.iter().map(|text| arg(task, text, sizes, tensors, scalars));
        Ok(Some(Self {
            grid: three("grid", &launch.grid)?,
            block: three("block", &launch.block)?,
            shared: value(&launch.shared)?,
            args: args.collect::<Result<_, _>>()?,
        }))
    }
}

fn arg(
    task: &Task,
    text: &str,
    sizes: &IndexMap<String, u64>,
    tensors: &[Tensor],
    scalars: &[f64],
) -> Result<Arg, String> {
    let whole = |value: i64, number: Number| match number {
        Number::I32 => i32::try_from(value)
            .map(Arg::I32)
            .map_err(|_| format!("`{text}` is {value}, more than an `i32` holds")),
        _ => Ok(Arg::I64(value)),
    };
    match argument::parse(task, text)? {
        Argument::Tensor(at) => Ok(Arg::Tensor(at)),
        Argument::Stride(at, dimension, number) => {
            let stride =
                tensors.get(at).and_then(|tensor| tensor.layout.strides.get(dimension)).copied().unwrap_or(0);
            whole(stride as i64, number)
        }
        Argument::Size(size, number) => {
            let value = axes::size(&size.0, sizes).map_err(|error| error.to_string())?;
            whole(
                i64::try_from(value).map_err(|_| format!("`{text}` is {value}, more than an `i64` holds"))?,
                number,
            )
        }
        Argument::Scalar(at, number) => {
            let value = scalars.get(at).copied().unwrap_or(0.0);
            match number {
                Number::F32 => Ok(Arg::F32(value as f32)),
                Number::F64 => Ok(Arg::F64(value)),
                Number::I32 | Number::I64 if value.fract() == 0.0 => whole(value as i64, number),
                Number::I32 | Number::I64 => Err(format!("`{text}` is {value}, no whole number")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Arg, Launch};
    use crate::case::{Kind, make};
    use crate::task::{Task, argument, load};
    use std::path::Path;

    fn task() -> Task {
        let file =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/kernels/rmsnorm-cuda/task.yaml");
        load(&file).expect("an example").task
    }

    #[test]
    fn a_launch_follows_from_the_sizes_and_the_gaps() {
        let task = task();
        let axes = [("R".to_owned(), 7), ("C".to_owned(), 33)].into_iter().collect();
        let case = make(&task, Kind::Hidden, &axes, 3).expect("a case");
        let args = [0, 1, 2].map(Arg::Tensor).into_iter();
        let args = args.chain([7, 33, 36, 36].map(Arg::I64)).chain([Arg::F32(1e-6)]).collect();
        assert_eq!(case.launch, Some(Launch { grid: [7, 1, 1], block: [256, 1, 1], shared: 0, args }));
    }

    #[test]
    fn an_argument_that_means_nothing_says_so() {
        let task = task();
        for (text, said) in [
            ("x: i64", "passed by its address"),
            ("x.stride[2]", "has 2 dimensions"),
            ("z.stride[0]", "`z` is no tensor"),
            ("R: f32", "whole number"),
            ("R: i16", "no type of an argument"),
            ("rows", "no axis"),
        ] {
            let message = argument::parse(&task, text).expect_err(text);
            assert!(message.contains(said), "{text}: {message}");
        }
        let mut wide = task;
        let launch = wide.launch.as_mut().expect("a launch");
        launch.args = vec!["R * 1000000: i32".to_owned()];
        let axes = [("R".to_owned(), 65_536), ("C".to_owned(), 1)].into_iter().collect();
        let error = make(&wide, Kind::Hidden, &axes, 0).expect_err("too large").to_string();
        assert!(error.contains("more than an `i32` holds"), "{error}");
    }
}
