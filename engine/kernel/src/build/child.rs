//! NVRTC and questions to the driver, in a child process: what of them ends or hangs a process is then no end of the judge.
//!
//! The child is this program again. Its request comes as JSON on standard input, its answer goes as JSON to standard output. It
//! never launches anything.

use crate::worker::Launcher;
use assay_process::{Background, CaptureLimits, Exit, Io, Spawn};
use rustix::fs::MemfdFlags;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The word behind a worker's own arguments that makes it such a child.
pub const WORD: &str = "compile";

/// Longest run. NVRTC takes a tenth of a second for a kernel and half a minute for templates.
const LIMIT: Duration = Duration::from_secs(120);

/// Most memory of NVRTC, in bytes: what it holds, not the address space that a driver reserves; and processor time, in seconds.
const MEMORY: u64 = 16 << 30;
const SECONDS: u64 = 120;

/// Most bytes of an answer; the PTX of a large template has some megabytes.
const KEPT: usize = 64 << 20;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Request {
    /// PTX of a source.
    Compile {
        /// The source's text.
        source: String,
        /// Its name in messages.
        name: String,
        /// Flags of NVRTC.
        flags: Vec<String>,
        /// Folder of NVRTC's library, where the loader does not find it.
        nvrtc: Option<PathBuf>,
    },
    /// The first device.
    Device,
}

/// PTX that NVRTC made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ptx {
    /// Its text.
    pub text: String,
    /// NVRTC's version, such as `13.0`.
    pub compiler: String,
    /// Warnings, as a rule empty.
    pub log: String,
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    /// It compiled.
    Ptx(Ptx),
    /// NVRTC refused the source.
    Refused {
        /// Everything that it said.
        log: String,
    },
    /// Compute capability of the first device, such as (9, 0).
    Device {
        /// Major and minor number.
        capability: (u32, u32),
    },
    /// Something is missing here.
    Unsupported {
        /// What, a fragment with a way out.
        what: String,
    },
    /// Something went wrong that is not the source's fault.
    Failed {
        /// What.
        what: String,
    },
}

/// Asks a child. What is no answer is the child's failure.
pub(crate) fn ask(launcher: &Launcher, request: &Request) -> Answer {
    tried(launcher, request).unwrap_or_else(|what| Answer::Failed { what })
}

fn tried(launcher: &Launcher, request: &Request) -> Result<Answer, String> {
    let text = serde_json::to_vec(request).map_err(|error| error.to_string())?;
    let memory =
        rustix::fs::memfd_create("request", MemfdFlags::CLOEXEC).map_err(|error| error.to_string())?;
    let mut file = std::fs::File::from(memory);
    file.write_all(&text).map_err(|error| error.to_string())?;
    rustix::fs::seek(&file, rustix::fs::SeekFrom::Start(0)).map_err(|error| error.to_string())?;
    let argv = [launcher.program.clone().into_os_string()].into_iter();
    let argv = argv.chain(launcher.args.iter().cloned()).chain([WORD.into()]).collect();
    // NVRTC asks a driver for what it serves, if it finds one. Where NVRTC's own place is known it need not find any.
    let alone = matches!(request, Request::Compile { nvrtc: Some(_), .. });
    let env = if alone { Vec::new() } else { launcher.env.clone() };
    let spawn = Spawn {
        program: launcher.program.clone(),
        argv,
        env,
        cwd: Path::new("/").to_owned(),
        stdin: Io::Fd(Arc::new(file.into())),
        ..Spawn::default()
    };
    let background = Background::shared().map_err(|error| error.to_string())?;
    let limits = CaptureLimits { timeout: LIMIT, bytes: KEPT };
    let ended = background.output(spawn, limits).map_err(|error| error.to_string())?;
    if ended.timed_out {
        return Ok(match request {
            Request::Compile { .. } => {
                Answer::Refused { log: format!("error: it took longer than {} s", LIMIT.as_secs()) }
            }
            Request::Device => Answer::Failed { what: "the driver does not answer".to_owned() },
        });
    }
    if let (Request::Compile { .. }, Exit::Signal(signal)) = (request, ended.exit) {
        let name = assay_process::signal_name(signal);
        let gib = MEMORY >> 30;
        let log = format!(
            "error: the compiler died of {name}; it may use {gib} GiB and {SECONDS} s of processor time"
        );
        return Ok(Answer::Refused { log });
    }
    serde_json::from_slice(&ended.stdout).map_err(|_| {
        let said = String::from_utf8_lossy(&ended.stderr);
        let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it said nothing").to_owned();
        format!("the compiler's process ended with {:?}: {last}", ended.exit)
    })
}

/// The child's `main`: reads one request, answers it. 2 where it cannot.
pub fn main() -> i32 {
    let mut text = String::new();
    let request =
        std::io::stdin().read_to_string(&mut text).ok().and_then(|_| serde_json::from_str(&text).ok());
    let Some(request) = request else { return 2 };
    if matches!(request, Request::Compile { .. }) && confine().is_err() {
        return 2;
    }
    let Ok(answer) = serde_json::to_vec(&work(&request)) else { return 2 };
    let mut out = std::io::stdout();
    if out.write_all(&answer).and_then(|()| out.flush()).is_err() { 2 } else { 0 }
}

/// Limits this process; a limit that is tighter already stays.
fn confine() -> std::io::Result<()> {
    for (resource, most) in [(Resource::Data, MEMORY), (Resource::Cpu, SECONDS)] {
        let most = getrlimit(resource).maximum.map_or(most, |old| old.min(most));
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(())
}

#[cfg(feature = "cuda")]
fn work(request: &Request) -> Answer {
    crate::cuda::answer(request)
}

#[cfg(not(feature = "cuda"))]
fn work(_: &Request) -> Answer {
    Answer::Unsupported { what: crate::judge::NO_CUDA.to_owned() }
}
