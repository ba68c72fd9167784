//! What every step of one engine shares: run directory, journal, processes, locks, the caller's environment.

use crate::pool::Pool;
use crate::step::Registry;
use assay_manifest::StepCatalog;
use assay_process::{
    Programs, Reaper, SupervisorLink, Tag, environ_value, identity_of, kill_tree, own_children,
};
use assay_protocol::{Event, ProcessIdentity};
use assay_store::{HolderInfo, HostLock, HostLocks, JournalWriter, LockKind, RunDir, StoreError};
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Hears every event, in order, as it is handed to the journal.
pub trait Subscriber {
    /// `at`: seconds since the Unix epoch.
    fn event(&mut self, at: f64, event: &Event);
}

/// Times of events: the wall clock once, then the monotonic clock, so that a clock set back changes nothing.
#[derive(Debug)]
pub(crate) struct Clock {
    wall: f64,
    start: Instant,
}

impl Clock {
    /// A clock that never goes behind `after` (seconds since the Unix epoch).
    pub(crate) fn starting_after(after: f64) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        Self { wall: now.max(after), start: Instant::now() }
    }

    pub(crate) fn now(&self) -> f64 {
        self.wall + self.start.elapsed().as_secs_f64()
    }

    pub(crate) fn elapsed_s(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }
}

/// Shared by the executor and every step context.
pub(crate) struct Host {
    pub run: RunDir,
    pub runs_root: PathBuf,
    pub state_dir: PathBuf,
    /// Folders of Assay's own beside the run's.
    kept: Vec<PathBuf>,
    pub journal: JournalWriter,
    pub reaper: Reaper,
    pub pool: RefCell<Pool>,
    pub programs: RefCell<Programs>,
    pub link: Option<SupervisorLink>,
    pub locks: HostLocks,
    pub env: HashMap<String, String>,
    pub identity: ProcessIdentity,
    pub clock: Clock,
    pub subscribers: RefCell<Vec<Box<dyn Subscriber>>>,
    pub registry: Registry,
    pub catalog: StepCatalog,
    /// Time between TERM and KILL.
    pub grace: Duration,
    next_hold: Cell<u64>,
    /// Tags of attempts under way, and pids of the processes they started.
    pub live_tags: RefCell<HashSet<String>>,
    pub live_pids: RefCell<HashSet<u32>>,
}

/// A host lock that the supervisor holds too, so that it outlives a killed engine until the tree below is dead.
#[derive(Debug)]
pub(crate) struct Held {
    lock: HostLock,
    name: String,
}

impl Held {
    /// One more holder of the lock, for a process that outlives this one.
    pub(crate) fn copy(&self) -> std::io::Result<OwnedFd> {
        self.lock.as_fd().try_clone_to_owned()
    }
}

pub(crate) struct HostParts {
    pub run: RunDir,
    pub runs_root: PathBuf,
    pub state_dir: PathBuf,
    pub kept: Vec<PathBuf>,
    pub journal: JournalWriter,
    pub reaper: Reaper,
    pub session: String,
    pub link: Option<SupervisorLink>,
    pub locks: HostLocks,
    pub env: HashMap<String, String>,
    pub identity: ProcessIdentity,
    pub clock: Clock,
    pub subscribers: Vec<Box<dyn Subscriber>>,
    pub registry: Registry,
    pub grace: Duration,
}

impl Host {
    pub(crate) fn new(parts: HostParts) -> Self {
        let catalog = parts.registry.catalog();
        Self {
            pool: RefCell::new(Pool::new(parts.run.clone(), parts.session)),
            run: parts.run,
            runs_root: parts.runs_root,
            state_dir: parts.state_dir,
            kept: parts.kept,
            journal: parts.journal,
            reaper: parts.reaper,
            programs: RefCell::default(),
            link: parts.link,
            locks: parts.locks,
            env: parts.env,
            identity: parts.identity,
            clock: parts.clock,
            subscribers: RefCell::new(parts.subscribers),
            registry: parts.registry,
            catalog,
            grace: parts.grace,
            next_hold: Cell::new(0),
            live_tags: RefCell::default(),
            live_pids: RefCell::default(),
        }
    }

    /// Tells every subscriber and hands the event to the journal. Gives the record's number.
    pub(crate) fn record(&self, event: Event) -> u64 {
        let now = self.clock.now();
        for subscriber in self.subscribers.borrow_mut().iter_mut() {
            subscriber.event(now, &event);
        }
        self.journal.append(now, event)
    }

    /// What holds records: this run, the runs beside it, which others build on, and Assay's own folders.
    pub(crate) fn records(&self) -> Vec<PathBuf> {
        let mut records = self.kept.clone();
        records.push(self.run.path().to_owned());
        let others = assay_store::list(&self.runs_root).unwrap_or_default();
        records.extend(others.into_iter().map(|run| run.path));
        records
    }

    /// The environment entry by which the processes of an attempt are found again.
    pub(crate) fn tag_value(&self, path: &str, attempt: u32) -> String {
        tag_value(self.run.id(), path, attempt)
    }

    pub(crate) fn tag(&self, path: &str, attempt: u32) -> Tag {
        step_tag(self.run.id(), path, attempt)
    }

    /// Ends processes that escaped from a step that is over: they came to this process as orphans and carry its tag.
    /// Gives how many there were.
    pub(crate) async fn end_escapees(&self) -> usize {
        let strays: Vec<u32> = {
            let live = self.live_pids.borrow();
            own_children().into_iter().filter(|pid| !live.contains(pid)).collect()
        };
        let mut ended = 0;
        for pid in strays {
            let tag = environ_value(pid, STEP_TAG).map(|tag| tag.to_string_lossy().into_owned());
            let over = tag.is_some_and(|tag| !self.live_tags.borrow().contains(&tag));
            if over && let Some(stray) = identity_of(pid) {
                ended += kill_tree(&stray, None).await.ended.len();
            }
        }
        ended
    }

    /// Takes a host-wide lock if it is free.
    pub(crate) fn try_lock(
        &self,
        kind: LockKind,
        name: &str,
        step: &str,
    ) -> Result<Option<Held>, StoreError> {
        let holder = HolderInfo {
            run: self.run.id().to_owned(),
            step: step.to_owned(),
            identity: self.identity.clone(),
        };
        let Some(lock) = self.locks.try_acquire(kind, name, &holder)? else { return Ok(None) };
        let hold = self.next_hold.get();
        self.next_hold.set(hold + 1);
        let name = format!("{hold}");
        if let Some(link) = &self.link {
            // Without the supervisor the lock still holds while the engine lives.
            let _ = link.hold(&name, lock.as_fd());
        }
        Ok(Some(Held { lock, name }))
    }

    /// Lets a host-wide lock go, in the supervisor too.
    pub(crate) async fn unlock(&self, held: Held) {
        // Unlocking counts for every copy; closing the supervisor's copy only frees its descriptor.
        let _ = held.lock.release();
        if let Some(link) = &self.link {
            let _ = link.release(&held.name).await;
        }
    }
}

fn tag_value(run: &str, path: &str, attempt: u32) -> String {
    format!("{run}/{path}#{attempt}")
}

/// What every process of an attempt carries in the environment it was started with.
pub fn step_tag(run: &str, path: &str, attempt: u32) -> Tag {
    Tag::exact(STEP_TAG, &tag_value(run, path, attempt))
}

/// The variable that names run, step and attempt in the environment of every process of a step.
pub const STEP_TAG: &str = "ASSAY_STEP";
/// The variable that names the run.
pub const RUN_TAG: &str = "ASSAY_RUN";
