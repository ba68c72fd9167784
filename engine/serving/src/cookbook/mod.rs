//! Import of published cookbook configurations: an external YAML form, read in its own spelling and turned into base
//! flags, search spaces, scenarios and limits.
//!
//! Reports every problem at once, each with its path. Must not know which flags a server has: whoever calls says that.

mod fields;
mod frameworks;
mod parts;
mod sla;

pub use frameworks::Framework;
pub use parts::{Benchmark, Dataset, Hardware, ModelUnderTest, Scenario, Search};

use crate::rank::{Absent, AbsentKind};
use assay_loadgen::sla::Sla;
use fields::Reader;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Longer texts are no configuration.
const MOST_BYTES: usize = 1 << 20;

/// A configuration that keeps all rules.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cookbook {
    /// The model.
    pub model: ModelUnderTest,
    /// What it is to run on.
    pub hardware: Hardware,
    /// What is asked.
    pub dataset: Dataset,
    /// Pairs of lengths; never their product.
    pub scenarios: Vec<Scenario>,
    /// How it is asked.
    pub benchmark: Benchmark,
    /// The SLA; absent where the configuration states none.
    pub limits: Option<Sla>,
    /// How candidates are chosen.
    pub search: Search,
    /// The frameworks, disabled ones included.
    pub frameworks: Vec<Framework>,
    /// What is not taken over, or means something else here.
    pub remarks: Vec<Problem>,
}

/// Something at one place of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// Where, such as `frameworks.vllm.search_space`.
    pub path: String,
    /// What; no final period.
    pub message: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CookbookError {
    /// Not YAML, or more than one document.
    #[error("not one YAML document: {0}")]
    Yaml(String),
    /// Too long for a configuration.
    #[error("{bytes} bytes are more than the {MOST_BYTES} that a configuration may have")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// It breaks rules; one line each.
    #[error("{}", lines(.0))]
    Rules(Vec<Problem>),
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}

/// Says why a framework does not know a flag; `None` where it does.
pub type UnknownFlag<'a> = &'a dyn Fn(&str, &str) -> Option<String>;

/// Reads a configuration. `unknown_flag` is asked with the framework as the configuration spells it and a flag.
///
/// # Errors
/// [`CookbookError`] with every rule that is broken.
pub fn import(text: &str, unknown_flag: UnknownFlag<'_>) -> Result<Cookbook, CookbookError> {
    if text.len() > MOST_BYTES {
        return Err(CookbookError::TooLong { bytes: text.len() });
    }
    let yaml = |error: &dyn std::fmt::Display| CookbookError::Yaml(error.to_string());
    // By way of YAML's own values: they refuse a key that stands twice.
    let tree: serde_yaml::Value = serde_yaml::from_str(text).map_err(|error| yaml(&error))?;
    let tree: Value = serde_json::to_value(tree).map_err(|error| yaml(&error))?;
    let reader = Reader::default();
    let cookbook = read(&reader, &tree, unknown_flag);
    let (problems, remarks) = reader.into_parts();
    match cookbook {
        Some(cookbook) if problems.is_empty() => Ok(Cookbook { remarks, ..cookbook }),
        _ => Err(CookbookError::Rules(problems)),
    }
}

const FIELDS: [&str; 11] = [
    "schema_version",
    "source",
    "model",
    "hardware",
    "dataset",
    "benchmark",
    "sla",
    "search",
    "frameworks",
    "framework_set",
    "version_manifest",
];

/// Reads everything there is, so that all problems show; `None` if something needed is missing.
fn read(reader: &Reader, tree: &Value, unknown_flag: UnknownFlag<'_>) -> Option<Cookbook> {
    let root = reader.root(tree);
    root.mapping()?;
    root.only(&FIELDS);
    let version = root.get("schema_version");
    if version.value().as_u64() != Some(1) {
        version.problem("must be 1");
    }
    let kind = root.get("source").get("kind");
    if kind.value() != "llm_serving_cookbook" {
        kind.problem("must be `llm_serving_cookbook`");
    }
    let model = parts::model(&root.get("model"));
    let hardware = parts::hardware(&root.get("hardware"));
    let scenarios = parts::scenarios(&root.get("dataset"));
    let dataset = parts::dataset(&root.get("dataset"));
    let benchmark = parts::benchmark(&root.get("benchmark"));
    let limits = sla::limits(&root);
    let search = parts::search(&root.get("search"));
    let frameworks = frameworks::frameworks(
        &root.get("frameworks"),
        scenarios.as_deref().unwrap_or_default(),
        unknown_flag,
    );
    Some(Cookbook {
        model: model?,
        hardware,
        dataset,
        scenarios: scenarios?,
        benchmark,
        limits,
        search: search?,
        frameworks: frameworks?,
        remarks: Vec::new(),
    })
}

impl Cookbook {
    /// Frameworks that the configuration leaves out, as ranking reports them.
    pub fn left_out(&self) -> Vec<Absent> {
        let off = self.frameworks.iter().filter(|framework| !framework.enabled);
        off.map(|framework| Absent {
            framework: framework.name.clone(),
            kind: AbsentKind::UserExcluded,
            reason: format!("`frameworks.{}.enabled` is false", framework.spelled),
        })
        .collect()
    }

    /// The longest scenario; ties go to the first.
    pub fn longest(&self) -> Option<&Scenario> {
        self.scenarios.iter().rev().max_by_key(|scenario| scenario.tokens())
    }
}
