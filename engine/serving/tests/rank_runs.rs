//! Several runs behind a row: no winner by noise, and figures from what happened to each request.

mod rank_support;

use assay_loadgen::{Failure, FailureKind, Record, Usage};
use assay_serving::rank::{Basis, DecisionKind, DecisionRules, Input, RankSettings, WhyNotRanked, rank};
use rank_support::{ranked, row, usual, winner, with};
use serde_json::{Value, json};

#[test]
fn less_than_a_percent_is_a_tie_without_alternating_runs() {
    let ranking = usual(&[row("sglang", "a", 4.02), row("vllm", "c", 4.0)]);
    assert_eq!(winner(&ranking), None);
    let group = &ranking.scenarios[0].groups[0];
    assert_eq!(group.leaders, [0, 1]);
    let [decision] = &group.decisions[..] else { panic!("one decision") };
    assert_eq!(
        (decision.kind, decision.basis, decision.pairs_needed),
        (DecisionKind::NotDecided, Basis::Figures, None)
    );
    assert!(decision.sentence.contains("run at least 5 alternating pairs"), "{}", decision.sentence);
    assert!(ranking.comparison.iter().all(|row| row.tied));
    let known = RankSettings {
        decision: DecisionRules { run_cv: Some(0.01), ..DecisionRules::default() },
        ..RankSettings::default()
    };
    let ranking = ranked(&[row("sglang", "a", 4.02), row("vllm", "c", 4.0)], &known);
    let decision = &ranking.scenarios[0].groups[0].decisions[0];
    assert_eq!(decision.pairs_needed, Some(18));
    assert!(decision.sentence.contains("about 18 alternating pairs"), "{}", decision.sentence);
    let within_noise = ranked(&[row("sglang", "a", 4.08), row("vllm", "c", 4.0)], &known);
    assert_eq!(winner(&within_noise), None, "2 % is within 1.96 spreads of a pair");
    assert_eq!(
        winner(&usual(&[row("sglang", "a", 4.08), row("vllm", "c", 4.0)])).as_deref(),
        Some("sglang/a")
    );
}

/// A row with runs at these positions.
fn repeated(framework: &str, runs: &[(u64, f64)]) -> Value {
    let mut made = row(framework, "a", runs[runs.len() / 2].1);
    let sample = |(position, value): &(u64, f64)| json!({"position": position, "metrics": {"request_throughput": value}});
    made["samples"] = runs.iter().map(sample).collect();
    made
}

#[test]
fn alternating_runs_decide_below_a_percent() {
    let values = [4.0, 4.1, 3.9, 4.05, 3.95, 4.0];
    let order = [0, 3, 4, 7, 8, 11];
    let other = [1, 2, 5, 6, 9, 10];
    let runs = |places: &[u64; 6], factor: &[f64; 6]| -> Vec<(u64, f64)> {
        places
            .iter()
            .zip(values)
            .zip(factor)
            .map(|((place, value), factor)| (*place, value * factor))
            .collect()
    };
    let base = repeated("vllm", &runs(&other, &[1.0; 6]));
    let ahead = repeated("sglang", &runs(&order, &[1.006, 1.005, 1.007, 1.006, 1.005, 1.007]));
    let ranking = usual(&[base.clone(), ahead]);
    assert_eq!(winner(&ranking).as_deref(), Some("sglang/a"));
    let decision = &ranking.scenarios[0].groups[0].decisions[0];
    assert_eq!((decision.basis, decision.pairs), (Basis::Pairs, 6));
    assert!(decision.interval.unwrap()[0] > 1.004);
    let equal = repeated("sglang", &runs(&order, &[1.001, 0.999, 1.002, 1.001, 0.999, 1.0]));
    let ranking = usual(&[base.clone(), equal]);
    assert_eq!(ranking.scenarios[0].groups[0].decisions[0].kind, DecisionKind::Equal);
    let noisy = repeated("sglang", &runs(&order, &[1.05, 0.97, 1.04, 1.02, 0.99, 1.06]));
    let ranking = usual(&[base.clone(), noisy.clone()]);
    let decision = &ranking.scenarios[0].groups[0].decisions[0];
    assert_eq!(decision.kind, DecisionKind::NotDecided, "two percent ahead, but the interval holds 1");
    assert!(decision.pairs_needed.unwrap() > 50, "{:?}", decision.pairs_needed);
    let blocked: Vec<(u64, f64)> = (20_u64..).zip([4.03; 6]).collect();
    let ranking = usual(&[base, repeated("sglang", &blocked)]);
    let decision = &ranking.scenarios[0].groups[0].decisions[0];
    assert_eq!((decision.basis, decision.kind), (Basis::Figures, DecisionKind::NotDecided));
}

