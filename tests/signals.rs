//! Interruptions: Ctrl-C once and twice, a step that will not end, an engine that was stopped, a clock that was set back.
#![expect(clippy::unwrap_used, reason = "what helpers find amiss fails the test, too")]

mod support;

use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};
use support::{Done, Scene, eventually, finish, kill, processes_with};

/// A step that says that it is there, then waits for a file `go`; one before it, one after it, one in `finally`.
fn waiting(marker: &str, trap: &str) -> String {
    format!(
        "steps:\n  \
         before: {{uses: command, with: {{shell: 'echo before >> {{{{ skill.dir | q }}}}/ran'}}}}\n  \
         slow:\n    needs: [before]\n    uses: command\n    \
         with: {{shell: '{trap} touch {{{{ skill.dir | q }}}}/up; while [ ! -e {{{{ skill.dir | q }}}}/go ]; do sleep 0.0{marker}; done'}}\n  \
         after: {{needs: [slow], uses: command, with: {{shell: 'echo after >> {{{{ skill.dir | q }}}}/ran'}}}}\n\
         finally:\n  clean: {{uses: command, with: {{shell: 'echo clean >> {{{{ skill.dir | q }}}}/ran'}}}}\n"
    )
}

fn ran(scene: &Scene) -> String {
    std::fs::read_to_string(scene.dir().join("ran")).unwrap_or_default().replace('\n', " ")
}

/// Starts the run and waits until `slow` is under way.
fn under_way(scene: &Scene, file: &str) -> Child {
    let child = scene.start(&["run", file]);
    assert!(eventually(Duration::from_secs(30), || scene.dir().join("up").exists()), "the step has started");
    child
}

/// Waits for the end, and says how long it took.
fn ended(child: Child) -> (Done, Duration) {
    let begin = Instant::now();
    let done = finish(child);
    (done, begin.elapsed())
}

fn nothing_left(dir: &Path) {
    let dir = dir.to_str().unwrap();
    assert!(
        eventually(Duration::from_secs(1), || processes_with(dir).is_empty()),
        "{:?}",
        processes_with(dir)
    );
}

#[test]
fn one_interrupt_stops_the_steps_runs_finally_and_can_be_resumed() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let scene = Scene::new();
        let file = scene.workflow("slow", &waiting("31", ""));
        let child = under_way(&scene, &file);
        kill(child.id(), signal);
        let (done, took) = ended(child);
        let done = done.expect(code);
        assert!(took < Duration::from_secs(4), "{took:?}");
        assert_eq!(ran(&scene), "before clean ", "SIG{signal}");
        assert!(done.stdout.contains("assay resume") || done.stderr.contains("assay resume"), "{done:?}");
        nothing_left(&scene.dir());
        scene.assay(&["status", "latest"]).expect(code);
        scene.write("go", "");
        scene.assay(&["resume", "latest"]).expect(0);
        assert_eq!(ran(&scene), "before clean after clean ", "SIG{signal}: nothing finished is repeated");
        assert_eq!(scene.statuses()["slow"], "passed");
    }
}

#[test]
fn a_second_interrupt_kills_at_once() {
    let scene = Scene::new();
    let file = scene.workflow("stubborn", &waiting("32", "trap \"\" TERM INT;"));
    let child = under_way(&scene, &file);
    kill(child.id(), "INT");
    // The first one is being obeyed: the step ignores it.
    std::thread::sleep(Duration::from_millis(400));
    kill(child.id(), "INT");
    let (done, took) = ended(child);
    done.expect(130);
    assert!(took < Duration::from_millis(2500), "{took:?}");
    nothing_left(&scene.dir());
    scene.write("go", "");
    scene.assay(&["resume", "latest"]).expect(0);
    assert!(ran(&scene).contains("after"));
}

