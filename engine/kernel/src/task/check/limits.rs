//! What is allowed and what is refused: tolerances, rejections, timing, costs.

use super::{Checked, Problems, expression, problem};
use crate::task::{Cache, Reject, Task};
use assay_diagnostics::did_you_mean;

pub(super) fn tolerance(task: &Task, all: &mut Problems) {
    let tolerance = &task.tolerance;
    let path = |field| ["tolerance", field];
    if !tolerance.c_out.is_finite() || tolerance.c_out < 0.0 {
        all.add(problem(&path("c_out"), format!("{} is no allowance", tolerance.c_out), "0.5 is usual"));
    }
    // A bound of a quarter of the value accepts almost anything.
    for (name, output) in &task.outputs {
        let roundings = f64::from(output.roundings) + tolerance.c_out;
        let bound = roundings * output.dtype.unit_roundoff().unwrap_or(0.0);
        if bound > 0.25 {
            all.add(problem(
                &path("c_out"),
                format!("`{name}` may be wrong by {:.0} % of its value", bound * 100.0),
                "allow fewer roundings, or a finer type of the output",
            ));
        }
    }
    if !(1.0..=100.0).contains(&tolerance.rel_l2_vs_baseline) {
        all.add(problem(
            &path("rel_l2_vs_baseline"),
            format!("{} is no ratio from 1 to 100", tolerance.rel_l2_vs_baseline),
            "1.25 lets chance pass and a second rounding not",
        ));
    }
    if !(tolerance.max_bias_t > 0.0 && tolerance.max_bias_t <= 10.0) {
        all.add(problem(&path("max_bias_t"), format!("{} is no bias", tolerance.max_bias_t), "0.2 is usual"));
    }
    let Some(accum) = &tolerance.accum else { return };
    all.add(expression(task, &accum.n.0, &["tolerance", "accum", "n"]));
    if accum.unit.unit_roundoff().is_none() {
        all.add(problem(
            &["tolerance", "accum", "unit"],
            "sums of whole numbers have no roundoff",
            "name a float type",
        ));
    }
}

pub(super) fn rejection(task: &Task, reject: &Reject, at: &str) -> Checked {
    let given = reject.dtype.len() + reject.rank.len() + reject.wider.len() + reject.inner_stride.len();
    if given != 1 {
        return problem(
            &["reject", at],
            format!("{given} things are wrong in this call"),
            "make one thing wrong with one tensor, so that a refusal has one reason",
        );
    }
    let tensor = |name: &str| {
        let input = task.inputs.get(name).map(|input| (input.dtype, input.shape.len()));
        input.or_else(|| task.outputs.get(name).map(|output| (output.dtype, output.shape.len())))
    };
    let sections = [
        ("dtype", reject.dtype.keys().next()),
        ("rank", reject.rank.keys().next()),
        ("wider", reject.wider.keys().next()),
        ("inner_stride", reject.inner_stride.keys().next()),
    ];
    for (section, name) in sections {
        let Some(name) = name else { continue };
        let path = ["reject", at, section, name];
        let Some((dtype, rank)) = tensor(name) else {
            let known = task.inputs.keys().chain(task.outputs.keys()).map(String::as_str);
            let help =
                did_you_mean(name, known).map(|near| format!("did you mean `{near}`?")).unwrap_or_default();
            return problem(&path, format!("`{name}` is no tensor of the task"), &help);
        };
        let right = reject.dtype.get(name) == Some(&dtype)
            || reject.rank.get(name) == Some(&rank)
            || reject.wider.get(name) == Some(&0)
            || reject.inner_stride.get(name).is_some_and(|step| *step < 2);
        if right {
            return problem(
                &path,
                format!("nothing is wrong with `{name}` there"),
                "give what the task does not allow",
            );
        }
        let flat = rank == 0 && (section == "wider" || section == "inner_stride");
        if flat || reject.rank.get(name).is_some_and(|rank| *rank > 8) {
            return problem(&path, format!("`{name}` cannot be made wrong so"), "name another fault");
        }
    }
    Ok(())
}

pub(super) fn ranges(task: &Task, all: &mut Problems) {
    if task.hidden.odd.contains(&0) {
        all.add(problem(&["hidden", "odd"], "0 is no size", "sizes start at 1"));
    }
    if task.hidden.random > 1000 {
        all.add(problem(
            &["hidden", "random"],
            format!("{} shapes take too long", task.hidden.random),
            "draw up to 1000",
        ));
    }
    if task.hidden.max_elements == 0 {
        all.add(problem(&["hidden", "max_elements"], "no shape has 0 elements", "give at least 1"));
    }
    let timing = &task.timing;
    let least = [
        ("processes", timing.processes, 3),
        ("samples", timing.samples, 4),
        ("block_us", timing.block_us, 50),
        ("extend", timing.extend, 1),
    ];
    for (field, value, least) in least {
        if value < least {
            all.add(problem(
                &["timing", field],
                format!("{value} is too little to decide on"),
                &format!("give at least {least}"),
            ));
        }
    }
    let shares = [
        ("max_aa", timing.max_aa),
        ("min_effect", timing.min_effect),
        ("regress_limit", timing.regress_limit),
    ];
    for (field, share) in shares {
        if !(share > 0.0 && share < 1.0) {
            all.add(problem(
                &["timing", field],
                format!("{share} is no share"),
                "give a number between 0 and 1",
            ));
        }
    }
    all.add(lanes(task));
    for (at, text) in task.allow.kernels.iter().enumerate() {
        if regex::Regex::new(text).is_err() {
            let path = ["allow", "kernels", &at.to_string()];
            all.add(problem(&path, format!("`{text}` is no regular expression"), "for example `^rmsnorm`"));
        }
    }
    let limits = [
        ("call_ms", u64::from(task.limits.call_ms)),
        ("memory_mib", task.limits.memory_mib),
        ("total_s", u64::from(task.limits.total_s)),
    ];
    for (field, value) in limits {
        if value == 0 {
            all.add(problem(&["limits", field], "0 lets nothing run", "give at least 1"));
        }
    }
}

/// Lanes stand once, and cold ones are for devices.
fn lanes(task: &Task) -> Checked {
    let lanes = &task.timing.l2;
    if !task.abi.on_device() && lanes.contains(&Cache::Cold) {
        return problem(
            &["timing", "l2"],
            "caches are emptied only on a device, and not from an interpreter",
            "write `[hot]`, or leave it out",
        );
    }
    if (1..lanes.len()).any(|at| lanes[..at].contains(&lanes[at])) {
        return problem(&["timing", "l2"], "a lane stands twice", "for example `[cold, hot]`");
    }
    Ok(())
}
