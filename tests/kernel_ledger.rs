//! `assay ledger`: what is shown of judgements that were kept, and who signed those that nobody should believe unseen.

#[path = "support/kernels.rs"]
#[expect(dead_code, reason = "this suite uses a part of it")]
mod kernels;
#[path = "support/schemas.rs"]
#[expect(dead_code, reason = "this suite uses a part of it")]
mod schemas;
mod support;

use kernels::{candidate, copied, example, judge, text};
use schemas::{faults, schema, validator};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use support::Scene;

/// A judgement as older programs wrote it, too fast to be believed unseen.
fn judgement(code: &str, verdict: &str) -> Value {
    json!({
        "v": 1, "ts": "2026-01-01T10:20:30.5Z", "task_id": "sum", "task_sha": "a".repeat(64), "candidate_sha": "b".repeat(64),
        "library_sha": "", "baseline_sha": "c".repeat(64), "baseline_commit": "", "form": "c_dltensor", "verdict": verdict, "code": code,
        "gate": "timing", "message": "", "findings": [], "device": {"name": "cpu"}, "host": "here", "flags": [],
        "seeds": {"commitment": "", "secret": ""}, "cases": {"run": 12, "failed": 0}, "err": null,
        "timing": {"lane": "hot", "processes": 7, "pairs": 70, "geomean": {"ratio": 12.5, "lo": 12.4, "hi": 12.6}, "rows": []},
        "aa": null, "roofline": null, "sign_off": true, "func": {}, "sanitizer": {"tools": []}, "e2e": null, "parent": null,
        "artifacts": [],
    })
}

