//! Device kernels: NVRTC, the driver, and what of them is here. Only with the feature `cuda`, which needs no CUDA to build.
//!
//! The binding panics on the first call into a library that is missing or lacks a function. So every call here stands behind
//! [`library`], which asks for the library and each function first; what is not there is an error that says so.

mod child;
mod device;
mod doctor;
mod library;
mod nvrtc;

pub(crate) use child::answer;
pub use device::{KernelFacts, kernel_facts};
pub(crate) use doctor::driver_version;
pub use doctor::{Device, Facts, Library, facts};
pub use library::{DRIVER, preload};
pub use nvrtc::{Compiled, compile};

use crate::ptx::PtxError;
use crate::verdict::{Code, Finding, Gate};
use serde_json::json;

/// Why something could not be done with CUDA.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CudaError {
    /// The machine lacks what it needs.
    #[error("unsupported here: {what}")]
    Unsupported {
        /// What is missing, a fragment with a way out.
        what: String,
    },
    /// A source or flag holds a NUL byte.
    #[error("the {what} holds a NUL byte")]
    Nul {
        /// `source`, `name`, or a flag.
        what: &'static str,
    },
    /// NVRTC refused the source.
    #[error("NVRTC refused it: {}", first_error(log))]
    Refused {
        /// Everything that it said.
        log: String,
        /// The flags.
        flags: Vec<String>,
    },
    /// What NVRTC gave is no PTX.
    #[error("NVRTC gave what cannot be read: {0}")]
    Ptx(#[from] PtxError),
    /// NVRTC or the driver reports an error.
    #[error("{call} failed: {error}")]
    Failed {
        /// The call.
        call: &'static str,
        /// The library's own word.
        error: String,
    },
}

impl CudaError {
    /// The finding against the candidate; `None` where the fault is this machine's.
    pub fn finding(&self) -> Option<Finding> {
        let evidence = match self {
            Self::Nul { what } => json!({ "nul_in": what }),
            Self::Refused { log, flags } => json!({ "log": log, "flags": flags }),
            Self::Unsupported { .. } | Self::Ptx(_) | Self::Failed { .. } => return None,
        };
        Some(Finding::new(Gate::Build, Code::BuildFailed, self.to_string(), evidence))
    }
}

fn first_error(log: &str) -> &str {
    let told = log.lines().find(|line| line.contains("error"));
    told.or_else(|| log.lines().next()).unwrap_or("it said nothing")
}
