//! The shapes of a judgement: those that are measured, and those that nobody can tune for.

use super::make::set;
use super::{Case, Kind, make};
use crate::generate::Stream;
use crate::task::{Axis, Loaded, Strides, Task, TaskError};
use indexmap::IndexMap;

type Sizes = IndexMap<String, u64>;

/// The shapes to check: measured, the smallest of them at other values of the scalars, hidden (odd sizes, and the ends of each axis),
/// random (from the seed, some beyond what is measured), a large one, then some of them with gaps. No shape occurs twice without gaps, but for
/// scalars.
///
/// Measured shapes have the first value of each scalar; where there are several, all others take the rest in turn.
///
/// Hidden and random shapes keep to the task's `max_elements`, as far as the ranges of its axes let them.
pub fn cases(loaded: &Loaded, seed: u64) -> Result<Vec<Case>, TaskError> {
    let task = &loaded.task;
    let mut seen: Vec<Sizes> = Vec::new();
    let mut cases = Vec::new();
    let mut settings = Settings::new(task);
    for shape in &loaded.shapes {
        cases.push(make(task, Kind::Measured, &shape.axes, 0)?);
        seen.push(shape.axes.clone());
    }
    if let Some(modest) = smallest(task, loaded)? {
        for setting in 1..task.settings() {
            cases.push(set(task, Kind::Scalar, modest, &[0], setting)?);
        }
    }
    let mut add = |kind, sizes: Sizes| -> Result<(), TaskError> {
        if !seen.contains(&sizes) {
            cases.push(set(task, kind, &sizes, &[0], settings.turn())?);
            seen.push(sizes);
        }
        Ok(())
    };
    for sizes in hidden(task, loaded)? {
        add(Kind::Hidden, sizes)?;
    }
    for sizes in ends(task)? {
        add(Kind::Hidden, sizes)?;
    }
    let mut stream = Stream::new(seed, "shapes");
    for sizes in beyond(task, loaded, &mut stream)? {
        add(Kind::Random, sizes)?;
    }
    for _ in 0..task.hidden.random {
        add(Kind::Random, random(task, &mut stream)?)?;
    }
    if let Some(sizes) = large(task, loaded, &mut stream)? {
        add(Kind::Large, sizes)?;
    }
    let strided = strided(task, &cases, &mut stream, &mut settings)?;
    cases.extend(strided);
    Ok(cases)
}

/// Where the shapes come from that each judgement draws anew. Those that coincide with others are left out, so there may be fewer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawn {
    /// So many over all ranges: `hidden.random` of the task.
    pub random: u32,
    /// One for each of these axes, between its largest measured size and the end of its range.
    pub beyond: Vec<String>,
}

impl Drawn {
    /// What is drawn for a task, beside a large shape.
    pub fn of(loaded: &Loaded) -> Self {
        let beyond =
            loaded.task.axes.iter().filter(|(name, axis)| most_measured(loaded, name, axis) < axis.range[1]);
        Self { random: loaded.task.hidden.random, beyond: beyond.map(|(name, _)| name.clone()).collect() }
    }
}

/// The largest measured size of an axis.
fn most_measured(loaded: &Loaded, name: &str, axis: &Axis) -> u64 {
    let measured = loaded.shapes.iter().filter_map(|shape| shape.axes.get(name)).max();
    measured.copied().unwrap_or(axis.range[0])
}

/// Settings of the scalars in turn, without the one that is measured where there is another.
struct Settings {
    all: usize,
    last: usize,
}

impl Settings {
    fn new(task: &Task) -> Self {
        Self { all: task.settings(), last: 0 }
    }

    fn turn(&mut self) -> usize {
        self.last = if self.last + 1 < self.all { self.last + 1 } else { usize::from(self.all > 1) };
        self.last
    }
}

/// The measured shape with the fewest elements.
fn smallest<'a>(task: &Task, loaded: &'a Loaded) -> Result<Option<&'a Sizes>, TaskError> {
    let mut smallest: Option<(usize, &Sizes)> = None;
    for shape in &loaded.shapes {
        let elements = largest(task, &shape.axes)?;
        if smallest.is_none_or(|(least, _)| elements < least) {
            smallest = Some((elements, &shape.axes));
        }
    }
    Ok(smallest.map(|(_, sizes)| sizes))
}

