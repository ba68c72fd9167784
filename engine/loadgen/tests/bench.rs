//! Benchmarks against the simulated server, which knows the truth: figures equal it, and what must not become a figure does not.

use assay_loadgen::bench::{Bench, Outcomes, run};
use assay_loadgen::client::Api;
use assay_loadgen::dataset::Dataset;
use assay_loadgen::row::Status;
use assay_loadgen::sim::{Config, Failure, How, Pace, Server, Truth};
use assay_loadgen::{FailureKind, LoadError};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// A simulated server on a thread of its own, ended with the test.
struct Sim {
    url: String,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Truth>>,
}

impl Sim {
    fn start(config: Config) -> Self {
        let server = Server::bind(config, "127.0.0.1:0".parse().expect("an address")).expect("a server");
        let (url, stop) = (format!("http://127.0.0.1:{}", server.port()), Arc::new(AtomicBool::new(false)));
        let told = Arc::clone(&stop);
        let address = url.trim_start_matches("http://").to_owned();
        let thread = std::thread::spawn(move || server.run(&told).expect("an end").truth);
        // It holds its port at once, and listens a little later.
        while TcpStream::connect(&address).is_err() && !thread.is_finished() {
            std::thread::sleep(Duration::from_millis(1));
        }
        Self { url, stop, thread: Some(thread) }
    }

