//! HTTP as clients speak it: bodies in every form, connections that stay, sockets that are full.

mod sim_support;

use serde_json::json;
use sim_support::{Sim, completion, eventually};
use std::io::{Read, Write};
use std::net::Shutdown;

fn flood() -> Sim {
    flood_by(1)
}

/// A flood with so many tokens of a stream in a write.
fn flood_by(per_write: u32) -> Sim {
    Sim::ready(json!({"pace": {"kind": "flood", "per_write": per_write}}))
}

#[test]
fn one_connection_serves_many_requests() {
    for per_write in [1, 4, 100] {
        many_requests(&flood_by(per_write));
    }
}

fn many_requests(sim: &Sim) {
    let before = sim.truth().connections;
    let mut wire = sim.wire();
    for output in 1..=20 {
        wire.post("/v1/completions", &completion(3, output));
        let answer = wire.answer();
        assert!(answer.is_done());
        assert_eq!(answer.tokens().len(), output as usize);
    }
    // Several requests before the first answer is read.
    for output in [4, 5, 6] {
        wire.post("/v1/completions", &completion(3, output));
    }
    for output in [4, 5, 6] {
        assert_eq!(wire.answer().tokens().len(), output);
    }
    assert_eq!(sim.truth().connections, before + 2, "this one, and the one that asks");
    wire.send("GET /health HTTP/1.1\r\nconnection: close\r\n\r\n");
    let answer = wire.answer();
    assert!(answer.head.contains("connection: close"), "{}", answer.head);
    assert_eq!(wire.stream.read(&mut [0; 1]).expect("an end"), 0);
}

#[test]
fn bodies_come_chunked_or_after_a_word() {
    let sim = flood();
    let body = completion(3, 2).to_string();
    let mut wire = sim.wire();
    wire.send("POST /v1/completions?beta=1 HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n");
    for part in body.as_bytes().chunks(7) {
        wire.send(&format!("{:x}\r\n", part.len()));
        wire.stream.write_all(part).expect("a socket");
        wire.send("\r\n");
    }
    wire.send("0\r\n\r\n");
    assert_eq!(wire.answer().tokens().len(), 2);
    let length = body.len();
    wire.send(&format!(
        "POST /v1/completions HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n"
    ));
    let mut word = [0; 25];
    wire.stream.read_exact(&mut word).expect("a word");
    assert_eq!(&word, b"HTTP/1.1 100 Continue\r\n\r\n");
    wire.send(&body);
    assert_eq!(wire.answer().tokens().len(), 2);
    wire.send("HELLO\r\n\r\n");
    assert_eq!(wire.answer().status, 400);
}

#[test]
fn a_socket_that_takes_nothing_stops_a_flood() {
    for per_write in [1, 16] {
        stopped_by_the_socket(&flood_by(per_write));
    }
}

fn stopped_by_the_socket(sim: &Sim) {
    let mut wire = sim.wire();
    wire.post("/v1/completions", &completion(3, 100_000));
    eventually(|| sim.truth().blocked > 0);
    let held = sim.truth();
    assert!(held.tokens < 100_000, "only what the buffers of the sockets hold: {}", held.tokens);
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert_eq!(sim.truth().tokens, held.tokens, "nothing is made for a full socket");
    let answer = wire.answer();
    assert!(answer.is_done());
    assert_eq!(answer.tokens().len(), 100_000);
    let truth = sim.truth();
    assert!(truth.blocked_ms >= 50.0, "{}", truth.blocked_ms);
    assert!(truth.blocked_max_ms <= truth.blocked_ms);
}

#[test]
fn a_paced_answer_goes_on_into_the_buffer() {
    let sim = Sim::ready(json!({"pace": {"kind": "paced", "ttft_ms": 0, "itl_ms": 0.002}}));
    let mut wire = sim.wire();
    wire.post("/v1/completions", &completion(3, 60_000));
    eventually(|| sim.truth().completed == 1);
    assert!(sim.truth().blocked > 0, "nobody has read");
    assert_eq!(wire.answer().tokens().len(), 60_000);
    eventually(|| sim.truth().blocked_ms > 0.0);
}

#[test]
fn who_goes_away_frees_its_place() {
    let sim = Sim::ready(json!({"pace": {"kind": "engine", "max_running_requests": 1, "base_ms": 5}}));
    let mut first = sim.wire();
    first.post("/v1/completions", &completion(3, 1_000_000 - 3));
    eventually(|| sim.truth().tokens > 2);
    let mut second = sim.wire();
    second.post("/v1/completions", &completion(3, 2));
    eventually(|| sim.truth().active == 2);
    first.stream.shutdown(Shutdown::Both).expect("a socket");
    assert!(second.answer().is_done());
    let truth = sim.truth();
    assert_eq!((truth.abandoned, truth.completed, truth.active), (1, 1, 0));
}
