//! Sources in C and C++ to shared libraries, with the task's locked flags: one recipe for the baseline and every candidate.
//!
//! The compiler sees an empty environment but for `PATH`, so nothing that a user has set changes what is built. A source is
//! preprocessed once; what it could do to the flags from inside is refused ([`scan`]), and the text that was looked at is what is
//! compiled. Compilers run within limits of time and memory. Nothing that is built is run here.

mod assembly;
pub mod beside;
mod bounds;
pub mod child;
mod compiler;
mod device;
mod directives;
mod preprocess;
mod recipe;
mod regular;
pub(crate) mod said;
mod scan;
mod started;
mod tokens;

pub use compiler::Compiler;
pub use device::{Toolkit, nvcc, over_driver};
pub use regular::regular;
pub use scan::Objection;
pub use started::{Started, start_watched};

use crate::verdict::{Code, Finding, Gate};
use assay_process::{Captured, ResolveError, SpawnError};
use recipe::Kind;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

/// The header that kernels are written against, `assay_kernel.h`.
pub const HEADER: &str = include_str!("../../include/assay_kernel.h");

/// Why there is no library.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A file of the build cannot be read or written.
    #[error("`{}` cannot be used: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The name of the source tells no language.
    #[error("`{}` is neither C (`.c`) nor C++ (`.cc`, `.cpp`, `.cxx`)", path.display())]
    Language {
        /// The source.
        path: PathBuf,
    },
    /// There is no compiler.
    #[error("there is no C compiler: {0}; install one as `cc`")]
    NoCompiler(#[from] ResolveError),
    /// There is no nvcc.
    #[error("{what}")]
    NoNvcc {
        /// What is missing, with a way out.
        what: String,
    },
    /// The compiler brings no sanitizers.
    #[error("{compiler} brings no `libasan.so`; install its sanitizers")]
    NoSanitizer {
        /// The compiler.
        compiler: String,
    },
    /// The compiler cannot be started.
    #[error(transparent)]
    Start(#[from] SpawnError),
    /// It took too long.
    #[error("{what} took longer than {seconds} s{hint}")]
    Timeout {
        /// The compiler, or its preprocessor.
        what: &'static str,
        /// The limit, in seconds.
        seconds: u64,
        /// A way out, with what separates it.
        hint: &'static str,
    },
    /// It needs more than it may have.
    #[error("{what}")]
    Bound {
        /// Of what it needs more than how much.
        what: String,
        /// What was run.
        command: Vec<String>,
        /// Everything that the compiler said, up to a limit.
        log: String,
    },
    /// The compiler refused the source.
    #[error("the compiler refused it: {}", said::first_error(log))]
    Failed {
        /// What was run.
        command: Vec<String>,
        /// Everything that the compiler said, up to a limit.
        log: String,
    },
    /// The source would change the build from inside.
    #[error("{0}")]
    Forbidden(Objection),
}

impl BuildError {
    /// A compiler that ran within bounds and failed.
    fn failed(bounds: bounds::Bounds, command: Vec<String>, log: String) -> Self {
        match bounds.met(&log) {
            Some(what) => Self::Bound { what, command, log },
            None => Self::Failed { command, log },
        }
    }

    /// The finding against the candidate; `None` where the fault is this machine's.
    pub fn finding(&self) -> Option<Finding> {
        let evidence = match self {
            Self::File { .. }
            | Self::NoCompiler(_)
            | Self::NoNvcc { .. }
            | Self::NoSanitizer { .. }
            | Self::Start(_) => return None,
            Self::Language { path } => json!({ "source": path }),
            Self::Timeout { seconds, .. } => json!({ "seconds": seconds }),
            Self::Failed { command, log } | Self::Bound { command, log, .. } => {
                json!({ "command": command, "log": said::kept(log) })
            }
            Self::Forbidden(objection) => json!(objection),
        };
        Some(Finding::new(Gate::Build, Code::BuildFailed, self.to_string(), evidence))
    }
}

/// A library that was built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Built {
    /// The shared library.
    pub library: PathBuf,
    /// What was run.
    pub command: Vec<String>,
    /// The compiler: its first line about its version.
    pub compiler: String,
    /// What the compiler said; warnings, as a rule empty.
    pub log: String,
    /// The source and the files in its folder that the compiler read; empty for a build after another of the same source.
    pub sources: BTreeSet<PathBuf>,
    /// Libraries that a worker must have in `LD_PRELOAD` to load it; empty but for builds that watch themselves.
    pub preload: Vec<PathBuf>,
}

/// Builds a source with the compiler `cc` of the usual folders: see [`Compiler::build`].
///
/// # Errors
/// See [`BuildError`].
pub fn c(source: &Path, flags: &[String], sanitize: bool, out: &Path) -> Result<Built, BuildError> {
    Compiler::usual()?.build(source, flags, sanitize, out)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    C,
    Cpp,
}

impl Language {
    fn of(source: &Path) -> Option<Self> {
        match source.extension()?.to_str()? {
            "c" => Some(Self::C),
            "cc" | "cpp" | "cxx" => Some(Self::Cpp),
            _ => None,
        }
    }
}

impl Compiler {
    /// Builds a source to a library in the folder `out`, which is made if it is missing. `assay_kernel.h` can be included.
    /// With `sanitize` the library watches its memory and arithmetic, for a worker that is thrown away; it is made of the same text.
    ///
    /// # Errors
    /// See [`BuildError`].
    pub fn build(
        &self,
        source: &Path,
        flags: &[String],
        sanitize: bool,
        out: &Path,
    ) -> Result<Built, BuildError> {
        let file = |path: &Path| {
            let path = path.to_owned();
            move |source| BuildError::File { path, source }
        };
        let language =
            Language::of(source).ok_or_else(|| BuildError::Language { path: source.to_owned() })?;
        let source = source.canonicalize().map_err(file(source))?;
        let include = out.join("include");
        std::fs::create_dir_all(&include).map_err(file(&include))?;
        let out = out.canonicalize().map_err(file(out))?;
        let include = out.join("include");
        let header = include.join("assay_kernel.h");
        std::fs::write(&header, HEADER).map_err(file(&header))?;
        let flags = recipe::flags(flags, language);
        let text = self.preprocess(&source, language, &flags, &include, &out)?;
        let compiler = self.version.clone();
        if sanitize {
            let library = recipe::library_of(&source, Kind::Watched, &out);
            let arguments = recipe::arguments(&text.text, language, &flags, Kind::Watched, &library);
            let (log, command) = (self.finished(&arguments, &out)?, self.command(&arguments));
            let preload = vec![self.sanitizer(&out)?];
            return Ok(Built { library, command, compiler, log, sources: text.sources, preload });
        }
        let made = self.assemble(&source, &text, language, &flags, None, &out)?;
        let (library, command, log) = (made.library, made.command, made.log);
        Ok(Built { library, command, compiler, log, sources: text.sources, preload: Vec::new() })
    }
}

/// What a compiler said.
fn log(ended: &Captured) -> String {
    String::from_utf8_lossy(&ended.stderr).into_owned()
}
