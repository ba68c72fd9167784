//! The steps `search`, `rank` and `profile` end to end: real manifests, rows in files, and the simulated server.

mod support;

use serde_json::{Value, json};
use std::path::Path;
use support::Scene;

const BINARY: &str = env!("CARGO_BIN_EXE_assay");

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("no list: {value}"))
}

#[test]
fn candidates_of_a_search_are_run_by_a_foreach() {
    let scene = Scene::new();
    let file = scene.workflow(
        "search",
        "steps:
  plan:
    uses: search
    with:
      framework: sglang
      base: {tp_size: 2}
      space: {chunked_prefill_size: [4096, 8192], attention_backend: [fa3, flashinfer]}
      gpu: '8.0'
      max_candidates: 3
  try:
    uses: command
    foreach: {candidate: '{{ steps.plan.candidates }}'}
    with: {argv: [echo, '{{ each.candidate.id }}', '{{ each.candidate.label }}']}
outputs:
  candidates: {value: steps.plan.candidates, type: array}
  excluded: {value: steps.plan.excluded, type: array}
  coverage: {value: steps.plan.coverage_line, type: string}
deliver:
  coverage.md: steps.plan.coverage_table
",
    );
    scene.assay(&["run", &file]).expect(0);
    let outputs = scene.outputs();
    let candidates = list(&outputs["candidates"]);
    assert_eq!(candidates.len(), 3, "{candidates:?}");
    assert_eq!(candidates[0]["flags"], json!({"tp_size": 2}));
    for (index, candidate) in candidates.iter().enumerate() {
        let printed = scene.printed(&format!("try[{index}]"));
        assert!(printed.starts_with(candidate["id"].as_str().expect("an id")), "{printed}");
    }
    assert_eq!(outputs["excluded"][0]["rule"], "attention_backend");
    assert!(outputs["coverage"].as_str().is_some_and(|line| line.contains("of 4 values")), "{outputs}");
    let table = scene.delivered("coverage.md");
    assert!(table.contains("| fa3 | no |"), "{table}");
    // The same plan another day has the same ids.
    scene.assay(&["run", &file]).expect(0);
    assert_eq!(scene.outputs()["candidates"], outputs["candidates"]);
}

#[test]
fn flags_that_the_installed_server_lacks_stop_a_search() {
    let scene = Scene::new();
    scene.write(
        "help.txt",
        "usage: server [options]\n  --tp-size N   ranks\n  --chunked-prefill-size N   tokens\n",
    );
    let plan = |base: &str| {
        format!(
            "steps:\n  plan: {{uses: search, with: {{framework: sglang, help: help.txt, base: {base}, \
             space: {{chunked_prefill_size: [4096, 8192]}}}}}}\n"
        )
    };
    let file = scene.workflow("fine", &plan("{tp_size: 2}"));
    scene.assay(&["run", &file]).expect(0);
    let file = scene.workflow("gone", &plan("{tp_size: 2, mem_fraction_static: 0.8}"));
    scene.assay(&["run", &file]).expect(21);
    let reason = scene.finished("plan")["reason"].as_str().expect("a reason").to_owned();
    assert!(reason.contains("no candidate is left") && reason.contains("mem_fraction_static"), "{reason}");
    scene.write("help.txt", "nothing here\n");
    let file = scene.workflow("empty", &plan("{}"));
    scene.assay(&["run", &file]).expect(21);
    assert!(
        scene.finished("plan")["reason"].as_str().is_some_and(|reason| reason.contains("defines no flag"))
    );
}

const COOKBOOK: &str = "schema_version: 1
source: {kind: llm_serving_cookbook, source_recipe_file: small.yaml}
model: {name: org/small, tokenizer: same, precision: auto, quantization: model default}
hardware: {gpu_count: 1, multi_node: false}
dataset: {kind: random, num_prompts: 80, scenario_names: [chat, long], input_len: [1000, 8000], output_len: [1000, 1000]}
benchmark:
  endpoint: /v1/completions
  sla: {max_p50_ttft_ms: 1500, max_p50_tpot_ms: 30, min_success_rate: 0.99}
