//! What `assay kernel` is given: tasks, definitions, candidates. What is wrong with them is said with its place and a way out.

#[path = "support/kernels.rs"]
#[expect(dead_code, reason = "this suite uses a part of it")]
mod kernels;
mod support;

use kernels::{candidate, copied, example, judge, text, with_oracle};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use support::Scene;

#[test]
fn a_task_is_shown_and_a_wrong_one_names_the_line() {
    let scene = Scene::new();
    copied(&scene, "rmsnorm", "task");
    let shown = scene.assay(&["kernel", "check", "task"]).expect(0);
    for seen in ["rmsnorm_bf16", "R=16 C=3072", "baseline/kernel.c", "must be refused"] {
        assert!(shown.stdout.contains(seen), "{seen}\n{}", shown.stdout);
    }
    let digest = scene.assay(&["kernel", "check", "task/task.yaml", "--json"]).expect(0).json();
    let digest = digest["data"]["digest"].as_str().expect("a digest").to_owned();
    assert!(digest.len() == 64 && shown.stdout.contains(&digest));
    let task = scene.read("task/task.yaml");
    let at = task.lines().position(|line| line.starts_with("oracle:")).expect("an oracle") + 1;
    scene.write("task/task.yaml", task.replace("oracle:", "orakel:"));
    let wrong = scene.assay(&["kernel", "check", "task"]).expect(11);
    assert!(wrong.stderr.contains(&format!("task/task.yaml:{at}:")), "{}", wrong.stderr);
    let wrong = scene.assay(&["kernel", "judge", "task", "--candidate", "x.c", "--json"]).expect(11).json();
    assert_eq!(wrong["diagnostics"][0]["line"], json!(at));
    // A baseline that does not pass its own gates is a fault of the task.
    scene.write("task/task.yaml", &task);
    let bad = std::fs::read_to_string(candidate("b05_zeros.c")).expect("a source");
    let good = std::fs::read_to_string(candidate("good.h")).expect("a header");
    scene.write("task/baseline/kernel.c", bad);
    scene.write("task/baseline/good.h", good);
    let honest = example("rmsnorm").join("candidate/kernel.c");
    let wrong = scene.assay(&["kernel", "judge", "task", "--candidate", text(&honest)]).expect(11);
    assert!(
        wrong.stderr.contains("does not pass its own gates") && wrong.stderr.contains("WRONG_VALUE"),
        "{wrong:?}"
    );
}

#[test]
fn what_cannot_be_judged_is_no_judgement() {
    let scene = Scene::new();
    scene.write("kernel.py", "def kernel(): pass\n");
    let wrong = judge(&scene, Path::new("kernel.py"), &[]).expect(2);
    assert!(wrong.stderr.contains("no kernel that can be judged"), "{}", wrong.stderr);
    let absent = judge(&scene, Path::new("absent.c"), &[]).expect(2).stderr;
    let place = format!("it was looked for in `{}`", scene.dir().display());
    assert!(absent.contains("absent.c` cannot be used") && absent.contains(&place), "{absent}");
    judge(&scene, Path::new("kernel.py"), &["--seed", "12"]).expect(2);
    let parent = judge(&scene, Path::new("kernel.py"), &["--parent", "zzz"]).expect(2).stderr;
    assert!(parent.contains("`--parent zzz` is no digest") && parent.contains("64 hexadecimal"), "{parent}");
    scene.write("text.so", "int kv_entry(void);\n");
    let text_only = judge(&scene, Path::new("text.so"), &[]).expect(23).stdout;
    assert!(text_only.contains("LOAD_FAILED") && text_only.contains("no ELF shared library"), "{text_only}");
    judge(&scene, Path::new("kernel.py"), &["--e2e", "tokens"]).expect(2);
    copied(&scene, "rmsnorm", "task");
    let task = scene.read("task/task.yaml");
    let honest = example("rmsnorm").join("candidate/kernel.c");
    scene.write("task/task.yaml", task.replace("form: c_dltensor", "form: python"));
    scene.assay(&["kernel", "judge", "task", "--candidate", text(&honest)]).expect(2);
    scene.write("task/task.yaml", task.replace("form: c_dltensor", "form: c_dltensor, device: cuda"));
    let here = scene.assay(&["kernel", "judge", "task", "--candidate", text(&honest)]).expect(40);
    assert!(here.stderr.contains("assay doctor"), "{}", here.stderr);
}

