//! All views of one trace in one value.

use crate::analysis::Analysis;
use crate::fuse::{Context, Registry};
use crate::layers::{self, LayerError, LayerOptions, Passes};
use crate::pair::MappingCoverage;
use crate::view;
use crate::view::account::{self, GpuAccount};
use crate::view::answer::{self, Answer};
use crate::view::devices::{self, DeviceTotals};
use crate::view::diff::{self, Diff};
use crate::view::flame::{self, Flame};
use crate::view::flow::{self, Flow};
use crate::view::fuse::{self, FuseTable};
use crate::view::integrity::{self, Integrity};
use crate::view::kernels::{self, KernelTable};
use crate::view::launches::{self, LaunchStats};
use crate::view::layer_diff::{self, LayerDiff};
use crate::view::layers::{LayerReport, LayerTable};
use crate::view::ncu::NcuTable;
use crate::view::overlap::{self, OverlapTable};
use crate::view::passes::{self, PassTable};
use crate::view::ranks::Ranks;
use crate::view::roofline::{self, RoofOptions, Roofline};
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
    /// How much of the trace the mapping trace named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mapped: Option<MappingCoverage>,
    /// The model, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The file with the server's arguments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_args: Option<String>,
    /// Why that file could not be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_args_problem: Option<String>,
    /// Ranks of the tensor-parallel group, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tp: Option<u32>,
    /// Ranks that share the experts, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ep: Option<u32>,
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
    /// Forward passes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passes: Option<PassTable>,
    /// Layers of the chosen passes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layers: Option<LayerReport>,
    /// Kernels of one layer of each chosen pass, in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow: Option<Vec<Flow>>,
    /// Two layers of each chosen pass against each other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer_diff: Option<Vec<LayerDiff>>,
    /// The GPU's time, accounted for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<GpuAccount>,
    /// Launch statistics.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub launches: Option<LaunchStats>,
    /// Kernels against what the GPU could do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roofline: Option<Roofline>,
    /// Kernels that Nsight Compute measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ncu: Option<NcuTable>,
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
    /// forward passes, and which one is steady
    Passes = "passes";
    /// layers of the steady pass, one by one and by class
    Layers = "layers";
    /// kernels of one layer in order, with shapes
    Flow = "flow";
    /// where each nanosecond of the GPU went: busy, exposed communication, idle by cause
    Account = "account";
    /// launch delays, graph coverage, calls of the runtime
    Launches = "launches";
    /// kernels against the peaks of the GPU, and MFU; needs recorded shapes
    Roofline = "roofline";
    /// GPU time by stage, Python stack, CPU op and kernel
    Flame = "flame";
    /// ranks against each other by arrival; with `--rank all`, or for a trace of several devices
    Ranks = "ranks";
}

/// What views are made with beside the trace.
#[derive(Debug)]
pub struct With<'a> {
    /// Known fusions.
    pub registry: &'a Registry,
    /// What is known about the program that was profiled.
    pub context: Context<'a>,
    /// What is known about the model's layers.
    pub layers: LayerOptions,
    /// What is known about the GPU.
    pub roof: RoofOptions,
    /// The layer whose compute flow is shown; the one in the middle where it is absent.
    pub layer: Option<u32>,
    /// A layer to compare it with.
    pub other_layer: Option<u32>,
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
    ///
    /// # Errors
    /// [`LayerError`] if what the caller says about layers does not fit the trace.
    pub fn build(
        analysis: &Analysis<'_>,
        trace: String,
        views: &[ViewName],
        with: &With<'_>,
    ) -> Result<Self, LayerError> {
        let wants = |view| views.contains(&view);
        let integrity = integrity::build(analysis);
        let complete = kernels::complete(analysis);
        let fuse = wants(ViewName::Fuse).then(|| fuse::build(&complete, with.registry, &with.context));
        let kernels =
            wants(ViewName::Kernels).then(|| kernels::above_bar(complete, analysis.options.min_share));
        let found = if [ViewName::Passes, ViewName::Layers, ViewName::Flow, ViewName::Roofline]
            .into_iter()
            .any(wants)
        {
            Some(layers::find(analysis, &with.layers)?)
        } else {
            None
        };
        let report = found.as_ref().map(|found| view::layers::report(analysis, found, &with.layers));
        let both = found.as_ref().zip(report.as_ref());
        let roofline = wants(ViewName::Roofline).then(|| {
            let mut view = roofline::build(analysis, &with.roof);
            if let (None, Some((found, report))) = (&view.withheld, both) {
                view.layers = roofline::layers::build(analysis, &with.roof, found, report);
            }
            view
        });
        let flow = both.map(|(found, report)| flows(analysis, found, report, with.layer));
        let layer_diff = both.zip(with.other_layer).map(|((found, report), other)| {
            report
                .tables
                .iter()
                .filter_map(|table| two_layers(analysis, found, table, with.layer, other))
                .collect()
        });
        let devices = devices::build(analysis);
        let overlap = wants(ViewName::Overlap).then(|| overlap::build(analysis));
        let account = wants(ViewName::Account).then(|| account::build(analysis));
        let answer = kernels.as_ref().map(|kernels| {
            answer::build(&answer::Views {
                integrity: &integrity,
                devices: &devices,
                kernels,
                overlap: overlap.as_ref(),
                fuse: fuse.as_ref(),
                account: account.as_ref(),
            })
        });
        Ok(Self {
            mode: Mode::SingleTrace,
            trace,
            mapping: None,
            mapped: analysis.mapping_coverage(),
            framework: None,
            model: None,
            server_args: None,
            server_args_problem: None,
            tp: None,
            ep: None,
            other_ranks: 0,
            answer,
            integrity,
            devices,
            kernels,
            overlap,
            fuse,
            passes: found
                .as_ref()
                .filter(|_| wants(ViewName::Passes))
                .map(|found| passes::table(analysis, found)),
            layers: report.filter(|_| wants(ViewName::Layers)),
            flow: flow.filter(|_| wants(ViewName::Flow)),
            layer_diff,
            account,
            launches: wants(ViewName::Launches).then(|| launches::build(analysis)),
            roofline,
            ncu: None,
            ranks: None,
            steps: wants(ViewName::Steps).then(|| steps::build(analysis)),
            diff: None,
            flame: wants(ViewName::Flame).then(|| flame::build(analysis)),
        })
    }
}

impl Document {
    /// Adds the difference from `base`, which is shown as `name`.
    #[must_use]
    pub fn against(self, name: String, base: &Analysis<'_>, own: &Analysis<'_>) -> Self {
        Self { diff: Some(diff::build(name, base, own)), ..self }
    }
}

/// The wanted layer of each chosen pass, or the one in the middle: the first and the last are special more often.
fn flows(analysis: &Analysis<'_>, found: &Passes, report: &LayerReport, wanted: Option<u32>) -> Vec<Flow> {
    let of = |table: &LayerTable| flow::build(analysis, found, table.pass, wanted.unwrap_or(middle(table)));
    report.tables.iter().filter_map(of).collect()
}

fn middle(table: &LayerTable) -> u32 {
    u32::try_from(table.rows.len() / 2).unwrap_or_default()
}

fn two_layers(
    analysis: &Analysis<'_>,
    found: &Passes,
    table: &LayerTable,
    layer: Option<u32>,
    other: u32,
) -> Option<LayerDiff> {
    let layer = layer.unwrap_or(middle(table));
    layer_diff::build(analysis, found, (table.pass, layer), (table.pass, other))
}
