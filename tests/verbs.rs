//! Every verb, for people and with `--json`: one object, follow-up commands that work, exit codes.

mod support;

use serde_json::{Value, json};
use std::time::{Duration, Instant};
use support::{Done, Scene, eventually, finish};

/// Checks what every machine answer has, and gives it.
#[track_caller]
fn answer(done: &Done, verb: &str) -> Value {
    let answer = done.json();
    assert_eq!(answer["v"], 1, "{answer}");
    assert_eq!(answer["verb"], verb);
    assert_eq!(answer["exit"], done.code);
    assert_eq!(answer["ok"], done.code == 0);
    assert!(answer["exit_name"].is_string() && answer["data"] != json!(0));
    let findings = answer["diagnostics"].as_array().expect("diagnostics");
    for finding in findings {
        assert!(
            finding["code"].is_string() && finding["severity"].is_string() && finding["message"].is_string()
        );
    }
    for next in answer["next"].as_array().expect("next") {
        assert!(
            next["command"].as_str().expect("a record as documented").starts_with("assay ")
                && next["why"].is_string(),
            "{next}"
        );
    }
    assert!(
        done.code == 0 || !findings.is_empty() || answer["data"].is_object(),
        "a failure says why: {answer}"
    );
    answer
}

const GOOD: &str = "\
inputs:
  n: {type: integer, default: 1}
steps:
  a: {uses: command, with: {argv: [echo, 'n is {{ inputs.n }}']}}
  b: {uses: command, needs: [a], with: {shell: 'echo to stderr >&2'}}
  c: {uses: command, when: inputs.n > 5, with: {argv: [echo, big]}}
  d: {uses: command, foreach: {v: [x, y]}, with: {argv: [echo, '{{ each.v }}']}}
gates:
  g: {assert: inputs.n < 9}
outputs:
  n: {value: inputs.n, type: integer}
";

#[test]
fn every_verb_answers_a_finished_run_with_one_object() {
    let scene = Scene::new();
    let file = scene.workflow("good", GOOD);
    let run = answer(&scene.assay(&["run", &file, "--json"]).expect(0), "run");
    let id = run["data"]["run"].as_str().unwrap().to_owned();
    for field in
        ["run", "dir", "name", "state", "verdict", "steps", "gates", "outputs", "report_md", "report_html"]
    {
        assert!(!run["data"][field].is_null(), "{field}: {run}");
    }
    assert_eq!(run["data"]["outputs"], json!({"n": 1}));
    for (args, verb) in [
        (vec!["status", &id], "status"),
        (vec!["wait", &id, "--for", "1s"], "wait"),
        (vec!["resume", &id], "resume"),
        (vec!["logs", &id], "logs"),
        (vec!["logs", &id, "a"], "logs"),
        (vec!["plan", &file], "plan"),
        (vec!["plan", &id], "plan"),
        (vec!["preflight", &file], "preflight"),
        (vec!["list"], "list"),
        (vec!["list", "runs"], "list"),
        (vec!["list", "steps"], "list"),
        (vec!["explain", "command"], "explain"),
        (vec!["explain", &id], "explain"),
        (vec!["explain", &id, "b"], "explain"),
        (vec!["explain", "26"], "explain"),
        (vec!["report", &id], "report"),
        (vec!["completions", "bash"], "completions"),
        (vec!["schema"], "schema"),
        (vec!["schema", "step:command"], "schema"),
        (vec!["new", "other"], "new"),
        (vec!["run", &file, "--dry-run"], "run"),
    ] {
        let mut args = args.clone();
        args.push("--json");
        let done = scene.assay(&args).expect(0);
        answer(&done, verb);
        assert!(done.stderr.is_empty(), "{args:?} also wrote: {}", done.stderr);
    }
    for (args, verb, code) in [
        (vec!["cancel", id.as_str()], "cancel", 3),
        (vec!["answer", &id, "a", "yes"], "answer", 3),
        (vec!["logs", &id, "zzz"], "logs", 3),
        (vec!["status", "nope"], "status", 33),
        (vec!["explain", "nope"], "explain", 3),
        (vec!["run", "nope"], "run", 3),
    ] {
        let mut args = args.clone();
        args.push("--json");
        let done = scene.assay(&args);
        assert_eq!(done.code, code, "{args:?} {done:?}");
        answer(&done, verb);
    }
}

