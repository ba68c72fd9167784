//! Continuous batching seen from outside: queues, the prefix cache, the end that the model chooses.

mod sim_support;

use serde_json::{Value, json};
use sim_support::{Sim, completion, eventually};

fn usage(sim: &Sim, body: &Value) -> Value {
    let answer = sim.post("/v1/completions", body);
    answer.objects().last().map(|object| object["usage"].clone()).expect("counts")
}

#[test]
fn a_known_prefix_makes_the_first_token_early() {
    let sim = Sim::ready(json!({"pace": {
        "kind": "engine", "prefill_tokens_per_s": 10_000, "base_ms": 1, "per_sequence_ms": 0
    }}));
    let body = completion(2000, 2);
    let mut seen = Vec::new();
    for flush in [None, None, Some("/flush_cache"), Some("/reset_prefix_cache")] {
        if let Some(path) = flush {
            assert_eq!(sim.post(path, &json!({})).status, 200);
        }
        sim.post("/truth/reset", &json!({}));
        let cached = usage(&sim, &body)["prompt_tokens_details"]["cached_tokens"].clone();
        let truth = sim.truth();
        assert_eq!(json!(truth.cached_tokens), cached);
        seen.push((cached.as_u64().expect("a count"), truth.ttft_ms.p50.expect("a token")));
    }
    let cached: Vec<u64> = seen.iter().map(|(cached, _)| *cached).collect();
    assert_eq!(cached, [0, 1999, 0, 0]);
    for cold in [0, 2, 3] {
        assert!(seen[cold].1 >= 199.0, "2000 tokens at 10000 a second: {seen:?}");
        assert!(seen[1].1 < seen[cold].1 / 2.0, "{seen:?}");
    }
    let answer =
        sim.post("/generate", &json!({"input_ids": vec![7; 2000], "sampling_params": {"max_new_tokens": 1}}));
    assert_eq!(answer.json()["meta_info"]["cached_tokens"], 1999);
}

#[test]
fn a_full_cache_makes_requests_wait() {
    let sim = Sim::ready(json!({"pace": {
        "kind": "engine", "kv_tokens": 250, "prefix_cache": false, "base_ms": 10, "per_sequence_ms": 0
    }}));
    let mut wires: Vec<_> = (0..5).map(|_| sim.wire()).collect();
    for wire in &mut wires {
        wire.post("/v1/completions", &completion(50, 50));
    }
    eventually(|| sim.truth().active == 5);
    let value = |name: &str| {
        let text = String::from_utf8(sim.get("/metrics").body).expect("text");
        let line = text.lines().find(|line| line.starts_with(name)).expect("a line");
        line.rsplit(' ').next().and_then(|text| text.parse::<f64>().ok()).expect("a number")
    };
    // Each is let in, or not, when the next step begins.
    eventually(|| (value("sim:num_requests_running{"), value("sim:num_requests_waiting{")) == (2.0, 3.0));
    assert!((value("sim:kv_cache_usage_perc{") - 0.8).abs() < 1e-9);
    let first: Vec<_> = wires.iter_mut().map(|wire| wire.answer().tokens()[0].0).collect();
    assert!(first[2] > first[0] && first[4] > first[2], "three waves");
    let truth = sim.truth();
    // Each wave decodes 50 tokens in steps of 10 ms.
    assert!(truth.ttft_ms.max.expect("tokens") >= 2.0 * 49.0 * 10.0, "{:?}", truth.ttft_ms);
    assert_eq!((truth.completed, truth.tokens, truth.max_active), (5, 250, 5));
}

#[test]
fn more_sequences_make_slower_steps() {
    let sim = Sim::ready(json!({"pace": {"kind": "engine", "base_ms": 2, "per_sequence_ms": 2}}));
    let itl = |count: usize| {
        sim.post("/truth/reset", &json!({}));
        let mut wires: Vec<_> = (0..count).map(|_| sim.wire()).collect();
        wires.iter_mut().for_each(|wire| wire.post("/v1/completions", &completion(4, 40)));
        wires.iter_mut().for_each(|wire| assert_eq!(wire.answer().tokens().len(), 40));
        sim.truth().itl_ms.p50.expect("tokens")
    };
    let (one, four) = (itl(1), itl(4));
    assert!(one > 3.0 && four > 8.0 && four > one * 1.5, "{one} {four}");
}

#[test]
fn the_model_ends_by_the_number_of_the_request() {
    let lengths = |seed: u64| {
        let sim = Sim::ready(json!({
            "pace": {"kind": "flood"}, "seed": seed, "eos_after": {"kind": "geometric", "mean": 30}
        }));
        let mut body = completion(3, 200);
        body["ignore_eos"] = json!(false);
        let one = |_| {
            let answer = sim.post("/v1/completions", &body);
            let reason = answer.objects()[answer.tokens().len()]["choices"][0]["finish_reason"].clone();
            (answer.tokens().len(), reason)
        };
        let seen: Vec<(usize, Value)> = (0..60).map(one).collect();
        assert!(seen.iter().all(|(length, reason)| (reason == "length") == (*length == 200)));
        body["min_tokens"] = json!(150);
        assert!(sim.post("/v1/completions", &body).tokens().len() >= 150);
        body["ignore_eos"] = json!(true);
        assert_eq!(sim.post("/v1/completions", &body).tokens().len(), 200);
        seen.into_iter().map(|(length, _)| length).collect::<Vec<_>>()
    };
    let (one, again, other) = (lengths(1), lengths(1), lengths(2));
    assert_eq!(one, again);
    assert_ne!(one, other);
    let mean = one.iter().sum::<usize>() as f64 / 60.0;
    assert!((18.0..=45.0).contains(&mean), "{mean}");
}
