//! The compiler: where it is, which it is, and running it within limits.

use super::BuildError;
use super::bounds::Bounds;
use assay_process::{Background, CaptureLimits, Captured, Io, Spawn, SpawnError};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Where compilers are: the folders of a login shell, not the user's own.
pub(super) const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Most bytes kept of each stream; the vector headers of gcc 12 are 2 MB when they are expanded.
const KEPT: usize = 64 << 20;

/// A C compiler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compiler {
    /// The program.
    pub program: PathBuf,
    /// The first line that it says about its version.
    pub version: String,
    path: OsString,
    bounds: Bounds,
}

impl Compiler {
    /// The compiler `cc` of the usual folders. Which it is, is asked once in each process.
    ///
    /// # Errors
    /// See [`Self::find`].
    pub fn usual() -> Result<Self, BuildError> {
        static KNOWN: Mutex<Option<Compiler>> = Mutex::new(None);
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(compiler) = &*known {
            return Ok(compiler.clone());
        }
        let compiler = Self::find(PATH.as_ref())?;
        *known = Some(compiler.clone());
        Ok(compiler)
    }

    /// The compiler `cc` in the folders of `path`, which becomes the only variable of its environment.
    ///
    /// # Errors
    /// It is not there, or does not tell its version.
    pub fn find(path: &OsStr) -> Result<Self, BuildError> {
        Self::at(assay_process::resolve_program("cc".as_ref(), path, Path::new("/"))?, path, Bounds::COMPILER)
    }

    /// A compiler at a place; `path` becomes the only variable of its environment.
    ///
    /// # Errors
    /// It does not tell its version.
    pub(super) fn at(program: PathBuf, path: &OsStr, bounds: Bounds) -> Result<Self, BuildError> {
        let mut compiler = Self { program, version: String::new(), path: path.to_owned(), bounds };
        let told = compiler.run(&["--version".into()], Path::new("/"))?;
        compiler.version =
            String::from_utf8_lossy(&told.stdout).lines().next().unwrap_or_default().to_owned();
        Ok(compiler)
    }

    /// Itself with arguments within its bounds, not started yet; its output goes nowhere.
    pub(super) fn spawn(&self, arguments: &[OsString], cwd: &Path) -> Spawn {
        self.spawn_within(self.bounds, arguments, cwd)
    }

    fn spawn_within(&self, bounds: Bounds, arguments: &[OsString], cwd: &Path) -> Spawn {
        Spawn {
            env: vec![("PATH".into(), self.path.clone())],
            cwd: cwd.to_owned(),
            stdin: Io::Null,
            ..bounds.around(&self.program, arguments)
        }
    }

    /// Runs it to its end.
    pub(super) fn run(&self, arguments: &[OsString], cwd: &Path) -> Result<Captured, BuildError> {
        self.run_within(self.bounds, arguments, cwd)
    }

    /// Runs it to its end within other bounds than its own.
    pub(super) fn run_within(
        &self,
        bounds: Bounds,
        arguments: &[OsString],
        cwd: &Path,
    ) -> Result<Captured, BuildError> {
        let spawn = self.spawn_within(bounds, arguments, cwd);
        let failed = |source| SpawnError::System { program: self.program.clone(), source };
        let limits = CaptureLimits { timeout: bounds.time(), bytes: KEPT };
        let ended = Background::shared().map_err(failed)?.output(spawn, limits)?;
        if ended.timed_out {
            return Err(bounds.timeout());
        }
        Ok(ended)
    }

    /// What a run that failed means: its own words, or a bound that it met.
    pub(super) fn refused(&self, arguments: &[OsString], log: String) -> BuildError {
        BuildError::failed(self.bounds, self.command(arguments), log)
    }

    /// Its bounds.
    pub(super) fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// What is run, for records.
    pub(super) fn command(&self, arguments: &[OsString]) -> Vec<String> {
        let program = self.program.to_string_lossy().into_owned();
        std::iter::once(program)
            .chain(arguments.iter().map(|word| word.to_string_lossy().into_owned()))
            .collect()
    }

    /// The folders of its own and the system's headers. Asked once in each process for each compiler and language.
    pub(super) fn system_folders(&self, cpp: bool, cwd: &Path) -> Result<Vec<PathBuf>, BuildError> {
        static KNOWN: Mutex<Vec<(Compiler, bool, Vec<PathBuf>)>> = Mutex::new(Vec::new());
        let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, _, folders)) = known().iter().find(|(of, language, _)| of == self && *language == cpp)
        {
            return Ok(folders.clone());
        }
        let language = if cpp { "c++" } else { "c" };
        let arguments = ["-E", "-v", "-x", language, "/dev/null"].map(OsString::from);
        let told = self.run(&arguments, cwd)?;
        let text = String::from_utf8_lossy(&told.stderr).into_owned();
        let listed = text.lines().skip_while(|line| !line.starts_with("#include <")).skip(1);
        let folders = listed.take_while(|line| line.starts_with(' ')).map(|line| PathBuf::from(line.trim()));
        let folders: Vec<PathBuf> = folders.filter_map(|folder| folder.canonicalize().ok()).collect();
        known().push((self.clone(), cpp, folders.clone()));
        Ok(folders)
    }

    /// The library that must be loaded before everything else in a process with a watched library.
    ///
    /// # Errors
    /// It brings none, or cannot be run.
    pub fn sanitizer(&self, cwd: &Path) -> Result<PathBuf, BuildError> {
        let told = self.run(&["-print-file-name=libasan.so".into()], cwd)?;
        let path = PathBuf::from(String::from_utf8_lossy(&told.stdout).trim());
        let missing = || BuildError::NoSanitizer { compiler: self.version.clone() };
        if !path.is_absolute() {
            return Err(missing());
        }
        path.canonicalize().map_err(|_| missing())
    }
}
