//! The skill `kernel-duel` and the step type `kernel`: verdicts become gates, a wrong task fails, evidence that is missing is recorded.

#[path = "support/kernels.rs"]
#[expect(dead_code, reason = "this suite uses a part of it")]
mod kernels;
mod support;

use kernels::{candidate, copied, example, root, settled};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use support::{Done, Scene};

const DUEL: &str = "kernel-duel";

fn duel(scene: &Scene, candidate: &Path, more: &[&str]) -> Done {
    let inputs = [
        format!("task={}", example("rmsnorm").display()),
        format!("candidate={}", candidate.display()),
        "quick=true".to_owned(),
    ];
    let mut args = vec!["run", DUEL];
    inputs.iter().for_each(|input| args.extend(["-i", input]));
    more.iter().for_each(|input| args.extend(["-i", input]));
    scene.assay(&args)
}

#[test]
fn the_step_is_explained_and_the_skill_is_planned() {
    let scene = Scene::new();
    let step = scene.assay(&["explain", "kernel"]).expect(0).stdout;
    for word in ["accepted", "way_out", "kernel-timing", "end_to_end", "docs/kernels.md"] {
        assert!(step.contains(word), "{word}\n{step}");
    }
    assert!(scene.assay(&["list"]).expect(0).stdout.contains(DUEL));
    scene.assay(&["plan", DUEL, "-i", "task=t", "-i", "candidate=c.c"]).expect(0);
}

/// An `ncu` that keeps its arguments in `profiled` and prints a table that was taken elsewhere.
fn with_ncu(scene: &mut Scene) {
    let table = root().join("engine/trace/tests/fixtures/ncu/raw.csv");
    let body = format!(
        "#!/bin/sh\nprintf '%s\\n' \"$@\" > {}/profiled\ncat {}\n",
        scene.dir().display(),
        table.display()
    );
    scene.write("bin/ncu", body);
    let program = scene.dir().join("bin/ncu");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("a program");
    let path = std::env::var("PATH").expect("a path");
    scene.env("PATH", &format!("{}:{path}", scene.dir().join("bin").display()));
}

#[test]
fn a_faster_kernel_passes_every_gate() {
    let mut scene = Scene::new();
    with_ncu(&mut scene);
    let honest = example("rmsnorm").join("candidate/kernel.c");
    let more = [
        "ledger=l.jsonl",
        "e2e_metric=denoise ms",
        "e2e_before=46.6",
        "e2e_after=45.2",
        "profile=[\"/bin/true\"]",
    ];
    settled(|| duel(&scene, &honest, &more)).expect(0);
    assert!(scene.outcomes().values().all(|outcome| outcome == "passed"), "{:?}", scene.outcomes());
    let outputs = scene.outputs();
    assert_eq!((&outputs["accepted"], &outputs["code"]), (&json!(true), &json!("ACCEPT_FASTER")));
    let figures = ["low", "ratio", "high"].map(|name| outputs[name].as_f64().expect("a figure"));
    assert!(1.0 < figures[0] && figures[0] <= figures[1] && figures[1] <= figures[2], "{figures:?}");
    assert_eq!(outputs["times"]["rows"].as_array().map(Vec::len), Some(3));
    assert_eq!(outputs["row"]["e2e"]["metric"], "denoise ms");
    let profiled = scene.read("profiled");
    let words: Vec<&str> = profiled.lines().rev().take(2).collect();
    assert_eq!(words, [honest.to_str().expect("UTF-8"), "/bin/true"], "what was judged is profiled");
    assert!(outputs["bound"].as_str().is_some_and(|text| text.starts_with("Bound by")), "{outputs}");
    assert!(outputs["stalls"].as_array().is_some_and(|stalls| !stalls.is_empty()), "{outputs}");
    assert_eq!(
        (&outputs["next_edit"]["proposed"], &outputs["next_edit"]["file"]),
        (&json!(true), &json!(honest))
    );
    assert!(
        scene.delivered("kernel.html").contains("<svg")
            && scene.delivered("times.md").contains("R=16 C=3072")
    );
    scene.assay(&["ledger", "verify", "l.jsonl", "--rows", "1"]).expect(0);
}

