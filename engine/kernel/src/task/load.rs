//! A task file to a task that can be judged: syntax, types, meaning, workloads, files, and whether the task asks for anything.

use super::check::{self, Problem};
use super::decode::Wrong;
use super::decode_all::decode_all;
use super::lock::{self, LockedFile};
use super::{Task, TaskError};
use crate::build::regular;
use crate::{case, oracle};
use assay_diagnostics::{SourceId, Sources, Span};
use assay_yaml::{Limits, Node};
use indexmap::IndexMap;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// A task is a page of text; aliases are not needed.
const LIMITS: Limits =
    Limits { bytes: 1 << 20, nodes: 20_000, depth: 16, aliases: 16, expanded_nodes: 40_000 };
/// Most measured shapes.
const MOST_SHAPES: usize = 1_000;

/// A task with everything that belongs to it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The task.
    pub task: Task,
    /// The folder that its paths count from.
    pub folder: PathBuf,
    /// Its file.
    pub file: PathBuf,
    /// What it is: SHA-256 over the task and the files that it names, in hexadecimal.
    pub digest: String,
    /// The files that it names.
    pub files: Vec<LockedFile>,
    /// The shapes that are measured.
    pub shapes: Vec<Shape>,
    /// Digest of the task's own file as it was read.
    pub(super) written: String,
}

/// A shape that is measured.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// Sizes by axis, in the order of the task's axes.
    pub axes: IndexMap<String, u64>,
    /// Whether it counts in the headline figure.
    #[serde(default = "yes")]
    pub headline: bool,
    /// What it is called elsewhere, in exported traces.
    #[serde(default)]
    pub uuid: Option<String>,
}

fn yes() -> bool {
    true
}

/// Loads a task and checks everything that can be checked without foreign code.
///
/// # Errors
/// Everything that is wrong and can be told at once, each with its file, line, column, and a way out: first all of the text, then all of
/// the types, then all of the meaning.
pub fn load(file: &Path) -> Result<Loaded, TaskError> {
    let text = read(file)?;
    let document = Document::parse(file, &text)?;
    let task: Task = decode_all(&document.root).map_err(|all| {
        let all = all.into_iter().map(|wrong| document.wrong(wrong)).collect();
        TaskError::of(all).unwrap_or_else(|| document.at(&[], "this is no task".to_owned(), None))
    })?;
    let folder =
        file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
    let (shapes, (digest, files)) = meant(&document, &task, &folder)?;
    for shape in &shapes {
        case::make(&task, case::Kind::Measured, &shape.axes, 0)?;
    }
    let written = lock::digest_of_text(&text);
    let loaded = Loaded { task, folder, file: file.to_owned(), digest, files, shapes, written };
    baseline(&document, &loaded)?;
    if loaded.task.oracle.builtin.is_some() {
        let at = |message: String| document.at(&["oracle"], message, None);
        let oracle = oracle::oracle(&loaded).map_err(|error| at(error.to_string()))?;
        super::lint(&loaded, oracle.as_ref())
            .map_err(|found| document.at(&found.path(), found.to_string(), found.help()))?;
    }
    Ok(loaded)
}

type Locked = (String, Vec<LockedFile>);

/// What the task means: its shapes, its digest and its files.
fn meant(document: &Document<'_>, task: &Task, folder: &Path) -> Result<(Vec<Shape>, Locked), TaskError> {
    let problems = check::check(task);
    let about = |part: &str| problems.iter().any(|problem| problem.path.first().is_some_and(|at| at == part));
    let mut found: Vec<TaskError> = problems.iter().map(|problem| document.problem(problem)).collect();
    let (mut measured, mut locked) = (Vec::new(), None);
    // A size is measured against the range of its axis, and a path is followed only below the task.
    if !about("axes") {
        match shapes(task, folder, document) {
            Ok(shapes) => measured = shapes,
            Err(all) => found.extend(all),
        }
    }
    if !about("baseline") {
        match lock::lock(task, folder) {
            Ok(all) => locked = Some(all),
            Err(error) => found.push(named(document, task, folder, error)),
        }
    }
    match (TaskError::of(found), locked) {
        (None, Some(locked)) => Ok((measured, locked)),
        (Some(error), _) => Err(error),
        // Without a digest something is wrong.
        (None, None) => Err(document.at(&["baseline"], "the baseline cannot be used".to_owned(), None)),
    }
}

impl Loaded {
    /// The baseline's source or library.
    pub fn baseline(&self) -> PathBuf {
        let at = self.folder.join(&self.task.baseline.path);
        self.task.baseline.file.as_ref().map_or(at.clone(), |file| at.join(file))
    }

    /// Digest of the baseline with everything that belongs to it, in hexadecimal, as it was when the task was loaded.
    pub fn baseline_sha(&self) -> String {
        lock::baseline_of(&self.task, &self.files)
    }
}

