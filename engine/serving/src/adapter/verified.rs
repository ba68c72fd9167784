//! What of an adapter was checked, against what.

use schemars::JsonSchema;
use serde::Deserialize;

/// One check of an adapter file.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Verified {
    /// Version of the framework.
    pub version: String,
    /// How it was checked.
    pub how: How,
    /// Day of the check, as `YYYY-MM-DD`.
    pub on: String,
    /// What was checked, and what was not.
    pub note: String,
}

/// How an adapter was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// A server of this version was launched and asked.
    Ran,
    /// Its own command line parser printed its help.
    Help,
    /// Its source or its documentation was read.
    Source,
}

impl How {
    /// In one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ran => "ran",
            Self::Help => "help",
            Self::Source => "source",
        }
    }
}
