//! What a journal of 10,000 steps costs. Run by hand, optimised: `cargo test --release -p assay-store --test cost -- --ignored
//! --nocapture`.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod common;

use assay_protocol::{Event, Status, StepFinished, StepStarted, ValueMap};
use common::{Bench, identity};
use std::time::Instant;

const STEPS: u32 = 10_000;

fn started(step: &str) -> Event {
    Event::StepStarted(StepStarted {
        step: step.to_owned(),
        uses: "command".to_owned(),
        attempt: 1,
        fingerprint: "0123456789abcdef".repeat(4),
        process: Some(identity()),
        command: vec!["/bin/true".to_owned()],
        live: Vec::new(),
        gpus: Vec::new(),
    })
}

fn finished(step: &str) -> Event {
    Event::StepFinished(StepFinished {
        step: step.to_owned(),
        attempt: 1,
        status: Status::Passed,
        is_final: true,
        reason: String::new(),
        exit: Some(0),
        signal: None,
        duration_s: 0.0012,
        outputs: ValueMap::new(),
        ..serde_json::from_str(r#"{"step":"","attempt":1,"status":"passed","final":true,"duration_s":0}"#)
            .unwrap()
    })
}

#[test]
#[ignore = "a measurement, meaningful only when optimised"]
fn ten_thousand_steps() {
    let bench = Bench::new();
    let (writer, errors) = bench.writer();
    let cpu = || std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let start = Instant::now();
    for number in 0..STEPS {
        let step = format!("work[{number}]");
        writer.append(1.7e9 + f64::from(number), started(&step));
        writer.append(1.7e9 + f64::from(number), finished(&step));
    }
    let appended = start.elapsed();
    writer.close().unwrap();
    println!("append {appended:?}, on the disk {:?} ({})", start.elapsed(), cpu().trim());
    assert!(errors.lock().unwrap().is_empty());
    println!("{} bytes per node", size_of::<assay_protocol::NodeState>());
    println!("{} bytes per attempt", size_of::<assay_protocol::Attempt>());
    for _ in 0..5 {
        let start = Instant::now();
        let journal = bench.read().unwrap();
        println!("read {} bytes, {} records in {:?}", journal.length, journal.records, start.elapsed());
        assert_eq!(journal.state.nodes.len(), STEPS as usize);
    }
}
