//! The skill `kernel-duel` and the step type `kernel`: verdicts become gates, a wrong task fails, evidence that is missing is recorded.

#[path = "support/kernels.rs"]
mod kernels;
mod support;

use kernels::{candidate, copied, example, settled};
use serde_json::json;
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

#[test]
fn a_faster_kernel_passes_every_gate() {
    let scene = Scene::new();
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
    // No machine of these tests has Nsight Compute; one that has it says what bounds the kernel instead.
    let (bound, missing) = (&outputs["bound"], outputs["missing_evidence"].as_str().expect("a reason"));
    assert!(*bound != json!("") || missing.contains("ncu"), "{outputs}");
    assert!(
        scene.delivered("kernel.html").contains("<svg")
            && scene.delivered("times.md").contains("R=16 C=3072")
    );
    scene.assay(&["ledger", "verify", "l.jsonl", "--rows", "1"]).expect(0);
}

#[test]
fn a_wrong_kernel_is_incorrect_and_is_not_profiled() {
    let scene = Scene::new();
    duel(&scene, &candidate("b26_half_the_sum.c"), &["profile=[\"/bin/true\"]"]).expect(26);
    let outcomes = scene.outcomes();
    assert_eq!((outcomes["correct"].as_str(), outcomes["accepted"].as_str()), ("incorrect", "failed"));
    assert_eq!(scene.statuses()["judge"], "passed", "a refusal is a result");
    let outputs = scene.outputs();
    assert_eq!((&outputs["code"], &outputs["verdict"]), (&json!("WRONG_VALUE"), &json!("reject")));
    assert_eq!(outputs["bound"], "not profiled");
    assert!(scene.delivered("kernel.md").contains("WRONG"));
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
