//! The frameworks of a configuration: how each is launched and what may vary.

use super::UnknownFlag;
use super::fields::{Field, kind_of, nearest};
use super::parts::{Scenario, Search};
use crate::adapter::{Adapter, Lengths, SequenceFit};
use crate::candidates::{Flags, SearchSettings, Space, SpaceError, strategy_of_tier};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Frameworks that every configuration names.
const FRAMEWORKS: [Known; 4] = [
    Known { spelled: "sglang", name: "sglang", states_limit: false },
    Known { spelled: "vllm", name: "vllm", states_limit: true },
    Known { spelled: "tensorrt_llm", name: "tensorrt-llm", states_limit: true },
    Known { spelled: "tokenspeed", name: "tokenspeed", states_limit: true },
];

struct Known {
    /// Its spelling.
    spelled: &'static str,
    /// Ours.
    name: &'static str,
    /// Whether a configuration must state the flag that limits input and output together.
    states_limit: bool,
}

/// One framework of a configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Framework {
    /// Its name here.
    pub name: String,
    /// Its name in the configuration.
    pub spelled: String,
    /// Whether it takes part. A disabled one was left out by the user, which says nothing about it.
    pub enabled: bool,
    /// The launch command without flags; empty for a disabled framework that states none.
    pub server_command: String,
    /// Flags of every candidate.
    #[schemars(with = "Map<String, Value>")]
    pub base: Flags,
    /// Flags that vary, the most important first.
    #[schemars(with = "Map<String, Value>")]
    pub space: IndexMap<String, Vec<Value>>,
    /// Where the flags come from, in the configuration's words.
    pub config_source: Option<String>,
}

impl Framework {
    /// How its candidates are chosen, with a remark where that is not what the tier asks for.
    ///
    /// # Errors
    /// [`SpaceError`] for a search space that cannot be used.
    pub fn settings(&self, search: &Search) -> Result<(SearchSettings, Option<String>), SpaceError> {
        let space = Space::new(&self.space)?;
        let max_candidates = Some(search.max_candidates);
        let (strategy, remark) =
            strategy_of_tier(search.tier, &space, &self.base, max_candidates).unwrap_or_default();
        Ok((SearchSettings { strategy, max_candidates }, remark))
    }
}

pub(super) fn frameworks(
    field: &Field<'_>,
    scenarios: &[Scenario],
    unknown_flag: UnknownFlag<'_>,
) -> Option<Vec<Framework>> {
    let listed = field.mapping()?;
    let names = FRAMEWORKS.each_ref().map(|known| known.spelled);
    for name in listed.keys().filter(|name| !names.contains(&name.as_str())) {
        let meant = nearest(name, &names).map(|name| format!("; is `{name}` meant?")).unwrap_or_default();
        field.get(name).problem(format!("is no framework of this form{meant}"));
    }
    for known in FRAMEWORKS.iter().filter(|known| !listed.contains_key(known.spelled)) {
        field.get(known.spelled).problem("is missing; add it, with `enabled: false` to leave it out");
    }
    let of = |known: &Known| framework(&field.get(known.spelled), known, scenarios, unknown_flag);
    Some(FRAMEWORKS.iter().filter(|known| listed.contains_key(known.spelled)).filter_map(of).collect())
}

const FIELDS: [&str; 7] = [
    "enabled",
    "server_command",
    "base_server_flags",
    "search_space",
    "config_source",
    "backend_policy",
    "version_manifest",
];

