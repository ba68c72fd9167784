//! A folder of traces: which files are traces, which belong to one capture, and which of them to read.
//!
//! Only beginnings of files are looked at; nothing is parsed whole. What a file's name claims about its stage is
//! reported and never applied: the content decides.

mod captures;
mod context;
mod label;
mod sniff;

pub use context::Context;

use crate::error::TraceError;
use crate::stage::Stage;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// A file that holds a trace, as far as its beginning tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TraceFile {
    /// The file.
    pub path: PathBuf,
    /// The rank that its name says, or else its head.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rank: Option<u32>,
    /// The stage that its name claims.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claims: Option<Stage>,
    /// Size on disk, in bytes.
    pub bytes: u64,
    /// When it was captured, in Unix nanoseconds: from its name, or else when it was last written.
    pub time: i64,
}

/// Files that were written by one capture: one for each rank and, with some engines, for each stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Capture {
    /// Files by rank, then by name.
    pub files: Vec<TraceFile>,
}

impl Capture {
    /// When it was made, in Unix nanoseconds: its newest file.
    pub fn time(&self) -> i64 {
        self.files.iter().map(|file| file.time).max().unwrap_or_default()
    }

    /// The ranks of its files, each once, in order.
    pub fn ranks(&self) -> Vec<u32> {
        let mut ranks: Vec<u32> = self.files.iter().filter_map(|file| file.rank).collect();
        ranks.sort_unstable();
        ranks.dedup();
        ranks
    }

    /// The files to read. One rank gives one file for each stage that names claim; ranks of a data-parallel group
    /// share their number, and the first by name stands for all. Files without a rank count as the lowest.
    pub fn choose(&self, ranks: Ranks) -> Vec<&TraceFile> {
        let wanted = match ranks {
            Ranks::All => return self.files.iter().collect(),
            Ranks::Lowest => self.files.first().and_then(|file| file.rank),
            Ranks::One(rank) => Some(rank),
        };
        let mut chosen: Vec<&TraceFile> = Vec::new();
        for file in self.files.iter().filter(|file| file.rank == wanted) {
            if !chosen.iter().any(|known| known.claims == file.claims) {
                chosen.push(file);
            }
        }
        chosen
    }
}

/// Which ranks of a capture to read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ranks {
    /// The lowest there is: ranks of a tensor-parallel group do the same work.
    #[default]
    Lowest,
    /// This one.
    One(u32),
    /// All.
    All,
}

/// A file with the ending of a trace that is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ignored {
    /// The file.
    pub path: PathBuf,
    /// Why it is passed over.
    pub reason: String,
}

/// What a folder holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Folder {
    /// Captures, the newest first. There is at least one.
    pub captures: Vec<Capture>,
    /// What the server's arguments beside the newest capture say.
    pub context: Context,
    /// Files that look like traces by their ending and are passed over, by path.
    pub ignored: Vec<Ignored>,
}

impl Folder {
    /// The newest capture.
    pub fn newest(&self) -> Option<&Capture> {
        self.captures.first()
    }
}

/// How deep folders are searched that have no trace of their own; profilers write at most date, run and rank.
const DEPTH: usize = 6;

/// Looks at `path`: a folder, or a single file, which is taken as it is.
///
/// The traces directly in a folder count; only where there is none, those of the folders within do.
///
/// # Errors
/// [`TraceError::Io`], or [`TraceError::NotATrace`] for a folder without a trace.
pub fn look(path: &Path) -> Result<Folder, TraceError> {
    let io = |error| TraceError::Io { path: path.to_owned(), error };
    let mut found = Found::default();
    if fs::metadata(path).map_err(io)?.is_dir() {
        found.direct(path)?;
        if found.files.is_empty() {
            found.below(path, DEPTH)?;
        }
    } else {
        found.files.push(file(path, None).map_err(io)?);
    }
    found.ignored.sort_by(|a, b| a.path.cmp(&b.path));
    let captures = captures::group(found.files);
    let Some(first) = captures.first().and_then(|capture| capture.files.first()) else {
        return Err(TraceError::NotATrace { path: path.to_owned(), found: nothing(&found.ignored) });
    };
    let context = context::beside(&first.path);
    Ok(Folder { captures, context, ignored: found.ignored })
}

fn nothing(ignored: &[Ignored]) -> String {
    let looked = "it is a folder without a trace (`.json`, `.json.gz` or `.sqlite`)";
    match ignored.first() {
        None => looked.into(),
        Some(first) => {
            let more =
                if ignored.len() > 1 { format!(", and {} more", ignored.len() - 1) } else { String::new() };
            format!("{looked}; passed over: `{}` ({}){more}", first.path.display(), first.reason)
        }
    }
}

#[derive(Default)]
struct Found {
    files: Vec<TraceFile>,
    ignored: Vec<Ignored>,
}

impl Found {
    /// Takes the traces of one folder; merged ones only where there are no others.
    fn direct(&mut self, folder: &Path) -> Result<(), TraceError> {
        let mut merged = Vec::new();
        let before = self.files.len();
        for path in entries(folder)? {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if !sniff::could_be(&name) || fs::metadata(&path).is_ok_and(|data| data.is_dir()) {
                continue;
            }
            let head = match sniff::sniff(&path, &name) {
                Ok(head) => head,
                Err(reason) => {
                    self.ignored.push(Ignored { path, reason });
                    continue;
                }
            };
            match file(&path, head.rank) {
                Ok(file) if name.starts_with("merged-") => merged.push(file),
                Ok(file) => self.files.push(file),
                Err(error) => self.ignored.push(Ignored { path, reason: error.to_string() }),
            }
        }
        if self.files.len() == before {
            self.files.append(&mut merged);
        }
        let reason = "the files it was merged from lie beside it";
        self.ignored
            .extend(merged.into_iter().map(|file| Ignored { path: file.path, reason: reason.into() }));
        Ok(())
    }

    fn below(&mut self, folder: &Path, depth: usize) -> Result<(), TraceError> {
        if depth == 0 {
            return Ok(());
        }
        for path in entries(folder)? {
            // Links to folders are not followed: they may lead back.
            if fs::symlink_metadata(&path).is_ok_and(|data| data.is_dir()) {
                self.direct(&path)?;
                self.below(&path, depth - 1)?;
            }
        }
        Ok(())
    }
}

/// The entries of a folder by name.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, TraceError> {
    let io = |error| TraceError::Io { path: folder.to_owned(), error };
    let all = fs::read_dir(folder).map_err(io)?.map(|entry| entry.map(|entry| entry.path()));
    let mut all: Vec<PathBuf> = all.collect::<Result<_, _>>().map_err(io)?;
    all.sort_unstable();
    Ok(all)
}

fn file(path: &Path, head_rank: Option<u32>) -> std::io::Result<TraceFile> {
    let data = fs::metadata(path)?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let written = data.modified()?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let label = label::read(&name);
    Ok(TraceFile {
        path: path.to_owned(),
        rank: label.rank.or(head_rank),
        claims: crate::stage::of_path(Path::new(&name)),
        bytes: data.len(),
        time: label.time.unwrap_or(i64::try_from(written.as_nanos()).unwrap_or(i64::MAX)),
    })
}
