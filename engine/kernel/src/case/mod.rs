//! A task at one shape: the tensors of a call. Made by the judge, filled by generators, carried to a worker. Must not hold data.

mod grid;
mod launch;
mod make;
mod reject;

pub use grid::{Drawn, cases};
pub use launch::{Arg, Launch};
pub use make::make;
pub use reject::rejected;

use crate::layout::Layout;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// Why a shape is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A workload of the task.
    Measured,
    /// The smallest workload with other values of the scalars.
    Scalar,
    /// One of its odd sizes.
    Hidden,
    /// Drawn in this judgement.
    Random,
    /// Drawn too, as large as what is measured, where hidden and random shapes are smaller.
    Large,
    /// A measured or hidden one with gaps between rows.
    Strided,
}

/// What a call does with a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads it.
    Input,
    /// Writes it.
    Output,
}

/// A tensor of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tensor {
    /// Its name in the task.
    pub name: String,
    /// What the call does with it.
    pub role: Role,
    /// Where its elements lie.
    pub layout: Layout,
}

/// A call of the entry at one shape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// Why it is looked at.
    pub kind: Kind,
    /// Sizes by axis.
    pub axes: IndexMap<String, u64>,
    /// Inputs in the order of the call, then outputs in the order of the call.
    pub tensors: Vec<Tensor>,
    /// Scalars in the order of the call.
    pub scalars: Vec<f64>,
    /// How the kernel is launched, where the judge's side says so.
    pub launch: Option<Launch>,
    /// Bytes that descriptors name apart from the address, as `byte_offset`: so many for the first tensor, twice as many for the next.
    pub shift: usize,
}

impl Case {
    /// Places of the inputs among the tensors.
    pub fn inputs(&self) -> impl Iterator<Item = usize> + '_ {
        self.of(Role::Input)
    }

    /// Places of the outputs among the tensors.
    pub fn outputs(&self) -> impl Iterator<Item = usize> + '_ {
        self.of(Role::Output)
    }

    fn of(&self, role: Role) -> impl Iterator<Item = usize> + '_ {
        self.tensors.iter().enumerate().filter(move |(_, tensor)| tensor.role == role).map(|(at, _)| at)
    }

    /// The sizes, such as `R=512 C=768`.
    pub fn title(&self) -> String {
        self.axes.iter().map(|(axis, size)| format!("{axis}={size}")).collect::<Vec<_>>().join(" ")
    }
}