/// A baseline that is one file, or a file in a folder.
fn baseline(document: &Document<'_>, loaded: &Loaded) -> Result<(), TaskError> {
    let baseline = &loaded.task.baseline;
    let path = loaded.folder.join(&baseline.path);
    let shown = baseline.path.display();
    let (message, help) = match &baseline.file {
        None if path.is_dir() => (
            format!("the baseline `{shown}` is a folder"),
            "name its source there with `file`, such as `file: kernel.c`".to_owned(),
        ),
        Some(_) if path.is_file() => {
            (format!("the baseline `{shown}` is a file"), "take `file` away, or give a folder".to_owned())
        }
        Some(file) if !loaded.baseline().is_file() => (
            format!("the baseline's folder `{shown}` has no `{}`", file.display()),
            "give the path of its source from that folder".to_owned(),
        ),
        _ => return Ok(()),
    };
    Err(document.at(&["baseline", "path"], message, Some(help)))
}

/// A file that the task names and that cannot be read: at the line that names it.
fn named(document: &Document<'_>, task: &Task, folder: &Path, error: TaskError) -> TaskError {
    let TaskError::Read { path, source } = error else { return error };
    let shown = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
    if !path.starts_with(folder.join(&task.baseline.path)) {
        return TaskError::Read { path, source };
    }
    let message = format!("the baseline `{shown}` cannot be read: {source}");
    let help = "put a file or a folder there, or give its path from the task's folder".to_owned();
    document.at(&["baseline", "path"], message, Some(help))
}

fn read(path: &Path) -> Result<String, TaskError> {
    let failed = |source| TaskError::Read { path: path.to_owned(), source };
    regular(path).map_err(failed)?;
    let length = std::fs::metadata(path).map_err(failed)?.len();
    if length > LIMITS.bytes as u64 {
        return Err(failed(std::io::Error::other(format!(
            "{length} bytes are too many; at most {}",
            LIMITS.bytes
        ))));
    }
    std::fs::read_to_string(path).map_err(failed)
}

/// A task's text and tree, to name places.
struct Document<'a> {
    file: &'a Path,
    sources: Sources,
    root: Node,
}

impl<'a> Document<'a> {
    fn parse(file: &'a Path, text: &str) -> Result<Self, TaskError> {
        let mut sources = Sources::new();
        let source = sources.add(file.display().to_string(), text);
        let parsed = assay_yaml::parse(source, text, &LIMITS);
        let place =
            |span: Option<Span>| span.map_or((1, 1), |span| sources.line_column(span.source, span.start));
        let written = |span, message: String, help| {
            let (line, column) = place(span);
            TaskError::Written { file: file.to_owned(), line, column, message, help }
        };
        let all = parsed.diagnostics.iter();
        let all =
            all.map(|found| written(found.primary(), found.message.clone(), found.help.first().cloned()));
        if let Some(error) = TaskError::of(all.collect()) {
            return Err(error);
        }
        let Some(root) = parsed.root else {
            return Err(written(None, "the file holds no document".to_owned(), None));
        };
        Ok(Self { file, sources, root })
    }

    fn wrong(&self, wrong: Wrong) -> TaskError {
        self.written(wrong.span.unwrap_or(self.root.span), wrong.message, wrong.help)
    }

    fn problem(&self, problem: &Problem) -> TaskError {
        let path: Vec<&str> = problem.path.iter().map(String::as_str).collect();
        self.at(&path, problem.message.clone(), problem.help.clone())
    }

    /// An error at a path; where the path ends early, at the key before.
    fn at(&self, path: &[&str], message: String, help: Option<String>) -> TaskError {
        let (mut node, mut span) = (&self.root, self.root.span);
        for part in path {
            let next = match node.entry(part) {
                Some((key, value)) => {
                    span = key.span;
                    Some(value)
                }
                None => part
                    .parse()
                    .ok()
                    .and_then(|at: usize| node.as_sequence()?.get(at))
                    .inspect(|item| span = item.span),
            };
            let Some(next) = next else { break };
            node = next;
        }
        self.written(span, message, help)
    }

    fn written(&self, span: Span, message: String, help: Option<String>) -> TaskError {
        let (line, column) = self.sources.line_column(span.source, span.start);
        TaskError::Written { file: self.file.to_owned(), line, column, message, help }
    }
}