#[test]
fn rows_of_the_same_candidate_are_runs_of_it_and_the_best_one_is_not_picked() {
    let runs: Vec<Value> = [4.0, 9.0, 4.2].into_iter().map(|value| row("sglang", "a", value)).collect();
    let ranking = usual(&runs);
    let standing = &ranking.scenarios[0].groups[0].standings[0];
    assert_eq!((standing.runs, standing.figures.get("request_throughput")), (3, Some(4.2)));
    let mut crashed = runs.clone();
    crashed.insert(
        0,
        json!({"framework": "sglang", "candidate_id": "a", "status": "failed", "failure_reason": "crash",
        "workload": {"scenario": "chat"}}),
    );
    let ranking = usual(&crashed);
    assert_eq!(ranking.failed[0].reason, "1 of 4 runs: crash");
    assert!(ranking.scenarios.is_empty());
}

#[test]
fn rates_are_not_runs_of_each_other_and_the_highest_that_passes_counts() {
    let at = |rate: f64, ttft: f64| {
        let row = with(row("sglang", "a", rate * 0.98), "/workload/request_rate", json!(rate));
        with(row, "/metrics/p50_ttft_ms", json!(ttft))
    };
    let ranking = usual(&[at(2.0, 300.0), at(4.0, 5000.0), at(3.0, 900.0)]);
    let group = &ranking.scenarios[0].groups[0];
    assert_eq!(group.winner().unwrap().load.request_rate, Some(3.0));
    assert!(group.notes[0].contains("rates of requests differ"));
}

fn record(id: u32, ttft_ms: u64, tokens: u32, tpot_ms: u64) -> Record {
    let first = 1_000_000 * ttft_ms;
    let last = first + 1_000_000 * tpot_ms * u64::from(tokens - 1);
    Record {
        id,
        output_len: tokens,
        chunk_ns: vec![first, last],
        end_ns: last,
        usage: Some(Usage { completion_tokens: Some(tokens), ..Usage::default() }),
        ..Record::default()
    }
}

#[test]
fn records_outrank_what_a_row_says() {
    let mut records: Vec<Record> = (0..40).map(|id| record(id, 2000, 10, 40)).collect();
    records.push(Record { warmup: true, ..record(40, 1, 10, 1) });
    records.push(Record {
        failure: Some(Failure { kind: FailureKind::Status, message: "429".to_owned() }),
        ..record(41, 1, 10, 1)
    });
    let input = Input { row: row("sglang", "a", 4.0), runs: vec![records] };
    let ranking = rank(&[input], &[], &RankSettings::default());
    let standing = &ranking.scenarios[0].groups[0].standings[0];
    let figure = |name| standing.figures.get(name).unwrap();
    assert_eq!((figure("p50_ttft_ms"), figure("p50_tpot_ms")), (2000.0, 40.0));
    assert!((figure("success_rate") - 40.0 / 41.0).abs() < 1e-12, "a warm-up does not count");
    assert_eq!(standing.sla.passed, Some(false));
    assert_eq!(standing.sla.checks.iter().filter(|check| !check.passed).count(), 3);
    let fields: Vec<&str> = ranking.disagreements.iter().map(|found| found.field.as_str()).collect();
    assert_eq!(fields, ["metrics.p50_tpot_ms", "metrics.p50_ttft_ms", "metrics.success_rate", "sla.passed"]);
    let few = Input { row: row("sglang", "a", 4.0), runs: vec![vec![record(0, 100, 5, 5); 10]] };
    let ranking = rank(&[few], &[], &RankSettings::default());
    assert_eq!(ranking.not_ranked[0].why, WhyNotRanked::Smoke, "80 prompts are claimed, 10 were sent");
}

#[test]
fn a_queue_in_the_client_counts_against_the_sla() {
    let mut late = row("sglang", "a", 4.0);
    late["metrics"]["p50_ttft_intended_ms"] = json!(7000.0);
    let ranking = usual(&[late]);
    assert_eq!(ranking.failed[0].reason, "max_p50_ttft_ms: 7000.00 > 1500.00");
}
