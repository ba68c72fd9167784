//! Preflight: facts that must hold before any step runs; every check, and what follows when it does not hold.

mod support;

use serde_json::Value;
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::process::Command;
use support::Scene;

fn checks(scene: &Scene, lines: &str, args: &[&str]) -> (i32, BTreeMap<String, Value>) {
    let file = scene.workflow("checked", &format!("inputs:\n  n: {{type: integer, default: 1}}\npreflight:\n{lines}steps:\n  work: {{uses: command, with: {{argv: ['true']}}}}\n"));
    let mut all = vec!["preflight", file.as_str(), "--json"];
    all.extend(args);
    let done = scene.assay(&all);
    let found = done.json()["data"].as_array().cloned().unwrap_or_default();
    (
        done.code,
        found
            .into_iter()
            .map(|one| (one["check"].as_str().expect("a record as documented").to_owned(), one))
            .collect(),
    )
}

#[test]
fn every_check_says_whether_the_fact_holds() {
    let mut scene = Scene::new();
    scene.env("PRESENT", "x").env("EMPTY", "");
    scene.write("there.txt", "hello");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().port();
    let free = { TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port() };
    let sum = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    let good = format!(
        "  c1: {{check: command, with: {{argv: [echo, gcc 12], matches: 'gcc 1[0-9]'}}}}\n  c2: {{check: command, with: {{shell: 'exit 3', exit: 3}}}}\n  \
         f1: {{check: file, with: {{path: there.txt, kind: file, min_bytes: 5B, sha256: {sum}}}}}\n  f2: {{check: file, with: {{path: gone, exists: false}}}}\n  \
         p: {{check: port_free, with: {{port: {free}}}}}\n  d: {{check: disk_free, with: {{min: 1KiB}}}}\n  l: {{check: load, with: {{max_per_core: 100000}}}}\n  \
         e: {{check: env_set, with: {{names: [PRESENT]}}}}\n  a: {{check: assert, with: {{that: inputs.n == 1}}}}\n  w: {{check: file, when: 1 > 2, with: {{path: gone}}}}\n"
    );
    let (code, found) = checks(&scene, &good, &[]);
    assert_eq!(code, 0, "{found:?}");
    assert_eq!(found.len(), 10);
    for (name, one) in &found {
        assert_eq!(one["status"], if name == "w" { "skipped" } else { "passed" }, "{one}");
    }
    let bad = format!(
        "  c1: {{check: command, with: {{argv: [echo, clang], matches: gcc}}}}\n  c2: {{check: command, with: {{argv: [no-such-program]}}}}\n  \
         f1: {{check: file, with: {{path: there.txt, min_bytes: 1KiB}}}}\n  f2: {{check: file, with: {{path: gone}}}}\n  f3: {{check: file, with: {{path: there.txt, kind: folder}}}}\n  \
         p: {{check: port_free, with: {{port: {taken}}}}}\n  d: {{check: disk_free, with: {{min: 900000TiB}}}}\n  l: {{check: load, with: {{max_per_core: 0}}}}\n  \
         e1: {{check: env_set, with: {{names: [ABSENT]}}}}\n  e2: {{check: env_set, with: {{names: [EMPTY]}}}}\n  a: {{check: assert, with: {{that: inputs.n == 2}}}}\n  \
         h: {{check: http, with: {{url: 'http://127.0.0.1:{free}/'}}}}\n"
    );
    let (code, found) = checks(&scene, &bad, &[]);
    assert_eq!((code, found.len()), (20, 12), "all are checked, in one report");
    for (name, one) in &found {
        let idle = name == "l" && one["status"] == "passed";
        assert!(idle || one["status"] == "environment", "{one}");
        assert!(idle || !one["reason"].as_str().unwrap().is_empty(), "{one}");
    }
    assert!(found["p"]["reason"].as_str().unwrap().contains(&taken.to_string()));
    assert!(found["e1"]["reason"].as_str().unwrap().contains("ABSENT"));
    assert!(!scene.dir().join("runs").exists(), "preflight alone makes no run");
}

