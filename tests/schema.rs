//! `assay schema`: the checked-in files, what they take and refuse, and what an editor makes of them.

mod support;

use jsonschema::Validator;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use support::Scene;

const HEAD: &str = "apiVersion: assay/v1\nkind: Skill\nname: sample\nversion: 1.0.0\n";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The kinds with a file in `schemas/`.
fn kinds(scene: &Scene) -> Vec<(String, PathBuf)> {
    let answer = scene.assay(&["schema", "--json"]).expect(0).json();
    let kinds = answer["data"]["kinds"].as_array().expect("kinds").iter();
    let with_file = kinds.filter_map(|kind| {
        Some((kind["name"].as_str().expect("a name").to_owned(), root().join(kind["file"].as_str()?)))
    });
    with_file.collect()
}

fn schema(scene: &Scene, kind: &str) -> Value {
    serde_json::from_str(&scene.assay(&["schema", kind]).expect(0).stdout).expect("a schema is JSON")
}

/// A validator; the schema itself is checked against draft 7 first.
fn validator(schema: &Value) -> Validator {
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    assert!(jsonschema::draft7::meta::is_valid(schema), "no valid schema of draft 7");
    jsonschema::draft7::new(schema).expect("a schema that can be used")
}

fn faults(validator: &Validator, value: &Value) -> Vec<String> {
    validator.iter_errors(value).map(|fault| format!("{}: {fault}", fault.instance_path())).collect()
}

/// YAML as the engine reads it.
#[track_caller]
fn tree(text: &str) -> Value {
    let parsed = assay_yaml::parse(assay_diagnostics::SourceId(0), text, &assay_yaml::Limits::default());
    parsed.root.unwrap_or_else(|| panic!("not YAML:\n{text}")).to_json()
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

/// Every manifest of the repository that is meant to be good, with where it stands.
fn good_manifests() -> Vec<(String, String)> {
    fn collect(folder: &Path, found: &mut Vec<(String, String)>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|end| end == "yaml" || end == "yml") {
                let text = std::fs::read_to_string(&path).expect("a text").replace("@NAME@", "probe");
                if text.contains("apiVersion:") {
                    found.push((path.display().to_string(), text));
                }
            }
        }
    }
    let mut found = Vec::new();
    for folder in ["skills", "workflows", "examples", "tests/bad_manifests/good", "engine/cli/src/templates"]
    {
        collect(&root().join(folder), &mut found);
    }
    for document in ["README.md", "docs/manifest.md"] {
        let text = std::fs::read_to_string(root().join(document)).expect(document);
        let blocks = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
        let whole = blocks.filter(|block| block.contains("apiVersion:"));
        found.extend(whole.map(|block| (document.to_owned(), block.to_owned())));
    }
    found
}

#[test]
fn every_good_manifest_fits() {
    let scene = Scene::new();
    let any = validator(&schema(&scene, "manifest"));
    let (skill, workflow) = (validator(&schema(&scene, "skill")), validator(&schema(&scene, "workflow")));
    let good = good_manifests();
    assert!(good.len() >= 7, "only {} manifests were found", good.len());
    for (place, text) in &good {
        let value = tree(text);
        assert_eq!(faults(&any, &value), [""; 0], "{place}");
        let is_skill = value["kind"] == "Skill";
        assert_eq!((skill.is_valid(&value), workflow.is_valid(&value)), (is_skill, !is_skill), "{place}");
    }
}

#[test]
fn the_example_of_every_type_fits() {
    let scene = Scene::new();
    let manifest = validator(&schema(&scene, "manifest"));
    let types = scene.assay(&["list", "steps", "--json"]).expect(0).json();
    for (section, list, prefix) in [("steps", "steps", "step"), ("preflight", "checks", "check")] {
        for kind in types["data"][list].as_array().expect("types") {
            let name = kind["name"].as_str().expect("a name");
            let explained = scene.assay(&["explain", name, "--json"]).expect(0).json();
            // `command` and `http` are step types and checks; `explain` shows the step type.
            if explained["data"]["kind"] != prefix {
                continue;
            }
            let example = tree(explained["data"]["example"].as_str().expect("an example"));
            let mut whole = tree(HEAD);
            whole["steps"] = json!({"a": {"uses": "command", "with": {"argv": ["x"]}}});
            whole[section]["sample"] = example.clone();
            assert_eq!(faults(&manifest, &whole), [""; 0], "{name}");
            let own = validator(&schema(&scene, &format!("{prefix}:{name}")));
            assert_eq!(faults(&own, &example["with"]), [""; 0], "{name}");
        }
    }
}

