//! Winners: SLA computed again, only like beside like.

mod rank_support;

use assay_loadgen::sla::Sla;
use assay_serving::rank::{AbsentKind, Entry, EntryError, RankSettings, RunStatus, WhyNotRanked, markdown};
use proptest::prelude::{prop, prop_assert_eq, proptest};
use rank_support::{ranked, row, usual, winner, with};
use serde_json::{Value, json};

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
        let titles = [scenario.title(0), scenario.title(1)];
        assert_ne!(titles[0], titles[1]);
        let expected = match name {
            "arrival" => "chat, at a rate",
            "gpu_count" => "chat, gpu_count 4",
            "workload" => "chat (group 2)",
            _ => continue,
        };
        assert!(titles.iter().any(|title| title == expected), "{titles:?}");
        assert!(ranking.comparison.iter().any(|row| row.best.scenario == expected));
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
    let absent: Vec<(&str, AbsentKind)> =
        ranking.absent.iter().map(|absent| (absent.framework.as_str(), absent.kind)).collect();
    assert_eq!(absent, [("vllm", AbsentKind::NoValidResult)], "measured, and nothing of it counts");
    assert!(markdown(&ranking).contains("- Without a valid result: vllm: "));
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
