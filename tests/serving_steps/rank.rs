//! The step `rank`: rows in files to a winner.

use crate::list;
use crate::support::Scene;
use serde_json::{Value, json};

/// A result row. Its medians are in milliseconds.
fn row(framework: &str, candidate: &str, rate: f64, ttft: f64) -> Value {
    json!({
        "framework": framework, "candidate_id": candidate, "model": "org/small", "status": "ok",
        "hardware": {"gpu_model": "H200", "gpu_count": 1},
        "workload": {
            "kind": "random", "scenario": "chat", "input_len": 1000, "output_len": 100, "num_prompts": 80,
            "endpoint": "/v1/completions"
        },
        "sla": {"max_p50_ttft_ms": 100.0, "passed": true},
        "metrics": {
            "request_throughput": rate, "output_token_throughput": rate * 100.0, "p50_ttft_ms": ttft,
            "p50_tpot_ms": 5.0, "success_rate": 1.0
        },
        "server_command": format!("{framework} --candidate {candidate}")
    })
}

fn with(mut row: Value, place: &str, value: Value) -> Value {
    let (parent, key) = place.rsplit_once('/').expect("a pointer");
    row.pointer_mut(parent).expect("a parent")[key] = value;
    row
}

fn write_rows(scene: &Scene, path: &str, rows: &[Value]) {
    scene.write(path, rows.iter().map(|row| format!("{row}\n")).collect::<String>());
}

#[test]
fn the_winner_is_who_keeps_the_limits() {
    let scene = Scene::new();
    write_rows(
        &scene,
        "rows.jsonl",
        &[
            row("sglang", "c1", 8.0, 60.0),
            // The quickest claims to have passed; its own figures say otherwise.
            row("vllm", "c2", 20.0, 9999.0),
            row("vllm", "c3", 6.0, 70.0),
            with(row("vllm", "c4", 50.0, 10.0), "/workload/num_prompts", json!(8)),
            with(row("sglang", "c5", 50.0, 10.0), "/rehearsal", json!(true)),
            json!({
                "framework": "sglang", "candidate_id": "c6", "status": "oom", "failure_reason": "out of memory",
                "workload": {"scenario": "chat"}
            }),
        ],
    );
    let file = scene.workflow(
        "rank",
        "steps:
  best:
    uses: rank
    with:
      files: [rows.jsonl]
      target: vllm
      absent:
        - {framework: tensorrt-llm, why: user-excluded, reason: not asked for}
        - {framework: tokenspeed, why: environment, reason: no such program}
gates:
  decided: {assert: steps.best.decided}
outputs:
  winners: {value: steps.best.winners, type: array}
  handoff: {value: steps.best.handoff, type: array}
  not_ranked: {value: steps.best.not_ranked, type: array}
  disagreements: {value: steps.best.disagreements, type: array}
  groups: {value: steps.best.groups, type: array}
  comparison: {rows: steps.best.comparison.rows, columns: {rank: Rank, framework: Framework, req_per_s: Req/s}}
deliver:
  summary.md: steps.best.markdown
  ranking.csv: steps.best.csv
  candidates.jsonl: steps.best.rows
  failed.md: steps.best.failed
",
    );
    scene.assay(&["run", &file]).expect(0);
    let outputs = scene.outputs();
    let winner = &outputs["winners"][0];
    assert_eq!((&winner["framework"], &winner["candidate"]), (&json!("sglang"), &json!("c1")), "{outputs}");
    assert_eq!(winner["server_command"], "sglang --candidate c1");
    assert_eq!(outputs["handoff"][0]["workloads"], json!({"prefill": [1000, 1], "decode": [1, 100]}));
    let why: Vec<&Value> = list(&outputs["not_ranked"]).iter().map(|left| &left["why"]).collect();
    assert_eq!(why, ["smoke", "rehearsal"]);
    assert_eq!(outputs["disagreements"][0]["field"], "sla.passed");
    assert_eq!(list(&outputs["groups"]).len(), 1);
    assert_eq!(outputs["comparison"]["rows"][0]["req_per_s"], 8.0);
    let summary = scene.delivered("summary.md");
    for part in [
        "## Best Commands By Framework",
        "Winner: `sglang/c1`",
        "Left out by the user: tensorrt-llm",
        "Not installed here: tokenspeed",
    ] {
        assert!(summary.contains(part), "{part} is not in\n{summary}");
    }
    assert!(scene.delivered("ranking.csv").starts_with("framework,scenario,candidate_id,status,sla_passed,"));
    assert_eq!(scene.delivered("candidates.jsonl").lines().count(), 6);
    assert!(scene.delivered("failed.md").contains("out of memory"));
}

