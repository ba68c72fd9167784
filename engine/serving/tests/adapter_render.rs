//! From flags to command lines, per framework.

use assay_serving::adapter::{Adapter, AdapterError, Launch, LaunchRequest, ProfileArm};
use indexmap::IndexMap;
use serde_json::{Value, json};

fn flags(value: Value) -> IndexMap<String, Value> {
    serde_json::from_value(value).expect("an object")
}

fn adapter(name: &str) -> Adapter {
    Adapter::named(name).expect("a built-in adapter")
}

struct Ask {
    flags: IndexMap<String, Value>,
    model: &'static str,
    served_name: Option<&'static str>,
    profile: Option<ProfileArm>,
    program: Option<Vec<String>>,
    env: IndexMap<String, String>,
}

fn ask(value: Value) -> Ask {
    let (env, flags) = (IndexMap::new(), flags(value));
    Ask { flags, model: "/models/tiny", served_name: None, profile: None, program: None, env }
}

fn launch(framework: &str, ask: &Ask) -> Result<Launch, AdapterError> {
    adapter(framework).launch(&LaunchRequest {
        program: ask.program.as_deref(),
        flags: &ask.flags,
        model: ask.model,
        served_name: ask.served_name,
        host: "127.0.0.1",
        port: 8123,
        env: &ask.env,
        profile: ask.profile.as_ref(),
    })
}

fn line(framework: &str, ask: &Ask) -> String {
    launch(framework, ask).expect("a launch").argv.join(" ")
}

fn error(framework: &str, value: Value) -> String {
    launch(framework, &ask(value)).expect_err("a refusal").to_string()
}

#[test]
fn each_framework_has_its_own_command_line() {
    let table = [
        (
            "sglang",
            json!({"tp_size": 8, "mem_fraction_static": 0.82, "schedule_policy": "lpm", "disable_radix_cache": true, "trust_remote_code": false, "max_running_requests": null}),
            "python -m sglang.launch_server --model-path /models/tiny --host 127.0.0.1 --port 8123 --tp-size 8 \
             --mem-fraction-static 0.82 --schedule-policy lpm --disable-radix-cache",
        ),
        (
            "vllm",
            json!({"tensor_parallel_size": 8, "gpu_memory_utilization": 0.9, "max_model_len": 12288, "enable_chunked_prefill": true, "enable_prefix_caching": false, "cudagraph_capture_sizes": [1, 2, 4]}),
            "vllm serve /models/tiny --host 127.0.0.1 --port 8123 --tensor-parallel-size 8 --gpu-memory-utilization 0.9 \
             --max-model-len 12288 --enable-chunked-prefill --no-enable-prefix-caching --cudagraph-capture-sizes 1 2 4",
        ),
        (
            "tensorrt-llm",
            json!({"backend": "pytorch", "tp_size": 8, "max_seq_len": 12288, "kv_cache_free_gpu_memory_fraction": 0.75}),
            "trtllm-serve serve /models/tiny --host 127.0.0.1 --port 8123 --backend pytorch --tp_size 8 --max_seq_len 12288 \
             --kv_cache_free_gpu_memory_fraction 0.75",
        ),
        (
            "tokenspeed",
            json!({"tensor_parallel_size": 8, "enable_prefix_caching": true, "trust_remote_code": false}),
            "tokenspeed serve /models/tiny --host 127.0.0.1 --port 8123 --tensor-parallel-size 8 --enable-prefix-caching \
             --no-trust-remote-code",
        ),
        (
            "llama-cpp",
            json!({"n_ctx": 4096, "n_threads": 2, "flash_attn": true}),
            "python -m llama_cpp.server --model /models/tiny --host 127.0.0.1 --port 8123 --n_ctx 4096 --n_threads 2 \
             --flash_attn true --interrupt_requests false",
        ),
        (
            "transformers",
            json!({"device": "cpu", "dtype": "float32", "continuous_batching": true}),
            "transformers serve /models/tiny --host 127.0.0.1 --port 8123 --device cpu --dtype float32 --continuous-batching",
        ),
    ];
    for (framework, given, expected) in table {
        assert_eq!(line(framework, &ask(given)), expected, "{framework}");
    }
}

