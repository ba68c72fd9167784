//! The lock: what a task is, as digests, and whether it still is that.
//!
//! The digest covers the typed task as JSON and the contents of each file that it names. The order of keys counts, because the
//! order of inputs is the order of the call; comments and blanks do not.

use super::{Task, TaskError};
use crate::build::{beside, regular};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

/// Most files of a baseline's folder, and its deepest level: a task is a few sources, not a tree.
const MOST_FILES: usize = 1_000;
const DEEPEST: usize = 8;

/// A file that must not change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockedFile {
    /// Its path from the task's folder.
    pub path: PathBuf,
    /// Digest of its bytes, in hexadecimal.
    pub sha256: String,
}

/// Bytes as hexadecimal.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Digest of a file's bytes.
fn digest_of(path: &Path) -> io::Result<String> {
    regular(path)?;
    let (mut file, mut hash, mut buffer) = (std::fs::File::open(path)?, Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hash.finalize())),
            length => hash.update(&buffer[..length]),
        }
    }
}

/// Words of the oracle's command that look like files beside the task and are not there. A word may be anything, so this is a
/// suspicion: a relative path, or the name of a script.
pub fn missing(task: &Task, folder: &Path) -> Vec<String> {
    let scripts = ["py", "sh", "pl", "rb", "js", "lua", "jl"];
    let is_file = |word: &&String| {
        let path = Path::new(word.as_str());
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        let plain = !word.starts_with('-') && !word.contains(char::is_whitespace) && path.is_relative();
        plain && (word.contains('/') || scripts.contains(&ending))
    };
    let words = task.oracle.command.iter().filter(is_file);
    words.filter(|word| !folder.join(word.as_str()).is_file()).cloned().collect()
}

/// The files that a task names, in the order of their paths.
fn named(task: &Task, folder: &Path) -> Result<Vec<PathBuf>, TaskError> {
    let mut paths: Vec<PathBuf> = task.workloads.file.iter().cloned().collect();
    walk(folder, &home_of(task), 0, &mut paths)?;
    // A source alone is not all that is built: headers beside it belong to it.
    let source = folder.join(home_of(task));
    if source.is_file() {
        let all = beside::closure(&source)
            .map_err(|error| TaskError::Read { path: source.clone(), source: error })?;
        let others = all.iter().filter(|file| **file != source);
        paths.extend(others.filter_map(|file| Some(file.strip_prefix(folder).ok()?.to_owned())));
    }
    // Words of the oracle's command that are files beside the task, such as a script.
    let words = task.oracle.command.iter().map(PathBuf::from);
    for word in words.filter(|word| word.is_relative()) {
        let path = folder.join(&word);
        let Ok(facts) = std::fs::metadata(&path) else { continue };
        // A word that happens to be the name of a folder is no program; a pipe or a device would be read without end.
        if !facts.is_dir() {
            regular(&path).map_err(|source| TaskError::Read { path, source })?;
            paths.push(word);
        }
    }
    paths.sort();
    paths.dedup();
    Ok(paths)
}

/// The baseline's file or folder, without `.` in its path.
fn home_of(task: &Task) -> PathBuf {
    task.baseline.path.components().filter(|part| *part != Component::CurDir).collect()
}

fn walk(folder: &Path, path: &Path, depth: usize, paths: &mut Vec<PathBuf>) -> Result<(), TaskError> {
    let full = folder.join(path);
    let failed = |source: io::Error| TaskError::Read { path: full.clone(), source };
    let kind = std::fs::symlink_metadata(&full).map_err(failed)?.file_type();
    if kind.is_file() {
        paths.push(path.to_owned());
    } else if !kind.is_dir() {
        return Err(failed(io::Error::other("the lock holds only files and folders, no links")));
    } else if depth == DEEPEST || paths.len() > MOST_FILES {
        return Err(failed(io::Error::other(format!("more than {MOST_FILES} files or {DEEPEST} levels"))));
    } else {
        for entry in std::fs::read_dir(&full).map_err(failed)? {
            walk(folder, &path.join(entry.map_err(failed)?.file_name()), depth + 1, paths)?;
        }
    }
    Ok(())
}

fn lock_file(folder: &Path, path: &Path) -> Result<LockedFile, TaskError> {
    let full = folder.join(path);
    let sha256 = digest_of(&full).map_err(|source| TaskError::Read { path: full, source })?;
    Ok(LockedFile { path: path.to_owned(), sha256 })
}

/// Digest of the task, and the files that it names with theirs.
pub(super) fn lock(task: &Task, folder: &Path) -> Result<(String, Vec<LockedFile>), TaskError> {
    let files: Vec<LockedFile> =
        named(task, folder)?.iter().map(|path| lock_file(folder, path)).collect::<Result<_, _>>()?;
    let mut hash = Sha256::new();
    // Values of JSON always have a text.
    hash.update(serde_json::json!(task).to_string());
    for file in &files {
        hash.update(format!("\n{} {}", file.sha256, file.path.display()));
    }
    Ok((hex(&hash.finalize()), files))
}

impl super::Loaded {
    /// Files that are no longer what they were when the task was loaded, with the task's own first; empty when all are. A file
    /// that is gone, cannot be read, or came into the baseline's folder is among them.
    pub fn changed(&self) -> Vec<String> {
        let same =
            |file: &LockedFile| digest_of(&self.folder.join(&file.path)).is_ok_and(|now| now == file.sha256);
        let mut changed: Vec<String> = Vec::new();
        if digest_of(&self.file).ok().as_ref() != Some(&self.written) {
            changed.push(self.file.display().to_string());
        }
        changed
            .extend(self.files.iter().filter(|file| !same(file)).map(|file| file.path.display().to_string()));
        match named(&self.task, &self.folder) {
            Ok(now) => {
                let new = now.iter().filter(|path| !self.files.iter().any(|file| file.path == **path));
                changed.extend(new.map(|path| path.display().to_string()));
            }
            Err(error) if changed.is_empty() => changed.push(error.to_string()),
            Err(_) => {}
        }
        changed
    }
}

/// Digest of a baseline: of its file where it stands alone, otherwise over everything that belongs to it.
pub(super) fn baseline_of(task: &Task, files: &[LockedFile]) -> String {
    let path = home_of(task);
    // What a baseline of one file includes lies in that file's folder; a task has no other sources there.
    let others = task.workloads.file.iter().cloned().chain(task.oracle.command.iter().map(PathBuf::from));
    let others: Vec<PathBuf> = others.collect();
    let home = if files.iter().any(|file| file.path == path) { path.parent() } else { Some(path.as_path()) };
    let home = home.unwrap_or(Path::new(""));
    let mine: Vec<&LockedFile> =
        files.iter().filter(|file| file.path.starts_with(home) && !others.contains(&file.path)).collect();
    if let [only] = mine.as_slice() {
        return only.sha256.clone();
    }
    let list: String = mine
        .iter()
        .map(|file| {
            let name = file.path.strip_prefix(home).unwrap_or(&file.path);
            format!("{} {}\n", file.sha256, name.display())
        })
        .collect();
    digest_of_text(&list)
}

/// Digest of a text.
pub(super) fn digest_of_text(text: &str) -> String {
    hex(&Sha256::digest(text))
}
