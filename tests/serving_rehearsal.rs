//! Rehearsals: they lease nothing, are marked wherever they are shown, and no real run uses anything of them.

mod support;
#[path = "support/serving.rs"]
mod workflows;

use serde_json::{Value, json};
use std::time::Duration;
use support::{Scene, eventually, finish, kill};
use workflows::{nothing_left, reason, rehearse, workflow};

const MARKED: &str = "preflight:\n  idle: {check: gpu_idle}\n  many: {check: assert, with: {that: facts.gpus | length >= 64}}\n  \
    smi: {check: command, with: {argv: [nvidia-smi, -L]}}\n\
    steps:\n  srv: {uses: server, timeout: 1m, resources: {gpus: 64}, with: {adapter: {name: vllm, model: '@/tiny'}}}\n  \
    flag: {uses: command, needs: [srv], timeout: 10s, with: {argv: [test, -e, '@/flag']}}\n\
    outputs:\n  rehearsal: {value: run.rehearsal, type: boolean}\n";

#[test]
fn a_rehearsal_leases_no_gpu_and_is_marked_wherever_it_is_shown() {
    let scene = Scene::new();
    let file = workflow(&scene, "marked", MARKED);
    scene.assay(&["run", &file]).expect(20);
    rehearse(&scene, &file).expect(21);
    for check in scene.events("check_finished") {
        assert_eq!(check["status"], "skipped", "{check}");
        assert!(check["reason"].as_str().unwrap_or_default().contains("rehearsal leases no GPU"), "{check}");
    }
    assert_eq!(scene.events("run_started")[0]["rehearsal"], true);
    let plan: Value = serde_json::from_str(&scene.delivered("plan.json")).expect("a plan");
    assert_eq!(plan["rehearsal"], true);
    // A resume goes on with it.
    scene.write("flag", "");
    let done = scene.assay(&["resume", "latest"]).expect(0);
    assert!(done.stdout.contains("rehearsal: servers were simulated"), "{}", done.stdout);
    assert_eq!(scene.outputs()["rehearsal"], true);
    for report in ["report.md", "report.html"] {
        assert!(scene.delivered(report).contains("Rehearsal: servers were simulated"), "{report}");
    }
    let status = scene.assay(&["status", "latest"]).expect(0);
    assert!(status.stdout.contains("rehearsal: servers were simulated"), "{}", status.stdout);
    assert_eq!(scene.assay(&["status", "latest", "--json"]).expect(0).json()["data"]["rehearsal"], true);
    assert!(scene.assay(&["list", "runs"]).expect(0).stdout.contains("marked (rehearsal)"));
    nothing_left(&scene, None);
}

#[test]
fn nothing_of_a_rehearsal_is_used_by_a_real_run() {
    let scene = Scene::new();
    let file = workflow(
        &scene,
        "made",
        "steps:\n  base: {uses: baseline, with: {values: {speed: 7}}}\n  \
         made: {uses: command, cache: true, timeout: 10s, with: {argv: [date, '+%s%N']}}\n",
    );
    let run = |args: &[&str]| -> (String, Value) {
        scene.assay(&[&["run", &file], args].concat()).expect(0);
        let id = scene.events("run_started")[0]["run"].as_str().expect("an id").to_owned();
        (id, scene.finished("made")["cached_from"].clone())
    };
    let (rehearsed, _) = run(&["--rehearse"]);
    let (real, cached) = run(&[]);
    assert_eq!(cached, Value::Null, "a real run took a result of a rehearsal");
    assert_eq!(run(&[]).1, json!(real));
    assert_eq!(run(&["--rehearse"]).1, json!(rehearsed));
    let taken = |name: &str, from: &str| {
        workflow(&scene, name, &format!("steps:\n  base: {{uses: baseline, with: {{from: '{from}'}}}}\n"))
    };
    scene.assay(&["run", &taken("unfair", &rehearsed)]).expect(24);
    assert!(reason(&scene, "base").contains("is a rehearsal"), "{}", reason(&scene, "base"));
    rehearse(&scene, &taken("fair", &rehearsed)).expect(0);
    scene.assay(&["run", &taken("other", &real)]).expect(0);
    // The same inputs, but no answer for a real run.
    let again = scene.assay(&["run", &file, "--rehearse", "--once", "--json"]).expect(0).json();
    assert_eq!(again["data"]["rehearsal"], true, "{again}");
    let again = scene.assay(&["run", &file, "--once", "--json"]).expect(0).json();
    assert_eq!(again["data"]["rehearsal"], false, "{again}");
}

#[test]
fn a_detached_one_is_adopted_with_what_it_had_said() {
    let scene = Scene::new();
    let file = workflow(
        &scene,
        "kept",
        "steps:\n  \
         srv: {uses: server, detach: true, timeout: 2m, with: {adapter: {name: vllm, model: '@/tiny'}}}\n  \
         wait: {uses: command, needs: [srv], timeout: 1m, with: {shell: 'touch @/up; while ! test -e @/go; do sleep 0.05; done'}}\n  \
         ask: {uses: http, needs: [wait], with: {url: '{{ steps.srv.url }}/health'}}\n",
    );
    let run = scene.start(&["run", &file, "--rehearse"]);
    assert!(eventually(Duration::from_secs(20), || scene.dir().join("up").exists()), "the server is used");
    kill(run.id(), "INT");
    finish(run).expect(130);
    scene.write("go", "");
    scene.assay(&["resume", "latest"]).expect(0);
    let ready = scene.events("step_ready");
    assert_eq!(ready.len(), 2, "{ready:?}");
    assert!(ready[1]["adopted"].is_string(), "{ready:?}");
    assert_eq!(ready[0]["outputs"], ready[1]["outputs"]);
    assert_eq!(ready[0]["outputs"]["framework"], "vllm");
    nothing_left(&scene, None);
}

#[test]
fn a_server_says_what_it_is_once_and_a_bad_rehearsal_is_found_before_it_runs() {
    let scene = Scene::new();
    for (name, with, words) in [
        ("two", "{argv: [x], adapter: {name: vllm, model: m}, ready: {tcp: true}}", "two-sources"),
        ("none", "{ready: {tcp: true}}", "missing-field"),
        ("ready", "{argv: [x]}", "`with` needs `ready`"),
        ("name", "{adapter: {name: vlm, model: m}}", "did you mean `vllm`"),
        ("model", "{adapter: {name: vllm}}", "needs `model`"),
        ("field", "{adapter: {name: vllm, model: m}, rehearsal: {startup: 3}}", "startup_s"),
        ("kind", "{adapter: {name: vllm, model: m}, rehearsal: {failures: [{kind: oom}]}}", "oom_at_start"),
    ] {
        let file =
            workflow(&scene, name, &format!("steps:\n  srv: {{uses: server, timeout: 1m, with: {with}}}\n"));
        let done = scene.assay(&["run", &file, "--rehearse"]).expect(11);
        assert!(done.stderr.contains(words), "{name}: {}", done.stderr);
    }
}
