//! Calls of skills and workflows: typed inputs and outputs, what a call ends as, branches, secrets, paths.

mod support;

use serde_json::{Value, json};
use support::Scene;

const JUDGE: &str = "\
inputs:
  n: {type: integer, minimum: 0}
  label: {type: string, default: none}
steps:
  work:
    uses: command
    with: {argv: [echo, '{\"n\": {{ inputs.n }}}'], parse: {as: json, from: stdout, schema: {type: object, properties: {n: {type: integer}}}}}
gates:
  small: {assert: steps.work.result.n < 3, on_fail: ON_FAIL}
outputs:
  n: {value: steps.work.result.n, type: integer}
  label: {value: inputs.label, type: string}
deliver:
  out.json: outputs
";

fn judge(scene: &Scene, on_fail: &str) {
    scene.skill("judge", &JUDGE.replace("ON_FAIL", on_fail));
}

#[test]
fn a_call_has_typed_inputs_and_outputs_and_inner_paths() {
    let scene = Scene::new();
    judge(&scene, "failed");
    let file = scene.workflow(
        "caller",
        "inputs:\n  k: {type: integer, default: 2}\nsteps:\n  call: {uses: 'skill:judge', with: {n: '{{ inputs.k }}'}}\n  \
         after: {uses: command, with: {argv: [echo, '{{ steps.call.n }}', '{{ steps.call.label }}', '{{ steps.call.status }}']}}\n",
    );
    scene.assay(&["run", &file]).expect(0);
    assert_eq!(scene.printed("after"), "2 none passed\n");
    assert_eq!(scene.printed("call/work"), "{\"n\": 2}\n");
    assert_eq!(scene.outcomes()["call/small"], "passed");
    let delivered: Value = serde_json::from_str(&scene.delivered("call/out.json")).unwrap();
    assert_eq!(delivered, json!({"n": 2, "label": "none"}));
}

#[test]
fn wrong_inputs_of_a_call_are_refused() {
    let scene = Scene::new();
    judge(&scene, "failed");
    for (with, word) in
        [("{n: two}", "integer"), ("{}", "missing"), ("{n: 1, lable: x}", "label"), ("{n: -1}", "minimum")]
    {
        let file =
            scene.workflow("caller", &format!("steps:\n  call: {{uses: 'skill:judge', with: {with}}}\n"));
        let done = scene.assay(&["run", &file]);
        assert!(matches!(done.code, 11 | 21), "{with}: {done:?}");
        let all = format!("{}{}", done.stdout, done.stderr);
        assert!(all.contains("input"), "{with}: {all}");
        assert!(all.contains(word), "{with} should say `{word}`: {all}");
    }
}

#[test]
fn the_status_of_a_call_is_its_worst_outcome() {
    for (on_fail, status, code) in [
        ("failed", "failed", 21),
        ("incorrect", "incorrect", 26),
        ("unfair", "unfair", 24),
        ("inconclusive", "inconclusive", 25),
        ("warn", "passed", 0),
    ] {
        let scene = Scene::new();
        judge(&scene, on_fail);
        let file = scene.workflow(
            "caller",
            "steps:\n  call: {uses: 'skill:judge', with: {n: 5}}\n  after: {uses: command, needs: [call], with: {argv: ['true']}}\n  \
             word: {uses: command, with: {argv: [echo, '{{ steps.call.status }}']}}\n",
        );
        let exit = scene.assay(&["run", &file]).code;
        assert_eq!(scene.statuses()["call"], status);
        assert_eq!(scene.printed("word").trim(), status);
        assert_eq!(scene.statuses()["after"], if status == "passed" { "passed" } else { "blocked" });
        // A gate that failed inside a call is a failed gate, or a failed step of the caller.
        assert!(exit == code || (on_fail == "failed" && exit == 23), "{on_fail}: {exit}");
    }
}

#[test]
fn a_warned_call_lets_dependents_start_and_its_outputs_be_read() {
    let scene = Scene::new();
    judge(&scene, "incorrect");
    let file = scene.workflow(
        "caller",
        "steps:\n  call: {uses: 'skill:judge', on_fail: warn, with: {n: 5}}\n  after: {uses: command, with: {argv: [echo, '{{ steps.call.n }}', '{{ steps.call.status }}']}}\n",
    );
    scene.assay(&["run", &file]).expect(0);
    assert_eq!(scene.printed("after"), "5 incorrect\n");
}

