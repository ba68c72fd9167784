//! The tests themselves.

use crate::probe::{SECRET, SLEEPERS};
use assay_process::{Signal, identity_of, is_alive, signal_process};
use assay_protocol::ProcessIdentity;
use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

type Case = fn();

/// Every test by name.
pub const ALL: &[(&str, Case)] = &[
    ("exit_codes_pass_through", exit_codes_pass_through),
    ("a_panic_is_an_engine_bug", a_panic_is_an_engine_bug),
    ("engine_killed", || killed(&[Part::Engine])),
    ("supervisor_killed", || killed(&[Part::Supervisor])),
    ("front_killed", || killed(&[Part::Front])),
    ("engine_then_supervisor_killed", || killed(&[Part::Engine, Part::Supervisor])),
    ("supervisor_then_engine_killed", || killed(&[Part::Supervisor, Part::Engine])),
    ("engine_and_front_killed", || killed(&[Part::Engine, Part::Front])),
    ("front_and_engine_killed", || killed(&[Part::Front, Part::Engine])),
    ("engine_killed_while_a_step_hops_away", || hopping(2)),
    ("supervisor_killed_while_a_step_hops_away", || hopping(1)),
    ("front_killed_while_a_step_hops_away", || hopping(0)),
    ("an_engine_that_leaves_leaves_nothing", an_engine_that_leaves_leaves_nothing),
    ("signals_reach_the_engine", signals_reach_the_engine),
    ("a_lock_outlives_the_engine_until_its_steps_are_dead", a_lock_outlives_the_engine),
    ("a_relay_flushes_after_the_engine_is_killed", a_relay_flushes_after_the_engine_is_killed),
    ("no_descriptor_leaks", no_descriptor_leaks),
    ("a_detached_house_goes_on_and_can_be_killed", a_detached_house_goes_on),
    ("a_detached_engine_that_ends_early_gives_its_code", a_detached_engine_that_ends_early),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Front,
    Supervisor,
    Engine,
}

const LIMIT: Duration = Duration::from_secs(1);

/// A probe, the folder it writes to, and the duration its sleepers are known by.
struct House {
    folder: TempDir,
    duration: String,
    child: Child,
}

impl House {
    fn start(mode: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = tempfile::tempdir().unwrap();
        let duration = format!("7{:07}.{number:04}1", std::process::id());
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["probe", mode])
            .env("CRASH_FOLDER", folder.path())
            .env("CRASH_DURATION", &duration)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { folder, duration, child }
    }

    fn read(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.folder.path().join(name)).ok()
    }

    /// Waits until every step stands, and gives the three parts.
    fn stand(&self, sleepers: usize) -> [ProcessIdentity; 3] {
        wait_until("the steps stand", Duration::from_secs(20), || self.sleepers() == sleepers);
        let line = self.read("house").unwrap();
        let pids: Vec<u32> = line.split(' ').map(|pid| pid.parse().unwrap()).collect();
        [pids[0], pids[1], pids[2]].map(|pid| identity_of(pid).unwrap())
    }

    /// Pids of everything that has the duration among its arguments: the sleepers and the shells above them.
    fn marked(&self) -> Vec<(u32, String)> {
        let pids = std::fs::read_dir("/proc").unwrap().flatten();
        let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let lines = pids.filter_map(|pid| Some((pid, std::fs::read(format!("/proc/{pid}/cmdline")).ok()?)));
        let lines = lines.map(|(pid, line)| (pid, String::from_utf8_lossy(&line).replace('\0', " ")));
        lines.filter(|(_, line)| line.contains(&self.duration)).collect()
    }

    fn sleepers(&self) -> usize {
        self.marked().iter().filter(|(_, line)| line.starts_with("sleep ")).count()
    }

    /// The exit code of the process that was started; -9 if it was killed.
    fn code(&mut self) -> i32 {
        let mut code = None;
        wait_until("the front has ended", Duration::from_secs(10), || {
            code = self.child.try_wait().unwrap();
            code.is_some()
        });
        code.unwrap().code().unwrap_or(-9)
    }

    fn assert_nothing_left(&self, house: &[ProcessIdentity], since: Instant) {
        wait_until(&format!("{:?} is gone", self.marked()), LIMIT, || {
            self.marked().is_empty() && !house.iter().any(is_alive)
        });
        let took = since.elapsed();
        assert!(took < LIMIT, "it took {took:?}");
        // A straggler that was being forked would show up now.
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(self.marked(), []);
    }
}

