//! Every path of the simulated server.

mod sim_support;

use serde_json::{Value, json};
use sim_support::{Sim, completion};

fn flood() -> Sim {
    Sim::ready(json!({"pace": {"kind": "flood"}, "model": "tiny", "max_model_len": 4096}))
}

#[test]
fn completions_stream_and_stand_alone() {
    let sim = flood();
    let answer = sim.post("/v1/completions", &completion(9, 6));
    assert!(answer.head.contains("text/event-stream"), "{}", answer.head);
    let objects = answer.objects();
    assert_eq!(objects.len(), 8, "six tokens, a finish, the counts");
    assert!(objects[..6].iter().all(|object| object["choices"][0]["finish_reason"].is_null()));
    assert_eq!(objects[6]["choices"][0]["finish_reason"], "length");
    assert_eq!(objects[7]["choices"], json!([]));
    assert_eq!(objects[7]["usage"]["prompt_tokens"], 9);
    assert_eq!(objects[7]["usage"]["completion_tokens"], 6);
    assert_eq!((&objects[0]["model"], &objects[0]["object"]), (&json!("tiny"), &json!("text_completion")));
    let sizes = answer.events[..6].iter().map(|(_, data)| data.len() + 8);
    assert!(sizes.clone().all(|size| (200..=260).contains(&size)), "{:?}", sizes.collect::<Vec<_>>());
    let mut body = completion(9, 6);
    body["stream"] = json!(false);
    let whole = sim.post("/v1/completions", &body).json();
    assert_eq!(whole["choices"][0]["text"], answer.text(), "the same prompt gives the same text");
    assert_eq!(whole["usage"]["total_tokens"], 15);
    body["prompt"] = json!("another");
    assert_ne!(sim.post("/v1/completions", &body).json()["choices"][0]["text"], answer.text());
    let mut silent = completion(9, 6);
    silent["stream_options"] = json!(null);
    let answer = sim.post("/v1/completions", &silent);
    assert_eq!(answer.objects().len(), 7, "no counts unless asked for");
    silent["stream_options"] = json!({"continuous_usage_stats": true});
    let counts: Vec<Value> = sim
        .post("/v1/completions", &silent)
        .objects()
        .iter()
        .map(|one| one["usage"]["completion_tokens"].clone())
        .collect();
    assert_eq!(counts, [1, 2, 3, 4, 5, 6, 6, 6].map(|count: u32| json!(count)));
}

#[test]
fn chats_stream_and_stand_alone() {
    let sim = flood();
    let mut body = json!({
        "messages": [{"role": "system", "content": "12345678"}, {"role": "user", "content": "1234"}],
        "max_completion_tokens": 5, "stream": true, "stream_options": {"include_usage": true}
    });
    let answer = sim.post("/v1/chat/completions", &body);
    let objects = answer.objects();
    assert_eq!(objects[0]["choices"][0]["delta"], json!({"role": "assistant", "content": ""}));
    assert_eq!(objects[0]["object"], "chat.completion.chunk");
    assert_eq!(answer.tokens().len(), 5);
    assert_eq!(objects.last().expect("counts")["usage"]["prompt_tokens"], 11, "2 + 1 and 4 for each message");
    assert!(answer.is_done());
    body["stream"] = json!(false);
    let whole = sim.post("/v1/chat/completions", &body).json();
    assert_eq!(whole["choices"][0]["message"]["content"], answer.text());
    assert_eq!(whole["object"], "chat.completion");
}

#[test]
fn generate_repeats_its_text_and_counts() {
    let sim = flood();
    let mut body = json!({
        "input_ids": [1, 2, 3], "sampling_params": {"max_new_tokens": 4, "ignore_eos": true}, "stream": true
    });
    let answer = sim.post("/generate", &body);
    let objects = answer.objects();
    assert_eq!(objects.len(), 4);
    for (index, object) in objects.iter().enumerate() {
        let meta = &object["meta_info"];
        assert_eq!((&meta["completion_tokens"], &meta["prompt_tokens"]), (&json!(index + 1), &json!(3)));
        assert_eq!(object["text"].as_str().map(str::len), Some(6 * (index + 1)));
        assert_eq!(meta["finish_reason"].is_null(), index < 3);
    }
    assert_eq!(objects[3]["meta_info"]["finish_reason"], json!({"type": "length", "length": 4}));
    assert!(answer.is_done());
    body["stream"] = json!(false);
    assert_eq!(sim.post("/generate", &body).json()["text"], objects[3]["text"]);
}

