//! Comparisons, baselines and approvals: what is measured, frozen or asked, and what gates make of it.

mod support;

use serde_json::json;
use support::Scene;

const SIDES: &str = "baseline: {argv: [sleep, '0.03']}, candidate: {argv: [sleep, '{{ inputs.s }}']}";

fn race(gate: &str, with: &str) -> String {
    format!(
        "inputs:\n  s: {{type: string, default: '0.01'}}\nsteps:\n  race: {{uses: compare, timeout: 1m, with: {{{SIDES}, metric: {{value: wall_time, better: lower}}, {with}}}}}\n\
         gates:\n  faster: {gate}\noutputs:\n  table: {{rows: steps.race.rows, columns: {{variant: Variant, median_ms: Median (ms)}}}}\n"
    )
}

#[test]
fn two_programs_are_run_in_turn_and_a_gate_judges() {
    let scene = Scene::new();
    let file =
        scene.workflow("race", &race("{compare: steps.race, want: [better], threshold: 2%}", "pairs: 8"));
    scene.assay(&["run", &file]).expect(0);
    let found = scene.finished("race")["outputs"].clone();
    assert_eq!((&found["verdict"], &found["interleaved"]), (&json!("better"), &json!(true)));
    let ratio = found["ratio"].as_f64().unwrap();
    assert!(ratio > 1.3 && ratio < 6.0, "above 1 means the candidate is better: {ratio}");
    assert!(found["ci_low"].as_f64().unwrap() <= ratio && ratio <= found["ci_high"].as_f64().unwrap());
    assert_eq!(found["threshold"], 0.02, "that of its gate");
    assert_eq!(
        found["samples"]["baseline"].as_array().unwrap().len(),
        found["pairs"].as_u64().unwrap() as usize
    );
    let rows = scene.outputs()["table"]["rows"].clone();
    assert_eq!((&rows[0]["variant"], &rows[1]["variant"]), (&json!("baseline"), &json!("candidate")));
    assert!(rows[0]["median_ms"].as_f64().unwrap() >= 30.0, "{rows}");
}

#[test]
fn a_slower_candidate_fails_the_gate_with_what_was_measured() {
    let scene = Scene::new();
    let file = scene
        .workflow("race", &race("{compare: steps.race, want: [better, tie], on_fail: failed}", "pairs: 6"));
    scene.assay(&["run", &file, "-i", "s=0.06"]).expect(23);
    let gate = scene.events("gate_decided").pop().unwrap();
    assert_eq!((&gate["outcome"], &gate["values"]["verdict"]), (&json!("failed"), &json!("worse")));
    assert!(gate["wanted"].as_str().unwrap().contains("better or tie"), "{gate}");
}

#[test]
fn a_side_that_fails_is_no_measurement() {
    let scene = Scene::new();
    let file = scene.workflow("race", &race("{compare: steps.race, want: [better]}", "pairs: 4"));
    scene.assay(&["run", &file, "-i", "s=soon"]).expect(21);
    assert_eq!(scene.outcomes()["faster"], "blocked");
}

fn sampled(baseline: &str, candidate: &str, better: &str, gate: &str) -> String {
    format!(
        "inputs:\n  b: {{type: array, default: {baseline}}}\n  c: {{type: array, default: {candidate}}}\nsteps:\n  \
         race: {{uses: compare, with: {{baseline: {{samples: inputs.b}}, candidate: {{samples: inputs.c}}, metric: {{value: result.x, better: {better}}}}}}}\n\
         gates:\n  g: {gate}\n"
    )
}

