//! Table 1: where the time goes, kernel by kernel, each stage for itself.

use crate::analysis::Analysis;
use crate::name::{Category, canonical};
use crate::stage::Stage;
use crate::store::Ns;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// The kernel table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct KernelTable {
    /// Stages with work, in the order prefill, decode, mixed, unknown.
    pub sections: Vec<Section>,
}

/// One stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Section {
    /// The stage.
    pub stage: Stage,
    /// Sum of all durations of the stage, in ns: the denominator of every share in every table.
    pub total_ns: Ns,
    /// GPU events of the stage.
    pub launches: u64,
    /// Rows by time, longest first.
    pub rows: Vec<Row>,
    /// Rows below the bar, which are not in `rows`.
    pub hidden_rows: u64,
    /// Their time, in ns.
    pub hidden_ns: Ns,
    /// Time of each category, every row counted, most first.
    pub categories: Vec<CategoryTime>,
}

/// A category of one stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CategoryTime {
    /// The category.
    pub category: Category,
    /// Sum of durations, in ns.
    pub time_ns: Ns,
    /// Share of the stage's `total_ns`, in percent.
    pub share: f64,
}

/// One kernel of one stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Row {
    /// Its name: white space and addresses normalised, the parameter list left out.
    pub kernel: String,
    /// What it is.
    pub category: Category,
    /// Sum of durations, in ns.
    pub time_ns: Ns,
    /// Share of the stage's `total_ns`, in percent.
    pub share: f64,
    /// How often it ran.
    pub launches: u64,
    /// Mean duration, in ns.
    pub mean_ns: f64,
    /// Median duration, in ns: the smallest that at least half of the launches do not exceed.
    pub p50_ns: Ns,
    /// The same for 99 %, in ns.
    pub p99_ns: Ns,
    /// Longest, in ns.
    pub max_ns: Ns,
    /// Places in Python sources that launched it, most time first.
    pub sites: Vec<SiteShare>,
    /// Share of its launches that came from graph replays, in percent.
    pub graph_share: f64,
    /// The CPU op that most of its launches belong to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_op: Option<String>,
}

/// One place of a kernel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SiteShare {
    /// `file:line function`.
    pub site: String,
    /// Launches from here.
    pub launches: u64,
    /// Share of the kernel's time, in percent.
    pub share: f64,
}

/// Builds the table; rows below the bar are summed up.
pub fn build(analysis: &Analysis<'_>) -> KernelTable {
    above_bar(complete(analysis), analysis.options.min_share)
}

/// Keeps rows of at least `bar` percent and sums up the others.
pub fn above_bar(all: KernelTable, bar: f64) -> KernelTable {
    let cut = |mut section: Section| {
        let (shown, hidden): (Vec<Row>, Vec<Row>) =
            section.rows.into_iter().partition(|row| row.share >= bar);
        section.rows = shown;
        section.hidden_rows = hidden.len() as u64;
        section.hidden_ns = hidden.iter().map(|row| row.time_ns).sum();
        section
    };
    KernelTable { sections: all.sections.into_iter().map(cut).collect() }
}

