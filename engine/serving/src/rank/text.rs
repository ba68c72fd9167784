//! The ranking as markdown and as CSV.

use super::ranking::{AbsentKind, Group, Ranking, Standing};
use super::tables::{BestRow, COMPARISON_COLUMNS, FAILED_COLUMNS, FRAMEWORK_COLUMNS};
use std::fmt::Write as _;

/// Columns of the CSV.
pub const CSV_COLUMNS: [&str; 19] = [
    "framework",
    "scenario",
    "candidate_id",
    "status",
    "sla_passed",
    "request_throughput",
    "output_token_throughput",
    "p50_ttft_ms",
    "p50_tpot_ms",
    "mean_ttft_ms",
    "mean_tpot_ms",
    "p99_ttft_ms",
    "p99_tpot_ms",
    "mean_accept_length",
    "pre_scheduler_ms",
    "prefix_cache_hit_rate",
    "gpu_count",
    "server_command",
    "failure_reason",
];

/// Every candidate that was tried, the best first; figures in full. Rows that are no results are not in it.
///
/// # Errors
/// None in practice: it writes to memory.
pub fn csv(ranking: &Ranking, order: super::OrderBy) -> Result<String, csv::Error> {
    let groups = ranking.scenarios.iter().flat_map(|scenario| &scenario.groups);
    let mut all: Vec<&Standing> =
        groups.flat_map(|group| &group.standings).chain(&ranking.without_result).collect();
    all.sort_by(|a, b| order.compare(a, b));
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(CSV_COLUMNS)?;
    for standing in all {
        writer.write_record(csv_row(standing))?;
    }
    let bytes = writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn csv_row(standing: &Standing) -> Vec<String> {
    let number = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    let figure = |name: &str| number(standing.figures.get(name));
    let mut row = vec![
        standing.framework.clone(),
        standing.scenario.clone(),
        standing.candidate.clone(),
        standing.status.word().to_owned(),
        standing.sla.passed.map(|passed| passed.to_string()).unwrap_or_default(),
    ];
    row.extend(CSV_COLUMNS[5..13].iter().map(|name| figure(name)));
    row.extend([
        number(standing.accept_length),
        number(standing.pre_scheduler_ms),
        number(standing.cache_hit_rate),
        standing.gpus.map(|gpus| gpus.to_string()).unwrap_or_default(),
        standing.server_command.clone().unwrap_or_default(),
        standing.reason.clone().unwrap_or_else(|| standing.sla.misses()),
    ]);
    row
}

/// The whole ranking as markdown: tables, what is not decided, what was left out and why.
pub fn markdown(ranking: &Ranking) -> String {
    let mut out = String::from("## Best Commands By Framework\n");
    for table in &ranking.best {
        let rows = table.rows.iter().map(best_cells).collect();
        _ = write!(out, "\n### {}\n\n{}", cell(&table.framework), pipe_table(&FRAMEWORK_COLUMNS, rows));
    }
    if ranking.best.is_empty() {
        out.push_str("\nNothing was measured.\n");
    }
    out.push_str("\n## Cross-Framework Best Comparison\n\n");
    out.push_str(&pipe_table(&COMPARISON_COLUMNS, ranking.comparison.iter().map(comparison_cells).collect()));
    _ = write!(out, "\nOrder: {}.\n", ranking.order);
    for scenario in &ranking.scenarios {
        for (number, group) in scenario.groups.iter().enumerate() {
            _ = write!(out, "\n**{}**\n\n{}", cell(&scenario.title(number)), group_lines(group));
        }
        out.push_str(&apart(scenario));
    }
    if !ranking.failed.is_empty() {
        let row = |failed: &super::FailedRow| {
            vec![
                failed.framework.clone(),
                failed.candidate.clone(),
                failed.status.word().to_owned(),
                failed.sla.clone(),
                format!("{}: {}", failed.scenario, failed.reason),
            ]
        };
        out.push_str("\n## Failed Or SLA-Failing Candidates\n\nThese were tried and not selected.\n\n");
        out.push_str(&pipe_table(&FAILED_COLUMNS, ranking.failed.iter().map(row).collect()));
    }
    out.push_str(&left_out(ranking));
    out
}

fn group_lines(group: &Group) -> String {
    let name = |index: &usize| {
        let standing = &group.standings[*index];
        format!("`{}/{}`", cell(&standing.framework), cell(&standing.candidate))
    };
    let names: Vec<String> = group.leaders.iter().map(name).collect();
    let mut lines: Vec<String> = Vec::new();
    match names.len() {
        0 => {}
        1 => lines.push(format!("Winner: {}.", names[0])),
        _ => lines.push(format!("No single winner: {} share the first place.", names.join(", "))),
    }
    lines
        .extend(group.decisions.iter().chain(&group.choices).map(|decision| as_sentence(&decision.sentence)));
    lines.extend(group.notes.iter().map(|note| as_sentence(note)));
    if !group.unstated.is_empty() {
        let unstated = group.unstated.join("`, `");
        lines.push(format!("No row states `{unstated}`, so that nobody knows whether they are equal."));
    }
    let of_standings = group.standings.iter().flat_map(|standing| {
        let name = format!("`{}/{}`", standing.framework, standing.candidate);
        standing.notes.iter().map(move |note| format!("{name}: {note}."))
    });
    lines.extend(of_standings);
    let items: Vec<String> = lines.iter().map(|line| format!("- {}\n", one_line(line))).collect();
    let commands: Vec<String> = group
        .leaders
        .iter()
        .filter_map(|index| {
            let standing = &group.standings[*index];
            Some(format!("\n{}\n", code_block(standing.server_command.as_ref()?)))
        })
        .collect();
    items.concat() + &commands.concat()
}

fn apart(scenario: &super::ScenarioRanking) -> String {
    if scenario.differences.is_empty() {
        return String::new();
    }
    let value = |value: &serde_json::Value| match value {
        serde_json::Value::Null => "not stated".to_owned(),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let groups: Vec<String> = (0..scenario.groups.len()).map(|group| scenario.title(group)).collect();
    let mut columns = vec!["Differs"];
    columns.extend(groups.iter().map(String::as_str));
    let row = |difference: &super::Difference| {
        let mut row = vec![difference.name.clone()];
        row.extend(difference.values.iter().map(value));
        row
    };
    let rows = scenario.differences.iter().map(row).collect();
    format!(
        "\nResults of `{}` that are not alike are not ranked against each other:\n\n{}",
        cell(&scenario.scenario),
        pipe_table(&columns, rows)
    )
}

fn left_out(ranking: &Ranking) -> String {
    let mut out = String::new();
    let kinds = [
        (AbsentKind::UserExcluded, "Left out by the user"),
        (AbsentKind::Unsupported, "Not supported"),
        (AbsentKind::EnvironmentGap, "Not installed here"),
        (AbsentKind::GivenUp, "Given up"),
        (AbsentKind::NoValidResult, "Without a valid result"),
    ];
    if !ranking.absent.is_empty() {
        out.push_str("\n## Frameworks Without Results\n\n");
    }
    for (kind, words) in kinds {
        for absent in ranking.absent.iter().filter(|absent| absent.kind == kind) {
            _ = writeln!(out, "- {words}: {}: {}", one_line(&absent.framework), one_line(&absent.reason));
        }
    }
    if !ranking.not_ranked.is_empty() {
        let row = |left: &super::NotRanked| {
            let name = |name: &Option<String>| name.clone().unwrap_or_default();
            vec![name(&left.framework), name(&left.candidate), name(&left.scenario), left.reason.clone()]
        };
        let rows = ranking.not_ranked.iter().map(row).collect();
        out.push_str("\n## Rows That Are No Results\n\n");
        out.push_str(&pipe_table(&["Framework", "Candidate", "Scenario", "Reason"], rows));
    }
    if !ranking.disagreements.is_empty() {
        let row = |found: &super::Disagreement| {
            let names = [&found.framework, &found.candidate, &found.scenario, &found.field];
            let mut row: Vec<String> = names.into_iter().cloned().collect();
            row.extend([found.stored.to_string(), found.computed.to_string()]);
            row
        };
        let rows = ranking.disagreements.iter().map(row).collect();
        out.push_str("\n## Stored Values That Are Not What Was Computed\n\nThe computed ones count.\n\n");
        let columns = ["Framework", "Candidate", "Scenario", "Field", "Stored", "Computed"];
        out.push_str(&pipe_table(&columns, rows));
    }
    out
}

fn best_cells(row: &BestRow) -> Vec<String> {
    let mut cells =
        vec![row.scenario.clone(), row.candidate.clone(), row.status.word().to_owned(), row.sla.clone()];
    let figures = [
        row.request_throughput,
        row.output_token_throughput,
        row.total_token_throughput,
        row.p50_ttft_ms,
        row.p50_tpot_ms,
        row.success_rate,
        row.accept_length,
        row.pre_scheduler_ms,
        row.cache_hit_rate,
    ];
    cells.extend(figures.map(two_digits));
    cells.extend([gpus(row), row.server_command.clone().unwrap_or_default(), row.artifacts.join("\n")]);
    cells
}

fn comparison_cells(row: &super::ComparisonRow) -> Vec<String> {
    let best = &row.best;
    let rank = if row.tied { format!("{} (tie)", row.rank) } else { row.rank.to_string() };
    let mut cells =
        vec![best.scenario.clone(), rank, row.framework.clone(), best.candidate.clone(), best.sla.clone()];
    let figures = [
        best.request_throughput,
        best.output_token_throughput,
        best.p50_ttft_ms,
        best.p50_tpot_ms,
        best.accept_length,
        best.pre_scheduler_ms,
        best.cache_hit_rate,
    ];
    cells.extend(figures.map(two_digits));
    cells.extend([gpus(best), best.server_command.clone().unwrap_or_default()]);
    cells
}

fn gpus(row: &BestRow) -> String {
    row.gpus.map(|gpus| gpus.to_string()).unwrap_or_default()
}

fn two_digits(value: Option<f64>) -> String {
    value.map(|value| format!("{value:.2}")).unwrap_or_default()
}

fn pipe_table(columns: &[&str], rows: Vec<Vec<String>>) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut out = line(columns.iter().map(|column| (*column).to_owned()).collect());
    out.push_str(&line(vec!["---".to_owned(); columns.len()]));
    out.extend(rows.into_iter().map(|row| line(row.iter().map(|text| cell(text)).collect())));
    out
}

/// Text that stays in its cell.
fn cell(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n").replace('|', "\\|").replace('\n', "<br>")
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A command in a fence that it cannot close.
fn code_block(command: &str) -> String {
    let longest = command.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}sh\n{command}\n{fence}")
}

fn as_sentence(fragment: &str) -> String {
    let mut letters = fragment.chars();
    let first: String = letters.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}
