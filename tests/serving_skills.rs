//! The serving skills and the workflow `fair-benchmark`, rehearsed: simulated servers, everything else as it is.

mod support;

use serde_json::Value;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;
use support::{Done, Scene, eventually, processes_with};

const TOKENIZER: &str =
    concat!("tokenizer=", env!("CARGO_MANIFEST_DIR"), "/engine/loadgen/tests/data/tokenizer.json");
/// One scenario that takes a fraction of a second.
const SCENARIOS: &str = r#"scenarios=[{"name": "chat", "input_len": 32, "output_len": 8}]"#;

fn rehearse(scene: &Scene, name: &str, inputs: &[&str]) -> Done {
    let mut args = vec!["run", name, "--rehearse"];
    for input in inputs {
        args.extend(["-i", input]);
    }
    let done = scene.assay(&args);
    let marker = scene.dir().to_string_lossy().into_owned();
    let gone = eventually(Duration::from_secs(2), || processes_with(&marker).is_empty());
    assert!(gone, "left running: {:?}", processes_with(&marker));
    done
}

fn rows(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a row")).collect()
}

#[test]
fn a_deployment_is_launched_measured_and_stopped() {
    let scene = Scene::new();
    let more = r#"scenarios=[{"name":"chat","input_len":32,"output_len":8},{"name":"long","input_len":128,"output_len":8}]"#;
    let done = rehearse(
        &scene,
        "serving-benchmark",
        &["framework=vllm", "model=tiny", TOKENIZER, more, "num_prompts=20", "concurrency=20", SLOW],
    );
    // A busy machine may make the client too late; that is an answer too, and no figure.
    if client_was_late(&scene) {
        return;
    }
    let done = done.expect(0);
    assert!(done.stdout.contains("rehearsal"), "{}", done.stdout);
    let rows = rows(&scene.delivered("candidates.jsonl"));
    let scenarios: Vec<&str> = rows.iter().filter_map(|row| row["workload"]["scenario"].as_str()).collect();
    assert_eq!(scenarios, ["chat", "long"]);
    assert!(rows.iter().all(|row| row["rehearsal"] == true && row["framework"] == "vllm"), "{rows:?}");
    assert!(rows.iter().all(|row| {
        row["server_command"].as_str().is_some_and(|line| line.contains("vllm") && line.contains("tiny"))
    }));
}

#[test]
fn frameworks_are_tuned_one_after_the_other_and_nothing_rehearsed_is_ranked() {
    let scene = Scene::new();
    let frameworks = r#"frameworks=[{"framework":"sglang","space":{"chunked_prefill_size":[4096,8192]}},{"framework":"vllm","base":{"max_model_len":4096}}]"#;
    let inputs = [
        frameworks,
        "model=tiny",
        "served_name=tiny",
        TOKENIZER,
        SCENARIOS,
        "num_prompts=20",
        "concurrency=20",
        "max_candidates=2",
    ];
    rehearse(&scene, "fair-benchmark", &inputs);
    let statuses = scene.statuses();
    assert_eq!(statuses["best"], "skipped", "{statuses:?}");
    assert_eq!(statuses["tune[0]/plan"], "passed", "{statuses:?}");
    // Base flags, and one change; the base of vLLM.
    for server in ["tune[0]/try[0]/srv", "tune[0]/try[1]/srv", "tune[1]/try[0]/srv"] {
        assert_eq!(statuses[server], "passed", "{statuses:?}");
    }
    // Two servers never stood side by side.
    let mut up: Vec<String> = Vec::new();
    for record in scene.journal() {
        let step = record["data"]["step"].as_str().unwrap_or_default().to_owned();
        match record["type"].as_str().unwrap_or_default() {
            "step_started" if step.ends_with("/srv") => {
                assert!(up.is_empty(), "{step} began beside {up:?}");
                up.push(step);
            }
            "step_finished" if step.ends_with("/srv") => up.retain(|other| *other != step),
            _ => {}
        }
    }
}

