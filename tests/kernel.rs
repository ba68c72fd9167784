//! `assay kernel judge`, `assay ledger`, `assay doctor`: what a judgement says, and what is kept of it.

#[path = "support/kernels.rs"]
#[expect(dead_code, reason = "this suite uses a part of it")]
mod kernels;
#[path = "support/schemas.rs"]
#[expect(dead_code, reason = "this suite uses a part of it")]
mod schemas;
mod support;

use kernels::{candidate, copied, example, judge, settled, text};
use schemas::{faults, schema, validator};
use serde_json::{Value, json};
use support::Scene;

#[test]
fn a_faster_kernel_is_accepted_and_kept() {
    let scene = Scene::new();
    let honest = example("rmsnorm").join("candidate/kernel.c");
    let more = ["--ledger", "l.jsonl", "-o", "out", "--e2e", "output tokens/s=1200:1225"];
    let done = settled(|| judge(&scene, &honest, &more)).expect(0);
    assert!(done.stdout.contains("accepted, ACCEPT_FASTER"), "{}", done.stdout);
    for seen in ["R=16 C=3072", "Geometric mean", "against itself", "sanitizer", "ledger: l.jsonl, row"] {
        assert!(done.stdout.contains(seen), "{seen}\n{}", done.stdout);
    }
    assert!(done.stderr.contains("gate values passed"), "progress: {}", done.stderr);
    let judged: Value = serde_json::from_str(&scene.read("out/judgement.json")).expect("JSON");
    assert_eq!((&judged["accepted"], &judged["code"]), (&json!(true), &json!("ACCEPT_FASTER")));
    let page = scene.read("out/kernel.html");
    assert!(page.contains("<svg") && page.contains("ACCEPT_FASTER") && !page.contains("<script"), "{page}");
    assert!(scene.read("out/kernel.md").contains("# Kernel judgement: rmsnorm\\_bf16"));
    let validator = validator(&schema(&scene, "kernel-ledger"));
    for line in scene.read("l.jsonl").lines() {
        let row: Value = serde_json::from_str(line).expect("a row");
        assert_eq!(faults(&validator, &row), Vec::<String>::new());
    }
    let shown = scene.assay(&["ledger", "show", "l.jsonl", "--html", "l.html"]).expect(0).stdout;
    assert!(shown.contains("ACCEPT_FASTER") && shown.contains("1200 to 1225 (+2.1 %)"), "{shown}");
    assert!(scene.read("l.html").contains("<svg"));
    let task = example("rmsnorm");
    let traces = scene.assay(&["ledger", "export", "l.jsonl", "--task", text(&task)]).expect(0).stdout;
    let last: Value = serde_json::from_str(traces.lines().last().expect("a trace")).expect("JSON");
    assert_eq!(
        (&last["definition"], &last["evaluation"]["status"]),
        (&json!("rmsnorm_bf16"), &json!("PASSED"))
    );
    let factor = last["evaluation"]["performance"]["speedup_factor"].as_f64().expect("a factor");
    assert!(factor > 1.2, "{last}");
}

#[test]
fn what_is_wrong_is_refused_with_its_gate_and_a_way_out() {
    let mut scene = Scene::new();
    for (name, codes) in [
        ("b26_half_the_sum.c", &["WRONG_VALUE"][..]),
        ("b11_reads_past_end.c", &["OOB_ACCESS"]),
        ("b17_thread.c", &["FORBIDDEN_IMPORT"]),
        ("b01_wrong_symbol.c", &["ABI_SYMBOL_MISSING"]),
    ] {
        let done = judge(&scene, &candidate(name), &["--json", "--ledger", "l.jsonl"]).expect(23).json();
        let data = &done["data"];
        let code = data["code"].as_str().expect("a code");
        assert!(codes.contains(&code), "{name}: {data}");
        assert_eq!((&data["accepted"], &data["verdict"]), (&json!(false), &json!("reject")));
        assert!(data["way_out"].as_str().is_some_and(|text| text.len() > 10), "{data}");
        assert!(data["judgement"]["findings"][0]["message"].as_str().is_some_and(|text| !text.is_empty()));
    }
    let folder = scene.write("tmp/.keep", "").parent().expect("a folder").to_owned();
    scene.env("TMPDIR", text(&folder));
    let shown = judge(&scene, &candidate("b26_half_the_sum.c"), &[]).expect(23).stdout;
    assert_eq!(std::fs::read_dir(&folder).expect("a folder").count(), 1, "temporary folders are gone");
    assert!(shown.contains("refused, WRONG_VALUE at gate values") && shown.contains("REFUSED"), "{shown}");
    let kept = scene.assay(&["ledger", "show", "l.jsonl", "--json"]).expect(0).json();
    assert_eq!(kept["data"]["rows"].as_array().map(Vec::len), Some(4), "each refusal is kept");
}

