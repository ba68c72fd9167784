//! What steps book: CPU slots, memory, GPUs, locks that hold across the runs of a host.

mod support;

use std::time::{Duration, Instant};
use support::{Scene, eventually, finish};

#[test]
fn cpu_slots_bound_what_runs_at_a_time() {
    let scene = Scene::new();
    let mark = scene.dir().join("marks");
    let script = format!("echo + >> {0}; sleep 0.2; echo - >> {0}", mark.display());
    let file = scene.workflow(
        "slots",
        &format!(
            "steps:\n  small: {{uses: command, foreach: {{i: [1, 2, 3, 4]}}, with: {{argv: [sh, -c, '{script}']}}}}\n  \
             big: {{uses: command, resources: {{cpus: 2}}, with: {{argv: [sh, -c, '{script}']}}}}\n"
        ),
    );
    scene.assay(&["run", &file, "--cpus", "2"]).expect(0);
    let (mut now, mut most) = (0_i32, 0);
    for line in std::fs::read_to_string(&mark).unwrap().lines() {
        now += if line == "+" { 1 } else { -1 };
        most = most.max(now);
    }
    assert_eq!((now, most), (0, 2), "two slots are used, and never more");
    std::fs::remove_file(&mark).unwrap();
    scene.assay(&["run", &file, "--cpus", "1"]).expect(40);
    let statuses = scene.statuses();
    assert_eq!((statuses["big"].as_str(), statuses["small"].as_str()), ("unsupported", "passed"));
    assert!(!std::fs::read_to_string(&mark).unwrap().contains("+\n+"), "one slot: one after the other");
}

#[test]
fn a_named_lock_holds_across_runs_of_the_host() {
    let scene = Scene::new();
    let mark = scene.dir().join("marks");
    let script = format!("echo + >> {0}; sleep 0.5; echo - >> {0}", mark.display());
    let body = |name: &str| {
        format!(
            "inputs:\n  l: {{type: string, default: gpu}}\nsteps:\n  {name}: {{uses: command, resources: {{locks: ['the-{{{{ inputs.l }}}}']}}, with: {{argv: [sh, -c, '{script}']}}}}\n"
        )
    };
    let files = [scene.workflow("one", &body("a")), scene.workflow("two", &body("b"))];
    let runs = files.map(|file| scene.start(&["run", &file, "--no-report"]));
    for run in runs {
        finish(run).expect(0);
    }
    assert_eq!(std::fs::read_to_string(&mark).unwrap(), "+\n-\n+\n-\n");
    std::fs::remove_file(&mark).unwrap();
    let other = scene.start(&["run", "one.yaml", "-i", "l=other", "--no-report"]);
    let same = scene.start(&["run", "two.yaml", "--no-report"]);
    let overlapped = eventually(Duration::from_secs(10), || {
        std::fs::read_to_string(&mark).is_ok_and(|text| text.starts_with("+\n+"))
    });
    finish(other).expect(0);
    finish(same).expect(0);
    assert!(overlapped, "locks of different names do not wait for each other");
}

#[test]
fn a_lock_of_a_killed_run_is_free_again() {
    let scene = Scene::new();
    let file = scene.workflow(
        "held",
        "inputs:\n  s: {type: string, default: '0'}\nsteps:\n  a: {uses: command, resources: {locks: [one]}, with: {argv: [sleep, '{{ inputs.s }}']}}\n",
    );
    let mut run = scene.start(&["run", &file, "-i", "s=60"]);
    assert!(eventually(Duration::from_secs(10), || {
        scene.has_run() && !scene.events("step_started").is_empty()
    }));
    run.kill().unwrap();
    run.wait().unwrap();
    let begin = Instant::now();
    scene.assay(&["run", &file]).expect(0);
    assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
}

#[test]
fn a_step_over_its_memory_is_ended_and_says_so() {
    let scene = Scene::new();
    let file = scene.workflow(
        "memory",
        "steps:\n  big: {uses: command, timeout: 30s, resources: {memory: 64MiB}, with: {argv: [/usr/bin/env, python3, -c, 'import time; x = bytearray(200 << 20); time.sleep(20)']}}\n  \
         small: {uses: command, resources: {memory: 256MiB}, with: {argv: ['true']}}\n",
    );
    let begin = Instant::now();
    let code = scene.assay(&["run", &file]).code;
    assert!(begin.elapsed() < Duration::from_secs(15));
    assert!(matches!(code, 21 | 40), "{code}");
    let reason = scene.finished("big")["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("memory") && reason.contains("64"), "{reason}");
    assert_eq!(scene.statuses()["small"], "passed");
}

#[test]
fn gpus_that_are_not_there_are_unsupported() {
    let gpus = std::fs::read_dir("/dev").unwrap().flatten().any(|entry| {
        entry
            .file_name()
            .to_str()
            .and_then(|name| name.strip_prefix("nvidia"))
            .is_some_and(|rest| rest.parse::<u32>().is_ok())
    });
    let scene = Scene::new();
    let file = scene.workflow(
        "gpus",
        "steps:\n  many: {uses: command, resources: {gpus: 4096}, with: {argv: ['true']}}\n  \
         one: {uses: command, resources: {gpus: [4000]}, with: {argv: ['true']}}\n  \
         bare: {uses: command, resources: {gpus: 0}, with: {shell: 'echo \"[${CUDA_VISIBLE_DEVICES-unset}]\"'}}\n",
    );
    scene.assay(&["run", &file]).expect(40);
    let statuses = scene.statuses();
    assert_eq!((statuses["many"].as_str(), statuses["one"].as_str()), ("unsupported", "unsupported"));
    assert!(scene.finished("one")["reason"].to_string().contains("GPU 4000"));
    if !gpus {
        assert!(scene.finished("many")["reason"].to_string().contains("0 GPUs"));
    }
}
