//! What types cannot say about a task. Each check says where, what is wrong, and the way out; all are told, but for
//! what would go with another.

mod launch;
mod limits;
mod tensors;

use super::{Axis, Scalar, Task, axes};
use crate::oracle;
use assay_diagnostics::did_you_mean;
use indexmap::IndexMap;
use std::path::{Component, Path};

/// Something wrong with a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::task) struct Problem {
    /// Keys and places of list elements, from the root.
    pub(in crate::task) path: Vec<String>,
    pub(in crate::task) message: String,
    pub(in crate::task) help: Option<String>,
}

type Checked = Result<(), Problem>;

/// Everything that was found.
#[derive(Default)]
struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, checked: Checked) {
        self.0.extend(checked.err());
    }

    /// Whether something is wrong in a part of the task.
    fn has(&self, part: &str) -> bool {
        self.0.iter().any(|problem| problem.path.first().is_some_and(|first| first == part))
    }
}

fn problem<T>(path: &[&str], message: impl Into<String>, help: &str) -> Result<T, Problem> {
    let help = (!help.is_empty()).then(|| help.to_owned());
    Err(Problem { path: path.iter().map(|part| (*part).to_owned()).collect(), message: message.into(), help })
}

/// Words of the expression grammar that cannot name an axis.
const RESERVED: [&str; 12] =
    ["and", "else", "false", "False", "if", "in", "is", "none", "None", "not", "or", "true"];

/// Everything but workloads, which have files of their own.
pub(in crate::task) fn check(task: &Task) -> Vec<Problem> {
    let mut all = Problems::default();
    head(task, &mut all);
    axes_of(task, &mut all);
    names(task, &mut all);
    all.add(oracle_of(task));
    limits::ranges(task, &mut all);
    baseline(task, &mut all);
    // Every size is written with axes.
    if all.has("axes") {
        return all.0;
    }
    tensors::inputs(task, &mut all);
    tensors::outputs(task, &mut all);
    all.add(launch::form(task));
    limits::tolerance(task, &mut all);
    for (at, reject) in task.reject.iter().enumerate() {
        all.add(limits::rejection(task, reject, &at.to_string()));
    }
    if let Some(roofline) = &task.roofline {
        all.add(expression(task, &roofline.bytes, &["roofline", "bytes"]));
        all.add(expression(task, &roofline.flops, &["roofline", "flops"]));
    }
    all.0
}

fn baseline(task: &Task, all: &mut Problems) {
    let path = &task.baseline.path;
    if path.as_os_str().is_empty() || path.is_absolute() {
        all.add(problem(
            &["baseline", "path"],
            "the baseline must lie beside the task",
            "give a relative path",
        ));
    }
    let file = task.baseline.file.as_deref().unwrap_or(Path::new("a"));
    let climbs = |path: &Path| path.components().any(|part| !matches!(part, Component::Normal(_)));
    if file.as_os_str().is_empty() || climbs(file) {
        all.add(problem(
            &["baseline", "file"],
            "the baseline's file must lie in its folder",
            "give its path from there",
        ));
    }
}

/// Whether a text is a name of the C language.
pub(in crate::task) fn is_identifier(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
}

fn head(task: &Task, all: &mut Problems) {
    if task.api_version != "assay/v1" {
        all.add(problem(
            &["apiVersion"],
            format!("`{}` is no version of this language", task.api_version),
            "write `apiVersion: assay/v1`",
        ));
    }
    if task.kind != "KernelTask" {
        all.add(problem(&["kind"], format!("`{}` is no kernel task", task.kind), "write `kind: KernelTask`"));
    }
    let named = task.name.starts_with(|first: char| first.is_ascii_lowercase())
        && task
            .name
            .chars()
            .all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || "_-".contains(char));
    if !named || task.name.len() > 64 {
        all.add(problem(
            &["name"],
            format!("`{}` cannot be a name", task.name),
            "use up to 64 of `a-z`, `0-9`, `_` and `-`, a letter first",
        ));
    }
    if task.description.trim().is_empty() {
        all.add(problem(
            &["description"],
            "the description is empty",
            "say in a sentence what the kernel computes",
        ));
    }
    if !is_identifier(&task.abi.symbol) {
        all.add(problem(
            &["abi", "symbol"],
            format!("`{}` is no C identifier", task.abi.symbol),
            "use letters, digits and `_`, no digit first",
        ));
    }
    if !task.abi.align.is_power_of_two() || task.abi.align > 4096 {
        all.add(problem(
            &["abi", "align"],
            format!("{} is no alignment", task.abi.align),
            "give a power of two from 1 to 4096",
        ));
    }
}

fn axes_of(task: &Task, all: &mut Problems) {
    if task.axes.is_empty() {
        all.add(problem(&["axes"], "there is no axis", "name at least one size that varies"));
    }
    task.axes.iter().for_each(|(name, axis)| all.add(axis_of(name, axis)));
}

fn axis_of(name: &str, axis: &Axis) -> Checked {
    if !is_identifier(name) || RESERVED.contains(&name) {
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
    Ok(())
}

fn expression(task: &Task, text: &str, path: &[&str]) -> Checked {
    axes::check(text, task.axes.keys().map(String::as_str))
        .or_else(|error| problem(path, error.to_string(), ""))
}

fn names(task: &Task, all: &mut Problems) {
    let inputs = task.inputs.keys().map(|name| ("inputs", name));
    let outputs = task.outputs.keys().map(|name| ("outputs", name));
    let scalars = task.scalars.keys().map(|name| ("scalars", name));
    let mut seen: IndexMap<&str, &str> = IndexMap::new();
    for (section, name) in inputs.chain(outputs).chain(scalars) {
        if !is_identifier(name) {
            all.add(problem(
                &[section, name],
                format!("`{name}` is no C identifier"),
                "use letters, digits and `_`, no digit first",
            ));
        }
        if let Some(before) = seen.insert(name, section) {
            all.add(problem(
                &[section, name],
                format!("`{name}` stands in `{before}` too"),
                "rename one of the two",
            ));
        }
    }
    task.scalars.iter().for_each(|(name, scalar)| all.add(values(name, scalar)));
}

/// Most values of a scalar: each is a shape more to check.
const MOST_VALUES: usize = 16;

fn values(name: &str, scalar: &Scalar) -> Checked {
    let path = ["scalars", name];
    let values = ["scalars", name, "values"];
    if scalar.value.is_some() && !scalar.values.is_empty() {
        return problem(&path, format!("`{name}` is given twice"), "keep `value` or `values`");
    }
    let all = scalar.all();
    if all.is_empty() {
        return problem(
            &path,
            format!("the scalar `{name}` has no value"),
            "write `value: 1.0e-6`, or `values: [1.0e-6, 1.0e-5]`: the first is measured, all are checked",
        );
    }
    if all.iter().any(|value| !value.is_finite()) {
        return problem(&path, format!("`{name}` is not finite"), "give a number");
    }
    if all.iter().enumerate().any(|(at, value)| all[..at].contains(value)) {
        return problem(&values, format!("`{name}` has a value twice"), "take one of them away");
    }
    if all.len() > MOST_VALUES {
        return problem(
            &values,
            format!("`{name}` has {} values", all.len()),
            &format!("give up to {MOST_VALUES}"),
        );
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

/// A measured shape: every axis, each with a size that it takes.
pub(in crate::task) fn sizes(
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