#[test]
fn the_paths_around() {
    let sim = Sim::ready(json!({
        "pace": {"kind": "engine"}, "model": "tiny",
        "argv": ["python", "-m", "sglang.launch_server", "--model-path", "/m/tiny", "--tp-size", "4", "--enable-x"]
    }));
    for path in ["/health", "/ready", "/health_generate", "/v1/whatever"] {
        assert_eq!(sim.get(path).status, 200, "{path}");
    }
    assert_eq!(sim.get("/tokenize").status, 404);
    assert_eq!(sim.get("/v1/models").json()["data"][0]["id"], "tiny");
    for path in ["/model_info", "/get_model_info"] {
        assert_eq!(sim.get(path).json()["is_generation"], true);
    }
    for path in ["/server_info", "/get_server_info"] {
        let info = sim.get(path).json();
        assert_eq!(
            (&info["model_path"], &info["tp_size"], &info["enable_x"]),
            (&json!("/m/tiny"), &json!(4), &json!(true))
        );
        assert_eq!(info["internal_states"].as_array().map(Vec::len), Some(1));
        assert_eq!(info["argv"].as_array().map(Vec::len), Some(8));
    }
    assert_eq!(sim.truth().requests, 0, "a probe is in no account");
    sim.post("/v1/completions", &completion(40, 7));
    let text = String::from_utf8(sim.get("/metrics").body).expect("text");
    let line = |name: &str| {
        text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}: {text}"))
    };
    assert_eq!(line("sim:generation_tokens_total{"), "sim:generation_tokens_total{model_name=\"tiny\"} 7");
    assert_eq!(line("sim:prompt_tokens_total{"), "sim:prompt_tokens_total{model_name=\"tiny\"} 40");
    assert_eq!(line("sim:num_requests_running{"), "sim:num_requests_running{model_name=\"tiny\"} 0");
    assert!(line("sim:time_to_first_token_seconds_count{").ends_with(" 1"));
    assert!(line("sim:time_to_first_token_seconds_bucket{model_name=\"tiny\",le=\"+Inf\"}").ends_with(" 1"));
    assert_eq!(sim.get("/truth/tokens").json(), json!({"tokens": 7}));
    assert_eq!(sim.post("/truth/reset", &json!({})).status, 200);
    let truth = sim.truth();
    assert_eq!((truth.tokens, truth.requests, truth.ttft_ms.count, truth.max_active), (0, 0, 0, 0));
}

#[test]
fn requests_that_make_no_sense_are_refused() {
    let sim = Sim::ready(json!({
        "pace": {"kind": "engine", "kv_tokens": 2000}, "max_model_len": 4096, "framework": "transformers",
        "refused_fields": ["repeat_penalty"]
    }));
    let mut unknown = completion(3, 3);
    unknown["repeat_penalty"] = json!(1.0);
    let cases = [
        (json!({"prompt": [1], "max_tokens": 5000}), 400, "4096"),
        (json!({"prompt": [1], "max_tokens": 3000}), 400, "KV cache"),
        (json!({"max_tokens": 1}), 400, "prompt"),
        (json!({"prompt": ["a", "b"]}), 400, "one"),
        (unknown, 422, "repeat_penalty"),
    ];
    let count = cases.len() as u64;
    for (body, status, word) in cases {
        let answer = sim.post("/v1/completions", &body);
        let detail = answer.json()["detail"].to_string();
        assert_eq!(answer.status, status, "{body}: {detail}");
        assert!(detail.contains(word), "{detail}");
    }
    let truth = sim.truth();
    assert_eq!((truth.requests, truth.refused, truth.active), (count, count, 0));
}

#[test]
fn prompts_are_counted_by_the_tokenizer() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tokenizer.json");
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "vocab": {"a": 0, "b": 1, "[UNK]": 2}, "unk_token": "[UNK]"}
    });
    std::fs::write(&path, tokenizer.to_string()).expect("a file");
    let sim = Sim::ready(json!({
        "pace": {"kind": "engine", "page_tokens": 2}, "tokenizer": path, "chat_tokens_per_message": 3
    }));
    let prompt = |text: &str| {
        let body = json!({"prompt": text, "max_tokens": 1});
        let usage = sim.post("/v1/completions", &body).json()["usage"].clone();
        (usage["prompt_tokens"].clone(), usage["prompt_tokens_details"]["cached_tokens"].clone())
    };
    assert_eq!(prompt("a b a b a"), (json!(5), json!(0)));
    assert_eq!(prompt("a b a b other words here"), (json!(7), json!(4)), "two pages are known");
    let chat = json!({"messages": [{"role": "user", "content": "a b c"}], "max_tokens": 1});
    assert_eq!(sim.post("/v1/chat/completions", &chat).json()["usage"]["prompt_tokens"], 6);
    let missing = sim_support::config(json!({"tokenizer": "/nowhere/tokenizer.json"}));
    let error = assay_loadgen::sim::Server::bind(missing, ([127, 0, 0, 1], 0).into()).err().expect("no file");
    assert!(error.to_string().contains("/nowhere/tokenizer.json"), "{error}");
}