search: {tier: 2, max_candidates_per_framework: 4, resume: true}
frameworks:
  sglang:
    server_command: python -m sglang.launch_server
    base_server_flags: {model_path: org/small, tp_size: 1}
    search_space: {chunked_prefill_size: [4096, 8192], max_running_requests: [32, 48, 64]}
  vllm:
    server_command: vllm serve
    base_server_flags: {max_model_len: 12288}
    search_space: {max_num_seqs: [32, 64]}
  tensorrt_llm: {enabled: false}
  tokenspeed: {enabled: false}
";

#[test]
fn a_cookbook_gives_candidates_scenarios_and_limits() {
    let scene = Scene::new();
    scene.write("small.yaml", COOKBOOK);
    let body = "steps:
  plan:
    uses: search
    foreach: {framework: [sglang, vllm, tokenspeed]}
    with: {framework: '{{ each.framework }}', cookbook: small.yaml}
outputs:
  all: {value: steps.plan, type: array}
";
    let file = scene.workflow("book", body);
    scene.assay(&["run", &file]).expect(0);
    let all = scene.outputs()["all"].clone();
    let [sglang, vllm, tokenspeed] = &list(&all)[..] else { panic!("{all}") };
    assert_eq!((list(&sglang["candidates"]).len(), list(&vllm["candidates"]).len()), (4, 3));
    assert_eq!(sglang["sla"]["max_p50_ttft_ms"], 1500.0);
    assert_eq!(vllm["scenarios"][1], json!({"name": "long", "input_len": 8000, "output_len": 1000}));
    assert_eq!(sglang["cookbook"]["dataset"]["num_prompts"], 80);
    assert_eq!(tokenspeed["candidates"], json!([]));
    assert_eq!(
        (&tokenspeed["absent"][0]["framework"], &tokenspeed["absent"][0]["why"]),
        (&json!("tokenspeed"), &json!("user-excluded"))
    );
    scene.write("small.yaml", COOKBOOK.replace("max_p50_tpot_ms", "p99_tpot_ms").replace("12288", "4096"));
    scene.assay(&["run", &file]).expect(21);
    let reason = scene.finished("plan[sglang]")["reason"].as_str().expect("a reason").to_owned();
    assert!(reason.contains("benchmark.sla.p99_tpot_ms") && reason.contains("max_p50_tpot_ms"), "{reason}");
    assert!(reason.contains("frameworks.vllm.base_server_flags.max_model_len"), "{reason}");
}

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

/// A manifest with a simulated server and a profile of it.
fn profiled(scene: &Scene, name: &str, server: &str, with: &str, rest: &str) -> String {
    scene.workflow(
        name,
        &format!(
            "steps:
  srv:
    uses: server
    with:
      argv: [{BINARY}, sim-server, --port, '{{{{ self.port }}}}', --ttft-ms, 2, --itl-ms, 5, {server}]
      ready: {{http: {{path: /health}}, timeout: 30s}}
    timeout: 2m
  prof:
    uses: profile
    with: {{server: '{{{{ steps.srv }}}}', {with}}}
    timeout: 2m
{rest}"
        ),
    )
}

const OUT: &str = "outputs:
  dir: {value: steps.prof.dir, type: string}
  stages: {value: steps.prof.stages, type: array}
  traces: {value: steps.prof.traces, type: array}
";