#[test]
fn samples_measured_elsewhere_are_paired_by_index() {
    let low = "[10.1, 10.2, 9.9, 10.0, 10.1, 9.8, 10.2, 10.0, 9.9, 10.1]";
    let high = "[20.1, 20.3, 19.9, 20.0, 20.2, 19.7, 20.1, 20.2, 19.8, 20.1]";
    let noise = "[5, 21, 8, 14, 6, 19, 9, 12, 4, 23]";
    let gate = "{compare: steps.race, want: [better], threshold: 1%}";
    for (b, c, better, verdict, outcome, code) in [
        (high, low, "lower", "better", "passed", 0),
        (low, high, "higher", "better", "passed", 0),
        (low, high, "lower", "worse", "failed", 23),
        (low, low, "lower", "tie", "failed", 23),
        (low, noise, "lower", "undecided", "inconclusive", 25),
    ] {
        let scene = Scene::new();
        let file = scene.workflow("sampled", &sampled(b, c, better, gate));
        scene.assay(&["run", &file]).expect(code);
        let found = scene.finished("race")["outputs"].clone();
        assert_eq!((&found["verdict"], &found["interleaved"]), (&json!(verdict), &json!(false)), "{b} {c}");
        assert_eq!(scene.outcomes()["g"], outcome);
    }
}

#[test]
fn samples_that_cannot_be_paired_fail() {
    for (b, c) in
        [("[1, 2, 3]", "[1, 2]"), ("[1, 2, -3]", "[1, 2, 3]"), ("[1, 2, a]", "[1, 2, 3]"), ("[]", "[]")]
    {
        let scene = Scene::new();
        let file =
            scene.workflow("sampled", &sampled(b, c, "lower", "{compare: steps.race, want: [better]}"));
        scene.assay(&["run", &file]).expect(21);
        assert_eq!(scene.outcomes()["g"], "blocked", "{b} {c}");
    }
}

#[test]
fn an_undecided_comparison_measures_more_up_to_its_limit() {
    let scene = Scene::new();
    scene
        .write("noisy.py", "import json, random\nprint(json.dumps({'x': random.choice([1.0, 9.0, 3.0])}))\n");
    let side = "{argv: [/usr/bin/env, python3, '{{ skill.dir }}/noisy.py']}";
    let file = scene.workflow(
        "noisy",
        &format!(
            "steps:\n  race:\n    uses: compare\n    timeout: 1m\n    with:\n      baseline: {side}\n      candidate: {side}\n      \
             metric: {{value: result.x, better: higher}}\n      parse: {{as: json, from: stdout, schema: {{type: object, required: [x], properties: {{x: {{type: number}}}}}}}}\n      \
             pairs: 4\n      max_pairs: 8\n      warmup: 0\n      seed: 7\n"
        ),
    );
    scene.assay(&["run", &file]).expect(0);
    let found = scene.finished("race")["outputs"].clone();
    assert_eq!(found["seed"], 7);
    match found["verdict"].as_str().unwrap() {
        "undecided" => assert_eq!(found["pairs"], 8, "{found}"),
        _ => assert!(found["pairs"].as_u64().unwrap() <= 8, "{found}"),
    }
    assert!(found["pairs"].as_u64().unwrap() > 4 || found["verdict"] != "undecided");
}

const FROZEN: &str = "\
steps:
  base:
    uses: baseline
    with: {files: [ref.txt, data], values: {tol: 1.0e-5}, commands: {word: {argv: [echo, frozen]}}, facts: true}
  work: {uses: command, needs: [base], with: {argv: [sh, -c, '{{ inputs.do }}']}}
gates:
  g: {assert: steps.base.values.tol < 1, needs: [work]}
outputs:
  digest: {value: steps.base.digest, type: string}
  names: {value: steps.base.files | list, type: array}
  said: {value: steps.base.commands.word.stdout, type: string}
";

#[test]
fn a_baseline_freezes_and_every_gate_behind_it_looks_again() {
    let scene = Scene::new();
    scene.write("ref.txt", "reference");
    scene.write("data/a", "1");
    let head = "inputs:\n  do: {type: string, default: 'true'}\n";
    let file = scene.workflow("frozen", &format!("{head}{FROZEN}"));
    scene.assay(&["run", &file]).expect(0);
    let outputs = scene.outputs();
    assert_eq!(outputs["said"].as_str().unwrap().trim(), "frozen");
    assert_eq!(outputs["names"], json!(["ref.txt", "data"]));
    let digest = outputs["digest"].clone();
    assert!(scene.events("gate_decided")[0]["baselines"].as_array().unwrap().contains(&digest));
    let overwrite = format!("do=echo changed > {}/ref.txt", scene.dir().display());
    scene.assay(&["run", &file, "-i", &overwrite]).expect(24);
    assert_eq!(scene.outcomes()["g"], "tampered");
}

