//! Signals to `assay kernel judge`: it ends at once, with its workers and its oracle, and leaves nothing behind.

#[path = "support/kernels.rs"]
#[expect(dead_code, reason = "this suite uses a part of it")]
mod kernels;
mod support;

use kernels::{candidate, copied, example, text, with_oracle};
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use support::Scene;

/// Processes whose command line holds all words.
fn processes(words: &[&str]) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("proc").flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line: Vec<String> =
            line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into()).collect();
        if words.iter().all(|word| line.iter().any(|given| given == word)) {
            found.push(pid);
        }
    }
    found
}

/// Workers of a judge: its descendants.
fn workers(judge: u32) -> Vec<u32> {
    let parent = |pid: u32| -> Option<u32> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
    };
    processes(&["kernel-worker"]).into_iter().filter(|pid| parent(*pid) == Some(judge)).collect()
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A candidate that never ends, for a task that would wait a minute for it.
fn hanging(scene: &Scene) -> PathBuf {
    copied(scene, "rmsnorm", "task");
    let task = scene.read("task/task.yaml");
    scene.write("task/task.yaml", format!("{task}limits: {{call_ms: 60000}}\n"));
    candidate("b29_never_ends.c")
}

#[test]
fn a_killed_judge_leaves_nothing_running() {
    let mut scene = Scene::new();
    let hanging = hanging(&scene);
    // What a killed process leaves in its temporary folder goes with the scene.
    let folder = scene.dir();
    scene.env("TMPDIR", text(&folder));
    let mut command = scene.command(&["kernel", "judge", "task", "--candidate", text(&hanging)]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the judge");
    let mut spinning = Vec::new();
    wait_until("a worker that spins", || {
        spinning = workers(child.id()).into_iter().filter(|pid| spins(*pid)).collect();
        !spinning.is_empty()
    });
    child.kill().expect("killed");
    child.wait().expect("reaped");
    wait_until("the worker ends with its judge", || {
        spinning.iter().all(|pid| !Path::new(&format!("/proc/{pid}")).exists())
    });
}

/// Whether a process has computed for more than a second.
fn spins(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let user =
        stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(11)?.parse::<u64>().ok());
    user.is_some_and(|ticks| ticks > 100)
}

/// A judge of an honest kernel, with a folder of its own for temporary files.
fn honest_judge() -> (Scene, PathBuf, Command) {
    let mut scene = Scene::new();
    scene.write("tmp/.keep", "");
    let folder = scene.dir().join("tmp");
    scene.env("TMPDIR", text(&folder));
    let task = example("rmsnorm");
    let honest = task.join("candidate/kernel.c");
    let command = scene.command(&["kernel", "judge", text(&task), "--candidate", text(&honest)]);
    (scene, folder, command)
}

/// What is left in the judge's folder for temporary files.
fn left(folder: &Path) -> Vec<OsString> {
    std::fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.file_name()).collect()
}

#[test]
fn an_interrupted_judge_cleans_up() {
    let (_scene, folder, mut command) = honest_judge();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the judge");
    wait_until("a worker", || !workers(child.id()).is_empty());
    support::kill(child.id(), "INT");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert_eq!(left(&folder), [".keep"], "temporary folders are gone");
}

#[test]
fn a_signal_ends_a_judge_whose_oracle_sleeps() {
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 143)] {
        let mut scene = Scene::new();
        scene.write("tmp/.keep", "");
        let folder = scene.dir().join("tmp");
        scene.env("TMPDIR", text(&folder));
        // The shell's own child must go, too.
        let marker = format!("301.{}", std::process::id());
        with_oracle(&scene, &format!("[sh, -c, 'sleep {marker}; true']"));
        let honest = example("rmsnorm").join("candidate/kernel.c");
        let mut command = scene.command(&["kernel", "judge", "task", "--candidate", text(&honest)]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the judge");
        wait_until("an oracle that sleeps", || !processes(&["sleep", &marker]).is_empty());
        let begun = Instant::now();
        support::kill(child.id(), signal);
        assert_eq!(child.wait().expect("it ends").code(), Some(code));
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
        assert!(processes(&["sleep", &marker]).is_empty(), "the oracle's group is gone");
        assert_eq!(left(&folder), [".keep"], "temporary folders are gone");
    }
}

/// Processes whose command line holds a text anywhere, as compilers name their files.
fn with_text(text: &str) -> bool {
    let pids = std::fs::read_dir("/proc").expect("proc").flatten();
    let lines = pids.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.into_iter().any(|line| String::from_utf8_lossy(&line).contains(text))
}

/// A terminal that is closed ends what runs in it, compilers too; `nohup` keeps it running.
#[test]
fn a_closed_terminal_ends_a_judge_with_its_compiler() {
    for ignored in [false, true] {
        let (scene, folder, command) = honest_judge();
        let hangup = if ignored { "--ignore-signal=HUP" } else { "--default-signal=HUP" };
        let mut judge = Command::new("/usr/bin/env");
        judge
            .args(["--default-signal=INT,QUIT", hangup, env!("CARGO_BIN_EXE_assay")])
            .current_dir(scene.dir());
        judge.args(command.get_args().skip_while(|word| *word != "kernel")).env_clear();
        judge.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let mut child = judge.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the judge");
        wait_until("a compiler", || with_text(text(&folder)));
        support::kill(child.id(), "HUP");
        if ignored {
            std::thread::sleep(Duration::from_millis(500));
            assert!(child.try_wait().expect("a child").is_none(), "it goes on");
            support::kill(child.id(), "TERM");
        }
        assert_eq!(child.wait().expect("it ends").code(), Some(143));
        assert_eq!(left(&folder), [".keep"], "temporary folders are gone");
        assert!(!with_text(text(&folder)), "no compiler is left");
    }
}

#[test]
fn two_signals_at_once_leave_no_folder() {
    for wait in [0, 1, 3, 10, 30] {
        let (_scene, folder, mut command) = honest_judge();
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the judge");
        wait_until("its folder", || left(&folder).len() > 1);
        std::thread::sleep(Duration::from_millis(20 * wait));
        support::kill(child.id(), "INT");
        std::thread::sleep(Duration::from_millis(wait));
        support::kill(child.id(), "INT");
        assert_eq!(child.wait().expect("it ends").code(), Some(130));
        assert_eq!(left(&folder), [".keep"], "temporary folders are gone");
    }
}

#[test]
fn a_signal_ends_a_judge_that_proves_its_baseline() {
    let (_scene, folder, mut command) = honest_judge();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the judge");
    let mut told = BufReader::new(child.stderr.take().expect("its messages")).lines();
    assert!(told.any(|line| line.expect("text").contains("baseline: gate abi")), "the baseline is under way");
    support::kill(child.id(), "TERM");
    let mut ended = None;
    wait_until("the judge ends", || {
        ended = child.try_wait().expect("a child");
        ended.is_some()
    });
    assert_eq!(ended.and_then(|status| status.code()), Some(143));
    assert_eq!(left(&folder), [".keep"], "temporary folders are gone");
}
