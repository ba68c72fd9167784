//! Gates, outputs and deliveries: every outcome with its exit code, which of several counts, what is written.

mod support;

use serde_json::{Value, json};
use support::Scene;

const MEASURE: &str = "\
steps:
  m:
    uses: command
    with: {argv: [echo, '{\"t\": 5, \"word\": \"five\", \"none\": null}'], parse: {as: json, from: stdout, schema: {type: object}}}
";

fn gated(scene: &Scene, gates: &str, more: &str) -> i32 {
    let file = scene.workflow("gated", &format!("{MEASURE}{more}gates:\n{gates}"));
    scene.assay(&["run", &file]).code
}

#[test]
fn every_outcome_has_its_exit_code() {
    for (gate, outcome, code) in [
        ("{assert: steps.m.result.t <= 5}", "passed", 0),
        ("{assert: steps.m.result.t < 5}", "failed", 23),
        ("{assert: steps.m.result.t < 5, on_fail: incorrect}", "incorrect", 26),
        ("{assert: steps.m.result.t < 5, on_fail: unfair}", "unfair", 24),
        ("{assert: steps.m.result.t < 5, on_fail: inconclusive}", "inconclusive", 25),
        ("{assert: steps.m.result.t < 5, on_fail: warn}", "warn", 0),
        ("{assert: steps.m.result.t < 5, when: 1 > 2}", "skipped", 0),
        ("{assert: steps.m.result.none <= 1500}", "blocked", 23),
        ("{assert: steps.m.result.word < 5}", "blocked", 23),
        ("{assert: steps.m.result.absent < 5}", "blocked", 23),
        ("{assert: steps.m.result.t}", "blocked", 23),
        ("{assert: \"steps.m.result.word == 'five' and steps.m.result.t in [4, 5]\"}", "passed", 0),
    ] {
        let scene = Scene::new();
        assert_eq!(gated(&scene, &format!("  g: {gate}\n"), ""), code, "{gate}");
        assert_eq!(scene.outcomes()["g"], outcome, "{gate}");
    }
}

#[test]
fn a_step_behind_a_gate_waits_for_it_to_pass() {
    let scene = Scene::new();
    let more = "  good: {uses: command, needs: [yes_], with: {argv: ['true']}}\n  bad: {uses: command, needs: [no_], with: {argv: ['true']}}\n  \
                warned: {uses: command, needs: [mild], with: {argv: ['true']}}\n  word: {uses: command, with: {argv: [echo, '{{ gates.no_.outcome }}']}}\n";
    let gates = "  yes_: {assert: steps.m.result.t == 5}\n  no_: {assert: steps.m.result.t == 6}\n  mild: {assert: steps.m.result.t == 6, on_fail: warn}\n";
    assert_eq!(gated(&scene, gates, more), 23);
    let statuses = scene.statuses();
    assert_eq!((statuses["good"].as_str(), statuses["bad"].as_str()), ("passed", "blocked"));
    assert_eq!(statuses["warned"], "passed");
    assert_eq!(scene.printed("word"), "failed\n", "reading an outcome only waits");
    assert!(scene.finished("bad")["reason"].to_string().contains("no_"));
}

#[test]
fn the_strongest_reason_gives_the_exit_code() {
    let bad = |on_fail: &str| format!("{{assert: 'steps.m.result.t < 5', on_fail: {on_fail}}}");
    for (gates, steps, code) in [
        (vec!["failed", "incorrect", "unfair", "inconclusive"], "", 26),
        (vec!["failed", "unfair", "inconclusive"], "", 24),
        (vec!["failed", "inconclusive"], "", 23),
        (vec!["unfair"], "  x: {uses: command, with: {argv: ['false']}}\n", 24),
        (vec!["failed"], "  x: {uses: command, with: {argv: ['false']}}\n", 21),
        (vec!["failed"], "  x: {uses: command, timeout: 50ms, with: {argv: [sleep, '9']}}\n", 22),
        (
            vec![],
            "  x: {uses: command, timeout: 50ms, with: {argv: [sleep, '9']}}\n  y: {uses: command, with: {argv: ['false']}}\n",
            21,
        ),
        (
            vec!["failed"],
            "  x: {uses: command, status: {0: passed, 1: unsupported}, with: {argv: ['false']}}\n",
            40,
        ),
    ] {
        let scene = Scene::new();
        let lines: Vec<String> =
            gates.iter().enumerate().map(|(i, word)| format!("  g{i}: {}\n", bad(word))).collect();
        let lines = if lines.is_empty() {
            "  g: {assert: steps.m.result.t == 5}\n".to_owned()
        } else {
            lines.concat()
        };
        assert_eq!(gated(&scene, &lines, steps), code, "{gates:?} {steps}");
    }
}

