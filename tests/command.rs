//! The `command` step: ends, retries, `parse`, `watch`, declared files, results reused from earlier runs.

mod support;

use serde_json::{Value, json};
use support::Scene;

/// A workflow with one command step `a`.
fn one(scene: &Scene, fields: &str) -> String {
    scene.workflow("one", &format!("steps:\n  a: {{uses: command, {fields}}}\n"))
}

fn sh(script: &str) -> String {
    format!("with: {{argv: [sh, -c, '{script}']}}")
}

#[test]
fn expected_ends_pass_and_every_other_says_what_came() {
    let cases = [
        ("expect: {exit: any}", "exit 9", "passed"),
        ("expect: {exit: nonzero}", "exit 9", "passed"),
        ("expect: {exit: nonzero}", "exit 0", "failed"),
        ("expect: {exit: 4}", "exit 4", "passed"),
        ("expect: {exit: [4, 5]}", "exit 5", "passed"),
        ("expect: {exit: [4, 5]}", "exit 0", "failed"),
        ("expect: {signal: SIGABRT}", "kill -ABRT $$", "passed"),
        ("expect: {signal: SIGABRT}", "kill -KILL $$", "failed"),
        ("expect: {timeout: true}, timeout: 200ms", "sleep 30", "passed"),
        ("expect: {timeout: true}, timeout: 5s", "exit 0", "failed"),
        ("timeout: 200ms", "sleep 30", "timed_out"),
        ("on_fail: warn", "exit 3", "failed"),
        ("status: {0: passed, 75: retry, 124: timed_out, 137: environment}", "exit 124", "timed_out"),
        ("status: {0: passed, 75: retry, 124: timed_out, 137: environment}", "exit 137", "environment"),
        ("status: {0: passed, 3: skipped}", "exit 3", "skipped"),
        ("status: {0: passed}", "exit 3", "failed"),
    ];
    let steps: Vec<String> = cases
        .iter()
        .enumerate()
        .map(|(index, (fields, script, _))| {
            format!("  s{index}: {{uses: command, {fields}, {}}}\n", sh(script))
        })
        .collect();
    let scene = Scene::new();
    let file = scene.workflow("ends", &format!("steps:\n{}", steps.concat()));
    scene.assay(&["run", &file]).expect(21);
    let statuses = scene.statuses();
    for (index, (fields, script, wanted)) in cases.iter().enumerate() {
        assert_eq!(statuses[&format!("s{index}")], *wanted, "{fields} / {script}");
    }
    let reason = scene.finished("s5")["reason"].to_string();
    assert!(reason.contains("expected") && reason.contains("got"), "{reason}");
    assert_eq!(scene.finished("s6")["signal"], "SIGABRT");
    assert_eq!(scene.finished("s0")["exit"], 9);
}

#[test]
fn a_missing_program_is_named() {
    let scene = Scene::new();
    let file = one(&scene, "with: {argv: [no-such-program-here]}");
    scene.assay(&["run", &file]).expect(21);
    assert!(scene.finished("a")["reason"].to_string().contains("no-such-program-here"));
}

#[test]
fn retries_are_new_attempts_with_pauses_that_grow() {
    let scene = Scene::new();
    let counter = scene.dir().join("count");
    let script = format!("echo x >> {0}; test $(wc -l < {0}) -ge 3", counter.display());
    let fields =
        format!("retry: {{max: 4, backoff: {{first: 100ms, factor: 3, limit: 200ms}}}}, {}", sh(&script));
    let file = one(&scene, &fields);
    let begin = std::time::Instant::now();
    scene.assay(&["run", &file]).expect(0);
    let took = begin.elapsed().as_secs_f64();
    assert!((0.3..5.0).contains(&took), "pauses of 100 ms and 200 ms: {took}");
    let ends: Vec<(Value, Value)> =
        scene.events("step_finished").iter().map(|e| (e["attempt"].clone(), e["final"].clone())).collect();
    assert_eq!(ends, [(json!(1), json!(false)), (json!(2), json!(false)), (json!(3), json!(true))]);
}

#[test]
fn only_named_statuses_and_the_word_retry_are_tried_again() {
    let attempts = |fields: &str, script: &str| {
        let scene = Scene::new();
        let file = one(&scene, &format!("{fields}, {}", sh(script)));
        scene.assay(&["run", &file]);
        (scene.events("step_started").len(), scene.statuses()["a"].clone())
    };
    let back = "backoff: {first: 10ms}";
    assert_eq!(
        attempts(&format!("retry: {{max: 2, {back}, when_status: [timed_out]}}"), "exit 1"),
        (1, "failed".into())
    );
    assert_eq!(attempts(&format!("retry: {{max: 2, {back}}}"), "exit 1"), (3, "failed".into()));
    let status = "status: {0: passed, 75: retry}";
    assert_eq!(
        attempts(&format!("retry: {{max: 2, {back}, when_status: [timed_out]}}, {status}"), "exit 75"),
        (3, "failed".into())
    );
    assert_eq!(attempts(status, "exit 75"), (1, "failed".into()));
}

