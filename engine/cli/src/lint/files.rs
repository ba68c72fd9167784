//! Which files are looked at.

use crate::context::Cx;
use crate::fail::Failure;
use crate::format::shell_word;
use crate::library::read_text;
use assay_manifest::absolute;
use assay_protocol::ExitCode;
use ignore::{WalkBuilder, WalkState};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// A file that may be checked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// The file, absolute; or the name given for standard input.
    pub file: PathBuf,
    /// It was named by the caller, so it is checked whatever it looks like.
    pub named: bool,
}

/// The name that stands for standard input.
pub const STDIN: &str = "-";

impl Target {
    /// Whether it is a `SKILL.md` rather than a manifest.
    pub fn is_skill_md(&self) -> bool {
        self.file.file_name().is_some_and(|name| name == "SKILL.md")
    }
}

/// Files named by `paths`, and those below folders among them, in order and each once. Below a folder, files that git
/// ignores, hidden ones and those that `exclude` names are left out.
pub fn collect(
    cx: &Cx,
    paths: &[String],
    exclude: &(dyn Fn(&Path) -> bool + Sync),
) -> Result<Vec<Target>, Failure> {
    let here = [".".to_owned()];
    let paths = if paths.is_empty() { &here[..] } else { paths };
    let mut found = Vec::new();
    for path in paths.iter().filter(|path| *path != STDIN) {
        let file = absolute(&cx.paths.cwd, path);
        if file.is_dir() {
            below(&file, exclude, &mut found);
        } else if file.is_file() {
            found.push(Target { file, named: true });
        } else {
            let failure = Failure::new(
                ExitCode::Nothing,
                "no-such-file",
                format!("there is no file or folder `{path}`"),
            );
            return Err(failure.help("name manifests, folders that hold some, or `-` for standard input"));
        }
    }
    found.sort_by(|a, b| (&a.file, !a.named).cmp(&(&b.file, !b.named)));
    found.dedup_by(|next, first| next.file == first.file);
    Ok(found)
}

fn below(folder: &Path, exclude: &(dyn Fn(&Path) -> bool + Sync), found: &mut Vec<Target>) {
    let list = Mutex::new(Vec::new());
    WalkBuilder::new(folder).require_git(false).build_parallel().run(|| {
        Box::new(|entry| {
            let Ok(entry) = entry else { return WalkState::Continue };
            let path = entry.path();
            if entry.file_type().is_some_and(|kind| kind.is_file()) && is_candidate(path) && !exclude(path) {
                // A panic elsewhere does not spoil a list.
                list.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(path.to_owned());
            }
            WalkState::Continue
        })
    });
    let list = list.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    found.extend(list.into_iter().map(|file| Target { file, named: false }));
}

/// A YAML file, or a `SKILL.md` that has no manifest beside it.
fn is_candidate(path: &Path) -> bool {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("yaml" | "yml") => true,
        Some("md") => {
            path.file_name().is_some_and(|name| name == "SKILL.md")
                && !path.with_file_name("skill.yaml").is_file()
        }
        _ => false,
    }
}

/// Whether a YAML file found below a folder is a manifest: it says so, or stands where manifests stand. Tasks of kernels are none;
/// `assay kernel check` looks at them.
pub fn is_manifest(path: &Path, text: &str) -> bool {
    if is_kernel_task(text) {
        return false;
    }
    let declares = |line: &str| line.strip_prefix("apiVersion:").is_some_and(|rest| rest.contains("assay"));
    path.file_name().is_some_and(|name| name == "skill.yaml") || text.lines().any(declares)
}

/// Whether a text says that it is a task of a kernel.
pub fn is_kernel_task(text: &str) -> bool {
    let kind = |line: &str| {
        let value = line.strip_prefix("kind:")?.split(" #").next()?;
        Some(value.trim().trim_matches(['"', '\'']) == "KernelTask")
    };
    text.lines().any(|line| kind(line).unwrap_or(false))
}

/// The first task of a kernel that the caller named, as an answer to who takes it for a manifest; below folders only where `found` says
/// that there is no manifest at all.
pub fn kernel_task(
    cx: &Cx,
    targets: &[Target],
    texts: &HashMap<PathBuf, String>,
    found: bool,
) -> Option<Failure> {
    let is_task = |target: &&Target| {
        let read = || read_text(&target.file).unwrap_or_default();
        (target.named || !found)
            && !target.is_skill_md()
            && is_kernel_task(&texts.get(&target.file).cloned().unwrap_or_else(read))
    };
    let task = targets.iter().find(is_task)?;
    let shown = cx.paths.shown(&task.file);
    Some(not_a_manifest(&shown, !texts.contains_key(&task.file)))
}

/// That a text is a task of a kernel, and who looks at those; what came on standard input has no path.
pub fn not_a_manifest(shown: &str, is_file: bool) -> Failure {
    let failure = Failure::usage(format!("`{shown}` is a kernel task (`kind: KernelTask`), not a manifest"));
    if !is_file {
        return failure.help("write it to a file; `assay kernel check PATH` checks it");
    }
    let command = format!("assay kernel check {}", shell_word(shown));
    failure
        .help(format!("`{command}` checks it; `assay explain kernel-task` says what a task holds"))
        .next(command, "checks the task")
}