#[test]
fn a_step_that_ignores_term_is_killed_after_the_grace() {
    let scene = Scene::new();
    let body = "steps:\n  stubborn:\n    uses: command\n    timeout: 1s\n    \
                with: {shell: 'trap \"\" TERM; (trap \"\" TERM; setsid sh -c \"trap \\\"\\\" TERM; sleep 60.0433\") & while true; do sleep 0.1; done'}\n";
    let file = scene.workflow("stubborn", body);
    let begin = Instant::now();
    scene.assay(&["run", &file]).expect(22);
    let took = begin.elapsed();
    assert!(took > Duration::from_secs(5), "it had its grace: {took:?}");
    assert!(took < Duration::from_secs(14), "{took:?}");
    assert_eq!(scene.statuses()["stubborn"], "timed_out");
    assert!(eventually(Duration::from_secs(1), || processes_with("sleep 60.0433").is_empty()));
}

#[test]
fn a_step_that_obeys_term_ends_at_its_timeout() {
    let scene = Scene::new();
    let file = scene.workflow(
        "slow",
        "steps:\n  slow: {uses: command, with: {argv: [sleep, '60.0434']}, timeout: 500ms}\n",
    );
    let begin = Instant::now();
    scene.assay(&["run", &file]).expect(22);
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(4), "{took:?}");
    assert!(processes_with("sleep 60.0434").is_empty());
}

#[test]
fn an_engine_that_was_stopped_goes_on() {
    let scene = Scene::new();
    let file = scene.workflow("slow", &waiting("35", ""));
    let mut child = under_way(&scene, &file);
    let engine = u32::try_from(scene.events("engine_started")[0]["engine"]["pid"].as_u64().unwrap()).unwrap();
    kill(engine, "STOP");
    // The step ends meanwhile; nobody may take its end for a crash.
    scene.write("go", "");
    std::thread::sleep(Duration::from_millis(1500));
    assert!(child.try_wait().unwrap().is_none(), "the run waits for its engine");
    kill(engine, "CONT");
    let (done, took) = ended(child);
    done.expect(0);
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(ran(&scene), "before after clean ");
}

/// The library that lies about the time; `None` where it is not installed.
fn faketime() -> Option<std::path::PathBuf> {
    let folders =
        ["/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime", "/usr/lib/faketime"];
    folders.iter().map(|folder| Path::new(folder).join("libfaketime.so.1")).find(|file| file.exists())
}

#[test]
fn a_clock_that_is_set_back_changes_no_order_and_no_timeout() {
    let Some(library) = faketime() else {
        eprintln!("not run: `faketime` is not installed");
        return;
    };
    let mut scene = Scene::new();
    let clock = scene.write("clock", "+0\n");
    scene.env("LD_PRELOAD", library.to_str().unwrap());
    scene.env("FAKETIME_TIMESTAMP_FILE", clock.to_str().unwrap()).env("FAKETIME_NO_CACHE", "1");
    scene.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("DONT_FAKE_MONOTONIC", "1");
    let file = scene.workflow(
        "slow",
        &waiting("36", "").replace(
            "finally:",
            "  timed: {uses: command, with: {argv: [sleep, '0.5']}, timeout: 30s}\nfinally:",
        ),
    );
    let child = under_way(&scene, &file);
    // Two days back, in the middle of a step.
    std::fs::write(&clock, "-172800\n").unwrap();
    std::thread::sleep(Duration::from_millis(300));
    scene.write("go", "");
    let (done, took) = ended(child);
    done.expect(0);
    assert!(took < Duration::from_secs(10), "{took:?}");
    let journal = scene.journal();
    let at = |record: &serde_json::Value| record["ts"].as_f64().unwrap();
    let steps = journal.windows(2).map(|pair| at(&pair[1]) - at(&pair[0]));
    assert!(
        steps.clone().all(|step| step >= 0.0),
        "time in the journal never runs back: {:?}",
        steps.collect::<Vec<_>>()
    );
    let durations = scene.events("step_finished");
    assert!(
        durations.iter().all(|end| (0.0..20.0).contains(&end["duration_s"].as_f64().unwrap())),
        "{durations:?}"
    );
    // A resume under the earlier clock finds the run finished.
    scene.assay(&["resume", "latest"]).expect(0);
    assert_eq!(ran(&scene), "before after clean ");
}
