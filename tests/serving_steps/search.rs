//! The step `search`: candidates, flags that are missing, cookbooks.

use crate::list;
use crate::support::Scene;
use serde_json::json;

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
