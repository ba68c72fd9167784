//! The link to a supervisor, and its masking relay, with real programs writing into real pipes.

#![expect(clippy::unwrap_used, reason = "tests")]

use assay_process::{
    Exit, Io, LinkError, LinkServer, Reaper, Relay, RelayChannel, RelayEnd, RelayHandle, Spawn,
    SupervisorLink, Tag, kill_tree, link_pair, pipe,
};
use assay_protocol::ProcessIdentity;
use rustix::event::{PollFd, PollFlags, poll};
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::time::timeout;

const SECRET: &str = "p4ss \"word'/ü";
const LIMIT: Duration = Duration::from_secs(5);

/// Serves a link in a thread, as the supervisor does in its process.
fn serve(mut server: LinkServer) -> JoinHandle<()> {
    std::thread::spawn(move || {
        loop {
            poll(&mut [PollFd::new(&server, PollFlags::IN)], None).unwrap();
            if !server.receive().unwrap() {
                server.finish_relays();
                return;
            }
        }
    })
}

fn shell(script: &str, env: &[(&str, &str)]) -> Spawn {
    let mut all = vec![("PATH".into(), "/usr/bin:/bin".into())];
    all.extend(env.iter().map(|(key, value)| (key.into(), value.into())));
    let argv = ["sh", "-c", script].map(Into::into).to_vec();
    Spawn { program: "/bin/sh".into(), argv, env: all, cwd: "/".into(), ..Spawn::default() }
}

/// A relay into this file, and the write end for the step.
fn relay_to(link: &SupervisorLink, path: &Path) -> (RelayHandle, Io) {
    let (read, write) = pipe().unwrap();
    let file: OwnedFd = File::options().write(true).create(true).truncate(false).open(path).unwrap().into();
    let relay = Relay { channels: vec![RelayChannel { read, file }], secrets: vec![SECRET.into()] };
    (link.relay(relay).unwrap(), write.into())
}

async fn run(reaper: &Reaper, spawn: Spawn) -> Exit {
    let mut child = reaper.spawn(&spawn).unwrap();
    drop(spawn);
    timeout(LIMIT, child.wait()).await.unwrap()
}

#[tokio::test]
async fn secrets_are_masked_across_writes_and_encodings() {
    let reaper = Reaper::start().unwrap();
    let (link, server) = link_pair().unwrap();
    let serving = serve(server);
    let dir = tempfile::tempdir().unwrap();
    let (out, err) = (dir.path().join("out"), dir.path().join("err"));
    let (out_relay, stdout) = relay_to(&link, &out);
    let (err_relay, stderr) = relay_to(&link, &err);
    let script = r#"
        printf '%s|' "$S"; printf '%s' "$S" | cut -c1-6 | tr -d '\n'; sleep 0.05; printf '%s\n' "$S" | cut -c7-
        printf 'x%s' "$S" | base64; printf '%s' "$S" | od -An -tx1 | tr -d ' \n'; echo
        bash -c 'printf "%q\n" "$S"'; LC_ALL=C.UTF-8 bash -c 'printf "%q\n" "$S"'
        printf 'no secret, no newline: %.6s' "$S"
        echo "error: $S" >&2
    "#;
    let exit =
        run(&reaper, Spawn { stdout, stderr, ..shell(script, &[("S", SECRET), ("LC_ALL", "C")]) }).await;
    assert_eq!(exit, Exit::Code(0));
    let end = timeout(LIMIT, out_relay.finish()).await.unwrap().unwrap();
    let text = std::fs::read_to_string(&out).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "***|***");
    assert_eq!(lines[1..], ["eH***", "***", "$'***'", "***", "no secret, no newline: p4ss \""], "{text}");
    assert_eq!(end, RelayEnd { bytes: text.len() as u64, masked: 6, error: None });
    assert_eq!(timeout(LIMIT, err_relay.finish()).await.unwrap().unwrap().masked, 1);
    assert_eq!(std::fs::read_to_string(&err).unwrap(), "error: ***\n");
    drop(link);
    serving.join().unwrap();
}

#[tokio::test]
async fn a_forgotten_grandchild_does_not_delay_the_end() {
    let reaper = Reaper::start().unwrap();
    let (link, server) = link_pair().unwrap();
    let serving = serve(server);
    let dir = tempfile::tempdir().unwrap();
    let (relay, stdout) = relay_to(&link, &dir.path().join("out"));
    let value = format!("relay-{}", std::process::id());
    let start = Instant::now();
    let step = shell(
        "setsid sh -c 'trap \"\" PIPE; while :; do echo on and on; done' & sleep 0.1; echo over",
        &[("R", &value)],
    );
    assert_eq!(run(&reaper, Spawn { stdout, ..step }).await, Exit::Code(0));
    let end = timeout(LIMIT, relay.finish()).await.unwrap().unwrap();
    assert!(start.elapsed() < LIMIT);
    assert!(std::fs::read_to_string(dir.path().join("out")).unwrap().contains("over\n"));
    assert_eq!((end.masked, end.error), (0, None));
    let nobody = ProcessIdentity { pid: u32::MAX, start: 0, boot: String::new() };
    let killed = kill_tree(&nobody, Some(&Tag::exact("R", &value))).await;
    assert!(killed.killed >= 1 && killed.left.is_empty(), "{killed:?}");
    drop(link);
    serving.join().unwrap();
}

#[tokio::test]
async fn a_full_disk_is_said_and_never_blocks_the_step() {
    let reaper = Reaper::start().unwrap();
    let (link, server) = link_pair().unwrap();
    let serving = serve(server);
    let (relay, stdout) = relay_to(&link, Path::new("/dev/full"));
    let exit = run(&reaper, Spawn { stdout, ..shell("head -c 3000000 /dev/zero", &[]) }).await;
    assert_eq!(exit, Exit::Code(0));
    let end = timeout(LIMIT, relay.finish()).await.unwrap().unwrap();
    assert_eq!(end.bytes, 0);
    assert!(end.error.as_deref().is_some_and(|error| error.starts_with("cannot write its log: ")), "{end:?}");
    drop(link);
    serving.join().unwrap();
}

#[tokio::test]
async fn a_lock_is_held_until_it_is_released() {
    let (link, server) = link_pair().unwrap();
    let serving = serve(server);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lock");
    let ours = File::create(&path).unwrap();
    ours.lock().unwrap();
    link.hold("gpu 0", ours.as_fd()).unwrap();
    drop(ours);
    let other = File::open(&path).unwrap();
    assert!(other.try_lock().is_err(), "the supervisor holds it alone");
    link.release("gpu 1").await.unwrap();
    assert!(other.try_lock().is_err());
    link.release("gpu 0").await.unwrap();
    assert!(other.try_lock().is_ok(), "it is free as soon as the release returns");
    drop(link);
    serving.join().unwrap();
}

#[tokio::test]
async fn a_lost_supervisor_and_a_message_too_long_are_errors() {
    let (link, server) = link_pair().unwrap();
    let (read, _write) = pipe().unwrap();
    let channels = vec![RelayChannel { read, file: File::create("/dev/null").unwrap().into() }];
    let long = link.relay(Relay { channels, secrets: vec![vec![b'x'; 200_000]] });
    assert!(matches!(long, Err(LinkError::TooLong { bytes, .. }) if bytes > 200_000));
    drop(server);
    let file = File::open("/dev/null").unwrap();
    assert!(matches!(link.hold("name", file.as_fd()), Err(LinkError::Gone)));
    assert!(matches!(link.release("name").await, Err(LinkError::Gone)));
}
