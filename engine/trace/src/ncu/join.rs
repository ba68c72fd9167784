//! Launches that ncu profiled, in a trace of the whole program: how often the kernel ran there and how long.
//!
//! ncu runs one kernel at a time, at clocks of its own and with cold caches, so its duration differs from the trace's
//! by design; the ratio says by how much.

use super::{NcuKernel, digest};
use crate::analysis::Analysis;
use crate::name::{self, EventKind, canonical};
use crate::store::{Geometry, Ns};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// One profiled launch and its kernel in the trace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Joined {
    /// Number of the launch within ncu's report.
    pub id: u64,
    /// The kernel, as ncu prints it.
    pub kernel: String,
    /// Blocks in x, y and z.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grid: Option<[u32; 3]>,
    /// Threads of a block in x, y and z.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block: Option<[u32; 3]>,
    /// Kernels of the trace that it stands for, most launches first; more than one where only base names agree.
    pub matches: Vec<TraceKernel>,
    /// What agrees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matched_by: Option<MatchedBy>,
    /// Whether grid and block were compared too; `false` where one side does not say them.
    pub geometry_compared: bool,
    /// Launches of `matches` in all.
    pub launches: u64,
    /// Their mean duration, in ns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_mean_ns: Option<f64>,
    /// The duration under ncu, in ns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ncu_ns: Option<f64>,
    /// `ncu_ns` over `trace_mean_ns`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio: Option<f64>,
    /// Why there is no match.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withheld: Option<String>,
}

/// A kernel of the trace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TraceKernel {
    /// Its canonical name.
    pub kernel: String,
    /// Launches with this geometry.
    pub launches: u64,
    /// Their mean duration, in ns.
    pub mean_ns: f64,
}

/// What of two names agrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MatchedBy {
    /// The whole name.
    Name,
    /// The function, without types and parameters.
    BaseName,
}

/// Kernels of a trace of one name and geometry.
struct Group {
    name: String,
    base: Option<String>,
    geometry: Geometry,
    launches: u64,
    total: Ns,
}

/// Joins every profiled launch with the trace, in the order of `kernels`.
pub fn join(analysis: &Analysis<'_>, kernels: &[NcuKernel]) -> Vec<Joined> {
    let groups = groups(analysis);
    kernels.iter().map(|kernel| joined(kernel, &groups)).collect()
}

fn groups(analysis: &Analysis<'_>) -> Vec<Group> {
    let trace = analysis.trace;
    let mut sums: HashMap<(u32, u32), (u64, Ns)> = HashMap::new();
    for event in (0..analysis.len()).filter(|&event| trace.gpu.kind[event] == EventKind::Kernel) {
        let sum = sums.entry((trace.gpu.name[event].0, trace.gpu.geometry[event])).or_default();
        *sum = (sum.0 + 1, sum.1 + trace.gpu.dur[event]);
    }
    let group = |((name, geometry), (launches, total))| {
        let name = trace.text(crate::intern::NameId(name));
        let geometry = trace.geometries[geometry as usize];
        Group { name: canonical(name).into_owned(), base: base(name), geometry, launches, total }
    };
    let mut groups: Vec<Group> = sums.into_iter().map(group).collect();
    groups.sort_by(|a, b| {
        let key = |group: &Group| {
            (group.geometry.grid, group.geometry.block, group.geometry.registers, group.geometry.shared)
        };
        b.launches.cmp(&a.launches).then_with(|| a.name.cmp(&b.name)).then_with(|| key(a).cmp(&key(b)))
    });
    groups
}

fn joined(kernel: &NcuKernel, groups: &[Group]) -> Joined {
    let name = canonical(&kernel.kernel);
    let base = base(&kernel.kernel);
    let by_name: Vec<&Group> = groups.iter().filter(|group| group.name == name).collect();
    let by_base = || groups.iter().filter(|group| base.is_some() && group.base == base).collect();
    let mut result = Joined {
        id: kernel.id,
        kernel: kernel.kernel.clone(),
        grid: kernel.grid,
        block: kernel.block,
        matches: Vec::new(),
        matched_by: None,
        geometry_compared: false,
        launches: 0,
        trace_mean_ns: None,
        ncu_ns: digest(kernel).duration_ns,
        ratio: None,
        withheld: None,
    };
    let (named, matched_by) =
        if by_name.is_empty() { (by_base(), MatchedBy::BaseName) } else { (by_name, MatchedBy::Name) };
    if named.is_empty() {
        result.withheld = Some("no kernel of the trace has this name".into());
        return result;
    }
    let said = |group: &&&Group| group.geometry.grid != [0; 3];
    result.geometry_compared =
        kernel.grid.is_some() && kernel.block.is_some() && named.iter().any(|group| said(&group));
    let fits = |group: &&Group| {
        !result.geometry_compared
            || (kernel.grid == Some(group.geometry.grid) && kernel.block == Some(group.geometry.block))
    };
    let matching: Vec<&Group> = named.iter().copied().filter(fits).collect();
    if matching.is_empty() {
        result.withheld = Some("the trace has this kernel only with other grids or blocks".into());
        return result;
    }
    result.matched_by = Some(matched_by);
    fill(&mut result, &matching);
    result
}

fn fill(result: &mut Joined, groups: &[&Group]) {
    // The same name and geometry may differ in shared memory: one row for both.
    let mut rows: Vec<(&str, u64, Ns)> = Vec::new();
    for group in groups {
        match rows.iter_mut().find(|row| row.0 == group.name) {
            Some(row) => *row = (row.0, row.1 + group.launches, row.2 + group.total),
            None => rows.push((&group.name, group.launches, group.total)),
        }
    }
    rows.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    let mean = |total: Ns, launches: u64| total as f64 / launches as f64;
    let row = |&(name, launches, total): &(&str, u64, Ns)| TraceKernel {
        kernel: name.to_owned(),
        launches,
        mean_ns: mean(total, launches),
    };
    result.matches = rows.iter().map(row).collect();
    result.launches = rows.iter().map(|row| row.1).sum();
    let trace_mean = mean(rows.iter().map(|row| row.2).sum(), result.launches);
    result.trace_mean_ns = Some(trace_mean);
    result.ratio = result.ncu_ns.map(|ncu| ncu / trace_mean);
}

/// The function of a name, without return type, namespaces, types and parameters. None where nothing but a launch
/// wrapper is left.
fn base(name: &str) -> Option<String> {
    let function = name::base(name).name;
    (!function.is_empty() && !WRAPPERS.contains(&function.as_str())).then_some(function)
}

/// Functions that are named after nothing but being a kernel, where the type that they run is not written.
const WRAPPERS: [&str; 5] = ["device_kernel", "kernel", "Kernel", "Kernel2", "kentry"];
