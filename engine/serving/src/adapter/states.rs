//! What a result row says of the numbers and weights of a deployment, by its flags.

use super::{Adapter, limits::shown};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// What a result row says of a deployment. What is left out here, nobody can tell from its flags.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct States {
    /// Type of weights and activations.
    #[serde(default)]
    pub precision: Said,
    /// How the weights are quantised.
    #[serde(default)]
    pub quantization: Said,
    /// Revision of the weights.
    #[serde(default)]
    pub revision: Said,
}

/// Where a fact stands.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Said {
    /// The flag that says it.
    #[serde(default)]
    pub flag: Option<String>,
    /// What holds without the flag, such as `auto`.
    #[serde(default)]
    pub absent: Option<String>,
}

impl Adapter {
    /// What flags say of something; `None` where they do not.
    pub fn stated(&self, said: &Said, flags: &IndexMap<String, Value>) -> Option<String> {
        let given = said.flag.as_deref().and_then(|flag| self.given(flags, flag));
        let value = given.map(|(_, value)| value).filter(|value| !value.is_null());
        value.map(shown).or_else(|| said.absent.clone())
    }
}
