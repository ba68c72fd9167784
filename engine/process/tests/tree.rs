//! Starting, watching and ending real process trees.

#![expect(clippy::unwrap_used, reason = "tests")]

use assay_process::{
    CaptureLimits, Exit, Io, Reaper, Signal, Spawn, SpawnError, Tag, descendants, identity_of, is_alive,
    kill_tree, parent_of, shut_out_inherited, signal_tree, stop_tree, tagged, tree_rss,
};
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};

const SECOND: Duration = Duration::from_secs(1);

fn program(argv: &[&str], env: &[(&str, &str)]) -> Spawn {
    let mut all = vec![("PATH".into(), "/usr/bin:/bin".into())];
    all.extend(env.iter().map(|(key, value)| (key.into(), value.into())));
    Spawn {
        program: argv[0].into(),
        argv: argv.iter().map(Into::into).collect(),
        env: all,
        cwd: "/".into(),
        ..Spawn::default()
    }
}

fn shell(script: &str, env: &[(&str, &str)]) -> Spawn {
    program(&["/bin/sh", "-c", script], env)
}

fn unique(name: &str) -> String {
    format!("{name}-{}", std::process::id())
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < 10 * SECOND, "not in time: {what}");
        sleep(Duration::from_millis(2)).await;
    }
}

fn log(path: &Path) -> Io {
    std::os::fd::OwnedFd::from(std::fs::File::create(path).unwrap()).into()
}

#[tokio::test]
async fn exits_signals_and_usage_are_told() {
    let reaper = Reaper::start().unwrap();
    let mut child = reaper.spawn(&shell("exit 7", &[])).unwrap();
    assert_eq!(child.wait().await, Exit::Code(7));
    assert_eq!(child.wait().await, Exit::Code(7), "asking again gives the same");
    assert!(child.usage().unwrap().max_rss_bytes > 100_000);
    let mut child = reaper.spawn(&shell("kill -SEGV $$", &[])).unwrap();
    assert_eq!(child.wait().await, Exit::Signal(11));
    assert_eq!(identity_of(child.pid()), None, "reaped");
}

#[tokio::test]
async fn a_thousand_short_programs_are_all_told() {
    let reaper = Reaper::start().unwrap();
    let program = program(&["/bin/true"], &[]);
    for _ in 0..125 {
        let mut children: Vec<_> = (0..8).map(|_| reaper.spawn(&program).unwrap()).collect();
        for child in &mut children {
            assert_eq!(timeout(10 * SECOND, child.wait()).await, Ok(Exit::Code(0)));
        }
    }
}

#[tokio::test]
async fn what_cannot_start_is_explained() {
    let reaper = Reaper::start().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let missing = Spawn { cwd: dir.path().join("none"), ..program(&["/bin/true"], &[]) };
    assert!(matches!(reaper.spawn(&missing), Err(SpawnError::Directory { .. })));
    let nul = program(&["/bin/true", "a\0b"], &[]);
    assert_eq!(reaper.spawn(&nul).unwrap_err().to_string(), "argv[1] holds a NUL byte");
    let script = dir.path().join("script");
    std::fs::write(&script, "echo hi\n").unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let error = reaper.spawn(&program(&[script.to_str().unwrap()], &[])).unwrap_err();
    assert!(matches!(error, SpawnError::Format { .. }), "{error}");
    let error = reaper.spawn(&program(&["/no/such/program"], &[])).unwrap_err();
    assert!(matches!(error, SpawnError::System { .. }), "{error}");
    let long = "x".repeat(120_000);
    let argv: Vec<&str> = std::iter::once("/bin/true").chain((0..40).map(|_| long.as_str())).collect();
    let error = reaper.spawn(&program(&argv, &[])).unwrap_err();
    assert!(matches!(error, SpawnError::TooLong { bytes } if bytes > 4_000_000), "{error}");
}

#[tokio::test]
async fn environment_directory_group_and_signals_are_as_asked() {
    let reaper = Reaper::start().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let cwd = dir.path().join("mit leer ü");
    std::fs::create_dir(&cwd).unwrap();
    let out = dir.path().join("out");
    let script = "pwd; env | sort | grep -v -e ^_= -e ^SHLVL -e ^PWD -e ^OLDPWD; ps -o pgid= -p $$; echo $$; grep SigBlk /proc/self/status; grep SigIgn /proc/self/status";
    let spawn = Spawn { cwd: cwd.clone(), stdout: log(&out), ..shell(script, &[("A_B", "ü=1")]) };
    let mut child = reaper.spawn(&spawn).unwrap();
    assert_eq!(child.wait().await, Exit::Code(0));
    let text = std::fs::read_to_string(&out).unwrap();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let pid = child.pid().to_string();
    let blocked = "SigBlk:\t0000000000000000";
    let expected = [cwd.to_str().unwrap(), "A_B=ü=1", "PATH=/usr/bin:/bin", &pid, &pid, blocked];
    let (ignored, others) = lines.split_last().unwrap();
    assert_eq!(others, expected);
    // Above 31 are the real-time signals, of which glibc keeps two for itself.
    let ignored = u64::from_str_radix(ignored.strip_prefix("SigIgn:\t").unwrap(), 16).unwrap();
    assert_eq!(ignored & 0x7fff_ffff, 0);
}

