//! The profiler endpoints: files that come late and are what the trace reader expects.

mod sim_support;

use assay_loadgen::sim::Config;
use assay_trace::ViewName;
use assay_trace::request::{Request, analyse};
use assay_trace::stage::Stage;
use serde_json::json;
use sim_support::{Sim, completion, eventually};
use std::fs;
use std::path::{Path, PathBuf};

fn traces(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    found.retain(|path| path.to_string_lossy().ends_with(".trace.json.gz"));
    found.sort();
    found
}

fn names(folder: &Path) -> Vec<String> {
    let name = |path: &PathBuf| path.file_name().expect("a name").to_string_lossy().into_owned();
    traces(folder).iter().map(name).collect()
}

fn request(path: &Path) -> Request {
    Request { path: path.to_owned(), views: vec![ViewName::Steps], ..Request::default() }
}

fn readable(path: &Path) -> bool {
    analyse(&request(path)).is_ok_and(|report| report.sound())
}

#[test]
fn stages_are_recorded_apart_and_written_late() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("deep/traces");
    let sim = Sim::ready(json!({
        "pace": {"kind": "flood"}, "profile": {"flush_s": 1.0, "layers": 2},
        "argv": ["sglang", "serve", "--model-path", "/m/tiny", "--tp-size", "1"]
    }));
    assert_eq!(sim.post("/start_profile", &json!({})).status, 400, "no folder");
    assert_eq!(sim.post("/stop_profile", &json!({})).status, 400, "nothing to stop");
    let start = json!({
        "output_dir": dir, "num_steps": "5", "activities": ["CPU", "GPU"], "profile_by_stage": true,
        "profile_id": "run7", "profile_prefix": "a-"
    });
    assert_eq!(sim.post("/start_profile", &start).status, 200);
    assert_eq!(sim.post("/start_profile", &start).status, 400, "already");
    assert!(traces(&dir).is_empty());
    sim.post("/v1/completions", &completion(5, 20));
    eventually(|| traces(&dir).len() == 2);
    assert_eq!(names(&dir), ["a-run7-TP-0-DECODE.trace.json.gz", "a-run7-TP-0-EXTEND.trace.json.gz"]);
    assert!(!readable(&traces(&dir)[0]), "only half of it is there");
    eventually(|| traces(&dir).iter().all(|path| readable(path)));
    let report = analyse(&request(&dir)).expect("traces");
    let steps: Vec<Stage> = report
        .documents
        .iter()
        .flat_map(|document| document.steps.as_deref().unwrap_or_default())
        .map(|step| step.stage)
        .collect();
    assert_eq!(report.documents.len(), 2);
    for stage in [Stage::Prefill, Stage::Decode] {
        assert_eq!(steps.iter().filter(|one| **one == stage).count(), 5, "{steps:?}");
    }
    assert_eq!(report.documents[0].model.as_deref(), Some("/m/tiny"), "from `server_args.json`");
    let arguments = fs::read_to_string(dir.join("server_args.json")).expect("arguments");
    assert!(arguments.contains("/m/tiny"), "{arguments}");
    assert_eq!(sim.post("/stop_profile", &json!({})).status, 400, "it has stopped by itself");
}

#[test]
fn vllm_records_only_when_it_was_armed() {
    let plain = Sim::ready(json!({"framework": "vllm"}));
    assert_eq!(plain.post("/start_profile", &json!({})).status, 404);
    let folder = tempfile::tempdir().expect("a folder");
    let sim = Sim::ready(json!({
        "framework": "vllm", "pace": {"kind": "flood"}, "profile": {"dir": folder.path(), "flush_s": 0, "ranks": 2, "layers": 2}
    }));
    assert_eq!(sim.post("/start_profile", &json!({"profile_prefix": "p."})).status, 200);
    sim.post("/v1/completions", &completion(5, 3));
    assert_eq!(sim.post("/stop_profile", &json!({})).status, 200);
    eventually(|| {
        traces(folder.path()).len() == 2 && traces(folder.path()).iter().all(|path| readable(path))
    });
    let names = names(folder.path());
    assert!(names[0].starts_with("p.rank0.") && names[1].starts_with("p.rank1."), "{names:?}");
}

/// How many passes of each stage a trace holds: prefill, decode.
fn passes(path: &Path) -> Option<(usize, usize)> {
    let report = analyse(&request(path)).ok().filter(|report| report.sound())?;
    let steps = report.documents.first()?.steps.as_deref()?;
    let count = |stage| steps.iter().filter(|step| step.stage == stage).count();
    Some((count(Stage::Prefill), count(Stage::Decode)))
}

#[test]
fn what_was_fixed_at_launch_is_recorded_without_a_request() {
    let folder = tempfile::tempdir().expect("a folder");
    // Tokens are iterations here: three of an answer whose first reads the prompt, and the first of the next.
    let path = folder.path().join("trace.json");
    let sim = Sim::ready(json!({
        "framework": "tensorrt-llm", "pace": {"kind": "flood"},
        "profile": {"flush_s": 0, "layers": 2, "at_launch": {"first": 1, "last": 4, "file": path}}
    }));
    sim.post("/v1/completions", &completion(5, 4));
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert!(!path.exists(), "four of five are over");
    sim.post("/v1/completions", &completion(5, 1));
    eventually(|| passes(&path) == Some((1, 3)));
    fs::remove_file(&path).expect("the trace");
    sim.post("/v1/completions", &completion(5, 20));
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert!(!path.exists(), "one recording per launch");
}

#[test]
fn iterations_are_steps_of_the_engine_where_there_is_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("trace.json.gz");
    let sim = Sim::ready(json!({
        "pace": {"kind": "engine", "chunk_tokens": 4, "base_ms": 1}, "max_model_len": 1000,
        "profile": {"flush_s": 0, "layers": 2, "at_launch": {"first": 1, "last": 6, "file": path}}
    }));
    // A prompt of 10 tokens is read in 3 steps; 5 more tokens follow.
    sim.post("/v1/completions", &completion(10, 6));
    eventually(|| passes(&path) == Some((2, 4)));
}

#[test]
fn a_recording_that_cannot_be_is_refused() {
    for (first, last, file, word) in [
        (5, 4, "t.json", "5 to 4"),
        (0, 1000, "t.json", "999 after"),
        (0, u64::MAX, "t.json", "999 after"),
        (0, 4, "/", "no file"),
    ] {
        let at = json!({"profile": {"at_launch": {"first": first, "last": last, "file": file}}});
        let config: Config = serde_json::from_value(at).expect("a configuration");
        let error = config.check().expect_err("no recording").to_string();
        assert!(error.contains(word), "{error}");
    }
    let most = json!({"profile": {"at_launch": {"first": 7, "last": 1006, "file": "t.json"}}});
    serde_json::from_value::<Config>(most).expect("a configuration").check().expect("1000 iterations");
}