/// What is good at the edges of the language: templates and expressions wherever they are allowed.
const EDGES: &str = r#"
description: Edges.
slug: "{{ inputs.n }}"
verified: {against: "gcc 12.2", date: 2026-11-22, stale_after: 1h30m}
inputs:
  n: {type: integer, default: 3, minimum: 1}
  rows: {type: array, items: {type: [integer, "null"], minimum: 0}, default: [1]}
  wait: {type: string, format: duration, default: 5s}
  side: {type: object, default: {}}
  old: {type: object, format: baseline, default: {}}
secrets: [HF_TOKEN]
env: {LEVEL: 3, RATE: 0.5, NAME: "{{ inputs.n }}"}
preflight:
  free: {check: disk_free, with: {path: ., min: 1KiB}, when: inputs.n > 1, on_fail: warn, as: unsupported}
  fits: {check: assert, with: {that: inputs.n < 9}}
steps:
  a:
    uses: command
    with:
      argv: [echo, 3, 0.5, "{{ inputs.rows }}"]
      parse: {as: regex, from: stderr, fields: {t: "t=([0-9]+)"}, match: last, schema: {type: object}}
      watch: {must: [{regex: done}]}
    foreach: {v: [1, two], w: "{{ inputs.rows }}", product: true}
    timeout: "{{ inputs.wait }}s"
    retry: {max: 2, backoff: {first: 250ms, factor: 1.5, limit: 1m}, when_status: [failed, environment]}
    resources: {cpus: "{{ inputs.n }}", gpus: [0, 1], memory: 1.5 GiB, locks: ["gpu-{{ inputs.n }}"]}
    expect: {exit: [0, 3], signal: SIGABRT, timeout: true}
    files: {out: "{{ run.scratch }}/out"}
    reads: ["{{ skill.dir }}/in"]
    pass_env: [HF_TOKEN]
    cwd: "{{ step.dir }}"
    cache: true
    on_fail: exclude
  b: {uses: command, with: {shell: "echo {{ inputs.n | q }}"}, status: {0: passed, 75: retry, 255: environment}, when: false}
  c:
    uses: compare
    with:
      baseline: {samples: "[1, 2, 3]"}
      candidate: {samples: inputs.rows}
      metric: {value: wall_time, better: lower}
      pairs: "{{ inputs.n }}"
      threshold: "{{ inputs.n }}%"
  d: {uses: "skill:other", with: {any: {deep: [1]}}, pass_env: [HF_TOKEN], foreach: {x: [1, 2]}, on_fail: exclude}
  f:
    uses: compare
    with: {baseline: "{{ inputs.side }}", candidate: "{{ inputs.side }}", metric: "{{ inputs.side }}", parse: "{{ inputs.side }}"}
    needs: [c]
  e: {uses: approval, with: {question: "Go?", choices: "{{ inputs.rows }}", show: {n: 1}}}
gates:
  g: {assert: true, on_fail: warn, needs: [a]}
  h: {compare: steps.c, want: [better, tie], threshold: 0.5%}
outputs:
  one: {value: inputs.n, type: integer, unit: rows}
  rows: {rows: "[]", columns: {key: Title}}
deliver:
  "out/{{ inputs.n }}.json": outputs
  final.md: {template: final.md.j2}
finally: {}
"#;

