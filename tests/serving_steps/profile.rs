//! The step `profile`: recordings of the simulated server.

use crate::support::Scene;
use crate::{BINARY, list};
use serde_json::{Value, json};
use std::path::Path;

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