#[test]
fn a_refused_flag_stops_its_framework_only() {
    let scene = Scene::new();
    let frameworks = r#"frameworks=[{"framework":"sglang","base":{"tp_sise":2}},{"framework":"vllm","base":{"max_model_len":4096}}]"#;
    rehearse(
        &scene,
        "fair-benchmark",
        &[
            frameworks,
            "model=tiny",
            "served_name=tiny",
            TOKENIZER,
            SCENARIOS,
            "num_prompts=20",
            "concurrency=20",
        ],
    );
    let statuses = scene.statuses();
    assert_eq!(statuses["tune[0]/plan"], "failed", "{statuses:?}");
    let reason = scene.finished("tune[0]/plan")["reason"].as_str().unwrap_or_default().to_owned();
    assert!(reason.contains("tp_sise"), "{reason}");
    assert_eq!(statuses["tune[1]/try[0]/srv"], "passed", "{statuses:?}");
}

#[test]
fn prefill_and_decode_are_recorded_apart() {
    let scene = Scene::new();
    rehearse(
        &scene,
        "torch-profile-capture",
        &["framework=sglang", "model=tiny", "prefill=[256,1]", "decode=[1,128]"],
    )
    .expect(0);
    let traces = scene.outputs()["traces"].as_array().cloned().unwrap_or_default();
    let stages: Vec<&str> = traces.iter().filter_map(|trace| trace["stage"].as_str()).collect();
    assert_eq!(stages, ["prefill", "decode"]);
    assert_eq!(scene.outputs()["answers"].as_array().map(Vec::len), Some(2));
}

