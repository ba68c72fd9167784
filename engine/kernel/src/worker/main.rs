//! What runs in the worker: loads one library, maps memory, makes calls, tells. It decides nothing.
//!
//! Its standard input is the judge's socket, its environment is empty, its output goes nowhere. It ends when the judge does.

#![expect(unsafe_code, reason = "limits and the end of a process that holds foreign code")]

use super::answer::{self, Answer, Done, Refused};
use super::entry::{self, Calls, Entry, NoEntry};
use super::fault;
use super::filter;
use super::memory::Memory;
use super::message::{Kind, Message, WORDS};
use super::mode::Mode;
use super::python;
use super::socket::{self, Received};
use rustix::process::{Resource, Rlimit, Signal};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::time::Duration;

/// `kDLCPU` of DLPack.
const CPU: i32 = 1;

/// Where the socket is moved to, out of the way of whoever counts descriptors from 0.
const SOCKET: i32 = 200;

/// Runs a worker over the socket that is its standard input, until the judge closes it.
///
/// Returns only if it could not begin: 2.
pub fn main() -> i32 {
    let Ok(socket) = begin() else { return 2 };
    let mut worker = Worker {
        socket,
        entry: None,
        calls: None,
        memory: None,
        #[cfg(feature = "cuda")]
        device: None,
    };
    loop {
        let Ok(Received::Message(request, fds)) = socket::receive(&worker.socket) else { break };
        fault::answering(request.nonce);
        let said = worker.answer(&request, fds);
        if answer::send(&worker.socket, request.nonce, said).is_err() {
            break;
        }
    }
    #[cfg(feature = "cuda")]
    if let Some(device) = worker.device.take_if(|device| device.watched()) {
        device.close();
        // SAFETY: nothing of this process runs beside it but threads of the driver and of the tool, which are made for it.
        unsafe { libc::exit(0) }
    }
    // Not by `exit`: finalisers of the foreign library are nothing that anybody asked for.
    // SAFETY: `_exit` has no preconditions.
    unsafe { libc::_exit(0) }
}

fn begin() -> io::Result<OwnedFd> {
    // If the judge died before this line, the socket is closed, and that ends the worker as well.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // SAFETY: both change numbers of descriptors that no Rust value owns at the start of a process: standard input becomes what
    // standard output is, /dev/null.
    let socket = unsafe {
        let socket = libc::fcntl(0, libc::F_DUPFD_CLOEXEC, SOCKET);
        if socket < 0 || libc::dup2(1, 0) < 0 {
            return Err(io::Error::last_os_error());
        }
        OwnedFd::from_raw_fd(socket)
    };
    fault::install(socket.as_raw_fd())?;
    Ok(socket)
}

/// Why a build without the feature serves no device.
#[cfg(not(feature = "cuda"))]
const NO_DEVICE: &str = "this build leaves CUDA out; build with `--features cuda`, which needs no CUDA on the machine that builds";

struct Worker {
    socket: OwnedFd,
    entry: Option<Entry>,
    // Before the memory: it points into it.
    calls: Option<Calls>,
    memory: Option<Memory>,
    /// In place of all of these, where tensors lie on a device.
    #[cfg(feature = "cuda")]
    device: Option<super::device::Session>,
}

impl Worker {
    fn answer(&mut self, request: &Message, fds: Vec<OwnedFd>) -> Answer {
        #[cfg(feature = "cuda")]
        if let Some(device) = &mut self.device {
            return device.answer(request, fds);
        }
        match request.kind {
            Kind::Load if request.words[0] == entry::code::PYTHON => {
                Err(python::become_interpreter(request, fds, &self.socket))
            }
            Kind::Load if request.words[3] != 0 => self.device(Some((request, fds))),
            Kind::Open => self.device(None),
            Kind::Load => self.load(request, fds),
            Kind::Map => self.map(request, fds),
            Kind::Call => self.call(request.words[0]),
            Kind::Block => self.block(request.words),
            _ => Err(Refused::system("unknown request")),
        }
    }

