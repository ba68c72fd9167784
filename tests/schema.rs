//! `assay schema`: the checked-in files, the kinds, what real runs write, and what an editor makes of them.

#[path = "support/schemas.rs"]
mod schemas;
mod support;

use schemas::{HEAD, faults, root, schema, tree, validator};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;
use support::Scene;

/// The kinds with a file in `schemas/`.
fn kinds(scene: &Scene) -> Vec<(String, PathBuf)> {
    let answer = scene.assay(&["schema", "--json"]).expect(0).json();
    let kinds = answer["data"]["kinds"].as_array().expect("kinds").iter();
    let with_file = kinds.filter_map(|kind| {
        Some((kind["name"].as_str().expect("a name").to_owned(), root().join(kind["file"].as_str()?)))
    });
    with_file.collect()
}

#[test]
fn the_files_are_what_the_binary_prints() {
    let scene = Scene::new();
    let update = std::env::var_os("UPDATE_SCHEMAS").is_some();
    let kinds = kinds(&scene);
    assert!(kinds.len() >= 4, "{kinds:?}");
    for (kind, file) in &kinds {
        let printed = scene.assay(&["schema", kind]).expect(0).stdout;
        if update {
            std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
            std::fs::write(file, &printed).expect("a file");
        }
        let kept = std::fs::read_to_string(file).unwrap_or_default();
        assert!(
            kept == printed,
            "`{}` is not what `assay schema {kind}` prints; write it again with `UPDATE_SCHEMAS=1 cargo test --test schema`",
            file.display()
        );
        let wrapped = scene.assay(&["schema", kind, "--json"]).expect(0).json();
        assert_eq!(
            wrapped["data"],
            json!({"kind": kind, "schema": serde_json::from_str::<Value>(&kept).unwrap()})
        );
    }
    for entry in std::fs::read_dir(root().join("schemas")).expect("schemas").flatten() {
        assert!(kinds.iter().any(|(_, file)| *file == entry.path()), "{entry:?} belongs to no kind");
    }
}

#[test]
fn every_kind_is_listed_printed_and_suggested() {
    let scene = Scene::new();
    let listed = scene.assay(&["schema"]).expect(0).stdout;
    for kind in [
        "manifest ",
        "skill ",
        "workflow ",
        "event ",
        "answer ",
        "plan ",
        "step:command ",
        "check:gpu_idle ",
        "inputs:<manifest>",
    ] {
        assert!(listed.contains(kind), "{kind} is not in\n{listed}");
    }
    for line in listed.lines().filter(|line| !line.starts_with("inputs:")) {
        let kind = line.split_whitespace().next().expect("a kind");
        validator(&schema(&scene, kind));
    }
    for (wrong, near) in [
        ("manifst", "manifest"),
        ("command", "step:command"),
        ("step:comand", "step:command"),
        ("load", "check:load"),
    ] {
        let said = scene.assay(&["schema", wrong]).expect(3).stderr;
        assert!(said.contains(&format!("did you mean `{near}`?")), "{said}");
    }
    let answer = scene.assay(&["schema", "quux", "--json"]).expect(3).json();
    assert_eq!(answer["diagnostics"][0]["code"], "unknown-schema");
}

#[test]
fn every_field_of_every_kind_is_described() {
    fn walk(schema: &Value, at: &str, bare: &mut Vec<String>) {
        if !schema.is_object() {
            return;
        }
        // `if`, `then` and `dependencies` narrow fields that are described where they are declared.
        for key in ["properties", "definitions"] {
            for (name, field) in schema[key].as_object().into_iter().flatten() {
                let here = format!("{at}/{key}/{name}");
                let doc = field["description"].as_str().unwrap_or_default();
                if doc.len() < 5 || doc.replace("\n\n", " ").contains('\n') {
                    bare.push(here.clone());
                }
                walk(field, &here, bare);
            }
        }
        for key in ["items", "additionalProperties"] {
            walk(&schema[key], &format!("{at}/{key}"), bare);
        }
        for key in ["anyOf", "oneOf", "allOf"] {
            for branch in schema[key].as_array().into_iter().flatten() {
                walk(branch, &format!("{at}/{key}"), bare);
            }
        }
    }
    let scene = Scene::new();
    let all =
        kinds(&scene).into_iter().map(|(kind, _)| kind).chain(["skill", "step:server"].map(str::to_owned));
    for kind in all {
        let mut bare = Vec::new();
        walk(&schema(&scene, &kind), "", &mut bare);
        assert_eq!(bare, [""; 0], "{kind}: no description");
    }
}

