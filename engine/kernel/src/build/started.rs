//! A build that runs while its caller does something else: the one that watches itself takes longer than any gate.

use super::recipe::{self, Kind};
use super::{BuildError, Built, Compiler, Language, preprocess};
use assay_process::{Background, BackgroundChild, Exit, SpawnError};
use rustix::fs::MemfdFlags;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Longest wait for the end of a compiler that was killed.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most bytes of what a compiler says that are kept.
const KEPT: usize = 1 << 20;

/// A compiler at work on a library that watches itself. Dropping it ends it.
#[derive(Debug)]
pub struct Started {
    compiler: Compiler,
    child: BackgroundChild,
    said: Arc<OwnedFd>,
    arguments: Vec<OsString>,
    library: PathBuf,
    preload: PathBuf,
}

/// Starts to build a source that has been built before, by [`super::c`] in the same folder, so that it watches itself: of the text that
/// the build before has left there.
///
/// # Errors
/// See [`BuildError`].
pub fn start_watched(source: &Path, flags: &[String], out: &Path) -> Result<Started, BuildError> {
    let file = |path: &Path| {
        let path = path.to_owned();
        move |source| BuildError::File { path, source }
    };
    let compiler = Compiler::usual()?;
    let language = Language::of(source).ok_or_else(|| BuildError::Language { path: source.to_owned() })?;
    let source = source.canonicalize().map_err(file(source))?;
    let out = out.canonicalize().map_err(file(out))?;
    let preload = compiler.sanitizer(&out)?;
    let text = preprocess::text_of(&source, language, &out);
    let library = recipe::library_of(&source, Kind::Watched, &out);
    let arguments =
        recipe::arguments(&text, language, &recipe::flags(flags, language), Kind::Watched, &library);
    let said = rustix::fs::memfd_create("said", MemfdFlags::CLOEXEC);
    let said = Arc::new(said.map_err(|error| file(&out)(error.into()))?);
    let mut spawn = compiler.spawn(&arguments, &out);
    spawn.stderr = assay_process::Io::Fd(Arc::clone(&said));
    let failed = |source| SpawnError::System { program: compiler.program.clone(), source };
    let child = Background::shared().map_err(failed)?.spawn(spawn)?;
    Ok(Started { compiler, child, said, arguments, library, preload })
}

impl Started {
    /// Waits for its end.
    ///
    /// # Errors
    /// See [`BuildError`].
    pub fn finish(mut self) -> Result<Built, BuildError> {
        let bounds = self.compiler.bounds();
        let Some(exit) = self.child.wait(bounds.time()) else {
            return Err(bounds.timeout());
        };
        let (command, log) = (self.compiler.command(&self.arguments), self.log());
        if !matches!(exit, Exit::Code(0)) {
            return Err(BuildError::failed(bounds, command, log));
        }
        let (library, preload) = (self.library.clone(), vec![self.preload.clone()]);
        let compiler = self.compiler.version.clone();
        // What it reads, the build before has told.
        Ok(Built { library, command, compiler, log, sources: BTreeSet::new(), preload })
    }

    fn log(&self) -> String {
        let mut bytes = vec![0; KEPT];
        let mut len = 0;
        while let Ok(more @ 1..) = rustix::io::pread(&*self.said, &mut bytes[len..], len as u64) {
            len += more;
        }
        String::from_utf8_lossy(&bytes[..len]).into_owned()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        self.child.kill();
        self.child.wait(PATIENCE);
    }
}
