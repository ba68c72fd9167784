//! The lock of a run and the locks of a host.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod common;

use assay_store::{HolderInfo, HostLocks, LockError, LockKind, RunLock, StoreError, holder};
use common::{Bench, identity};
use std::io::{BufRead as _, BufReader};
use std::os::fd::AsFd as _;
use std::process::{Command, Stdio};

fn info(step: &str) -> HolderInfo {
    HolderInfo { run: "abcd1234".to_owned(), step: step.to_owned(), identity: identity() }
}

/// Waits for a lock to be free. Another test that starts a process at this moment has, between fork and exec, a copy of
/// every descriptor.
fn becomes_free(is_held: impl Fn() -> bool) -> bool {
    (0..400).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(5));
        !is_held()
    })
}

#[test]
fn one_engine_at_a_time() {
    let bench = Bench::new();
    assert_eq!(holder(&bench.run).unwrap(), None);
    let lock = RunLock::acquire(&bench.run, &identity()).unwrap();
    assert_eq!(holder(&bench.run).unwrap(), Some(Some(identity())));
    match RunLock::acquire(&bench.run, &identity()) {
        Err(error @ LockError::Held { .. }) => {
            assert!(error.to_string().contains(&format!("pid {}", std::process::id())), "{error}");
        }
        other => panic!("{other:?}"),
    }
    let copy = RunLock::from_fd(lock.as_fd().try_clone_to_owned().unwrap());
    drop(lock);
    assert!(holder(&bench.run).unwrap().is_some(), "the copy no longer holds it");
    drop(copy);
    assert!(becomes_free(|| holder(&bench.run).unwrap().is_some()));
    let again = RunLock::acquire(&bench.run, &identity()).unwrap();
    let copy = again.try_clone().unwrap();
    again.release().unwrap();
    assert_eq!(holder(&bench.run).unwrap(), None);
    drop(copy);
}

#[test]
fn looking_at_the_holder_does_not_lock_anyone_out() {
    let bench = Bench::new();
    drop(RunLock::acquire(&bench.run, &identity()).unwrap());
    let run = bench.run.clone();
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopped = std::sync::Arc::clone(&stop);
    let looker = std::thread::spawn(move || {
        while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
            holder(&run).unwrap();
            std::thread::sleep(std::time::Duration::from_micros(200));
        }
    });
    for _ in 0..50 {
        RunLock::acquire(&bench.run, &identity()).unwrap();
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    looker.join().unwrap();
}

#[test]
fn a_killed_holder_leaves_no_lock() {
    let bench = Bench::new();
    std::fs::write(bench.run.path().join("lock"), "").unwrap();
    let mut child = Command::new("flock")
        .args(["--no-fork", "lock", "sh", "-c", "echo held; exec sleep 60"])
        .current_dir(bench.run.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "held\n");
    assert_eq!(holder(&bench.run).unwrap(), Some(None));
    assert!(matches!(RunLock::acquire(&bench.run, &identity()), Err(LockError::Held { by: None })));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(becomes_free(|| holder(&bench.run).unwrap().is_some()));
    RunLock::acquire(&bench.run, &identity()).unwrap();
}

#[test]
fn a_child_does_not_inherit_locks() {
    let bench = Bench::new();
    let locks = HostLocks::open(&bench.root.path().join("locks")).unwrap();
    let lock = RunLock::acquire(&bench.run, &identity()).unwrap();
    let port = locks.try_acquire(LockKind::Port, "8000", &info("a")).unwrap().unwrap();
    let mut child = Command::new("sleep").arg("60").spawn().unwrap();
    drop((lock, port));
    assert!(becomes_free(|| holder(&bench.run).unwrap().is_some()));
    assert!(becomes_free(|| locks.holder_of(LockKind::Port, "8000").unwrap().is_some()));
    assert!(child.try_wait().unwrap().is_none(), "the child has ended too early to prove anything");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn host_locks_exclude_by_kind_and_name() {
    let root = tempfile::tempdir().unwrap();
    let locks = HostLocks::open(&root.path().join("locks")).unwrap();
    let again = HostLocks::open(&root.path().join("locks")).unwrap();
    let gpu = locks.try_acquire(LockKind::Gpu, "0", &info("a")).unwrap().unwrap();
    assert!(again.try_acquire(LockKind::Gpu, "0", &info("b")).unwrap().is_none());
    assert_eq!(again.holder_of(LockKind::Gpu, "0").unwrap(), Some(Some(info("a"))));
    assert!(again.try_acquire(LockKind::Gpu, "1", &info("b")).unwrap().is_some());
    assert!(again.try_acquire(LockKind::Port, "0", &info("b")).unwrap().is_some());
    let copy = gpu.try_clone().unwrap();
    gpu.release().unwrap();
    assert_eq!(again.holder_of(LockKind::Gpu, "0").unwrap(), None);
    assert!(again.try_acquire(LockKind::Gpu, "0", &info("b")).unwrap().is_some());
    drop(copy);
}

#[test]
fn host_lock_names_may_be_anything() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("locks");
    let locks = HostLocks::open(&dir).unwrap();
    let long = "x".repeat(1000);
    let names = ["../../x", "", "a b", "a-b", "größe", &long, "."];
    let held: Vec<_> = names
        .iter()
        .map(|name| locks.try_acquire(LockKind::Name, name, &info(&long)).unwrap().expect(name))
        .collect();
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), names.len());
    assert!(locks.holder_of(LockKind::Name, &long).unwrap().unwrap().unwrap().step.len() < 1000);
    drop(held);
}

#[test]
fn host_locks_are_open_to_all_users_and_follow_no_links() {
    use std::os::unix::fs::PermissionsExt as _;
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("locks");
    let locks = HostLocks::open(&dir).unwrap();
    assert_eq!(std::fs::metadata(&dir).unwrap().permissions().mode() & 0o7777, 0o1777);
    drop(locks.try_acquire(LockKind::Gpu, "0", &info("a")).unwrap());
    let file = std::fs::read_dir(&dir).unwrap().next().unwrap().unwrap().path();
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o666);
    let precious = root.path().join("precious");
    std::fs::write(&precious, "keep").unwrap();
    std::fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink(&precious, &file).unwrap();
    let planted = locks.try_acquire(LockKind::Gpu, "0", &info("a"));
    assert!(matches!(planted, Err(StoreError::Planted { .. })), "{planted:?}");
    std::fs::remove_file(&file).unwrap();
    std::fs::hard_link(&precious, &file).unwrap();
    assert!(locks.try_acquire(LockKind::Gpu, "0", &info("a")).is_err());
    assert_eq!(std::fs::read_to_string(&precious).unwrap(), "keep");
}