#[test]
fn follow_up_commands_work_as_they_stand() {
    let scene = Scene::new();
    let file = scene.workflow("it fails", "");
    std::fs::remove_file(scene.dir().join(&file)).unwrap();
    let text = "apiVersion: assay/v1\nkind: Workflow\nname: fails\nversion: 0.1.0\nsteps:\n  \
                ask: {uses: approval, with: {question: 'Go?', choices: [\"it's fine\", 'no'], passes: [\"it's fine\"]}}\n  \
                a: {uses: command, needs: [ask], with: {argv: ['false']}}\n";
    scene.write("my flow.yaml", text);
    let mut seen = 0;
    let mut open = vec!["assay plan 'my flow.yaml' --json".to_owned()];
    while let Some(line) = open.pop() {
        let line = line.replace("<name>", "fails");
        let done = scene.shell(&line);
        assert!(!matches!(done.code, 1 | 2 | 3 | 33 | 127), "`{line}`: {done:?}");
        seen += 1;
        if seen > 12 || line.contains("explain") {
            continue;
        }
        let line = if line.contains("--json") { line } else { format!("{line} --json") };
        let again = scene.shell(&line);
        if let Ok(answer) = serde_json::from_str::<Value>(&again.stdout) {
            let next = answer["next"].as_array().cloned().unwrap_or_default();
            open.extend(next.iter().map(|next| next["command"].as_str().unwrap().to_owned()).filter(
                |next| {
                    // An answer counts once, so it cannot be given by this loop a second time.
                    !line.contains("answer") || !next.contains("answer")
                },
            ));
        }
        if line.contains("answer") {
            break;
        }
    }
    assert!(seen >= 3, "only {seen} commands were tried");
    scene.assay(&["status", "latest"]).expect(21);
    for next in scene.assay(&["status", "latest", "--json"]).json()["next"].as_array().unwrap() {
        let done = scene.shell(next["command"].as_str().unwrap());
        assert!(matches!(done.code, 0 | 21), "{next}: {done:?}");
    }
}

#[test]
fn plans_are_shown_in_every_format() {
    let scene = Scene::new();
    let file = scene.workflow("good", GOOD);
    let plan = |format: &str| scene.assay(&["plan", &file, "--format", format]).expect(0).stdout;
    let text = plan("text");
    assert!(text.contains("echo 'n is 1'"), "rendered commands: {text}");
    let data: Value = serde_json::from_str(&plan("json")).unwrap();
    let steps = data["steps"].as_array().unwrap();
    assert!(
        steps.iter().any(|step| step["path"] == "c" && step["why"].as_str().unwrap().contains("skip")),
        "{data}"
    );
    assert!(plan("dot").starts_with("digraph") && plan("mermaid").contains("flowchart"));
    let svg = scene.write("plan.svg", plan("svg"));
    let parse = "import sys, xml.etree.ElementTree as e; print(e.parse(sys.argv[1]).getroot().tag)";
    let parsed =
        std::process::Command::new("/usr/bin/env").args(["python3", "-c", parse]).arg(&svg).output().unwrap();
    assert!(String::from_utf8_lossy(&parsed.stdout).trim().ends_with("svg"), "{parsed:?}");
    scene.assay(&["run", &file]).expect(0);
    let svg = scene.assay(&["plan", "latest", "--format", "svg"]).expect(0).stdout;
    assert!(svg.starts_with("<svg") || svg.starts_with("<?xml"), "{svg}");
    assert!(!scene.assay(&["plan", &file, "--format", "pdf"]).stderr.is_empty());
}

#[test]
fn a_dry_run_starts_nothing_and_says_what_would() {
    let scene = Scene::new();
    let file = scene.workflow("good", GOOD);
    let done = scene.assay(&["run", &file, "--dry-run", "--json"]).expect(0);
    let steps = done.json()["data"]["steps"].clone();
    let would = |path: &str| {
        steps.as_array().unwrap().iter().find(|step| step["path"] == path).map(|step| step["would"].clone())
    };
    assert_eq!(would("a"), Some(json!("run")));
    assert_eq!(would("c"), Some(json!("skip")));
    assert_eq!(would("d[y]"), Some(json!("run")), "{steps}");
    assert!(!scene.dir().join("runs").exists());
}

