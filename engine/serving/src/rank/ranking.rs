//! From rows to winners.

use super::collect::{NotRanked, WhyNotRanked, collect};
use super::decide::{Decision, DecisionKind, DecisionRules, decide};
use super::entry::{Figures, Load, RunStatus, Sample};
use super::fairness::{Difference, Fact, differences, unstated};
use super::handoff::{Handoff, handoff};
use super::order::OrderBy;
use super::tables::{self, ComparisonRow, FailedRow, FrameworkTable, WinningCommand};
use assay_loadgen::Record;
use assay_loadgen::sla::{Sla, SlaVerdict};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::cmp::Ordering;

/// A result row with what it was made from.
#[derive(Debug, Clone, Default)]
pub struct Input {
    /// The row.
    pub row: Value,
    /// Records of each of its runs, where they were kept; figures are computed again from them.
    pub runs: Vec<Vec<Record>>,
}

/// How to rank.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RankSettings {
    /// Limits for every row, whatever it states itself. Empty limits are a statement too: everything passes.
    #[serde(default)]
    pub limits: Option<Sla>,
    /// Which throughput decides first.
    #[serde(default)]
    pub order: OrderBy,
    /// What counts as a difference.
    #[serde(default)]
    pub decision: DecisionRules,
    /// The framework of interest: where it loses, the ranking says what to profile.
    #[serde(default)]
    pub target: Option<String>,
}

/// A framework without results, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Absent {
    /// The framework.
    pub framework: String,
    /// The class of the reason.
    pub kind: AbsentKind,
    /// The reason for a reader.
    pub reason: String,
}

/// Why a framework has no results. These are never merged: only one of them says something about the framework.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AbsentKind {
    /// The user left it out.
    UserExcluded,
    /// It cannot serve this model on this hardware.
    Unsupported,
    /// Something is not installed here.
    EnvironmentGap,
    /// It was given up after its candidates failed.
    GivenUp,
    /// It was measured, and none of the measurements is a result.
    NoValidResult,
}

/// A stored value that is not what was computed. The computed one counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Disagreement {
    /// Index of the row in the input, from 0.
    pub row: usize,
    /// The framework.
    pub framework: String,
    /// The candidate.
    pub candidate: String,
    /// The scenario.
    pub scenario: String,
    /// The field, such as `sla.passed`.
    pub field: String,
    /// What the row says.
    pub stored: Value,
    /// What was computed; `null` where nothing could be, such as a verdict without limits.
    pub computed: Value,
}

/// One candidate in one scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Standing {
    /// The framework.
    pub framework: String,
    /// The candidate.
    pub candidate: String,
    /// The scenario.
    pub scenario: String,
    /// Its place among the best of each framework, from 1; absent for the others.
    pub rank: Option<usize>,
    /// What came of it; of several runs the worst.
    pub status: RunStatus,
    /// Whether it may win: `ok`, and the SLA passed.
    pub eligible: bool,
    /// Why the status is not `ok`.
    pub reason: Option<String>,
    /// The SLA, judged from the figures.
    pub sla: SlaVerdict,
    /// Its figures; of several runs the medians.
    pub figures: Figures,
    /// Measured runs.
    pub runs: usize,
    /// The runs.
    pub samples: Vec<Sample>,
    /// What was asked of it.
    pub load: Load,
    /// GPUs used.
    pub gpus: Option<u64>,
    /// Mean tokens accepted per verification of speculative decoding.
    pub accept_length: Option<f64>,
    /// Milliseconds of a request before the scheduler.
    pub pre_scheduler_ms: Option<f64>,
    /// Prompt tokens from the cache / prompt tokens.
    pub cache_hit_rate: Option<f64>,
    /// Command that launched the server.
    pub server_command: Option<String>,
    /// Files that belong to it, as `name: path`.
    pub artifacts: Vec<String>,
    /// What a reader should know.
    pub notes: Vec<String>,
}

/// Results of one scenario that are alike, the best first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Group {
    /// What they have in common.
    pub facts: Vec<Fact>,
    /// What no row states, so that nobody knows whether it is equal.
    pub unstated: Vec<String>,
    /// All of them, the best first.
    pub standings: Vec<Standing>,
    /// The winner and what is not decidedly behind it, as indices of `standings`; empty where nothing may win.
    pub leaders: Vec<usize>,
    /// The first beside every other framework's best that may win.
    pub decisions: Vec<Decision>,
    /// Each framework's best beside its next, where both may win.
    pub choices: Vec<Decision>,
    /// What a reader should know.
    pub notes: Vec<String>,
}

impl Group {
    /// The winner, if there is one alone.
    pub fn winner(&self) -> Option<&Standing> {
        match self.leaders[..] {
            [one] => self.standings.get(one),
            _ => None,
        }
    }
}

