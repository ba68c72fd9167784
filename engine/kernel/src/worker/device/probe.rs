//! What only a device lets a call do wrong: work where the caller's stream does not see it, wait for the device, resist capture, take
//! memory, change the device.

#![expect(unsafe_code, reason = "a function that the driver calls")]

use super::driver::{self, Failure, Told};
use super::mirror;
use super::{Mapped, Session};
use crate::worker::Probed;
use crate::worker::answer::{Answer, Done, Refused};
use crate::worker::message::Kind;
use cudarc::driver::sys::{CUlimit, CUstream};
use std::collections::BTreeSet;
use std::ffi::c_void;
use std::ptr;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long the stream is held up at least: work elsewhere must show by then. Twice an ordinary call where that is longer.
const HELD: Duration = Duration::from_millis(50);

/// How much later the gate opens by itself, should looking around wait for the call.
const LONGER: Duration = Duration::from_secs(2);

/// How often a call is held up that waits or takes memory when it is for the first time: what counts is what it does most often. The driver
/// itself may take memory once, and a busy machine may be late once.
const ROUNDS: usize = 3;

/// The limit that the driver itself raises.
const STACK: &str = "stack size";

/// Limits of a context that a call could change.
const LIMITS: [(CUlimit, &str); 8] = [
    (CUlimit::CU_LIMIT_STACK_SIZE, STACK),
    (CUlimit::CU_LIMIT_PRINTF_FIFO_SIZE, "room for printing"),
    (CUlimit::CU_LIMIT_MALLOC_HEAP_SIZE, "heap on the device"),
    (CUlimit::CU_LIMIT_DEV_RUNTIME_SYNC_DEPTH, "depth of launches on the device"),
    (CUlimit::CU_LIMIT_DEV_RUNTIME_PENDING_LAUNCH_COUNT, "pending launches on the device"),
    (CUlimit::CU_LIMIT_MAX_L2_FETCH_GRANULARITY, "fetches of the second-level cache"),
    (CUlimit::CU_LIMIT_PERSISTING_L2_CACHE_SIZE, "persisting second-level cache"),
    (CUlimit::CU_LIMIT_SHMEM_SIZE, "shared memory of the context"),
];

/// Limits and settings of the context.
pub(super) fn settings() -> Vec<(String, u64)> {
    let limits = LIMITS.iter().filter_map(|(limit, name)| Some(((*name).to_owned(), driver::limit(*limit)?)));
    let cache =
        driver::cache_preference().map(|value| ("preference of the first-level cache".to_owned(), value));
    limits.chain(cache).collect()
}

/// What was changed: name, before, after. A deeper stack is none: the driver makes it as deep as a kernel needs when that is launched,
/// and leaves it so (CUDA driver API, `cuCtxSetLimit`).
fn changed(before: &[(String, u64)], after: &[(String, u64)]) -> Vec<(String, u64, u64)> {
    let same_name = |name: &String| after.iter().find(|(other, _)| other == name);
    let pairs = before.iter().filter_map(|(name, was)| Some((name.clone(), *was, same_name(name)?.1)));
    pairs.filter(|(name, was, is)| if name == STACK { is < was } else { is != was }).collect()
}

/// Something that holds up a stream until it is opened.
struct Gate {
    open: Mutex<bool>,
    changed: Condvar,
    /// When it opens by itself.
    longest: Duration,
}

impl Gate {
    fn is_open(&self) -> bool {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    fn wait(&self) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(open, self.longest, |open| !*open);
        *waited.unwrap_or_else(PoisonError::into_inner).0 = true;
    }
}

/// Called by the driver when the stream comes to it; `data` is one count of an `Arc<Gate>`, which ends here.
unsafe extern "C" fn wait_at(data: *mut c_void) {
    // SAFETY: the pointer is of `Arc::into_raw`, and this function is called at most once with it.
    unsafe { Arc::from_raw(data.cast_const().cast::<Gate>()) }.wait();
}

