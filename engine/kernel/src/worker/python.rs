//! The form `python`: a worker that becomes an interpreter, which then speaks the worker's protocol (`python/child.py`).
//!
//! Beside a source lies what the judge found out about its interpreter ([`Script`]). The worker limits and filters itself before it
//! becomes the interpreter: the candidate shares its process with the code that calls it, and is guarded less than a library.

#![expect(unsafe_code, reason = "moves descriptors to where the interpreter looks for them")]

mod filter;

use super::answer::Refused;
use super::end::End;
use super::message::{Kind, Message};
use crate::task::{Abi, Array, Device};
use rustix::fs::MemfdFlags;
use rustix::process::{Resource, Rlimit};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What runs in the interpreter.
const CHILD: &str = concat!(
    include_str!("../../python/memory.py"),
    include_str!("../../python/device.py"),
    include_str!("../../python/child.py")
);

/// Longest start: importing torch takes seconds, and more from a cold disk.
pub(super) const PATIENCE: Duration = Duration::from_secs(180);

/// Address space beside tensors that the interpreter needs for views and the plan.
pub(super) const ROOM: u64 = 64 << 20;

/// Parts of a block: the judge's bytes come in, the calls are made, everything is taken back. Only the second is timed.
pub(super) const BRING: u64 = 1;
pub(super) const RUN: u64 = 2;
pub(super) const TAKE: u64 = 3;

/// The word of [`Kind::Block`] that names the part.
pub(super) const PART: usize = 7;

/// Largest file written, in bytes: compiled kernels take kilobytes.
const LARGEST_FILE: u64 = 1 << 30;

/// What is known of a source's interpreter. Lies beside the source, see [`Script::beside`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// The interpreter with its own arguments.
    pub argv: Vec<String>,
    /// Its whole environment.
    pub env: Vec<(String, String)>,
    /// Its working directory, which it may write to.
    pub home: PathBuf,
    /// Name of the source, for messages.
    pub file: String,
}

impl Script {
    /// Where it lies.
    pub fn beside(source: &Path) -> PathBuf {
        source.with_added_extension("json")
    }
}

/// What goes with a request to load: the source and the settings.
pub(super) fn files(source: &Path, abi: &Abi, env: &[(OsString, OsString)]) -> Result<Vec<OwnedFd>, End> {
    let failed = |error: io::Error| End::system("the source cannot be handed over", error);
    let text = std::fs::read(source).map_err(failed)?;
    let script = std::fs::read(Script::beside(source)).map_err(failed)?;
    let mut script: Script = serde_json::from_slice(&script).map_err(|error| failed(error.into()))?;
    let more = env.iter().filter_map(|(name, value)| Some((name.to_str()?.into(), value.to_str()?.into())));
    script.env.extend(more);
    let array = match abi.array {
        Array::Torch => "torch",
        Array::Numpy => "numpy",
    };
    let device = match abi.device {
        Device::Cpu => "cpu",
        Device::Cuda => "cuda",
    };
    let settings = json!({ "script": script, "array": array, "device": device });
    Ok(vec![in_memory(&text).map_err(failed)?, in_memory(settings.to_string().as_bytes()).map_err(failed)?])
}

fn in_memory(bytes: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(rustix::fs::memfd_create("source", MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file.into())
}

#[derive(Deserialize)]
struct Settings {
    script: Script,
    array: String,
    device: String,
}

/// Becomes the interpreter. Comes back only if that fails, with the reply to the request.
pub(super) fn become_interpreter(request: &Message, files: Vec<OwnedFd>, socket: &OwnedFd) -> Refused {
    match begin(request, files, socket) {
        Ok(never) => match never {},
        Err(error) => Refused::failed("the interpreter cannot be started", &error),
    }
}

fn begin(request: &Message, files: Vec<OwnedFd>, socket: &OwnedFd) -> io::Result<std::convert::Infallible> {
    let mut files = files.into_iter();
    let (Some(source), Some(settings)) = (files.next(), files.next()) else {
        return Err(io::Error::other("no source came"));
    };
    let mut text = String::new();
    File::from(settings).read_to_string(&mut text)?;
    let Settings { script, array, device } = serde_json::from_str(&text)?;
    let source = kept_across_exec(&source)?;
    let told = json!({
        "nonce": request.nonce.to_string(),
        "symbol": request.text(),
        "file": script.file,
        "array": array,
        "device": device,
        "source": source,
        "memory": request.words[1],
        "kinds": kinds(),
    });
    let Some((program, arguments)) = script.argv.split_first() else {
        return Err(io::Error::other("no interpreter is named"));
    };
    let mut command = Command::new(program);
    command.args(arguments).args(["-I", "-B", "-c", CHILD, &told.to_string()]);
    command.env_clear().envs(script.env).current_dir(script.home);
    for (resource, most) in [(Resource::Core, 0), (Resource::Fsize, LARGEST_FILE)] {
        rustix::process::setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    // SAFETY: changes a number of a descriptor that no Rust value owns: standard input, which was /dev/null.
    if unsafe { libc::dup2(socket.as_raw_fd(), 0) } < 0 {
        return Err(io::Error::last_os_error());
    }
    filter::set().map_err(io::Error::other)?;
    Err(command.exec())
}

/// A copy of a descriptor that `exec` does not close, and that nothing closes on the way there.
fn kept_across_exec(file: &OwnedFd) -> io::Result<i32> {
    // SAFETY: duplicates a descriptor that is open; the number belongs to the interpreter from here on.
    let copy = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_DUPFD, 3) };
    if copy < 0 { Err(io::Error::last_os_error()) } else { Ok(copy) }
}

/// Numbers of the kinds of messages by the names that the interpreter's side gives them.
fn kinds() -> Value {
    let kinds = [
        ("map", Kind::Map),
        ("call", Kind::Call),
        ("block", Kind::Block),
        ("done", Kind::Done),
        ("load_failed", Kind::LoadFailed),
        ("symbol_missing", Kind::SymbolMissing),
        ("system", Kind::System),
        ("unsupported", Kind::Unsupported),
        ("probe", Kind::Probe),
        ("launch", Kind::Launch),
        ("guard", Kind::Guard),
    ];
    kinds
        .into_iter()
        .map(|(name, kind)| (name.to_owned(), json!(kind as u64)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}
