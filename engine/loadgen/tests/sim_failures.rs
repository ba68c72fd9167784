//! Every failure of the simulated server.

mod sim_support;

use assay_loadgen::sim::How;
use serde_json::{Value, json};
use sim_support::{Answer, Sim, completion, config, eventually};
use std::net::TcpStream;
use std::time::{Duration, Instant};

fn failing(failure: Value) -> Sim {
    Sim::ready(json!({"pace": {"kind": "flood"}, "failures": [failure]}))
}

fn ask(sim: &Sim, output: u32) -> Answer {
    sim.post("/v1/completions", &completion(5, output))
}

fn completed(answer: &Answer) -> Value {
    answer.objects().last().map(|object| object["usage"]["completion_tokens"].clone()).expect("counts")
}

#[test]
fn it_dies_in_the_middle_of_an_answer() {
    let sim = failing(json!({"kind": "crash", "when": {"after_requests": 2}}));
    assert!(ask(&sim, 10).is_done());
    assert!(ask(&sim, 10).is_done());
    let answer = ask(&sim, 10);
    assert!(!answer.complete);
    assert_eq!(answer.tokens().len(), 5);
    assert!(sim.lines().iter().any(|line| line.contains("CUDA error")), "{:?}", sim.lines());
    let ended = sim.ended();
    assert_eq!((ended.how, ended.truth.tokens), (How::Crashed, 25));
}

#[test]
fn a_flood_that_gathers_tokens_breaks_at_the_same_place() {
    for per_write in [1, 3, 64] {
        let with = |failure: Value| {
            Sim::ready(json!({"pace": {"kind": "flood", "per_write": per_write}, "failures": [failure]}))
        };
        let answer = ask(
            &with(json!({"kind": "malformed_sse", "when": "on_start", "after_tokens": 4, "form": "cut_off"})),
            10,
        );
        assert!(!answer.complete);
        assert_eq!(answer.tokens().len(), 4, "{per_write} per write");
        let answer = ask(&with(json!({"kind": "crash", "when": {"after_requests": 0}})), 10);
        assert!(!answer.complete);
        assert_eq!(answer.tokens().len(), 5, "{per_write} per write");
    }
}

#[test]
fn it_dies_at_its_hour() {
    let sim = Sim::ready(json!({"failures": [{"kind": "crash", "when": {"at_s": 0.2}}]}));
    let answer = ask(&sim, 1000);
    assert!(!answer.complete && !answer.tokens().is_empty());
    assert_eq!(sim.ended().how, How::Crashed);
}

#[test]
fn starts_that_fail_say_why() {
    let cases = [
        ("oom_at_start", "sglang", 1, "CUDA out of memory"),
        ("oom_at_start", "vllm", 1, "Engine core initialization failed"),
        ("unknown_flag", "vllm", 2, "unrecognized arguments: --speed"),
        ("missing_model", "sglang", 1, "not a local folder"),
        ("port_in_use", "vllm", 1, "address already in use"),
    ];
    for (kind, framework, code, word) in cases {
        let sim = Sim::start(json!({
            "framework": framework, "argv": ["--model", "m", "--speed", "9"], "failures": [{"kind": kind}]
        }));
        eventually(|| sim.lines().iter().any(|line| line.contains(word)));
        assert!(TcpStream::connect(("127.0.0.1", sim.port)).is_err(), "{kind} does not listen");
        assert_eq!(sim.ended().how, How::Exited(code), "{kind}");
    }
}

#[test]
fn a_failure_may_need_a_flag() {
    let start = |argv: Value| {
        Sim::ready(json!({
            "argv": argv, "pace": {"kind": "flood"},
            "failures": [{"kind": "oom_at_start", "with_flag": "--mem=0.95"}, {"kind": "unknown_flag", "flag": "--odd"}]
        }))
    };
    assert!(ask(&start(json!(["--mem", "0.9"])), 2).is_done());
    for argv in [json!(["--mem", "0.95"]), json!(["--mem=0.95"]), json!(["--odd"])] {
        let sim = Sim::start(json!({
            "argv": argv,
            "failures": [{"kind": "oom_at_start", "with_flag": "--mem=0.95"}, {"kind": "unknown_flag", "flag": "--odd"}]
        }));
        assert!(matches!(sim.ended().how, How::Exited(1 | 2)));
    }
}