#[test]
fn what_a_gate_measured_and_wanted_is_recorded() {
    let scene = Scene::new();
    gated(&scene, "  g: {assert: steps.m.result.t < 5}\n", "");
    let gate = scene.events("gate_decided").pop().unwrap();
    assert_eq!(gate["wanted"], "steps.m.result.t < 5");
    assert!(gate["measured"].as_str().unwrap().contains('5'), "{gate}");
    assert_eq!(gate["passed"], false);
    let report = scene.delivered("report.md");
    assert!(report.contains("steps.m.result.t") && report.contains('g'), "{report}");
}

const DELIVERED: &str = "\
inputs:
  who: {type: string, default: me}
steps:
  rows:
    uses: command
    with:
      argv: [echo, '[{\"name\": \"a|b\", \"ms\": 1.5, \"drop\": 1}, {\"name\": \"c,d\"}]']
      parse: {as: json, from: stdout, schema: {type: array}}
  file: {uses: command, with: {shell: 'mkdir d; printf hi > d/f; printf x > one.bin'}, files: {one: '{{ step.dir }}/one.bin', dir: '{{ step.dir }}/d'}}
  bad: {uses: command, with: {argv: ['false'], parse: {as: json, from: stdout, schema: {type: object}}}}
outputs:
  table: {rows: steps.rows.result, columns: {name: Name, ms: Median (ms)}}
  count: {value: steps.rows.result | length, type: integer}
  wrong: {value: steps.rows.result, type: integer}
  lost: {value: steps.bad.result.x, type: number}
deliver:
  table.md: outputs.table
  table.csv: outputs.table
  rows.jsonl: steps.rows.result
  all.json: outputs
  'for-{{ inputs.who }}/note.md': {template: note.md.j2}
  one.bin: steps.file.files.one
  folder: steps.file.files.dir
";

#[test]
fn deliveries_are_written_in_every_form_also_when_the_run_fails() {
    let scene = Scene::new();
    scene.write(
        "note.md.j2",
        "{% for r in outputs.table.rows %}* {{ r.name }}\n{% endfor %}{{ outputs.count }}\n",
    );
    let file = scene.workflow("delivered", DELIVERED);
    scene.assay(&["run", &file]).expect(21);
    let table = scene.delivered("table.md");
    assert!(table.contains("Median (ms)") && table.contains("1.5") && !table.contains("drop"), "{table}");
    assert!(table.contains("a\\|b"), "a bar ends no cell: {table}");
    let csv = scene.delivered("table.csv");
    assert!(csv.lines().count() == 3 && csv.contains("\"c,d\""), "{csv}");
    let rows: Vec<Value> =
        scene.delivered("rows.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows[1], json!({"name": "c,d"}));
    let all: Value = serde_json::from_str(&scene.delivered("all.json")).unwrap();
    assert_eq!(all["count"], 2);
    assert_eq!((&all["wrong"], &all["lost"]), (&Value::Null, &Value::Null));
    assert_eq!(all["table"]["rows"][1], json!({"name": "c,d", "ms": null}), "the same shape in every row");
    assert_eq!(scene.delivered("for-me/note.md"), "* a|b\n* c,d\n2\n");
    assert_eq!(scene.delivered("one.bin"), "x");
    assert_eq!(scene.delivered("folder/f"), "hi");
    let reasons = scene.events("run_finished").pop().unwrap()["output_reasons"].clone();
    assert!(reasons["lost"].to_string().contains("bad"), "{reasons}");
    assert!(reasons["wrong"].to_string().contains("integer"), "{reasons}");
    let delivered = scene.events("delivered");
    assert_eq!(delivered.len(), 7);
    assert!(delivered.iter().all(|one| !one["sha256"].as_str().unwrap().is_empty()), "{delivered:?}");
}
