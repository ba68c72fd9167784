//! `foreach`: aligned lists, products, keys, lists known only while running, and what a step of instances ends as.

mod support;

use serde_json::{Value, json};
use support::Scene;

fn keys(scene: &Scene, step: &str) -> Vec<String> {
    let expanded = scene.events("expanded").into_iter().rfind(|data| data["step"] == step);
    let instances =
        expanded.map(|data| data["instances"].as_array().cloned().unwrap_or_default()).unwrap_or_default();
    instances.iter().map(|one| one["key"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn lists_are_aligned_or_multiplied() {
    let scene = Scene::new();
    let file = scene.workflow(
        "pairs",
        "steps:\n  \
           aligned: {uses: command, foreach: {a: [x, y], b: [1, 2]}, with: {argv: [echo, '{{ each.a }}{{ each.b }}']}}\n  \
           all: {uses: command, foreach: {a: [x, y], b: [1, 2], product: true}, with: {argv: [echo, '{{ each.a }}{{ each.b }}']}}\n  \
           uneven: {uses: command, foreach: {a: [x, y], b: [1]}, with: {argv: [echo, '{{ each.a }}']}}\n",
    );
    let done = scene.assay(&["run", &file]);
    assert!(matches!(done.code, 11 | 21), "{done:?}");
    let all = format!("{}{}", done.stdout, done.stderr);
    assert!(all.contains("product: true"), "the way out: {all}");
    let even = scene.workflow(
        "even",
        "steps:\n  \
           aligned: {uses: command, foreach: {a: [x, y], b: [1, 2]}, with: {argv: [echo, '{{ each.a }}{{ each.b }}']}}\n  \
           all: {uses: command, foreach: {a: [x, y], b: [1, 2], product: true}, with: {argv: [echo, '{{ each.a }}{{ each.b }}']}}\n",
    );
    scene.assay(&["run", &even]).expect(0);
    assert_eq!(keys(&scene, "aligned"), ["0", "1"]);
    let printed = |step: &str, count: usize| -> Vec<String> {
        (0..count).map(|index| scene.printed(&format!("{step}[{index}]")).trim().to_owned()).collect()
    };
    assert_eq!(printed("aligned", 2), ["x1", "y2"]);
    assert_eq!(printed("all", 4), ["x1", "x2", "y1", "y2"]);
}

#[test]
fn the_key_is_the_value_where_it_can_be_one() {
    let scene = Scene::new();
    let file = scene.workflow(
        "keyed",
        "steps:\n  a: {uses: command, foreach: {v: [plain, 'with space', '../../x', 7, 'A.b_c-d', {m: 1}]}, with: {argv: ['true']}}\n",
    );
    scene.assay(&["run", &file]).expect(0);
    assert_eq!(keys(&scene, "a"), ["plain", "1", "2", "7", "A.b_c-d", "5"]);
}

#[test]
fn a_value_twice_is_an_error() {
    let scene = Scene::new();
    let file = scene
        .workflow("twice", "steps:\n  a: {uses: command, foreach: {v: [x, y, x]}, with: {argv: ['true']}}\n");
    let done = scene.assay(&["run", &file]);
    assert!(matches!(done.code, 11 | 21), "{done:?}");
    assert!(format!("{}{}", done.stdout, done.stderr).contains("twice"), "{done:?}");
}

const DYNAMIC: &str = "\
inputs:
  names: {type: array, default: [b, a]}
steps:
  find:
    uses: command
    with:
      argv: [sh, -c, 'printf \"[\"; sep=; for n in \"$@\"; do printf \"%s\\\"%s\\\"\" \"$sep\" \"$n\"; sep=,; done; echo \"]\"', sh, '{{ inputs.names }}']
      parse: {as: json, from: stdout, schema: {type: array, items: {type: string}}}
  work:
    uses: command
    foreach: {name: '{{ steps.find.result }}'}
    with:
      argv: [echo, '{\"len\": {{ each.name | length }}}']
      parse: {as: json, from: stdout, schema: {type: object, required: [len], properties: {len: {type: integer}}}}
  after: {uses: command, needs: [work], with: {argv: ['true']}}
outputs:
  keys: {value: \"steps.work | map(attribute='key') | list\", type: array}
  first: {value: \"steps.work[0].result.len\", type: integer}
  by_key: {value: \"steps.work['a'].result.len\", type: integer}
  rows: {rows: steps.work, columns: {key: Name, status: Status}}
";

#[test]
fn a_list_from_an_earlier_result_expands_while_running() {
    let scene = Scene::new();
    let file = scene.workflow("dynamic", DYNAMIC);
    scene.assay(&["run", &file]).expect(0);
    let outputs = scene.outputs();
    assert_eq!(outputs["keys"], json!(["b", "a"]));
    assert_eq!((&outputs["first"], &outputs["by_key"]), (&json!(1), &json!(1)));
    assert_eq!(
        outputs["rows"]["rows"],
        json!([{"key": "b", "status": "passed"}, {"key": "a", "status": "passed"}])
    );
}

#[test]
fn an_empty_list_is_skipped_and_satisfies_needs() {
    let scene = Scene::new();
    let file = scene.workflow("dynamic", DYNAMIC);
    scene.assay(&["run", &file, "-i", "names=[]"]).expect(0);
    let statuses = scene.statuses();
    assert_eq!((statuses["work"].as_str(), statuses["after"].as_str()), ("skipped", "passed"));
    assert_eq!(scene.outputs()["keys"], json!([]));
    assert_eq!(
        scene.outputs()["first"],
        Value::Null,
        "an output that cannot be computed is null with a reason"
    );
    let reasons = scene.events("run_finished").pop().unwrap()["output_reasons"].clone();
    assert!(reasons["first"].is_string(), "{reasons}");
}

#[test]
fn one_failure_does_not_stop_the_siblings_and_fails_the_step() {
    let scene = Scene::new();
    let file = scene.workflow(
        "some",
        "steps:\n  a: {uses: command, foreach: {code: [0, 3, '00']}, with: {argv: [sh, -c, 'sleep 0.1; exit {{ each.code }}']}}\n  \
         b: {uses: command, needs: [a], with: {argv: ['true']}}\n\
         outputs:\n  list: {value: steps.a, type: array}\n  statuses: {value: steps.a | map(attribute='status') | list, type: array}\n",
    );
    scene.assay(&["run", &file]).expect(21);
    let statuses = scene.statuses();
    assert_eq!(statuses["a[0]"], "passed");
    assert_eq!(statuses["a[3]"], "failed");
    assert_eq!(statuses["a[00]"], "passed");
    assert_eq!((statuses["a"].as_str(), statuses["b"].as_str()), ("failed", "blocked"));
    let outputs = scene.outputs();
    // What a failed step left is null, unless the expression only looks at how it ended.
    let list = if outputs["list"].is_null() { &outputs["statuses"] } else { &outputs["list"] };
    assert!(list.is_null() || list.as_array().is_some_and(|list| list.len() == 3), "{outputs}");
}

#[test]
fn instance_folders_are_numbered_and_cannot_leave_the_run() {
    let scene = Scene::new();
    let file = scene.workflow(
        "folders",
        "steps:\n  a: {uses: command, foreach: {v: ['../../x', b]}, with: {argv: [echo, '{{ each.v }}']}}\n",
    );
    scene.assay(&["run", &file]).expect(0);
    let mut names: Vec<String> = std::fs::read_dir(scene.run_dir().join("steps/a"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names[0].starts_with("0-") && names[1] == "1-b", "{names:?}");
}
