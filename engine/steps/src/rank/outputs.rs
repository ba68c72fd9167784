//! What a `rank` step hands on: the ranking as data, and its fixed tables as `{columns, rows}`.

use assay_manifest::OutputDoc;
use assay_protocol::{Value, ValueMap};
use assay_serving::rank::{
    BestRow, COMPARISON_COLUMNS, FAILED_COLUMNS, FRAMEWORK_COLUMNS, Group, Handoff, NotRanked, Ranking,
    ScenarioRanking,
};
use serde_json::json;

/// Reasons that a failure shows.
const SHOWN: usize = 5;

const fn doc(name: &'static str, doc: &'static str) -> OutputDoc {
    OutputDoc { name, doc, volatile: false }
}

/// Every output.
pub(crate) const DOCS: &[OutputDoc] = &[
    doc(
        "decided",
        "Whether every scenario has one winner alone, and all its results could be compared; loads at a rate and loads all at \
         once have one each",
    ),
    doc(
        "winners",
        "Who won, and how to launch it: `{scenario, framework, candidate, tied, server_command}` each",
    ),
    doc("best", "Table 1, the best commands of each framework, `{columns, rows}`"),
    doc("comparison", "Table 2, the frameworks beside each other, `{columns, rows}`"),
    doc("failed", "Table 3, what was tried and not selected, `{columns, rows}`"),
    doc("not_ranked", "Rows that are no results: `{row, framework, candidate, scenario, why, reason}` each"),
    doc(
        "groups",
        "Results that are alike, for each scenario: `{scenario, group, standings, leaders, decided, decisions, notes, \
         unstated, differences}` each",
    ),
    doc(
        "disagreements",
        "Stored values that are not what was computed: `{row, field, stored, computed, ...}` each",
    ),
    doc(
        "handoff",
        "What to profile where the target lost, the worst first: scenario, lengths, `workloads` as `profile` takes them",
    ),
    doc("order", "The order, in words"),
    doc("markdown", "`summary.md`, `{path, sha256, bytes}`"),
    doc("csv", "`ranking.csv`, `{path, sha256, bytes}`"),
    doc("rows", "`candidates.jsonl`, every row as it came, `{path, sha256, bytes}`"),
];

/// The outputs of a ranking; the files are added by who writes them.
pub(crate) fn of(ranking: &Ranking) -> ValueMap {
    let decided = !ranking.scenarios.is_empty() && ranking.scenarios.iter().all(is_decided);
    let best = ranking.best.iter().flat_map(|table| {
        table.rows.iter().map(|row| [vec![json!(table.framework)], best_cells(row)].concat())
    });
    let columns: Vec<&str> = std::iter::once("Framework").chain(FRAMEWORK_COLUMNS).collect();
    let failed = ranking.failed.iter().map(|row| {
        let reason = format!("{}: {}", row.scenario, row.reason);
        vec![json!(row.framework), json!(row.candidate), json!(row.status), json!(row.sla), json!(reason)]
    });
    let fields = json!({
        "decided": decided,
        "winners": ranking.winning,
        "best": table(&columns, best.collect()),
        "comparison": table(&COMPARISON_COLUMNS, comparison(ranking)),
        "failed": table(&FAILED_COLUMNS, failed.collect()),
        "not_ranked": ranking.not_ranked,
        "groups": ranking.scenarios.iter().flat_map(groups).collect::<Vec<_>>(),
        "disagreements": ranking.disagreements,
        "handoff": ranking.handoffs.iter().map(handoff).collect::<Vec<_>>(),
        "order": ranking.order,
    });
    fields.as_object().cloned().unwrap_or_default()
}

/// Whether each sort of load has one group, and that one winner: a server at its highest rate and one that gets everything
/// at once answer two questions, which are ranked apart on purpose.
fn is_decided(scenario: &ScenarioRanking) -> bool {
    let arrival =
        |group: &Group| group.facts.iter().find(|fact| fact.name == "arrival").map(|fact| fact.value.clone());
    let mut seen = Vec::new();
    scenario.groups.iter().all(|group| {
        let arrival = arrival(group);
        let is_first = !seen.contains(&arrival);
        seen.push(arrival);
        is_first && group.winner().is_some()
    })
}

