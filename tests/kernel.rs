//! `assay kernel`, `assay ledger`, `assay doctor`: what a judgement says, what is kept of it, and that nothing is left behind.

#[path = "support/kernels.rs"]
mod kernels;
#[path = "support/schemas.rs"]
#[expect(dead_code, reason = "this suite uses a part of it")]
mod schemas;
mod support;

use kernels::{candidate, copied, example, settled};
use schemas::{faults, schema, validator};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use support::{Done, Scene};

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// Judges a candidate for the RMS norm.
fn judge(scene: &Scene, candidate: &Path, more: &[&str]) -> Done {
    let task = example("rmsnorm");
    let mut args = vec!["kernel", "judge", text(&task), "--candidate", text(candidate), "--quick"];
    args.extend(more);
    scene.assay(&args)
}

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

/// Processes whose command line holds all words.
fn processes(words: &[&str]) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("proc").flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line: Vec<String> =
            line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into()).collect();
        if words.iter().all(|word| line.iter().any(|given| given == word)) {
            found.push(pid);
        }
    }
    found
}

/// Workers of a judge: its descendants.
fn workers(judge: u32) -> Vec<u32> {
    let parent = |pid: u32| -> Option<u32> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
    };
    processes(&["kernel-worker"]).into_iter().filter(|pid| parent(*pid) == Some(judge)).collect()
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A candidate that never ends, for a task that would wait a minute for it.
fn hanging(scene: &Scene) -> PathBuf {
    copied(scene, "rmsnorm", "task");
    let task = scene.read("task/task.yaml");
    scene.write("task/task.yaml", format!("{task}limits: {{call_ms: 60000}}\n"));
    candidate("b29_never_ends.c")
}

#[test]
fn a_killed_judge_leaves_nothing_running() {
    let mut scene = Scene::new();
    let hanging = hanging(&scene);
    // What a killed process leaves in its temporary folder goes with the scene.
    let folder = scene.dir();
    scene.env("TMPDIR", text(&folder));
    let mut command = scene.command(&["kernel", "judge", "task", "--candidate", text(&hanging)]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the judge");
    let mut spinning = Vec::new();
    wait_until("a worker that spins", || {
        spinning = workers(child.id()).into_iter().filter(|pid| spins(*pid)).collect();
        !spinning.is_empty()
    });
    child.kill().expect("killed");
    child.wait().expect("reaped");
    wait_until("the worker ends with its judge", || {
        spinning.iter().all(|pid| !Path::new(&format!("/proc/{pid}")).exists())
    });
}

/// Whether a process has computed for more than a second.
fn spins(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let user =
        stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(11)?.parse::<u64>().ok());
    user.is_some_and(|ticks| ticks > 100)
}

/// A judge of an honest kernel, with a folder of its own for temporary files.
fn honest_judge() -> (Scene, PathBuf, Command) {
    let mut scene = Scene::new();
    scene.write("tmp/.keep", "");
    let folder = scene.dir().join("tmp");
    scene.env("TMPDIR", text(&folder));
    let task = example("rmsnorm");
    let honest = task.join("candidate/kernel.c");
    let command = scene.command(&["kernel", "judge", text(&task), "--candidate", text(&honest)]);
    (scene, folder, command)
}

#[test]
fn an_interrupted_judge_cleans_up() {
    let (_scene, folder, mut command) = honest_judge();
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the judge");
    wait_until("a worker", || !workers(child.id()).is_empty());
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
    assert!(killed.success());
    let mut child = child;
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    let left: Vec<_> =
        std::fs::read_dir(&folder).expect("a folder").flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, [".keep"], "temporary folders are gone");
}

/// The RMS norm with an oracle that is a program, as a line of YAML.
fn with_oracle(scene: &Scene, command: &str) {
    copied(scene, "rmsnorm", "task");
    let task = scene.read("task/task.yaml");
    let line = task.lines().find(|line| line.starts_with("oracle:")).expect("an oracle");
    scene.write("task/task.yaml", task.replace(line, &format!("oracle: {{command: {command}}}")));
}

#[test]
fn a_signal_ends_a_judge_whose_oracle_sleeps() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let mut scene = Scene::new();
        scene.write("tmp/.keep", "");
        let folder = scene.dir().join("tmp");
        scene.env("TMPDIR", text(&folder));
        // The shell's own child must go, too.
        let marker = format!("301.{}", std::process::id());
        with_oracle(&scene, &format!("[sh, -c, 'sleep {marker}; true']"));
        let honest = example("rmsnorm").join("candidate/kernel.c");
        let mut command = scene.command(&["kernel", "judge", "task", "--candidate", text(&honest)]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the judge");
        wait_until("an oracle that sleeps", || !processes(&["sleep", &marker]).is_empty());
        let begun = Instant::now();
        support::kill(child.id(), signal);
        assert_eq!(child.wait().expect("it ends").code(), Some(code));
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
        assert!(processes(&["sleep", &marker]).is_empty(), "the oracle's group is gone");
        let left: Vec<_> =
            std::fs::read_dir(&folder).expect("a folder").flatten().map(|entry| entry.file_name()).collect();
        assert_eq!(left, [".keep"], "temporary folders are gone");
    }
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

#[test]
fn a_signal_ends_a_judge_that_proves_its_baseline() {
    let (_scene, folder, mut command) = honest_judge();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the judge");
    let mut told = BufReader::new(child.stderr.take().expect("its messages")).lines();
    assert!(told.any(|line| line.expect("text").contains("baseline: gate abi")), "the baseline is under way");
    support::kill(child.id(), "TERM");
    let mut ended = None;
    wait_until("the judge ends", || {
        ended = child.try_wait().expect("a child");
        ended.is_some()
    });
    assert_eq!(ended.and_then(|status| status.code()), Some(143));
    let left: Vec<_> =
        std::fs::read_dir(&folder).expect("a folder").flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, [".keep"], "temporary folders are gone");
}
