//! From rows to what may be ranked: what is no result is left out with a reason, runs of the same thing become one.

use super::entry::{Entry, EntryError, Figures, RunStatus, Sample};
use super::fairness::Fact;
use super::ranking::{Disagreement, Input, RankSettings, Standing};
use super::raw;
use assay_loadgen::bench::SMOKE_BELOW;
use assay_loadgen::sla::{Sla, SlaVerdict};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How far a stored figure may lie from the one computed again; tools round.
const SAME_WITHIN: f64 = 0.01;

/// A row that does not enter a ranking.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NotRanked {
    /// Index of the row in the input, from 0.
    pub row: usize,
    /// The framework, where the row says it.
    pub framework: Option<String>,
    /// The candidate, where the row says it.
    pub candidate: Option<String>,
    /// The scenario.
    pub scenario: Option<String>,
    /// The class of the reason.
    pub why: WhyNotRanked,
    /// The reason for a reader; no final period.
    pub reason: String,
}

/// Why a row does not enter a ranking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhyNotRanked {
    /// Not a result row.
    Unreadable,
    /// Marked as a rehearsal or a smoke run.
    Rehearsal,
    /// Too few requests to mean anything.
    Smoke,
    /// It does not say how many requests it is made from.
    Unsized,
    /// Its figures must not be believed.
    Invalid,
}

/// What can be ranked, what cannot, and where rows contradict themselves.
#[derive(Default)]
pub(super) struct Collected {
    pub standings: Vec<(Standing, Vec<Fact>)>,
    pub not_ranked: Vec<NotRanked>,
    pub disagreements: Vec<Disagreement>,
}

pub(super) fn collect(inputs: &[Input], settings: &RankSettings) -> Collected {
    let mut collected = Collected::default();
    let mut entries = Vec::new();
    for (index, input) in inputs.iter().enumerate() {
        let entry = match Entry::from_row(&input.row) {
            Ok(entry) => entry,
            Err(error) => {
                collected.not_ranked.push(unreadable(index, &input.row, &error));
                continue;
            }
        };
        let entry = check(entry, index, input, settings, &mut collected.disagreements);
        if let Some((why, reason)) = no_result(&entry) {
            collected.not_ranked.push(NotRanked {
                row: index,
                framework: Some(entry.framework),
                candidate: Some(entry.candidate),
                scenario: Some(entry.scenario),
                why,
                reason,
            });
            continue;
        }
        entries.push(entry);
    }
    // Measured ones first: a run that failed joins the measured runs of its candidate, wherever it stands.
    entries.sort_by_key(|entry| entry.status != RunStatus::Ok);
    let mut merged: Vec<Vec<Entry>> = Vec::new();
    for entry in entries {
        match merged.iter_mut().find(|runs| is_same(&runs[0], &entry)) {
            Some(runs) => runs.push(entry),
            None => merged.push(vec![entry]),
        }
    }
    collected.standings =
        merged.iter().map(|runs| (standing(runs, settings), runs[0].facts.clone())).collect();
    collected
}

fn unreadable(index: usize, row: &Value, error: &EntryError) -> NotRanked {
    let name = |key: &str| super::entry::text(row.get(key));
    NotRanked {
        row: index,
        framework: name("framework"),
        candidate: name("candidate_id"),
        scenario: None,
        why: WhyNotRanked::Unreadable,
        reason: error.to_string(),
    }
}

/// Puts figures that were computed again in the place of stored ones, and notes where the row contradicts itself.
fn check(
    mut entry: Entry,
    index: usize,
    input: &Input,
    settings: &RankSettings,
    found: &mut Vec<Disagreement>,
) -> Entry {
    let note = |entry: &Entry, field: &str, stored: Value, computed: Value| Disagreement {
        row: index,
        framework: entry.framework.clone(),
        candidate: entry.candidate.clone(),
        scenario: entry.scenario.clone(),
        field: field.to_owned(),
        stored,
        computed,
    };
    if !input.runs.is_empty() {
        let runs: Vec<_> = input.runs.iter().map(|records| raw::figures(records)).collect();
        let again = raw::medians(&runs);
        for (name, computed) in &again.0 {
            let stored = entry.figures.get(name);
            if stored.is_some_and(|stored| (stored - computed).abs() > SAME_WITHIN * computed.abs()) {
                found.push(note(&entry, &format!("metrics.{name}"), stored.into(), (*computed).into()));
            }
            entry.figures.0.insert(name.clone(), *computed);
        }
        if entry.samples.len() == runs.len() {
            for (sample, run) in entry.samples.iter_mut().zip(&runs) {
                sample.figures.0.extend(run.0.clone());
            }
        } else if !entry.samples.is_empty() || runs.len() > 1 {
            let problem = format!("records of {} runs beside {} samples", runs.len(), entry.samples.len());
            entry.problems.push(format!("{problem}; the samples were not used"));
            entry.samples.clear();
        }
        let sent = runs.iter().filter_map(|run| run.get("sent")).fold(f64::INFINITY, f64::min);
        entry.load.requests = Some(sent as u64);
        let had: Vec<&str> = again.0.keys().map(String::as_str).collect();
        entry.missing.retain(|field| !had.contains(&field.trim_start_matches("metrics.")));
        entry.missing.retain(|field| field != "workload.num_prompts");
    }
    let judged = entry.limits.map(|limits| verdict(limits, &entry.figures).passed).unwrap_or_default();
    if entry.claimed.is_some() && entry.claimed != judged && entry.status == RunStatus::Ok {
        found.push(note(&entry, "sla.passed", entry.claimed.into(), judged.into()));
    }
    // Rows that were measured against different limits are not alike, unless the same limits are put on all of them.
    if settings.limits.is_none() {
        entry.facts.extend(limits_as_facts(entry.limits.unwrap_or_default()));
    }
    entry
}