#[test]
fn one_stage_is_recorded_where_the_launch_says_which() {
    let scene = Scene::new();
    let armed = scene.dir().join("armed");
    let dir = format!("armed_dir={}", armed.display());
    let env = format!(
        r#"server_env={{"TLLM_PROFILE_START_STOP": "11-15", "TLLM_TORCH_PROFILE_TRACE": "{}/trace.json"}}"#,
        armed.display()
    );
    let inputs = [
        "framework=tensorrt-llm",
        "model=tiny",
        r#"flags={"backend": "pytorch", "max_seq_len": 4096}"#,
        "prefill=[256,1]",
        &dir,
        &env,
    ];
    for stage in ["prefill", "decode"] {
        let stages = format!(r#"stages=["{stage}"]"#);
        rehearse(&scene, "torch-profile-capture", &[&inputs[..], &[&stages]].concat()).expect(0);
        let outputs = scene.outputs();
        let traces = outputs["traces"].as_array().expect("traces");
        let stages: Vec<&str> = traces.iter().filter_map(|trace| trace["stage"].as_str()).collect();
        assert_eq!(stages, [stage]);
        assert_eq!(outputs["answers"].as_array().map(Vec::len), Some(1));
    }
    rehearse(&scene, "torch-profile-capture", &inputs).expect(21);
    let reason = scene.finished("capture")["reason"].as_str().unwrap_or_default().to_owned();
    assert!(reason.contains("launch once for each"), "{reason}");
}

/// A pace that a busy machine keeps up with.
const SLOW: &str = r#"rehearsal={"pace": {"kind": "paced", "ttft_ms": 1000, "itl_ms": 2}}"#;

/// Whether a busy machine kept the client from measuring: an answer too, and one that no test here is about.
fn client_was_late(scene: &Scene) -> bool {
    let texts = ["journal.jsonl", "candidates.jsonl"].map(|name| scene.run_dir().join(name));
    let texts = texts.map(|path| std::fs::read_to_string(path).unwrap_or_default());
    let late = [
        "the client was the bottleneck",
        "the client started requests late",
        "the client left slots idle",
        "the client read answers late",
    ];
    late.iter().any(|words| texts.iter().any(|text| text.contains(words)))
}

/// Every server that was started, by name: frameworks take turns in no certain order.
fn servers(scene: &Scene) -> Vec<String> {
    let started = |record: &Value| {
        let step = record["data"]["step"].as_str().unwrap_or_default().to_owned();
        (record["type"] == "step_started" && step.ends_with("/srv")).then_some(step)
    };
    let mut servers: Vec<String> = scene.journal().iter().filter_map(started).collect();
    servers.sort();
    servers
}

#[test]
fn the_highest_rate_is_searched_beside_the_load_all_at_once() {
    let scene = Scene::new();
    // One round inside the tolerance: the lower end alone.
    let rates = r#"rates={"lower": 20, "upper": 40, "tolerance": 20, "max_rounds": 1}"#;
    let sla = r#"sla={"max_p50_ttft_ms": 5000}"#;
    let inputs = [
        "framework=vllm",
        "model=tiny",
        TOKENIZER,
        SCENARIOS,
        "num_prompts=24",
        "concurrency=24",
        rates,
        sla,
        SLOW,
    ];
    let done = rehearse(&scene, "serving-benchmark", &inputs);
    if client_was_late(&scene) {
        return;
    }
    done.expect(0);
    let outputs = scene.outputs();
    assert_eq!(outputs["best_rates"], serde_json::json!([20.0]));
    assert_eq!(outputs["rates"][0]["rows"][0]["result"], "passed");
    let rows = rows(&scene.delivered("candidates.jsonl"));
    let asked: Vec<Option<f64>> = rows.iter().map(|row| row["workload"]["request_rate"].as_f64()).collect();
    assert_eq!(asked, [None, Some(20.0)]);
    assert!(rows.iter().all(|row| row["workload"]["scenario"] == "chat"));
    assert_eq!(
        rows[0]["digests"]["workload"], rows[1]["digests"]["workload"],
        "one workload, in other words"
    );
    // Half a range is refused before a server starts.
    let half = r#"rates={"lower": 20}"#;
    rehearse(&scene, "serving-benchmark", &["framework=vllm", "model=tiny", TOKENIZER, half]).expect(20);
}

/// Eight deployments.
const SPACE: &str =
    r#""space": {"chunked_prefill_size": [1024, 2048, 4096, 8192], "max_running_requests": [8, 16, 32, 64]}"#;

#[test]
fn a_framework_is_given_up_when_its_first_deployments_do_not_come_up() {
    let scene = Scene::new();
    let space = format!("space={{{}", SPACE.trim_start_matches(r#""space": {"#));
    let oom = r#"rehearsal={"failures": [{"kind": "oom_at_start"}]}"#;
    let inputs = ["framework=sglang", "model=tiny", TOKENIZER, SCENARIOS, &space, "early_stop_after=2", oom];
    rehearse(&scene, "serving-search", &inputs).expect(21);
    assert_eq!(servers(&scene), ["try[0]/srv", "try[1]/srv"], "no third launch");
    let reason = scene.finished("worth_it")["reason"].as_str().unwrap_or_default().to_owned();
    for words in ["of 2 tried, 2 ran out of memory; 6 of 8 not tried", "out of memory: "] {
        assert!(reason.contains(words), "{words}: {reason}");
    }
    let outputs = scene.outputs();
    assert_eq!(outputs["absent"][0]["framework"], "sglang");
    assert_eq!(outputs["absent"][0]["why"], "given-up");
    assert_eq!(
        (outputs["rows"].as_array().map(Vec::len), outputs["failed"].as_array().map(Vec::len)),
        (Some(0), Some(2))
    );
}

#[test]
fn the_other_frameworks_are_measured_and_each_absence_has_its_word() {
    let scene = Scene::new();
    let frameworks = format!(
        r#"frameworks=[{{"framework":"sglang","base":{{"tp_size":2}},{SPACE}}},{{"framework":"vllm","base":{{"max_model_len":4096}}}}]"#
    );
    let inputs = [
        &frameworks,
        r#"absent=[{"framework": "tokenspeed", "why": "user-excluded", "reason": "not asked for"}]"#,
        "model=tiny",
        "served_name=tiny",
        TOKENIZER,
        SCENARIOS,
        "num_prompts=20",
        "concurrency=20",
        "early_stop_after=1",
        // Only what sglang calls so: the other framework comes up.
        r#"rehearsal={"pace": {"kind": "paced", "ttft_ms": 1000, "itl_ms": 2}, "failures": [{"kind": "oom_at_start", "with_flag": "--tp-size"}]}"#,
    ];
    let done = rehearse(&scene, "fair-benchmark", &inputs);
    if client_was_late(&scene) {
        return;
    }
    done.expect(0);
    assert_eq!(servers(&scene), ["tune[0]/try[0]/srv", "tune[1]/try[0]/srv"]);
    let absent = scene.outputs()["absent"].clone();
    let told: Vec<(&str, &str)> = absent
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|one| Some((one["framework"].as_str()?, one["why"].as_str()?)))
        .collect();
    assert_eq!(told, [("tokenspeed", "user-excluded"), ("sglang", "given-up")]);
    assert!(
        absent[1]["reason"].as_str().is_some_and(|reason| reason.contains("ran out of memory")),
        "{absent}"
    );
    let rows = rows(&scene.delivered("candidates.jsonl"));
    assert!(!rows.is_empty() && rows.iter().all(|row| row["framework"] == "vllm"));
}

/// A `vllm` that is found in `PATH`: help of the real one, and a simulated server.
fn stand_in(scene: &Scene) -> String {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in\n--version) echo 0.33.0 ;;\n*--help=all) cat '{}' ;;\n\
         *) exec '{}' sim-server --as vllm --ttft-ms 1000 --itl-ms 2 --tokenizer '{}' -- vllm \"$@\" ;;\nesac\n",
        root.join("engine/serving/tests/help/vllm-0.33.0.txt").display(),
        env!("CARGO_BIN_EXE_assay"),
        TOKENIZER.trim_start_matches("tokenizer=")
    );
    let path = scene.write("bin/vllm", script);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("executable");
    format!("{}/bin:/usr/bin:/bin", scene.dir().display())
}