#[test]
fn a_wrong_kernel_is_incorrect_and_is_not_profiled() {
    let mut scene = Scene::new();
    with_ncu(&mut scene);
    let done = duel(&scene, &candidate("b26_half_the_sum.c"), &["profile=[\"/bin/true\"]"]).expect(26);
    assert!(done.stdout.contains("ratio = none (`steps.judge.ratio` is null)"), "{}", done.stdout);
    assert!(!done.stderr.contains("assay resume"), "nothing failed that could run again\n{}", done.stderr);
    let outcomes = scene.outcomes();
    assert_eq!((outcomes["correct"].as_str(), outcomes["accepted"].as_str()), ("incorrect", "failed"));
    assert_eq!(scene.statuses()["judge"], "passed", "a refusal is a result");
    let outputs = scene.outputs();
    assert_eq!((&outputs["code"], &outputs["verdict"]), (&json!("WRONG_VALUE"), &json!("reject")));
    assert_eq!((&outputs["bound"], &outputs["next_edit"]), (&json!("not profiled"), &json!({})));
    assert!(!scene.dir().join("profiled").exists());
    assert!(scene.delivered("kernel.md").contains("WRONG"));
}

/// Slower is no fault of correctness, so it is profiled; the author's edit stands in place of a proposed one.
#[test]
fn a_slower_kernel_is_profiled_and_the_author_names_the_edit() {
    let mut scene = Scene::new();
    with_ncu(&mut scene);
    let metric = "dram__throughput.avg.pct_of_peak_sustained_elapsed";
    let edit = json!({"file": "k.cu", "change": "load 16 bytes", "validation": "judge it", "metric": metric, "expected": "rise"});
    duel(&scene, &candidate("b36_twice.c"), &["profile=[\"/bin/true\"]", &format!("next_edit={edit}")]);
    let outputs = scene.outputs();
    assert_eq!(
        (&outputs["accepted"], &outputs["next_edit"]["proposed"]),
        (&json!(false), &json!(false)),
        "{outputs}"
    );
    assert_eq!(outputs["next_edit"]["metric"], metric);
}

#[test]
fn a_wrong_task_fails_the_step_and_names_the_line() {
    let scene = Scene::new();
    copied(&scene, "rmsnorm", "task");
    let task = scene.read("task/task.yaml");
    let at = task.lines().position(|line| line.starts_with("oracle:")).expect("an oracle") + 1;
    scene.write("task/task.yaml", task.replace("builtin: rmsnorm", "builtin: rmsnrom"));
    let honest = example("rmsnorm").join("candidate/kernel.c");
    let input = format!("candidate={}", honest.display());
    let done = scene.assay(&["run", DUEL, "-i", "task=task", "-i", &input]).expect(21);
    assert!(
        done.stdout.contains("the task is wrong") && done.stdout.contains(&format!("task.yaml:{at}:")),
        "{done:?}"
    );
    let absent = scene.assay(&["run", DUEL, "-i", "task=absent", "-i", &input]).expect(20);
    assert!(absent.stdout.contains("absent"), "{}", absent.stdout);
}

/// Gates of one's own read the code; a time limit ends the judge with its workers.
#[test]
fn a_workflow_reads_the_code_and_limits_the_time() {
    let scene = Scene::new();
    let body = |candidate: &Path, timeout: &str| {
        format!(
            "steps:\n  duel:\n    uses: kernel\n    timeout: {timeout}\n    resources: {{locks: [kernel-timing]}}\n    with:\n      \
             task: {}\n      candidate: {}\n      quick: true\ngates:\n  refused: {{assert: steps.duel.code == 'FORBIDDEN_IMPORT'}}\n",
            example("rmsnorm").display(),
            candidate.display()
        )
    };
    let name = scene.workflow("gate", &body(&candidate("b17_thread.c"), "5m"));
    scene.assay(&["run", &name]).expect(0);
    let name = scene.workflow("slow", &body(&example("rmsnorm").join("candidate/kernel.c"), "1s"));
    scene.assay(&["run", &name]).expect(22);
    assert_eq!(scene.statuses()["duel"], "timed_out");
}