#[test]
fn both_stages_are_recorded_and_can_be_read() {
    let scene = Scene::new();
    let file = profiled(
        &scene,
        "both",
        "--as, sglang",
        "framework: sglang, workloads: {prefill: [300, 1]}",
        &format!(
            "  look:
    uses: trace
    foreach: {{stage: '{{{{ steps.prof.stages }}}}'}}
    with: {{path: '{{{{ each.stage.dir }}}}'}}
{OUT}  args: {{value: steps.prof.server_args, type: string}}
  sound: {{value: \"steps.look | map(attribute='sound') | list\", type: array}}
"
        ),
    );
    scene.assay(&["run", &file]).expect(0);
    let outputs = scene.outputs();
    let traces = list(&outputs["traces"]);
    let stages: Vec<&Value> = traces.iter().map(|trace| &trace["stage"]).collect();
    assert_eq!(stages, ["prefill", "decode"], "{outputs}");
    for trace in traces {
        let path = Path::new(trace["path"].as_str().expect("a path"));
        let folder = path.parent().and_then(Path::file_name).and_then(|name| name.to_str());
        assert_eq!(folder, trace["stage"].as_str());
        assert_eq!(Some(std::fs::metadata(path).expect("the trace").len()), trace["bytes"].as_u64());
        assert_eq!(trace["sha256"].as_str().map(str::len), Some(64));
    }
    assert_eq!(outputs["stages"][0]["input_len"], 300);
    assert_eq!(outputs["stages"][1]["output_len"], 2048);
    assert_eq!(outputs["sound"], json!([true, true]));
    assert!(Path::new(outputs["args"].as_str().expect("a path")).is_file());
}

#[test]
fn a_server_that_decides_at_launch_must_have_been_told() {
    let scene = Scene::new();
    let with = |more: &str| format!("framework: vllm, workloads: {{prefill: [64, 1]}}, {more}");
    let file = profiled(
        &scene,
        "told",
        "--as, vllm, --profile-dir, '{{ run.scratch }}/armed'",
        &with("armed_dir: '{{ run.scratch }}/armed'"),
        OUT,
    );
    scene.assay(&["run", &file]).expect(0);
    let outputs = scene.outputs();
    let traces = list(&outputs["traces"]);
    assert_eq!(traces.len(), 2, "{outputs}");
    let dir = outputs["dir"].as_str().expect("a folder");
    assert!(traces.iter().all(|trace| trace["path"].as_str().is_some_and(|path| path.starts_with(dir))));
    for (more, word) in [
        ("steps: 5", "`armed_dir`"),
        ("armed_dir: '{{ run.scratch }}/armed'", "was not launched for recordings"),
    ] {
        let file = profiled(&scene, "untold", "--as, vllm", &with(more), "");
        scene.assay(&["run", &file]).expect(21);
        let reason = scene.finished("prof")["reason"].as_str().expect("a reason").to_owned();
        assert!(reason.contains(word) && reason.contains("--profiler-config"), "{reason}");
    }
    let file = profiled(
        &scene,
        "elsewhere",
        "--as, vllm, --profile-dir, '{{ run.scratch }}/armed'",
        &with("armed_dir: '{{ run.scratch }}/other', stages: [prefill], flush_timeout: 1s"),
        "",
    );
    scene.assay(&["run", &file]).expect(21);
    let reason = scene.finished("prof")["reason"].as_str().expect("a reason").to_owned();
    assert!(reason.contains("/other") && reason.contains("`armed_dir`"), "{reason}");
}

#[test]
fn what_cannot_be_recorded_is_told() {
    let scene = Scene::new();
    let fails = |name: &str, server: &str, with: &str, status: &str, word: &str| {
        let file = profiled(&scene, name, server, with, "");
        scene.assay(&["run", &file]);
        let end = scene.finished("prof");
        let reason = end["reason"].as_str().expect("a reason");
        assert!(reason.contains(word) && end["status"] == status, "{name}: {end}");
    };
    fails("foreign", "--as, llama-cpp", "framework: llama-cpp", "unsupported", "no profiler");
    fails("unnamed", "--as, sglang", "steps: 5", "failed", "framework is not known");
    let short = "framework: sglang, stages: [decode], workloads: {decode: [1, 4]}";
    fails("short", "--as, sglang", short, "failed", "raise the output length");
    fails("fixed", "--as, tensorrt-llm", "framework: tensorrt-llm, armed_dir: /tmp/x", "failed", "one stage");
    // Nobody is left recording: the server takes another profile.
    let rest = "  again: {uses: profile, needs: [prof], with: {server: '{{ steps.srv }}', framework: sglang, stages: [decode]}}\n";
    let file = profiled(&scene, "again", "--as, sglang", &format!("{short}, flush_timeout: 2s"), rest);
    let text =
        scene.read(&file).replace("    timeout: 2m\n  again", "    timeout: 2m\n    on_fail: warn\n  again");
    scene.write(&file, text);
    scene.assay(&["run", &file]).expect(0);
    assert_eq!(scene.statuses()["again"], "passed");
}

#[test]
fn a_rehearsed_server_says_itself_what_it_is() {
    let scene = Scene::new();
    let file = scene.workflow(
        "rehearsed",
        &format!(
            "steps:
  srv:
    uses: server
    with: {{adapter: {{name: sglang, model: /models/small, served_name: small}}, ready: {{timeout: 20s}}}}
    timeout: 1m
  prof:
    uses: profile
    with: {{server: '{{{{ steps.srv }}}}', workloads: {{prefill: [64, 1]}}}}
    timeout: 1m
{OUT}  framework: {{value: steps.prof.framework, type: string}}
  model: {{value: steps.prof.model, type: string}}
"
        ),
    );
    scene.assay(&["run", &file, "--rehearse"]).expect(0);
    let outputs = scene.outputs();
    assert_eq!((&outputs["framework"], &outputs["model"]), (&json!("sglang"), &json!("small")));
    assert_eq!(list(&outputs["traces"]).len(), 2);
}

/// The launch of TensorRT-LLM that records, as its adapter says, and the profile of one stage.
fn launched_for(scene: &Scene, steps: &str, name: &str, with: &str) -> String {
    scene.workflow(
        "fixed",
        &format!(
            "steps:
  srv:
    uses: server
    with:
      adapter:
        name: tensorrt-llm
        model: /models/small
        flags: {{backend: pytorch, max_seq_len: 4096}}
        env:
          TLLM_PROFILE_START_STOP: '{steps}'
          TLLM_TORCH_PROFILE_TRACE: '{{{{ run.scratch }}}}/armed/{name}'
      ready: {{timeout: 20s}}
      rehearsal: {{pace: {{kind: paced, ttft_ms: 2, itl_ms: 5}}}}
    timeout: 1m
  prof:
    uses: profile
    with: {{server: '{{{{ steps.srv }}}}', armed_dir: '{{{{ run.scratch }}}}/armed', {with}}}
    timeout: 1m
  look:
    uses: trace
    foreach: {{stage: '{{{{ steps.prof.stages }}}}'}}
    with: {{path: '{{{{ each.stage.dir }}}}', framework: tensorrt-llm, views: [passes]}}
    timeout: 1m
{OUT}  sound: {{value: \"steps.look | map(attribute='sound') | list\", type: array}}
  passes: {{value: \"steps.look | map(attribute='passes') | list\", type: array}}
"
        ),
    )
}

#[test]
fn a_recording_that_is_fixed_at_launch_is_one_launch_per_stage() {
    let scene = Scene::new();
    // The first suits a server that has answered nobody else; the second begins after what other servers are asked, and
    // has the name that newer versions make of `trace.json`.
    let launches = [("11-15", "trace.json"), ("60-64", "trace-rank-0.json")];
    for (stage, (steps, name)) in
        ["decode", "prefill"].into_iter().flat_map(|stage| launches.map(|one| (stage, one)))
    {
        let file =
            launched_for(&scene, steps, name, &format!("stages: [{stage}], workloads: {{prefill: [64, 1]}}"));
        scene.assay(&["run", &file, "--rehearse"]).expect(0);
        let outputs = scene.outputs();
        let [trace] = &list(&outputs["traces"])[..] else { panic!("{outputs}") };
        assert_eq!(trace["stage"], stage);
        let own = Path::new(outputs["dir"].as_str().expect("a folder")).join(stage).join(name);
        assert_eq!(trace["path"].as_str().map(Path::new), Some(own.as_path()));
        assert_eq!(outputs["sound"], json!([true]), "{outputs}");
        let passes = list(&outputs["passes"][0]["rows"]);
        assert_eq!(passes.len(), 5, "{outputs}");
        assert!(
            passes.iter().all(|pass| pass["stage"].as_str().is_some_and(|word| word.contains(stage))),
            "{stage} {steps}: {passes:?}"
        );
    }
}

#[test]
fn a_recording_that_never_comes_says_what_to_look_at() {
    let scene = Scene::new();
    let short = "stages: [decode], workloads: {decode: [1, 40]}, flush_timeout: 1s";
    for steps in ["0-4", "900-904"] {
        let file = launched_for(&scene, steps, "trace.json", short);
        scene.assay(&["run", &file, "--rehearse"]).expect(21);
        let reason = scene.finished("prof")["reason"].as_str().expect("a reason").to_owned();
        assert!(reason.contains("other steps") && reason.contains("`armed_dir`"), "{steps}: {reason}");
    }
    let mut server = scene.command(&["sim-server", "--as", "tensorrt-llm", "--port", "0"]);
    server.env("TLLM_PROFILE_START_STOP", "eleven").env("TLLM_TORCH_PROFILE_TRACE", "trace.json");
    let output = server.output().expect("it ends");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && told.contains("`eleven`, not `first-last`"), "{told}");
}