    fn truth(mut self) -> Truth {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().expect("a thread").join().expect("no panic")
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn random(num_prompts: u32, input_len: u32, output_len: u32) -> Dataset {
    let value = json!({
        "kind": "random", "num_prompts": num_prompts, "input_len": input_len, "output_len": output_len, "vocab_size": 1000,
    });
    serde_json::from_value(value).expect("a dataset")
}

fn closed(url: &str, concurrency: u32, dataset: Dataset) -> Bench {
    Bench { concurrency: Some(concurrency), as_ids: true, ..Bench::new(url, dataset) }
}

fn measured(bench: &Bench) -> Outcomes {
    run(bench, &AtomicBool::new(false), &mut |_| {}, &str::to_owned).expect("outcomes")
}

fn paced(ttft_ms: f64, itl_ms: f64) -> Config {
    Config { pace: Pace::Paced { ttft_ms, itl_ms }, ..Config::default() }
}

fn failing(failure: Value) -> Config {
    let failure: Failure = serde_json::from_value(failure).expect("a failure");
    Config { failures: vec![failure], ..paced(400.0, 2.0) }
}

fn flat(outcomes: &Outcomes) -> Vec<&assay_loadgen::Record> {
    outcomes.records.iter().flatten().filter(|record| !record.warmup).collect()
}

#[test]
fn figures_equal_the_truth_of_the_server() {
    for api in [Api::Completions, Api::Generate] {
        // Slow, so that a busy machine does not make the client too late for it.
        let sim = Sim::start(paced(1500.0, 8.0));
        let outcomes = measured(&Bench { api, ..closed(&sim.url, 24, random(24, 32, 16)) });
        let truth = sim.truth();
        assert_eq!(outcomes.row.status(), Status::Ok, "{:?}", outcomes.row.failure_reason());
        let metrics = &outcomes.measurements[0].metrics;
        let (ttft, gaps) = (metrics.latencies.ttft.unwrap(), metrics.latencies.inter_chunk.unwrap());
        // Both were measured in this very run; what lies between is the way through the loopback.
        assert!((ttft.p50 - truth.ttft_ms.p50.unwrap()).abs() < 45.0, "{ttft:?} {truth:?}");
        assert!((gaps.p50 - truth.itl_ms.p50.unwrap()).abs() < 2.0, "{gaps:?} {truth:?}");
        assert_eq!(metrics.tokens.output, Some(24 * 16));
        // One request warms up.
        assert_eq!(truth.requests, 25);
        assert_eq!(metrics.tokens.input, Some(24 * 32));
        assert_eq!(truth.max_active, 24);
    }
}

#[test]
fn chats_are_measured_and_go_on_from_their_answers() {
    let sim = Sim::start(paced(5.0, 1.0));
    let dataset = json!({
        "kind": "multi-turn", "conversations": 3, "turns": 3, "first_len": 20, "turn_len": 10, "output_len": 6,
    });
    let tokenizer = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/tokenizer.json");
    let bench = Bench {
        api: Api::Chat,
        as_ids: false,
        tokenizer: Some(tokenizer.into()),
        ..closed(&sim.url, 2, serde_json::from_value(dataset).expect("a dataset"))
    };
    let outcomes = measured(&bench);
    let records = flat(&outcomes);
    assert_eq!(records.len(), 9);
    assert!(records.iter().all(|record| record.is_ok()), "{records:?}");
    let prompt = |id: usize| records[id].usage.and_then(|usage| usage.prompt_tokens).expect("counts");
    // The messages before it are in each turn's prompt.
    let turns: Vec<u32> = (0..9).map(prompt).collect();
    let mut sorted = turns.clone();
    sorted.sort_unstable();
    assert!(sorted[8] > sorted[0] + 20, "{turns:?}");
}

#[test]
fn an_open_loop_counts_from_the_intended_start() {
    // One at a time takes 550 ms; twenty a second are meant to start: the queue grows, and it must show.
    let sim = Sim::start(paced(500.0, 10.0));
    let arrivals = serde_json::from_value(json!({"kind": "constant", "rate": 20.0})).expect("arrivals");
    let outcomes = measured(&Bench { arrivals: Some(arrivals), ..closed(&sim.url, 1, random(7, 8, 6)) });
    assert_eq!(outcomes.row.status(), Status::Ok, "{:?}", outcomes.row.failure_reason());
    let latencies = &outcomes.measurements[0].metrics.latencies;
    let (ttft, intended) = (latencies.ttft.unwrap(), latencies.ttft_intended.unwrap());
    assert!(intended.p50 > 3.0 * ttft.p50, "{ttft:?} {intended:?}");
    assert!(flat(&outcomes).windows(2).all(|pair| pair[1].intended_ns - pair[0].intended_ns == 50_000_000));
}

#[test]
fn what_must_not_become_a_figure_does_not() {
    let every = |n: u64| json!({"every": n});
    for (failure, status, words) in [
        (json!({"kind": "status", "code": 503, "when": every(2)}), Status::Failed, "503"),
        (
            json!({"kind": "wrong_usage", "completion_by": -2, "when": every(1)}),
            Status::Invalid,
            "number of tokens",
        ),
        (
            json!({"kind": "wrong_usage", "prompt_by": 9, "when": every(1)}),
            Status::Invalid,
            "counts the prompts",
        ),
        (json!({"kind": "short_output", "fewer": 3, "when": every(3)}), Status::Invalid, "instead of 6"),
        (json!({"kind": "cancel_others", "when": every(1)}), Status::Failed, "completed"),
        (
            json!({"kind": "malformed_sse", "after_tokens": 2, "when": every(2)}),
            Status::Failed,
            "not the JSON",
        ),
        (
            json!({"kind": "malformed_sse", "after_tokens": 2, "form": "bad_chunk", "when": every(2)}),
            Status::Failed,
            "length",
        ),
        (
            json!({"kind": "malformed_sse", "after_tokens": 2, "form": "cut_off", "when": every(2)}),
            Status::Failed,
            "ended within",
        ),
        (json!({"kind": "crash", "when": {"after_requests": 9}}), Status::Failed, "requests completed"),
    ] {
        let sim = Sim::start(failing(failure.clone()));
        let outcomes = measured(&closed(&sim.url, 16, random(16, 8, 6)));
        let reason = outcomes.row.failure_reason().unwrap_or_default();
        assert_eq!(outcomes.row.status(), status, "{failure}: {reason}");
        assert!(reason.contains(words), "{failure}: {reason}");
        assert_eq!(flat(&outcomes).len(), 16, "{failure}: a record for each request");
    }
}

#[test]
fn a_stall_shows_and_ends_by_the_time_limit() {
    let stall = json!({"kind": "stall", "after_tokens": 3, "seconds": 0.4, "when": {"every": 8}});
    let sim = Sim::start(failing(stall));
    let outcomes = measured(&closed(&sim.url, 4, random(16, 8, 6)));
    let latencies = &outcomes.measurements[0].metrics.latencies;
    let (means, longest) = (latencies.itl_request_mean.unwrap(), latencies.longest_stall.unwrap());
    assert!(longest.max > 350.0 && means.p50 < 100.0, "{longest:?} {means:?}");

    let forever = json!({"kind": "stall", "after_tokens": 3, "when": {"every": 8}});
    let sim = Sim::start(failing(forever));
    let outcomes = measured(&Bench { timeout_s: 2.0, ..closed(&sim.url, 4, random(16, 8, 6)) });
    let kinds: Vec<FailureKind> =
        flat(&outcomes).iter().filter_map(|record| Some(record.failure.as_ref()?.kind)).collect();
    assert_eq!(kinds, [FailureKind::TimedOut; 2]);
    assert_eq!(outcomes.row.status(), Status::Failed);
}

#[test]
fn a_server_that_is_not_there_says_so() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let url = format!("http://{free}");
    let outcomes = measured(&closed(&url, 2, random(4, 8, 6)));
    assert_eq!(outcomes.row.status(), Status::Failed);
    let reason = outcomes.row.failure_reason().unwrap_or_default();
    assert!(reason.contains("gave no model") && reason.contains("refused"), "{reason}");
    let named = Bench { model: Some("m".to_owned()), warmup: 0, ..closed(&url, 2, random(4, 8, 6)) };
    let outcomes = measured(&named);
    assert!(
        flat(&outcomes).iter().all(|record| record
            .failure
            .as_ref()
            .is_some_and(|failure| failure.kind == FailureKind::Connect))
    );
}

#[test]
fn a_connection_that_the_server_closed_while_idle_is_made_again() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    // Answers one request per connection, says that it keeps it alive, and closes it.
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().expect("a clone"));
                let (mut line, mut length) = (String::new(), 0);
                while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                    if let Some(value) = line.strip_prefix("content-length: ") {
                        length = value.trim().parse().expect("a length");
                    }
                    line.clear();
                }
                let mut body = vec![0; length];
                if length == 0 || reader.read_exact(&mut body).is_err() {
                    return;
                }
                let events = "data: {\"choices\":[{\"text\":\"a\"}]}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":8,\"completion_tokens\":1}}\n\ndata: [DONE]\n\n";
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {}\r\n\r\n",
                    events.len()
                );
                let mut stream = stream;
                let _ = stream.write_all(head.as_bytes());
                let _ = stream.write_all(events.as_bytes());
            });
        }
    });
    let bench = Bench { model: Some("m".to_owned()), ..closed(&url, 1, random(12, 8, 1)) };
    let outcomes = measured(&bench);
    assert!(flat(&outcomes).iter().all(|record| record.is_ok()), "{:?}", outcomes.row.failure_reason());
    let client = &outcomes.measurements[0].client;
    assert!(client.connections >= 12, "{client:?}");
}