/// Limits that are stated and empty are a statement too: everything passes.
fn verdict(limits: Sla, figures: &Figures) -> SlaVerdict {
    let mut verdict = limits.judge(figures);
    verdict.passed.get_or_insert(true);
    verdict
}

fn limits_as_facts(limits: Sla) -> Vec<Fact> {
    let fact = |(key, limit): (&str, Option<f64>)| Fact {
        name: format!("sla.{key}"),
        value: limit.map_or(Value::Null, Value::from),
    };
    limits.limits().into_iter().map(fact).collect()
}

fn no_result(entry: &Entry) -> Option<(WhyNotRanked, String)> {
    if let Some(reason) = &entry.rehearsal {
        return Some((WhyNotRanked::Rehearsal, reason.clone()));
    }
    if entry.status == RunStatus::Invalid || (entry.status == RunStatus::Ok && !entry.objections.is_empty()) {
        let reason = match &entry.objections[..] {
            [] => entry.reason.clone().unwrap_or_default(),
            objections => objections.join("; "),
        };
        return Some((WhyNotRanked::Invalid, reason));
    }
    if entry.status != RunStatus::Ok {
        return None;
    }
    match entry.load.requests {
        Some(requests) if requests < SMOKE_BELOW as u64 => Some((
            WhyNotRanked::Smoke,
            format!("{requests} requests are a smoke run; a result needs {SMOKE_BELOW}"),
        )),
        Some(_) => None,
        None => Some((
            WhyNotRanked::Unsized,
            "without `workload.num_prompts` it cannot be told from a smoke run".to_owned(),
        )),
    }
}

/// Whether `b` is another run of what `a` is a run of.
fn is_same(a: &Entry, b: &Entry) -> bool {
    let same_names = a.framework == b.framework && a.candidate == b.candidate && a.scenario == b.scenario;
    // A row without a result may say little about its load; it belongs to the candidate all the same.
    let is_bare = b.status != RunStatus::Ok;
    same_names && (is_bare || a.facts == b.facts) && a.load.request_rate == b.load.request_rate
}

fn standing(runs: &[Entry], settings: &RankSettings) -> Standing {
    let worst = runs.iter().max_by_key(|run| run.status).unwrap_or(&runs[0]);
    let ok: Vec<&Entry> = runs.iter().filter(|run| run.status == RunStatus::Ok).collect();
    let one = ok.first().copied().unwrap_or(worst);
    let samples: Vec<Sample> = ok
        .iter()
        .flat_map(|run| match run.samples.is_empty() {
            true => vec![Sample { figures: run.figures.clone(), position: None }],
            false => run.samples.clone(),
        })
        .collect();
    let figures = match ok[..] {
        [] => worst.figures.clone(),
        [one] => one.figures.clone(),
        _ => raw::medians(&samples.iter().map(|sample| sample.figures.clone()).collect::<Vec<_>>()),
    };
    let limits = settings.limits.or(one.limits);
    let sla = limits.map(|limits| verdict(limits, &figures)).unwrap_or_default();
    let failed = runs.len() - ok.len();
    let reason = worst.reason.clone().map(|reason| match runs.len() {
        1 => reason,
        all => format!("{failed} of {all} runs: {reason}"),
    });
    let mut notes: Vec<String> = runs.iter().flat_map(|run| run.problems.iter().cloned()).collect();
    notes.dedup();
    if limits.is_none() && worst.status == RunStatus::Ok {
        notes.push("no SLA is stated, so it cannot win; state limits, even if empty".to_owned());
    }
    let missing = (!one.missing.is_empty()).then(|| format!("not stated: `{}`", one.missing.join("`, `")));
    notes.extend(missing);
    Standing {
        framework: one.framework.clone(),
        candidate: one.candidate.clone(),
        scenario: one.scenario.clone(),
        rank: None,
        status: worst.status,
        eligible: worst.status == RunStatus::Ok && sla.passed == Some(true),
        reason,
        sla,
        figures,
        runs: samples.len(),
        samples,
        load: one.load.clone(),
        gpus: one.gpus,
        accept_length: one.accept_length,
        pre_scheduler_ms: one.pre_scheduler_ms,
        cache_hit_rate: one.cache_hit_rate,
        server_command: one.server_command.clone(),
        artifacts: one.artifacts.clone(),
        notes,
    }
}