/// One scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScenarioRanking {
    /// Its name.
    pub scenario: String,
    /// Results that are alike, each ranked for itself; more than one means that not everything can be compared.
    pub groups: Vec<Group>,
    /// What keeps the groups apart.
    pub differences: Vec<Difference>,
}

/// Longest value of a fact that names a group.
const NAMING: usize = 24;

impl ScenarioRanking {
    /// The name of a group for a reader: the scenario alone where there is one group, else with what tells the group from every
    /// other, where a single short fact does.
    pub fn title(&self, group: usize) -> String {
        if self.groups.len() <= 1 {
            return self.scenario.clone();
        }
        let naming = self.differences.iter().find_map(|difference| {
            let words: Vec<String> =
                difference.values.iter().map(|value| naming(&difference.name, value)).collect();
            let told = words.iter().all(|word| !word.is_empty() && word.len() <= NAMING)
                && words.iter().enumerate().all(|(at, word)| !words[..at].contains(word));
            told.then(|| words.get(group).cloned()).flatten()
        });
        match naming {
            Some(words) => format!("{}, {words}", self.scenario),
            None => format!("{} (group {})", self.scenario, group + 1),
        }
    }
}

/// A fact in a name; empty where it does not say anything by itself.
fn naming(name: &str, value: &Value) -> String {
    match (name, value) {
        // Digests tell machines, not readers.
        ("weights" | "tokenizer" | "workload" | "sampling", _) | (_, Value::Null) => String::new(),
        ("arrival" | "gpu_model" | "precision" | "quantization" | "model", Value::String(text)) => {
            text.clone()
        }
        (_, Value::String(text)) => format!("{name} {text}"),
        (_, other) => format!("{name} {other}"),
    }
}

/// The outcome.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ranking {
    /// The order, for a reader.
    pub order: String,
    /// The limits that were put on every row; absent where each row's own were used.
    pub limits: Option<Sla>,
    /// Each scenario.
    pub scenarios: Vec<ScenarioRanking>,
    /// The best of each framework in each scenario.
    pub best: Vec<FrameworkTable>,
    /// The frameworks beside each other.
    pub comparison: Vec<ComparisonRow>,
    /// How to launch the winners, one or more per scenario and group.
    pub winning: Vec<WinningCommand>,
    /// What was tried and not chosen because it failed.
    pub failed: Vec<FailedRow>,
    /// What did not come to a measurement or broke off.
    pub without_result: Vec<Standing>,
    /// Rows that are no results.
    pub not_ranked: Vec<NotRanked>,
    /// Frameworks without results, by reason.
    pub absent: Vec<Absent>,
    /// Stored values that are not what was computed.
    pub disagreements: Vec<Disagreement>,
    /// What to profile where the framework of interest lost, the worst first.
    pub handoffs: Vec<Handoff>,
}

/// Ranks rows. The order of rows does not matter, but for the names of what is equal in everything.
pub fn rank(inputs: &[Input], absent: &[Absent], settings: &RankSettings) -> Ranking {
    let collected = collect(inputs, settings);
    let (with, without): (Vec<_>, Vec<_>) =
        collected.standings.into_iter().partition(|(standing, _)| standing.status == RunStatus::Ok);
    let mut without_result: Vec<Standing> = without.into_iter().map(|(standing, _)| standing).collect();
    without_result.sort_by(|a, b| settings.order.compare(a, b));
    let scenarios = by_scenario(with, settings);
    let mut absent = absent.to_vec();
    absent.extend(without_valid(&collected.not_ranked, &scenarios, &without_result, &absent));
    absent.sort_by(|a, b| (a.kind, &a.framework).cmp(&(b.kind, &b.framework)));
    Ranking {
        order: settings.order.sentence(),
        limits: settings.limits,
        best: tables::best(&scenarios, &without_result, settings.order),
        comparison: tables::comparison(&scenarios),
        winning: tables::winning(&scenarios),
        failed: tables::failed(&scenarios, &without_result),
        handoffs: handoffs(&scenarios, settings),
        scenarios,
        without_result,
        not_ranked: collected.not_ranked,
        absent,
        disagreements: collected.disagreements,
    }
}

/// Frameworks all of whose measurements are no results, with the first reason.
fn without_valid(
    not_ranked: &[NotRanked],
    scenarios: &[ScenarioRanking],
    without: &[Standing],
    known: &[Absent],
) -> Vec<Absent> {
    let ranked = scenarios.iter().flat_map(|scenario| &scenario.groups).flat_map(|group| &group.standings);
    let mut seen: Vec<&str> = ranked.chain(without).map(|standing| standing.framework.as_str()).collect();
    seen.extend(known.iter().map(|absent| absent.framework.as_str()));
    let mut absent = Vec::new();
    for row in not_ranked.iter().filter(|row| row.why != WhyNotRanked::Unreadable) {
        let Some(framework) = row.framework.as_deref() else { continue };
        if !seen.contains(&framework) {
            seen.push(framework);
            absent.push(Absent {
                framework: framework.to_owned(),
                kind: AbsentKind::NoValidResult,
                reason: row.reason.clone(),
            });
        }
    }
    absent
}

