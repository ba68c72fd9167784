//! How many GPUs the parallel sizes of a deployment need.

use super::Adapter;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// Which flags change how many GPUs of a host the parallel sizes need: names with underscores.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parallel {
    /// With one of these, copies of the model share the GPUs over which layers are split.
    #[serde(default)]
    pub copies_inside: Vec<String>,
    /// With one of these, not every GPU is one of this host.
    #[serde(default)]
    pub beyond_host: Vec<String>,
}

impl Adapter {
    /// GPUs of one host that a deployment with these flags needs at least: the product of its tensor, pipeline and data
    /// parallel sizes, with the flags that say them as they were written. Sizes that are no number count as 1. `None` where no
    /// size is given, or where the GPUs are spread over hosts.
    pub fn gpus_needed<'a>(&self, flags: &'a IndexMap<String, Value>) -> Option<(u64, Vec<&'a str>)> {
        let (roles, parallel) = (&self.launch.roles, &self.launch.parallel);
        let is_on = |names: &[String]| {
            let mut given = names.iter().filter_map(|name| self.given(flags, name));
            given.any(|(_, value)| {
                !matches!(value, Value::Null | Value::Bool(false)) && value.as_u64() != Some(1)
            })
        };
        if is_on(&parallel.beyond_host) {
            return None;
        }
        let copies = roles.data_parallel.as_deref().filter(|_| !is_on(&parallel.copies_inside));
        let sizes = [roles.tensor_parallel.as_deref(), roles.pipeline_parallel.as_deref(), copies];
        let mut needed: u64 = 1;
        let mut told = Vec::new();
        for (name, value) in sizes.into_iter().flatten().filter_map(|flag| self.given(flags, flag)) {
            let size = value.as_u64().or_else(|| value.as_str()?.trim().parse().ok());
            if let Some(size) = size.filter(|size| *size > 0) {
                needed = needed.saturating_mul(size);
                told.push(name.as_str());
            }
        }
        (!told.is_empty()).then_some((needed, told))
    }
}
