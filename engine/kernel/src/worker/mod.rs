//! Foreign code in a process of its own: one library, called over memory that the judge shares with it.
//!
//! The judge sends requests of a fixed size and waits with a limit; the worker ([`main`]) is limited, filtered and thrown away.
//! Whatever it does ends as an [`End`], never as an error of the judge's own process. Nothing here knows what is right.

mod arena;
mod called;
mod end;
mod entry;
mod fault;
mod filter;
mod launch;
mod library;
mod main;
mod memory;
mod message;
mod mode;
mod plan;
mod socket;

pub use arena::Arena;
pub use called::{About, Block, Blocked, Called, Edge, Probed};
pub use end::{End, Fault, Place};
pub use launch::{Launcher, SANITIZER_EXIT};
pub use main::main;
pub use mode::Mode;
pub use plan::MOST_CALLS;

use crate::task::{Abi, Form, Limits};
use assay_process::{Background, BackgroundChild, Exit};
use message::{Kind, Message};
use plan::Plan;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::process::{Pid, Resource, Rlimit};
use socket::Received;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longest wait for what the worker does by itself: starting, mapping, dying.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a block may take beside the limit of one call: a slow kernel is judged by its time, a hang must end.
const BLOCK_EXTRA: Duration = Duration::from_secs(10);

