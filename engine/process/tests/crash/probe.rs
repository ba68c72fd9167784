//! The program under test: a house whose engine starts steps that are hard to get rid of.

use assay_process::{
    EngineSide, HouseEnd, HouseOptions, Io, Reaper, Relay, RelayChannel, Spawn, inheritable_descriptors,
    pipe, run_house,
};
use assay_protocol::ProcessIdentity;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use tokio::signal::unix::{SignalKind, signal};

/// The value that no file may ever hold.
pub const SECRET: &str = "hunter2/s3cr3t'token";

/// Steps by kind; `M` is replaced by a duration that no other process sleeps for. Together they make [`SLEEPERS`] sleeps.
const STEPS: &[&str] = &[
    "setsid sh -c 'sleep M & sleep M' & sleep M",
    "(setsid sh -c 'sleep M & sleep M; :' &) ; sleep M",
    "env -i setsid sh -c '(sleep M &) ; sleep M; :' & sleep M",
    "trap '' TERM INT HUP; (sleep M &) ; sleep M; sleep M",
];

/// How many processes sleep once all steps stand.
pub const SLEEPERS: usize = 11;

/// Runs one probe; the test tells the folder and the duration by environment, which no search for the duration sees.
pub fn main(mode: &str) -> u8 {
    let folder = PathBuf::from(std::env::var("CRASH_FOLDER").unwrap());
    let duration = std::env::var("CRASH_DURATION").unwrap();
    let detach = mode.starts_with("detach");
    let output = detach.then(|| File::create(folder.join("front.log")).unwrap().into());
    let engine = |side: EngineSide| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(engine(mode, &folder, &duration, side))
    };
    match run_house(HouseOptions { detach, output }, engine).unwrap() {
        HouseEnd::Detached { front, message } => {
            println!("{} {message}", front.pid);
            0
        }
        HouseEnd::Ended { code, killed_by, supervisor_lost } => {
            std::fs::write(folder.join("end"), format!("{code} {killed_by:?} {supervisor_lost}")).unwrap();
            code
        }
    }
}

async fn engine(mode: &str, folder: &Path, duration: &str, mut side: EngineSide) -> u8 {
    if let Some(code) = mode.strip_prefix("exit-") {
        return code.parse().unwrap();
    }
    match mode {
        "panic" => panic!("on purpose"),
        "detach-early" => return 11,
        _ => {}
    }
    let reaper = Reaper::start().unwrap();
    let mut term = signal(SignalKind::terminate()).unwrap();
    let mut interrupt = signal(SignalKind::interrupt()).unwrap();
    record(folder, &side);
    match mode {
        "descriptors" => return descriptors(folder, &reaper, &side).await,
        "relay" => relay(folder, duration, &reaper, &side).await,
        _ => {
            let lock = File::create(folder.join("lock")).unwrap();
            lock.lock().unwrap();
            side.link.hold("lock", lock.as_fd()).unwrap();
        }
    }
    for step in STEPS {
        reaper.spawn(&shell(&step.replace('M', duration), Io::Null)).unwrap();
    }
    if mode == "hopping" {
        // Never the same process for longer than it takes to start the next, each in a session of its own.
        let script = folder.join("hop.sh");
        std::fs::write(&script, "echo >> \"$0.hops\"; setsid sh \"$0\" \"$1\" &\n").unwrap();
        reaper
            .spawn(&shell(&format!("setsid sh {} {duration} & sleep {duration}", script.display()), Io::Null))
            .unwrap();
    }
    side.announce(&format!("run ü\nengine {}", side.engine.pid));
    if mode == "leave" {
        // Ends with everything still running, once the test says so.
        while !folder.join("leave").exists() {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        return 21;
    }
    tokio::select! {
        _ = term.recv() => 143,
        _ = interrupt.recv() => 130,
    }
}

fn shell(script: &str, stdout: Io) -> Spawn {
    Spawn {
        program: "/bin/sh".into(),
        argv: vec!["sh".into(), "-c".into(), script.into()],
        env: vec![("PATH".into(), "/usr/bin:/bin".into())],
        cwd: "/".into(),
        stdout,
        ..Spawn::default()
    }
}

fn record(folder: &Path, side: &EngineSide) {
    let pid = |identity: &ProcessIdentity| identity.pid;
    let line = format!("{} {} {}", pid(&side.front), pid(&side.supervisor), pid(&side.engine));
    std::fs::write(folder.join("house.new"), line).unwrap();
    std::fs::rename(folder.join("house.new"), folder.join("house")).unwrap();
}

/// What would leak, as the engine sees it and as a step sees it, while a lock is held and a relay runs.
async fn descriptors(folder: &Path, reaper: &Reaper, side: &EngineSide) -> u8 {
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    side.link.hold("lock", lock.as_fd()).unwrap();
    let (read, _write) = pipe().unwrap();
    let file = File::create(folder.join("relay.log")).unwrap().into();
    let channels = vec![RelayChannel { read, file }];
    let _relay = side.link.relay(Relay { channels, secrets: vec![SECRET.into()] }).unwrap();
    let leaks = inheritable_descriptors();
    std::fs::write(folder.join("leaks"), format!("{leaks:?}")).unwrap();
    let seen: OwnedFd = File::create(folder.join("seen")).unwrap().into();
    let list = "ls /proc/self/fd";
    reaper.spawn(&shell(list, seen.into())).unwrap().wait().await;
    0
}

/// A step that prints a secret in pieces and hangs, its output masked by the supervisor.
async fn relay(folder: &Path, duration: &str, reaper: &Reaper, side: &EngineSide) {
    let (read, write) = pipe().unwrap();
    let file = File::create(folder.join("step.log")).unwrap().into();
    let channels = vec![RelayChannel { read, file }];
    let handle = side.link.relay(Relay { channels, secrets: vec![SECRET.into()] }).unwrap();
    let (head, tail) = SECRET.split_at(9);
    let script = format!(
        "printf 'begin\\n%s' \"{head}\"; sleep 0.05; printf '%s\\n' \"{tail}\"; printf 'tail hunter2'; \
         : > {}; exec sleep {duration}",
        folder.join("printed").display()
    );
    reaper.spawn(&shell(&script, write.into())).unwrap();
    // The relay must go on without its handle.
    drop(handle);
}
