//! How a worker's process is started: alone with the judge's socket, or together with a sanitizer that reports to a file.

use super::end::End;
use assay_process::{Io, Spawn};
use rustix::fs::MemfdFlags;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Code with which a watched worker ends when its sanitizer has found something.
pub const SANITIZER_EXIT: i32 = 77;

/// Settings of a sanitizer: it reports once and ends; signals and leaks are not its business here.
const SANITIZER: &str = "exitcode=77:print_stacktrace=1:detect_leaks=0:handle_segv=0:handle_sigbus=0:handle_sigfpe=0:\
                         handle_sigill=0:handle_abort=0:use_sigaltstack=0:allocator_may_return_null=1:color=never";

/// Most bytes of a sanitizer's report that are kept.
const REPORT: usize = 64 * 1024;

/// How a worker is started: a program whose `main` comes to [`main`], with these arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launcher {
    /// Absolute path of the program.
    pub program: PathBuf,
    /// Arguments behind the name.
    pub args: Vec<OsString>,
    /// What workers of a device find in their environment, such as `LD_LIBRARY_PATH` and `CUDA_VISIBLE_DEVICES`; others find nothing.
    pub env: Vec<(OsString, OsString)>,
}

/// What a worker of a device always finds: modules are loaded whole, before any call, and nothing is written to a cache of the user's.
const DEVICE: [(&str, &str); 2] = [("CUDA_MODULE_LOADING", "EAGER"), ("CUDA_CACHE_DISABLE", "1")];

/// The loader's variable.
const SEARCHED: &str = "LD_LIBRARY_PATH";

impl Launcher {
    /// Its program with this standard input, no environment, and output that goes nowhere.
    pub(super) fn spawn(&self, socket: OwnedFd) -> Spawn {
        let mut argv = vec![self.program.clone().into_os_string()];
        argv.extend(self.args.iter().cloned());
        Spawn {
            program: self.program.clone(),
            argv,
            cwd: "/".into(),
            stdin: socket.into(),
            ..Spawn::default()
        }
    }

    /// Lets workers of a device find libraries in this folder, behind those that they find already.
    pub fn search(&mut self, folder: &Path) {
        let name = OsStr::new(SEARCHED);
        match self.env.iter_mut().find(|(known, _)| known == name) {
            Some((_, folders)) if !folders.is_empty() => {
                folders.push(":");
                folders.push(folder);
            }
            Some((_, folders)) => *folders = folder.into(),
            None => self.env.push((name.into(), folder.into())),
        }
    }

    /// Where workers of a device look for libraries, as their environment says it.
    pub fn searched(&self) -> Option<(OsString, OsString)> {
        self.env.iter().find(|(name, _)| name == SEARCHED).cloned()
    }

    /// As [`Self::spawn`], with the environment that the driver of a device needs.
    pub(super) fn spawn_for_device(&self, socket: OwnedFd) -> Spawn {
        let mut spawn = self.spawn(socket);
        spawn.env = self.env.clone();
        spawn.env.extend(DEVICE.map(|(name, value)| (name.into(), value.into())));
        spawn
    }
}

/// Lets sanitizers into a program that is to be started. Gives the file that they write to.
pub(super) fn watched(spawn: &mut Spawn, preload: &[PathBuf]) -> Result<Arc<OwnedFd>, End> {
    let report = rustix::fs::memfd_create("report", MemfdFlags::CLOEXEC)
        .map_err(|error| End::system("no memory for a report", error))?;
    let report = Arc::new(report);
    if !preload.is_empty() {
        let preload: Vec<_> = preload.iter().map(|library| library.as_os_str()).collect();
        spawn.env.push(("LD_PRELOAD".into(), preload.join(OsStr::new(":"))));
    }
    spawn.env.push(("ASAN_OPTIONS".into(), SANITIZER.into()));
    spawn.env.push(("UBSAN_OPTIONS".into(), SANITIZER.into()));
    spawn.stderr = Io::Fd(Arc::clone(&report));
    Ok(report)
}

/// What a sanitizer wrote, up to a limit.
pub(super) fn read_report(report: &OwnedFd) -> String {
    let mut bytes = vec![0; REPORT];
    let mut len = 0;
    while let Ok(more @ 1..) = rustix::io::pread(report, &mut bytes[len..], len as u64) {
        len += more;
    }
    String::from_utf8_lossy(&bytes[..len]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::Launcher;
    use std::path::Path;

    #[test]
    fn a_folder_goes_behind_those_that_are_searched() {
        let mut launcher = Launcher { program: "x".into(), args: Vec::new(), env: Vec::new() };
        launcher.search(Path::new("/a"));
        launcher.search(Path::new("/b"));
        assert_eq!(launcher.searched(), Some(("LD_LIBRARY_PATH".into(), "/a:/b".into())));
        assert_eq!(launcher.env.len(), 1);
    }
}