unsafe extern "C" fn nothing(_: *mut c_void) {}

/// Lets the driver make what it needs for functions on the host.
pub(super) fn first_host_function(stream: CUstream) -> Told<()> {
    // SAFETY: the function does nothing with nothing.
    unsafe { driver::on_host(stream, nothing, ptr::null_mut()) }
}

/// A call that was held up.
struct Round {
    waited: bool,
    escaped: bool,
    allocated: u64,
    outputs: Vec<Vec<u8>>,
}

/// What was seen while the stream was held up.
struct Seen {
    /// Outputs.
    outputs: Vec<Vec<u8>>,
    /// Bytes of memory that were free.
    free: u64,
}

impl Session {
    /// The answer brings a `Probed`.
    pub(super) fn probe(&mut self, set: u64) -> Answer {
        let (mapped, set) = self.with_set(set)?;
        let mut probed = Probed::default();
        // The first call pays for what is made once; that is not what this is about.
        let start = Instant::now();
        let ordinary = self.ordinary(mapped, set)?;
        let held = HELD.max(2 * start.elapsed());
        let mut rounds = vec![self.held_up(mapped, set, held)?];
        if rounds[0].waited || rounds[0].allocated > 0 {
            for _ in 1..ROUNDS {
                rounds.push(self.held_up(mapped, set, held)?);
            }
        }
        let mut allocated: Vec<u64> = rounds.iter().map(|round| round.allocated).collect();
        allocated.sort_unstable();
        probed.allocated = allocated[allocated.len() / 2];
        probed.waited = 2 * rounds.iter().filter(|round| round.waited).count() > rounds.len();
        probed.escaped = rounds.iter().any(|round| round.escaped);
        let again = rounds.pop().map(|round| round.outputs).unwrap_or_default();
        probed.capture = self.capture(mapped, set, &ordinary, ordinary == again)?;
        self.settle()?;
        mapped.mirror.bands_intact(&mapped.memory.plan)?;
        probed.changed = changed(&self.settings, &settings());
        let more = serde_json::to_vec(&probed).map_err(|error| Refused::system(error.to_string()))?;
        Ok(Done { more, ..Done::default() })
    }

    /// The outputs of a set as they are on the device.
    fn outputs(&self, mapped: &Mapped, set: usize, stream: CUstream) -> Told<Vec<Vec<u8>>> {
        mirror::look(&mapped.mirror.outputs(&mapped.memory.plan, set), stream)
    }

    fn upload(&self, mapped: &Mapped, set: usize) -> Result<(), Refused> {
        mapped.mirror.upload(&mapped.memory, &BTreeSet::from([set])).map_err(Failure::of_launch)
    }

    fn served(&self, mapped: &Mapped, set: usize) -> Result<(), Refused> {
        match self.enter(mapped, set)? {
            0 => Ok(()),
            code => {
                Err(Refused::new(Kind::Launch, format!("the call returned {code} when it was looked at")))
            }
        }
    }

    /// The outputs of a call as it should be.
    fn ordinary(&self, mapped: &Mapped, set: usize) -> Result<Vec<Vec<u8>>, Refused> {
        self.upload(mapped, set)?;
        self.kept_error();
        self.served(mapped, set)?;
        self.settle()?;
        self.outputs(mapped, set, self.stream).map_err(Failure::of_launch)
    }