#[tokio::test]
async fn nothing_but_the_standard_streams_is_inherited() {
    let reaper = Reaper::start().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    shut_out_inherited();
    let kept = std::fs::File::open("/proc/self/status").unwrap();
    let spawn = Spawn { stdout: log(&out), ..program(&["/bin/ls", "/proc/self/fd"], &[]) };
    reaper.spawn(&spawn).unwrap().wait().await;
    // 3 is the folder that `ls` itself reads.
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "0\n1\n2\n3\n");
    drop(kept);
}

#[tokio::test]
async fn leftovers_of_the_group_die_with_the_leader() {
    let reaper = Reaper::start().unwrap();
    let tag = Tag::exact("TREE_TEST", &unique("leftover"));
    let script = "trap '' TERM HUP; sleep 300 & sleep 300 & exit 3";
    let mut child = reaper.spawn(&shell(script, &[("TREE_TEST", &unique("leftover"))])).unwrap();
    assert_eq!(timeout(SECOND, child.wait()).await, Ok(Exit::Code(3)));
    until("the group is gone", || tagged(&tag).is_empty()).await;
}

#[tokio::test]
async fn a_child_that_ignores_term_is_killed_after_the_grace() {
    let reaper = Reaper::start().unwrap();
    let value = unique("stubborn");
    let tag = Tag::exact("TREE_TEST", &value);
    let script = "trap '' TERM; sleep 300 & sleep 300 & while :; do sleep 300; done";
    let mut child = reaper.spawn(&shell(script, &[("TREE_TEST", &value)])).unwrap();
    until("the tree stands", || tagged(&tag).len() == 4).await;
    let start = Instant::now();
    let stopped = stop_tree(&child.identity, Some(&tag), Duration::from_millis(300)).await;
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(300) && took < 2 * SECOND, "{took:?}");
    assert_eq!((stopped.ended.len(), stopped.left.len()), (4, 0), "{stopped:?}");
    assert_eq!(stopped.killed, 4);
    assert_eq!(timeout(SECOND, child.wait()).await, Ok(Exit::Signal(9)));
    assert_eq!(tagged(&tag), []);
}

#[tokio::test]
async fn a_polite_tree_ends_before_the_grace_and_hears_term_once() {
    let reaper = Reaper::start().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let script = "trap 'echo term; exit 5' TERM; echo up; while :; do sleep 0.02; done";
    let spawn = Spawn { stdout: log(&out), ..shell(script, &[]) };
    let mut child = reaper.spawn(&spawn).unwrap();
    until("it is up", || std::fs::read_to_string(&out).unwrap() == "up\n").await;
    let start = Instant::now();
    let stopped = stop_tree(&child.identity, None, 30 * SECOND).await;
    assert!(start.elapsed() < 5 * SECOND);
    assert_eq!(stopped.killed, 0, "{stopped:?}");
    assert!(stopped.ended.contains(&child.pid()));
    assert_eq!(child.wait().await, Exit::Code(5));
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "up\nterm\n");
}

#[tokio::test]
async fn escapees_are_found_by_descent_and_by_tag() {
    let reaper = Reaper::start().unwrap();
    let value = unique("escape");
    let tag = Tag::exact("TREE_TEST", &value);
    // One in a session of its own, one forked twice into a session of its own, one of whose children has no environment.
    let script = "setsid sleep 300 & (setsid sh -c 'env -i sleep 301; :' &) ; sleep 300 & wait";
    let mut child = reaper.spawn(&shell(script, &[("TREE_TEST", &value)])).unwrap();
    let emptied = || {
        let below: Vec<_> = tagged(&tag).iter().flat_map(|carrier| descendants(carrier.pid)).collect();
        below
            .into_iter()
            .find(|id| assay_process::command_line(id.pid).get(1).is_some_and(|arg| arg == "301"))
    };
    until("the tree stands", || tagged(&tag).len() == 4 && emptied().is_some()).await;
    let emptied = emptied().unwrap();
    let escaped = parent_of(emptied.pid).unwrap();
    assert_eq!(parent_of(escaped), Some(std::process::id()), "orphans come to the reaper");
    assert!(!descendants(child.pid()).iter().any(|identity| identity.pid == escaped));
    assert_eq!(tagged(&Tag::prefix("TREE_TEST", "escape-")).len(), 4);
    assert_eq!(tagged(&Tag::exact("TREE_TEST", "escape-")), []);
    assert!(tree_rss(&child.identity, Some(&tag)) > tree_rss(&child.identity, None));
    let stopped = kill_tree(&child.identity, Some(&tag)).await;
    assert_eq!((stopped.killed, stopped.left.len()), (5, 0), "{stopped:?}");
    assert_eq!(child.wait().await, Exit::Signal(9));
    assert!(!is_alive(&emptied) && tagged(&tag).is_empty());
    until("orphans are reaped", || identity_of(emptied.pid).is_none() && identity_of(escaped).is_none())
        .await;
}

