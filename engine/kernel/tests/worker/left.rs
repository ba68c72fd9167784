//! Nothing is left behind: no zombie, no descriptor, no orphan.

use super::*;

/// Set for processes that the tests below start.
const ALONE: &str = "ASSAY_TEST_ALONE";

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Alone in its process: other tests have workers and descriptors of their own.
#[test]
#[ignore = "started by the test below, alone"]
fn alone_many_workers() {
    let bench = bench();
    let library = bench.build(RIGHT);
    let arena = filled(10, 1, Edge::End, false);
    let one = |_| {
        let mut worker = Worker::start(&launcher(), &library, &bench.abi, &bench.limits).unwrap();
        worker.map(&arena).unwrap();
        worker.call(0).unwrap();
        worker.pid()
    };
    one(0);
    let before = descriptors();
    let pids: Vec<u32> = (0..200).map(one).collect();
    assert_eq!(descriptors(), before);
    assert!(pids.iter().all(|pid| !std::path::Path::new(&format!("/proc/{pid}")).exists()));
    assert_eq!(assay_process::own_children(), Vec::<u32>::new());
}

/// Holds a worker that hangs in a call, until somebody kills this process.
#[test]
#[ignore = "started by the test below, and killed"]
fn alone_hanging() {
    if std::env::var_os(ALONE).is_none() {
        return;
    }
    let mut bench = bench();
    bench.limits.call_ms = 600_000;
    let mut worker = bench.start("KERNEL { volatile int *y = out[0].data; for (;;) *y = 1; }");
    let arena = filled(10, 1, Edge::End, false);
    worker.map(&arena).unwrap();
    println!("worker {}", worker.pid());
    let _ = worker.call(0);
}

fn alone(name: &str) -> Spawn {
    let program = std::env::current_exe().unwrap();
    let argv = ["test", "--exact", name, "--ignored", "--nocapture", "--test-threads=1"];
    Spawn {
        program,
        argv: argv.map(Into::into).to_vec(),
        env: [("PATH", "/usr/bin:/bin"), (ALONE, "1")]
            .map(|(key, value)| (key.into(), value.into()))
            .to_vec(),
        ..shell("")
    }
}

#[test]
fn two_hundred_workers_leave_nothing() {
    let done = run(alone("left::alone_many_workers"));
    let text = [done.stdout, done.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert!(done.exit.success() && text.contains("1 passed"), "{text}");
}

#[test]
fn a_killed_judge_leaves_no_worker() {
    use std::io::{BufRead as _, BufReader};
    let (read, write) = assay_process::pipe().unwrap();
    let spawn = Spawn { stdout: write.into(), ..alone("left::alone_hanging") };
    let mut judge = Background::shared().unwrap().spawn(spawn).unwrap();
    let mut lines = BufReader::new(std::fs::File::from(read)).lines().map_while(Result::ok);
    let pid = lines.find_map(|line| Some(line.split_once("worker ")?.1.trim().to_owned())).unwrap();
    let worker = assay_process::identity_of(pid.parse().unwrap()).expect("it runs");
    // Time to be in the call: without it, only the closed socket would be tested.
    std::thread::sleep(Duration::from_millis(100));
    judge.kill();
    judge.wait(Duration::from_secs(5)).unwrap();
    let start = Instant::now();
    while assay_process::is_alive(&worker) {
        assert!(start.elapsed() < Duration::from_secs(5), "the worker lives on");
        std::thread::sleep(Duration::from_millis(2));
    }
}