type Like = (Vec<Fact>, Vec<Standing>);

fn by_scenario(standings: Vec<(Standing, Vec<Fact>)>, settings: &RankSettings) -> Vec<ScenarioRanking> {
    let mut scenarios: Vec<(String, Vec<Like>)> = Vec::new();
    for (standing, facts) in standings {
        let at = match scenarios.iter().position(|(name, _)| *name == standing.scenario) {
            Some(at) => at,
            None => {
                scenarios.push((standing.scenario.clone(), Vec::new()));
                scenarios.len() - 1
            }
        };
        let groups = &mut scenarios[at].1;
        match groups.iter_mut().find(|(other, _)| *other == facts) {
            Some((_, standings)) => standings.push(standing),
            None => groups.push((facts, vec![standing])),
        }
    }
    scenarios.sort_by(|a, b| a.0.cmp(&b.0));
    let ranked = |(scenario, mut groups): (String, Vec<Like>)| {
        let digest = |facts: &[Fact]| serde_json::to_string(facts).unwrap_or_default();
        groups.sort_by(|a, b| b.1.len().cmp(&a.1.len()).then_with(|| digest(&a.0).cmp(&digest(&b.0))));
        let facts: Vec<&[Fact]> = groups.iter().map(|(facts, _)| &facts[..]).collect();
        let differences = if groups.len() > 1 { differences(&facts) } else { Vec::new() };
        let groups = groups.into_iter().map(|(facts, standings)| group(facts, standings, settings)).collect();
        ScenarioRanking { scenario, groups, differences }
    };
    scenarios.into_iter().map(ranked).collect()
}

fn group(facts: Vec<Fact>, mut standings: Vec<Standing>, settings: &RankSettings) -> Group {
    standings.sort_by(|a, b| settings.order.compare(a, b));
    let mut bests: Vec<usize> = Vec::new();
    for index in 0..standings.len() {
        if bests.iter().all(|best| standings[*best].framework != standings[index].framework) {
            bests.push(index);
            standings[index].rank = Some(bests.len());
        }
    }
    let [metric, _] = settings.order.throughputs();
    let compare = |a: usize, b: usize| decide(&standings[a], &standings[b], metric, &settings.decision);
    let next_of = |best: usize| {
        let next = (best + 1..standings.len())
            .find(|other| standings[*other].framework == standings[best].framework);
        next.filter(|next| standings[best].eligible && standings[*next].eligible)
            .map(|next| compare(best, next))
    };
    let choices: Vec<Decision> = bests.iter().filter_map(|best| next_of(*best)).collect();
    let may_win: Vec<usize> = bests.into_iter().filter(|best| standings[*best].eligible).collect();
    let (mut leaders, mut decisions) = (Vec::new(), Vec::new());
    if let Some((first, others)) = may_win.split_first() {
        leaders.push(*first);
        for other in others {
            let decision = compare(*first, *other);
            if decision.kind != DecisionKind::Decided {
                leaders.push(*other);
            }
            decisions.push(decision);
        }
    }
    let notes = notes(&standings, &leaders);
    Group { unstated: unstated(&facts), facts, standings, leaders, decisions, choices, notes }
}

fn notes(standings: &[Standing], leaders: &[usize]) -> Vec<String> {
    let mut notes = Vec::new();
    if leaders.is_empty() {
        notes.push("nothing here passes its SLA, so there is no winner".to_owned());
    }
    let rate = |standing: &Standing| standing.load.request_rate;
    if standings.iter().any(|standing| rate(standing) != rate(&standings[0])) {
        notes.push(
            "the rates of requests differ: what is ranked is the throughput that each reached at its own rate".to_owned(),
        );
    }
    notes
}

fn handoffs(scenarios: &[ScenarioRanking], settings: &RankSettings) -> Vec<Handoff> {
    let Some(target) = &settings.target else { return Vec::new() };
    let [metric, _] = settings.order.throughputs();
    let of = |group: &Group| {
        let lost = group.standings.iter().position(|standing| standing.framework == *target)?;
        let winner = group.standings.get(*group.leaders.first()?)?;
        (!group.leaders.contains(&lost)).then(|| handoff(&group.standings[lost], winner, metric))
    };
    let mut handoffs: Vec<Handoff> =
        scenarios.iter().flat_map(|scenario| &scenario.groups).filter_map(of).collect();
    // What has no figure at all is the worst.
    let behind = |handoff: &Handoff| handoff.behind.unwrap_or(f64::INFINITY);
    handoffs.sort_by(|a, b| behind(b).partial_cmp(&behind(a)).unwrap_or(Ordering::Equal));
    handoffs
}
