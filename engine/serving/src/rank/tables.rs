//! The three fixed tables, as data. Their columns are those of the published playbook, so that readers find them again.

use super::entry::RunStatus;
use super::order::OrderBy;
use super::ranking::{ScenarioRanking, Standing};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Columns of the best commands of one framework.
pub const FRAMEWORK_COLUMNS: [&str; 16] = [
    "Scenario",
    "Candidate",
    "Status",
    "SLA",
    "Req/s",
    "Output tok/s",
    "Total tok/s",
    "P50 TTFT ms",
    "P50 TPOT ms",
    "Success rate",
    "Accept len",
    "Pre-scheduler ms",
    "Cache hit",
    "GPUs",
    "Server command",
    "Artifacts",
];

/// Columns of the comparison between frameworks.
pub const COMPARISON_COLUMNS: [&str; 14] = [
    "Scenario",
    "Rank",
    "Framework",
    "Candidate",
    "SLA",
    "Req/s",
    "Output tok/s",
    "P50 TTFT ms",
    "P50 TPOT ms",
    "Accept len",
    "Pre-scheduler ms",
    "Cache hit",
    "GPUs",
    "Server command",
];

/// Columns of what was tried and not chosen.
pub const FAILED_COLUMNS: [&str; 5] = ["Framework", "Candidate", "Status", "SLA", "Reason"];

/// The best commands of one framework.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FrameworkTable {
    /// The framework.
    pub framework: String,
    /// One per scenario and group of comparable results.
    pub rows: Vec<BestRow>,
}

/// A framework's best in one scenario. Figures that were not measured are absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BestRow {
    /// The scenario; with a number where results of it cannot be compared.
    pub scenario: String,
    /// The candidate.
    pub candidate: String,
    /// Its status.
    pub status: RunStatus,
    /// `passed`, `failed`, `not stated` or `not measured`.
    pub sla: String,
    /// Requests per second.
    pub request_throughput: Option<f64>,
    /// Output tokens per second.
    pub output_token_throughput: Option<f64>,
    /// Prompt and output tokens per second.
    pub total_token_throughput: Option<f64>,
    /// Median TTFT in milliseconds.
    pub p50_ttft_ms: Option<f64>,
    /// Median TPOT in milliseconds.
    pub p50_tpot_ms: Option<f64>,
    /// Requests completed / requests sent.
    pub success_rate: Option<f64>,
    /// Mean tokens accepted per verification.
    pub accept_length: Option<f64>,
    /// Milliseconds of a request before the scheduler.
    pub pre_scheduler_ms: Option<f64>,
    /// Prompt tokens from the cache / prompt tokens.
    pub cache_hit_rate: Option<f64>,
    /// GPUs used.
    pub gpus: Option<u64>,
    /// Command that launched the server.
    pub server_command: Option<String>,
    /// Files that belong to it, as `name: path`.
    pub artifacts: Vec<String>,
}

/// A framework's best beside those of the others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ComparisonRow {
    /// Its place, from 1.
    pub rank: usize,
    /// Whether it shares the first place with others, because the runs do not tell them apart.
    pub tied: bool,
    /// The framework.
    pub framework: String,
    /// The rest.
    pub best: BestRow,
}

/// How to launch a winner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WinningCommand {
    /// The scenario; with a number where results of it cannot be compared.
    pub scenario: String,
    /// The framework.
    pub framework: String,
    /// The candidate.
    pub candidate: String,
    /// Whether others share the first place.
    pub tied: bool,
    /// The command; absent where the row does not state it.
    pub server_command: Option<String>,
}

/// What was tried and not chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FailedRow {
    /// The framework.
    pub framework: String,
    /// The candidate.
    pub candidate: String,
    /// The scenario.
    pub scenario: String,
    /// Its status.
    pub status: RunStatus,
    /// `passed`, `failed`, `not stated` or `not measured`.
    pub sla: String,
    /// Why.
    pub reason: String,
}