/// Each odd size on each axis that takes it, the others as in the smallest measured shape.
fn hidden(task: &Task, loaded: &Loaded) -> Result<Vec<Sizes>, TaskError> {
    let Some(modest) = smallest(task, loaded)? else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    for (name, axis) in &task.axes {
        for odd in task.hidden.odd.iter().filter(|odd| takes(axis, **odd)) {
            let mut sizes = modest.clone();
            sizes.insert(name.clone(), *odd);
            all.extend(cut(task, sizes, Some(name), task.hidden.max_elements)?);
        }
    }
    Ok(all)
}

/// Each axis at both ends of its range, the others small: a range is a promise, and nobody measures its ends.
fn ends(task: &Task) -> Result<Vec<Sizes>, TaskError> {
    let mut all = Vec::new();
    for (name, axis) in &task.axes {
        for end in axis.range {
            all.push(alone(task, name, end)?);
        }
    }
    Ok(all)
}

/// Each axis drawn between its largest measured size and the end of its range, the others small.
fn beyond(task: &Task, loaded: &Loaded, stream: &mut Stream) -> Result<Vec<Sizes>, TaskError> {
    let mut all = Vec::new();
    for (name, axis) in &task.axes {
        let from = most_measured(loaded, name, axis);
        let drawn = stream.uniform();
        if from < axis.range[1] {
            let size = from as f64 + drawn * (axis.range[1] - from) as f64;
            all.push(alone(task, name, size as u64)?);
        }
    }
    Ok(all)
}

/// One axis at this size, as far as the task's largest tensor lets it, the others at a size that keeps tensors small.
fn alone(task: &Task, name: &str, size: u64) -> Result<Sizes, TaskError> {
    let others = |few: u64| -> Sizes {
        task.axes
            .iter()
            .map(|(other, axis)| (other.clone(), near(axis, if other == name { size } else { few })))
            .collect()
    };
    // Two rows are the least that shows a kernel which mixes them up.
    let mut sizes = others(2);
    // A tensor grows with the axis or faster, so the part that fits is at most this.
    loop {
        let elements = largest(task, &sizes)? as u64;
        let most = task.hidden.max_elements;
        let (Some(axis), Some(&now)) = (task.axes.get(name), sizes.get(name)) else { break };
        if elements <= most {
            break;
        }
        let part = u128::from(now) * u128::from(most) / u128::from(elements);
        let then = near(axis, u64::try_from(part).unwrap_or(now));
        if then >= now {
            break;
        }
        sizes.insert(name.to_owned(), then);
    }
    Ok(sizes)
}

fn takes(axis: &Axis, size: u64) -> bool {
    (axis.range[0]..=axis.range[1]).contains(&size) && size.is_multiple_of(axis.multiple_of)
}

/// The largest size up to this one that an axis takes, or its smallest.
fn near(axis: &Axis, size: u64) -> u64 {
    let least = axis.range[0].div_ceil(axis.multiple_of) * axis.multiple_of;
    (size / axis.multiple_of * axis.multiple_of).clamp(least, axis.range[1])
}

/// Elements of the largest tensor.
fn largest(task: &Task, sizes: &Sizes) -> Result<usize, TaskError> {
    let case = make(task, Kind::Hidden, sizes, 0)?;
    Ok(case.tensors.iter().map(|tensor| tensor.layout.len()).max().unwrap_or(0))
}

/// Halves the largest of the other axes until no tensor has more elements; nothing if `keep` alone is too much.
fn cut(task: &Task, mut sizes: Sizes, keep: Option<&str>, most: u64) -> Result<Option<Sizes>, TaskError> {
    while largest(task, &sizes)? as u64 > most {
        let others = task.axes.iter().filter(|(name, _)| Some(name.as_str()) != keep);
        let smaller = others.filter_map(|(name, axis)| {
            let now = *sizes.get(name)?;
            let then = near(axis, now / 2);
            (then < now).then_some((now, name, then))
        });
        let Some((_, name, then)) = smaller.max_by_key(|(now, _, _)| *now) else { return Ok(None) };
        sizes.insert(name.clone(), then);
    }
    Ok(Some(sizes))
}

