//! The line that is published: one JSON object per candidate and scenario.
//!
//! A row carries what it takes to believe it and to compare it: the outcome with its reason, whether the client itself was
//! fit to measure, repeats with intervals, digests of what must be equal, and the definition of each figure. Must not rank.
//!
//! What an outcome allows is enforced where rows are made and read, so its fields are private: no row is `ok` whose client
//! result is invalid, and no row that is not `ok` lacks a reason.

mod file;
mod limits;
mod measured;
mod outcome;
mod parts;

pub use file::{RowError, append, from_lines, read, to_line};
pub use limits::RowSla;
pub use measured::{Interval, RowMetrics, Sample};
pub use outcome::{Outcome, Status, Validity};
pub use parts::{
    Artifacts, Cache, CliFlags, Digests, Hardware, Memory, Normalization, PhaseMetrics, SpecDecode, Workload,
};

use crate::metrics::Metrics;
use crate::sla::{Reached, Sla, SlaVerdict};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;

/// Version of the row's shape.
pub const SCHEMA_VERSION: u32 = 1;

/// What the row is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// Serving framework, such as `vllm`.
    pub framework: String,
    /// Candidate within the search, unique for one framework.
    pub candidate_id: String,
    /// Model served.
    pub model: String,
}

/// One candidate's result in one scenario. Figures and facts that are not known are left out, never 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
#[schemars(!remote)]
pub struct Row {
    /// Version of this shape: 1.
    schema_version: u32,
    /// Serving framework, such as `vllm`.
    pub framework: String,
    /// Version that the framework reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub framework_version: Option<String>,
    /// Commit that the framework was built from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub framework_commit: Option<String>,
    /// Candidate within the search, unique for one framework.
    pub candidate_id: String,
    /// Model served.
    pub model: String,
    /// Type of weights and activations, such as `bfloat16`; `auto` where the framework took it from the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<String>,
    /// How the weights are quantised, such as `fp8` or `none`; `model default` where the framework took it from the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantization: Option<String>,
    /// What came of it.
    status: Status,
    /// Why the status is not `ok`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure_reason: Option<String>,
    /// Made to see whether everything works, with too few requests to mean anything: never ranked.
    pub rehearsal: bool,
    /// Whether the figures may be believed.
    validity: Validity,
    /// What it ran on.
    pub hardware: Hardware,
    /// What was asked.
    pub workload: Workload,
    /// Limits and whether they were met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sla: Option<RowSla>,
    /// Figures. With repeats each one is the median of its samples.
    pub metrics: RowMetrics,
    /// Measured runs that the figures come from; 0 where nothing was measured.
    pub repeats: u32,
    /// Figures of each run, in the order of the runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<Sample>,
    /// 95 % intervals by figure, for figures above 0 of at least three samples.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub intervals: BTreeMap<String, Interval>,
    /// What each figure in `metrics` means, by its name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub definitions: BTreeMap<String, String>,
    /// Digests of what must be equal between rows that are compared.
    #[serde(default)]
    pub digests: Digests,
    /// Speculative decoding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec_decode: Option<SpecDecode>,
    /// Time in each phase of the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase_metrics: Option<PhaseMetrics>,
    /// Prefix and KV cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<Cache>,
    /// Memory of the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    /// What was held equal between frameworks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub normalization: Option<Normalization>,
    /// Command that launched the server, without secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    server_command: Option<String>,
    /// Command that made the load, without secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    benchmark_command: Option<String>,
    /// Flags that were found in the help of the tools themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validated_cli_flags: Option<CliFlags>,
    /// Files that belong to it, relative to the run's folder.
    #[serde(default)]
    pub artifacts: Artifacts,
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let row = Self::deserialize(deserializer)?;
        row.check().map_err(serde::de::Error::custom)?;
        Ok(row)
    }
}

impl Row {
    /// A row without figures. `redact` takes secrets out of the reasons.
    ///
    /// # Errors
    /// [`RowError::Row`] if a name or a reason is blank.
    pub fn new(
        subject: Subject,
        outcome: Outcome,
        redact: &dyn Fn(&str) -> String,
    ) -> Result<Self, RowError> {
        let (status, failure_reason, validity) = outcome.into_parts(redact);
        let row = Self {
            schema_version: SCHEMA_VERSION,
            framework: subject.framework,
            framework_version: None,
            framework_commit: None,
            candidate_id: subject.candidate_id,
            model: subject.model,
            precision: None,
            quantization: None,
            status,
            failure_reason,
            rehearsal: false,
            validity,
            hardware: Hardware::default(),
            workload: Workload::default(),
            sla: None,
            metrics: RowMetrics::default(),
            repeats: 0,
            samples: Vec::new(),
            intervals: BTreeMap::new(),
            definitions: BTreeMap::new(),
            digests: Digests::default(),
            spec_decode: None,
            phase_metrics: None,
            cache: None,
            memory: None,
            normalization: None,
            server_command: None,
            benchmark_command: None,
            validated_cli_flags: None,
            artifacts: Artifacts::default(),
        };
        row.check().map_err(|problem| RowError::Row { problem })?;
        Ok(row)
    }

