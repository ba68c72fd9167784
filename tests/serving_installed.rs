//! Installed frameworks: a program in `PATH` that calls itself `vllm` is asked for version and help, checked and watched.

mod support;
#[path = "support/serving.rs"]
#[expect(dead_code, reason = "the suite of rehearsals uses the rest")]
mod workflows;

use serde_json::json;
use std::os::unix::fs::PermissionsExt as _;
use support::Scene;
use workflows::{nothing_left, reason, workflow};

/// A `vllm` for `PATH`: version and help of the real one, and a simulated server.
fn install_vllm(scene: &Scene, version: &str, before: &str, options: &str) {
    let help =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("engine/serving/tests/help/vllm-0.33.0.txt");
    let script = format!(
        "#!/bin/sh\nif [ \"$1\" = --version ]; then echo '{version}'; exit 0; fi\n\
         if [ \"$2\" = --help=all ]; then cat '{}'; exit 0; fi\n{before}\n\
         exec '{}' sim-server --as vllm {options} -- vllm \"$@\"\n",
        help.display(),
        env!("CARGO_BIN_EXE_assay")
    );
    let path = scene.write("bin/vllm", script);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("executable");
}

/// A step with the installed `vllm`; `more` goes into the adapter's mapping.
fn vllm(more: &str) -> String {
    format!(
        "uses: server, timeout: 1m, with: {{adapter: {{name: vllm, model: '@/tiny', env: {{PATH: '@/bin:/usr/bin:/bin'}}, {more}}}, \
         ready: {{timeout: 20s}}}}"
    )
}

#[test]
fn an_installed_framework_is_asked_for_version_and_help_and_both_are_kept() {
    let scene = Scene::new();
    install_vllm(&scene, "0.33.0", "", "");
    let file = workflow(
        &scene,
        "installed",
        &format!(
            "steps:\n  srv: {{{}}}\n  ask: {{uses: http, with: {{url: '{{{{ steps.srv.url }}}}/health'}}}}\n",
            vllm("flags: {max_model_len: 4096}")
        ),
    );
    scene.assay(&["run", &file]).expect(0);
    let told = scene.finished("srv")["outputs"].clone();
    assert_eq!(
        (&told["version"], &told["verified"], &told["rehearsal"]),
        (&json!("0.33.0"), &json!("help"), &json!(false))
    );
    assert!(scene.events("note").is_empty(), "{:?}", scene.events("note"));
    let artifacts = scene.run_dir().join("artifacts/servers");
    let folder = std::fs::read_dir(artifacts).expect("a folder").flatten().next().expect("one server").path();
    let kept = |name: &str| std::fs::read_to_string(folder.join(name)).expect("a kept file");
    assert_eq!(kept("version.txt"), "0.33.0\n");
    assert!(kept("help.txt").contains("--max-model-len"));
    // The help is no part of the server's log.
    let log = scene.run_dir().join(scene.finished("srv")["stderr"].as_str().expect("a log"));
    assert!(!std::fs::read_to_string(log).expect("a log").contains("--max-model-len"));
    nothing_left(&scene, None);
}

#[test]
fn what_cannot_be_launched_is_refused_before_it_is() {
    let scene = Scene::new();
    install_vllm(&scene, "0.99.1", "", "");
    let nowhere =
        "uses: server, timeout: 1m, with: {adapter: {name: vllm, model: m, env: {PATH: '@/nothing'}}}";
    let file = workflow(
        &scene,
        "refused",
        &format!(
            "steps:\n  nowhere: {{{nowhere}}}\n  typo: {{{}}}\n  gone: {{{}}}\n  refused: {{{}}}\n  twice: {{{}}}\n  secret: {{{}}}\n  signal: {{{}}}\n",
            vllm("flags: {max_model_length: 4096}"),
            vllm("flags: {swap_space: 4}"),
            vllm("flags: {headless: true}"),
            vllm("flags: {port: 1}"),
            vllm("flags: {api_key: geheim-geheim}"),
            vllm("allow_fallbacks: [cuda-graphs-off]"),
        ),
    );
    let done = scene.assay(&["run", &file]);
    assert_ne!(done.code, 0);
    for (id, status, parts) in [
        ("nowhere", "environment", ["vLLM is not installed here", "vllm"]),
        ("typo", "failed", ["the help of the installed version", "did you mean `max_model_len`"]),
        ("gone", "failed", ["`swap_space`", "gone"]),
        ("refused", "failed", ["`headless`", "nothing to measure"]),
        ("twice", "failed", ["`port`", "the launch sets it"]),
        ("secret", "failed", ["`api_key`", "environment variable"]),
        ("signal", "failed", ["cuda-graphs-off", "did you mean `cuda-graph-off`"]),
    ] {
        let said = reason(&scene, id);
        assert_eq!(scene.statuses()[id], status, "{said}");
        assert!(parts.iter().all(|part| said.contains(part)) && !said.contains("geheim"), "{id}: {said}");
    }
    let notes = scene.events("note");
    let notes: Vec<&str> = notes.iter().filter_map(|note| note["message"].as_str()).collect();
    assert!(notes.iter().any(|note| note.contains("was checked against vLLM 0.99.1")), "{notes:?}");
    nothing_left(&scene, None);
}

