//! The serving skills and the workflow `fair-benchmark`, rehearsed: simulated servers, everything else as it is.

mod support;

use serde_json::Value;
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
        &["framework=vllm", "model=tiny", TOKENIZER, more, "num_prompts=20", "concurrency=20"],
    );
    // A busy machine may make the client too late for a server that takes 130 ms; that is an answer too, and no figure.
    let reason =
        scene.statuses().iter().find(|(_, status)| *status == "failed").map(|(step, _)| step.clone());
    if let Some(step) = reason {
        let told = scene.finished(&step)["reason"].as_str().unwrap_or_default().to_owned();
        assert!(told.contains("the measurement is invalid: the client"), "{told}");
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
    scene.assay(&["run", "cpu-comparison", "-i", &format!("folder={folder}")]).expect(0);
    assert_eq!(scene.outcomes()["same_answers"], "passed");
    let table = scene.outputs()["comparison"].clone();
    assert_eq!(table["rows"].as_array().map(Vec::len), Some(2), "{table}");
    assert!(scene.delivered("summary.md").contains("Cross-Framework Best Comparison"));
    let marker = scene.dir().to_string_lossy().into_owned();
    assert!(eventually(Duration::from_secs(5), || processes_with(&marker).is_empty()));
}