    /// Takes the figures of one or more runs of the same load, in the order of the runs, with what follows from them:
    /// medians, intervals and definitions.
    pub fn set_figures(&mut self, runs: &[Metrics]) {
        self.set_samples(runs.iter().map(|run| Sample { metrics: run.into(), position: None }).collect());
    }

    /// The same from figures that another client gave.
    pub fn set_samples(&mut self, samples: Vec<Sample>) {
        self.metrics = RowMetrics::median_of(&samples);
        self.intervals = measured::intervals(&samples);
        self.definitions = self.metrics.definitions();
        self.repeats = u32::try_from(samples.len()).unwrap_or(u32::MAX);
        self.samples = samples;
        if let Some(sla) = self.sla.take() {
            self.set_sla(sla.limits);
        }
    }

    /// Takes the limits and judges the figures by them.
    pub fn set_sla(&mut self, limits: Sla) {
        let passed = limits.judge(Reached::from(&self.metrics)).passed;
        self.sla = Some(RowSla { limits, passed });
    }

    /// Takes the commands. `redact` takes secrets out of them: what it returns is published.
    pub fn set_commands(
        &mut self,
        server: Option<&str>,
        benchmark: Option<&str>,
        redact: &dyn Fn(&str) -> String,
    ) {
        self.server_command = server.map(redact);
        self.benchmark_command = benchmark.map(redact);
    }

    /// What came of it.
    pub fn status(&self) -> Status {
        self.status
    }

    /// Why the status is not `ok`.
    pub fn failure_reason(&self) -> Option<&str> {
        self.failure_reason.as_deref()
    }

    /// Whether the figures may be believed.
    pub fn validity(&self) -> &Validity {
        &self.validity
    }

    /// Limits and the verdict that was written. Decide by [`Row::verdict`], which does not trust it.
    pub fn sla(&self) -> Option<&RowSla> {
        self.sla.as_ref()
    }

    /// Command that launched the server, without secrets.
    pub fn server_command(&self) -> Option<&str> {
        self.server_command.as_deref()
    }

    /// Command that made the load, without secrets.
    pub fn benchmark_command(&self) -> Option<&str> {
        self.benchmark_command.as_deref()
    }

    /// The verdict, computed from the row's limits and figures. The one that was written is not read.
    pub fn verdict(&self) -> SlaVerdict {
        self.sla.as_ref().map(|sla| sla.limits.judge(Reached::from(&self.metrics))).unwrap_or_default()
    }

    /// Whether the verdict that was written is not the one that the figures give.
    pub fn verdict_differs(&self) -> bool {
        self.sla.as_ref().is_some_and(|sla| sla.passed.is_some() && sla.passed != self.verdict().passed)
    }

    /// Whether it may win: it is `ok`, no rehearsal, and misses no limit.
    pub fn is_eligible(&self) -> bool {
        self.status == Status::Ok && !self.rehearsal && self.verdict().passed != Some(false)
    }

    /// The scenario that it is ranked in.
    pub fn scenario(&self) -> &str {
        let named = [&self.workload.scenario, &self.workload.kind];
        named.into_iter().flatten().map(|name| name.trim()).find(|name| !name.is_empty()).unwrap_or("default")
    }

    /// What is wrong with it, as a fragment of a sentence.
    fn check(&self) -> Result<(), String> {
        if self.schema_version != SCHEMA_VERSION {
            return Err(format!(
                "`schema_version` is {}, but this program knows {SCHEMA_VERSION}",
                self.schema_version
            ));
        }
        let names =
            [("framework", &self.framework), ("candidate_id", &self.candidate_id), ("model", &self.model)];
        if let Some((name, _)) = names.into_iter().find(|(_, value)| value.trim().is_empty()) {
            return Err(format!("`{name}` is empty"));
        }
        outcome::check(self.status, self.failure_reason.as_deref(), &self.validity)?;
        self.metrics.check()?;
        self.samples.iter().try_for_each(|sample| sample.metrics.check())
    }
}
