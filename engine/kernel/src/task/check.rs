//! What types cannot say about a task. Each check says where, what is wrong, and the way out; the first one wins.

use super::axes;
use super::{Dist, Generator, Reject, Size, Task};
use crate::dtype::DType;
use crate::oracle;
use assay_diagnostics::did_you_mean;
use indexmap::IndexMap;

/// Something wrong with a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    /// Keys and places of list elements, from the root.
    pub(super) path: Vec<String>,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

type Checked = Result<(), Problem>;

fn problem<T>(path: &[&str], message: impl Into<String>, help: &str) -> Result<T, Problem> {
    let help = (!help.is_empty()).then(|| help.to_owned());
    Err(Problem { path: path.iter().map(|part| (*part).to_owned()).collect(), message: message.into(), help })
}

/// Words of the expression grammar that cannot name an axis.
const RESERVED: [&str; 12] =
    ["and", "else", "false", "False", "if", "in", "is", "none", "None", "not", "or", "true"];

/// Everything but workloads, which have files of their own.
pub(super) fn check(task: &Task) -> Checked {
    head(task)?;
    axes_of(task)?;
    inputs(task)?;
    outputs(task)?;
    names(task)?;
    oracle_of(task)?;
    tolerance(task)?;
    for (at, reject) in task.reject.iter().enumerate() {
        rejection(task, reject, &at.to_string())?;
    }
    ranges(task)?;
    let path = &task.baseline.path;
    if path.as_os_str().is_empty() || path.is_absolute() {
        return problem(
            &["baseline", "path"],
            "the baseline must lie beside the task",
            "give a relative path",
        );
    }
    let Some(roofline) = &task.roofline else { return Ok(()) };
    expression(task, &roofline.bytes, &["roofline", "bytes"])?;
    expression(task, &roofline.flops, &["roofline", "flops"])
}

/// Whether a text is a name of the C language.
pub(super) fn is_identifier(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
}

fn head(task: &Task) -> Checked {
    if task.api_version != "assay/v1" {
        return problem(
            &["apiVersion"],
            format!("`{}` is no version of this language", task.api_version),
            "write `apiVersion: assay/v1`",
        );
    }
    if task.kind != "KernelTask" {
        return problem(&["kind"], format!("`{}` is no kernel task", task.kind), "write `kind: KernelTask`");
    }
    let named = task.name.starts_with(|first: char| first.is_ascii_lowercase())
        && task
            .name
            .chars()
            .all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || "_-".contains(char));
    if !named || task.name.len() > 64 {
        return problem(
            &["name"],
            format!("`{}` cannot be a name", task.name),
            "use up to 64 of `a-z`, `0-9`, `_` and `-`, a letter first",
        );
    }
    if task.description.trim().is_empty() {
        return problem(
            &["description"],
            "the description is empty",
            "say in a sentence what the kernel computes",
        );
    }
    if !is_identifier(&task.abi.symbol) {
        return problem(
            &["abi", "symbol"],
            format!("`{}` is no C identifier", task.abi.symbol),
            "use letters, digits and `_`, no digit first",
        );
    }
    if !task.abi.align.is_power_of_two() || task.abi.align > 4096 {
        return problem(
            &["abi", "align"],
            format!("{} is no alignment", task.abi.align),
            "give a power of two from 1 to 4096",
        );
    }
    Ok(())
}

fn axes_of(task: &Task) -> Checked {
    if task.axes.is_empty() {
        return problem(&["axes"], "there is no axis", "name at least one size that varies");
    }
    for (name, axis) in &task.axes {
        if !is_identifier(name) || RESERVED.contains(&name.as_str()) {
            return problem(
                &["axes", name],
                format!("`{name}` cannot name an axis"),
                "use letters, digits and `_`",
            );
        }
        let [low, high] = axis.range;
        if low == 0 || low > high {
            return problem(
                &["axes", name, "range"],
                format!("[{low}, {high}] is no range of sizes"),
                "give the smallest size, from 1, then the largest",
            );
        }
        if axis.multiple_of == 0 || high / axis.multiple_of.max(1) * axis.multiple_of < low {
            return problem(
                &["axes", name, "multiple_of"],
                format!("no size in [{low}, {high}] is a multiple of {}", axis.multiple_of),
                "widen the range or give another multiple",
            );
        }
    }
    Ok(())
}

fn expression(task: &Task, text: &str, path: &[&str]) -> Checked {
    axes::check(text, task.axes.keys().map(String::as_str))
        .or_else(|error| problem(path, error.to_string(), ""))
}