#[test]
fn a_load_that_is_stopped_keeps_what_it_has() {
    let sim = Sim::start(paced(20.0, 20.0));
    let stop = AtomicBool::new(false);
    let outcomes = run(
        &closed(&sim.url, 2, random(40, 8, 5)),
        &stop,
        &mut |standing| {
            if standing.load.completed >= 4 && !standing.load.warmup {
                stop.store(true, Ordering::Relaxed);
            }
        },
        &str::to_owned,
    )
    .expect("outcomes");
    assert!(outcomes.stopped);
    let records = flat(&outcomes);
    assert_eq!(records.len(), 40);
    let ok = records.iter().filter(|record| record.is_ok()).count();
    assert!((4..38).contains(&ok), "{ok}");
    assert_eq!(outcomes.row.status(), Status::Failed);
    assert_eq!(outcomes.measurements[0].metrics.counts.completed, ok as u64);
}

#[test]
fn repeats_ask_the_same_lengths_in_other_words() {
    let sim = Sim::start(paced(5.0, 1.0));
    let outcomes = measured(&Bench { repeats: 3, ..closed(&sim.url, 4, random(8, 16, 4)) });
    assert_eq!((outcomes.row.repeats, outcomes.row.samples.len()), (3, 3));
    let digests: std::collections::BTreeSet<&str> =
        outcomes.measurements.iter().map(|one| one.workload.as_str()).collect();
    assert_eq!(digests.len(), 3);
    assert!(outcomes.row.intervals.contains_key("p50_ttft_ms"), "{:?}", outcomes.row.intervals.keys());
}

#[test]
fn descriptions_that_make_no_sense_are_refused() {
    let bench = Bench::new("http://127.0.0.1:1", random(4, 8, 6));
    for (bench, words) in [
        (bench.clone(), "`concurrency`"),
        (Bench { concurrency: Some(0), ..bench.clone() }, "1 or more"),
        (Bench { concurrency: Some(1), repeats: 0, ..bench.clone() }, "`repeats`"),
        (Bench { concurrency: Some(1), flush: Some("x".to_owned()), ..bench.clone() }, "slash"),
        (Bench { concurrency: Some(1), as_ids: true, api: Api::Chat, ..bench.clone() }, "`api: chat`"),
        (Bench { concurrency: Some(1), ..bench }, "tokenizer"),
    ] {
        let error = run(&bench, &AtomicBool::new(false), &mut |_| {}, &str::to_owned).expect_err("refused");
        assert!(matches!(&error, LoadError::Config(text) if text.contains(words)), "{error}");
    }
}

#[test]
fn a_crash_is_seen_from_both_sides() {
    let config = failing(json!({"kind": "crash", "when": {"after_requests": 3}}));
    let server = Server::bind(config, "127.0.0.1:0".parse().expect("an address")).expect("a server");
    let url = format!("http://127.0.0.1:{}", server.port());
    let thread = std::thread::spawn(move || server.run(&AtomicBool::new(false)).expect("an end"));
    while TcpStream::connect(url.trim_start_matches("http://")).is_err() && !thread.is_finished() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let outcomes = measured(&closed(&url, 2, random(8, 8, 6)));
    assert_eq!(thread.join().expect("no panic").how, How::Crashed);
    assert_eq!(outcomes.row.status(), Status::Failed);
}