fn parsed(scene: &Scene, output: &str, parse: &str) -> Result<Value, String> {
    scene.write("out.txt", output);
    let file = one(
        scene,
        &format!("with: {{argv: [cat, '{}'], parse: {parse}}}", scene.dir().join("out.txt").display()),
    );
    let done = scene.assay(&["run", &file]);
    let end = scene.finished("a");
    match done.code {
        0 => Ok(end["outputs"]["result"].clone()),
        _ => Err(end["reason"].as_str().unwrap_or_default().to_owned()),
    }
}

#[test]
fn json_and_json_lines_are_read_and_checked() {
    let scene = Scene::new();
    let shape = "schema: {type: object, required: [e], properties: {e: {type: number}}}";
    let json_of = |text: &str| parsed(&scene, text, &format!("{{as: json, from: stdout, {shape}}}"));
    assert_eq!(json_of("{\"e\": 1.5, \"more\": [1]}\n"), Ok(json!({"e": 1.5, "more": [1]})));
    let fault = json_of("{\n  \"e\": \"x\"\n}\n").unwrap_err();
    assert!(fault.contains("/e"), "{fault}");
    let fault = json_of("{\n  \"e\": nope\n}\n").unwrap_err();
    assert!(fault.contains("line 2"), "{fault}");
    assert!(json_of("").is_err() && json_of("{}").is_err());
    let rows =
        "schema: {type: array, items: {type: object, required: [n], properties: {n: {type: integer}}}}";
    let lines = |text: &str, pick: &str, shape: &str| {
        parsed(&scene, text, &format!("{{as: jsonl, from: stdout, {pick}{shape}}}"))
    };
    assert_eq!(lines("{\"n\":1}\n{\"n\":2}\n", "match: all, ", rows), Ok(json!([{"n": 1}, {"n": 2}])));
    let fault = lines("{\"n\":1}\n{\"n\":\n", "", rows).unwrap_err();
    assert!(fault.contains("line 2"), "{fault}");
    let row = "schema: {type: object, required: [n], properties: {n: {type: integer}}}";
    assert_eq!(lines("{\"n\":1}\n{\"n\":2}\n", "match: last, ", row), Ok(json!({"n": 2})));
    assert_eq!(lines("{\"n\":1}\n{\"n\":2}\n", "match: first, ", row), Ok(json!({"n": 1})));
}

#[test]
fn csv_and_patterns_become_typed_values() {
    let scene = Scene::new();
    let rows = "schema: {type: array, items: {type: object, properties: {n: {type: integer}, ok: {type: boolean}, t: {type: number}}}}";
    let csv = |text: &str| parsed(&scene, text, &format!("{{as: csv, from: stdout, {rows}}}"));
    assert_eq!(
        csv("n,name,t,ok\n1,\"a, b\",0.5,true\n2,c,3,false\n"),
        Ok(
            json!([{"n": 1, "name": "a, b", "t": 0.5, "ok": true}, {"n": 2, "name": "c", "t": 3, "ok": false}])
        )
    );
    let fault = csv("n,name,t,ok\n1,a,0.5,true\nmany,b,1,true\n").unwrap_err();
    assert!(fault.contains("many") && (fault.contains("line 3") || fault.contains("row 2")), "{fault}");
    let fields = "fields: {ms: 'took ([0-9.]+) ms', name: 'case (\\w+)'}";
    let one = "schema: {type: object, required: [ms, name], properties: {ms: {type: number}, name: {type: string}}}";
    let text = "case 12\ntook 1.5 ms\ncase b\ntook 2.5 ms\n";
    let regex = |pick: &str, shape: &str| {
        parsed(&scene, text, &format!("{{as: regex, from: stdout, {fields}, {pick}{shape}}}"))
    };
    assert_eq!(regex("match: first, ", one), Ok(json!({"ms": 1.5, "name": "12"})));
    assert_eq!(regex("match: last, ", one), Ok(json!({"ms": 2.5, "name": "b"})));
    let fault =
        parsed(&scene, "nothing\n", &format!("{{as: regex, from: stdout, {fields}, {one}}}")).unwrap_err();
    assert!(fault.contains("ms"), "{fault}");
}