#[test]
fn the_ranking_tells_rates_from_bursts_and_lists_who_is_absent() {
    let scene = Scene::new();
    let path = stand_in(&scene);
    let frameworks = format!(
        r#"frameworks=[{{"framework":"vllm","base":{{"max_model_len":4096}},"server_env":{{"PATH":"{path}"}}}},{{"framework":"sglang","base":{{}},"server_env":{{"PATH":"{path}"}}}},{{"framework":"llama-cpp","base":{{"no_such_flag":1}}}}]"#
    );
    let mut args = vec!["run", "fair-benchmark"];
    let rates = r#"rates={"lower": 20, "upper": 40, "tolerance": 20, "max_rounds": 1}"#;
    let inputs = [
        frameworks.as_str(),
        rates,
        r#"sla={"max_p50_ttft_ms": 5000}"#,
        "model=tiny",
        TOKENIZER,
        SCENARIOS,
        "num_prompts=24",
        "concurrency=24",
        "gpus=0",
    ];
    args.extend(inputs.iter().flat_map(|input| ["-i", input]));
    let done = scene.assay(&args);
    if client_was_late(&scene) {
        return;
    }
    let summary = scene.delivered("summary.md");
    assert_eq!(scene.statuses()["best"], "passed", "{summary}\n{}\n{}", done.stdout, done.stderr);
    let outputs = scene.outputs();
    let winners = outputs["winners"].as_array().expect("winners");
    assert!(
        winners.len() == 2
            && winners
                .iter()
                .all(|one| one["scenario"].as_str().is_some_and(|name| name.starts_with("chat"))),
        "{winners:?}"
    );
    assert_eq!(scene.outcomes()["decided"], "passed");
    let absent = scene.outputs()["absent"].clone();
    let word = |framework: &str| {
        absent
            .as_array()
            .into_iter()
            .flatten()
            .find(|one| one["framework"] == framework)
            .map(|one| one["why"].clone())
    };
    assert_eq!(word("sglang"), Some("environment".into()), "{absent}");
    assert_eq!(word("llama-cpp"), Some("given-up".into()), "{absent}");
    assert!(summary.contains("sglang") && summary.contains("no_such_flag"), "{summary}");
    done.expect(0);
}

const COOKBOOK: &str = "schema_version: 1
source: {kind: llm_serving_cookbook, source_recipe_file: small.yaml}
model: {name: org/small, tokenizer: same, precision: auto, quantization: model default}
hardware: {gpu_count: 1, multi_node: false}
dataset: {kind: random, num_prompts: 20, scenario_names: [chat], input_len: [32], output_len: [8]}
benchmark:
  endpoint: /v1/completions
  qps: {lower: 20, upper: 40, tolerance: 20, max_rounds: 1}
  sla: {max_p50_ttft_ms: 5000, min_success_rate: 0.9}
