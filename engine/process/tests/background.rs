//! Programs for code that blocks. In a process of its own, because its reaper takes every child.

use assay_process::{Background, CaptureLimits, Exit, Spawn, SpawnError, is_alive};
use std::time::Duration;

fn shell(script: &str) -> Spawn {
    let argv = ["sh", "-c", script].map(Into::into).to_vec();
    Spawn { program: "/bin/sh".into(), argv, cwd: "/".into(), ..Spawn::default() }
}

#[test]
fn whoever_blocks_hears_of_ends() {
    let background = Background::shared().expect("a thread");
    let second = Duration::from_secs(10);
    let mut child = background.spawn(shell("exit 7")).expect("started");
    assert_eq!(child.wait(second), Some(Exit::Code(7)));
    assert_eq!(child.wait(Duration::ZERO), Some(Exit::Code(7)), "asking again gives the same");
    let mut child = background.spawn(shell("exec sleep 100")).expect("started");
    assert_eq!(child.wait(Duration::from_millis(20)), None);
    child.kill();
    assert_eq!(child.wait(second), Some(Exit::Signal(9)));
    assert!(!is_alive(&child.identity));
    let limits = CaptureLimits { timeout: second, bytes: 100 };
    let captured = background.output(shell("echo out; echo err >&2"), limits).expect("run");
    assert_eq!((&*captured.stdout, &*captured.stderr), (&b"out\n"[..], &b"err\n"[..]));
    let missing = Spawn { program: "/nonexistent".into(), ..shell("") };
    assert!(matches!(background.spawn(missing), Err(SpawnError::System { .. })));
}