#[test]
fn the_proof_of_a_baseline_is_kept_for_the_next_judgement() {
    let scene = Scene::new();
    let wrong = candidate("b26_half_the_sum.c");
    let told = |more: &[&str]| {
        let done = judge(&scene, &wrong, more).expect(23);
        (done.stderr.contains("baseline: gate values"), done.stderr.contains("kept since"))
    };
    assert_eq!(told(&[]), (true, false));
    assert_eq!(told(&[]), (false, true));
    assert_eq!(told(&["--fresh"]), (true, false));
    assert_eq!(told(&[]), (false, true));
    // A step has variables of its own, so it may look into another folder; the next step looks there, too.
    let task = example("rmsnorm");
    let with = format!("task: {}\n      candidate: {}\n      quick: true", task.display(), wrong.display());
    let name =
        scene.workflow("step", &format!("steps:\n  judge:\n    uses: kernel\n    with:\n      {with}\n"));
    scene.assay(&["run", &name]).expect(0);
    scene.assay(&["run", &name]).expect(0);
    let log = scene.assay(&["logs", "latest", "judge", "--stderr"]);
    assert!(log.stdout.contains("kept since") && !log.stdout.contains("baseline: gate"), "{log:?}");
}

#[test]
fn the_baseline_is_not_faster_than_itself() {
    let scene = Scene::new();
    let same = example("rmsnorm").join("baseline/kernel.c");
    let done = judge(&scene, &same, &[]);
    let told = ["NO_CHANGE", "INCONCLUSIVE", "NOISY_DEVICE", "CLOCK_MISMATCH"];
    assert!(done.code != 0 && told.iter().any(|code| done.stdout.contains(code)), "{done:?}");
}

#[test]
fn a_changed_ledger_is_found_and_not_continued() {
    let scene = Scene::new();
    let bad = candidate("b17_thread.c");
    let kept = ["--ledger", "l.jsonl"];
    for _ in 0..3 {
        judge(&scene, &bad, &kept).expect(23);
    }
    let whole = scene.read("l.jsonl");
    assert!(
        scene
            .assay(&["ledger", "verify", "l.jsonl", "--rows", "3"])
            .expect(0)
            .stdout
            .contains("3 rows holds")
    );
    scene.assay(&["ledger", "verify", "l.jsonl", "--rows", "4"]).expect(24);
    scene.assay(&["ledger", "verify", "absent.jsonl"]).expect(3);
    // A row that was improved.
    scene.write("l.jsonl", whole.replacen("FORBIDDEN_IMPORT", "ACCEPT_FASTER", 1));
    let found = scene.assay(&["ledger", "verify", "l.jsonl"]).expect(24);
    assert!(found.stderr.contains("row 1 of `l.jsonl` is broken"), "{}", found.stderr);
    let json = scene.assay(&["ledger", "verify", "l.jsonl", "--json"]).expect(24).json();
    assert_eq!(json["data"]["broken"]["row"], json!(1));
    // One that was taken out.
    let lines: Vec<&str> = whole.lines().collect();
    scene.write("l.jsonl", format!("{}\n{}\n", lines[0], lines[2]));
    let found = scene.assay(&["ledger", "verify", "l.jsonl"]).expect(24);
    assert!(found.stderr.contains("row 2 of"), "{}", found.stderr);
    let refused = judge(&scene, &bad, &kept).expect(24);
    assert!(
        refused.stderr.contains("nothing was judged") && !refused.stderr.contains("gate"),
        "{}",
        refused.stderr
    );
    assert_eq!(scene.read("l.jsonl").lines().count(), 2, "nothing is added behind a broken chain");
    // A writer that was stopped is no tampering.
    scene.write("l.jsonl", format!("{whole}{}", &lines[0][..100]));
    let torn = scene.assay(&["ledger", "verify", "l.jsonl"]).expect(0);
    assert!(torn.stderr.contains("no end"), "{}", torn.stderr);
    judge(&scene, &bad, &kept).expect(23);
    scene.assay(&["ledger", "verify", "l.jsonl", "--rows", "4"]).expect(0);
    assert!(scene.read("l.jsonl.torn").starts_with(&lines[0][..100]));
}