#[test]
fn a_baseline_is_taken_over_from_another_run_and_handed_to_a_callee() {
    let scene = Scene::new();
    scene.write("ref.txt", "reference");
    scene.write("data/a", "1");
    let first =
        scene.workflow("frozen", &format!("inputs:\n  do: {{type: string, default: 'true'}}\n{FROZEN}"));
    scene.assay(&["run", &first]).expect(0);
    let (digest, id) = (scene.outputs()["digest"].clone(), scene.events("run_started")[0]["run"].clone());
    scene.skill(
        "judge",
        "inputs:\n  base: {type: object, format: baseline}\nsteps:\n  a: {uses: command, with: {argv: [cat, \"{{ inputs.base.files['ref.txt'].path }}\"]}}\n\
         gates:\n  same: {assert: inputs.base.values.tol < 1, needs: [a]}\n",
    );
    let second = scene.workflow(
        "second",
        &format!(
            "steps:\n  base: {{uses: baseline, with: {{from: {}}}}}\n  call: {{uses: 'skill:judge', with: {{base: '{{{{ steps.base }}}}'}}}}\n\
             outputs:\n  digest: {{value: steps.base.digest, type: string}}\n",
            id.as_str().unwrap()
        ),
    );
    scene.write("ref.txt", "changed since");
    scene.assay(&["run", &second]).expect(0);
    assert_eq!(scene.printed("call/a"), "reference");
    let record = scene.events("gate_decided").pop().unwrap();
    assert!(!record["baselines"].as_array().unwrap().is_empty(), "{record}");
    assert!(scene.outputs()["digest"].is_string() && digest.is_string());
}

const ASKED: &str = "\
steps:
  work: {uses: command, with: {argv: [echo, worked]}}
  ask: {uses: approval, needs: [work], with: {question: Publish?, choices: ['yes', 'no', later], passes: ['yes', later], show: {n: 5}}}
  after: {uses: command, with: {argv: [echo, '{{ steps.ask.choice }} {{ steps.ask.comment }}']}}
finally:
  clean: {uses: command, with: {argv: ['true']}}
";

#[test]
fn an_approval_waits_until_somebody_answers() {
    let scene = Scene::new();
    let file = scene.workflow("asked", ASKED);
    let done = scene.assay(&["run", &file, "--json"]).expect(31);
    let answer = done.json();
    let next = answer["next"][0]["command"].as_str().unwrap().to_owned();
    assert!(next.contains(" ask yes"), "{next}");
    assert!(!scene.statuses().contains_key("clean"), "`finally` never runs while a run waits");
    scene.assay(&["status", "--json"]).expect(31);
    scene.assay(&["resume", "latest"]).expect(31);
    let wrong = scene.assay(&["answer", "latest", "ask", "maybe"]);
    assert!(wrong.code == 2 && wrong.stderr.contains("later"), "{wrong:?}");
    scene.assay(&["answer", "latest", "ask", "later", "--comment", "after lunch"]).expect(0);
    assert_eq!(scene.printed("after"), "later after lunch\n");
    assert_eq!(scene.statuses()["clean"], "passed");
    let record = scene.events("answered").pop().unwrap();
    assert!(record["by"]["uid"].is_u64() && record["by"]["terminal"] == false, "{record}");
    assert_eq!(record["digest"], scene.events("asked")[0]["digest"]);
    let again = scene.assay(&["answer", "latest", "ask", "yes"]);
    assert_ne!(again.code, 0, "a question is answered once");
    assert_eq!(scene.events("step_started").iter().filter(|s| s["step"] == "work").count(), 1);
}

#[test]
fn a_refusal_fails_the_step() {
    let scene = Scene::new();
    let file = scene.workflow("asked", ASKED);
    scene.assay(&["run", &file]).expect(31);
    scene.assay(&["answer", "latest", "ask", "no"]).expect(21);
    let statuses = scene.statuses();
    assert_eq!(
        (statuses["ask"].as_str(), statuses["after"].as_str(), statuses["clean"].as_str()),
        ("failed", "blocked", "passed")
    );
}