#[test]
fn a_detached_run_is_followed_waited_for_and_stopped() {
    let scene = Scene::new();
    let file = scene.workflow(
        "long",
        "inputs:\n  s: {type: string, default: '0.5'}\nsteps:\n  a: {uses: command, with: {argv: [sh, -c, 'echo begun; sleep {{ inputs.s }}; echo ended']}}\n",
    );
    let done = scene.assay(&["run", &file, "--detach", "--json"]).expect(0);
    let first = answer(&done, "run");
    let id = first["data"]["run"].as_str().unwrap().to_owned();
    let followed = scene.assay(&["logs", "-f", &id]).expect(0);
    assert_eq!(followed.stdout, "begun\nended\n");
    scene.assay(&["wait", &id, "--for", "20s"]).expect(0);
    scene.assay(&["run", &file, "--detach", "-i", "s=60"]).expect(0);
    let begin = Instant::now();
    let waiting = scene.assay(&["wait", "latest", "--for", "300ms", "--json"]).expect(30);
    assert!(begin.elapsed() < Duration::from_secs(5));
    let running = answer(&waiting, "wait");
    assert!(running["next"][0]["command"].as_str().unwrap().contains("wait"), "{running}");
    scene.assay(&["status"]).expect(30);
    scene.assay(&["resume", "latest"]).expect(32);
    scene.assay(&["cancel", "latest"]).expect(0);
    scene.assay(&["status"]).expect(143);
    let marker = scene.run_dir().to_string_lossy().into_owned();
    assert!(eventually(Duration::from_secs(2), || support::processes_with(&marker).is_empty()));
    assert!(scene.assay(&["cancel", "latest"]).expect(3).stderr.contains("nobody works"));
}

#[test]
fn runs_are_found_by_unique_prefix() {
    let scene = Scene::new();
    let done = scene.assay(&["status"]).expect(33);
    assert!(done.stderr.contains("runs"), "{}", done.stderr);
    let file = scene.workflow("good", GOOD);
    let mut ids = Vec::new();
    // Two of 33 ids share their first character.
    for _ in 0..40 {
        let id = scene.assay(&["run", &file, "--no-report", "--json"]).expect(0).json()["data"]["run"]
            .as_str()
            .unwrap()
            .to_owned();
        ids.push(id);
        let twice = ids.iter().find(|id| ids.iter().filter(|other| other[..1] == id[..1]).count() > 1);
        if let Some(id) = twice {
            let done = scene.assay(&["status", &id[..1]]).expect(33);
            assert!(done.stderr.contains(id.as_str()), "the candidates: {}", done.stderr);
            break;
        }
    }
    let done = scene.assay(&["status", &ids[0], "--json"]).expect(0);
    assert_eq!(done.json()["data"]["run"], ids[0].as_str());
    let folder = scene.run_dir();
    scene.assay(&["status", folder.to_str().unwrap()]).expect(0);
    scene.assay(&["list", "runs", "--runs-dir", "elsewhere"]).expect(3);
    scene.assay(&["run", &file, "--runs-dir", "elsewhere"]).expect(0);
    scene.assay(&["list", "runs", "--runs-dir", "elsewhere"]).expect(0);
}

#[test]
fn everything_that_has_a_name_can_be_explained() {
    let scene = Scene::new();
    for what in ["command", "server", "http", "baseline", "compare", "approval"] {
        let text = scene.assay(&["explain", what]).expect(0).stdout;
        assert!(text.contains("uses:") || text.contains("with:"), "{what} has an example: {text}");
    }
    for what in [
        "command",
        "file",
        "port_free",
        "disk_free",
        "load",
        "gpu_idle",
        "git_clean",
        "env_set",
        "http",
        "assert",
    ] {
        scene.assay(&["explain", what]).expect(0);
    }
    let all = scene.assay(&["explain", "exit-codes"]).expect(0).stdout;
    for code in [0, 1, 2, 3, 10, 11, 20, 21, 22, 23, 24, 25, 26, 27, 30, 31, 32, 33, 34, 40, 130, 143] {
        assert!(all.lines().any(|line| line.trim_start().starts_with(&format!("{code} "))), "{code}: {all}");
        scene.assay(&["explain", &code.to_string()]).expect(0);
    }
    assert!(scene.assay(&["explain", "comand"]).expect(3).stderr.contains("`command`"));
    let file = scene.workflow("good", GOOD);
    scene.assay(&["run", &file]).expect(0);
    let text = scene.assay(&["explain", "latest"]).expect(0).stdout;
    assert!(text.contains("`when` is false"), "{text}");
    assert!(scene.assay(&["explain", "latest", "b"]).expect(0).stdout.contains("to stderr"));
}