#[test]
fn some_starts_never_end() {
    let hang = Sim::start(json!({"failures": [{"kind": "nccl_hang"}]}));
    eventually(|| hang.lines().iter().any(|line| line.contains("NCCL INFO")));
    assert!(TcpStream::connect(("127.0.0.1", hang.port)).is_err());
    assert_eq!(hang.stop().how, How::Stopped);
    let never = Sim::start(json!({"failures": [{"kind": "never_ready"}]}));
    eventually(|| never.try_get("/health").is_some());
    for path in ["/health", "/v1/models"] {
        assert_eq!(never.get(path).status, 503, "{path}");
    }
    assert_eq!(ask(&never, 2).status, 503);
    assert_eq!(never.get("/truth/tokens").status, 200, "the account is there");
    assert_eq!(never.stop().how, How::Stopped);
}

#[test]
fn a_start_takes_its_time() {
    for (way, early) in [("refuse", None), ("unavailable", Some(503))] {
        let begun = Instant::now();
        let sim = Sim::start(json!({"startup_s": 0.4, "while_starting": way}));
        if let Some(status) = early {
            eventually(|| sim.try_get("/health").is_some_and(|answer| answer.status == status));
        }
        assert!(sim.lines().iter().all(|line| !line.contains("ready to roll")));
        eventually(|| sim.try_get("/health").is_some_and(|answer| answer.status == 200));
        assert!(begun.elapsed() >= Duration::from_millis(400), "{way}");
        assert!(sim.lines().iter().any(|line| line.contains("ready to roll")));
    }
}

#[test]
fn a_stream_stalls_for_a_while_or_for_ever() {
    let sim = failing(json!({"kind": "stall", "when": {"every": 2}, "after_tokens": 3, "seconds": 0.3}));
    assert!(ask(&sim, 6).is_done());
    sim.post("/truth/reset", &json!({}));
    let tokens = ask(&sim, 6).tokens();
    assert_eq!(tokens.len(), 6);
    let gaps: Vec<Duration> = tokens.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert!(gaps[2] >= Duration::from_millis(250), "{gaps:?}");
    assert!(sim.truth().itl_ms.max.expect("tokens") >= 299.0);
    let sim = failing(json!({"kind": "stall", "when": "on_start", "after_tokens": 3}));
    let mut wire = sim.wire();
    wire.stream.set_read_timeout(Some(Duration::from_millis(300))).expect("a limit");
    wire.post("/v1/completions", &completion(5, 6));
    let answer = wire.answer();
    assert_eq!((answer.tokens().len(), answer.complete), (3, false));
}

#[test]
fn a_status_comes_instead_of_an_answer() {
    let sim = failing(json!({"kind": "status", "when": {"every": 2}, "code": 502, "body": "busy"}));
    let statuses: Vec<u16> = (0..4).map(|_| ask(&sim, 2).status).collect();
    assert_eq!(statuses, [200, 502, 200, 502]);
    let truth = sim.truth();
    assert_eq!((truth.requests, truth.completed, truth.refused), (4, 2, 2));
    let sim = failing(json!({"kind": "status", "when": {"after_requests": 1}, "code": 503}));
    assert_eq!(ask(&sim, 2).status, 200);
    let answer = ask(&sim, 2);
    assert_eq!((answer.status, answer.json()["code"].clone()), (503, json!(503)));
}

#[test]
fn a_slow_stream_is_slow_behind_its_first_token() {
    let sim = Sim::ready(json!({
        "pace": {"kind": "paced", "ttft_ms": 10, "itl_ms": 4},
        "failures": [{"kind": "slow_stream", "when": {"every": 2}, "factor": 5}]
    }));
    let mut medians = Vec::new();
    for _ in 0..2 {
        sim.post("/truth/reset", &json!({}));
        assert!(ask(&sim, 20).is_done());
        medians.push(sim.truth().itl_ms.p50.expect("tokens"));
    }
    assert!(medians[1] > 3.0 * medians[0], "{medians:?}");
}

#[test]
fn streams_break_in_five_ways() {
    let broken = |form: &str| {
        let sim =
            failing(json!({"kind": "malformed_sse", "when": "on_start", "after_tokens": 2, "form": form}));
        ask(&sim, 5)
    };
    for form in ["cut_json", "not_json"] {
        let answer = broken(form);
        assert!(answer.is_done());
        assert!(
            serde_json::from_str::<Value>(&answer.events[2].1).is_err(),
            "{form}: {:?}",
            answer.events[2]
        );
        assert_eq!(answer.tokens().len(), 5);
    }
    for form in ["bad_chunk", "cut_off"] {
        let answer = broken(form);
        assert_eq!((answer.complete, answer.tokens().len()), (false, 2), "{form}");
    }
    let answer = broken("no_done");
    assert_eq!((answer.complete, answer.is_done(), answer.tokens().len()), (true, false, 5));
}

