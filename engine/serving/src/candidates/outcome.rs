//! What a plan says: candidates, what was left out, and why.

use super::coverage::Coverage;
use super::rules::Refusal;
use super::space::Flags;
use super::strategy::Strategy;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The candidates of one framework, and what was left out and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SearchPlan {
    /// The framework.
    pub framework: String,
    /// By which rule they were chosen.
    pub strategy: Strategy,
    /// In the order in which they are tried.
    pub candidates: Vec<Candidate>,
    /// What a rule refused.
    pub excluded: Vec<Excluded>,
    /// Refusals beyond those listed.
    pub excluded_more: usize,
    /// What the candidates reach.
    pub coverage: Coverage,
    /// What a reader should know.
    pub notes: Vec<String>,
}

/// One deployment to try.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Candidate {
    /// Made of framework and flags: the same in every run.
    pub id: String,
    /// Why it is tried.
    pub origin: Origin,
    /// Every flag, base flags included.
    #[schemars(with = "serde_json::Map<String, Value>")]
    pub flags: Flags,
    /// How it differs from the base flags.
    pub changes: Vec<Change>,
}

/// Why a candidate is tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Origin {
    /// The base flags alone.
    Baseline,
    /// The first value of every flag.
    FirstValues,
    /// The first values with one other value.
    OneChange {
        /// The flag that differs.
        flag: String,
        /// Its value.
        value: Value,
    },
    /// For pairs of values that no candidate before it holds.
    Pairs {
        /// How many such pairs it holds.
        new_pairs: usize,
    },
    /// One of all combinations.
    Product,
}

/// A flag that differs from the base flags.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// The flag.
    pub flag: String,
    /// Its value among the base flags; absent where they do not set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Value>,
    /// The candidate's value.
    pub to: Value,
}

/// Something that a rule refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Excluded {
    /// What was refused.
    pub what: ExcludedKind,
    /// What it sets beside the base flags; empty for the baseline.
    #[schemars(with = "serde_json::Map<String, Value>")]
    pub flags: Flags,
    /// Which rule, and why.
    pub refusal: Refusal,
}

/// What was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExcludedKind {
    /// The base flags alone.
    Baseline,
    /// A value, whatever the other flags hold.
    Value,
    /// Two values together, whatever the other flags hold.
    Pair,
    /// One candidate; one near it may have taken its place.
    Candidate,
}

impl Excluded {
    /// Whether no candidate can hold what was refused.
    pub(super) fn is_for_good(&self) -> bool {
        matches!(self.what, ExcludedKind::Value | ExcludedKind::Pair)
    }

    /// The flag's value that cannot be used at all.
    pub(super) fn useless_value(&self, flag: &str) -> Option<&Value> {
        (self.what == ExcludedKind::Value).then(|| self.flags.get(flag)).flatten()
    }
}

/// How flags differ from the base flags; `null` and absent are the same.
pub(super) fn changes(base: &Flags, flags: &Flags) -> Vec<Change> {
    let differs = |(flag, to): (&String, &Value)| {
        let from = base.get(flag).filter(|value| !value.is_null());
        (from.unwrap_or(&Value::Null) != to).then(|| Change {
            flag: flag.clone(),
            from: from.cloned(),
            to: to.clone(),
        })
    };
    flags.iter().filter_map(differs).collect()
}
