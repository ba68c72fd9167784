//! Sources in C and C++ to shared libraries, with the task's locked flags: one recipe for the baseline and every candidate.
//!
//! The compiler sees an empty environment but for `PATH`, so nothing that a user has set changes what is built. What a source
//! could do to the flags from inside is refused ([`scan`]). Nothing that is built is run here.

pub mod beside;
pub mod child;
mod compiler;
mod device;
mod regular;
pub(crate) mod said;
mod scan;
mod started;

pub use compiler::Compiler;
pub use device::{Toolkit, nvcc, over_driver};
pub use regular::regular;
pub use scan::Objection;
pub use started::{Started, start_watched};

use crate::verdict::{Code, Finding, Gate};
use assay_process::{Captured, ResolveError, SpawnError};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// The header that kernels are written against, `assay_kernel.h`.
pub const HEADER: &str = include_str!("../../include/assay_kernel.h");

/// What every library is built with, beside the task's flags.
const LIBRARY: &[&str] = &["-fPIC", "-shared"];

/// Libraries after the source; those that are not used leave no trace.
const LINK: &[&str] = &["-Wl,--as-needed", "-Wl,-z,separate-code", "-Wl,-z,defs"];

/// What makes a build watch itself. Sanitizers find their own functions at run time, so `-z defs` is left out.
const WATCHED: &[&str] =
    &["-g", "-fno-omit-frame-pointer", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

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
    #[error("the compiler took longer than {seconds} s")]
    Timeout {
        /// The limit, in seconds.
        seconds: u64,
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
    /// The finding against the candidate; `None` where the fault is this machine's.
    pub fn finding(&self) -> Option<Finding> {
        let evidence = match self {
            Self::File { .. }
            | Self::NoCompiler(_)
            | Self::NoNvcc { .. }
            | Self::NoSanitizer { .. }
            | Self::Start(_) => return None,
            Self::Language { path } => json!({ "source": path }),
            Self::Timeout { seconds } => json!({ "seconds": seconds }),
            Self::Failed { command, log } => json!({ "command": command, "log": said::kept(log) }),
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
    /// With `sanitize` the library watches its memory and arithmetic, for a worker that is thrown away.
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
        let mut common: Vec<OsString> = flags.iter().map(Into::into).collect();
        common.extend(["-I".into(), include.clone().into_os_string()]);
        // Both at once: nothing that is built is run here, and what may not be built is thrown away.
        let (arguments, library) = library_arguments(&source, language, &common, sanitize, &out);
        let (scanned, ended) = std::thread::scope(|scope| {
            let scan = scope.spawn(|| self.scan(&source, language, &common, &include, &out));
            let ended = self.run(&arguments, &out);
            (scan.join(), ended)
        });
        let sources = scanned.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        let ended = ended?;
        let (command, log) = (self.command(&arguments), log(&ended));
        if !ended.exit.success() {
            return Err(BuildError::Failed { command, log });
        }
        let preload = if sanitize { vec![self.sanitizer(&out)?] } else { Vec::new() };
        Ok(Built { library, command, compiler: self.version.clone(), log, sources, preload })
    }

    /// Looks at what the compiler sees once everything is included and expanded; gives the files in the source's folder that it read.
    fn scan(
        &self,
        source: &Path,
        language: Language,
        common: &[OsString],
        include: &Path,
        out: &Path,
    ) -> Result<BTreeSet<PathBuf>, BuildError> {
        let mut arguments = common.to_vec();
        arguments.extend(["-E".into(), source.as_os_str().to_owned()]);
        let ended = self.run(&arguments, out)?;
        if !ended.exit.success() {
            return Err(BuildError::Failed { command: self.command(&arguments), log: log(&ended) });
        }
        let mut folders = self.system_folders(language == Language::Cpp, out)?;
        folders.push(include.to_owned());
        if let Some(own) = source.parent() {
            folders.push(own.to_owned());
        }
        let text = String::from_utf8_lossy(&ended.stdout);
        if ended.truncated {
            let what = "it grows beyond what is read when everything is included".to_owned();
            return Err(BuildError::Forbidden(Objection {
                file: source.to_owned(),
                line: 0,
                what,
                text: String::new(),
            }));
        }
        let own = scan::look(source, &text, out, &folders).map_err(BuildError::Forbidden)?;
        let folder = source.parent().unwrap_or(Path::new("/"));
        let mine = |file: &PathBuf| file.starts_with(folder) && !file.starts_with(include);
        Ok(own.into_iter().filter(mine).collect())
    }
}

/// What a library is built with, and its place.
fn library_arguments(
    source: &Path,
    language: Language,
    common: &[OsString],
    sanitize: bool,
    out: &Path,
) -> (Vec<OsString>, PathBuf) {
    let stem = source.file_stem().unwrap_or_default().to_string_lossy();
    let library = out.join(format!("{stem}{}.so", if sanitize { ".watched" } else { "" }));
    let mut arguments = common.to_vec();
    arguments.extend(LIBRARY.iter().map(Into::into));
    arguments.extend(["-o".into(), library.clone().into_os_string(), source.into()]);
    let link = if sanitize { &LINK[..2] } else { LINK };
    arguments.extend(link.iter().map(Into::into));
    if sanitize {
        arguments.extend(WATCHED.iter().map(Into::into));
    }
    if language == Language::Cpp {
        arguments.push("-lstdc++".into());
    }
    arguments.push("-lm".into());
    (arguments, library)
}

/// What a compiler said.
fn log(ended: &Captured) -> String {
    String::from_utf8_lossy(&ended.stderr).into_owned()
}
