//! What came of a candidate, and whether its figures may be believed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What came of a candidate in a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Measured, and the figures may be believed.
    Ok,
    /// Measured, but the figures must not be believed: the client was the limit, or its times make no sense.
    Invalid,
    /// It did not come to a measurement, or the measurement broke off.
    Failed,
    /// The server ran out of memory.
    Oom,
    /// It did not end in time.
    Timeout,
    /// Left out on purpose.
    Skipped,
}

impl Status {
    /// Its name in rows.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Invalid => "invalid",
            Self::Failed => "failed",
            Self::Oom => "oom",
            Self::Timeout => "timeout",
            Self::Skipped => "skipped",
        }
    }
}

/// Whether the figures of a row may be believed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Validity {
    /// Whether the client was fit to measure what it measured.
    pub valid: bool,
    /// Why not; never empty where `valid` is false.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
}

/// What a row is made with. Every outcome but [`Outcome::Ok`] carries its reason: a fragment of a sentence without a final
/// period. Partial figures may stand beside any of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Measured, and the figures may be believed.
    Ok,
    /// Measured, but the figures must not be believed, for these reasons.
    Invalid(Vec<String>),
    /// It did not come to a measurement, or the measurement broke off.
    Failed(String),
    /// The server ran out of memory.
    Oom(String),
    /// It did not end in time.
    Timeout(String),
    /// Left out on purpose.
    Skipped(String),
}

impl Outcome {
    /// The outcome of a finished measurement: [`Outcome::Ok`] only if nothing speaks against the client.
    pub fn measured(objections: Vec<String>) -> Self {
        if objections.is_empty() { Self::Ok } else { Self::Invalid(objections) }
    }

    pub(super) fn into_parts(self, redact: &dyn Fn(&str) -> String) -> (Status, Option<String>, Validity) {
        let one = |status: Status, reason: String| (status, vec![reason]);
        let (status, reasons) = match self {
            Self::Ok => return (Status::Ok, None, Validity { valid: true, reasons: Vec::new() }),
            Self::Invalid(reasons) => (Status::Invalid, reasons),
            Self::Failed(reason) => one(Status::Failed, reason),
            Self::Oom(reason) => one(Status::Oom, reason),
            Self::Timeout(reason) => one(Status::Timeout, reason),
            Self::Skipped(reason) => one(Status::Skipped, reason),
        };
        let reasons: Vec<String> = reasons.iter().map(|reason| redact(reason)).collect();
        (status, Some(reasons.join("; ")), Validity { valid: false, reasons })
    }
}

/// What an outcome allows, as a fragment of a sentence if it is broken.
pub(super) fn check(status: Status, reason: Option<&str>, validity: &Validity) -> Result<(), String> {
    let word = status.word();
    let is_blank = |text: &str| text.trim().is_empty();
    if status == Status::Ok {
        if !validity.valid {
            return Err("`status` is `ok`, but `validity.valid` is false; such a row is `invalid`".to_owned());
        }
        if reason.is_some() {
            return Err("`status` is `ok`, but there is a `failure_reason`".to_owned());
        }
        return match validity.reasons.is_empty() {
            true => Ok(()),
            false => Err("`validity.valid` is true, but there are `validity.reasons`".to_owned()),
        };
    }
    if reason.is_none_or(is_blank) {
        return Err(format!("`status` is `{word}`, but `failure_reason` says nothing"));
    }
    if validity.valid {
        return Err(format!("`status` is `{word}`, but `validity.valid` is true"));
    }
    if validity.reasons.is_empty() || validity.reasons.iter().any(|reason| is_blank(reason)) {
        return Err("`validity.valid` is false, but `validity.reasons` says nothing".to_owned());
    }
    Ok(())
}