/// A worker with a library. Dropping it kills it.
#[derive(Debug)]
pub struct Worker {
    socket: OwnedFd,
    child: BackgroundChild,
    limits: Limits,
    /// Bytes of the worker's address space without library and arena.
    own: u64,
    mapped: Option<Mapped>,
    /// Where a sanitizer writes.
    report: Option<Arc<OwnedFd>>,
    /// Why there is no worker any more.
    ended: Option<End>,
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
        Self::begin(launcher, library, abi, limits, Some(preload))
    }

    fn begin(
        launcher: &Launcher,
        library: &Path,
        abi: &Abi,
        limits: &Limits,
        watch: Option<&[PathBuf]>,
    ) -> Result<Self, End> {
        let Some(symbol) = entry::exported(abi.form, &abi.symbol) else {
            return Err(End::system("this worker calls shared libraries", "the task's form is another"));
        };
        if symbol.len() >= message::TEXT {
            return Err(End::SymbolMissing { symbol });
        }
        let library = library::private_copy(library)?;
        let pair = SocketType::SEQPACKET;
        let (socket, theirs) = rustix::net::socketpair(AddressFamily::UNIX, pair, SocketFlags::CLOEXEC, None)
            .map_err(|error| End::system("no socket", error))?;
        let mut spawn = launcher.spawn(theirs);
        let report = watch.map(|preload| launch::watched(&mut spawn, preload)).transpose()?;
        let background = Background::shared().map_err(|error| End::system("no thread", error))?;
        let child =
            background.spawn(spawn).map_err(|error| End::system("the worker cannot be started", error))?;
        let mut worker = Self { socket, child, limits: *limits, own: 0, mapped: None, report, ended: None };
        let packed = u64::from(abi.form == Form::TvmFfi);
        let words = [packed, worker.memory(), u64::from(watch.is_some())];
        let (reply, _) = worker.ask(Kind::Load, &words, &symbol, &[library.as_fd()], PATIENCE)?;
        worker.own = reply.words[0];
        Ok(worker)
    }

    /// What a sanitizer wrote; empty for a worker that none watches.
    pub fn report(&self) -> String {
        let Some(report) = &self.report else { return String::new() };
        launch::read_report(report)
    }

    /// Bytes of memory that it may take beside the tensors; `u64::MAX` is no limit.
    fn memory(&self) -> u64 {
        match self.report {
            // A sanitizer reserves terabytes for its notes.
            Some(_) => u64::MAX,
            None => self.limits.memory_mib.saturating_mul(1 << 20),
        }
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
        let tensors = plan.reserve.max(before) as u64 + 16 * arena.plan_len() as u64;
        self.limit(self.memory().saturating_add(self.own).saturating_add(tensors))?;
        let [writable, read_only] = arena.files();
        let file = writable.try_clone().map_err(|error| End::system("no descriptor", error))?;
        let words = [arena.plan_len() as u64];
        let fds = [writable.as_fd(), read_only.as_fd()];
        let (reply, _) = self.ask(Kind::Map, &words, "", &fds, PATIENCE)?;
        self.mapped = Some(Mapped { base: reply.words[0], plan, file });
        Ok(())
    }

    /// Calls the entry once with a set of the mapped arena.
    ///
    /// # Errors
    /// The call did not come back, or nothing is mapped.
    pub fn call(&mut self, set: usize) -> Result<Called, End> {
        let limit = Duration::from_millis(self.limits.call_ms.into());
        let (reply, host_ns) = self.ask(Kind::Call, &[set as u64], "", &[], limit)?;
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
        let one = Duration::from_millis(self.limits.call_ms.into());
        let limit = one.saturating_mul(calls as u32).min(one + BLOCK_EXTRA);
        let (reply, host_ns) = self.ask(Kind::Block, &[calls as u64, call, tensor], "", &[], limit)?;
        let [ns, copy_ns, at, rc, vector, x87, ..] = reply.words;
        let failed = usize::try_from(at).ok().filter(|at| *at < calls).map(|at| (at, code(rc)));
        Ok(Blocked { ns, wall_ns: ns, host_ns, copy_ns, failed, mode_after: Mode { vector, x87 } })
    }

    /// TEMPORARY
    pub fn probe(&mut self, _set: usize) -> Result<Probed, End> {
        Err(End::Unsupported { what: String::new() })
    }

    /// TEMPORARY
    pub fn about(&self) -> Option<&About> {
        None
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.identity.pid
    }

    fn alive(&self) -> Result<(), End> {
        self.ended.clone().map_or(Ok(()), Err)
    }

    /// Sends a request and waits for its reply. Gives the time between both, in nanoseconds.
    fn ask(
        &mut self,
        kind: Kind,
        words: &[u64],
        text: &str,
        fds: &[BorrowedFd<'_>],
        limit: Duration,
    ) -> Result<(Message, u64), End> {
        self.alive()?;
        let request = Message::new(rand::random(), kind, words).with_text(text);
        let start = Instant::now();
        let answer = self.exchange(&request, fds, limit);
        let ns = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        match answer {
            Ok(reply) => Ok((reply, ns)),
            Err(end) => {
                self.end();
                self.ended = Some(end.clone());
                Err(end)
            }
        }
    }

    fn exchange(
        &mut self,
        request: &Message,
        fds: &[BorrowedFd<'_>],
        limit: Duration,
    ) -> Result<Message, End> {
        match socket::send(&self.socket, request, fds) {
            // It died between two requests: its end is read below.
            Ok(()) | Err(Errno::PIPE | Errno::CONNRESET) => {}
            Err(error) => return Err(End::system("no request can be sent", error)),
        }
        if !self.readable(limit)? {
            return Err(End::Timeout { limit_ms: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX) });
        }
        let reply = match socket::receive(&self.socket) {
            Ok(Received::Message(reply, _)) if reply.nonce == request.nonce => *reply,
            // Only the library can have written that.
            Ok(Received::Message(..) | Received::Garbage) => return Err(End::Sandbox),
            Ok(Received::Closed) => return Err(self.how_it_ended()),
            Err(error) => return Err(End::system("no reply can be read", error)),
        };
        match reply.kind {
            Kind::Done => Ok(reply),
            Kind::LoadFailed => Err(End::LoadFailed { message: reply.text() }),
            Kind::SymbolMissing => Err(End::SymbolMissing { symbol: reply.text() }),
            Kind::Fault => Err(self.fault(&reply)),
            Kind::System if reply.words[0] == u64::from(libc::ENOMEM.unsigned_abs()) => Err(End::Memory),
            Kind::System => Err(End::system("the worker", reply.text())),
            Kind::Load | Kind::Map | Kind::Call | Kind::Block => Err(End::Sandbox),
        }
    }

    fn readable(&self, limit: Duration) -> Result<bool, End> {
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let left = Timespec::try_from(left).map_err(|error| End::system("no clock", error))?;
            let mut fds = [PollFd::new(&self.socket, PollFlags::IN)];
            match rustix::event::poll(&mut fds, Some(&left)) {
                Ok(ready) => return Ok(ready > 0),
                Err(Errno::INTR) => {}
                Err(error) => return Err(End::system("no reply can be awaited", error)),
            }
        }
    }

    fn fault(&self, reply: &Message) -> End {
        let [signal, address, known, write, memory, ..] = reply.words;
        if memory != 0 {
            return End::Memory;
        }
        let fault = self.mapped.as_ref().filter(|_| known != 0);
        let fault = fault.map(|mapped| mapped.plan.fault(mapped.base, address, write != 0));
        End::Crashed { signal: i32::try_from(signal).unwrap_or(0), fault }
    }

    /// It ended without a word.
    fn how_it_ended(&mut self) -> End {
        match self.child.wait(PATIENCE) {
            Some(Exit::Code(code)) => End::EarlyExit { code },
            Some(Exit::Signal(libc::SIGSYS)) => End::Sandbox,
            // Not ours, so it is the system's, which kills where memory is short.
            Some(Exit::Signal(libc::SIGKILL)) => End::Memory,
            Some(Exit::Signal(signal)) => End::Crashed { signal, fault: None },
            // It closed the socket and lives on: nothing of the worker's own does that.
            None => End::Sandbox,
        }
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

/// TEMPORARY
pub fn device_answers(_launcher: &Launcher) -> Result<(), End> {
    Ok(())
}

/// A return code as it travels.
fn code(word: u64) -> i32 {
    i32::from_ne_bytes((word as u32).to_ne_bytes())
}
