//! Counts of requests, tokens and pieces.

use super::selection::Selection;
use crate::{FailureKind, Record};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many requests came to what. `requests = sent + not_sent` and `sent = completed + failed + inconsistent`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Requests that count: no warm-up, and within the window.
    pub requests: u64,
    /// Requests that the client tried to send, also where no connection came about.
    pub sent: u64,
    /// Requests whose whole answer came.
    pub completed: u64,
    /// Requests sent whose whole answer did not come.
    pub failed: u64,
    /// Failed requests by class; classes without a request are left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failures: BTreeMap<FailureKind, u64>,
    /// Requests whose answer came but whose times contradict each other, so that the client is not to be believed.
    pub inconsistent: u64,
    /// Requests never sent: the turn before failed, or the load was stopped first.
    pub not_sent: u64,
    /// Warm-ups and requests outside the window, in no other figure.
    pub left_out: u64,
    /// Completed requests whose tokens by the server's count differ from the tokens asked for.
    pub off_length: u64,
}

impl Counts {
    pub(super) fn of(selection: &Selection) -> Self {
        let mut failures = BTreeMap::new();
        for failure in selection.failed.iter().filter_map(|record| record.failure.as_ref()) {
            *failures.entry(failure.kind).or_insert(0) += 1;
        }
        let is_off =
            |record: &&&Record| record.completion_tokens().is_some_and(|tokens| tokens != record.output_len);
        let sent = selection.sent().count() as u64;
        Self {
            requests: sent + selection.not_sent,
            sent,
            completed: selection.completed.len() as u64,
            failed: selection.failed.len() as u64,
            failures,
            inconsistent: selection.inconsistent.len() as u64,
            not_sent: selection.not_sent,
            left_out: selection.left_out,
            off_length: selection.completed.iter().filter(is_off).count() as u64,
        }
    }
}

/// Tokens and pieces of completed requests, in total. A total of tokens is left out as soon as one request lacks its count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    /// Prompt tokens by the server's count, with what a chat template added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<u64>,
    /// Prompt tokens by the client's own tokenizer, without what a chat template adds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_client: Option<u64>,
    /// Generated tokens by the server's count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<u64>,
    /// Prompt tokens that came from a prefix cache, by the server's count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached: Option<u64>,
    /// Pieces with text, as the client counted them. Not tokens: a piece may hold several.
    pub chunks: u64,
    /// Completed requests without the server's count of generated tokens.
    pub without_usage: u64,
}

impl Tokens {
    pub(super) fn of(completed: &[&Record]) -> Self {
        let sum = |count: fn(&Record) -> Option<u32>| -> Option<u64> {
            let counted: Option<u64> = completed.iter().map(|record| count(record).map(u64::from)).sum();
            counted.filter(|_| !completed.is_empty())
        };
        Self {
            input: sum(|record| record.usage?.prompt_tokens),
            input_client: sum(|record| record.input_len),
            output: sum(Record::completion_tokens),
            cached: sum(|record| record.usage?.cached_tokens),
            chunks: completed.iter().map(|record| record.chunk_ns.len() as u64).sum(),
            without_usage: completed.iter().filter(|record| record.completion_tokens().is_none()).count()
                as u64,
        }
    }
}
