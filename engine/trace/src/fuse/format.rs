//! The form of a registry file.
//!
//! Types only; the JSON schema comes from them. Shares are percent of the stage's summed kernel time.

use crate::name::Framework;
use schemars::{JsonSchema, Schema, schema_for};
use serde::{Deserialize, Serialize};

/// The version of the format that this program reads.
pub const VERSION: u32 = 1;

/// One registry file: the fusions of one framework.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegistryFile {
    /// Version of the format; 1.
    pub version: u32,
    /// The framework whose fusions these are.
    pub framework: Framework,
    /// The fusions.
    pub entries: Vec<Entry>,
}

/// One fusion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Stable name in lower-case words joined by `-`, unique over all registries.
    pub id: String,
    /// Name in tables.
    pub name: String,
    /// Where the fusion stands.
    pub status: Status,
    /// Tokens of the fused kernel: any of them says that the fusion is in use.
    #[serde(default)]
    pub direct: Vec<String>,
    /// Groups of tokens of the separate kernels: when each group is met by a row of its own, the fusion is possible.
    #[serde(default)]
    pub split: Vec<Vec<String>>,
    /// Parts of model names that the fusion is for, any case; empty is every model.
    #[serde(default)]
    pub models: Vec<String>,
    /// Parts of model names that it is not for.
    #[serde(default)]
    pub not_models: Vec<String>,
    /// The least tensor parallelism at which it applies.
    #[serde(default)]
    pub min_tp: Option<u32>,
    /// Below this share, in percent, separate kernels are not worth a row.
    #[schemars(range(min = 0, max = 100))]
    pub min_share: f64,
    /// From this share on, in percent, an opportunity counts as confirmed.
    #[schemars(range(min = 0, max = 100))]
    pub likely_share: f64,
    /// Where two entries claim the same rows, the higher wins.
    #[serde(default)]
    pub priority: i32,
    /// Entries, by id, that this one makes pointless.
    #[serde(default)]
    pub subsumes: Vec<String>,
    /// Where the fused path lives: source files, or a pull request.
    pub paths: Vec<String>,
    /// The fields of a row in which tokens are looked for.
    #[serde(default = "default_fields", rename = "match")]
    pub fields: Vec<Field>,
    /// Which kernels become one, and why that saves time.
    pub rationale: String,
    /// What the entry rests on.
    pub source: String,
    /// Rows with the expected answer; a test runs them.
    #[serde(default)]
    pub examples: Vec<Example>,
}

/// Where a fusion stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// In the framework's main branch.
    Mainline,
    /// In another project that the framework builds on or borrows from.
    Upstream,
    /// An open pull request.
    InFlight,
}

/// A text of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// The kernel's own name with its namespaces; template arguments do not count.
    Kernel,
    /// The CPU op that launched it.
    Op,
    /// Its Python location.
    Path,
}

fn default_fields() -> Vec<Field> {
    vec![Field::Kernel, Field::Op]
}

/// Rows with the answer that an entry must give on them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// The expected answer.
    pub expect: Expect,
    /// The rows.
    pub rows: Vec<ExampleRow>,
    /// Model name; by default one that the entry is for.
    #[serde(default)]
    pub model: Option<String>,
}

/// The answer to an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    /// The fused kernel is in use.
    Fused,
    /// The separate kernels are there.
    Possible,
    /// Neither.
    Nothing,
}

/// One row of an example. Its category comes from the classifier; its time is 100 us.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExampleRow {
    /// Kernel name.
    pub kernel: String,
    /// CPU op.
    #[serde(default)]
    pub op: Option<String>,
    /// Python location.
    #[serde(default)]
    pub path: Option<String>,
}

/// The JSON schema of a registry file.
pub fn schema() -> Schema {
    schema_for!(RegistryFile)
}