#[test]
fn records_answers_and_plans_of_real_runs_fit() {
    let scene = Scene::new();
    let body = "inputs:\n  n: {type: integer, default: 1, description: How many}\n\
        preflight:\n  fits: {check: assert, with: {that: inputs.n < 9}}\n\
        steps:\n  a: {uses: command, with: {shell: 'echo 3; echo x >&2', parse: {as: json, schema: {type: integer}}}}\n  \
        b: {uses: command, needs: [a], with: {argv: ['false']}, retry: {max: 1, backoff: {first: 1ms}}, on_fail: warn}\n  \
        c: {uses: command, when: inputs.n > 5, with: {argv: [echo, big]}}\n  \
        d: {uses: command, foreach: {v: [x, y]}, with: {argv: [echo, '{{ each.v }}']}, files: {}}\n  \
        e: {uses: baseline, with: {values: {n: 1}}}\n  \
        ask: {uses: approval, needs: [d], with: {question: 'Go?'}}\n  \
        last: {uses: command, needs: [ask], with: {argv: [\"true\"]}}\n\
        gates:\n  g: {assert: steps.a.result == 3}\n  w: {assert: steps.a.result == 4, on_fail: warn}\n\
        outputs:\n  n: {value: steps.a.result, type: integer}\n\
        deliver:\n  out/n.json: outputs\n";
    let file = scene.workflow("whole", body);
    let answers = validator(&schema(&scene, "answer"));
    let mut asked = 0;
    let mut ask = |args: &[&str], code: i32| -> Value {
        let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        let answer = scene.assay(&args).expect(code).json();
        assert_eq!(faults(&answers, &answer), [""; 0], "{args:?}");
        asked += 1;
        answer
    };
    let run = ask(&["run", &file], 31)["data"]["run"].as_str().expect("a run").to_owned();
    ask(&["resume", &run], 31);
    ask(&["status", &run], 31);
    ask(&["answer", &run, "ask", "yes"], 0);
    for args in [
        vec!["status", &run],
        vec!["logs", &run],
        vec!["plan", &file],
        vec!["plan", &run],
        vec!["explain", &run],
        vec!["explain", "command"],
        vec!["list"],
        vec!["list", "runs"],
        vec!["schema"],
        vec!["schema", "plan"],
        vec!["report", &run],
        vec!["preflight", &file],
        vec!["new", "other"],
    ] {
        ask(&args, 0);
    }
    ask(&["status", "nope"], 33);
    ask(&["frobnicate"], 2);
    scene.write("bad.yaml", format!("{HEAD}steps: {{a: {{uses: comand, with: {{}}}}}}\nstep: 1\n"));
    let refused = ask(&["plan", "bad.yaml"], 11);
    assert!(refused["diagnostics"].as_array().expect("findings").len() >= 2);
    assert!(asked >= 19);

    let records = validator(&schema(&scene, "event"));
    let journal = std::fs::read_to_string(scene.run_dir().join("journal.jsonl")).expect("a journal");
    let mut types = std::collections::BTreeSet::new();
    for line in journal.lines() {
        let record: Value = serde_json::from_str(line).expect("a record");
        assert_eq!(faults(&records, &record), [""; 0], "{line}");
        types.insert(record["type"].as_str().expect("a type").to_owned());
        let mut wrong = record.clone();
        wrong["type"] = json!("nothing");
        assert!(!records.is_valid(&wrong), "an unknown type");
        let mut wrong = record.clone();
        wrong["data"] = json!({});
        assert!(!records.is_valid(&wrong) || record["data"] == json!({}), "no data: {line}");
        let mut wrong = record;
        wrong["extra"] = json!(1);
        assert!(!records.is_valid(&wrong), "one more field");
    }
    for wanted in [
        "run_started",
        "engine_started",
        "check_finished",
        "expanded",
        "step_finished",
        "gate_decided",
        "asked",
        "answered",
        "delivered",
        "run_finished",
    ] {
        assert!(types.contains(wanted), "{wanted} is not among {types:?}");
    }

    let plans = validator(&schema(&scene, "plan"));
    let plan = std::fs::read_to_string(scene.run_dir().join("plan.json")).expect("a plan");
    let mut plan: Value = serde_json::from_str(&plan).expect("JSON");
    assert_eq!(faults(&plans, &plan), [""; 0]);
    plan["nodes"][0]["kind"] = json!("other");
    assert!(!plans.is_valid(&plan));
}