#[test]
fn what_is_not_alike_is_not_compared_and_a_small_lead_is_a_tie() {
    let scene = Scene::new();
    let other = with(row("vllm", "c2", 99.0, 20.0), "/hardware/gpu_count", json!(8));
    write_rows(&scene, "apart.jsonl", &[row("sglang", "c1", 8.0, 60.0), other]);
    write_rows(&scene, "close.jsonl", &[row("sglang", "c1", 8.0, 60.0), row("vllm", "c2", 8.01, 60.0)]);
    for (rows, groups, winners) in [("apart", 2, 2), ("close", 1, 2)] {
        let file = scene.workflow(
            rows,
            &format!(
                "steps:\n  best: {{uses: rank, with: {{files: [{rows}.jsonl]}}}}\ngates:\n  \
                 decided: {{assert: steps.best.decided, on_fail: inconclusive}}\noutputs:\n  \
                 groups: {{value: steps.best.groups, type: array}}\n  winners: {{value: steps.best.winners, type: array}}\n"
            ),
        );
        scene.assay(&["run", &file]).expect(25);
        let outputs = scene.outputs();
        assert_eq!(
            (list(&outputs["groups"]).len(), list(&outputs["winners"]).len()),
            (groups, winners),
            "{outputs}"
        );
    }
    let file = scene.workflow(
        "wide",
        "steps:\n  best: {uses: rank, with: {files: [close.jsonl], threshold: 0.1%}}\ngates:\n  \
         decided: {assert: steps.best.decided}\n",
    );
    scene.assay(&["run", &file]).expect(0);
}

#[test]
fn figures_are_computed_again_from_requests() {
    let scene = Scene::new();
    let second = 1_000_000_000_u64;
    let request = |id: u64| {
        let start = id * second;
        json!({"repeat": 1, "record": {
            "id": id, "output_len": 2, "intended_ns": start, "start_ns": start, "chunk_ns": [start + second / 2, start + second],
            "end_ns": start + second, "usage": {"completion_tokens": 2}
        }})
    };
    // The row says 60 ms; the requests waited half a second each.
    write_rows(&scene, "a/row.jsonl", &[row("sglang", "c1", 8.0, 60.0)]);
    let requests: Vec<Value> = (0..40).map(request).collect();
    write_rows(&scene, "a/requests.jsonl", &requests);
    write_rows(&scene, "rows.jsonl", &[row("vllm", "c2", 4.0, 60.0)]);
    let file = scene.workflow(
        "again",
        "steps:
  row: {uses: command, with: {argv: [cat, '{{ skill.dir }}/a/row.jsonl'], parse: {as: json, schema: {type: object}}}}
  files: {uses: rank, with: {files: [a/row.jsonl, rows.jsonl]}}
  values:
    uses: rank
    with: {rows: ['{{ steps.row.result }}'], records: [a/requests.jsonl], files: [rows.jsonl]}
outputs:
  files: {value: steps.files.disagreements, type: array}
  values: {value: steps.values.disagreements, type: array}
  winners: {value: steps.values.winners, type: array}
",
    );
    scene.assay(&["run", &file]).expect(0);
    let outputs = scene.outputs();
    for name in ["files", "values"] {
        let found = list(&outputs[name]);
        let ttft = found.iter().find(|one| one["field"] == "metrics.p50_ttft_ms").expect("a disagreement");
        assert_eq!((&ttft["stored"], &ttft["computed"]), (&json!(60.0), &json!(500.0)), "{name}");
    }
    assert_eq!(outputs["winners"][0]["framework"], "vllm");
}

#[test]
fn without_a_result_a_ranking_fails_and_says_why() {
    let scene = Scene::new();
    write_rows(
        &scene,
        "smoke.jsonl",
        &[with(row("sglang", "c1", 8.0, 60.0), "/workload/num_prompts", json!(5))],
    );
    scene.write("broken.jsonl", "{\"framework\": \n");
    for (with, word) in [
        ("{files: [smoke.jsonl]}", "smoke run"),
        ("{files: [broken.jsonl]}", "line 1 of"),
        ("{rows: [7]}", "not a number"),
        ("{}", "there is no row"),
        ("{rows: [7, 8], records: [smoke.jsonl]}", "1 entries"),
    ] {
        let file = scene.workflow("none", &format!("steps:\n  best: {{uses: rank, with: {with}}}\n"));
        scene.assay(&["run", &file]).expect(21);
        let reason = scene.finished("best")["reason"].as_str().expect("a reason").to_owned();
        assert!(reason.contains(word), "{with}: {reason}");
    }
    let file = scene.workflow("gone", "steps:\n  best: {uses: rank, with: {files: [nowhere.jsonl]}}\n");
    scene.assay(&["run", &file]).expect(40);
    assert_eq!(scene.statuses()["best"], "environment");
}