#[test]
fn results_come_from_stderr_and_from_files_and_on_every_expected_end() {
    let scene = Scene::new();
    let schema = "schema: {type: object, properties: {n: {type: integer}}}";
    let file = scene.workflow(
        "from",
        &format!(
            "steps:\n  err: {{uses: command, with: {{shell: 'echo noise; echo ''{{\"n\": 1}}'' >&2', parse: {{as: json, from: stderr, {schema}}}}}}}\n  \
             file: {{uses: command, with: {{shell: 'echo ''{{\"n\": 2}}'' > r.json', parse: {{as: json, from: '{{{{ step.dir }}}}/r.json', {schema}}}}}}}\n  \
             end: {{uses: command, expect: {{exit: 7}}, with: {{shell: 'echo ''{{\"n\": 3}}''; exit 7', parse: {{as: json, from: stdout, {schema}}}}}}}\n\
             outputs:\n  all: {{value: '[steps.err.result.n, steps.file.result.n, steps.end.result.n]', type: array}}\n"
        ),
    );
    scene.assay(&["run", &file]).expect(0);
    assert_eq!(scene.outputs()["all"], json!([1, 2, 3]));
}

#[test]
fn watched_patterns_must_or_must_not_appear() {
    let scene = Scene::new();
    let case = |watch: &str, script: &str| {
        let file =
            one(&scene, &format!("with: {{watch: {watch}, argv: [sh, -c, '{script}']}}, timeout: 20s"));
        let begin = std::time::Instant::now();
        let code = scene.assay(&["run", &file]).code;
        (
            code,
            scene.finished("a")["reason"].as_str().unwrap_or_default().to_owned(),
            begin.elapsed().as_secs(),
        )
    };
    assert_eq!(case("{must: [{regex: ^done$}]}", "echo done").0, 0);
    let (code, reason, _) = case("{must: [{regex: ^done$, name: the end}]}", "echo undone");
    assert!(code == 21 && reason.contains("the end"), "{reason}");
    let (code, reason, took) =
        case("{must_not: [{regex: CUDA error}]}", "echo fine; echo CUDA error 700 >&2; sleep 15");
    assert!(code == 21 && reason.contains("CUDA error 700") && reason.contains("stderr"), "{reason}");
    assert!(took < 10, "the program is stopped at once, not after {took} s");
}

#[test]
fn declared_files_are_digested_and_missing_ones_fail() {
    let scene = Scene::new();
    let file = scene.workflow(
        "files",
        "steps:\n  make: {uses: command, with: {shell: 'printf hello > out.bin'}, files: {out: '{{ step.dir }}/out.bin'}}\n  \
         use: {uses: command, reads: ['{{ steps.make.files.out.path }}'], with: {argv: [cat, '{{ steps.make.files.out.path }}']}}\n  \
         bare: {uses: command, with: {argv: ['true']}, files: {lost: '{{ step.dir }}/lost.bin'}}\n  \
         blind: {uses: command, reads: [missing.txt], with: {argv: ['true']}}\n",
    );
    scene.assay(&["run", &file]).expect(21);
    let out = scene.finished("make")["outputs"]["files"]["out"].clone();
    assert_eq!(out["bytes"], 5);
    assert_eq!(out["sha256"], "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
    assert_eq!(scene.printed("use"), "hello");
    assert_eq!(scene.finished("use")["reads"][0]["sha256"], out["sha256"]);
    assert!(scene.finished("bare")["reason"].to_string().contains("lost"));
    assert!(scene.finished("blind")["reason"].to_string().contains("missing.txt"));
}

#[test]
fn a_cached_result_is_reused_by_a_later_run_until_something_differs() {
    let scene = Scene::new();
    scene.write("in.txt", "1");
    let file = scene.workflow(
        "cached",
        "inputs:\n  n: {type: integer, default: 1}\nsteps:\n  a: {uses: command, cache: true, reads: [in.txt], with: {argv: [sh, -c, 'echo {{ inputs.n }}; date +%N']}}\n",
    );
    let run = |args: &[&str]| {
        let mut all = vec!["run", file.as_str()];
        all.extend(args);
        scene.assay(&all).expect(0);
        scene.finished("a")["cached_from"].clone()
    };
    assert_eq!(run(&[]), Value::Null);
    let first = scene.events("run_started")[0]["run"].clone();
    assert_eq!(run(&[]), first);
    assert_eq!(scene.events("step_started").len(), 0, "it was run all the same");
    assert!(scene.delivered("report.md").contains(first.as_str().unwrap()), "the report does not say so");
    assert_eq!(run(&["-i", "n=2"]), Value::Null, "another configuration");
    scene.write("in.txt", "2");
    assert_eq!(run(&[]), Value::Null, "another file");
}

#[test]
fn standard_input_is_empty_or_a_file() {
    let scene = Scene::new();
    scene.write("in.txt", "from a file");
    let file = scene.workflow(
        "stdin",
        "steps:\n  bare: {uses: command, with: {argv: [cat]}}\n  file: {uses: command, with: {argv: [cat], stdin: in.txt}}\n",
    );
    scene.assay(&["run", &file]).expect(0);
    assert_eq!((scene.printed("bare").as_str(), scene.printed("file").as_str()), ("", "from a file"));
}