#[test]
fn counts_can_be_wrong_and_answers_short() {
    let sim =
        failing(json!({"kind": "wrong_usage", "when": "on_start", "completion_by": -3, "prompt_by": 7}));
    let answer = ask(&sim, 10);
    assert_eq!((answer.tokens().len(), completed(&answer)), (10, json!(7)));
    assert_eq!(answer.objects().last().expect("counts")["usage"]["prompt_tokens"], 12);
    let sim = failing(json!({"kind": "short_output", "when": {"after_requests": 1}, "fewer": 4}));
    assert_eq!(ask(&sim, 10).tokens().len(), 10);
    let answer = ask(&sim, 10);
    assert_eq!((answer.tokens().len(), completed(&answer)), (6, json!(6)));
    assert_eq!(ask(&sim, 2).tokens().len(), 1, "one is left");
}

#[test]
fn a_new_request_ends_the_others() {
    let sim = Sim::ready(json!({
        "pace": {"kind": "engine", "base_ms": 5}, "failures": [{"kind": "cancel_others", "when": "on_start"}]
    }));
    let mut first = sim.wire();
    first.post("/v1/completions", &completion(5, 100_000));
    eventually(|| sim.truth().tokens > 3);
    assert!(ask(&sim, 3).is_done());
    let cut = first.answer();
    assert!(cut.complete && !cut.is_done() && !cut.tokens().is_empty());
    let truth = sim.truth();
    assert_eq!((truth.requests, truth.completed, truth.abandoned, truth.active), (2, 1, 1, 0));
    first.post("/v1/completions", &completion(5, 2));
    assert!(first.answer().is_done(), "the connection goes on");
}

#[test]
fn several_failures_go_together_and_the_first_of_a_kind_counts() {
    let sim = Sim::ready(json!({"pace": {"kind": "flood"}, "failures": [
        {"kind": "short_output", "when": {"every": 2}, "fewer": 1},
        {"kind": "short_output", "when": "on_start", "fewer": 5},
        {"kind": "wrong_usage", "when": "on_start", "completion_by": 100}
    ]}));
    let first = ask(&sim, 10);
    assert_eq!((first.tokens().len(), completed(&first)), (5, json!(105)));
    assert_eq!(ask(&sim, 10).tokens().len(), 9);
}

#[test]
fn configurations_that_describe_no_server_are_refused() {
    let cases = [
        (json!({"pace": {"kind": "paced", "ttft_ms": -1, "itl_ms": 1}}), "ttft_ms"),
        (json!({"pace": {"kind": "engine", "chunk_tokens": 0}}), "chunk_tokens"),
        (json!({"startup_s": -1}), "startup_s"),
        (json!({"eos_after": {"kind": "uniform", "least": 3, "most": 2}}), "eos_after"),
        (json!({"failures": [{"kind": "status", "when": "on_start", "code": 200}]}), "code"),
        (json!({"failures": [{"kind": "crash", "when": {"every": 0}}]}), "every"),
    ];
    for (value, word) in cases {
        let error = config(value.clone()).check().expect_err("refused").to_string();
        assert!(error.contains(word), "{value}: {error}");
    }
    for value in [
        json!({"speed": 1}),
        json!({"pace": {"kind": "flood", "itl_ms": 1}}),
        json!({"pace": {"kind": "paced", "ttft_ms": 1, "itl_ms": 1, "x": 1}}),
        json!({"pace": {"kind": "engine", "x": 1}}),
        json!({"failures": [{"kind": "crash"}]}),
        json!({"failures": [{"kind": "stall", "when": "on_start", "after_tokens": 1, "x": 1}]}),
    ] {
        assert!(serde_json::from_value::<assay_loadgen::sim::Config>(value.clone()).is_err(), "{value}");
    }
}

#[test]
fn the_schema_takes_what_the_server_takes() {
    let validator = jsonschema::validator_for(&assay_loadgen::sim::schema()).expect("a schema");
    let good = json!({
        "pace": {"kind": "engine", "base_ms": 3}, "eos_after": {"kind": "fixed", "tokens": 4},
        "failures": [
            {"kind": "crash", "when": {"after_requests": 2}}, {"kind": "oom_at_start"},
            {"kind": "stall", "when": "on_start", "after_tokens": 1, "seconds": 0.5}
        ],
        "effects": [{"with_flag": "--x=1", "time_factor": 0.5}]
    });
    assert!(
        validator.is_valid(&good),
        "{:?}",
        validator.iter_errors(&good).map(|one| one.to_string()).collect::<Vec<_>>()
    );
    let whole = serde_json::to_value(config(good)).expect("JSON");
    assert!(validator.is_valid(&whole), "what it writes itself");
    for bad in [
        json!({"speed": 1}),
        json!({"pace": {"kind": "flood", "x": 1}}),
        json!({"failures": [{"kind": "crash"}]}),
    ] {
        assert!(!validator.is_valid(&bad), "{bad}");
    }
}