#[test]
fn another_model_and_a_silent_fallback_fail_a_server() {
    let scene = Scene::new();
    install_vllm(
        &scene,
        "0.33.0",
        "echo 'INFO: Casting torch.bfloat16 to torch.float16.' >&2",
        "--model other",
    );
    let step = |more: &str| vllm(more);
    let file = workflow(
        &scene,
        "quiet",
        &format!(
            "steps:\n  model: {{{}}}\n  cast: {{{}}}\n  meant: {{{}}}\n",
            step("flags: {}"),
            step("served_name: other"),
            step("served_name: other, allow_fallbacks: [dtype-cast]")
        ),
    );
    scene.assay(&["run", &file]).expect(21);
    let said = reason(&scene, "model");
    assert!(said.contains("the server serves `other`, not `"), "{said}");
    let said = reason(&scene, "cast");
    assert!(said.contains("line 1 of stderr") && said.contains("allow_fallbacks: [dtype-cast]"), "{said}");
    assert_eq!(scene.statuses()["meant"], "passed");
    nothing_left(&scene, None);
}

#[test]
fn rows_of_a_step_and_of_the_command_line_state_everything_that_fairness_needs() {
    let scene = Scene::new();
    let tokenizer = concat!(env!("CARGO_MANIFEST_DIR"), "/engine/loadgen/tests/data/tokenizer.json");
    install_vllm(&scene, "0.33.0", "", &format!("--tokenizer '{tokenizer}' --ttft-ms 1000 --itl-ms 2"));
    let load = format!(
        "tokenizer: '{tokenizer}', concurrency: 24, dataset: {{kind: random, num_prompts: 24, input_len: 8, output_len: 4}}, \
         sla: {{max_p50_ttft_ms: 9000}}"
    );
    let subject = |framework: &str, more: &str| {
        format!("subject: {{{framework}model: tiny, scenario: chat, gpu_model: none, gpu_count: 0{more}}}")
    };
    let other = subject("framework: other, ", ", server_command: serve tiny");
    scene.write("other.yaml", format!("{{url: '', {load}, {other}}}"));
    let server = vllm("flags: {dtype: bfloat16, revision: abc123}");
    let file = workflow(
        &scene,
        "stated",
        &format!(
            "steps:\n  srv: {{{server}}}\n  \
             load: {{uses: benchmark, timeout: 1m, with: {{server: '{{{{ steps.srv }}}}', {load}, {}}}}}\n  \
             cli: {{uses: command, needs: [load], timeout: 1m, with: {{argv: ['{}', bench, --config, '@/other.yaml', \
             --url, '{{{{ steps.srv.url }}}}', --weights, abc123, --precision, bfloat16, --quantization, model default, --out, '@/cli']}}}}\n  \
             best: {{uses: rank, needs: [cli], timeout: 1m, with: {{rows: ['{{{{ steps.load.row }}}}'], files: ['@/cli/row.jsonl']}}}}\n\
             outputs:\n  groups: {{value: steps.best.groups, type: array}}\n  row: {{value: steps.load.row, type: object}}\n",
            subject("", ""),
            env!("CARGO_BIN_EXE_assay"),
        ),
    );
    scene.assay(&["run", &file]).expect(0);
    let groups = scene.outputs()["groups"].clone();
    let [group] = &groups.as_array().expect("groups")[..] else { panic!("{groups}") };
    assert_eq!(group["unstated"], json!([]), "{group}");
    assert_eq!(group["standings"].as_array().map(Vec::len), Some(2), "{group}");
    let row = scene.outputs()["row"].clone();
    assert_eq!(
        (&row["precision"], &row["quantization"], &row["digests"]["weights"]),
        (&json!("bfloat16"), &json!("model default"), &json!("abc123"))
    );
    for digest in ["workload", "tokenizer", "sampling", "server_command"] {
        assert_eq!(row["digests"][digest].as_str().map(str::len), Some(64), "{digest}: {row}");
    }
    nothing_left(&scene, None);
}