    /// From here on a worker of the device; what is given is loaded.
    #[cfg(feature = "cuda")]
    fn device(&mut self, load: Option<(&Message, Vec<OwnedFd>)>) -> Answer {
        rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })
            .map_err(|error| Refused::failed("limits", &error.into()))?;
        let mut device = super::device::Session::open()?;
        let done = load.map(|(request, fds)| device.load(request, fds)).transpose()?;
        self.device = Some(device);
        Ok(done.unwrap_or_default())
    }

    #[cfg(not(feature = "cuda"))]
    fn device(&mut self, _: Option<(&Message, Vec<OwnedFd>)>) -> Answer {
        Err(Refused::new(Kind::Unsupported, NO_DEVICE))
    }

    /// Words of the answer: bytes of address space before the library came.
    fn load(&mut self, request: &Message, fds: Vec<OwnedFd>) -> Answer {
        let [form, memory, watched, ..] = request.words;
        let Some(file) = fds.into_iter().next() else { return Err(Refused::system("no library came")) };
        let own = limit(memory).map_err(|error| Refused::failed("limits", &error))?;
        let socket = self.socket.as_raw_fd();
        filter::while_loading(socket, watched != 0)
            .map_err(|error| Refused::system(format!("the first filter: {error}")))?;
        let packed = form == entry::code::PACKED;
        let (entry, _) = entry::load(&file, packed, &request.text()).map_err(NoEntry::refused)?;
        if watched == 0 {
            drop(file);
            filter::while_calling(socket)
                .map_err(|error| Refused::system(format!("the second filter: {error}")))?;
        } else {
            // A sanitizer reads the file to name lines in its report.
            std::mem::forget(file);
        }
        self.entry = Some(entry);
        Ok(Done::with(&[own]))
    }

    /// Words of the answer: first address of the reservation.
    fn map(&mut self, request: &Message, fds: Vec<OwnedFd>) -> Answer {
        (self.calls, self.memory) = (None, None);
        let mut fds = fds.into_iter();
        let (Some(writable), Some(read_only)) = (fds.next(), fds.next()) else {
            return Err(Refused::system("no memory came"));
        };
        let len = usize::try_from(request.words[0]).unwrap_or(usize::MAX);
        let mapping = |error| Refused::failed("mapping", &error);
        let memory = Memory::map(&writable, &read_only, len, false).map_err(mapping)?;
        let calls = Calls::new(&memory.plan, CPU, |placed| memory.address(placed)).map_err(mapping)?;
        self.calls = Some(calls);
        let base = memory.base();
        self.memory = Some(memory);
        Ok(Done::with(&[base]))
    }

    /// Words of the answer: return code, nanoseconds, mode before (two words) and after (two words).
    fn call(&self, set: u64) -> Answer {
        let (Some(entry), Some(calls)) = (self.entry, &self.calls) else {
            return Err(Refused::system("nothing is mapped"));
        };
        let set = usize::try_from(set).ok().filter(|set| *set < calls.len());
        let Some(set) = set else { return Err(Refused::system("no such set")) };
        Mode::restore();
        let before = Mode::read();
        let start = now();
        let code = calls.call(entry, set, ptr::null_mut());
        let ns = since(start);
        let after = Mode::taken();
        Ok(Done::with(&[code_word(code), ns, before.vector, before.x87, after.vector, after.x87]))
    }

    /// Words of the answer: nanoseconds of the calls, nanoseconds of the copy, the first call that failed (or `u64::MAX`) and its
    /// return code, the first mode that is not the default (two words), nanoseconds until all is done.
    fn block(&self, words: [u64; WORDS]) -> Answer {
        let (Some(entry), Some(calls), Some(memory)) = (self.entry, &self.calls, &self.memory) else {
            return Err(Refused::system("nothing is mapped"));
        };
        let [count, snapshot, tensor, ..] = words;
        let schedule = memory.schedule(usize::try_from(count).unwrap_or(usize::MAX));
        let sets = &memory.plan.sets;
        let tensor = usize::try_from(tensor).unwrap_or(usize::MAX);
        if schedule.iter().any(|set| usize::from(*set) >= calls.len().min(sets.len()))
            || (snapshot != u64::MAX && tensor >= memory.plan.tensors.len())
        {
            return Err(Refused::system("no such set or tensor"));
        }
        let snapshot = usize::try_from(snapshot).unwrap_or(usize::MAX);
        let (mut mode, mut failed, mut ns, mut copied) = (Mode::DEFAULT, None, 0, 0);
        Mode::restore();
        let mut start = now();
        for (at, set) in schedule.iter().enumerate() {
            let set = usize::from(*set);
            let code = calls.call(entry, set, ptr::null_mut());
            let after = Mode::taken();
            if after != Mode::DEFAULT && mode == Mode::DEFAULT {
                mode = after;
            }
            if at == snapshot {
                ns += since(start);
                start = now();
                memory.copy(&sets[set][tensor]);
                copied = since(start);
                start = now();
            }
            if code != 0 {
                failed = Some((at as u64, code));
                break;
            }
        }
        ns += since(start);
        let (at, code) = failed.unwrap_or((u64::MAX, 0));
        Ok(Done::with(&[ns, copied, at, code_word(code), mode.vector, mode.x87, ns]))
    }
}

/// A return code as it travels.
pub(super) fn code_word(code: i32) -> u64 {
    u64::from(u32::from_ne_bytes(code.to_ne_bytes()))
}

/// Limits the process and gives the bytes of address space that it has now. That of memory is soft, because the judge raises it by
/// what it maps; nothing in here can, since the filters know no call for it. `u64::MAX` is no limit.
fn limit(memory: u64) -> io::Result<u64> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    // No core of the judge's data, no processes.
    for resource in [Resource::Core, Resource::Nproc] {
        rustix::process::setrlimit(resource, none)?;
    }
    let pages = std::fs::read_to_string("/proc/self/statm")?;
    let pages = pages.split(' ').next().and_then(|pages| pages.parse::<u64>().ok());
    let pages = pages.ok_or_else(|| io::Error::other("/proc/self/statm is not as expected"))?;
    let own = pages * super::arena::page_size() as u64;
    let old = rustix::process::getrlimit(Resource::As);
    if memory == u64::MAX {
        return Ok(own);
    }
    // No files; a sanitizer writes to one.
    rustix::process::setrlimit(Resource::Fsize, none)?;
    let soft = old.maximum.map_or(own + memory, |most| most.min(own + memory));
    rustix::process::setrlimit(Resource::As, Rlimit { current: Some(soft), maximum: old.maximum })?;
    Ok(own)
}

/// By the C library, which found the kernel's clock page at the start; others look for it, by calls that the filters do not know.
pub(super) fn now() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes to the variable. It cannot fail: the clock is there and the pointer is valid.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Nanoseconds since then.
pub(super) fn since(start: Duration) -> u64 {
    u64::try_from((now().saturating_sub(start)).as_nanos()).unwrap_or(u64::MAX)
}
