//! Parts of a task. Every default is what published campaigns and the error analysis call for; see `docs/kernels.md`.

mod call;
mod cost;
mod right;
mod shapes;
mod size;
mod tensors;

pub use call::{Abi, Allow, Array, Baseline, Build, Device, Form, Graph, Launch};
pub use cost::{Cache, Limits, Roofline, Timing};
pub use right::{Determinism, Oracle, Special, SpecialMode, SumModel, SumTerms, Tolerance};
pub use shapes::{Hidden, Reject, Workloads};
pub use tensors::{Axis, Dist, Generator, Input, Output, OutputMode, Scalar, Size, Strides};