#[test]
fn either_spelling_of_a_name_gives_the_same() {
    let under = line("sglang", &ask(json!({"mem_fraction_static": 0.8})));
    assert_eq!(under, line("sglang", &ask(json!({"mem-fraction-static": 0.8}))));
    assert_eq!(under, line("sglang", &ask(json!({"--mem-fraction-static": 0.8}))));
    let dashed = line("tensorrt-llm", &ask(json!({"max-seq-len": 4096})));
    assert!(dashed.contains(" --max_seq_len 4096"), "{dashed}");
}

#[test]
fn mappings_become_json_and_dotted_names_keep_their_keys() {
    let argv = launch("vllm", &ask(json!({"compilation_config": {"mode": 3, "sizes": [1, 2]}})))
        .expect("a launch")
        .argv;
    assert_eq!(argv[argv.len() - 2..], ["--compilation-config", r#"{"mode":3,"sizes":[1,2]}"#]);
    let dotted = line("vllm", &ask(json!({"compilation_config.cudagraph_mode": "NONE"})));
    assert!(dotted.ends_with(" --compilation-config.cudagraph_mode NONE"), "{dotted}");
}

#[test]
fn a_flag_that_no_list_has_is_rendered_by_its_value() {
    let line = line(
        "vllm",
        &ask(json!({"brand_new": true, "new_off": false, "new_size": 3, "new_list": ["a", "b"]})),
    );
    assert!(line.ends_with(" --brand-new --new-size 3 --new-list a b"), "{line}");
}

#[test]
fn a_value_that_begins_with_a_dash_cannot_become_a_flag() {
    let argv = launch("sglang", &ask(json!({"chunked_prefill_size": -1}))).expect("a launch").argv;
    assert_eq!(argv.last().map(String::as_str), Some("--chunked-prefill-size=-1"));
    let problem = error("vllm", json!({"cudagraph_capture_sizes": ["1", "--trust-remote-code"]}));
    assert!(problem.contains("would be read as a flag"), "{problem}");
    let mut hostile = ask(json!({}));
    hostile.model = "--trust-remote-code";
    let problem = launch("vllm", &hostile).expect_err("a refusal").to_string();
    assert!(problem.contains("cannot be the first argument"), "{problem}");
}

#[test]
fn one_flag_under_two_names_is_refused() {
    assert_eq!(
        error("sglang", json!({"tp_size": 8, "tensor-parallel-size": 8})),
        "`tp_size` and `tensor-parallel-size` are the same flag; keep one of them"
    );
    let opposite = error("vllm", json!({"enable_log_requests": true, "disable_log_requests": true}));
    assert!(opposite.contains("the same flag"), "{opposite}");
}

#[test]
fn only_the_pytorch_backend_of_tensorrt_llm_is_launched() {
    let added = line("tensorrt-llm", &ask(json!({"max_seq_len": 9000})));
    assert!(added.ends_with(" --max_seq_len 9000 --backend pytorch"), "{added}");
    let other = error("tensorrt-llm", json!({"max_seq_len": 9000, "backend": "tensorrt"}));
    assert!(other.starts_with("TensorRT-LLM needs `backend` to be `pytorch`"), "{other}");
    let missing = error("tensorrt-llm", json!({"backend": "pytorch"}));
    assert!(missing.starts_with("TensorRT-LLM needs `max_seq_len`"), "{missing}");
}

#[test]
fn llama_cpp_never_cancels_requests() {
    let refused = error("llama-cpp", json!({"interrupt_requests": true}));
    assert!(refused.contains("`interrupt_requests` to be `false`"), "{refused}");
    let written = line("llama-cpp", &ask(json!({"interrupt_requests": false})));
    assert_eq!(written.matches("--interrupt_requests false").count(), 1, "{written}");
    let launch = launch("llama-cpp", &ask(json!({}))).expect("a launch");
    assert_eq!(launch.unset, ["HOST", "PORT", "CONFIG_FILE"]);
}

#[test]
fn flags_that_hide_flags_are_refused() {
    for (framework, flag) in [("sglang", "config"), ("vllm", "config"), ("llama-cpp", "config_file")] {
        let refused = error(framework, json!({ flag: "flags.yaml" }));
        assert!(refused.contains("is refused"), "{framework}: {refused}");
    }
}

#[test]
fn the_launch_owns_port_host_model_and_name() {
    let same = line("sglang", &ask(json!({"model_path": "/models/tiny", "port": 8123})));
    assert_eq!(same.matches("--port").count(), 1, "{same}");
    assert_eq!(same.matches("--model-path").count(), 1, "{same}");
    let other = error("vllm", json!({"port": 8000}));
    assert_eq!(other, "`port` is `8000`, but the launch sets it to `8123`; leave it out of the flags");
}

#[test]
fn the_model_has_the_name_that_requests_have_to_use() {
    let mut named = ask(json!({}));
    named.served_name = Some("tiny");
    assert_eq!(launch("vllm", &named).expect("a launch").model_id, "tiny");
    assert!(line("llama-cpp", &named).contains(" --model_alias tiny"));
    assert_eq!(launch("vllm", &ask(json!({}))).expect("a launch").model_id, "/models/tiny");
    let by_flag = launch("vllm", &ask(json!({"served_model_name": ["first", "second"]}))).expect("a launch");
    assert_eq!(by_flag.model_id, "first");
    assert_eq!(launch("tensorrt-llm", &ask(json!({"max_seq_len": 1}))).expect("a launch").model_id, "tiny");
    assert_eq!(launch("transformers", &ask(json!({}))).expect("a launch").model_id, "/models/tiny");
    let cannot = launch("transformers", &named).expect_err("no such flag").to_string();
    assert!(cannot.contains("no flag for the served name"), "{cannot}");
}

#[test]
fn a_server_that_is_to_be_profiled_is_armed_at_launch() {
    let mut wanted = ask(json!({"max_seq_len": 9000}));
    wanted.profile = Some(ProfileArm { dir: "/out/a \"b\"".to_owned(), first: 10, last: 15 });
    let trt = launch("tensorrt-llm", &wanted).expect("a launch").env;
    assert_eq!(trt["TLLM_PROFILE_START_STOP"], "10-15");
    assert_eq!(trt["TLLM_TORCH_PROFILE_TRACE"], "/out/a \"b\"/trace.json");
    wanted.flags.clear();
    let vllm = launch("vllm", &wanted).expect("a launch").argv;
    let config = vllm.iter().position(|argument| argument == "--profiler-config").expect("the flag") + 1;
    let config: Value = serde_json::from_str(&vllm[config]).expect("JSON");
    assert_eq!(config, json!({"profiler": "torch", "torch_profiler_dir": "/out/a \"b\""}));
    let problem = launch("transformers", &wanted).expect_err("no profiler").to_string();
    assert!(problem.contains("cannot be profiled"), "{problem}");
    // Without the wish nothing is armed: an armed server is not measured.
    assert!(!line("vllm", &ask(json!({}))).contains("profiler"));
}

#[test]
fn values_that_a_flag_cannot_have_are_errors() {
    for (framework, given, part) in [
        ("sglang", json!({"tp_size": 1.5}), "whole number"),
        ("sglang", json!({"tp_size": [1, 2]}), "belongs into the search space"),
        ("sglang", json!({"disable_radix_cache": "yes"}), "write `true` or `false`"),
        ("llama-cpp", json!({"flash_attn": 1}), "takes `true` or `false`"),
        ("vllm", json!({"dtype": {"a": 1}}), "nor a mapping"),
        ("vllm", json!({"dtype": "a\u{0}b"}), "NUL"),
    ] {
        let problem = error(framework, given);
        assert!(problem.contains(part), "{framework}: {problem}");
    }
}

#[test]
fn another_program_and_environment_replace_those_of_the_adapter() {
    let mut other = ask(json!({}));
    other.program = Some(vec!["ts".to_owned(), "serve".to_owned()]);
    assert!(line("tokenspeed", &other).starts_with("ts serve /models/tiny "));
    let mut env = ask(json!({}));
    env.env.insert("VLLM_SERVER_DEV_MODE".to_owned(), "0".to_owned());
    assert_eq!(launch("vllm", &env).expect("a launch").env["VLLM_SERVER_DEV_MODE"], "0");
    assert_eq!(launch("vllm", &ask(json!({}))).expect("a launch").env["VLLM_SERVER_DEV_MODE"], "1");
}
