//! What the schemas of manifests take and refuse is what the engine takes and refuses.

#[path = "support/schemas.rs"]
mod schemas;
mod support;

use schemas::{HEAD, faults, root, schema, tree, validator};
use serde_json::{Value, json};
use std::path::Path;
use support::Scene;

/// Whether it is a task of a kernel.
fn is_task(text: &str) -> bool {
    text.lines().any(|line| line == "kind: KernelTask")
}

/// Tasks of kernels fit their own schema, and `lint` and `fmt` say whose they are.
#[test]
fn every_task_of_a_kernel_fits() {
    let scene = Scene::new();
    let task = validator(&schema(&scene, "kernel-task"));
    let folder = root().join("examples/kernels");
    let mut found = 0;
    for entry in std::fs::read_dir(&folder).expect("tasks").flatten() {
        let path = entry.path().join("task.yaml");
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        assert!(is_task(&text), "{}", path.display());
        assert_eq!(faults(&task, &tree(&text)), [""; 0], "{}", path.display());
        found += 1;
    }
    assert!(found >= 4, "only {found} tasks were found");
    let folder = folder.to_str().expect("UTF-8");
    for verb in [&["fmt", "--check", folder][..], &["lint", folder]] {
        let said = scene.assay(verb).expect(2).stderr;
        assert!(said.contains("assay kernel check"), "{said}");
    }
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
                if text.contains("apiVersion:") && !is_task(&text) {
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
