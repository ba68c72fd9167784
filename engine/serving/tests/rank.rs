//! Winners: SLA computed again, only like beside like, no winner by noise.

use assay_loadgen::sla::Sla;
use assay_loadgen::{Failure, FailureKind, Record, Usage};
use assay_serving::rank::{
    Absent, AbsentKind, Basis, COMPARISON_COLUMNS, CSV_COLUMNS, DecisionKind, DecisionRules, Entry,
    EntryError, FAILED_COLUMNS, FRAMEWORK_COLUMNS, Input, OrderBy, PhaseLengths, RankSettings, Ranking,
    RunStatus, WhyNotRanked, csv, markdown, rank,
};
use proptest::prelude::{prop, prop_assert_eq, proptest};
use serde_json::{Value, json};

/// A row as the catalog describes it: 8 GPUs, chat, SLA 1500/30/0.99.
fn row(framework: &str, candidate: &str, throughput: f64) -> Value {
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

fn with(mut row: Value, place: &str, value: Value) -> Value {
    *row.pointer_mut(place).unwrap_or_else(|| panic!("no {place}")) = value;
    row
}

fn ranked(rows: &[Value], settings: &RankSettings) -> Ranking {
    let inputs: Vec<Input> = rows.iter().map(|row| Input { row: row.clone(), runs: Vec::new() }).collect();
    rank(&inputs, &[], settings)
}

fn usual(rows: &[Value]) -> Ranking {
    ranked(rows, &RankSettings::default())
}

fn winner(ranking: &Ranking) -> Option<String> {
    let [scenario] = &ranking.scenarios[..] else { panic!("{:?}", ranking.scenarios.len()) };
    let [group] = &scenario.groups[..] else { panic!("{:?}", scenario.differences) };
    group.winner().map(|standing| format!("{}/{}", standing.framework, standing.candidate))
}

#[test]
fn the_best_of_each_framework_meet_in_each_scenario() {
    let long = |row| {
        with(with(row, "/workload/scenario", json!("summarization")), "/workload/input_len", json!(8000))
    };
    let rows = [
        row("sglang", "a", 4.0),
        row("sglang", "b", 5.0),
        row("vllm", "c", 4.5),
        long(row("sglang", "a", 2.0)),
        long(row("vllm", "c", 3.0)),
    ];
    let ranking = usual(&rows);
    let told: Vec<_> = ranking
        .comparison
        .iter()
        .map(|r| (r.best.scenario.as_str(), r.rank, r.framework.as_str(), r.best.candidate.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("chat", 1, "sglang", "b"),
            ("chat", 2, "vllm", "c"),
            ("summarization", 1, "vllm", "c"),
            ("summarization", 2, "sglang", "a"),
        ]
    );
    let commands: Vec<_> = ranking.winning.iter().map(|w| (w.server_command.as_deref(), w.tied)).collect();
    assert_eq!(commands, [(Some("sglang serve --b"), false), (Some("vllm serve --c"), false)]);
    assert_eq!(ranking.best.len(), 2);
    assert_eq!(ranking.best[0].rows.len(), 2);
    assert!(ranking.failed.is_empty() && ranking.not_ranked.is_empty() && ranking.disagreements.is_empty());
    assert!(ranking.scenarios.iter().all(|scenario| scenario.groups[0].unstated.is_empty()));
}

#[test]
fn a_claimed_sla_is_computed_again_and_the_claim_is_reported() {
    let liar = with(row("vllm", "liar", 50.0), "/metrics/p50_ttft_ms", json!(9999.0));
    let ranking = usual(&[liar, row("sglang", "a", 4.0)]);
    assert_eq!(winner(&ranking).as_deref(), Some("sglang/a"));
    let [found] = &ranking.disagreements[..] else { panic!("{:?}", ranking.disagreements) };
    assert_eq!(
        (found.field.as_str(), &found.stored, &found.computed),
        ("sla.passed", &json!(true), &json!(false))
    );
    assert_eq!(ranking.failed[0].reason, "max_p50_ttft_ms: 9999.00 > 1500.00");
}

#[test]
fn a_figure_that_is_missing_does_not_pass_and_ranks_below_any() {
    let no_ttft = with(row("vllm", "c", 9.0), "/metrics/p50_ttft_ms", Value::Null);
    let ranking = usual(&[no_ttft, row("sglang", "a", 4.0)]);
    assert_eq!(winner(&ranking).as_deref(), Some("sglang/a"));
    assert_eq!(ranking.failed[0].reason, "max_p50_ttft_ms: not measured");
    let no_rate = with(row("vllm", "c", 9.0), "/metrics/request_throughput", Value::Null);
    let zero = with(row("sglang", "a", 4.0), "/metrics/request_throughput", json!(0.0));
    let ranking = usual(&[no_rate, zero]);
    assert_eq!(ranking.comparison[0].framework, "sglang", "0 is a value, nothing is none");
    let zero_latency = with(row("vllm", "c", 9.0), "/metrics/p50_ttft_ms", json!(0.0));
    let ranking = usual(&[zero_latency]);
    assert_eq!(winner(&ranking), None, "0 ms stands for not measured");
    assert!(ranking.scenarios[0].groups[0].standings[0].notes[0].contains("no latency that can be measured"));
}

#[test]
fn what_is_not_alike_is_not_ranked_together_and_what_differs_is_said() {
    for (place, name, value) in [
        ("/hardware/gpu_count", "gpu_count", json!(4)),
        ("/hardware/gpu_model", "gpu_model", json!("H100")),
        ("/digests/workload", "workload", json!("w2")),
        ("/digests/tokenizer", "tokenizer", json!("t2")),
        ("/digests/weights", "weights", json!("x2")),
        ("/digests/sampling", "sampling", json!("s2")),
        ("/workload/endpoint", "endpoint", json!("/v1/chat/completions")),
        ("/workload/request_rate", "arrival", json!(4.0)),
        ("/workload/max_concurrency", "max_concurrency", json!(8)),
        ("/precision", "precision", json!("fp8")),
        ("/quantization", "quantization", Value::Null),
        ("/sla/max_p50_ttft_ms", "sla.max_p50_ttft_ms", json!(9000.0)),
    ] {
        let other = with(row("vllm", "c", 9.0), place, value);
        let ranking = usual(&[row("sglang", "a", 4.0), other]);
        let [scenario] = &ranking.scenarios[..] else { panic!("one scenario") };
        assert_eq!(scenario.groups.len(), 2, "{place}");
        assert!(scenario.groups.iter().all(|group| group.winner().is_some()));
        let names: Vec<&str> = scenario.differences.iter().map(|d| d.name.as_str()).collect();
        assert_eq!(names, [name], "{place}");
        assert!(ranking.comparison.iter().all(|row| row.rank == 1));
        assert!(markdown(&ranking).contains("are not ranked against each other"));
    }
}

#[test]
fn the_same_limits_can_be_put_on_every_row() {
    let strict = RankSettings {
        limits: Some(Sla { max_p50_ttft_ms: Some(300.0), ..Sla::default() }),
        ..RankSettings::default()
    };
    let other = with(row("vllm", "c", 9.0), "/sla/max_p50_ttft_ms", json!(9000.0));
    let ranking = ranked(&[row("sglang", "a", 4.0), other.clone()], &strict);
    assert_eq!(winner(&ranking), None);
    assert_eq!(ranking.failed.len(), 2);
    assert!(ranking.scenarios[0].groups[0].notes[0].contains("no winner"));
    let free = RankSettings { limits: Some(Sla::default()), ..RankSettings::default() };
    assert_eq!(winner(&ranked(&[row("sglang", "a", 4.0), other], &free)).as_deref(), Some("vllm/c"));
    let unstated = with(row("vllm", "c", 9.0), "/sla", Value::Null);
    let ranking = usual(&[unstated]);
    assert_eq!(winner(&ranking), None, "nobody stated what must be kept");
    assert!(ranking.scenarios[0].groups[0].standings[0].notes[0].contains("no SLA is stated"));
}

#[test]
fn what_is_no_result_never_enters() {
    let mut rehearsal = row("vllm", "r", 99.0);
    rehearsal["rehearsal"] = json!(true);
    let mut labelled = row("vllm", "l", 99.0);
    labelled["label"] = json!("Smoke");
    let mut invalid = row("vllm", "i", 99.0);
    invalid["validity"] = json!({"valid": false, "reasons": ["the client was the limit"]});
    let mut stated = row("vllm", "s", 99.0);
    stated["status"] = json!("invalid");
    let small = with(row("vllm", "n", 99.0), "/workload/num_prompts", json!(19));
    let mut sent_few = row("vllm", "f", 99.0);
    sent_few["metrics"]["sent"] = json!(5);
    let unsized_row = with(row("vllm", "u", 99.0), "/workload/num_prompts", Value::Null);
    let rows = [
        rehearsal,
        labelled,
        invalid,
        stated,
        small,
        sent_few,
        unsized_row,
        json!([1]),
        json!({"framework": "x"}),
        row("sglang", "a", 1.0),
    ];
    let ranking = usual(&rows);
    let why: Vec<WhyNotRanked> = ranking.not_ranked.iter().map(|left| left.why).collect();
    use WhyNotRanked::{Invalid, Rehearsal, Smoke, Unreadable, Unsized};
    assert_eq!(why, [Rehearsal, Rehearsal, Invalid, Invalid, Smoke, Smoke, Unsized, Unreadable, Unreadable]);
    assert_eq!(winner(&ranking).as_deref(), Some("sglang/a"));
    assert_eq!(ranking.comparison.len(), 1);
    let twenty = with(row("vllm", "t", 99.0), "/workload/num_prompts", json!(20));
    assert!(usual(&[twenty]).not_ranked.is_empty());
    assert_eq!(Entry::from_row(&json!(1)).unwrap_err(), EntryError::NotAnObject("a number"));
    assert_eq!(Entry::from_row(&json!({"framework": "x"})).unwrap_err(), EntryError::NoName("candidate_id"));
}

#[test]
fn failed_candidates_are_listed_with_their_reason() {
    let bare = |status: &str, reason: Value| {
        json!({"framework": "trt", "candidate_id": status, "status": status, "failure_reason": reason,
            "workload": {"scenario": "chat"}})
    };
    let rows = [
        bare("oom", json!("CUDA out of memory")),
        bare("skipped", json!("needs Hopper")),
        bare("timeout", Value::Null),
        json!({"framework": "trt", "candidate_id": "odd", "status": "great", "workload": {"scenario": "chat"}}),
        row("sglang", "a", 4.0),
    ];
    let ranking = usual(&rows);
    let told: Vec<_> =
        ranking.failed.iter().map(|row| (row.candidate.as_str(), row.status, row.reason.as_str())).collect();
    assert_eq!(told.len(), 4);
    assert!(told.contains(&("oom", RunStatus::Oom, "CUDA out of memory")));
    assert!(told.contains(&("timeout", RunStatus::Timeout, "the row says `timeout` without a reason")));
    assert!(told.iter().any(|(name, status, reason)| *name == "odd"
        && *status == RunStatus::Failed
        && reason.contains("none of ok")));
    assert_eq!(winner(&ranking).as_deref(), Some("sglang/a"));
    let trt = ranking.best.iter().find(|table| table.framework == "trt").unwrap();
    assert_eq!(trt.rows.len(), 1, "its best attempt is shown");
    assert_eq!(trt.rows[0].sla, "not measured");
}

#[test]
fn scenarios_are_found_where_rows_keep_them() {
    let of = |workload: Value, top: Value| {
        let row = json!({"framework": "f", "candidate_id": "c", "workload": workload, "scenario": top});
        Entry::from_row(&row).unwrap().scenario
    };
    let names = ["scenario", "scenario_name", "dataset_scenario", "dataset_name", "kind"];
    for from in 0..names.len() {
        let workload =
            names[from..].iter().map(|name| ((*name).to_owned(), json!(format!("by {name}")))).collect();
        assert_eq!(of(Value::Object(workload), json!("top")), format!("by {}", names[from]));
    }
    assert_eq!(of(json!({"scenario": " "}), json!("top")), "top");
    assert_eq!(of(Value::Null, Value::Null), "default");
}

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

#[test]
fn tokens_may_come_before_requests_and_the_report_says_so() {
    let chatty = with(row("vllm", "c", 3.0), "/metrics/output_token_throughput", json!(9000.0));
    let rows = [row("sglang", "a", 4.0), chatty];
    assert_eq!(winner(&usual(&rows)).as_deref(), Some("sglang/a"));
    let tokens = RankSettings { order: OrderBy::Tokens, ..RankSettings::default() };
    let ranking = ranked(&rows, &tokens);
    assert_eq!(winner(&ranking).as_deref(), Some("vllm/c"));
    assert!(
        ranking.order.contains("then output token throughput, then request throughput"),
        "{}",
        ranking.order
    );
    assert!(markdown(&ranking).contains(&ranking.order));
}

#[test]
fn where_the_target_loses_the_profile_gets_exact_lengths() {
    let target = RankSettings { target: Some("sglang".to_owned()), ..RankSettings::default() };
    let ranking = ranked(&[row("sglang", "a", 3.0), row("vllm", "c", 4.0)], &target);
    let [handoff] = &ranking.handoffs[..] else { panic!("one handoff") };
    assert_eq!((handoff.scenario.as_str(), handoff.winner.as_str()), ("chat", "vllm/c"));
    assert!((handoff.behind.unwrap() - 0.25).abs() < 1e-12);
    assert_eq!(handoff.prefill, Some(PhaseLengths { input: 1000, output: 1 }));
    assert_eq!(handoff.decode, Some(PhaseLengths { input: 1, output: 1000 }));
    assert!(handoff.lengths.unwrap().exact);
    assert!(ranked(&[row("sglang", "a", 4.0), row("vllm", "c", 3.0)], &target).handoffs.is_empty());
    assert!(ranked(&[row("sglang", "a", 3.99), row("vllm", "c", 4.0)], &target).handoffs.is_empty(), "a tie");
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

#[test]
fn tables_have_their_columns_and_cells_stay_in_place() {
    let mut odd = row("sglang", "a|b", 4.0);
    odd["server_command"] = json!("run \\\n  --a '|'");
    odd["spec_decode"] = json!({"mean_accept_length": 2.5});
    let absent = [
        Absent {
            framework: "tokenspeed".into(),
            kind: AbsentKind::UserExcluded,
            reason: "not asked for".into(),
        },
        Absent {
            framework: "trt".into(),
            kind: AbsentKind::EnvironmentGap,
            reason: "no `trtllm-serve`".into(),
        },
    ];
    let failing = with(row("vllm", "c", 9.0), "/metrics/p50_tpot_ms", json!(99.0));
    let inputs = [odd, failing].map(|row| Input { row, runs: Vec::new() });
    let ranking = rank(&inputs, &absent, &RankSettings::default());
    let text = markdown(&ranking);
    for columns in [&FRAMEWORK_COLUMNS[..], &COMPARISON_COLUMNS, &FAILED_COLUMNS] {
        assert!(text.contains(&format!("| {} |", columns.join(" | "))), "{columns:?}");
    }
    for line in text.lines().filter(|line| line.starts_with("| chat | a")) {
        assert_eq!(line.replace("\\|", "").matches('|').count(), FRAMEWORK_COLUMNS.len() + 1, "{line}");
        assert!(
            line.contains("a\\|b") && line.contains("<br>") && line.contains("| 4.00 | 4000.00 | 8000.00 |")
        );
    }
    assert!(text.contains("These were tried and not selected."));
    assert!(text.contains("- Left out by the user: tokenspeed: not asked for"));
    assert!(text.contains("- Not installed here: trt: no `trtllm-serve`"));
    let sheet = csv(&ranking, OrderBy::Requests).unwrap();
    let mut reader = ::csv::Reader::from_reader(sheet.as_bytes());
    assert_eq!(reader.headers().unwrap().iter().collect::<Vec<_>>(), CSV_COLUMNS);
    let lines: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[0][2], &lines[0][4], &lines[0][13]), ("a|b", "true", "2.5"), "what passes is first");
    assert_eq!(&lines[0][17], "run \\\n  --a '|'");
    assert_eq!(&lines[1][18], "max_p50_tpot_ms: 99.00 > 30.00");
    let kept: Ranking = serde_json::from_str(&serde_json::to_string(&ranking).unwrap()).unwrap();
    assert_eq!(kept, ranking);
}

