//! The adapter files themselves.

use assay_serving::adapter::{Adapter, AdapterError, Demand, How, Listed};
use serde_json::{Map, Value, json};
use std::io::Write;

fn adapter(name: &str) -> Adapter {
    Adapter::named(name).expect("a built-in adapter")
}

const SGLANG: &str = include_str!("../adapters/sglang.yaml");

fn problem(text: &str) -> String {
    Adapter::from_text(text, "mine").expect_err("a contradiction").to_string()
}

#[test]
fn all_built_in_files_are_consistent_and_named_as_they_are_called() {
    let all = Adapter::all().expect("the built-in adapters");
    let names: Vec<&str> = all.iter().map(|adapter| adapter.name.as_str()).collect();
    assert_eq!(names, Adapter::names().collect::<Vec<_>>());
    assert_eq!(names, ["sglang", "vllm", "tensorrt-llm", "tokenspeed", "llama-cpp", "transformers"]);
}

#[test]
fn an_unknown_framework_gets_a_suggestion() {
    let error = Adapter::named("sglan").expect_err("no such adapter").to_string();
    assert!(error.starts_with("no adapter is named `sglan`, did you mean `sglang`?"), "{error}");
    assert!(
        Adapter::named("triton-server")
            .expect_err("no such adapter")
            .to_string()
            .contains("there are `sglang`, `vllm`")
    );
}

#[test]
fn a_file_of_the_user_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mine.yaml");
    let text = SGLANG.replacen("name: sglang", "name: my-sglang", 1);
    std::fs::File::create(&path).and_then(|mut file| file.write_all(text.as_bytes())).expect("a file");
    assert_eq!(Adapter::from_file(&path).expect("an adapter").name, "my-sglang");
    let missing = Adapter::from_file(&folder.path().join("none.yaml")).expect_err("no file");
    assert!(matches!(missing, AdapterError::Read { .. }));
}

#[test]
fn contradictions_are_found_when_the_file_is_read() {
    for (from, to, part) in [
        ("title: SGLang", "title: SGLang\nextra: 1", "unknown field `extra`"),
        ("{flag: dtype,", "{flag: dtipe,", "`states`: `flags` does not list `dtipe`"),
        ("beyond_host: [nnodes]", "beyond_host: [hosts]", "`launch.parallel`: `flags` does not list `hosts`"),
        ("port: port", "port: prot", "`launch.roles.port`: `flags` does not list `prot`"),
        (
            "[port_owned, health, model_listed, generation]",
            "[port_owned, health, model_listed]",
            "lacks Generation",
        ),
        ("absent: model\n", "absent: default\n", "`sequence_limit.default`"),
        ("also: [gpu,", "also: [gpus,", "there is no group `gpus`"),
        ("line: 'Initialization failed\\.'", "line: '(?i)error'", "only says that there is an error"),
        ("line: 'Initialization failed\\.'", "line: '(broken'", "regex parse error"),
        ("line: 'Initialization failed\\.'", "line: ''", "it would match every line"),
        ("on: '2026-11-22'", "on: 'today'", "`today` is no day"),
        (
            "    page_size: {",
            "    page_size: {kind: int, meaning: x}\n    tp-size: {",
            "write `tp-size` with underscores",
        ),
        ("aliases: [tensor_parallel_size]", "aliases: [port]", "`port` is listed twice"),
        ("id: warmup-failed", "id: scheduler-died", "signature `scheduler-died` is there twice"),
        ("enable_ep_moe: 'gone", "tp_size: 'gone", "`tp_size` is also listed as a flag"),
    ] {
        assert!(SGLANG.contains(from), "{from}");
        let message = problem(&SGLANG.replacen(from, to, 1));
        assert!(message.contains(part), "{from}: {message}");
    }
    for text in ["", "[]", "name: x", "\u{0}", "&a [*a]"] {
        assert!(Adapter::from_text(text, "mine").is_err(), "{text:?}");
    }
}

#[test]
fn every_server_has_to_generate_before_it_counts_as_ready() {
    for adapter in Adapter::all().expect("the built-in adapters") {
        let demands = &adapter.ready.demands;
        assert!(
            demands.contains(&Demand::PortOwned) && demands.contains(&Demand::Generation),
            "{}",
            adapter.name
        );
        assert_eq!(
            demands.contains(&Demand::ModelListed),
            adapter.ready.models.lists == Listed::Served,
            "{}",
            adapter.name
        );
    }
}

#[test]
fn only_what_was_run_says_so() {
    let ran: Vec<String> = Adapter::all()
        .expect("the built-in adapters")
        .into_iter()
        .filter(|adapter| adapter.verified.iter().any(|check| check.how == How::Ran))
        .map(|adapter| adapter.name)
        .collect();
    assert_eq!(ran, ["vllm", "llama-cpp", "transformers"]);
    let trt: Vec<How> = adapter("tensorrt-llm").verified.iter().map(|check| check.how).collect();
    assert_eq!(trt, [How::Source]);
}

#[test]
fn bodies_of_requests_fit_their_server() {
    let body = |value: Value| -> Map<String, Value> { serde_json::from_value(value).expect("an object") };
    let transformers = adapter("transformers").api;
    let refused = transformers.body_problems(&body(json!({"prompt": "x", "ignore_eos": true})));
    assert_eq!(refused.iter().map(|problem| problem.field.as_str()).collect::<Vec<_>>(), ["ignore_eos"]);
    let llama = adapter("llama-cpp").api;
    assert_eq!(llama.body_problems(&body(json!({"prompt": "x"})))[0].field, "repeat_penalty");
    assert!(llama.body_problems(&body(json!({"prompt": "x", "repeat_penalty": 1}))).is_empty());
    assert!(adapter("vllm").api.body_problems(&body(json!({"ignore_eos": true}))).is_empty());
}

#[test]
fn an_exact_length_is_asked_for_in_each_servers_way() {
    let fields =
        |name: &str| serde_json::to_value(adapter(name).api.exact_length.fields_for(64)).expect("JSON");
    assert_eq!(fields("vllm"), json!({"ignore_eos": true}));
    assert_eq!(fields("llama-cpp"), json!({"min_tokens": 64}));
    assert_eq!(fields("transformers"), json!({}));
}

#[test]
fn the_schema_explains_every_field() {
    let schema = serde_json::to_value(schemars::schema_for!(Adapter)).expect("JSON");
    let mut unexplained = Vec::new();
    let definitions = schema["$defs"].as_object().expect("definitions");
    for (name, definition) in definitions.iter().chain([(&"Adapter".to_owned(), &schema)]) {
        for (field, property) in definition["properties"].as_object().into_iter().flatten() {
            if property.get("description").is_none() {
                unexplained.push(format!("{name}.{field}"));
            }
        }
        assert_ne!(definition.get("additionalProperties"), Some(&json!(true)), "{name}");
    }
    assert!(unexplained.is_empty(), "{unexplained:?}");
}