#[test]
fn branches_take_themselves_out_and_the_rest_is_compared() {
    let scene = Scene::new();
    scene.skill(
        "branch",
        "inputs:\n  n: {type: integer}\npreflight:\n  fits: {check: assert, with: {that: inputs.n < 9}, on_fail: exclude, as: unsupported}\n\
         steps:\n  work: {uses: command, on_fail: exclude, with: {argv: [sh, -c, 'test {{ inputs.n }} -lt 5']}}\n  \
         more: {uses: command, needs: [work], with: {argv: ['true']}}\noutputs:\n  n: {value: inputs.n, type: integer}\n",
    );
    let file = scene.workflow(
        "caller",
        "steps:\n  b: {uses: 'skill:branch', foreach: {n: [1, 7, 2, 9]}, with: {n: '{{ each.n }}'}}\n  \
         after: {uses: command, needs: [b], with: {argv: [echo, \"{{ steps.b['2'].n }}\"]}}\n\
         outputs:\n  kept: {value: \"steps.b | selectattr('status', 'equalto', 'passed') | map(attribute='n') | list\", type: array}\n  all: {rows: steps.b, columns: {key: Key, status: Status, reason: Reason}}\n",
    );
    scene.assay(&["run", &file]).expect(0);
    let statuses = scene.statuses();
    assert_eq!(statuses["b[1]"], "passed");
    assert_eq!(statuses["b[7]"], "excluded");
    assert_eq!(statuses["b[9]"], "excluded");
    assert_eq!((statuses["b"].as_str(), statuses["after"].as_str()), ("passed", "passed"));
    let outputs = scene.outputs();
    assert_eq!(outputs["kept"], json!([1, 2]));
    assert_eq!(outputs["all"]["rows"].as_array().unwrap().len(), 4, "excluded ones stay in the table");
    let none = scene.workflow(
        "none",
        "steps:\n  b: {uses: 'skill:branch', foreach: {n: [7, 8]}, with: {n: '{{ each.n }}'}}\n",
    );
    scene.assay(&["run", &none]).expect(21);
    assert_eq!(scene.statuses()["b"], "failed", "no branch is left");
}

#[test]
fn exclude_outside_a_branch_is_an_error() {
    let scene = Scene::new();
    let file =
        scene.workflow("alone", "steps:\n  a: {uses: command, on_fail: exclude, with: {argv: ['true']}}\n");
    let done = scene.assay(&["plan", &file, "--json"]).expect(11);
    assert!(done.stdout.contains("branch"), "{}", done.stdout);
}

#[test]
fn fields_that_a_call_would_ignore_are_refused() {
    let scene = Scene::new();
    judge(&scene, "failed");
    for field in [
        "cache: true",
        "reads: [a]",
        "files: {a: b}",
        "resources: {locks: [a]}",
        "env: {A: b}",
        "cwd: a",
        "detach: true",
        "isolate: true",
    ] {
        let file = scene.workflow(
            "caller",
            &format!("steps:\n  call: {{uses: 'skill:judge', {field}, with: {{n: 1}}}}\n"),
        );
        let done = scene.assay(&["plan", &file, "--json"]).expect(11);
        let finding = done.json()["diagnostics"][0].clone();
        assert!(
            finding["help"][0].as_str().is_some_and(|help| help.contains("remove")),
            "{field}: {finding}"
        );
    }
}

#[test]
fn calls_nest_share_nothing_and_never_recurse() {
    let scene = Scene::new();
    judge(&scene, "failed");
    scene.skill(
        "middle",
        "inputs:\n  n: {type: integer}\nsteps:\n  put: {uses: command, with: {shell: 'pwd > {{ run.scratch | q }}/f; ls {{ run.scratch | q }}'}}\n  \
         inner: {uses: 'skill:judge', foreach: {n: [0, 1]}, with: {n: '{{ each.n }}', label: 'for {{ inputs.n }}'}}\n\
         outputs:\n  labels: {value: \"steps.inner | map(attribute='label') | list\", type: array}\n",
    );
    let file = scene.workflow(
        "outer",
        "steps:\n  one: {uses: 'skill:middle', with: {n: 1}}\n  two: {uses: 'skill:middle', needs: [one], with: {n: 2}}\n\
         outputs:\n  labels: {value: steps.two.labels, type: array}\n",
    );
    scene.assay(&["run", &file]).expect(0);
    assert_eq!(scene.outputs()["labels"], json!(["for 2", "for 2"]));
    assert!(scene.statuses().contains_key("two/inner[1]/work"), "{:?}", scene.statuses());
    assert_eq!(scene.printed("two/put"), "f\n", "each call has a scratch folder of its own");
    scene.skill("loop-a", "steps:\n  b: {uses: 'skill:loop-b'}\n");
    scene.skill("loop-b", "steps:\n  a: {uses: 'skill:loop-a'}\n");
    let done = scene.assay(&["plan", "loop-a"]).expect(11);
    assert!(done.stderr.contains("loop-b"), "{}", done.stderr);
}

