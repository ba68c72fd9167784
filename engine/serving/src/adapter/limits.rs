//! Whether a deployment can serve the longest request of a workload.

use super::{Adapter, flags::canonical};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Which flag bounds the length of a request (prompt and answer), in tokens.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SequenceLimit {
    /// The flag; absent where the framework has none.
    #[serde(default)]
    pub flag: Option<String>,
    /// What holds if the flag is not given.
    pub absent: AbsentLimit,
    /// The limit in tokens that holds then, for `default`.
    #[serde(default)]
    pub default: Option<u64>,
    /// Suffixes of readable values and what they multiply by. Frameworks differ: `1M` is 1,000,000 for one and 1,048,576 for
    /// another. Fractions go only with multiples of 1,000.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, u64>")]
    pub units: IndexMap<String, u64>,
    /// Values that mean the model's own limit, or what memory allows, such as `auto`.
    #[serde(default)]
    pub open: Vec<String>,
}

/// What holds if the flag of the limit is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AbsentLimit {
    /// The model's own limit.
    Model,
    /// A fixed number of tokens.
    Default,
    /// A launch without the flag is refused: what the framework would take then is not known beforehand.
    Refused,
}

/// Lengths of one scenario of a workload, in tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lengths {
    /// Name of the scenario, for messages.
    pub scenario: String,
    /// Tokens of the longest prompt.
    pub input: u64,
    /// Tokens of the longest answer.
    pub output: u64,
}

/// Whether the limit of a deployment covers a workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SequenceFit {
    /// It does.
    Covers {
        /// The limit in tokens.
        limit: u64,
    },
    /// It does not.
    TooShort {
        /// The flag that bounds it, if there is one.
        flag: Option<String>,
        /// The limit in tokens.
        limit: u64,
        /// What the scenario needs, in tokens.
        needed: u64,
        /// The scenario that needs the most.
        scenario: String,
    },
    /// The model's own limit holds, which stands in its configuration.
    ByModel {
        /// What the workload needs, in tokens.
        needed: u64,
    },
    /// The flag has to be given, and is not.
    Missing {
        /// The flag.
        flag: String,
        /// What the workload needs, in tokens: the least value of the flag.
        needed: u64,
    },
    /// The value of the flag is no number of tokens.
    Unreadable {
        /// The flag.
        flag: String,
        /// Its value.
        value: String,
    },
}

impl Adapter {
    /// Whether a deployment with these flags can serve the longest request of each scenario.
    pub fn sequence_limit_covers(
        &self,
        flags: &IndexMap<String, Value>,
        scenarios: &[Lengths],
    ) -> SequenceFit {
        let longest = scenarios.iter().max_by_key(|lengths| lengths.input.saturating_add(lengths.output));
        let needed = longest.map_or(0, |lengths| lengths.input.saturating_add(lengths.output));
        let scenario = longest.map(|lengths| lengths.scenario.clone()).unwrap_or_default();
        let against = |limit: u64, flag: Option<String>| {
            if limit >= needed {
                return SequenceFit::Covers { limit };
            }
            SequenceFit::TooShort { flag, limit, needed, scenario: scenario.clone() }
        };
        let rule = &self.sequence_limit;
        let given = rule
            .flag
            .as_deref()
            .and_then(|flag| self.given(flags, flag))
            .filter(|(_, value)| !value.is_null());
        if let Some((name, value)) = given {
            let text = shown(value);
            if rule.open.iter().any(|open| open.eq_ignore_ascii_case(text.trim())) {
                return SequenceFit::ByModel { needed };
            }
            return match rule.tokens(text.trim()) {
                Some(limit) => against(limit, Some(name.clone())),
                None => SequenceFit::Unreadable { flag: name.clone(), value: text },
            };
        }
        match (rule.absent, rule.default, &rule.flag) {
            (AbsentLimit::Default, Some(limit), flag) => against(limit, flag.clone()),
            (AbsentLimit::Refused, _, Some(flag)) => SequenceFit::Missing { flag: flag.clone(), needed },
            _ => SequenceFit::ByModel { needed },
        }
    }

    /// The entry of a flag among given ones, under whatever name.
    pub(crate) fn given<'a>(
        &self,
        flags: &'a IndexMap<String, Value>,
        flag: &str,
    ) -> Option<(&'a String, &'a Value)> {
        flags.iter().find(|(name, _)| self.flags.same(name, flag) || canonical(name) == canonical(flag))
    }
}

impl SequenceLimit {
    /// A number of tokens as the framework reads it.
    fn tokens(&self, text: &str) -> Option<u64> {
        if let Ok(count) = text.parse() {
            return Some(count);
        }
        let digits = text.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let (number, suffix) = text.split_at(digits);
        let unit = *self.units.get(suffix)?;
        if let Ok(whole) = number.parse::<u64>() {
            return whole.checked_mul(unit);
        }
        let fraction: f64 = number.parse().ok().filter(|_| unit % 1_000 == 0)?;
        // The cast saturates far above every limit.
        Some((fraction * unit as f64) as u64)
    }
}

/// A value as text for messages.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
