//! All views of one trace in one value.

use crate::analysis::Analysis;
use crate::fuse::{Context, Registry};
use crate::view::account::{self, GpuAccount};
use crate::view::answer::{self, Answer};
use crate::view::devices::{self, DeviceTotals};
use crate::view::diff::{self, Diff};
use crate::view::flame::{self, Flame};
use crate::view::fuse::{self, FuseTable};
use crate::view::integrity::{self, Integrity};
use crate::view::kernels::{self, KernelTable};
use crate::view::launches::{self, LaunchStats};
use crate::view::overlap::{self, OverlapTable};
use crate::view::ranks::Ranks;
use crate::view::steps::{self, StepRow};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether one trace was read or two.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// One trace.
    #[default]
    SingleTrace,
    /// A readable trace without graphs names the kernels of the served one.
    MappingFormal,
}

/// What a trace shows. Times are whole nanoseconds, shares are percent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Document {
    /// Whether one trace was read or two.
    pub mode: Mode,
    /// The trace's file.
    pub trace: String,
    /// The mapping trace's file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mapping: Option<String>,
    /// The serving framework, where something proves it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub framework: Option<String>,
    /// The model, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Traces of other ranks beside this one that are not in these tables.
    pub other_ranks: u64,
    /// What dominates, and what to try next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
    /// What the tables stand on.
    pub integrity: Integrity,
    /// Exact sums of each device.
    pub devices: Vec<DeviceTotals>,
    /// Table 1: kernels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernels: Option<KernelTable>,
    /// Table 2: what could run beside something else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlap: Option<OverlapTable>,
    /// Table 3: known fusions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fuse: Option<FuseTable>,
    /// Steps of the engine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<Vec<StepRow>>,
    /// The GPU's time, accounted for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<GpuAccount>,
    /// Launch statistics.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub launches: Option<LaunchStats>,
    /// Ranks against each other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ranks: Option<Ranks>,
    /// The difference from another trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff: Option<Diff>,
    /// GPU time by program path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flame: Option<Flame>,
}

macro_rules! views {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal;)*) => {
        /// A view that can be asked for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ViewName { $($(#[doc = $doc])* $variant,)* }

        impl ViewName {
            /// All, in the order of reports.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Its name as typed.
            pub fn name(self) -> &'static str { match self { $(Self::$variant => $name),* } }

            /// What it shows, in one line.
            pub fn summary(self) -> &'static str { match self { $(Self::$variant => concat!($($doc),*).trim_ascii()),* } }
        }
    };
}

views! {
    /// where the time goes, kernel by kernel
    Kernels = "kernels";
    /// what could run beside something else, and what is hidden already
    Overlap = "overlap";
    /// known fusions: which run, and which could
    Fuse = "fuse";
    /// steps of the engine and the GPU's share in each
    Steps = "steps";
    /// where each nanosecond of the GPU went: busy, exposed communication, idle by cause
    Account = "account";
    /// launch delays, graph coverage, calls of the runtime
    Launches = "launches";
    /// GPU time by stage, Python stack, CPU op and kernel
    Flame = "flame";
    /// ranks against each other by arrival; with `--rank all`, or for a trace of several devices
    Ranks = "ranks";
}

impl ViewName {
    /// The tables of a triage.
    pub const TRIAGE: &'static [Self] = &[Self::Kernels, Self::Overlap, Self::Fuse];

    /// The views that a word stands for: a view's name, `triage` or `all`.
    pub fn named(word: &str) -> Option<Vec<Self>> {
        match word {
            "all" => Some(Self::ALL.to_vec()),
            "triage" => Some(Self::TRIAGE.to_vec()),
            name => Self::ALL.iter().find(|view| view.name() == name).map(|view| vec![*view]),
        }
    }

    /// Every word of [`Self::named`], in backticks.
    pub fn known() -> Vec<String> {
        let names = Self::ALL.iter().map(|view| view.name());
        ["all", "triage"].into_iter().chain(names).map(|name| format!("`{name}`")).collect()
    }
}

impl Document {
    /// Builds the views asked for; integrity and devices are always there.
    pub fn build(
        analysis: &Analysis<'_>,
        trace: String,
        views: &[ViewName],
        registry: &Registry,
        context: &Context<'_>,
    ) -> Self {
        let wants = |view| views.contains(&view);
        let integrity = integrity::build(analysis);
        let complete = kernels::complete(analysis);
        let fuse = wants(ViewName::Fuse).then(|| fuse::build(&complete, registry, context));
        let kernels =
            wants(ViewName::Kernels).then(|| kernels::above_bar(complete, analysis.options.min_share));
        Self {
            mode: Mode::SingleTrace,
            trace,
            mapping: None,
            framework: None,
            model: None,
            other_ranks: 0,
            answer: kernels.as_ref().map(|kernels| answer::build(&integrity, kernels)),
            integrity,
            devices: devices::build(analysis),
            kernels,
            overlap: wants(ViewName::Overlap).then(|| overlap::build(analysis)),
            fuse,
            account: wants(ViewName::Account).then(|| account::build(analysis)),
            launches: wants(ViewName::Launches).then(|| launches::build(analysis)),
            ranks: None,
            steps: wants(ViewName::Steps).then(|| steps::build(analysis)),
            diff: None,
            flame: wants(ViewName::Flame).then(|| flame::build(analysis)),
        }
    }
}

impl Document {
    /// Adds the difference from `base`, which is shown as `name`.
    #[must_use]
    pub fn against(self, name: String, base: &Analysis<'_>, own: &Analysis<'_>) -> Self {
        Self { diff: Some(diff::build(name, base, own)), ..self }
    }
}