#[test]
fn a_file_of_inputs_has_a_schema_of_its_own() {
    let scene = Scene::new();
    let file = scene.workflow(
        "typed",
        "inputs:\n  n: {type: integer, minimum: 2, default: 3, description: How many}\n  wait: {type: string, format: duration}\n\
         steps: {a: {uses: command, with: {argv: [echo, '{{ inputs.n }}', '{{ inputs.wait }}']}}}\n",
    );
    let inputs = validator(&schema(&scene, &format!("inputs:{file}")));
    for (text, good) in [
        ("n: 4\nwait: 2s\n", true),
        ("wait: 2.5\n", true),
        ("n: 1\n", false),
        ("n: x\n", false),
        ("m: 1\n", false),
        ("wait: 2 weeks\n", false),
    ] {
        assert_eq!(inputs.is_valid(&tree(text)), good, "{text}");
        scene.write("given.yaml", text);
        let code = scene.assay(&["plan", &file, "--inputs", "given.yaml"]).code;
        assert!(good == (code == 0), "the engine says {code} to {text}");
    }
    scene.assay(&["schema", "inputs:nothing"]).expect(3);
}

#[test]
fn a_new_manifest_names_the_schema_where_there_is_one() {
    let scene = Scene::new();
    let first = |path: &str| {
        let text = std::fs::read_to_string(scene.dir().join(path)).expect("a manifest");
        text.lines().next().expect("a line").to_owned()
    };
    scene.assay(&["new", "without"]).expect(0);
    assert!(!first("skills/without/skill.yaml").contains("$schema"));
    scene.write("schemas/manifest.schema.json", &scene.assay(&["schema", "manifest"]).expect(0).stdout);
    scene.assay(&["new", "one"]).expect(0);
    scene.assay(&["new", "two", "--workflow"]).expect(0);
    for (path, schema) in [
        ("skills/one/skill.yaml", "../../schemas/manifest.schema.json"),
        ("workflows/two.yaml", "../schemas/manifest.schema.json"),
    ] {
        assert_eq!(first(path), format!("# yaml-language-server: $schema={schema}"));
        let folder = scene.dir().join(path).parent().expect("a folder").to_owned();
        assert!(folder.join(schema).exists(), "{schema} leads nowhere");
        scene.assay(&["plan", path]).expect(0);
    }
}

/// The language server that most editors use; the version is what these expectations were written with.
const LANGUAGE_SERVER: &str = "yaml-language-server@1.25.0";

#[test]
fn a_language_server_completes_explains_and_checks() {
    if std::env::var("ASSAY_TEST_FULL").is_ok_and(|value| value == "1") {
        let found = |program: &str| {
            Command::new(program).arg("--version").output().is_ok_and(|out| out.status.success())
        };
        match found("node") && found("npm") {
            true => ask_the_language_server(),
            false => eprintln!("skipped: `node` and `npm` are needed to ask a YAML language server"),
        }
    } else {
        eprintln!("skipped: `ASSAY_TEST_FULL=1` asks a YAML language server, which is fetched with `npm`");
    }
}