#[test]
fn what_the_language_allows_is_not_refused() {
    let scene = Scene::new();
    scene.skill("other", "inputs: {any: {type: object}}\nsteps: {a: {uses: command, with: {argv: [x]}}}\nsecrets: [HF_TOKEN]\n");
    let text = format!("{HEAD}{EDGES}");
    scene.write("final.md.j2", "");
    let file = scene.write("edges.yaml", &text);
    scene.assay(&["plan", file.to_str().unwrap()]).expect(0);
    assert_eq!(faults(&validator(&schema(&scene, "manifest")), &tree(&text)), [""; 0]);
}

/// One fault each, as a change to [`EDGES`]: refused by the schema and by the engine.
const FAULTS: &[(&str, &str)] = &[
    ("description: Edges.", "descriptio: Edges."),
    ("description: Edges.", "description: 3"),
    ("verified: {against: \"gcc 12.2\", date: 2026-11-22", "verified: {date: 2026-11-22"),
    ("date: 2026-11-22", "date: 22.11.2026"),
    ("stale_after: 1h30m", "stale_after: soon"),
    ("stale_after: 1h30m", "stale: 90d"),
    ("secrets: [HF_TOKEN]", "secrets: [HF-TOKEN]"),
    ("secrets: [HF_TOKEN]", "secrets: HF_TOKEN"),
    ("env: {LEVEL: 3", "env: {2X: 3"),
    ("env: {LEVEL: 3", "env: {LEVEL: true"),
    ("n: {type: integer, default", "n: {type: int, default"),
    ("n: {type: integer, default: 3, minimum: 1}", "n: {default: 3}"),
    ("n: {type: integer, default: 3, minimum: 1}", "n: {type: integer, default: 3, min: 1}"),
    ("format: duration, default", "format: time, default"),
    ("wait: {type: string", "wait: {type: integer"),
    ("  n: {type: integer", "  steps: {type: integer"),
    ("check: disk_free", "check: disk"),
    ("{path: ., min: 1KiB}", "{path: .}"),
    ("{path: ., min: 1KiB}", "{path: ., min: 1}"),
    ("{path: ., min: 1KiB}", "{path: ., min: 1KiB, max: 2KiB}"),
    ("{check: assert, with: {that: inputs.n < 9}}", "{check: assert}"),
    ("as: unsupported", "as: skipped"),
    ("on_fail: warn, as", "on_fail: ignore, as"),
    ("  a:\n    uses: command", "  A:\n    uses: command"),
    ("  a:\n    uses: command", "  a:\n    uses: comand"),
    ("  a:\n    uses: command", "  a:\n    use: command"),
    ("argv: [echo,", "args: [echo,"),
    ("argv: [echo,", "argv: [true,"),
    ("argv: [echo, 3, 0.5, \"{{ inputs.rows }}\"]", "argv: echo"),
    ("argv: [echo, 3, 0.5, \"{{ inputs.rows }}\"]", "argv: []"),
    ("argv: [echo, 3, 0.5, \"{{ inputs.rows }}\"]", "stdin: x"),
    ("shell: \"echo {{ inputs.n | q }}\"", "shell: x, argv: [x]"),
    ("as: regex", "as: json"),
    ("as: regex", "as: xml"),
    ("fields: {t: \"t=([0-9]+)\"}, match", "match"),
    ("schema: {type: object}", "schema: {type: map}"),
    ("watch: {must: [{regex: done}]}", "watch: {must: [{name: done}]}"),
    ("foreach: {v: [1, two]", "foreach: {v: 3"),
    ("product: true", "product: maybe"),
    ("foreach: {v: [1, two], w: \"{{ inputs.rows }}\", product: true}", "foreach: {product: true}"),
    ("timeout: \"{{ inputs.wait }}s\"", "timeout: 90"),
    ("timeout: \"{{ inputs.wait }}s\"", "timeout: 2 fortnights"),
    ("retry: {max: 2,", "retry: {"),
    ("retry: {max: 2,", "retry: {max: -1,"),
    ("factor: 1.5", "factor: 0.5"),
    ("first: 250ms", "first: \"{{ inputs.n }}s\""),
    ("when_status: [failed", "when_status: [fail"),
    ("cpus: \"{{ inputs.n }}\"", "cpus: many"),
    ("gpus: [0, 1]", "gpus: [first]"),
    ("memory: 1.5 GiB", "memory: 16G"),
    ("locks: [\"gpu-{{ inputs.n }}\"]", "locks: gpu"),
    ("locks: [\"gpu", "lock: [\"gpu"),
    ("exit: [0, 3]", "exit: [0, 300]"),
    ("exit: [0, 3]", "exit: some"),
    ("signal: SIGABRT", "signal: ABRT"),
    ("expect: {exit: [0, 3], signal: SIGABRT, timeout: true}", "expect: {}"),
    ("expect: {exit: [0, 3], signal: SIGABRT, timeout: true}", "expect: {exit: 0}\n    status: {0: passed}"),
    ("files: {out: \"{{ run.scratch }}/out\"}", "files: [out]"),
    ("cache: true", "cache: \"yes\""),
    ("cache: true", "bind: always"),
    ("cache: true", "detach: true"),
    ("on_fail: exclude\n  b:", "on_fail: continue\n  b:"),
    ("status: {0: passed", "status: {256: passed"),
    ("status: {0: passed", "status: {0: good"),
    ("when: false}", "when: \"{{ inputs.n > 1 }}\"}"),
    ("better: lower", "better: smaller"),
    ("pairs: \"{{ inputs.n }}\"", "pairs: 2"),
    ("pairs: \"{{ inputs.n }}\"", "pairs: many"),
    ("threshold: \"{{ inputs.n }}%\"", "threshold: 1"),
    ("baseline: {samples: \"[1, 2, 3]\"}", "baseline: {}"),
    ("baseline: {samples: \"[1, 2, 3]\"}\n", "\n"),
    ("with: {any: {deep: [1]}}", "with: [1]"),
    ("with: {any: {deep: [1]}}", "cwd: x"),
    ("with: {any: {deep: [1]}}", "files: {a: b}"),
    ("uses: \"skill:other\"", "uses: \"skill:\""),
    ("uses: approval,", "uses: approval, expect: {exit: 0},"),
    ("uses: approval,", "uses: approval, cache: true,"),
    ("uses: approval,", "uses: approval, isolate: true,"),
    ("with: {any: {deep: [1]}}", "isolate: true"),
    ("{question: \"Go?\", choices", "{choices"),
    ("g: {assert: true,", "g: {assert: true, want: [better],"),
    ("g: {assert: true,", "g: {"),
    ("g: {assert: true,", "g: {assert: true, compare: steps.c, want: [better],"),
    ("g: {assert: true,", "g: {assert: \"{{ true }}\","),
    ("want: [better, tie]", "want: [faster]"),
    ("want: [better, tie]", "want: [undecided]"),
    ("want: [better, tie]", "want: []"),
    ("want: [better, tie], ", ""),
    ("threshold: 0.5%", "threshold: 0.5"),
    ("on_fail: warn, needs", "on_fail: stop, needs"),
    ("one: {value: inputs.n, type: integer", "one: {value: inputs.n, type: int"),
    ("one: {value: inputs.n, type: integer", "one: {value: inputs.n"),
    ("rows: {rows: \"[]\", columns: {key: Title}}", "rows: {rows: \"[]\"}"),
    ("rows: {rows: \"[]\", columns: {key: Title}}", "rows: {rows: \"[]\", columns: [key]}"),
    ("rows: {rows: \"[]\", columns", "rows: {rows: \"[]\", unit: x, columns"),
    ("final.md: {template", "../final.md: {template"),
    ("final.md: {template", "journal.jsonl: {template"),
    ("final.md: {template", "./steps/x: {template"),
    ("final.md: {template: final.md.j2}", "final.md: {file: final.md.j2}"),
    ("final.md: {template: final.md.j2}", "final.md: [outputs]"),
    ("finally: {}", "finally: []"),
    ("finally: {}", "finaly: {}"),
];