#[test]
fn what_new_writes_runs_as_it_is() {
    let scene = Scene::new();
    for (args, name) in
        [(vec!["new", "first-skill"], "first-skill"), (vec!["new", "nightly", "--workflow"], "nightly")]
    {
        scene.assay(&args).expect(0);
        scene.assay(&["plan", name]).expect(0);
        scene.assay(&["run", name]).expect(0);
        assert!(scene.run_dir().join("report.html").exists());
    }
    let written = answer(&scene.assay(&["new", "third", "--json"]).expect(0), "new");
    for next in written["next"].as_array().unwrap() {
        scene.shell(next["command"].as_str().unwrap()).expect(0);
    }
    assert!(scene.assay(&["new", "first-skill"]).expect(2).stderr.contains("exists"));
    scene.assay(&["new", "Bad Name"]).expect(2);
    let listed = scene.assay(&["list"]).expect(0).stdout;
    assert!(listed.contains("first-skill") && listed.contains("built in"), "{listed}");
}

#[test]
fn scripts_of_completions_are_accepted_by_their_shell() {
    let scene = Scene::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = scene.assay(&["completions", shell]).expect(0).stdout;
        assert!(script.contains("preflight"), "{shell}");
        let file = scene.write(&format!("completion.{shell}"), &script);
        // A shell that is not installed cannot judge.
        if let Ok(checked) = std::process::Command::new(shell).arg("-n").arg(&file).output() {
            assert!(checked.status.success(), "{shell}: {checked:?}");
        }
    }
}

#[test]
fn wrong_usage_is_2_with_a_suggestion() {
    let scene = Scene::new();
    let done = scene.assay(&["prefligt", "x"]).expect(2);
    assert!(done.stderr.contains("preflight"), "{}", done.stderr);
    let done = scene.assay(&["run", "x", "--dry-rum"]).expect(2);
    assert!(done.stderr.contains("--dry-run"), "{}", done.stderr);
    answer(&scene.assay(&["rnu", "--json"]).expect(2), "rnu");
    let done = scene.assay(&["run", "godo"]).expect(3);
    assert!(!done.stderr.is_empty());
    scene.workflow("good", GOOD);
    std::fs::create_dir(scene.dir().join("workflows")).unwrap();
    std::fs::rename(scene.dir().join("good.yaml"), scene.dir().join("workflows/good.yaml")).unwrap();
    assert!(scene.assay(&["run", "godo"]).expect(3).stderr.contains("`good`"));
    scene.assay(&["run", "good"]).expect(0);
}

#[test]
fn piped_output_is_plain_and_a_report_can_be_written_again() {
    let scene = Scene::new();
    let file = scene.workflow("good", GOOD);
    let run = scene.start(&["run", &file, "--color", "auto"]);
    let done = finish(run).expect(0);
    assert!(!done.stdout.contains('\u{1b}') && !done.stderr.contains('\u{1b}'), "{done:?}");
    assert!(done.stdout.contains("report"), "{}", done.stdout);
    for name in ["report.md", "report.html"] {
        std::fs::remove_file(scene.run_dir().join(name)).unwrap();
    }
    scene.assay(&["report"]).expect(0);
    let html = scene.delivered("report.html");
    assert!(
        html.contains("<svg") && !html.contains("http://") | html.contains("www.w3.org"),
        "one file, no network"
    );
    assert!(!html.contains("src=\"http") && !html.contains("href=\"http"));
    assert!(scene.delivered("report.md").contains("good"));
}
