//! Whether a measurement may be believed: the client's own lateness, and counts that contradict each other.

use crate::client::{Api, ClientHealth, StampedBy};
use crate::metrics::Metrics;
use crate::{FailureKind, Record};

/// The client's thread had no time left above this share: what it could not take it could not report either.
const MOST_BUSY: f64 = 0.95;
/// In an open loop latencies count from the intended start, and a start may be late by this share of the median TTFT: serving
/// results are compared at a few percent.
const LATE_START: f64 = 0.05;
/// In a closed loop a late start leaves a slot idle. On average it may last this share of the median time of a request: the
/// throughput is less by as much.
const IDLE_SLOT: f64 = 0.01;
/// And a single one this share: more, and the load was another one for a while.
const IDLE_SLOT_ONCE: f64 = 0.1;
/// Starts are never that punctual, in milliseconds: a timer and a scheduler stand between, on average and at worst.
const LATE_START_MEAN_MS: f64 = 0.2;
const LATE_START_MS: f64 = 2.0;
/// Reading may be late by this share of the median gap between pieces, where the client took their times.
const LATE_READ: f64 = 0.1;
/// And by this many milliseconds where the kernel took them: more, and a full socket holds the server back.
const LATE_READ_STAMPED_MS: f64 = 250.0;
/// A chat template adds tokens, and a tokenizer one at the beginning; a completion has no more than these.
const BEGIN_TOKENS: u32 = 2;

/// Why the figures of a measurement must not be used; empty if they may.
pub fn objections(records: &[Record], metrics: &Metrics, health: &ClientHealth, ask: &Asked) -> Vec<String> {
    let mut found = client(metrics, health, ask.open_loop);
    let measured: Vec<&Record> = records.iter().filter(|record| !record.warmup && record.is_ok()).collect();
    found.extend(lengths(&measured, ask));
    found.extend(prompts(&measured, ask));
    found.extend(pieces(&measured));
    let inconsistent = metrics.counts.inconsistent;
    if inconsistent > 0 {
        found.push(format!("the times of {inconsistent} requests contradict each other"));
    }
    found
}

/// What the answers are held against.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// The way of asking.
    pub api: Api,
    /// Exactly the wanted number of tokens was asked for.
    pub exact_length: bool,
    /// Starts were given, whether or not earlier requests had ended.
    pub open_loop: bool,
}

fn client(metrics: &Metrics, health: &ClientHealth, open_loop: bool) -> Vec<String> {
    let mut found = Vec::new();
    if health.busy_share > MOST_BUSY {
        found.push(format!(
            "the client was the bottleneck: its thread was at work {:.0} % of the time; use a machine of its own, or less load",
            health.busy_share * 100.0
        ));
    }
    let latencies = &metrics.latencies;
    let e2e = latencies.e2e.map_or(0.0, |e2e| e2e.p50);
    let late = match open_loop {
        true => latencies.ttft.map_or(0.0, |ttft| ttft.p50 * LATE_START),
        false => e2e * IDLE_SLOT_ONCE,
    };
    let late = late.max(LATE_START_MS);
    if health.start_lag_p99_ms > late {
        found.push(format!(
            "the client started requests late: {:.1} ms at the 99th percentile, with at most {late:.1} ms allowed",
            health.start_lag_p99_ms
        ));
    }
    let idle = (e2e * IDLE_SLOT).max(LATE_START_MEAN_MS);
    if !open_loop && health.start_lag_mean_ms > idle {
        found.push(format!(
            "the client left slots idle for {:.1} ms on average between requests, with at most {idle:.1} ms allowed",
            health.start_lag_mean_ms
        ));
    }
    let gap = latencies.inter_chunk.map_or(f64::INFINITY, |gaps| gaps.p50);
    let allowed = match health.stamped_by {
        StampedBy::Kernel => LATE_READ_STAMPED_MS,
        StampedBy::Client => (gap * LATE_READ).max(1.0),
    };
    if health.read_lag_p99_ms > allowed {
        found.push(format!(
            "the client read answers late: {:.1} ms at the 99th percentile, with at most {allowed:.1} ms allowed",
            health.read_lag_p99_ms
        ));
    }
    found
}

/// Answers of another length than asked for.
fn lengths(records: &[&Record], ask: &Asked) -> Option<String> {
    if !ask.exact_length {
        return None;
    }
    let other =
        |record: &&&Record| record.completion_tokens().is_some_and(|tokens| tokens != record.output_len);
    let wrong: Vec<&&Record> = records.iter().filter(other).collect();
    let first = wrong.first()?;
    Some(format!(
        "{} of {} answers hold another number of tokens than asked for, such as {} instead of {}; does the server take `ignore_eos`?",
        wrong.len(),
        records.len(),
        first.completion_tokens().unwrap_or_default(),
        first.output_len
    ))
}

/// Prompts that the server counts otherwise than the client's tokenizer.
fn prompts(records: &[&Record], ask: &Asked) -> Option<String> {
    let counts = |record: &&&Record| Some((record.usage?.prompt_tokens?, record.input_len?));
    let differs = |record: &&&Record| {
        counts(record).is_some_and(|(server, client)| match ask.api {
            // The template's own tokens are not known.
            Api::Chat => server < client,
            Api::Completions | Api::Generate => !(client..=client + BEGIN_TOKENS).contains(&server),
        })
    };
    let wrong: Vec<&&Record> = records.iter().filter(differs).collect();
    let (server, client) = counts(wrong.first()?)?;
    Some(format!(
        "the server counts the prompts of {} of {} requests otherwise, such as {server} tokens instead of {client}; is the tokenizer that of the served model?",
        wrong.len(),
        records.len()
    ))
}

