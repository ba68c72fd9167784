//! Which attention backends fit which GPU.

use super::{Adapter, limits::shown};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Compute capability of a GPU, such as 9.0 (Hopper: H100, H200) or 12.0 (RTX 5090).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Capability {
    /// The generation.
    pub major: u32,
    /// The variant.
    pub minor: u32,
}

/// Which attention backends fit which GPU.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Attention {
    /// The flags that choose a backend.
    #[serde(default)]
    pub flags: Vec<String>,
    /// What backends need, by name as flags spell it. Those without an entry are taken to run everywhere.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, BackendNeeds>")]
    pub backends: IndexMap<String, BackendNeeds>,
}

/// What a backend needs.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BackendNeeds {
    /// Generations of compute capability (the part before the point) on which it is worth a try.
    pub majors: Vec<u32>,
    /// Why, and what to take instead.
    pub why: String,
}

/// A backend that does not fit a GPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendMisfit {
    /// The flag as it was written.
    pub flag: String,
    /// The backend.
    pub backend: String,
    /// Why, and what to take instead.
    pub why: String,
}

impl Adapter {
    /// The attention backends among these flags that do not fit a GPU. A list (a search over backends) is looked through.
    pub fn attention_backend_fits(
        &self,
        flags: &IndexMap<String, Value>,
        gpu: Capability,
    ) -> Vec<BackendMisfit> {
        let mut misfits = Vec::new();
        for flag in &self.attention.flags {
            let Some((name, value)) = self.given(flags, flag) else { continue };
            let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
            for backend in values.iter().map(shown) {
                if let Some(needs) = self.attention.backends.get(&backend.to_lowercase())
                    && !needs.majors.contains(&gpu.major)
                {
                    misfits.push(BackendMisfit { flag: name.clone(), backend, why: needs.why.clone() });
                }
            }
        }
        misfits
    }
}
