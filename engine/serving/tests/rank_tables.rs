//! What a ranking says: its order, its tables, and what to profile.

mod rank_support;

use assay_serving::rank::{
    Absent, AbsentKind, COMPARISON_COLUMNS, CSV_COLUMNS, FAILED_COLUMNS, FRAMEWORK_COLUMNS, Input, OrderBy,
    PhaseLengths, RankSettings, Ranking, csv, markdown, rank,
};
use rank_support::{ranked, row, usual, winner, with};
use serde_json::json;

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