/// Rows as a ledger, sealed as `docs/kernels.md` and the schema say.
fn sealed(rows: &[Value]) -> String {
    let hex = |text: &str| -> String {
        Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let (mut last, mut text) = ("0".repeat(64), String::new());
    for row in rows {
        let row = row.to_string();
        let chained = format!("{},\"prev_hash\":\"{last}\"}}", &row[..row.len() - 1]);
        last = hex(&chained);
        text.push_str(&format!("{},\"hash\":\"{last}\"}}\n", &chained[..chained.len() - 1]));
    }
    text
}

/// A ledger of three rows: the first waits for a reader, the second was refused, the third is not marked.
fn kept(scene: &Scene) {
    let mut plain = judgement("ACCEPT_FASTER", "accept");
    plain["sign_off"] = json!(false);
    let rows = [judgement("ACCEPT_FASTER", "accept"), judgement("STALE_RESULT", "reject"), plain];
    scene.write("l.jsonl", sealed(&rows));
}

#[test]
fn a_gain_that_nobody_should_believe_unseen_is_signed() {
    let scene = Scene::new();
    kept(&scene);
    let show = || scene.assay(&["ledger", "show", "l.jsonl", "--html", "l.html"]).expect(0).stdout;
    let before = show();
    assert!(before.contains("to be read") && before.contains("1 row is to be read"), "{before}");
    assert!(scene.read("l.html").contains("to be read"), "the page says it, too");
    let comment = "read fast.c: one pass instead of three";
    let done = scene.assay(&["ledger", "sign", "l.jsonl", "--row", "1", "--comment", comment]).expect(0);
    assert!(
        done.stdout.contains("row 1 is signed by ") && done.stdout.contains("in row 4"),
        "{}",
        done.stdout
    );
    let after = show();
    assert!(
        after.contains("signed by ") && after.contains(comment) && !after.contains("to be read"),
        "{after}"
    );
    let page = scene.read("l.html");
    assert!(page.contains("signed by ") && page.contains(comment) && !page.contains("to be read"), "{page}");
    let verified = scene.assay(&["ledger", "verify", "l.jsonl", "--rows", "4"]).expect(0).stdout;
    assert!(verified.contains("4 rows holds, 3 judgements and 1 signature"), "{verified}");
    // Who, when, which row: as the machine knows it.
    let data = scene.assay(&["ledger", "show", "l.jsonl", "--json"]).expect(0).json()["data"].clone();
    let lines: Vec<Value> =
        scene.read("l.jsonl").lines().map(|line| serde_json::from_str(line).expect("a row")).collect();
    let signature = &data["rows"][0]["signatures"][0];
    assert_eq!((&signature["row_hash"], &signature["comment"]), (&lines[0]["hash"], &json!(comment)));
    let by = &signature["by"];
    assert_eq!(
        (&by["terminal"], by["user"].as_str().is_some_and(|user| !user.is_empty())),
        (&json!(false), true)
    );
    assert!(by["pid"].as_u64().is_some_and(|pid| pid > 1) && by["parent"].is_string(), "{by}");
    assert_eq!(data["rows"].as_array().map(Vec::len), Some(3), "a signature is no judgement");
    let validator = validator(&schema(&scene, "kernel-ledger"));
    for line in &lines {
        assert_eq!(faults(&validator, line), Vec::<String>::new());
    }
    assert!(!faults(&validator, &json!({"v": 1, "kind": "signature"})).is_empty());
    // Another hand in it is seen.
    scene.write("l.jsonl", scene.read("l.jsonl").replace("one pass", "two passes"));
    scene.assay(&["ledger", "verify", "l.jsonl"]).expect(24);
    let broken =
        scene.assay(&["ledger", "sign", "l.jsonl", "--row", "1", "--comment", "again"]).expect(24).stderr;
    assert!(broken.contains("row 4 of the ledger `l.jsonl` is broken"), "{broken}");
}

#[test]
fn what_needs_no_reader_is_not_signed() {
    let scene = Scene::new();
    kept(&scene);
    let sign = |scene: &Scene, row: &str, comment: &str, code: i32| {
        scene.assay(&["ledger", "sign", "l.jsonl", "--row", row, "--comment", comment]).expect(code).stderr
    };
    let told = sign(&scene, "2", "read", 2);
    assert!(
        told.contains("row 2 was refused as STALE_RESULT") && told.contains("explain sign_off"),
        "{told}"
    );
    assert!(sign(&scene, "3", "read", 2).contains("row 3 is not marked `sign_off`"));
    assert!(sign(&scene, "9", "read", 3).contains("there is no row 9: the ledger has 3"));
    assert!(sign(&scene, "1", "  ", 2).contains("needs a comment"));
    sign(&scene, "1", "read", 0);
    assert!(sign(&scene, "1", "read", 2).contains("has a signature with this comment"));
    assert!(sign(&scene, "4", "read", 2).contains("row 4 is a signature itself, of row 1"));
    sign(&scene, "1", "read it once more", 0);
    scene.assay(&["ledger", "verify", "l.jsonl", "--rows", "5"]).expect(0);
    let absent = scene.assay(&["ledger", "sign", "none.jsonl", "--row", "1", "--comment", "read"]).expect(3);
    assert!(absent.stderr.contains("there is no ledger `none.jsonl`"), "{}", absent.stderr);
    // A run does not sign what it judged.
    let (program, place) = (env!("CARGO_BIN_EXE_assay"), scene.dir().display().to_string());
    let line = format!("{program} ledger sign {place}/l.jsonl --row 1 --comment mine || echo code $?");
    let name = scene.workflow(
        "own",
        &format!("steps:\n  sign:\n    uses: command\n    with:\n      argv: [sh, -c, '{line}']\n"),
    );
    scene.assay(&["run", &name]).expect(0);
    assert!(scene.printed("sign").contains("code 31"), "{}", scene.printed("sign"));
    scene.assay(&["ledger", "verify", "l.jsonl", "--rows", "6"]).expect(24);
}

/// What a judgement says of the candidate is what the ledger and its page say.
#[test]
fn a_candidate_has_a_name_and_a_digest_everywhere() {
    let scene = Scene::new();
    let bad = std::fs::read_to_string(candidate("b17_thread.c")).expect("a source");
    for name in ["mine/thread.c", "mine/good.h"] {
        scene.write(name, if name.ends_with(".h") { header() } else { bad.clone() });
    }
    // Rows of before have neither a name nor a mark, and stay readable.
    scene.write("l.jsonl", sealed(&[judgement("ACCEPT_FASTER", "accept")]));
    let task = example("rmsnorm");
    let task = task.to_str().expect("UTF-8");
    let judge = |more: &[&str]| {
        let mut args =
            vec!["kernel", "judge", task, "--candidate", "mine/thread.c", "--ledger", "l.jsonl", "-o", "out"];
        args.extend(more);
        scene.assay(&args).expect(23).stdout
    };
    let told = judge(&["--quick"]);
    judge(&[]);
    let lines: Vec<Value> =
        scene.read("l.jsonl").lines().map(|line| serde_json::from_str(line).expect("a row")).collect();
    let digest =
        lines[1]["candidate_sha"].as_str().expect("a digest").get(..12).expect("12 digits").to_owned();
    assert!(told.contains(&format!("candidate: {digest}")), "{told}");
    assert_eq!((&lines[1]["candidate"], &lines[1]["quick"]), (&json!("mine/thread.c"), &json!(true)));
    assert_eq!((&lines[2]["quick"], lines[0].get("candidate")), (&json!(false), None));
    let shown = scene.assay(&["ledger", "show", "l.jsonl", "--html", "l.html"]).expect(0).stdout;
    let rows: Vec<&str> =
        shown.lines().filter(|line| line.contains("sum") || line.contains("rmsnorm")).collect();
    assert_eq!(rows.len(), 3, "{shown}");
    for row in &rows[1..] {
        assert!(row.contains(&digest) && row.contains("mine/thread.c"), "{shown}");
    }
    assert!(rows[1].contains("quick") && !rows[2].contains("quick") && !rows[0].contains("quick"), "{shown}");
    let page = scene.read("l.html");
    assert!(
        page.contains("mine/thread.c")
            && page.contains(&digest)
            && page.matches("reject, quick<").count() == 1,
        "{page}"
    );
    let validator = validator(&schema(&scene, "kernel-ledger"));
    for line in &lines {
        assert_eq!(faults(&validator, line), Vec::<String>::new());
    }
    let page = scene.read("out/kernel.html");
    assert!(page.contains("mine/thread.c") && page.contains(&digest), "{page}");
}

fn header() -> String {
    std::fs::read_to_string(candidate("good.h")).expect("a header")
}

#[test]
fn the_mark_is_explained_with_its_threshold() {
    let scene = Scene::new();
    for word in ["sign_off", "sign-off"] {
        let told = scene.assay(&["explain", word]).expect(0).stdout;
        for seen in ["more than 10 times as fast", "assay ledger sign", "to be read", "chosen by hand"] {
            let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(told.contains(seen), "{seen}\n{told}");
        }
    }
    let data = scene.assay(&["explain", "sign_off", "--json"]).expect(0).json();
    assert_eq!(data["data"]["threshold"], json!(10.0));
    let near = scene.assay(&["explain", "signoff"]).expect(3).stderr;
    assert!(near.contains("did you mean `sign_off`?"), "{near}");
}

/// What could not be kept is not judged: minutes of measuring would be for nothing.
#[test]
fn an_unusable_ledger_is_found_before_anything_is_judged() {
    let scene = Scene::new();
    let (task, bad) = (example("rmsnorm"), candidate("b17_thread.c"));
    let (task, bad) = (task.to_str().expect("UTF-8"), bad.to_str().expect("UTF-8"));
    let judge = |more: &[&str], code: i32| {
        let mut args = vec!["kernel", "judge", task, "--candidate", bad];
        args.extend(more);
        let done = scene.assay(&args).expect(code);
        let judged = done.stderr.contains("gate") || done.stdout.contains("FORBIDDEN_IMPORT");
        assert_eq!(judged, code == 23, "{done:?}");
        done.stderr
    };
    scene.write("folder/.keep", "");
    scene.write("report", "a file");
    scene.write("broken.jsonl", sealed(&[judgement("ACCEPT_FASTER", "accept")]).replace("12.5", "99.5"));
    let folder = judge(&["--ledger", "folder"], 2);
    assert!(
        folder.contains("`folder/kernel-ledger.jsonl`") && folder.contains("nothing was judged"),
        "{folder}"
    );
    let absent = judge(&["--ledger", "no/where/l.jsonl"], 2);
    assert!(
        absent.contains("cannot make the ledger `no/where/l.jsonl`") && absent.contains("make it first"),
        "{absent}"
    );
    assert!(judge(&["--ledger", "report/l.jsonl"], 2).contains("its folder must be there"));
    scene.shell("mkfifo pipe").expect(0);
    assert!(judge(&["--ledger", "pipe"], 2).contains("it is not a regular file"));
    // Nobody, not even root, makes a file there.
    assert!(judge(&["--ledger", "/proc/l.jsonl"], 2).contains("cannot make the ledger `/proc/l.jsonl`"));
    assert!(
        judge(&["--ledger", "broken.jsonl"], 24).contains("row 1 of the ledger `broken.jsonl` is broken")
    );
    let file = judge(&["-o", "report"], 2);
    assert!(file.contains("`report` is a file") && file.contains("`report.judged`"), "{file}");
    assert!(judge(&["-o", "/proc/out"], 2).contains("cannot make the folder `/proc/out`"));
    assert!(judge(&["-o", "/proc"], 2).contains("cannot write into the folder `/proc`"));
    judge(&["-o", "new", "--ledger", "new/l.jsonl"], 23);
    assert_eq!(scene.read("new/l.jsonl").lines().count(), 1);
    // A step says it, too, and before it judges.
    for (ledger, why) in [("folder", "it is a folder"), ("broken.jsonl", "row 1 of the ledger")] {
        let name = scene.workflow(
            "step",
            &format!("steps:\n  judge:\n    uses: kernel\n    with: {{task: {task}, candidate: {bad}, ledger: {ledger}}}\n"),
        );
        let told = scene.assay(&["run", &name]).expect(21);
        assert!(told.stdout.contains(why) || told.stderr.contains(why), "{told:?}");
        let log = scene.assay(&["logs", "latest", "judge", "--stderr"]).stdout;
        assert!(log.contains("nothing was judged") && !log.contains("gate"), "{log}");
    }
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
