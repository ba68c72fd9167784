//! One concrete action, from the evidence that touches the most time.

use super::{Views, What, rival, stage_parts};
use crate::name::{Category, Lane, display_within};
use crate::stage::Stage;
use crate::store::Ns;
use crate::view::integrity::IDLE_CAUSES;
use crate::view::kernels::{Row, Section};
use crate::view::overlap::Priority;

/// Below this share of a stage a fusion is no patch that anyone reviews, in percent.
const WORTH_A_PATCH: f64 = 1.0;
/// Below this share of its steps the host is no bottleneck, in percent.
const HOST_BOUND: f64 = 5.0;

/// An action and the time that it could touch, in ns.
struct Action {
    stake_ns: Ns,
    text: String,
}

/// What to try. `largest` is the stage with the most kernel time; `idle` says that idle time dominates the whole trace.
pub(super) fn build(views: &Views<'_>, largest: &Section, idle: bool) -> Option<String> {
    let mut best: Option<Action> = None;
    // Of equal stakes the first one stays.
    for action in [overlap(views), fusion(views), host(views)].into_iter().flatten() {
        if best.as_ref().is_none_or(|known| action.stake_ns > known.stake_ns) {
            best = Some(action);
        }
    }
    let idle = idle || rival(views, largest).is_some_and(|rival| rival.what == What::Idle);
    let unexplained = || idle.then(|| explain_idle(views)).flatten();
    best.map(|action| action.text).or_else(unexplained).or_else(|| largest.rows.first().map(kernel))
}

/// The row of the overlap table with the highest priority and the most time alone. A product has nothing to hide
/// behind; what to do about it is said by its category.
fn overlap(views: &Views<'_>) -> Option<Action> {
    let sections = views.overlap?.sections.iter();
    let rows = sections.flat_map(|section| section.rows.iter().map(move |row| (section.stage, row)));
    let rows = rows.filter(|(_, row)| row.priority == Priority::P1 && row.lane != Lane::Compute);
    let (stage, row) = first_by(rows, |(_, row)| row.exclusive_ns)?;
    let name = display_within(&row.kernel, super::NAME);
    let idea = match row.lane {
        Lane::Communication => format!("Overlap `{name}` with compute that does not need its result"),
        _ => format!("Fuse `{name}` into a neighbour, or move it to a stream beside other work"),
    };
    let text = format!(
        "{idea}: in {} {:.0} % of its time runs alone, and few of its launches have a related neighbour close by.",
        stage.title(),
        row.exclusive
    );
    Some(Action { stake_ns: row.exclusive_ns, text })
}

/// The fusion that does not run yet and could touch the most time.
fn fusion(views: &Views<'_>) -> Option<Action> {
    let total = |stage: Stage| {
        let section = views.kernels.sections.iter().find(|section| section.stage == stage);
        section.map_or(0, |section| section.total_ns)
    };
    let sections = views.fuse?.sections.iter();
    let rows = sections.flat_map(|section| section.rows.iter().map(move |row| (section.stage, row)));
    let share = |stage, time: Ns| time as f64 * 100.0 / total(stage).max(1) as f64;
    let rows =
        rows.filter(|(stage, row)| !row.already_fused && share(*stage, row.unfused_ns) >= WORTH_A_PATCH);
    let (stage, row) = first_by(rows, |(_, row)| row.unfused_ns)?;
    let place = row.fused_paths.first().map_or_else(String::new, |path| format!(", which lives in `{path}`"));
    let text = format!(
        "Try the fusion `{}` of {}{place}: in {} its parts take {:.2} ms ({:.1} % of the kernel time) one by one.",
        row.pattern,
        row.framework,
        stage.title(),
        row.unfused_ns as f64 / 1e6,
        share(stage, row.unfused_ns)
    );
    Some(Action { stake_ns: row.unfused_ns, text })
}

/// The stage that waits longest for the host.
fn host(views: &Views<'_>) -> Option<Action> {
    let withheld = |verdict| views.integrity.reason_against(verdict).is_some();
    if withheld(IDLE_CAUSES) || withheld("launch-bound") {
        return None;
    }
    let stages = Stage::ALL.into_iter().filter_map(|stage| {
        let (mut bound, mut window) = (0, 0);
        for parts in stage_parts(views, stage) {
            bound += parts.idle_causes?.host_bound.ns;
            window += parts.window_ns;
        }
        Some((stage, bound, bound as f64 * 100.0 / window.max(1) as f64))
    });
    let (stage, stake_ns, share) = first_by(stages.filter(|&(_, _, share)| share >= HOST_BOUND), |of| of.1)?;
    let wait = format!("in {} the GPU waits for the host {share:.1} % of its steps", stage.title());
    let recorded = views.integrity.python_frames + views.integrity.builtin_frames > 0;
    let text = match recorded {
        true => format!(
            "Record again without Python stacks, which slow the host, and then launch earlier or replay graphs: {wait}."
        ),
        false => format!("Launch earlier or replay graphs: {wait}."),
    };
    Some(Action { stake_ns, text })
}

/// How to learn why the GPU idles, where nothing says it.
fn explain_idle(views: &Views<'_>) -> Option<String> {
    match (views.account, views.integrity.reason_against(IDLE_CAUSES)) {
        (_, Some(reason)) => Some(format!("Record again so that idle time has causes: {reason}.")),
        (None, None) => Some("Ask for the view `account`, which says why the GPU is idle.".into()),
        (Some(_), None) => None,
    }
}

/// What one does about a kernel of this kind.
fn kernel(row: &Row) -> String {
    let name = format!("`{}`", display_within(&row.kernel, super::NAME));
    match row.category {
        Category::Gemm => format!(
            "Check the shapes of {name} in the view `roofline`: far below the roof it wants another tile, batch or data type."
        ),
        Category::Attention => format!("Compare the attention backends on the shapes of {name}."),
        Category::HybridLinear => {
            format!("Compare the linear-attention kernels and their chunk sizes on the shapes of {name}.")
        }
        Category::Moe => {
            format!("Tune the expert kernels for this number of experts and tokens, beginning with {name}.")
        }
        Category::Communication => format!(
            "Compare the ranks by arrival (`--rank all`) before tuning {name}: a collective waits for the last one."
        ),
        Category::Memory => {
            format!("Find out who asks for {name}, and whether the data could stay where they are.")
        }
        Category::Norm
        | Category::Rope
        | Category::Softmax
        | Category::Activation
        | Category::Quantize
        | Category::Elementwise => {
            format!("Look for a fusion of {name} with its neighbours: it is bound by memory.")
        }
        Category::ReduceTopk | Category::SamplingIo => {
            format!("Compare the sampling backends, and batch what {name} prepares.")
        }
        Category::Other => format!("Find out what {name} is: nothing about its name says it."),
    }
}

/// The first of those with the largest stake.
fn first_by<T>(all: impl Iterator<Item = T>, stake: impl Fn(&T) -> Ns) -> Option<T> {
    all.fold(None, |best: Option<T>, next| match best {
        Some(best) if stake(&best) >= stake(&next) => Some(best),
        _ => Some(next),
    })
}