    /// A call behind a gate. Before it opens, no output may change and no memory may be taken, and the call should have returned.
    fn held_up(&self, mapped: &Mapped, set: usize, held: Duration) -> Result<Round, Refused> {
        let told = Failure::of_launch;
        self.upload(mapped, set)?;
        let pool = driver::pool(self.device).map_err(told)?;
        let used = driver::forget_peak(pool).map_err(told)?;
        let before = self.seen(mapped, set).map_err(told)?;
        let longest = held + LONGER;
        let gate = Arc::new(Gate { open: Mutex::new(false), changed: Condvar::new(), longest });
        let data = Arc::into_raw(Arc::clone(&gate)).cast_mut().cast();
        // SAFETY: the function makes no call of the driver; its data is a count of its own, which the function ends.
        unsafe { driver::on_host(self.stream, wait_at, data) }.map_err(told)?;
        let outputs = mapped.mirror.outputs(&mapped.memory.plan, set);
        let around = Around { context: self.context as usize, stream: self.other as usize, outputs };
        let (served, in_time, during) = thread::scope(|scope| {
            let looking = scope.spawn(|| {
                let start = Instant::now();
                thread::sleep(held);
                let seen = around.look();
                // Late, it was the gate that opened by itself, and nothing is told by what was seen.
                let seen = seen.ok().filter(|_| start.elapsed() < longest);
                gate.open();
                seen
            });
            let served = self.served(mapped, set);
            let in_time = !gate.is_open();
            (served, in_time, looking.join().ok().flatten())
        });
        served?;
        self.settle()?;
        let after = self.seen(mapped, set).map_err(told)?;
        let escaped = during.as_ref().is_some_and(|during| during.outputs != before.outputs);
        let least = during.map_or(after.free, |during| during.free.min(after.free));
        let peak = driver::peak(pool).map_err(told)?;
        let allocated = before.free.saturating_sub(least).max(peak.saturating_sub(used));
        Ok(Round { waited: !in_time, escaped, allocated, outputs: after.outputs })
    }

    fn seen(&self, mapped: &Mapped, set: usize) -> Told<Seen> {
        Ok(Seen { outputs: self.outputs(mapped, set, self.other)?, free: driver::free_memory()? })
    }

    /// Records a call into a graph and replays it over fresh tensors. Gives what is wrong with that.
    fn capture(
        &self,
        mapped: &Mapped,
        set: usize,
        ordinary: &[Vec<u8>],
        repeats: bool,
    ) -> Result<Option<String>, Refused> {
        let told = Failure::of_launch;
        self.upload(mapped, set)?;
        driver::begin_capture(self.stream).map_err(told)?;
        let code = self.enter(mapped, set);
        let graph = driver::end_capture(self.stream);
        // What it did eagerly is over before the tensors are put back.
        driver::finish_all().map_err(told)?;
        let kept = self.kept_error();
        let graph = match (graph, code, kept) {
            (Err(failure), ..) => return Ok(Some(failure.name())),
            (Ok(_), Err(refused), _) => return Ok(Some(refused.text)),
            (Ok(_), Ok(code), _) if code != 0 => {
                return Ok(Some(format!("the call returned {code} while it was captured")));
            }
            (Ok(_), Ok(_), Some(error)) => return Ok(Some(error)),
            (Ok(graph), Ok(_), None) => graph,
        };
        self.upload(mapped, set)?;
        let before = self.outputs(mapped, set, self.stream).map_err(told)?;
        let exec = match driver::instantiate(graph) {
            Ok(exec) => exec,
            Err(failure) => return Ok(Some(failure.name())),
        };
        driver::replay(exec, graph, self.stream).map_err(told)?;
        let replayed = self.outputs(mapped, set, self.stream).map_err(told)?;
        mapped.mirror.download(&mapped.memory, &BTreeSet::from([set])).map_err(told)?;
        // A kernel that adds in any order does not repeat itself; then only what a replay leaves alone is told.
        let same = if repeats { replayed == ordinary } else { replayed != before };
        Ok((!same).then(|| "a replay of the graph does not give the outputs of a call".to_owned()))
    }
}

/// Looks from another thread, by a stream that nothing holds up. Handles are numbers here: they go to that thread.
struct Around {
    context: usize,
    stream: usize,
    outputs: Vec<(u64, usize)>,
}

impl Around {
    fn look(&self) -> Told<Seen> {
        driver::make_current(ptr::without_provenance_mut(self.context))?;
        let outputs = mirror::look(&self.outputs, ptr::without_provenance_mut(self.stream))?;
        Ok(Seen { outputs, free: driver::free_memory()? })
    }
}
