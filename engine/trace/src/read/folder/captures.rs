//! Files of one capture: those whose names differ in rank and stage only, or in numbers too where the tool writes the
//! process or the moment of each file into its name.

use super::{Capture, TraceFile, label};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Ranks of one capture end within this time of each other, in nanoseconds: writing a large trace takes a while.
const TOGETHER: i64 = 120_000_000_000;

/// Groups files; the newest capture comes first.
pub fn group(files: Vec<TraceFile>) -> Vec<Capture> {
    let mut exact: BTreeMap<(PathBuf, String), Vec<TraceFile>> = BTreeMap::new();
    let mut loose: BTreeMap<(PathBuf, String), String> = BTreeMap::new();
    for file in files {
        let folder = file.path.parent().map(PathBuf::from).unwrap_or_default();
        let name = file.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let label = label::read(&name);
        let key = (folder, label.common);
        loose.insert(key.clone(), label.loose);
        exact.entry(key).or_default().push(file);
    }
    let mut families: BTreeMap<(PathBuf, String), Vec<Capture>> = BTreeMap::new();
    for (key, files) in exact {
        let name = loose.remove(&key).unwrap_or_default();
        families.entry((key.0, name)).or_default().push(Capture { files });
    }
    let mut captures: Vec<Capture> = families.into_values().flat_map(merge).collect();
    for capture in &mut captures {
        // No rank sorts first: `None < Some(0)`.
        capture.files.sort_by(|a, b| a.rank.cmp(&b.rank).then_with(|| a.path.cmp(&b.path)));
    }
    captures.sort_by(|a, b| b.time().cmp(&a.time()).then_with(|| a.files[0].path.cmp(&b.files[0].path)));
    captures
}

/// Joins captures of one family that are close in time and hold different ranks.
fn merge(mut parts: Vec<Capture>) -> Vec<Capture> {
    parts.sort_by(|a, b| a.time().cmp(&b.time()).then_with(|| a.files[0].path.cmp(&b.files[0].path)));
    let mut merged: Vec<Capture> = Vec::new();
    for part in parts {
        let last = merged.last_mut().filter(|last| belong(last, &part));
        match last {
            Some(last) => last.files.extend(part.files),
            None => merged.push(part),
        }
    }
    merged
}

fn belong(a: &Capture, b: &Capture) -> bool {
    let (first, second) = (a.ranks(), b.ranks());
    let every_file_has_one = a.files.iter().chain(&b.files).all(|file| file.rank.is_some());
    every_file_has_one && b.time() - a.time() <= TOGETHER && !second.iter().any(|rank| first.contains(rank))
}
