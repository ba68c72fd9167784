//! Rows as they are ranked.
#![allow(dead_code, reason = "each test program uses its part")]

use assay_serving::rank::{Input, RankSettings, Ranking, rank};
use serde_json::{Value, json};

/// A row as the catalog describes it: 8 GPUs, chat, SLA 1500/30/0.99.
pub fn row(framework: &str, candidate: &str, throughput: f64) -> Value {
    json!({
        "framework": framework, "candidate_id": candidate, "model": "m", "status": "ok",
        "hardware": {"gpu_model": "H200", "gpu_count": 8},
        "workload": {"kind": "random", "scenario": "chat", "input_len": 1000, "output_len": 1000, "num_prompts": 80,
            "request_rate": null, "max_concurrency": null, "endpoint": "/v1/completions"},
        "digests": {"workload": "w1", "tokenizer": "t1", "sampling": "s1", "weights": "x1"},
        "precision": "bf16", "quantization": "none",
        "sla": {"max_p50_ttft_ms": 1500.0, "max_p50_tpot_ms": 30.0, "min_success_rate": 0.99, "passed": true},
        "metrics": {"request_throughput": throughput, "output_token_throughput": throughput * 1000.0,
            "total_token_throughput": throughput * 2000.0, "p50_ttft_ms": 400.0, "mean_ttft_ms": 450.0,
            "p50_tpot_ms": 12.0, "mean_tpot_ms": 12.5, "p99_ttft_ms": 900.0, "p99_tpot_ms": 20.0, "success_rate": 1.0},
        "server_command": format!("{framework} serve --{candidate}"),
        "artifacts": {"server_log": "logs/a.log"},
    })
}

pub fn with(mut row: Value, place: &str, value: Value) -> Value {
    *row.pointer_mut(place).unwrap_or_else(|| panic!("no {place}")) = value;
    row
}

pub fn ranked(rows: &[Value], settings: &RankSettings) -> Ranking {
    let inputs: Vec<Input> = rows.iter().map(|row| Input { row: row.clone(), runs: Vec::new() }).collect();
    rank(&inputs, &[], settings)
}

pub fn usual(rows: &[Value]) -> Ranking {
    ranked(rows, &RankSettings::default())
}

pub fn winner(ranking: &Ranking) -> Option<String> {
    let [scenario] = &ranking.scenarios[..] else { panic!("{:?}", ranking.scenarios.len()) };
    let [group] = &scenario.groups[..] else { panic!("{:?}", scenario.differences) };
    group.winner().map(|standing| format!("{}/{}", standing.framework, standing.candidate))
}