/// A failed test must not leave its processes behind.
impl Drop for House {
    fn drop(&mut self) {
        let mut left: Vec<u32> = self.marked().into_iter().map(|(pid, _)| pid).collect();
        let house = self.read("house").unwrap_or_default();
        left.extend(house.split(' ').filter_map(|pid| pid.parse::<u32>().ok()));
        for identity in left.into_iter().filter_map(identity_of) {
            let line = assay_process::command_line(identity.pid);
            let ours =
                line.iter().any(|part| part == "probe" || part.to_string_lossy().contains(&self.duration));
            if ours {
                signal_process(&identity, Signal::KILL);
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait_until(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < limit, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn exit_codes_pass_through() {
    for code in [0, 1, 26, 143, 255] {
        let mut house = House::start(&format!("exit-{code}"));
        assert_eq!(house.code(), code);
        assert_eq!(house.read("end"), Some(format!("{code} None false")));
    }
}

fn a_panic_is_an_engine_bug() {
    let mut house = House::start("panic");
    assert_eq!(house.code(), 1);
    assert_eq!(house.read("end").as_deref(), Some("1 None false"));
}

fn killed(parts: &[Part]) {
    let mut house = House::start("steps");
    let identities = house.stand(SLEEPERS);
    let [front, supervisor, engine] = &identities;
    assert_eq!(front.pid, house.child.id());
    let since = Instant::now();
    for part in parts {
        let target = match part {
            Part::Front => front,
            Part::Supervisor => supervisor,
            Part::Engine => engine,
        };
        // The second of two may be dead already, by the hand of the house.
        signal_process(target, Signal::KILL);
    }
    house.assert_nothing_left(&identities, since);
    if parts.contains(&Part::Front) {
        assert_eq!(house.code(), -9);
        return;
    }
    assert_eq!(house.code(), 137);
    let lost = parts.contains(&Part::Supervisor);
    assert_eq!(house.read("end"), Some(format!("137 Some(9) {lost}")));
}

fn hopping(part: usize) {
    let house = House::start("hopping");
    let identities = house.stand(SLEEPERS + 1);
    let hops = || house.read("hop.sh.hops").map_or(0, |hops| hops.len());
    wait_until("it hops", Duration::from_secs(10), || hops() > 20);
    let since = Instant::now();
    signal_process(&identities[part], Signal::KILL);
    house.assert_nothing_left(&identities, since);
    let last = hops();
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(hops(), last, "it still hops");
}

fn an_engine_that_leaves_leaves_nothing() {
    let mut house = House::start("leave");
    let identities = house.stand(SLEEPERS);
    let since = Instant::now();
    File::create(house.folder.path().join("leave")).unwrap();
    assert_eq!(house.code(), 21);
    assert_eq!(house.marked(), [], "the front stays until all is over");
    house.assert_nothing_left(&identities, since);
}

fn signals_reach_the_engine() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        for at in [0, 1] {
            let mut house = House::start("steps");
            let identities = house.stand(SLEEPERS);
            let since = Instant::now();
            // To the front, as a terminal would, and to the supervisor, as `kill` might.
            signal_process(&identities[at], signal);
            assert_eq!(house.code(), code);
            house.assert_nothing_left(&identities, since);
        }
    }
}

fn a_lock_outlives_the_engine() {
    let house = House::start("steps");
    let identities = house.stand(SLEEPERS);
    let lock = File::open(house.folder.path().join("lock")).unwrap();
    assert!(lock.try_lock().is_err());
    signal_process(&identities[2], Signal::KILL);
    wait_until("the lock is free", LIMIT, || lock.try_lock().is_ok());
    assert_eq!(house.marked(), [], "the lock was free while steps lived");
}

fn a_relay_flushes_after_the_engine_is_killed() {
    let house = House::start("relay");
    let identities = house.stand(SLEEPERS + 1);
    wait_until("the step has printed", Duration::from_secs(5), || house.read("printed").is_some());
    let since = Instant::now();
    signal_process(&identities[2], Signal::KILL);
    house.assert_nothing_left(&identities, since);
    let log = house.read("step.log").unwrap();
    assert_eq!(log, "begin\n***\ntail hunter2", "masked, and what was kept back is there");
    assert!(!log.contains(SECRET));
}

fn no_descriptor_leaks() {
    // One that the probe is started with, as a script's `flock` would do it.
    let lock = tempfile::tempfile().unwrap();
    let leaked = rustix::io::dup(&lock).unwrap();
    let mut house = House::start("descriptors");
    drop(leaked);
    assert_eq!(house.code(), 0);
    assert_eq!(house.read("leaks").as_deref(), Some("[]"));
    // 3 is the folder that `ls` itself reads.
    assert_eq!(house.read("seen").as_deref(), Some("0\n1\n2\n3\n"));
}

fn a_detached_house_goes_on() {
    let lock = tempfile::NamedTempFile::new().unwrap();
    lock.as_file().lock().unwrap();
    let leaked = rustix::io::dup(lock.as_file()).unwrap();
    let mut house = House::start("detach");
    drop(leaked);
    let path = lock.into_temp_path();
    assert_eq!(house.code(), 0, "the caller is back while the run goes on");
    let answer = std::io::read_to_string(house.child.stdout.take().unwrap()).unwrap();
    let identities = house.stand(SLEEPERS);
    assert_eq!(answer, format!("{} run ü\n", identities[0].pid));
    assert_ne!(identities[0].pid, house.child.id());
    assert!(File::open(&path).unwrap().try_lock().is_ok(), "the run keeps a lock that its caller held");
    let since = Instant::now();
    signal_process(&identities[0], Signal::KILL);
    house.assert_nothing_left(&identities, since);
}

fn a_detached_engine_that_ends_early() {
    let mut house = House::start("detach-early");
    assert_eq!(house.code(), 11);
}
