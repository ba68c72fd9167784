//! The times that the simulated server keeps, seen from outside.

mod sim_support;

use serde_json::json;
use sim_support::{Answer, Sim, completion, median};
use std::io::Read;
use std::time::{Duration, Instant};

fn ms(from: Instant, to: Instant) -> f64 {
    (to - from).as_secs_f64() * 1e3
}

/// Streams at a time, each on its own connection: when each was sent, and what came.
fn streams(sim: &Sim, count: usize, output: u32) -> Vec<(Instant, Answer)> {
    std::thread::scope(|scope| {
        let one = || {
            let mut wire = sim.wire();
            let sent = Instant::now();
            wire.post("/v1/completions", &completion(5, output));
            (sent, wire.answer())
        };
        let threads: Vec<_> = (0..count).map(|_| scope.spawn(one)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    })
}

#[test]
fn paced_tokens_come_when_the_account_says() {
    let sim = Sim::ready(json!({"pace": {"kind": "paced", "ttft_ms": 60, "itl_ms": 12}}));
    let answers = streams(&sim, 4, 40);
    let (mut first, mut gaps) = (Vec::new(), Vec::new());
    for (sent, answer) in &answers {
        let tokens = answer.tokens();
        assert_eq!(tokens.len(), 40);
        assert!(answer.is_done());
        first.push(ms(*sent, tokens[0].0));
        gaps.extend(tokens.windows(2).map(|pair| ms(pair[0].0, pair[1].0)));
        assert!(ms(*sent, tokens[0].0) >= 60.0, "never before its time");
        assert!(ms(*sent, tokens[39].0) >= 60.0 + 39.0 * 12.0);
    }
    let truth = sim.truth();
    let (ttft, itl) = (truth.ttft_ms.p50.expect("tokens"), truth.itl_ms.p50.expect("tokens"));
    assert!((median(&mut gaps) - itl).abs() < 2.0, "ITL {} read, {itl} true", median(&mut gaps));
    assert!((median(&mut first) - ttft).abs() < 10.0, "TTFT {} read, {ttft} true", median(&mut first));
    assert_eq!((truth.configured_ttft_ms, truth.configured_itl_ms), (Some(60.0), Some(12.0)));
    assert_eq!((truth.tokens, truth.requests, truth.completed, truth.max_active), (160, 4, 4, 4));
    assert_eq!((truth.ttft_ms.count, truth.itl_ms.count, truth.lateness_ms.count), (4, 156, 160));
    assert_eq!((truth.prompt_tokens, truth.active, truth.abandoned, truth.refused), (20, 0, 0, 0));
    // The schedule is absolute: what a token is late, the next gap is short.
    let mean = truth.itl_ms.mean.expect("tokens");
    assert!((mean - 12.0).abs() * 39.0 <= truth.lateness_ms.max.expect("tokens") + 0.1, "mean {mean}");
}

#[test]
fn a_flood_gives_every_token() {
    let sim = Sim::ready(json!({"pace": {"kind": "flood"}}));
    for (_, answer) in streams(&sim, 8, 3000) {
        assert!(answer.is_done());
        assert_eq!(answer.tokens().len(), 3000);
        assert_eq!(answer.objects().last().expect("usage")["usage"]["completion_tokens"], 3000);
    }
    let truth = sim.truth();
    assert_eq!((truth.tokens, truth.completed, truth.lateness_ms.count), (24_000, 8, 0));
    assert!(truth.bytes_out > 24_000 * 200, "realistic events: {} bytes", truth.bytes_out);
    let ended = sim.stop();
    assert_eq!(ended.truth.tokens, 24_000);
}

#[test]
fn effects_of_flags_multiply() {
    let sim = Sim::ready(json!({
        "pace": {"kind": "paced", "ttft_ms": 40, "itl_ms": 8},
        "argv": ["launch", "--tp-size", "2", "--fast"],
        "effects": [
            {"with_flag": "--tp-size=2", "time_factor": 0.5},
            {"with_flag": "--fast", "time_factor": 0.5},
            {"with_flag": "--tp-size=4", "time_factor": 9}
        ]
    }));
    assert_eq!(sim.truth().configured_ttft_ms, Some(10.0));
    assert_eq!(sim.truth().configured_itl_ms, Some(2.0));
}

#[test]
fn an_answer_without_a_stream_takes_the_time_of_its_tokens() {
    let sim = Sim::ready(json!({"pace": {"kind": "paced", "ttft_ms": 30, "itl_ms": 5}}));
    let mut body = completion(5, 11);
    body["stream"] = json!(false);
    let sent = Instant::now();
    let answer = sim.post("/v1/completions", &body);
    assert!(ms(sent, Instant::now()) >= 80.0);
    assert_eq!(answer.json()["usage"]["completion_tokens"], 11);
    let truth = sim.truth();
    assert_eq!((truth.tokens, truth.ttft_ms.count, truth.ttft_ms.p50), (11, 0, None));
}

#[test]
fn the_head_may_come_before_the_first_token() {
    for early in [true, false] {
        let sim = Sim::ready(json!({
            "early_head": early, "pace": {"kind": "paced", "ttft_ms": 1500, "itl_ms": 1}
        }));
        let mut wire = sim.wire();
        wire.post("/v1/completions", &completion(5, 2));
        wire.stream.set_read_timeout(Some(Duration::from_millis(700))).expect("a limit");
        let mut room = [0; 4096];
        match wire.stream.read(&mut room) {
            Ok(count) => assert!(early && room[..count].ends_with(b"\r\n\r\n"), "the head alone"),
            Err(_) => assert!(!early, "nothing before the first token"),
        }
    }
}