fn shape(task: &Task, sizes: &[Size], path: &[&str]) -> Checked {
    if sizes.len() > 8 {
        return problem(path, format!("{} dimensions are too many", sizes.len()), "use up to 8");
    }
    for (at, size) in sizes.iter().enumerate() {
        let at = at.to_string();
        expression(task, &size.0, &[path, &[at.as_str()]].concat())?;
    }
    Ok(())
}

fn inputs(task: &Task) -> Checked {
    if task.inputs.is_empty() {
        return problem(&["inputs"], "there is no input", "name at least one");
    }
    for (name, input) in &task.inputs {
        shape(task, &input.shape, &["inputs", name, "shape"])?;
        generator(task, &input.generator, input.dtype, name)?;
    }
    Ok(())
}

fn generator(task: &Task, made: &Generator, dtype: DType, name: &str) -> Checked {
    let path = |field| ["inputs", name, "gen", field];
    if !made.mean.is_finite() {
        return problem(&path("mean"), "the mean is not finite", "give a number");
    }
    if !made.std.is_finite() || made.std < 0.0 {
        return problem(&path("std"), format!("{} is no spread", made.std), "give a number from 0");
    }
    if made.scales.is_empty() || made.scales.iter().any(|scale| !scale.is_finite() || *scale <= 0.0) {
        return problem(&path("scales"), "scales must be numbers above 0", "such as `[0.05, 1, 30]`");
    }
    expression(task, &made.low, &path("low"))?;
    expression(task, &made.high, &path("high"))?;
    if dtype.unit_roundoff().is_none() && made.dist != Dist::Integers {
        return problem(
            &path("dist"),
            format!("`{name}` holds whole numbers, and its distribution does not"),
            "write `dist: integers` with `low` and `high`",
        );
    }
    Ok(())
}

fn outputs(task: &Task) -> Checked {
    if task.outputs.is_empty() {
        return problem(&["outputs"], "there is no output", "name at least one");
    }
    for (name, output) in &task.outputs {
        shape(task, &output.shape, &["outputs", name, "shape"])?;
        if output.roundings == 0 || output.roundings > 64 {
            return problem(
                &["outputs", name, "roundings"],
                format!("{} roundings cannot be", output.roundings),
                "every result is rounded at least once; give 1 to 64",
            );
        }
    }
    let (Some((input, from)), Some((output, to))) = (task.inputs.first(), task.outputs.first()) else {
        return Ok(());
    };
    if task.abi.inplace_allowed && (from.dtype != to.dtype || from.shape != to.shape) {
        return problem(
            &["abi", "inplace_allowed"],
            format!("`{output}` cannot lie in the memory of `{input}`: another type or shape"),
            "take `inplace_allowed` away",
        );
    }
    Ok(())
}

fn names(task: &Task) -> Checked {
    let inputs = task.inputs.keys().map(|name| ("inputs", name));
    let outputs = task.outputs.keys().map(|name| ("outputs", name));
    let scalars = task.scalars.keys().map(|name| ("scalars", name));
    let mut seen: IndexMap<&str, &str> = IndexMap::new();
    for (section, name) in inputs.chain(outputs).chain(scalars) {
        if !is_identifier(name) {
            return problem(
                &[section, name],
                format!("`{name}` is no C identifier"),
                "use letters, digits and `_`, no digit first",
            );
        }
        if let Some(before) = seen.insert(name, section) {
            return problem(
                &[section, name],
                format!("`{name}` stands in `{before}` too"),
                "rename one of the two",
            );
        }
    }
    for (name, scalar) in &task.scalars {
        if !scalar.value.is_finite() {
            return problem(&["scalars", name, "value"], format!("`{name}` is not finite"), "give a number");
        }
    }
    Ok(())
}

fn oracle_of(task: &Task) -> Checked {
    let oracle = &task.oracle;
    match (&oracle.builtin, oracle.command.is_empty()) {
        (Some(_), false) => problem(&["oracle"], "the oracle is given twice", "keep `builtin` or `command`"),
        (None, true) => problem(
            &["oracle"],
            "nothing tells the right answers",
            "name a `builtin` function or the `command` of a program",
        ),
        (Some(name), true) => match oracle::names().any(|known| known == name) {
            true => Ok(()),
            false => {
                let near = did_you_mean(name, oracle::names()).map(|near| format!("did you mean `{near}`?"));
                let known = oracle::names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
                let help = near.unwrap_or_else(|| format!("known are {known}"));
                problem(&["oracle", "builtin"], format!("`{name}` does not ship with Assay"), &help)
            }
        },
        (None, false) => Ok(()),
    }
}