#[test]
fn rows_become_stale_with_their_task_and_their_baseline() {
    let scene = Scene::new();
    copied(&scene, "rmsnorm", "task");
    let bad = candidate("b17_thread.c");
    let judged = ["kernel", "judge", "task", "--candidate", text(&bad), "--ledger", "l.jsonl"];
    let show = |scene: &Scene| scene.assay(&["ledger", "show", "l.jsonl", "--task", "task"]).expect(0).stdout;
    scene.assay(&judged).expect(23);
    assert!(!show(&scene).contains("stale"));
    let task = scene.read("task/task.yaml");
    scene.write("task/task.yaml", format!("{task}timing: {{samples: 60}}\n"));
    assert!(show(&scene).contains("stale: task changed"), "{}", show(&scene));
    let without = scene.assay(&["ledger", "show", "l.jsonl"]).expect(0).stdout;
    assert!(!without.contains("stale"), "the ledger alone cannot know: {without}");
    scene.assay(&judged).expect(23);
    let without = scene.assay(&["ledger", "show", "l.jsonl"]).expect(0).stdout;
    assert!(without.contains("1 of 2 rows are stale"), "newer rows tell: {without}");
    let baseline = scene.read("task/baseline/kernel.c");
    scene.write("task/baseline/kernel.c", format!("{baseline}\n/* moved upstream */\n"));
    assert!(show(&scene).contains("stale: baseline changed"), "{}", show(&scene));
    scene.assay(&["ledger", "export", "l.jsonl", "--task", "task"]).expect(3);
    scene.write("task/baseline/kernel.c", baseline);
    let traces = scene.assay(&["ledger", "export", "l.jsonl", "--task", "task"]).expect(0).stdout;
    assert_eq!(traces.lines().count(), 3, "the row of today, for three shapes: {traces}");
}

#[test]
fn the_doctor_says_what_is_missing_and_how_to_get_it() {
    let mut scene = Scene::new();
    let told = scene.assay(&["doctor"]).expect(0).stdout;
    assert!(told.contains("C and C++ kernels can be judged here") && told.contains("sandbox"), "{told}");
    scene.env("PATH", "/nowhere").env("ASSAY_NVRTC", "/nowhere");
    let told = scene.assay(&["doctor"]).expect(40);
    assert!(told.stdout.contains("missing compiler") && told.stdout.contains("gcc"), "{}", told.stdout);
    assert!(!told.stderr.contains("panicked"), "{}", told.stderr);
    let json = scene.assay(&["doctor", "--json"]).expect(40).json();
    assert_eq!(json["data"]["cpu"], json!(false));
    assert!(json["data"]["facts"].as_array().is_some_and(|facts| facts.len() > 6), "{json}");
}

#[test]
fn a_worker_needs_a_judge() {
    let scene = Scene::new();
    let done = scene.assay(&["kernel-worker"]).expect(2);
    assert!(done.stderr.contains("assay kernel judge"), "{}", done.stderr);
    scene.assay_reading(&["kernel-worker"], "anything").expect(2);
    scene.assay(&["kernel-worker", "more"]).expect(2);
    let help = scene.assay(&["help"]).expect(0).stdout;
    assert!(help.contains("kernel") && !help.contains("kernel-worker"), "{help}");
}