/// The same for the head.
const HEAD_FAULTS: &[(&str, &str)] = &[
    ("apiVersion: assay/v1", "apiVersion: assay/v2"),
    ("apiVersion: assay/v1\n", ""),
    ("kind: Skill", "kind: skill"),
    ("kind: Skill\n", ""),
    ("name: sample", "name: My Sample"),
    ("name: sample", "name: a--b"),
    ("version: 1.0.0", "version: 1.0"),
    ("version: 1.0.0", "version: 1.0.01"),
    ("version: 1.0.0\n", ""),
];

#[test]
fn faults_at_every_level_are_refused_by_the_schema_and_by_the_engine() {
    let scene = Scene::new();
    scene.skill("other", "inputs: {any: {type: object}}\nsteps: {a: {uses: command, with: {argv: [x]}}}\nsecrets: [HF_TOKEN]\n");
    let manifest = validator(&schema(&scene, "manifest"));
    let good = format!("{HEAD}{EDGES}");
    let (mut missed, mut taken) = (Vec::new(), Vec::new());
    for (from, to) in FAULTS.iter().chain(HEAD_FAULTS) {
        assert_eq!(good.matches(from).count(), 1, "`{from}` stands there once");
        let text = good.replace(from, to);
        if manifest.is_valid(&tree(&text)) {
            missed.push(format!("{from} -> {to}"));
        }
        let file = scene.write("fault.yaml", &text);
        if scene.assay(&["plan", file.to_str().unwrap()]).code != 11 {
            taken.push(format!("{from} -> {to}"));
        }
    }
    assert_eq!(missed, [""; 0], "not refused by the schema");
    assert_eq!(taken, [""; 0], "not refused by the engine");
}