fn tolerance(task: &Task) -> Checked {
    let tolerance = &task.tolerance;
    let path = |field| ["tolerance", field];
    if !tolerance.c_out.is_finite() || tolerance.c_out < 0.0 {
        return problem(&path("c_out"), format!("{} is no allowance", tolerance.c_out), "0.5 is usual");
    }
    // A bound of a quarter of the value accepts almost anything.
    for (name, output) in &task.outputs {
        let roundings = f64::from(output.roundings) + tolerance.c_out;
        let bound = roundings * output.dtype.unit_roundoff().unwrap_or(0.0);
        if bound > 0.25 {
            return problem(
                &path("c_out"),
                format!("`{name}` may be wrong by {:.0} % of its value", bound * 100.0),
                "allow fewer roundings, or a finer type of the output",
            );
        }
    }
    if !(1.0..=100.0).contains(&tolerance.rel_l2_vs_baseline) {
        return problem(
            &path("rel_l2_vs_baseline"),
            format!("{} is no ratio from 1 to 100", tolerance.rel_l2_vs_baseline),
            "1.25 lets chance pass and a second rounding not",
        );
    }
    if !(tolerance.max_bias_t > 0.0 && tolerance.max_bias_t <= 10.0) {
        return problem(&path("max_bias_t"), format!("{} is no bias", tolerance.max_bias_t), "0.2 is usual");
    }
    let Some(accum) = &tolerance.accum else { return Ok(()) };
    expression(task, &accum.n.0, &["tolerance", "accum", "n"])?;
    if accum.unit.unit_roundoff().is_none() {
        return problem(
            &["tolerance", "accum", "unit"],
            "sums of whole numbers have no roundoff",
            "name a float type",
        );
    }
    Ok(())
}

fn rejection(task: &Task, reject: &Reject, at: &str) -> Checked {
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

fn ranges(task: &Task) -> Checked {
    if task.hidden.odd.contains(&0) {
        return problem(&["hidden", "odd"], "0 is no size", "sizes start at 1");
    }
    if task.hidden.random > 1000 {
        return problem(
            &["hidden", "random"],
            format!("{} shapes take too long", task.hidden.random),
            "draw up to 1000",
        );
    }
    if task.hidden.max_elements == 0 {
        return problem(&["hidden", "max_elements"], "no shape has 0 elements", "give at least 1");
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
            return problem(
                &["timing", field],
                format!("{value} is too little to decide on"),
                &format!("give at least {least}"),
            );
        }
    }
    let shares = [
        ("max_aa", timing.max_aa),
        ("min_effect", timing.min_effect),
        ("regress_limit", timing.regress_limit),
    ];
    for (field, share) in shares {
        if !(share > 0.0 && share < 1.0) {
            return problem(
                &["timing", field],
                format!("{share} is no share"),
                "give a number between 0 and 1",
            );
        }
    }
    let limits = [
        ("call_ms", u64::from(task.limits.call_ms)),
        ("memory_mib", task.limits.memory_mib),
        ("total_s", u64::from(task.limits.total_s)),
    ];
    for (field, value) in limits {
        if value == 0 {
            return problem(&["limits", field], "0 lets nothing run", "give at least 1");
        }
    }
    Ok(())
}

/// A measured shape: every axis, each with a size that it takes.
pub(super) fn sizes(
    task: &Task,
    shape: &IndexMap<String, u64>,
) -> Result<(), (Option<String>, String, String)> {
    for name in shape.keys() {
        if !task.axes.contains_key(name) {
            let near = did_you_mean(name, task.axes.keys().map(String::as_str));
            let help = near.map(|near| format!("did you mean `{near}`?")).unwrap_or_default();
            return Err((Some(name.clone()), format!("`{name}` is no axis"), help));
        }
    }
    for (name, axis) in &task.axes {
        let Some(size) = shape.get(name) else {
            return Err((None, format!("the size of `{name}` is missing"), format!("add `{name}`")));
        };
        let [low, high] = axis.range;
        if !(low..=high).contains(size) || size % axis.multiple_of != 0 {
            let multiple = if axis.multiple_of > 1 {
                format!(", a multiple of {}", axis.multiple_of)
            } else {
                String::new()
            };
            let message = format!("`{name}` cannot be {size}");
            return Err((Some(name.clone()), message, format!("its sizes are {low} to {high}{multiple}")));
        }
    }
    Ok(())
}