#[tokio::test]
async fn another_process_with_the_same_pid_is_never_hit() {
    let reaper = Reaper::start().unwrap();
    let mut child = reaper.spawn(&program(&["/bin/sleep", "300"], &[])).unwrap();
    let mut stale = child.identity.clone();
    stale.start -= 1;
    assert_eq!(signal_tree(&stale, None, Signal::KILL), []);
    assert_eq!(kill_tree(&stale, None).await.killed, 0);
    sleep(Duration::from_millis(20)).await;
    assert_eq!(child.try_wait(), None);
    assert_eq!(kill_tree(&child.identity, None).await.ended, [child.pid()]);
    assert_eq!(child.wait().await, Exit::Signal(9));
}

#[tokio::test]
async fn a_stopped_tree_can_be_stopped_for_good() {
    let reaper = Reaper::start().unwrap();
    let mut child = reaper.spawn(&program(&["/bin/sleep", "300"], &[])).unwrap();
    signal_tree(&child.identity, None, Signal::STOP);
    let stopped = stop_tree(&child.identity, None, 20 * SECOND).await;
    assert_eq!(stopped.killed, 0);
    assert_eq!(child.wait().await, Exit::Signal(15));
}

fn limits(timeout: Duration, bytes: usize) -> CaptureLimits {
    CaptureLimits { timeout, bytes }
}

#[tokio::test]
async fn a_probe_is_captured_within_its_limits() {
    let reaper = Reaper::start().unwrap();
    let probe = shell("echo out; echo err >&2; exit 4", &[]);
    let captured = reaper.output(&probe, limits(10 * SECOND, 100)).await.unwrap();
    assert_eq!((captured.exit, captured.truncated, captured.timed_out), (Exit::Code(4), false, false));
    assert_eq!((captured.stdout.as_slice(), captured.stderr.as_slice()), (&b"out\n"[..], &b"err\n"[..]));

    let flood = shell("head -c 3000000 /dev/zero", &[]);
    let captured = reaper.output(&flood, limits(10 * SECOND, 1000)).await.unwrap();
    assert_eq!((captured.exit, captured.stdout.len(), captured.truncated), (Exit::Code(0), 1000, true));
}

#[tokio::test]
async fn a_forgotten_grandchild_does_not_delay_a_probe() {
    let reaper = Reaper::start().unwrap();
    let value = unique("forgotten");
    let start = Instant::now();
    let probe = shell("setsid sleep 300 & sleep 300 & sleep 0.1; echo done", &[("TREE_TEST", &value)]);
    let captured = reaper.output(&probe, limits(20 * SECOND, 100)).await.unwrap();
    assert!(start.elapsed() < 5 * SECOND);
    assert_eq!((captured.stdout.as_slice(), captured.timed_out), (&b"done\n"[..], false));
    let tag = Tag::exact("TREE_TEST", &value);
    let nobody = assay_protocol::ProcessIdentity { pid: u32::MAX, start: 0, boot: String::new() };
    // The one in a session of its own; under load the one in the group may still be dying.
    let killed = kill_tree(&nobody, Some(&tag)).await;
    assert!((1..=2).contains(&killed.killed) && killed.left.is_empty(), "{killed:?}");
    assert_eq!(tagged(&tag), []);
}

#[tokio::test]
async fn a_probe_that_hangs_is_killed_with_its_tree() {
    let reaper = Reaper::start().unwrap();
    let value = unique("hangs");
    let probe = shell("echo begun; setsid sleep 300 & sleep 300", &[("TREE_TEST", &value)]);
    let captured = reaper.output(&probe, limits(Duration::from_millis(300), 100)).await.unwrap();
    assert_eq!((captured.exit, captured.timed_out), (Exit::Signal(9), true));
    assert_eq!(captured.stdout, b"begun\n");
    assert_eq!(tagged(&Tag::exact("TREE_TEST", &value)), []);
}