/// Builds the table with every row.
pub fn complete(analysis: &Analysis<'_>) -> KernelTable {
    let mut groups: HashMap<(Stage, std::borrow::Cow<'_, str>), Group> = HashMap::new();
    let mut shown: HashMap<u32, std::borrow::Cow<'_, str>> = HashMap::new();
    for event in 0..analysis.len() {
        let name = analysis.trace.gpu.name[event];
        let kernel = shown.entry(name.0).or_insert_with(|| canonical(analysis.trace.text(name))).clone();
        groups.entry((analysis.stage(event), kernel)).or_default().add(analysis, event);
    }
    let mut rows: HashMap<Stage, Vec<Row>> = HashMap::new();
    for ((stage, kernel), group) in groups {
        rows.entry(stage).or_default().push(group.row(analysis, kernel.into_owned()));
    }
    let sections = Stage::ALL.into_iter().filter_map(|stage| Some(section(stage, rows.remove(&stage)?)));
    KernelTable { sections: sections.collect() }
}

fn section(stage: Stage, mut rows: Vec<Row>) -> Section {
    let total_ns: Ns = rows.iter().map(|row| row.time_ns).sum();
    for row in &mut rows {
        row.share = row.time_ns as f64 * 100.0 / total_ns as f64;
    }
    rows.sort_by(|a, b| b.time_ns.cmp(&a.time_ns).then_with(|| a.kernel.cmp(&b.kernel)));
    let launches = rows.iter().map(|row| row.launches).sum();
    let categories = categories(&rows, total_ns);
    Section { stage, total_ns, launches, rows, hidden_rows: 0, hidden_ns: 0, categories }
}

fn categories(rows: &[Row], total_ns: Ns) -> Vec<CategoryTime> {
    let mut sums: std::collections::BTreeMap<Category, Ns> = std::collections::BTreeMap::new();
    for row in rows {
        *sums.entry(row.category).or_default() += row.time_ns;
    }
    let share = |time_ns: Ns| time_ns as f64 * 100.0 / total_ns as f64;
    let times =
        sums.into_iter().map(|(category, time_ns)| CategoryTime { category, time_ns, share: share(time_ns) });
    let mut times: Vec<CategoryTime> = times.collect();
    times.sort_by_key(|time| std::cmp::Reverse(time.time_ns));
    times
}

/// All launches of one kernel in one stage.
#[derive(Default)]
struct Group {
    durations: Vec<Ns>,
    categories: HashMap<Category, Ns>,
    sites: HashMap<usize, (u64, Ns)>,
    ops: HashMap<String, u64>,
    in_graph: u64,
}

impl Group {
    fn add(&mut self, analysis: &Analysis<'_>, event: usize) {
        let dur = analysis.trace.gpu.dur[event];
        self.durations.push(dur);
        *self.categories.entry(analysis.category(event)).or_default() += dur;
        self.in_graph += u64::from(analysis.links.in_graph(event));
        if let Some(site) = analysis.site(event) {
            let (launches, time) = self.sites.entry(site).or_default();
            *launches += 1;
            *time += dur;
        }
        if let Some(op) = analysis.op_name(event) {
            match self.ops.get_mut(op) {
                Some(count) => *count += 1,
                None => {
                    self.ops.insert(op.to_owned(), 1);
                }
            }
        }
    }

    fn row(mut self, analysis: &Analysis<'_>, kernel: String) -> Row {
        self.durations.sort_unstable();
        let launches = self.durations.len() as u64;
        let time_ns: Ns = self.durations.iter().sum();
        let mut sites: Vec<SiteShare> = self
            .sites
            .iter()
            .map(|(&site, &(launches, time))| SiteShare {
                site: analysis.sites[site].to_string(),
                launches,
                share: time as f64 * 100.0 / time_ns as f64,
            })
            .collect();
        sites.sort_by(|a, b| b.share.total_cmp(&a.share).then_with(|| a.site.cmp(&b.site)));
        let op = self.ops.into_iter().max_by(|a, b| a.1.cmp(&b.1).then_with(|| b.0.cmp(&a.0)));
        let category =
            self.categories.into_iter().max_by_key(|&(category, time)| (time, std::cmp::Reverse(category)));
        Row {
            kernel,
            category: category.map_or(Category::Other, |(category, _)| category),
            time_ns,
            share: 0.0,
            launches,
            mean_ns: time_ns as f64 / launches as f64,
            p50_ns: at_rank(&self.durations, 50),
            p99_ns: at_rank(&self.durations, 99),
            max_ns: self.durations.last().copied().unwrap_or_default(),
            sites,
            graph_share: self.in_graph as f64 * 100.0 / launches as f64,
            cpu_op: op.map(|(op, _)| op),
        }
    }
}

/// The smallest value that at least `percent` of all do not exceed; `sorted` is not empty.
fn at_rank(sorted: &[Ns], percent: usize) -> Ns {
    sorted[(sorted.len() * percent).div_ceil(100).max(1) - 1]
}