#[test]
fn a_kernel_for_a_gpu_says_what_is_missing() {
    // Where there is a driver it may well be judged.
    if Path::new("/dev/nvidiactl").exists() {
        return;
    }
    let scene = Scene::new();
    let task = example("rmsnorm-cuda");
    let candidate = task.join("candidate/kernel.cu");
    let here = scene.assay(&["kernel", "judge", text(&task), "--candidate", text(&candidate)]).expect(40);
    assert!(
        here.stderr.contains("unsupported here") && here.stderr.contains("assay doctor"),
        "{}",
        here.stderr
    );
}

#[test]
fn a_definition_becomes_a_task_that_holds() {
    let scene = Scene::new();
    let definition = json!({
        "name": "Residual_Add", "type": "add", "axes": {"N": {"type": "var"}, "H": {"type": "const", "value": 64}},
        "inputs": {"a": {"shape": ["N", "H"], "dtype": "float32"}, "b": {"shape": ["N", "H"], "dtype": "float32"}},
        "outputs": {"y": {"shape": ["N", "H"], "dtype": "float32"}}, "reference": "def run(a, b): return a + b",
    });
    let workload =
        json!({"axes": {"N": 32}, "inputs": {"a": {"type": "random"}, "b": {"type": "random"}}, "uuid": "1"});
    scene.write("d.json", definition.to_string());
    scene.write("w.jsonl", format!("{workload}\n"));
    let told = scene.assay(&["kernel", "import", "d.json", "w.jsonl"]).expect(0);
    for chosen in
        ["note: `N` goes from 1 to 32", "note: `reject` is empty", "note: `abi.inplace_allowed` is false"]
    {
        assert!(told.stderr.contains(chosen), "{}", told.stderr);
    }
    scene.write("task/task.yaml", told.stdout);
    scene.write("task/baseline/kernel.c", "int nothing;\n");
    let shown = scene.assay(&["kernel", "check", "task"]).expect(0).stdout;
    assert!(shown.contains("residual_add") && shown.contains("N=32 H=64"), "{shown}");
    let without = scene.assay(&["kernel", "import", "d.json"]).expect(11);
    assert!(without.stderr.contains("workloads"), "{}", without.stderr);
    scene.write("d.json", definition.to_string().replace("\"type\":\"add\"", "\"type\":\"gemm\""));
    let unknown = scene.assay(&["kernel", "import", "d.json", "w.jsonl"]).expect(2);
    assert!(
        unknown.stderr.contains("`add`") && unknown.stderr.contains("--oracle-command"),
        "{}",
        unknown.stderr
    );
}

#[test]
fn what_is_no_regular_file_is_refused_before_it_is_opened() {
    let scene = Scene::new();
    let pipe = scene.dir().join("ff.c");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    scene.write("folder.c/kernel.c", "");
    let large = std::fs::File::create(scene.dir().join("large.c")).expect("a file");
    large.set_len((64 << 20) + 1).expect("a sparse file");
    let task = example("rmsnorm");
    for (name, says) in [
        ("ff.c", "it is a named pipe, not a regular file"),
        ("/dev/zero", "it is a device, not a regular file"),
        ("folder.c", "it is a folder, not a regular file; name a file in it"),
        ("large.c", "at most 67108864 are read"),
    ] {
        for verb in ["judge", "check"] {
            let done = scene.assay(&["kernel", verb, text(&task), "--candidate", name]).expect(2);
            assert!(done.stderr.contains(says) && done.stderr.contains(name), "{verb} {}", done.stderr);
        }
    }
    // Files of the task likewise; the task is wrong then.
    copied(&scene, "rmsnorm", "task");
    std::fs::remove_file(scene.dir().join("task/workloads.jsonl")).expect("removed");
    assert!(
        Command::new("mkfifo")
            .arg(scene.dir().join("task/workloads.jsonl"))
            .status()
            .expect("mkfifo")
            .success()
    );
    let done = scene.assay(&["kernel", "check", "task"]).expect(11);
    let says = "it is a named pipe, not a regular file";
    assert!(done.stderr.contains("workloads.jsonl") && done.stderr.contains(says), "{}", done.stderr);
    copied(&scene, "rmsnorm", "other");
    let task = scene.read("other/task.yaml");
    scene.write(
        "other/task.yaml",
        task.replace("oracle: {builtin: rmsnorm}", "oracle: {command: [sh, pipe]}"),
    );
    assert!(Command::new("mkfifo").arg(scene.dir().join("other/pipe")).status().expect("mkfifo").success());
    let done = scene.assay(&["kernel", "check", "other"]).expect(11);
    assert!(done.stderr.contains("other/pipe") && done.stderr.contains("a named pipe"), "{}", done.stderr);
}

