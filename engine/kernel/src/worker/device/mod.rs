//! A worker whose tensors lie on a device: the same requests, over memory of its own that mirrors the judge's.
//!
//! Every call goes to one stream that waits for no other. Before it the tensors of its set are brought to the device, after it they are
//! brought back, inputs and margins too, so the judge sees every byte that was written. It decides nothing.

mod about;
mod block;
mod driver;
mod kernel;
mod library;
mod mirror;
mod probe;

use super::About;
use super::answer::{Answer, Done, Refused};
use super::deny;
use super::entry::{self, Calls, Entry, NoEntry};
use super::main::{code_word, now, since};
use super::memory::Memory;
use super::message::{Kind, Message};
use super::mode::Mode;
use crate::cuda;
use cudarc::driver::sys::{CUcontext, CUdevice, CUfunction, CUstream};
use driver::{Failure, Unset};
use kernel::Launches;
use library::{Env, Runtime};
use mirror::Mirror;
use std::collections::BTreeSet;
use std::os::fd::OwnedFd;

/// A worker's device and what is loaded there.
pub(super) struct Session {
    device: CUdevice,
    context: CUcontext,
    /// The caller's stream.
    stream: CUstream,
    /// One to look around with, which nothing holds up.
    other: CUstream,
    about: About,
    /// Limits and settings before anything foreign was loaded.
    settings: Vec<(String, u64)>,
    /// What is left in shared memory before a call; nothing where a tool looks on.
    unset: Option<Unset>,
    /// Whether a tool looks on.
    watched: bool,
    target: Option<Target>,
    mapped: Option<Mapped>,
    timer: block::Timer,
}

/// What is called.
#[derive(Clone, Copy)]
enum Target {
    Kernel(CUfunction),
    Library(Foreign),
}

/// A library's entry, and what is asked of it besides.
#[derive(Clone, Copy)]
struct Foreign {
    entry: Entry,
    runtime: Option<Runtime>,
    env: Option<Env>,
}

/// A mapped arena. The calls go before the memory that they point to.
struct Mapped {
    calls: Prepared,
    mirror: Mirror,
    memory: Memory,
}

/// What each set is called with.
enum Prepared {
    Kernel(Launches),
    Library(Calls),
}

impl Session {
    /// Opens the first device that is shown.
    pub(super) fn open() -> Result<Self, Refused> {
        let cuda = cuda::driver_version().map_err(|error| match error {
            cuda::CudaError::Unsupported { what } => Refused::new(Kind::Unsupported, what),
            other => Refused::system(other.to_string()),
        })?;
        let opened = || {
            let (device, context) = driver::first_device()?;
            let (stream, other) = (driver::new_stream()?, driver::new_stream()?);
            // What the driver makes when it is first needed, such as threads, is made now, before the sandbox.
            driver::warm();
            let unset = Unset::new(device);
            let memory = driver::allocate(1 << 20)?;
            driver::fill(memory, 1, 1 << 20, stream)?;
            probe::first_host_function(stream)?;
            driver::finish_all()?;
            driver::free(memory);
            let about = about::of(device, cuda)?;
            let settings = probe::settings();
            Ok(Self {
                device,
                context,
                stream,
                other,
                about,
                settings,
                unset,
                watched: false,
                target: None,
                mapped: None,
                timer: block::Timer::default(),
            })
        };
        opened().map_err(Failure::of_system)
    }

    /// Whether a tool looks on, which says its last words when the process ends as processes do.
    pub(super) fn watched(&self) -> bool {
        self.watched
    }

    /// Gives everything back.
    pub(super) fn close(mut self) {
        self.mapped = None;
        driver::close(self.device);
    }

    /// What the judge asks.
    pub(super) fn answer(&mut self, request: &Message, fds: Vec<OwnedFd>) -> Answer {
        match request.kind {
            Kind::Map => self.map(request, fds),
            Kind::Call => self.call(request.words[0]),
            Kind::Block => self.block(request.words),
            Kind::Probe => self.probe(request.words[0]),
            _ => Err(Refused::system("unknown request")),
        }
    }

    /// Loads the library or the image that came. The answer brings an `About`.
    pub(super) fn load(&mut self, request: &Message, fds: Vec<OwnedFd>) -> Answer {
        let Some(file) = fds.into_iter().next() else { return Err(Refused::system("nothing came to load")) };
        let (form, watched, symbol) = (request.words[0], request.words[2] != 0, request.text());
        self.watched = watched;
        // What watches a worker from within needs processes and sockets of its own.
        let sandbox = || match watched {
            true => Ok(()),
            false => deny::while_calling().map_err(|error| Refused::system(format!("the filter: {error}"))),
        };
        let target = if form == entry::code::KERNEL {
            // An image runs nothing here, and the driver may need files and threads to compile it.
            let image = super::more::whole(&file).map_err(|error| Refused::failed("the image", &error))?;
            let function = kernel::load(&image, &symbol, &self.about.cuda)?;
            kernel::facts(function, &mut self.about).map_err(Failure::of_launch)?;
            sandbox()?;
            Target::Kernel(function)
        } else {
            // Initialisers of a library already run in the sandbox.
            sandbox()?;
            let packed = form == entry::code::PACKED;
            let (entry, library) = entry::load(&file, packed, &symbol)
                .map_err(|error| Refused { whole: true, ..NoEntry::refused(error) })?;
            let env = if packed { Some(Env::of(library)?) } else { None };
            Target::Library(Foreign { entry, runtime: Runtime::of(library), env })
        };
        self.target = Some(target);
        let more = serde_json::to_vec(&self.about).map_err(|error| Refused::system(error.to_string()))?;
        Ok(Done { more, ..Done::default() })
    }