#[test]
fn git_checkouts_are_clean_or_not() {
    let scene = Scene::new();
    let git = |args: &[&str]| {
        let status = Command::new("git").args(args).current_dir(scene.dir()).output().unwrap().status;
        assert!(status.success(), "git {args:?}");
    };
    git(&["init", "-q"]);
    scene.write("a", "1");
    let lines = "  g: {check: git_clean, with: {path: .}}\n  u: {check: git_clean, with: {path: ., allow_untracked: true}}\n";
    scene.workflow("checked", "");
    git(&["add", "a"]);
    git(&["-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-qm", "one"]);
    let (code, found) = checks(&scene, lines, &[]);
    assert_eq!(code, 20);
    assert_eq!(
        (&found["g"]["status"], &found["u"]["status"]),
        (&Value::from("environment"), &Value::from("passed")),
        "{found:?}"
    );
    scene.write("a", "2");
    assert_eq!(checks(&scene, lines, &[]).1["u"]["status"], "environment");
}

#[test]
fn without_a_gpu_the_check_is_environment() {
    let has_smi = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .any(|dir| dir.join("nvidia-smi").exists());
    let scene = Scene::new();
    let (code, found) = checks(&scene, "  g: {check: gpu_idle}\n", &[]);
    if has_smi {
        assert!(matches!(code, 0 | 20));
    } else {
        assert_eq!((code, &found["g"]["status"]), (20, &Value::from("environment")));
    }
}

#[test]
fn a_check_that_stops_starts_nothing_and_the_word_is_its_own() {
    let scene = Scene::new();
    let file = scene.workflow(
        "stopped",
        "preflight:\n  gone: {check: file, with: {path: gone}, as: unsupported}\n  also: {check: file, with: {path: gone2}}\n\
         steps:\n  a: {uses: command, with: {argv: ['true']}}\nfinally:\n  f: {uses: command, with: {argv: ['true']}}\ndeliver: {x.json: steps.a.status}\n",
    );
    let done = scene.assay(&["run", &file]).expect(20);
    assert!(done.stdout.contains("gone") || done.stderr.contains("gone"), "{done:?}");
    let found = scene.events("check_finished");
    assert_eq!((found.len(), &found[0]["status"]), (2, &Value::from("unsupported")));
    assert!(scene.events("step_started").is_empty() && scene.events("delivered").is_empty());
    scene.write("gone", "");
    scene.write("gone2", "");
    scene.assay(&["resume", "latest"]).expect(0);
    assert_eq!(scene.statuses()["f"], "passed");
}

#[test]
fn a_check_that_warns_is_recorded_and_the_run_goes_on() {
    let scene = Scene::new();
    let file = scene.workflow(
        "warned",
        "preflight:\n  gone: {check: file, with: {path: gone}, on_fail: warn}\nsteps:\n  a: {uses: command, with: {argv: ['true']}}\n",
    );
    scene.assay(&["run", &file]).expect(0);
    let check = scene.events("check_finished").remove(0);
    assert_eq!((&check["status"], &check["on_fail"]), (&Value::from("environment"), &Value::from("warn")));
    assert!(scene.delivered("report.md").contains("gone"));
}

#[test]
fn checks_of_a_callee_run_first_when_its_inputs_are_known() {
    let scene = Scene::new();
    scene.skill(
        "inner",
        "inputs:\n  n: {type: integer}\npreflight:\n  fits: {check: assert, with: {that: inputs.n < 5}}\nsteps:\n  a: {uses: command, with: {argv: ['true']}}\n",
    );
    let known = scene.workflow("known", "steps:\n  first: {uses: command, with: {argv: ['true']}}\n  call: {uses: 'skill:inner', needs: [first], with: {n: 9}}\n");
    scene.assay(&["run", &known]).expect(20);
    assert!(scene.events("step_started").is_empty(), "nothing starts: the callee's inputs are known");
    let late = scene.workflow(
        "late",
        "steps:\n  first: {uses: command, with: {argv: [echo, '9'], parse: {as: json, from: stdout, schema: {type: integer}}}}\n  \
         call: {uses: 'skill:inner', with: {n: '{{ steps.first.result }}'}}\n",
    );
    let code = scene.assay(&["run", &late]).code;
    let statuses = scene.statuses();
    assert_eq!(statuses["first"], "passed");
    assert_eq!(statuses["call"], "environment");
    assert_eq!(code, 40);
}
