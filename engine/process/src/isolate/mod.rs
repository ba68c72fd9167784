//! Isolation: a program that may read everything, but not write to given folders, nor signal what is outside.
//!
//! `posix_spawn` cannot restrict its child, so an isolated program is started through our own binary: [`enter_isolation`]
//! puts itself under Landlock and then executes the program. What a folder means is the caller's business.
//!
//! **What the kernel must offer.** ABI 3 (Linux 6.2) is the least, because before it `truncate(2)` was not restricted and any
//! file could be emptied. What the others bring: 1 (5.13) writing, creating, removing; 2 (5.19) renaming and linking between
//! folders, which 1 always denies; 4 (6.7) network ports, not used; 5 (6.10) `ioctl` on devices, not used, terminals and
//! GPUs need it; 6 (6.12) no signals and no abstract sockets to processes outside, used where it exists; 7 (6.15) audit
//! records of denials, left as the kernel has them.
//!
//! **What Landlock does not cover.** Mode, owner, times and extended attributes of files, file locks (`flock`), and
//! connections to named sockets. A setuid program gains nothing under it.

mod aliases;
mod entry;
mod order;
mod rules;
mod start;

pub use entry::enter_isolation;
pub(crate) use order::Order;
pub(crate) use start::{Gate, NAME, Refusal};

use std::path::PathBuf;

/// The least ABI under which records are safe: see the head of this module.
const LEAST_ABI: i32 = 3;

/// What an isolated program may not write to.
///
/// Landlock can only allow. So everything beside the protected folders is allowed, entry by entry, for each folder from
/// `/` down to them; in these folders themselves nothing new can be made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Isolation {
    /// Folders or files without write access, absolute. They need not exist.
    pub protected: Vec<PathBuf>,
    /// Folders inside them that stay writable; paths without links. What does not exist is left out.
    pub writable: Vec<PathBuf>,
}

/// Why a program was not started in isolation. It was not started otherwise either.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IsolationError {
    /// The kernel does not offer what is needed.
    #[error("`isolate` needs Landlock, and {what}")]
    Unsupported {
        /// What is missing.
        what: String,
    },
    /// It went wrong.
    #[error("it could not be isolated: {what}")]
    Failed {
        /// What went wrong.
        what: String,
    },
}

/// Whether this kernel can isolate, and why not.
pub fn isolation_support() -> Result<(), IsolationError> {
    let what = match crate::sys::landlock_abi() {
        Ok(abi) if abi >= LEAST_ABI => return Ok(()),
        Ok(abi) => format!(
            "this kernel has its ABI {abi}, which cannot deny `truncate`; ABI {LEAST_ABI} came with Linux 6.2"
        ),
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {
            "it is switched off in this kernel; add `landlock` to the boot parameter `lsm=`".to_owned()
        }
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => {
            "this kernel has none; it came with Linux 5.13, and a container may hide it".to_owned()
        }
        Err(error) => format!("the kernel refuses it: {error}"),
    };
    Err(IsolationError::Unsupported { what })
}