search: {tier: 2, max_candidates_per_framework: 1}
frameworks:
  sglang:
    server_command: python -m sglang.launch_server
    base_server_flags: {model_path: org/small, tp_size: 1}
    search_space: {chunked_prefill_size: [4096, 8192]}
  vllm: {enabled: false}
  tensorrt_llm: {enabled: false}
  tokenspeed: {enabled: false}
";

#[test]
fn a_cookbook_says_what_is_compared_and_how() {
    let scene = Scene::new();
    let inputs = ["cookbook=small.yaml", TOKENIZER, "concurrency=20", SLOW];
    let broken = COOKBOOK.replace("max_p50_ttft_ms", "p99_ttft_ms").replace("lower: 20", "lower: 50");
    scene.write("small.yaml", broken);
    rehearse(&scene, "fair-benchmark", &inputs).expect(21);
    let reason = scene.finished("book")["reason"].as_str().unwrap_or_default().to_owned();
    for words in ["small.yaml: benchmark.sla.p99_ttft_ms", "small.yaml: benchmark.qps"] {
        assert!(reason.contains(words), "{words}: {reason}");
    }
    let both = r#"frameworks=[{"framework": "vllm"}]"#;
    rehearse(&scene, "fair-benchmark", &[&inputs[..], &[both]].concat()).expect(20);

    scene.write("small.yaml", COOKBOOK);
    let done = rehearse(&scene, "fair-benchmark", &inputs);
    if client_was_late(&scene) {
        return;
    }
    done.expect(0);
    assert_eq!(servers(&scene), ["tune[0]/try[0]/srv"], "a budget of one");
    let outputs = scene.outputs();
    let left_out: Vec<&str> = outputs["absent"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|one| one["framework"].as_str())
        .collect();
    assert_eq!(left_out, ["vllm", "tensorrt-llm", "tokenspeed"]);
    assert!(
        outputs["absent"].as_array().is_some_and(|all| all.iter().all(|one| one["why"] == "user-excluded"))
    );
    assert!(
        outputs["notes"].to_string().contains("frameworks.sglang.base_server_flags.model_path"),
        "{outputs}"
    );
    let rows = rows(&scene.delivered("candidates.jsonl"));
    let asked: Vec<(Option<f64>, Option<u64>)> = rows
        .iter()
        .map(|row| (row["workload"]["request_rate"].as_f64(), row["workload"]["input_len"].as_u64()))
        .collect();
    assert_eq!(asked, [(None, Some(32)), (Some(20.0), Some(32))]);
    assert!(rows.iter().all(|row| row["model"] == "org/small" && row["sla"]["max_p50_ttft_ms"] == 5000.0));
}

/// A slow suite of its own: real servers, which `workflows/cpu-comparison/setup.sh` installs.
#[test]
fn real_servers_are_compared() {
    let Ok(folder) = std::env::var("ASSAY_CPU_COMPARISON") else {
        eprintln!(
            "skipped: `ASSAY_CPU_COMPARISON` does not name the folder of `workflows/cpu-comparison/setup.sh`"
        );
        return;
    };
    let scene = Scene::new();
    let vllm = std::path::Path::new(&folder).join("vllm/bin/vllm").exists();
    let given = [format!("folder={folder}"), format!("vllm={vllm}")];
    scene.assay(&["run", "cpu-comparison", "-i", &given[0], "-i", &given[1]]).expect(0);
    assert_eq!(scene.outcomes()["same_answers"], "passed");
    let table = scene.outputs()["comparison"].clone();
    assert_eq!(table["rows"].as_array().map(Vec::len), Some(2 + usize::from(vllm)), "{table}");
    assert!(scene.delivered("summary.md").contains("Cross-Framework Best Comparison"));
    let marker = scene.dir().to_string_lossy().into_owned();
    assert!(eventually(Duration::from_secs(5), || processes_with(&marker).is_empty()));
}