fn ask_the_language_server() {
    let scene = Scene::new();
    let printed = scene.assay(&["schema", "manifest"]).expect(0).stdout;
    let file = scene.write("manifest.schema.json", &printed);
    let fetched = Command::new("npm")
        .args(["install", "--no-fund", "--no-audit", "--silent", "--prefix"])
        .arg(scene.dir())
        .arg(LANGUAGE_SERVER)
        .output()
        .expect("npm");
    assert!(fetched.status.success(), "{}", String::from_utf8_lossy(&fetched.stderr));
    let header = format!("# yaml-language-server: $schema=file://{}\n{HEAD}", file.display());
    let cases = [
        ("uses", "steps:\n  a:\n    uses: ‸\n"),
        ("check", "preflight:\n  a:\n    check: ‸\n"),
        ("fields", "steps:\n  a:\n    uses: command\n    with: {argv: [x]}\n    ‸\n"),
        ("with", "steps:\n  a:\n    uses: compare\n    with:\n      ‸\n"),
        (
            "nested",
            "steps:\n  a:\n    uses: command\n    with:\n      argv: [x]\n      parse:\n        as: ‸\n",
        ),
        ("hover", "steps:\n  a:\n    uses: command\n    with: {argv: [x]}\n    time‸out: 2m\n"),
        ("hover_with", "steps:\n  a:\n    uses: compare\n    with:\n      max_‸pairs: 3\n"),
        (
            "good",
            "steps:\n  a‸:\n    uses: command\n    with: {argv: [x, \"{{ inputs.n }}\"]}\n    timeout: \"{{ inputs.t }}\"\n",
        ),
        ("unknown", "steps:\n  a‸:\n    uses: command\n    with: {argv: [x]}\n    tiemout: 2m\n"),
        ("unknown_with", "steps:\n  a‸:\n    uses: command\n    with: {argv: [x], colour: red}\n"),
        ("wrong_word", "steps:\n  a‸: {uses: comand, with: {}}\n"),
        ("no_unit", "steps:\n  a‸: {uses: command, with: {argv: [x]}, timeout: \"90\"}\n"),
        ("two", "steps:\n  a‸: {uses: command, with: {argv: [x], shell: y}}\n"),
        ("bad_id", "steps:\n  Build‸: {uses: command, with: {argv: [x]}}\n"),
    ];
    let asked: Vec<Value> =
        cases.iter().map(|(name, text)| json!({"name": name, "text": format!("{header}{text}")})).collect();
    let asked = scene.write("cases.json", Value::from(asked).to_string());
    let server = scene.dir().join("node_modules/yaml-language-server/bin/yaml-language-server");
    let said = Command::new("node")
        .arg(root().join("tests/schema/language_server.mjs"))
        .args([&server, &asked])
        .output()
        .expect("node");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let said: Value = serde_json::from_slice(&said.stdout).expect("one object");

    let labels = |case: &str| -> Vec<&str> {
        let items = said[case]["completion"].as_array().expect("a list").iter();
        items.map(|item| item["label"].as_str().expect("a label")).collect()
    };
    let offers = |case: &str, wanted: &[&str]| {
        let labels = labels(case);
        for wanted in wanted {
            assert!(labels.contains(wanted), "{case}: `{wanted}` is not among {labels:?}");
        }
    };
    offers("uses", &["command", "server", "compare", "skill:my-skill"]);
    offers("check", &["load", "gpu_idle", "assert"]);
    offers("fields", &["timeout", "needs", "retry", "on_fail"]);
    offers("with", &["baseline", "candidate", "metric", "max_pairs"]);
    assert!(!labels("with").contains(&"argv"), "`compare` takes no `argv` of its own");
    offers("nested", &["json", "jsonl", "csv", "regex"]);
    let shows = |case: &str, field: &str, wanted: &str| {
        let text = said[case][field].to_string();
        assert!(text.contains(wanted), "{case}: {text}");
    };
    shows("hover", "hover", "Limit of one attempt");
    shows("hover_with", "hover", "Pairs at most");
    assert_eq!(said["good"]["diagnostics"], json!([]));
    shows("unknown", "diagnostics", "tiemout is not allowed");
    shows("unknown_with", "diagnostics", "colour is not allowed");
    shows("wrong_word", "diagnostics", "command");
    shows("no_unit", "diagnostics", "Not a duration: write a number with");
    shows("two", "diagnostics", "Property argv is not allowed");
    shows("bad_id", "diagnostics", "A name is `[a-z][a-z0-9_]*`");
}