#[test]
fn a_secret_reaches_a_callee_only_if_both_list_it() {
    let mut scene = Scene::new();
    scene.env("API_TOKEN", "s3cr3t-value-0123");
    let has = "steps:\n  a: {uses: command, PASS with: {argv: [sh, -c, 'test -n \"$API_TOKEN\" && echo has || echo none']}}\n";
    let has = |pass: &str| has.replace("PASS", pass);
    scene.skill("both", &format!("secrets: [API_TOKEN]\n{}", has("pass_env: [API_TOKEN],")));
    scene.skill("unlisted", &has(""));
    let file = scene.workflow(
        "caller",
        "secrets: [API_TOKEN]\nsteps:\n  \
           given: {uses: 'skill:both', pass_env: [API_TOKEN]}\n  \
           unlisted: {uses: 'skill:unlisted', pass_env: [API_TOKEN]}\n  \
           own: {uses: command, pass_env: [API_TOKEN], with: {argv: [sh, -c, 'echo \"token $API_TOKEN\"']}}\n",
    );
    scene.assay(&["run", &file]).expect(0);
    assert_eq!(scene.printed("given/a"), "has\n");
    assert_eq!(scene.printed("unlisted/a"), "none\n");
    let own = scene.printed("own");
    assert!(own.starts_with("token ") && !own.contains("s3cr3t"), "{own}");
    for (lists, passes) in [("secrets: [API_TOKEN]\n", ""), ("", ", pass_env: [API_TOKEN]")] {
        let body = format!("{lists}steps:\n  call: {{uses: 'skill:both'{passes}}}\n");
        let file = scene.workflow("withheld", &body);
        scene.assay(&["run", &file]).expect(21);
        let reason = scene.finished("call/a")["reason"].to_string();
        assert!(reason.contains("API_TOKEN") && reason.contains("pass it on"), "{reason}");
    }
    let scoped = scene.workflow(
        "scoped",
        "secrets: [API_TOKEN]\nsteps:\n  a: {uses: command, pass_env: [API_TOKEN], with: {argv: [echo, '{{ env.API_TOKEN }}']}}\n",
    );
    let done = scene.assay(&["run", &scoped]);
    assert!(matches!(done.code, 11 | 21), "a secret is not in template scope: {done:?}");
    scene.env("API_TOKEN", "short");
    assert_ne!(scene.assay(&["run", &file]).code, 0, "under 8 characters it is refused");
}

#[test]
fn a_call_has_a_timeout_and_tries_again() {
    let scene = Scene::new();
    let mark = scene.dir().join("mark");
    scene.skill("slow", "inputs:\n  s: {type: string}\nsteps:\n  a: {uses: command, with: {argv: [sleep, '{{ inputs.s }}']}}\nfinally:\n  f: {uses: command, with: {argv: [echo, cleaned]}}\n");
    scene.skill("flaky", &format!("steps:\n  a: {{uses: command, with: {{argv: [sh, -c, 'echo x >> {0}; test $(wc -l < {0}) -ge 2']}}}}\n", mark.display()));
    let file = scene.workflow(
        "caller",
        "steps:\n  slow: {uses: 'skill:slow', timeout: 300ms, with: {s: '30'}}\n  flaky: {uses: 'skill:flaky', retry: {max: 1, backoff: {first: 10ms}}}\n",
    );
    scene.assay(&["run", &file]).expect(22);
    let statuses = scene.statuses();
    assert_eq!((statuses["slow"].as_str(), statuses["flaky"].as_str()), ("timed_out", "passed"));
    assert_eq!(scene.printed("slow/f"), "cleaned\n");
}