#[test]
fn a_task_is_no_manifest_for_lint_and_fmt() {
    let scene = Scene::new();
    copied(&scene, "rmsnorm", "task");
    for args in [["lint", "task"], ["lint", "task/task.yaml"], ["fmt", "task"], ["fmt", "task/task.yaml"]] {
        let done = scene.assay(&args).expect(2);
        assert!(done.stderr.contains("assay kernel check task/task.yaml"), "{args:?} {}", done.stderr);
        assert!(
            done.stderr.contains("is a kernel task") && done.stderr.lines().count() < 9,
            "{}",
            done.stderr
        );
    }
    let read = scene.read("task/task.yaml");
    for args in [["lint", "-"], ["fmt", "-"]] {
        let done = scene.assay_reading(&args, &read).expect(2);
        assert!(done.stderr.contains("assay kernel check PATH"), "{args:?} {}", done.stderr);
    }
    // Beside manifests a task stays out of the way.
    scene.workflow("flow", "steps:\n  one: {uses: command, with: {argv: [\"true\"]}, timeout: 5s}\n");
    let done = scene.assay(&["fmt", "--check", "."]);
    assert!(done.stderr.contains("1 manifest"), "{}", done.stderr);
}

#[test]
fn a_step_tells_why_its_judge_did_not_judge() {
    let scene = Scene::new();
    let task = example("rmsnorm");
    let with = format!("task: {}\n      candidate: absent.c", task.display());
    let name =
        scene.workflow("step", &format!("steps:\n  judge:\n    uses: kernel\n    with:\n      {with}\n"));
    let done = scene.assay(&["run", &name]).expect(21);
    let line = done.stderr.lines().find(|line| line.contains("judge failed")).expect("a line about the step");
    assert!(line.contains("absent.c") && line.contains("No such file"), "{line}");
    let told = scene.finished("judge").to_string();
    assert!(told.contains("the judge ended with exit 2: ") && told.contains("No such file"), "{told}");
}

#[test]
fn an_oracle_that_fails_is_told_as_such_and_a_page_of_warnings_is_cut() {
    let scene = Scene::new();
    with_oracle(&scene, "[sh, -c, 'echo no such case >&2; exit 1']");
    let honest = example("rmsnorm").join("candidate/kernel.c");
    let done = scene.assay(&["kernel", "judge", "task", "--candidate", text(&honest)]).expect(11);
    let told = "no right answers: the oracle `sh` ";
    assert!(
        done.stderr.contains(told) && done.stderr.contains("ended with code 1: no such case"),
        "{done:?}"
    );
    assert!(!done.stderr.contains("asks for nothing"), "{}", done.stderr);
    let noise = "#warning this line is said again and again, at some length, by a candidate that means it\n";
    scene.write("noisy.c", format!("{}#error the end\n", noise.repeat(5_000)));
    judge(&scene, Path::new("noisy.c"), &["-o", "out"]).expect(23);
    let kept = scene.read("out/judgement.json");
    let judged: Value = serde_json::from_str(&kept).expect("JSON");
    let log = judged["judgement"]["findings"][0]["evidence"]["log"].as_str().expect("a log");
    assert!(log.len() <= 64 << 10 && log.contains("left out") && log.contains("the end"), "{}", log.len());
    assert!(
        judged["reason"].as_str().is_some_and(|reason| reason.contains("#error the end")),
        "{}",
        judged["reason"]
    );
}

#[test]
fn an_expression_that_cannot_be_read_names_its_line() {
    let scene = Scene::new();
    copied(&scene, "rmsnorm", "task");
    let task = scene.read("task/task.yaml");
    scene.write("task/task.yaml", task.replace("accum: {n: C,", "accum: {n: \"C +* 2\","));
    let at = task.lines().position(|line| line.starts_with("tolerance:")).expect("a tolerance") + 1;
    let wrong = scene.assay(&["kernel", "check", "task"]).expect(11);
    assert!(wrong.stderr.contains(&format!("task/task.yaml:{at}:")), "{}", wrong.stderr);
    assert!(wrong.stderr.contains("`C +* 2` cannot be computed"), "{}", wrong.stderr);
}