/// The measured shapes, or everything that is wrong with them.
fn shapes(task: &Task, folder: &Path, document: &Document<'_>) -> Result<Vec<Shape>, Vec<TaskError>> {
    let workloads = &task.workloads;
    let wrong = |path: &[&str], message: String, help: &str| {
        Err(vec![document.at(path, message, Some(help.to_owned()))])
    };
    let lines = match (&workloads.file, workloads.shapes.is_empty()) {
        (Some(file), true) => from_file(&folder.join(file))?,
        (None, false) => Vec::new(),
        (Some(_), false) => {
            return wrong(&["workloads"], "workloads are given twice".to_owned(), "keep `file` or `shapes`");
        }
        (None, true) => {
            let help = "give `shapes`, or a `file` with one shape per line";
            return wrong(&["workloads"], "nothing is measured".to_owned(), help);
        }
    };
    let named = workloads.uuids.len();
    if named > 0 && named != workloads.shapes.len() {
        let message = format!("{named} names are given for {} shapes", workloads.shapes.len());
        let help = "give one for each of `shapes`; in a `file` they stand in its lines";
        return wrong(&["workloads", "uuids"], message, help);
    }
    let in_place = workloads.shapes.iter().enumerate().map(|(at, axes)| {
        let uuid = workloads.uuids.get(at).cloned();
        (Place::Element(at), Shape { axes: axes.clone(), headline: true, uuid })
    });
    let given: Vec<_> =
        in_place.chain(lines.into_iter().map(|(line, shape)| (Place::Line(line), shape))).collect();
    let (mut shapes, mut found) = (Vec::new(), Vec::new());
    for (place, shape) in given {
        match taken(task, shape, &shapes) {
            Ok(shape) => shapes.push(shape),
            Err((axis, message, help)) => {
                let help = (!help.is_empty()).then_some(help);
                found.push(place.error(task, folder, document, axis.as_deref(), message, help));
            }
        }
    }
    if found.is_empty() && !shapes.iter().any(|shape| shape.headline) {
        let help = "leave `headline` out of at least one shape";
        return wrong(&["workloads"], "no shape counts in the headline".to_owned(), help);
    }
    if found.is_empty() { Ok(shapes) } else { Err(found) }
}

/// A shape with its sizes in the order of the axes; the axis, what is wrong and a way out if it cannot be measured beside the others.
fn taken(task: &Task, shape: Shape, others: &[Shape]) -> Result<Shape, (Option<String>, String, String)> {
    check::sizes(task, &shape.axes)?;
    let axes = task.axes.keys().filter_map(|axis| shape.axes.get_key_value(axis));
    let shape = Shape { axes: axes.map(|(axis, size)| (axis.clone(), *size)).collect(), ..shape };
    if others.iter().any(|other| other.axes == shape.axes) {
        return Err((None, "this shape is measured twice".to_owned(), "take one away".to_owned()));
    }
    Ok(shape)
}

/// Where a shape is written.
#[derive(Clone, Copy)]
enum Place {
    /// In the task, an element of `shapes`.
    Element(usize),
    /// In the file of workloads, a line from 1.
    Line(u32),
}

impl Place {
    fn error(
        self,
        task: &Task,
        folder: &Path,
        document: &Document<'_>,
        axis: Option<&str>,
        message: String,
        help: Option<String>,
    ) -> TaskError {
        match (self, &task.workloads.file) {
            (Self::Line(line), Some(file)) => {
                TaskError::Written { file: folder.join(file), line, column: 1, message, help }
            }
            (Self::Element(at), _) => {
                let at = at.to_string();
                let path: Vec<&str> = ["workloads", "shapes", &at].into_iter().chain(axis).collect();
                document.at(&path, message, help)
            }
            // Lines are those of a file.
            (Self::Line(_), None) => document.at(&["workloads"], message, help),
        }
    }
}

/// The shapes of a file with their lines, or everything that is wrong with its lines.
fn from_file(path: &Path) -> Result<Vec<(u32, Shape)>, Vec<TaskError>> {
    let text = read(path).map_err(|error| vec![error])?;
    let failed = |line: u32, column: usize, message: String, help: &str| TaskError::Written {
        file: path.to_owned(),
        line,
        column: u32::try_from(column).unwrap_or(u32::MAX),
        message,
        help: Some(help.to_owned()),
    };
    let (mut shapes, mut found) = (Vec::new(), Vec::new());
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        if shapes.len() + found.len() == MOST_SHAPES {
            found.push(failed(number, 1, format!("more than {MOST_SHAPES} shapes"), "measure fewer"));
            break;
        }
        match shape_of(line) {
            Ok(shape) => shapes.push((number, shape)),
            Err((column, message, help)) => found.push(failed(number, column, message, help)),
        }
    }
    match (found.is_empty(), shapes.is_empty()) {
        (false, _) => Err(found),
        (true, true) => {
            Err(vec![failed(1, 1, "the file holds no shape".to_owned(), "write one shape per line")])
        }
        (true, false) => Ok(shapes),
    }
}

/// A line of a file of workloads; the column, what is wrong and a way out if it is none.
fn shape_of(line: &str) -> Result<Shape, (usize, String, &'static str)> {
    let shape: Shape = serde_json::from_str(line).map_err(|error| {
        let message = error.to_string();
        let message =
            message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message).to_owned();
        (error.column().max(1), message, "a line is `{\"axes\": {\"R\": 512}, \"headline\": true}`")
    })?;
    // JSON is YAML, and this reader knows repeated keys.
    match assay_yaml::parse(SourceId(0), line, &LIMITS).diagnostics.first() {
        Some(found) => Err((1, found.message.clone(), "remove one of the two")),
        None => Ok(shape),
    }
}