/// Why there is no ranking; nothing where there is one.
pub(crate) fn nothing_ranked(ranking: &Ranking) -> Option<String> {
    if !ranking.scenarios.is_empty() {
        return None;
    }
    let name = |name: &Option<String>| name.as_deref().unwrap_or("?").to_owned();
    let left =
        |left: &NotRanked| format!("{}/{}: {}", name(&left.framework), name(&left.candidate), left.reason);
    let broken =
        ranking.failed.iter().map(|row| format!("{}/{}: {}", row.framework, row.candidate, row.reason));
    let reasons: Vec<String> = ranking.not_ranked.iter().map(left).chain(broken).collect();
    if reasons.is_empty() {
        return Some("nothing could be ranked: there is no row; give `rows` or `files`".to_owned());
    }
    let more = reasons.len().saturating_sub(SHOWN);
    let tail = if more > 0 { format!("; and {more} more") } else { String::new() };
    Some(format!("nothing could be ranked: {}{tail}", reasons[..reasons.len() - more].join("; ")))
}

/// Keys are the titles in lower case, words joined by `_`.
fn table(titles: &[&str], rows: Vec<Vec<Value>>) -> Value {
    let keys: Vec<String> = titles.iter().map(|title| key(title)).collect();
    let columns: ValueMap = keys.iter().cloned().zip(titles.iter().map(|title| json!(title))).collect();
    let row = |cells: Vec<Value>| Value::Object(keys.iter().cloned().zip(cells).collect());
    json!({"columns": columns, "rows": rows.into_iter().map(row).collect::<Vec<_>>()})
}

fn key(title: &str) -> String {
    title.to_lowercase().replace("req/s", "req_per_s").replace("tok/s", "tok_per_s").replace([' ', '-'], "_")
}

fn best_cells(row: &BestRow) -> Vec<Value> {
    vec![
        json!(row.scenario),
        json!(row.candidate),
        json!(row.status),
        json!(row.sla),
        json!(row.request_throughput),
        json!(row.output_token_throughput),
        json!(row.total_token_throughput),
        json!(row.p50_ttft_ms),
        json!(row.p50_tpot_ms),
        json!(row.success_rate),
        json!(row.accept_length),
        json!(row.pre_scheduler_ms),
        json!(row.cache_hit_rate),
        json!(row.gpus),
        json!(row.server_command),
        json!(row.artifacts.join("\n")),
    ]
}

fn comparison(ranking: &Ranking) -> Vec<Vec<Value>> {
    let row = |row: &assay_serving::rank::ComparisonRow| {
        let best = &row.best;
        let rank = if row.tied { json!(format!("{} (tie)", row.rank)) } else { json!(row.rank) };
        vec![
            json!(best.scenario),
            rank,
            json!(row.framework),
            json!(best.candidate),
            json!(best.sla),
            json!(best.request_throughput),
            json!(best.output_token_throughput),
            json!(best.p50_ttft_ms),
            json!(best.p50_tpot_ms),
            json!(best.accept_length),
            json!(best.pre_scheduler_ms),
            json!(best.cache_hit_rate),
            json!(best.gpus),
            json!(best.server_command),
        ]
    };
    ranking.comparison.iter().map(row).collect()
}

fn groups(scenario: &ScenarioRanking) -> Vec<Value> {
    let of = |(number, group): (usize, &Group)| {
        let names: Vec<String> = group
            .standings
            .iter()
            .map(|standing| format!("{}/{}", standing.framework, standing.candidate))
            .collect();
        let leaders: Vec<&String> = group.leaders.iter().filter_map(|index| names.get(*index)).collect();
        let decisions = group.decisions.iter().chain(&group.choices);
        json!({
            "scenario": scenario.scenario,
            "group": number + 1,
            "leaders": leaders,
            "standings": names,
            "decided": group.winner().is_some(),
            "decisions": decisions.collect::<Vec<_>>(),
            "notes": group.notes,
            "unstated": group.unstated,
            "differences": scenario.differences,
        })
    };
    scenario.groups.iter().enumerate().map(of).collect()
}

fn handoff(handoff: &Handoff) -> Value {
    let mut value = json!(handoff);
    if let (Some(prefill), Some(decode)) = (handoff.prefill, handoff.decode) {
        value["workloads"] =
            json!({"prefill": [prefill.input, prefill.output], "decode": [decode.input, decode.output]});
    }
    value
}

