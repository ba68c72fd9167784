//! What can be wrong with a registry file, with file, entry and way out.

use super::format::VERSION;
use std::io;
use std::path::PathBuf;

/// Why a registry was refused. [`RegistryError::help`] has the way out.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The file cannot be read.
    #[error("cannot read the fusion registry `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is no registry: not YAML, or its frame is wrong.
    #[error("`{file}` is no fusion registry: {message}")]
    File {
        /// The file.
        file: String,
        /// What the parser said.
        message: String,
    },
    /// The file has another version.
    #[error("`{file}` has version {found} of the registry format, this program reads version {VERSION}")]
    Version {
        /// The file.
        file: String,
        /// The version found.
        found: u32,
    },
    /// One entry is wrong.
    #[error("`{file}`, entry {entry}: {message}")]
    Entry {
        /// The file.
        file: String,
        /// The entry's id in backticks, or its number where it has none.
        entry: String,
        /// What is wrong.
        message: String,
        /// The way out.
        help: String,
    },
}

impl RegistryError {
    /// The way out.
    pub fn help(&self) -> String {
        match self {
            Self::Read { .. } => "check the path and its permissions".to_owned(),
            Self::File { .. } => {
                "a registry has `version`, `framework` and a list `entries`; the built-in files show the form"
                    .to_owned()
            }
            Self::Version { .. } => {
                format!("set `version: {VERSION}` and check the entries against the schema")
            }
            Self::Entry { help, .. } => help.clone(),
        }
    }
}