#[test]
fn nothing_is_a_ranking_too() {
    let ranking = usual(&[]);
    assert!(ranking.scenarios.is_empty());
    assert!(markdown(&ranking).contains("Nothing was measured."));
    assert_eq!(csv(&ranking, OrderBy::Requests).unwrap().lines().count(), 1);
}

proptest! {
    #[test]
    fn the_order_of_rows_does_not_matter(
        figures in prop::collection::vec((0_usize..3, 0_usize..4, 1.0_f64..9.0, 1.0_f64..3000.0), 1..12),
        turn in 0_usize..12,
    ) {
        let mut rows: Vec<Value> = figures
            .iter()
            .enumerate()
            .map(|(index, (framework, group, throughput, ttft))| {
                let made = row(["sglang", "vllm", "trt"][*framework], &format!("c{index}"), *throughput);
                let made = with(made, "/hardware/gpu_count", json!(group));
                with(with(made, "/metrics/p50_ttft_ms", json!(ttft)), "/sla/passed", Value::Null)
            })
            .collect();
        let one = usual(&rows);
        let turn = turn % rows.len();
        rows.rotate_left(turn);
        prop_assert_eq!(&one, &usual(&rows));
        let standings: usize = one.scenarios.iter().flat_map(|s| &s.groups).map(|g| g.standings.len()).sum();
        prop_assert_eq!(standings, rows.len());
    }

    #[test]
    fn no_row_breaks_the_ranking(text in "[\\[\\]{}:,\"a-z0-9]{0,60}", field in 0_usize..8, number in prop::num::f64::ANY) {
        let places = ["/metrics", "/sla", "/workload", "/hardware", "/status", "/samples", "/metrics/p50_ttft_ms", "/digests"];
        let odd: Value = serde_json::from_str(&text).unwrap_or_else(|_| json!(number));
        let mut made = row("sglang", "a", 4.0);
        made["samples"] = json!([]);
        let ranking = usual(&[with(made, places[field], odd.clone()), odd]);
        prop_assert_eq!(ranking.not_ranked.is_empty(), false);
        markdown(&ranking);
    }
}