/// The best of each framework: per scenario and group, or its best attempt where a scenario has no result of it.
pub(super) fn best(
    scenarios: &[ScenarioRanking],
    without: &[Standing],
    order: OrderBy,
) -> Vec<FrameworkTable> {
    let mut tables: Vec<FrameworkTable> = Vec::new();
    let mut add =
        |framework: &str, row: BestRow| match tables.iter_mut().find(|table| table.framework == framework) {
            Some(table) => table.rows.push(row),
            None => tables.push(FrameworkTable { framework: framework.to_owned(), rows: vec![row] }),
        };
    for scenario in scenarios {
        for (number, group) in scenario.groups.iter().enumerate() {
            for standing in group.standings.iter().filter(|standing| standing.rank.is_some()) {
                add(&standing.framework, row(standing, scenario.title(number)));
            }
        }
    }
    let mut attempts: Vec<&Standing> = without.iter().collect();
    attempts.sort_by(|a, b| order.compare(a, b));
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for attempt in attempts {
        let key = (attempt.framework.as_str(), attempt.scenario.as_str());
        let has_result = scenarios.iter().filter(|scenario| scenario.scenario == key.1).any(|scenario| {
            scenario.groups.iter().flat_map(|group| &group.standings).any(|other| other.framework == key.0)
        });
        if !has_result && !seen.contains(&key) {
            seen.push(key);
            add(key.0, row(attempt, attempt.scenario.clone()));
        }
    }
    tables.sort_by(|a, b| a.framework.cmp(&b.framework));
    for table in &mut tables {
        table.rows.sort_by(|a, b| a.scenario.cmp(&b.scenario));
    }
    tables
}

pub(super) fn comparison(scenarios: &[ScenarioRanking]) -> Vec<ComparisonRow> {
    let mut rows = Vec::new();
    for scenario in scenarios {
        for (number, group) in scenario.groups.iter().enumerate() {
            for (index, standing) in group.standings.iter().enumerate() {
                let Some(rank) = standing.rank else { continue };
                let tied = group.leaders.len() > 1 && group.leaders.contains(&index);
                let best = row(standing, scenario.title(number));
                rows.push(ComparisonRow { rank, tied, framework: standing.framework.clone(), best });
            }
        }
    }
    rows
}

pub(super) fn winning(scenarios: &[ScenarioRanking]) -> Vec<WinningCommand> {
    let mut commands = Vec::new();
    for scenario in scenarios {
        for (number, group) in scenario.groups.iter().enumerate() {
            commands.extend(group.leaders.iter().map(|index| {
                let standing = &group.standings[*index];
                WinningCommand {
                    scenario: scenario.title(number),
                    framework: standing.framework.clone(),
                    candidate: standing.candidate.clone(),
                    tied: group.leaders.len() > 1,
                    server_command: standing.server_command.clone(),
                }
            }));
        }
    }
    commands
}

pub(super) fn failed(scenarios: &[ScenarioRanking], without: &[Standing]) -> Vec<FailedRow> {
    let ranked = scenarios.iter().flat_map(|scenario| &scenario.groups).flat_map(|group| &group.standings);
    let of = |standing: &Standing| FailedRow {
        framework: standing.framework.clone(),
        candidate: standing.candidate.clone(),
        scenario: standing.scenario.clone(),
        status: standing.status,
        sla: sla_word(standing).to_owned(),
        reason: standing.reason.clone().unwrap_or_else(|| standing.sla.misses()),
    };
    let sla_failed = ranked.filter(|standing| standing.sla.passed == Some(false));
    sla_failed.chain(without).map(of).collect()
}

/// Where there was no measurement there was nothing to judge.
fn sla_word(standing: &Standing) -> &'static str {
    if standing.status == RunStatus::Ok { standing.sla.word() } else { "not measured" }
}

fn row(standing: &Standing, scenario: String) -> BestRow {
    let figure = |name: &str| standing.figures.get(name);
    BestRow {
        scenario,
        candidate: standing.candidate.clone(),
        status: standing.status,
        sla: sla_word(standing).to_owned(),
        request_throughput: figure("request_throughput"),
        output_token_throughput: figure("output_token_throughput"),
        total_token_throughput: figure("total_token_throughput"),
        p50_ttft_ms: figure("p50_ttft_ms"),
        p50_tpot_ms: figure("p50_tpot_ms"),
        success_rate: figure("success_rate"),
        accept_length: standing.accept_length,
        pre_scheduler_ms: standing.pre_scheduler_ms,
        cache_hit_rate: standing.cache_hit_rate,
        gpus: standing.gpus,
        server_command: standing.server_command.clone(),
        artifacts: standing.artifacts.clone(),
    }
}