fn framework(
    field: &Field<'_>,
    known: &Known,
    scenarios: &[Scenario],
    unknown_flag: UnknownFlag<'_>,
) -> Option<Framework> {
    field.mapping()?;
    field.only(&FIELDS);
    let enabled = field.get("enabled").truth(true);
    let mut framework = Framework {
        name: known.name.to_owned(),
        spelled: known.spelled.to_owned(),
        enabled,
        server_command: field.get("server_command").value().as_str().unwrap_or_default().trim().to_owned(),
        base: Flags::new(),
        space: IndexMap::new(),
        config_source: field.get("config_source").optional_text(),
    };
    if !enabled {
        return Some(framework);
    }
    field.get("server_command").text();
    let (base, space) = (field.get("base_server_flags"), field.get("search_space"));
    if let Some(flags) = base.mapping() {
        framework.base = flags.iter().map(|(flag, value)| (flag.clone(), value.clone())).collect();
    }
    framework.space = values(&space);
    let varied: Vec<&String> = framework.space.keys().collect();
    for (place, flags) in [(&base, framework.base.keys().collect()), (&space, varied)] {
        for flag in flags {
            if let Some(reason) = unknown_flag(known.spelled, flag) {
                place.get(flag).problem(reason);
            }
        }
    }
    if known.spelled == "tensorrt_llm" {
        fixed_backend(field);
    }
    longest_fits(&framework, known, scenarios, &base, &space);
    Some(framework)
}

fn values(space: &Field<'_>) -> IndexMap<String, Vec<Value>> {
    let mut values = IndexMap::new();
    for (flag, listed) in space.mapping().into_iter().flatten() {
        match listed.as_array().filter(|listed| !listed.is_empty()) {
            Some(listed) => {
                values.insert(flag.clone(), listed.clone());
            }
            None => {
                let way_out = if listed.is_array() { "give a value" } else { "write it in brackets" };
                space
                    .get(flag)
                    .problem(format!("must be a list of values, not {}; {way_out}", kind_of(listed)));
            }
        }
    }
    if let Err(error) = Space::new(&values) {
        space.problem(error.to_string());
    }
    values
}

/// TensorRT-LLM is compared by its PyTorch backend alone; another one is another system.
fn fixed_backend(field: &Field<'_>) {
    let policy = field.get("backend_policy");
    if policy.value() != "fixed_pytorch" {
        policy.problem("must be `fixed_pytorch`");
    }
    let backend = field.get("base_server_flags").get("backend");
    if backend.value() != "pytorch" {
        backend.problem("must be `pytorch`");
    }
    let varied = field.get("search_space").get("backend");
    if !varied.is_absent() {
        varied.problem("must not vary: the backend is fixed to `pytorch`");
    }
}

fn longest_fits(
    framework: &Framework,
    known: &Known,
    scenarios: &[Scenario],
    base: &Field<'_>,
    space: &Field<'_>,
) {
    let (Some(adapter), Some(longest)) =
        (Adapter::shared(known.name), scenarios.iter().max_by_key(|scenario| scenario.tokens()))
    else {
        return;
    };
    let Some(flag) = adapter.sequence_limit.flag.as_deref() else { return };
    let longest =
        [Lengths { scenario: longest.name.clone(), input: longest.input_len, output: longest.output_len }];
    let check = |place: &Field<'_>, name: &String, value: &Value| {
        let alone = Flags::from([(name.clone(), value.clone())]);
        match adapter.sequence_limit_covers(&alone, &longest) {
            SequenceFit::TooShort { limit, needed, scenario, .. } => place
                .get(name)
                .problem(format!("{limit} tokens do not hold scenario `{scenario}`, which needs {needed}")),
            SequenceFit::Unreadable { .. } => {
                place.get(name).problem(format!("must be a number of tokens, not {}", kind_of(value)));
            }
            SequenceFit::Covers { .. } | SequenceFit::ByModel { .. } | SequenceFit::Missing { .. } => {}
        }
    };
    let set = adapter.given(&framework.base, flag).filter(|(_, value)| !value.is_null());
    let listed = framework.space.iter().find(|(name, _)| adapter.flags.same(name, flag));
    if let Some((name, value)) = set {
        check(base, name, value);
    }
    if let Some((name, values)) = listed {
        values.iter().for_each(|value| check(space, name, value));
    }
    if set.is_none() && listed.is_none() && known.states_limit {
        let [Lengths { scenario, input, output }] = &longest;
        let needed = input.saturating_add(*output);
        base.get(flag).problem(format!("is missing; scenario `{scenario}` needs {needed} tokens"));
    }
}