    /// Words of the answer: first address of the reservation on this side.
    fn map(&mut self, request: &Message, fds: Vec<OwnedFd>) -> Answer {
        self.mapped = None;
        let Some(target) = self.target else { return Err(Refused::system("nothing is loaded")) };
        let mut fds = fds.into_iter();
        let (Some(writable), Some(read_only)) = (fds.next(), fds.next()) else {
            return Err(Refused::system("no memory came"));
        };
        let len = usize::try_from(request.words[0]).unwrap_or(usize::MAX);
        let mapping = |error| Refused::failed("mapping", &error);
        let memory = Memory::map(&writable, &read_only, len, true).map_err(mapping)?;
        let mirror = Mirror::new(&memory, self.watched, self.stream).map_err(Failure::of_system)?;
        let calls = match target {
            Target::Kernel(function) => {
                Prepared::Kernel(Launches::new(function, self.about.shared_bytes, &memory.plan, &mirror)?)
            }
            Target::Library(_) => {
                let address = |placed: &_| std::ptr::without_provenance_mut(mirror.address(placed) as usize);
                Prepared::Library(Calls::new(&memory.plan, library::CUDA, address).map_err(mapping)?)
            }
        };
        let base = memory.base();
        self.mapped = Some(Mapped { calls, mirror, memory });
        Ok(Done::with(&[base]))
    }

    fn mapped(&self) -> Result<&Mapped, Refused> {
        self.mapped.as_ref().ok_or_else(|| Refused::system("nothing is mapped"))
    }

    /// The arena, and a set that is in it.
    fn with_set(&self, set: u64) -> Result<(&Mapped, usize), Refused> {
        let mapped = self.mapped()?;
        let set = usize::try_from(set).ok().filter(|set| *set < mapped.memory.plan.sets.len());
        set.map(|set| (mapped, set)).ok_or_else(|| Refused::system("no such set"))
    }

    /// The call itself, with a set that is there: it puts work into the stream. Gives the return code.
    fn enter(&self, mapped: &Mapped, set: usize) -> Result<i32, Refused> {
        match (&mapped.calls, self.target) {
            (Prepared::Kernel(launches), _) => {
                launches.launch(set, self.stream).map(|()| 0).map_err(Failure::of_launch)
            }
            (Prepared::Library(calls), Some(Target::Library(foreign))) => {
                if let Some(env) = foreign.env {
                    env.set_stream(self.stream)?;
                }
                Ok(calls.call(foreign.entry, set, self.stream.cast()))
            }
            (Prepared::Library(_), _) => Err(Refused::system("nothing is loaded")),
        }
    }

    /// Waits for everything that was begun, and tells what went wrong with it.
    fn settle(&self) -> Result<(), Refused> {
        driver::finish(self.stream).and_then(|()| driver::finish_all()).map_err(Failure::of_launch)?;
        self.kept_error().map_or(Ok(()), |error| Err(Refused::new(Kind::Launch, error)))
    }

    /// The error that CUDA's run-time library keeps from a call whose result nobody looked at.
    fn kept_error(&self) -> Option<String> {
        match self.target {
            Some(Target::Library(Foreign { runtime: Some(runtime), .. })) => runtime.take_error(),
            _ => None,
        }
    }

    /// Words of the answer: return code, nanoseconds until the device was idle, mode before (two words) and after (two words).
    fn call(&self, set: u64) -> Answer {
        let (mapped, set) = self.with_set(set)?;
        let sets = BTreeSet::from([set]);
        mapped.mirror.upload(&mapped.memory, &sets).map_err(Failure::of_launch)?;
        // What nobody sets is whatever the kernel before left there, as a rule zeros: then nothing shows that it was not set.
        if let Some(unset) = self.unset.filter(|_| !self.watched) {
            unset.fill(self.stream).map_err(Failure::of_launch)?;
        }
        self.kept_error();
        Mode::restore();
        let before = Mode::read();
        let start = now();
        let code = self.enter(mapped, set)?;
        let after = Mode::taken();
        self.settle()?;
        let ns = since(start);
        mapped.mirror.download(&mapped.memory, &sets).map_err(Failure::of_launch)?;
        mapped.mirror.bands_intact(&mapped.memory.plan)?;
        Ok(Done::with(&[code_word(code), ns, before.vector, before.x87, after.vector, after.x87]))
    }
}
