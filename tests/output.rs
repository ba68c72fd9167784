//! What steps print: much, binary, without an end of line, and through a child that outlives them.

mod support;

use std::time::{Duration, Instant};
use support::{Scene, eventually, finish, processes_with};

/// Whether the long forms run too: `ASSAY_TEST_FULL=1`.
fn full() -> bool {
    std::env::var_os("ASSAY_TEST_FULL").is_some()
}

/// Highest resident memory of a process so far, in KiB.
fn peak_kib(pid: u64) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[test]
fn much_output_costs_no_memory() {
    let scene = Scene::new();
    let mib = if full() { 1024 } else { 64 };
    let body = format!(
        "steps:\n  much:\n    uses: command\n    with: {{shell: 'head -c {} /dev/zero | tr \"\\\\0\" x'}}\n  \
         after: {{needs: [much], uses: command, with: {{shell: 'while [ ! -e {{{{ skill.dir | q }}}}/go ]; do sleep 0.02; done'}}}}\n",
        mib << 20
    );
    let file = scene.workflow("much", &body);
    let child = scene.start(&["run", &file]);
    let limit = Duration::from_secs(if full() { 300 } else { 60 });
    let started = || scene.has_event("step_started", |step| step["step"] == "after");
    assert!(eventually(limit, started), "`much` has ended");
    let engine = scene.events("engine_started")[0]["engine"]["pid"].as_u64().unwrap();
    let peak = peak_kib(engine).expect("the engine is alive");
    scene.write("go", "");
    finish(child).expect(0);
    assert!(peak < 60 * 1024, "the engine took {peak} KiB while a step printed {mib} MiB");
    let log = scene.run_dir().join("steps/much/1/stdout.log");
    assert_eq!(std::fs::metadata(log).unwrap().len(), mib << 20);
}

#[test]
fn binary_output_and_a_missing_end_of_line_are_kept_byte_for_byte() {
    let scene = Scene::new();
    let mut bytes: Vec<u8> = (0..=255u8).cycle().take(100_000).collect();
    bytes.extend_from_slice(b"\x1b[31m\xff\xfe no end of line");
    std::fs::write(scene.dir().join("blob"), &bytes).unwrap();
    let body = "steps:\n  print: {uses: command, with: {shell: 'cat {{ skill.dir | q }}/blob; cat {{ skill.dir | q }}/blob >&2'}}\n  \
                fail: {uses: command, with: {shell: 'cat {{ skill.dir | q }}/blob; exit 3'}}\n  \
                bare: {uses: command, with: {argv: [printf, '42'], parse: {as: json, schema: {type: integer}}}}\n\
                gates:\n  exact: {assert: steps.bare.result == 42}\n";
    let file = scene.workflow("binary", body);
    let done = scene.assay(&["run", &file]).expect(21);
    let run = scene.run_dir();
    for log in ["print/1/stdout.log", "print/1/stderr.log", "fail/1/stdout.log"] {
        assert!(std::fs::read(run.join("steps").join(log)).unwrap() == bytes, "{log} differs");
    }
    assert_eq!(scene.outcomes()["exact"], "passed");
    // No escape sequence of a step reaches the terminal or the report.
    for text in [done.stdout, done.stderr, std::fs::read_to_string(run.join("report.html")).unwrap()] {
        assert!(!text.contains('\u{1b}'), "{text}");
    }
    let shown = scene.assay(&["logs", "latest", "print"]);
    assert_eq!(shown.code, 0, "{}", shown.stderr);
}

#[test]
fn a_silent_step_has_no_files() {
    let scene = Scene::new();
    let file = scene.workflow("silent", "steps:\n  quiet: {uses: command, with: {argv: ['true']}}\n");
    scene.assay(&["run", &file]).expect(0);
    assert!(!scene.run_dir().join("steps/quiet").exists());
}

#[test]
fn a_forgotten_child_that_holds_the_output_delays_nothing_and_is_gone_afterwards() {
    let scene = Scene::new();
    let body = "steps:\n  quick: {uses: command, with: {shell: 'sleep 60.0417 & echo done'}}\n  \
                far: {uses: command, with: {shell: 'setsid sleep 60.0418 & (sleep 60.0419 &) ; echo done'}}\n  \
                after: {needs: [quick, far], uses: command, with: {argv: ['true']}}\n";
    let file = scene.workflow("held", body);
    let begin = Instant::now();
    scene.assay(&["run", &file]).expect(0);
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(15), "held up for {took:?}");
    assert_eq!(scene.statuses()["after"], "passed");
    let left = || {
        ["60.0417", "60.0418", "60.0419"]
            .into_iter()
            .flat_map(|mark| processes_with(&format!("sleep {mark}")))
    };
    assert!(
        eventually(Duration::from_secs(1), || left().next().is_none()),
        "{:?}",
        left().collect::<Vec<_>>()
    );
}

#[test]
fn the_same_holds_for_a_step_with_a_secret_whose_output_is_relayed() {
    let mut scene = Scene::new();
    scene.env("TOKEN", "a-secret-of-some-length");
    let body = "secrets: [TOKEN]\nsteps:\n  quick: {uses: command, pass_env: [TOKEN], with: {shell: 'setsid sleep 60.0420 & echo said $TOKEN'}}\n";
    let file = scene.workflow("held", body);
    let begin = Instant::now();
    scene.assay(&["run", &file]).expect(0);
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(15), "held up for {took:?}");
    let log = std::fs::read_to_string(scene.run_dir().join("steps/quick/1/stdout.log")).unwrap();
    assert!(log.starts_with("said ") && !log.contains("secret-of"), "{log}");
    assert!(eventually(Duration::from_secs(1), || processes_with("sleep 60.0420").is_empty()));
}