/// Codes of faults that can be seen at a single place, so that a schema can see them.
const VISIBLE: &[&str] = &[
    "unknown-field",
    "wrong-type",
    "missing-field",
    "unknown-word",
    "unknown-type",
    "bad-quantity",
    "bad-name",
    "bad-version",
    "float-version",
    "api-version",
    "bad-id",
    "bad-variable",
    "bad-signal",
    "bad-exit-code",
    "gate-demand",
    "output-source",
    "empty-want",
    "want-undecided",
    "out-of-range",
    "two-sources",
    "too-few-items",
    "expect-and-status",
    "format-needs-text",
    "bad-delivery",
    "expression-in-braces",
    "empty-expect",
    "no-steps",
];

#[test]
fn bad_manifests_of_the_suite_are_refused() {
    let scene = Scene::new();
    let manifest = validator(&schema(&scene, "manifest"));
    let folder = root().join("tests/bad_manifests");
    let (mut seen, mut missed) = (0, Vec::new());
    for entry in std::fs::read_dir(&folder).expect("cases").flatten() {
        let path = entry.path();
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let parsed = assay_yaml::parse(assay_diagnostics::SourceId(0), &text, &assay_yaml::Limits::default());
        let Some(root) = parsed.root else { continue };
        let said = scene.assay(&["plan", path.to_str().unwrap(), "--json"]).expect(11).json();
        let shown = path.display().to_string();
        let here = |found: &&Value| {
            found["file"].as_str().is_some_and(|file| shown.ends_with(file.trim_start_matches("../")))
        };
        let found = said["diagnostics"].as_array().expect("diagnostics").iter();
        let codes: Vec<&str> = found.filter(here).filter_map(|found| found["code"].as_str()).collect();
        // Of two values under one key, which one the engine complains of is not visible in a tree.
        if codes.iter().any(|code| VISIBLE.contains(code)) && !codes.contains(&"duplicate-key") {
            seen += 1;
            if manifest.is_valid(&root.to_json()) {
                missed.push(format!("{shown}: {codes:?}"));
            }
        }
    }
    assert!(seen >= 20, "only {seen} cases were looked at");
    assert_eq!(missed, [""; 0]);
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
    scene.write("bad.yaml", &format!("{HEAD}steps: {{a: {{uses: comand, with: {{}}}}}}\nstep: 1\n"));
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
    let asked = scene.write("cases.json", &Value::from(asked).to_string());
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
