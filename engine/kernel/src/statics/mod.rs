//! What can be told of a shared library without running it. Must not load it.
//!
//! Everything is read as the loader reads it: from program headers and the dynamic table. Section headers, which a loader
//! ignores and a hostile author may forge, only say where code begins, and what they leave out is refused. What no reading can
//! tell (a call to a computed address, code made from data) is left to the worker's sandbox.

mod constructors;
mod cubin;
mod device;
mod entry;
mod exports;
mod hidden;
mod image;
mod imports;
mod instructions;
mod loads;
mod meaning;
mod memory;
mod needed;
mod registration;
mod sweep;

pub use cubin::{Cubin, is_fatbin};
pub(crate) use device::runtime;
pub use imports::ALWAYS;
pub use needed::CPP;

use crate::task::Allow;
use crate::verdict::{Code, Finding, Gate};
use image::Image;
use serde_json::Value;
use std::io;
use std::path::{Path, PathBuf};

/// Largest library that is read, in bytes. Kernels take kilobytes; vendor libraries of every operation take more than this.
const LARGEST: u64 = 256 << 20;

/// Names that a finding lists; the rest is counted.
const LISTED: usize = 16;

/// Why a library could not be inspected.
#[derive(Debug, thiserror::Error)]
pub enum StaticsError {
    /// It cannot be read.
    #[error("`{}` cannot be read: {source}", path.display())]
    Read {
        /// The library.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// It is larger than what is read.
    #[error("the library has {bytes} bytes, at most {LARGEST} are read")]
    TooLarge {
        /// Its size.
        bytes: u64,
    },
    /// It does not even begin as one, whatever its ending says.
    #[error(
        "it is no ELF shared library; give a C or C++ source with its own ending (`.c`, `.cpp`), or build it with `-shared -fPIC`"
    )]
    NotElf,
    /// It is no shared library in ELF form.
    #[error("it is no shared library: {what}")]
    Malformed {
        /// What is wrong, a fragment.
        what: &'static str,
    },
    /// It is a library for a machine whose instructions cannot be read here.
    #[error("it is a library for {machine}; only x86-64 is inspected")]
    Machine {
        /// The machine's name or number.
        machine: String,
    },
}

impl StaticsError {
    /// The judgement that it stands for; `None` where the fault is not the library's.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Read { .. } => None,
            Self::TooLarge { .. } | Self::NotElf | Self::Malformed { .. } | Self::Machine { .. } => {
                Some(Code::LoadFailed)
            }
        }
    }
}

/// What the checks compare with.
struct Context<'a> {
    symbol: &'a str,
    allow: &'a Allow,
    /// It may hand device code to the run-time library when it is loaded.
    registers: bool,
}

impl Context<'_> {
    /// Whether it is the entry, in one of the two forms that a library may have.
    fn is_entry(&self, name: &str) -> bool {
        name == self.symbol || name.strip_prefix("__tvm_ffi_").is_some_and(|rest| rest == self.symbol)
    }
}

type Check = fn(&Image<'_>, &Context<'_>, &mut Vec<Finding>);

/// Every check, in the order of their findings: the first finding names the verdict, so the sharper one goes before the vaguer.
const CHECKS: &[Check] = &[
    entry::check,
    imports::check,
    needed::check,
    loads::check,
    exports::check,
    constructors::check,
    memory::check,
    instructions::check,
];

/// Reads a library and gives everything against it. `symbol` is the name in the task; `__tvm_ffi_<symbol>` counts as well.
pub fn inspect(library: &Path, symbol: &str, allow: &Allow) -> Result<Vec<Finding>, StaticsError> {
    inspect_bytes(&read(library)?, symbol, allow)
}

/// As [`inspect`], of a library for a device: it may launch, and register its code when it is loaded.
pub fn inspect_device(library: &Path, symbol: &str, allow: &Allow) -> Result<Vec<Finding>, StaticsError> {
    checked(&read(library)?, &Context { symbol, allow: &device::allowed(allow), registers: true })
}

/// As [`inspect`], of a library in memory.
pub fn inspect_bytes(library: &[u8], symbol: &str, allow: &Allow) -> Result<Vec<Finding>, StaticsError> {
    checked(library, &Context { symbol, allow, registers: false })
}

fn read(library: &Path) -> Result<Vec<u8>, StaticsError> {
    let failed = |source| StaticsError::Read { path: library.to_owned(), source };
    let bytes = std::fs::metadata(library).map_err(failed)?.len();
    if bytes > LARGEST {
        return Err(StaticsError::TooLarge { bytes });
    }
    std::fs::read(library).map_err(failed)
}

fn checked(library: &[u8], context: &Context<'_>) -> Result<Vec<Finding>, StaticsError> {
    let image = Image::parse(library)?;
    let mut findings = Vec::new();
    for check in CHECKS {
        check(&image, context, &mut findings);
    }
    Ok(findings)
}

fn finding(code: Code, message: String, evidence: Value) -> Finding {
    Finding::new(Gate::Static, code, message, evidence)
}

/// Names in backticks, the first few of them.
fn listed(names: &[String]) -> String {
    listed_as(names, |name| format!("`{name}`"))
}

/// The first few of a list of names, each as it is told.
fn listed_as(names: &[String], told: impl Fn(&String) -> String) -> String {
    let mut text = names.iter().take(LISTED).map(told).collect::<Vec<_>>().join(", ");
    if names.len() > LISTED {
        text.push_str(&format!(" and {} more", names.len() - LISTED));
    }
    text
}
