//! Starts a program: one `posix_spawn`, no search, no inherited environment, no inherited descriptor.
//!
//! `posix_spawn` and not fork and exec, because it neither copies page tables nor runs our code in the child. Waiting is
//! not done here: see [`crate::Reaper`].

#![expect(unsafe_code, reason = "posix_spawn takes descriptors and arrays of pointers")]

use crate::isolate::{self, Gate, Isolation, IsolationError, Refusal};
use crate::sys::{SignalSet, check};
use std::ffi::{CStr, CString, OsStr, OsString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::ptr;
use std::sync::{Arc, OnceLock};

/// Where a standard stream comes from or goes to.
#[derive(Debug, Clone, Default)]
pub enum Io {
    /// `/dev/null`, opened once for all.
    #[default]
    Null,
    /// This descriptor; streams of several programs may share it. The child gets a copy.
    Fd(Arc<OwnedFd>),
}

impl From<OwnedFd> for Io {
    fn from(fd: OwnedFd) -> Self {
        Self::Fd(Arc::new(fd))
    }
}

/// A program to start, in a process group of its own.
#[derive(Debug, Clone, Default)]
pub struct Spawn {
    /// Absolute path of the program: see [`crate::resolve_program`].
    pub program: PathBuf,
    /// Arguments, the name (`argv[0]`) included.
    pub argv: Vec<OsString>,
    /// The whole environment.
    pub env: Vec<(OsString, OsString)>,
    /// Working directory.
    pub cwd: PathBuf,
    /// Standard input.
    pub stdin: Io,
    /// Standard output.
    pub stdout: Io,
    /// Standard error.
    pub stderr: Io,
    /// What it may not write to. Only for callers whose own `main` begins with [`crate::enter_isolation`].
    pub isolation: Option<Isolation>,
    /// In a session of its own, too: out of reach of whoever ends ours.
    pub session: bool,
}

/// Why a program could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// A text that goes to the kernel holds a NUL byte.
    #[error("{what} holds a NUL byte")]
    Nul {
        /// `argv[2]`, `environment variable X`, ...
        what: String,
    },
    /// The working directory is missing or cannot be entered.
    #[error("working directory `{}` cannot be entered", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
    },
    /// The file is executable, but neither a binary of this machine nor a script with `#!`.
    #[error("`{}` is not in a format that can be run; a script needs a first line such as `#!/bin/sh`", program.display())]
    Format {
        /// The file.
        program: PathBuf,
    },
    /// Arguments and environment exceed what the kernel passes on.
    #[error(
        "arguments and environment are too long for the kernel ({bytes} bytes); pass data through a file"
    )]
    TooLong {
        /// Their length.
        bytes: usize,
    },
    /// It was to be isolated, and could not.
    #[error(transparent)]
    Isolation(#[from] IsolationError),
    /// Anything else the system reports.
    #[error("`{}` cannot be started: {source}", program.display())]
    System {
        /// The program.
        program: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// Strings for the kernel, and the pointers to them that it wants.
struct Strings {
    pointers: Vec<*mut libc::c_char>,
    _owned: Vec<CString>,
}

impl Strings {
    fn new(owned: Vec<CString>) -> Self {
        let mut pointers: Vec<_> = owned.iter().map(|text| text.as_ptr().cast_mut()).collect();
        pointers.push(ptr::null_mut());
        Self { pointers, _owned: owned }
    }
}

fn c_string(bytes: &[u8], what: impl FnOnce() -> String) -> Result<CString, SpawnError> {
    CString::new(bytes).map_err(|_| SpawnError::Nul { what: what() })
}

impl Spawn {
    /// Starts it and gives the pid. The caller must hold whatever keeps others from reaping it.
    pub(crate) fn start(&self) -> Result<u32, SpawnError> {
        let program = c_string(self.program.as_os_str().as_bytes(), || "the program's path".to_owned())?;
        let cwd = c_string(self.cwd.as_os_str().as_bytes(), || "the working directory".to_owned())?;
        let argv = self.argv.iter().enumerate();
        let argv = argv.map(|(at, text)| c_string(text.as_bytes(), || format!("argv[{at}]")));
        let argv = Strings::new(argv.collect::<Result<_, _>>()?);
        let env = self.env.iter().map(|(key, value)| entry(key, value));
        let env = Strings::new(env.collect::<Result<_, _>>()?);
        let Some(isolation) = &self.isolation else {
            return self.call(&program, &cwd, &argv, &env, &[]).map_err(|error| self.explain(error));
        };
        let gate = Gate::new(self, isolation)?;
        let shown = Strings::new(vec![c_string(isolate::NAME.as_bytes(), String::new)?]);
        let pid = self
            .call(c"/proc/self/exe", &cwd, &shown, &env, &gate.copies())
            .map_err(|error| self.explain_own(error))?;
        match gate.wait(pid) {
            Ok(()) => Ok(pid),
            Err(Refusal::Exec(error)) => Err(self.explain(error)),
            Err(Refusal::Isolation(error)) => Err(error.into()),
        }
    }

    /// `copies`: descriptors beyond the standard three, each with its number in the child.
    fn call(
        &self,
        program: &CStr,
        cwd: &CString,
        argv: &Strings,
        env: &Strings,
        copies: &[(RawFd, RawFd)],
    ) -> io::Result<u32> {
        let mut actions = Actions::new()?;
        actions.directory(cwd)?;
        for (io, target) in [(&self.stdin, 0), (&self.stdout, 1), (&self.stderr, 2)] {
            actions.stream(io, target)?;
        }
        for (fd, target) in copies {
            actions.copy(*fd, *target)?;
        }
        let attributes = Attributes::new(self.session)?;
        let mut pid: libc::pid_t = 0;
        // SAFETY: every pointer refers to a live, initialised object; both arrays end with a null pointer; the strings
        // outlive the call, which does not keep them.
        check(unsafe {
            libc::posix_spawn(
                &raw mut pid,
                program.as_ptr(),
                &raw const actions.0,
                &raw const attributes.0,
                argv.pointers.as_ptr(),
                env.pointers.as_ptr(),
            )
        })?;
        Ok(pid.unsigned_abs())
    }

    /// The same for the start of our own binary, which is no program that the author named.
    fn explain_own(&self, source: io::Error) -> SpawnError {
        match self.explain(source) {
            SpawnError::System { source, .. } => {
                IsolationError::Failed { what: format!("`/proc/self/exe` cannot be started: {source}") }
                    .into()
            }
            other => other,
        }
    }

    /// `posix_spawn` has one error for the directory and the program, so look which it was.
    pub(crate) fn explain(&self, source: io::Error) -> SpawnError {
        let program = self.program.clone();
        match source.raw_os_error() {
            Some(libc::ENOEXEC) => SpawnError::Format { program },
            Some(libc::E2BIG) => {
                let argv: usize = self.argv.iter().map(|text| text.len() + 1).sum();
                let env: usize = self.env.iter().map(|(key, value)| key.len() + value.len() + 2).sum();
                SpawnError::TooLong { bytes: argv + env }
            }
            Some(libc::ENOENT | libc::ENOTDIR | libc::EACCES)
                if rustix::fs::access(self.cwd.join("."), rustix::fs::Access::EXEC_OK).is_err() =>
            {
                SpawnError::Directory { path: self.cwd.clone() }
            }
            _ => SpawnError::System { program, source },
        }
    }
}

fn entry(key: &OsStr, value: &OsStr) -> Result<CString, SpawnError> {
    let bytes = [key.as_bytes(), b"=", value.as_bytes()].concat();
    c_string(&bytes, || format!("environment variable {}", key.to_string_lossy()))
}

/// `/dev/null` for reading and writing.
fn null() -> io::Result<BorrowedFd<'static>> {
    static NULL: OnceLock<OwnedFd> = OnceLock::new();
    if NULL.get().is_none() {
        let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::CLOEXEC;
        let fd = rustix::fs::open("/dev/null", flags, rustix::fs::Mode::empty())?;
        // A second opener at the same moment only closes its own again.
        let _ = NULL.set(fd);
    }
    NULL.get().map(std::os::fd::AsFd::as_fd).ok_or_else(|| io::Error::other("/dev/null is not open"))
}

/// What the child does between the clone and the exec.
struct Actions(libc::posix_spawn_file_actions_t);

impl Actions {
    fn new() -> io::Result<Self> {
        let mut actions = MaybeUninit::uninit();
        // SAFETY: initialises what it is given; read only on success.
        check(unsafe { libc::posix_spawn_file_actions_init(actions.as_mut_ptr()) })?;
        // SAFETY: initialised above.
        Ok(Self(unsafe { actions.assume_init() }))
    }

    fn directory(&mut self, cwd: &CString) -> io::Result<()> {
        // SAFETY: initialised; the string is copied by the call.
        check(unsafe { libc::posix_spawn_file_actions_addchdir_np(&raw mut self.0, cwd.as_ptr()) })
    }

    fn stream(&mut self, io: &Io, target: RawFd) -> io::Result<()> {
        let fd = match io {
            Io::Null => null()?.as_raw_fd(),
            Io::Fd(fd) => fd.as_raw_fd(),
        };
        self.copy(fd, target)
    }

    /// `fd` must stay open until the spawn call.
    fn copy(&mut self, fd: RawFd, target: RawFd) -> io::Result<()> {
        // SAFETY: initialised; `fd` is borrowed from an owner that outlives the spawn call.
        check(unsafe { libc::posix_spawn_file_actions_adddup2(&raw mut self.0, fd, target) })
    }
}

impl Drop for Actions {
    fn drop(&mut self) {
        // SAFETY: initialised in `new`, destroyed once.
        unsafe { libc::posix_spawn_file_actions_destroy(&raw mut self.0) };
    }
}

const fn all_standard_signals() -> [i32; 31] {
    let mut signals = [0; 31];
    let mut at = 0;
    while at < signals.len() {
        // Linux numbers them from 1 without gaps (signal(7)).
        signals[at] = at as i32 + 1;
        at += 1;
    }
    signals
}

/// Own process group, empty signal mask, and the default action for every signal: Rust ignores SIGPIPE, `nohup` and
/// background jobs of scripts ignore more.
struct Attributes(libc::posix_spawnattr_t);

impl Attributes {
    fn new(session: bool) -> io::Result<Self> {
        const DEFAULTS: [i32; 31] = all_standard_signals();
        const SIGNALS: i32 = libc::POSIX_SPAWN_SETSIGMASK | libc::POSIX_SPAWN_SETSIGDEF;
        // A session brings its own group, and its leader may not ask for another.
        let place = if session { i32::from(libc::POSIX_SPAWN_SETSID) } else { libc::POSIX_SPAWN_SETPGROUP };
        let mut attributes = MaybeUninit::uninit();
        // SAFETY: initialises what it is given; read only on success.
        check(unsafe { libc::posix_spawnattr_init(attributes.as_mut_ptr()) })?;
        // SAFETY: initialised above.
        let mut attributes = Self(unsafe { attributes.assume_init() });
        let raw = &raw mut attributes.0;
        let (mask, defaults) = (SignalSet::of(&[]), SignalSet::of(&DEFAULTS));
        // SAFETY: initialised, and the sets are valid and copied by the calls.
        unsafe {
            check(libc::posix_spawnattr_setpgroup(raw, 0))?;
            check(libc::posix_spawnattr_setsigmask(raw, mask.as_ptr()))?;
            check(libc::posix_spawnattr_setsigdefault(raw, defaults.as_ptr()))?;
            #[expect(clippy::cast_possible_truncation, reason = "three small bits")]
            check(libc::posix_spawnattr_setflags(raw, (SIGNALS | place) as libc::c_short))?;
        }
        Ok(attributes)
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: initialised in `new`, destroyed once.
        unsafe { libc::posix_spawnattr_destroy(&raw mut self.0) };
    }
}
