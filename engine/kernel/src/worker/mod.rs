//! Foreign code in a process of its own: one library, called over memory that the judge shares with it.
//!
//! The judge sends requests of a fixed size and waits with a limit; the worker ([`main`]) is limited, filtered and thrown away.
//! Whatever it does ends as an [`End`], never as an error of the judge's own process. Nothing here knows what is right.

mod answer;
mod arena;
mod called;
#[cfg(feature = "cuda")]
mod deny;
#[cfg(feature = "cuda")]
mod device;
mod end;
mod entry;
mod exchange;
mod fault;
mod filter;
mod fixed;
mod launch;
mod library;
mod main;
mod memory;
mod message;
mod mode;
mod more;
mod outside;
mod plan;
mod python;
mod refused;
mod socket;

pub use arena::Arena;
pub use called::{About, Block, Blocked, Called, Edge, Probed};
pub use end::{End, Fault, Place};
pub use launch::{Launcher, SANITIZER_EXIT};
pub use main::main;
pub use mode::Mode;
pub use plan::MOST_CALLS;
pub use python::Script;

use crate::task::{Abi, Device, Form, Limits};
use crate::timing::CpuClock;
use assay_process::{Background, BackgroundChild};
use exchange::Reply;
use message::Kind;
use outside::Idle;
use plan::Plan;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::process::{Pid, Resource, Rlimit};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Longest wait for what the worker does by itself: starting, mapping, dying.
const PATIENCE: Duration = Duration::from_secs(20);

/// The same for a device, whose driver makes a context and compiles what it loads.
const DEVICE_PATIENCE: Duration = Duration::from_secs(60);

/// What a block may take beside the limit of one call: a slow kernel is judged by its time, a hang must end.
const BLOCK_EXTRA: Duration = Duration::from_secs(10);

/// How many times as long as a call a probe may take: it makes a handful of calls, some of which are held up for as long as two.
const PROBE_CALLS: u32 = 8;

/// A worker with a library or a kernel. Dropping it kills it.
#[derive(Debug)]
pub struct Worker {
    socket: OwnedFd,
    child: BackgroundChild,
    limits: Limits,
    /// Bytes of the worker's address space without library and arena.
    own: u64,
    mapped: Option<Mapped>,
    /// The device that its tensors lie on, with its kernel.
    about: Option<About>,
    /// Whether it became an interpreter.
    python: bool,
    /// What the last call said beside its return code.
    said: String,
    /// Where a sanitizer writes.
    report: Option<Arc<OwnedFd>>,
    /// Why there is no worker any more.
    ended: Option<End>,
    /// What it does while nothing is asked of it.
    idle: Idle,
}

#[derive(Debug)]
struct Mapped {
    base: u64,
    plan: Arc<Plan>,
    file: OwnedFd,
}

impl Worker {
    /// Starts a worker and loads a private copy of the library.
    ///
    /// # Errors
    /// The library is not loaded or has no such entry, it ended the worker while it was loaded, or the system refuses a process.
    pub fn start(launcher: &Launcher, library: &Path, abi: &Abi, limits: &Limits) -> Result<Self, End> {
        Self::begin(launcher, library, abi, limits, None)
    }