/// Each axis drawn evenly over the logarithm of its range, so that small sizes are as likely as large ones.
fn drawn(task: &Task, stream: &mut Stream) -> Sizes {
    let mut sizes = Sizes::new();
    for (name, axis) in &task.axes {
        let [low, high] = axis.range.map(|size| size as f64);
        let drawn = (low.ln() + stream.uniform() * (high.ln() - low.ln())).exp().round();
        sizes.insert(name.clone(), near(axis, (drawn as u64).clamp(axis.range[0], axis.range[1])));
    }
    sizes
}

/// As [`drawn`], within what hidden shapes may have.
fn random(task: &Task, stream: &mut Stream) -> Result<Sizes, TaskError> {
    let sizes = drawn(task, stream);
    let elements = sizes.clone();
    // At its smallest sizes a task may still be too large; then that is its shape.
    Ok(cut(task, sizes, None, task.hidden.max_elements)?.unwrap_or_else(|| {
        elements
            .keys()
            .map(|name| (name.clone(), task.axes.get(name).map_or(1, |axis| near(axis, 0))))
            .collect()
    }))
}

/// One shape beyond what the others keep to, since a range promises more: up to eight times as large as hidden and random shapes may be,
/// or as large as what is measured, give or take, where that is larger. Nothing where the ranges end before.
fn large(task: &Task, loaded: &Loaded, stream: &mut Stream) -> Result<Option<Sizes>, TaskError> {
    let most = task.hidden.max_elements as f64;
    let mut measured = 0.0;
    for shape in &loaded.shapes {
        measured = f64::max(measured, largest(task, &shape.axes)? as f64);
    }
    // Halving leaves more than a half of the target.
    let (least, doublings) = (f64::max(2.0 * most, 0.7 * measured), if measured > most { 1.0 } else { 2.0 });
    let target = (least * (doublings * stream.uniform()).exp2()) as u64;
    let mut sizes = drawn(task, stream);
    while largest(task, &sizes)? as u64 <= target / 2 {
        // The axis that is shortest, as a share of its range.
        let longer = task.axes.iter().filter_map(|(name, axis)| {
            let now = *sizes.get(name)?;
            let then = near(axis, now.saturating_mul(2));
            (then > now).then_some((now as f64 / axis.range[1] as f64, name, then))
        });
        let Some((_, name, then)) = longer.min_by(|one, other| one.0.total_cmp(&other.0)) else { break };
        sizes.insert(name.clone(), then);
    }
    let sizes = cut(task, sizes, None, target)?;
    Ok(match sizes {
        Some(sizes) if largest(task, &sizes)? as f64 > most => Some(sizes),
        _ => None,
    })
}

/// Gaps behind the rows of the smallest shape of each kind: the same for all tensors, so that vectors stay aligned and an output can
/// lie in an input's memory; then others for each, and none for some; then drawn.
fn strided(
    task: &Task,
    cases: &[Case],
    stream: &mut Stream,
    settings: &mut Settings,
) -> Result<Vec<Case>, TaskError> {
    let padded = |strides: Strides, rank: usize| strides == Strides::RowPaddedOk && rank > 1;
    let any = task.inputs.values().any(|one| padded(one.strides, one.shape.len()))
        || task.outputs.values().any(|one| padded(one.strides, one.shape.len()));
    if !any {
        return Ok(Vec::new());
    }
    let mut all = Vec::new();
    let one = 1 + stream.below(63) as usize;
    let other = (one + 1 + stream.below(62) as usize) % 64;
    let gaps = [(Kind::Measured, vec![8]), (Kind::Hidden, vec![3, 0, 5]), (Kind::Random, vec![one, other])];
    for (kind, gaps) in gaps {
        // A gap is seen only behind a row that is not the last.
        let of_kind = cases.iter().filter(|case| case.kind == kind && has_rows(case));
        let elements = |case: &&Case| case.tensors.iter().map(|tensor| tensor.layout.len()).sum::<usize>();
        if let Some(case) = of_kind.min_by_key(elements) {
            all.push(set(task, Kind::Strided, &case.axes, &gaps, settings.turn())?);
        }
    }
    Ok(all)
}

fn has_rows(case: &Case) -> bool {
    case.tensors.iter().any(|tensor| {
        let shape = &tensor.layout.shape;
        shape.len() > 1 && shape[..shape.len() - 1].iter().product::<usize>() > 1
    })
}