/// Outputs of the right shape for checking manifests without results.
pub(crate) fn stub() -> ValueMap {
    let value = |name: &str| match name {
        "decided" => json!(true),
        "best" | "comparison" | "failed" => json!({"columns": {"framework": "Framework"}, "rows": []}),
        "winners" | "not_ranked" | "groups" | "disagreements" | "handoff" => json!([]),
        "markdown" | "csv" | "rows" => json!({"path": name, "sha256": "", "bytes": 0}),
        text => json!(text),
    };
    DOCS.iter().map(|output| (output.name.to_owned(), value(output.name))).collect()
}

#[cfg(test)]
mod tests {
    use super::{COMPARISON_COLUMNS, FAILED_COLUMNS, FRAMEWORK_COLUMNS, key, nothing_ranked, of};
    use assay_serving::rank::{Input, RankSettings, rank};
    use serde_json::{Value, json};

    fn row(framework: &str, rate: f64) -> Input {
        let row = json!({
            "framework": framework, "candidate_id": "c1", "status": "ok",
            "workload": {"scenario": "chat", "num_prompts": 80, "input_len": 1000, "output_len": 100},
            "sla": {"max_p50_ttft_ms": 100.0, "passed": true},
            "metrics": {
                "request_throughput": rate, "output_token_throughput": rate * 100.0, "p50_ttft_ms": 50.0,
                "p50_tpot_ms": 5.0, "success_rate": 1.0
            }
        });
        Input { row, runs: Vec::new() }
    }

    #[test]
    fn tables_have_a_cell_for_each_column() {
        let settings = RankSettings { target: Some("b".to_owned()), ..RankSettings::default() };
        let outputs = of(&rank(&[row("a", 9.0), row("b", 3.0)], &[], &settings));
        let width = |name: &str| {
            let first = &outputs[name]["rows"][0];
            (
                outputs[name]["columns"].as_object().map_or(0, |map| map.len()),
                first.as_object().map_or(0, |map| map.len()),
            )
        };
        assert_eq!(width("best"), (FRAMEWORK_COLUMNS.len() + 1, FRAMEWORK_COLUMNS.len() + 1));
        assert_eq!(width("comparison"), (COMPARISON_COLUMNS.len(), COMPARISON_COLUMNS.len()));
        assert_eq!(outputs["failed"]["columns"].as_object().map(|map| map.len()), Some(FAILED_COLUMNS.len()));
        assert_eq!(outputs["winners"][0]["framework"], "a");
        assert_eq!(outputs["handoff"][0]["workloads"], json!({"prefill": [1000, 1], "decode": [1, 100]}));
        assert_eq!(outputs["decided"], true);
        assert_eq!(outputs["comparison"]["rows"][1]["req_per_s"], 3.0);
    }

    #[test]
    fn the_highest_rate_and_a_load_all_at_once_are_decided_apart() {
        let at = |framework: &str, asked: f64, reached: f64| {
            let mut input = row(framework, reached);
            input.row["workload"]["request_rate"] = json!(asked);
            input
        };
        let inputs = [row("a", 9.0), row("b", 3.0), at("a", 4.0, 3.9), at("b", 6.0, 5.8)];
        let outputs = of(&rank(&inputs, &[], &RankSettings::default()));
        assert_eq!(outputs["decided"], true, "{}", outputs["groups"]);
        let winners: Vec<&Value> =
            outputs["winners"].as_array().into_iter().flatten().map(|winner| &winner["framework"]).collect();
        assert!(winners.contains(&&json!("a")) && winners.contains(&&json!("b")), "{winners:?}");
        let mut other = row("b", 3.0);
        other.row["workload"]["input_len"] = json!(7);
        let outputs = of(&rank(&[row("a", 9.0), other], &[], &RankSettings::default()));
        assert_eq!(outputs["decided"], false, "another workload is no comparison");
    }

    #[test]
    fn keys_are_words() {
        assert_eq!(key("Output tok/s"), "output_tok_per_s");
        assert_eq!(key("Pre-scheduler ms"), "pre_scheduler_ms");
    }

    #[test]
    fn without_a_result_there_is_a_reason() {
        let none = rank(&[], &[], &RankSettings::default());
        assert!(nothing_ranked(&none).is_some_and(|reason| reason.contains("no row")));
        let bad = Input { row: Value::Null, runs: Vec::new() };
        let none = rank(&vec![bad; 7], &[], &RankSettings::default());
        assert!(
            nothing_ranked(&none)
                .is_some_and(|reason| reason.contains("null") && reason.ends_with("and 2 more"))
        );
        let some = rank(&[row("a", 1.0)], &[], &RankSettings::default());
        assert_eq!(nothing_ranked(&some), None);
    }
}