/// Answers in more pieces than tokens.
fn pieces(records: &[&Record]) -> Option<String> {
    let more = |record: &&&Record| {
        record.completion_tokens().is_some_and(|tokens| record.chunk_ns.len() > tokens as usize)
    };
    let wrong: Vec<&&Record> = records.iter().filter(more).collect();
    let first = wrong.first()?;
    Some(format!(
        "{} of {} answers came in more pieces than the server counts tokens, such as {} pieces and {} tokens",
        wrong.len(),
        records.len(),
        first.chunk_ns.len(),
        first.completion_tokens().unwrap_or_default()
    ))
}

/// Why too few requests succeeded, with the words of the most frequent failure; `None` if enough did.
pub fn too_many_failures(records: &[Record], metrics: &Metrics, least: f64) -> Option<String> {
    let rate = metrics.success_rate.unwrap_or(0.0);
    if rate >= least {
        return None;
    }
    let counts = &metrics.counts;
    let most = counts.failures.iter().max_by_key(|(_, count)| **count).map(|(kind, _)| *kind);
    let example = records.iter().filter(|record| !record.warmup).filter_map(|record| record.failure.as_ref());
    let example = example
        .filter(|failure| failure.kind != FailureKind::NotSent)
        .find(|failure| most.is_none_or(|kind| failure.kind == kind))
        .map(|failure| format!(", most often: {}", failure.message))
        .unwrap_or_default();
    Some(format!(
        "{} of {} requests completed, and at least {} % must{example}",
        counts.completed,
        counts.sent,
        least * 100.0
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Usage;
    use crate::metrics::{Window, summarise};

    fn record(prompt: u32, tokens: u32, pieces: u64) -> Record {
        Record {
            input_len: Some(10),
            output_len: 4,
            sent_ns: Some(1_000),
            chunk_ns: (1..=pieces).map(|at| at * 10_000_000).collect(),
            end_ns: 50_000_000,
            usage: Some(Usage {
                prompt_tokens: Some(prompt),
                completion_tokens: Some(tokens),
                cached_tokens: None,
            }),
            ..Record::default()
        }
    }

    fn found(record: Record, health: ClientHealth, api: Api) -> Vec<String> {
        let records = [record];
        let metrics = summarise(&records, Window::default(), None);
        objections(&records, &metrics, &health, &Asked { api, exact_length: true, open_loop: true })
    }

    #[test]
    fn a_sound_measurement_has_no_objection() {
        let health = ClientHealth { busy_share: 0.5, start_lag_p99_ms: 1.0, ..ClientHealth::default() };
        assert_eq!(found(record(10, 4, 4), health.clone(), Api::Completions), Vec::<String>::new());
        assert_eq!(found(record(37, 4, 4), health, Api::Chat), Vec::<String>::new());
    }

    #[test]
    fn a_closed_loop_minds_slots_that_stood_idle() {
        let records = [record(10, 4, 4)];
        let metrics = summarise(&records, Window::default(), None);
        let ask = Asked { api: Api::Completions, exact_length: true, open_loop: false };
        // The request takes 50 ms.
        for (mean, p99, word) in [
            (0.4, 4.0, None),
            (0.6, 4.0, Some("slots idle for 0.6 ms")),
            (0.4, 6.0, Some("requests late: 6.0 ms")),
        ] {
            let health =
                ClientHealth { start_lag_mean_ms: mean, start_lag_p99_ms: p99, ..ClientHealth::default() };
            let found = objections(&records, &metrics, &health, &ask);
            assert_eq!(found.len(), usize::from(word.is_some()), "{found:?}");
            assert!(word.is_none_or(|word| found[0].contains(word)), "{found:?}");
        }
    }

    #[test]
    fn each_reason_is_told() {
        let fine = ClientHealth::default();
        let late_read = ClientHealth { read_lag_p99_ms: 3.0, ..fine.clone() };
        for (record, health, word) in [
            (record(10, 4, 4), ClientHealth { busy_share: 0.99, ..fine.clone() }, "bottleneck"),
            (
                record(10, 4, 4),
                ClientHealth { start_lag_p99_ms: 9.0, ..fine.clone() },
                "started requests late",
            ),
            (record(10, 4, 4), late_read, "read answers late"),
            (record(10, 3, 3), fine.clone(), "3 instead of 4"),
            (record(25, 4, 4), fine.clone(), "25 tokens instead of 10"),
            (record(10, 4, 5), fine, "5 pieces and 4 tokens"),
        ] {
            let found = found(record, health, Api::Completions);
            assert!(found.len() == 1 && found[0].contains(word), "{found:?}");
        }
        let stamped =
            ClientHealth { read_lag_p99_ms: 3.0, stamped_by: StampedBy::Kernel, ..ClientHealth::default() };
        assert!(found(record(10, 4, 4), stamped, Api::Completions).is_empty());
    }
}