    /// As [`Self::start`], for a library built with sanitizers, whose run-time libraries are `preload`. Its memory has no limit and
    /// its sandbox lets files be read; where a sanitizer finds something the worker ends with [`SANITIZER_EXIT`], and
    /// [`Self::report`] is what it wrote.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_watched(
        launcher: &Launcher,
        library: &Path,
        abi: &Abi,
        limits: &Limits,
        preload: &[PathBuf],
    ) -> Result<Self, End> {
        let mut preload = preload.to_vec();
        preload.extend(library::of_exceptions(library));
        Self::begin(launcher, library, abi, limits, Some(&preload))
    }

    fn begin(
        launcher: &Launcher,
        library: &Path,
        abi: &Abi,
        limits: &Limits,
        watch: Option<&[PathBuf]>,
    ) -> Result<Self, End> {
        let (form, symbol) = entry::exported(abi.form, &abi.symbol);
        if symbol.len() >= message::TEXT {
            return Err(End::SymbolMissing { symbol });
        }
        let on_device = abi.device == Device::Cuda;
        let files = match abi.form {
            Form::Python => python::files(library, abi, if on_device { &launcher.env } else { &[] })?,
            form => vec![library::private_copy(library, form)?],
        };
        let mut worker = Self::spawn(launcher, limits, on_device, watch)?;
        worker.python = abi.form == Form::Python;
        let words = [form, worker.memory(), u64::from(watch.is_some()), u64::from(on_device)];
        let patience = match abi.form {
            Form::Python => python::PATIENCE,
            _ if on_device => DEVICE_PATIENCE,
            _ => PATIENCE,
        };
        let files: Vec<BorrowedFd<'_>> = files.iter().map(AsFd::as_fd).collect();
        let (reply, _) = worker.ask(Kind::Load, &words, &symbol, &files, patience)?;
        if on_device {
            let about =
                serde_json::from_slice(&reply.more).map_err(|error| End::system("the device", error))?;
            worker.about = Some(about);
        } else {
            worker.own = reply.words[0];
        }
        Ok(worker)
    }

    fn spawn(
        launcher: &Launcher,
        limits: &Limits,
        on_device: bool,
        watch: Option<&[PathBuf]>,
    ) -> Result<Self, End> {
        let pair = SocketType::SEQPACKET;
        let (socket, theirs) = rustix::net::socketpair(AddressFamily::UNIX, pair, SocketFlags::CLOEXEC, None)
            .map_err(|error| End::system("no socket", error))?;
        let mut spawn = if on_device { launcher.spawn_for_device(theirs) } else { launcher.spawn(theirs) };
        let report = watch.map(|preload| launch::watched(&mut spawn, preload)).transpose()?;
        let background = Background::shared().map_err(|error| End::system("no thread", error))?;
        let child =
            background.spawn(spawn).map_err(|error| End::system("the worker cannot be started", error))?;
        let (limits, own) = (*limits, if on_device { u64::MAX } else { 0 });
        let (python, said, idle) = (false, String::new(), Idle::of(child.identity.pid));
        let (mapped, about, ended) = (None, None, None);
        Ok(Self { socket, child, limits, own, mapped, about, python, said, report, ended, idle })
    }

    /// What a sanitizer wrote; empty for a worker that none watches.
    pub fn report(&self) -> String {
        let Some(report) = &self.report else { return String::new() };
        launch::read_report(report)
    }

    /// The device that its tensors lie on, with its kernel; `None` for a worker of the processor.
    pub fn about(&self) -> Option<&About> {
        self.about.as_ref()
    }

    /// Bytes of memory that it may take beside the tensors; `u64::MAX` is no limit.
    fn memory(&self) -> u64 {
        // A sanitizer reserves terabytes for its notes, the driver of a device for its addresses.
        let unlimited = self.report.is_some() || self.own == u64::MAX;
        if unlimited { u64::MAX } else { self.limits.memory_mib.saturating_mul(1 << 20) }
    }

    /// How long `calls` calls may take: each its limit, all together at most ten seconds more than one. On a device the tensors are
    /// brought there and back as well, for which a second for each GiB is plenty.
    fn patience(&self, calls: usize) -> Duration {
        let one = Duration::from_millis(self.limits.call_ms.into());
        let limit = one.saturating_mul(calls as u32).min(one + BLOCK_EXTRA);
        let bytes =
            self.mapped.as_ref().filter(|_| self.about.is_some()).map(|mapped| mapped.plan.file_len());
        limit + bytes.map_or(Duration::ZERO, |bytes| Duration::from_secs(1 + (bytes >> 30) as u64))
    }

    /// Maps an arena in place of the one before. It may be mapped by several workers; it is theirs only during a call.
    ///
    /// # Errors
    /// The worker is no more, or memory is short.
    pub fn map(&mut self, arena: &Arena) -> Result<(), End> {
        self.alive()?;
        let plan = Arc::clone(arena.plan());
        let before = self.mapped.take().map_or(0, |mapped| mapped.plan.reserve);
        // The old one goes before the new one comes; the plan itself, and descriptions made from it, need some room.
        let mut tensors = plan.reserve.max(before) as u64 + 16 * arena.plan_len() as u64;
        if self.python {
            // The arena, and memory of its own that holds the same.
            tensors += 2 * plan.file_len() as u64 + python::ROOM;
        }
        self.limit(self.memory().saturating_add(self.own).saturating_add(tensors))?;
        let [writable, read_only] = arena.files();
        let file = writable.try_clone().map_err(|error| End::system("no descriptor", error))?;
        let words = [arena.plan_len() as u64];
        let fds = [writable.as_fd(), read_only.as_fd()];
        // A device takes memory of its own, and under a tool each of its calls takes longer.
        let patience = if self.about.is_some() { DEVICE_PATIENCE } else { PATIENCE };
        let (reply, _) = self.ask(Kind::Map, &words, "", &fds, patience)?;
        self.mapped = Some(Mapped { base: reply.words[0], plan, file });
        Ok(())
    }

    /// Calls the entry once with a set of the mapped arena.
    ///
    /// # Errors
    /// The call did not come back, or nothing is mapped.
    pub fn call(&mut self, set: usize) -> Result<Called, End> {
        let (reply, host_ns) = self.ask(Kind::Call, &[set as u64], "", &[], self.patience(1))?;
        let [rc, ns, ..] = reply.words;
        let mode = |at: usize| Mode { vector: reply.words[at], x87: reply.words[at + 1] };
        Ok(Called { rc: code(rc), ns, host_ns, mode_before: mode(2), mode_after: mode(4) })
    }

    /// Makes the calls of a block. It may take as long as all its calls together, and at most ten seconds longer than one.
    ///
    /// # Errors
    /// A call did not come back, nothing is mapped, or the block is empty or too long.
    pub fn block(&mut self, block: &Block) -> Result<Blocked, End> {
        self.alive()?;
        let calls = block.sets.len();
        let Some(mapped) = &self.mapped else { return Err(End::system("no block", "nothing is mapped")) };
        if calls == 0 || calls > MOST_CALLS {
            return Err(End::system("no block", format!("{calls} calls of at most {MOST_CALLS}")));
        }
        arena::write_schedule(&mapped.file, mapped.plan.schedule, &block.sets)
            .map_err(|error| End::system("no block", error))?;
        let (call, tensor) =
            block.snapshot.map_or((u64::MAX, 0), |(call, tensor)| (call as u64, tensor as u64));
        let words = [calls as u64, call, tensor, u64::from(block.flush)];
        let limit = self.patience(calls);
        let (reply, host_ns, cpu_ns) = if self.python {
            self.block_in_parts(words, limit)?
        } else {
            let (reply, host_ns) = self.ask(Kind::Block, &words, "", &[], limit)?;
            (reply, host_ns, None)
        };
        let [ns, copy_ns, at, rc, vector, x87, wall_ns, ..] = reply.words;
        let failed = usize::try_from(at).ok().filter(|at| *at < calls).map(|at| (at, code(rc)));
        Ok(Blocked { ns, wall_ns, host_ns, cpu_ns, copy_ns, failed, mode_after: Mode { vector, x87 } })
    }

    /// Of a worker that brings tensors there and back in requests of their own: no part of what the judge's clock brackets.
    fn block_in_parts(&mut self, words: [u64; 4], limit: Duration) -> Result<(Reply, u64, Option<u64>), End> {
        let clock = CpuClock::of(self.pid());
        let [calls, call, tensor, flush] = words;
        let mut part = |part: u64, limit: Duration| {
            let mut words = [calls, call, tensor, flush, 0, 0, 0, 0];
            words[python::PART] = part;
            self.ask(Kind::Block, &words, "", &[], limit)
        };
        part(python::BRING, PATIENCE)?;
        let before = clock.and_then(CpuClock::now);
        let (reply, host_ns) = part(python::RUN, limit)?;
        let after = clock.and_then(CpuClock::now);
        part(python::TAKE, PATIENCE)?;
        self.said.clone_from(&reply.text);
        let cpu = before.zip(after).map(|(before, after)| after.saturating_sub(before));
        Ok((reply, host_ns, cpu.and_then(|cpu| u64::try_from(cpu.as_nanos()).ok())))
    }

    /// What the last call said beside its return code, such as the text of an exception; empty for libraries.
    pub fn said(&self) -> &str {
        &self.said
    }

    /// Looks at a call with a set of the mapped arena for what only a device lets it do. Afterwards the outputs of the set are those of
    /// a replayed graph, where there is one.
    ///
    /// # Errors
    /// As [`Self::call`], or the worker has no device.
    pub fn probe(&mut self, set: usize) -> Result<Probed, End> {
        let limit = self.patience(1).saturating_mul(PROBE_CALLS) + BLOCK_EXTRA;
        let (reply, _) = self.ask(Kind::Probe, &[set as u64], "", &[], limit)?;
        serde_json::from_slice(&reply.more).map_err(|error| End::system("the probe", error))
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.identity.pid
    }

    /// Lets it end by itself, so that whoever watches it can say its last words; killed where it does not.
    pub fn leave(mut self) {
        self.depart();
    }

    fn depart(&mut self) {
        // A worker whose socket is closed ends. It may have done so before.
        let _ = rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Both);
        // What a tool has seen of a device it may have to put together first.
        self.child.wait(if self.about.is_some() { DEVICE_PATIENCE } else { PATIENCE });
    }

    /// Sets the soft limit of the worker's address space.
    fn limit(&self, bytes: u64) -> Result<(), End> {
        if bytes == u64::MAX {
            return Ok(());
        }
        let pid = i32::try_from(self.child.identity.pid).ok().and_then(Pid::from_raw);
        let Some(pid) = pid.filter(|_| assay_process::is_alive(&self.child.identity)) else {
            // The next request tells how it ended.
            return Ok(());
        };
        let set = |soft: Rlimit| rustix::process::prlimit(Some(pid), Resource::As, soft);
        let most = rustix::process::getrlimit(Resource::As).maximum;
        let current = most.map_or(bytes, |most| most.min(bytes));
        match set(Rlimit { current: Some(current), maximum: most }) {
            Ok(_) | Err(Errno::SRCH) => Ok(()),
            Err(error) => Err(End::system("the worker's memory cannot be limited", error)),
        }
    }

    fn end(&mut self) {
        self.child.kill();
        self.child.wait(PATIENCE);
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.end();
    }
}

/// Whether the device still answers: a fresh worker opens it, uses its memory, and ends. To be asked after a call on a device did not
/// come back.
///
/// # Errors
/// It does not answer any more, or there is none.
pub fn device_answers(launcher: &Launcher) -> Result<(), End> {
    let mut worker = Worker::spawn(launcher, &Limits::default(), true, None)?;
    // As long as any worker has for it: a machine with eight devices and no daemon that keeps them awake takes more than ten seconds.
    match worker.ask(Kind::Open, &[], "", &[], DEVICE_PATIENCE) {
        Ok(_) => Ok(()),
        Err(end @ End::Unsupported { .. }) => Err(end),
        Err(_) => Err(End::DeviceLost),
    }
}

/// A return code as it travels.
fn code(word: u64) -> i32 {
    i32::from_ne_bytes((word as u32).to_ne_bytes())
}
