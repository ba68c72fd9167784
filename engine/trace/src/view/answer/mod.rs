//! The answer: what dominates this run in one sentence, and in another what to try next.
//!
//! It is drawn from the views that were built, and asks no trace itself. What the trace cannot carry is withheld.

mod next;

use super::account::{GpuAccount, Parts};
use super::devices::DeviceTotals;
use super::fuse::FuseTable;
use super::integrity::Integrity;
use super::kernels::{KernelTable, Section};
use super::overlap::OverlapTable;
use crate::stage::Stage;
use crate::store::Ns;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What matters most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Answer {
    /// One sentence.
    pub sentence: String,
    /// What to try next, one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Whether the trace cannot carry an answer; `sentence` says why.
    pub withheld: bool,
}

/// The views that an answer is drawn from; the more of them were built, the better it is.
#[derive(Debug, Clone, Copy)]
pub struct Views<'v> {
    /// What the tables stand on.
    pub integrity: &'v Integrity,
    /// Sums of each device.
    pub devices: &'v [DeviceTotals],
    /// Table 1.
    pub kernels: &'v KernelTable,
    /// Table 2.
    pub overlap: Option<&'v OverlapTable>,
    /// Table 3.
    pub fuse: Option<&'v FuseTable>,
    /// The account of GPU time.
    pub account: Option<&'v GpuAccount>,
}

/// Longest kernel name in an answer, in characters.
const NAME: usize = 60;

/// Answers, if the trace is sound.
pub fn build(views: &Views<'_>) -> Answer {
    let withheld = |sentence: String, next: Option<String>| Answer { sentence, next, withheld: true };
    if let Some(concern) = views.integrity.concerns.iter().find(|concern| concern.fatal) {
        return withheld(format!("No answer: {}.", concern.message), Some(concern.help.clone()));
    }
    let Some(largest) = views.kernels.sections.iter().max_by_key(|section| section.total_ns) else {
        return withheld("No answer: no kernel ran.".into(), None);
    };
    let whole = whole(views);
    let mut parts: Vec<String> = whole.iter().map(|whole| whole.clause("the trace")).collect();
    parts.extend(views.kernels.sections.iter().map(|section| clause(views, section)));
    let sentence = format!("{}.", capitalised(&parts.join("; ")));
    let next = next::build(views, largest, whole.is_some());
    Answer { sentence, next, withheld: false }
}

/// Something other than a kernel that takes more time than any kernel.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Rival {
    what: What,
    time_ns: Ns,
    window_ns: Ns,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Idle,
    Communication,
}

impl Rival {
    fn clause(&self, of: &str) -> String {
        let share = self.time_ns as f64 * 100.0 / self.window_ns.max(1) as f64;
        match self.what {
            What::Idle => format!("the GPU is idle for {share:.1} % of {of}"),
            What::Communication => {
                format!("communication that nothing runs beside takes {share:.1} % of {of}")
            }
        }
    }
}

/// What one stage is about.
fn clause(views: &Views<'_>, section: &Section) -> String {
    let stage = section.stage.title();
    let kernel = match section.rows.first() {
        Some(top) => format!(
            "`{}` ({}) takes {:.1} % of the kernel time",
            crate::name::display_within(&top.kernel, NAME),
            top.category.as_str(),
            top.share
        ),
        None => match section.categories.first() {
            Some(top) => {
                format!("no kernel reaches the bar, and {} takes {:.1} %", top.category.as_str(), top.share)
            }
            None => "no kernel took time".to_owned(),
        },
    };
    match rival(views, section) {
        Some(rival) => format!("in {stage} {}, and {kernel}", rival.clause("its steps")),
        None => format!("in {stage} {kernel}"),
    }
}

/// The time that others must exceed to be named: of the first kernel, or of the first category where none is shown.
fn top_ns(section: &Section) -> Ns {
    let category = || section.categories.first().map(|category| category.time_ns);
    section.rows.first().map(|row| row.time_ns).or_else(category).unwrap_or_default()
}

/// What takes more of a stage's steps than the stage's first kernel does.
fn rival(views: &Views<'_>, section: &Section) -> Option<Rival> {
    let top = top_ns(section);
    let (mut idle, mut exposed, mut window_ns) = (0, 0, 0);
    for parts in stage_parts(views, section.stage) {
        idle += parts.idle.ns;
        exposed += parts.communication_exposed.ns;
        window_ns += parts.window_ns;
    }
    let (what, time_ns) = if idle >= exposed { (What::Idle, idle) } else { (What::Communication, exposed) };
    (time_ns > top).then_some(Rival { what, time_ns, window_ns })
}

/// The account of a stage, one for each device.
fn stage_parts<'v>(views: &Views<'v>, stage: Stage) -> impl Iterator<Item = &'v Parts> {
    let devices = views.account.into_iter().flat_map(|account| &account.devices);
    let stages = devices.flat_map(|device| &device.stages);
    stages.filter(move |account| account.stage == stage).map(|account| &account.parts)
}

/// Idle time of the trace as a whole, where no account tells it by stage and it exceeds every kernel's time.
fn whole(views: &Views<'_>) -> Option<Rival> {
    let told =
        views.account.is_some_and(|account| account.devices.iter().any(|device| !device.stages.is_empty()));
    if told {
        return None;
    }
    let sum = |of: fn(&DeviceTotals) -> Ns| views.devices.iter().map(of).sum::<Ns>();
    let window_ns = sum(|device| device.window_ns);
    let time_ns = window_ns - sum(|device| device.busy_ns);
    let top = views.kernels.sections.iter().map(top_ns).max().unwrap_or_default();
    (time_ns > top).then_some(Rival { what: What::Idle, time_ns, window_ns })
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests;
