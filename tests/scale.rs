//! Ten thousand steps: they complete, their statuses are right, and the engine stays small.
#![expect(clippy::unwrap_used, reason = "what helpers find amiss fails the test, too")]

mod support;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use support::{Scene, eventually, finish};

/// Highest resident memory that the contract allows the engine, in KiB.
const LIMIT_KIB: u64 = 60 * 1024;

/// Highest resident memory of a process so far, in KiB.
fn peak_kib(pid: u64) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Runs a workflow to its end; gives the exit code and the engine's peak in KiB.
fn watched(scene: &Scene, args: &[&str]) -> (i32, u64) {
    let child = scene.start(args);
    assert!(eventually(Duration::from_secs(60), || scene.has_event("engine_started", |_| true)));
    let engine = scene.events("engine_started").pop().unwrap()["engine"]["pid"].as_u64().unwrap();
    let (over, peak) = (AtomicBool::new(false), AtomicU64::new(0));
    let code = std::thread::scope(|threads| {
        threads.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                peak.fetch_max(peak_kib(engine).unwrap_or(0), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        let code = finish(child).code;
        over.store(true, Ordering::Relaxed);
        code
    });
    (code, peak.load(Ordering::Relaxed))
}

fn counts(scene: &Scene) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for (_, status) in scene.statuses() {
        *counts.entry(status).or_default() += 1;
    }
    counts
}

#[test]
fn ten_thousand_instances() {
    let scene = Scene::new();
    let numbers: Vec<String> = (0..10_000).map(|number| number.to_string()).collect();
    let body = format!(
        "steps:\n  wide: {{foreach: {{n: [{}]}}, uses: command, with: {{argv: ['true']}}}}\n  after: {{needs: [wide], uses: command, with: {{argv: ['true']}}}}\n\
         gates:\n  all: {{assert: steps.after.status == 'passed'}}\n",
        numbers.join(", ")
    );
    let file = scene.workflow("wide", &body);
    let (code, peak) = watched(&scene, &["run", &file, "--no-report"]);
    assert_eq!(code, 0);
    assert_eq!(counts(&scene), BTreeMap::from([("passed".to_owned(), 10_002)]));
    assert_eq!(scene.outcomes()["all"], "passed");
    assert!(peak > 0 && peak < LIMIT_KIB, "the engine took {peak} KiB");
    assert!(!scene.run_dir().join("steps").join("wide").exists(), "silent steps leave no files");
    // A second engine finds nothing to do.
    scene.assay(&["resume", "latest"]).expect(0);
    assert_eq!(scene.events("step_started").len(), 10_001);
}

#[test]
fn two_thousand_steps_of_their_own_with_failures_among_them() {
    let scene = Scene::new();
    let mut body = String::from("steps:\n");
    for number in 0..2_000 {
        let program = if number % 100 == 7 { "false" } else { "true" };
        let needs = if number % 100 == 8 { format!("needs: [s{}], ", number - 1) } else { String::new() };
        body.push_str(&format!("  s{number}: {{{needs}uses: command, with: {{argv: ['{program}']}}}}\n"));
    }
    let file = scene.workflow("own", &body);
    let (code, peak) = watched(&scene, &["run", &file, "--no-report"]);
    assert_eq!(code, 21);
    let wanted = [("passed", 1_960), ("failed", 20), ("blocked", 20)];
    assert_eq!(counts(&scene), wanted.into_iter().map(|(word, count)| (word.to_owned(), count)).collect());
    assert!(peak > 0 && peak < LIMIT_KIB, "the engine took {peak} KiB");
}
