//! The files of a recording: which are new, and when they are whole.

use crate::profile::capture::Trouble;
use flate2::read::MultiGzDecoder;
use globset::{Glob, GlobSet, GlobSetBuilder};
use serde::de::IgnoredAny;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// Files that have not grown for so long are looked into; ranks of one recording end within it too.
const SETTLED: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(50);

/// Size and last change of each file.
type State = BTreeMap<PathBuf, (u64, SystemTime)>;

/// Watches a folder for the traces of one recording.
pub(crate) struct Watch<'a> {
    dir: &'a Path,
    globs: GlobSet,
    patterns: String,
    before: State,
    stop: &'a AtomicBool,
}

impl<'a> Watch<'a> {
    /// What lies there already does not count.
    pub(crate) fn new(dir: &'a Path, patterns: &[String], stop: &'a AtomicBool) -> Result<Self, Trouble> {
        let mut globs = GlobSetBuilder::new();
        for pattern in patterns {
            let glob = Glob::new(pattern).map_err(|error| Trouble::Digest(error.to_string()))?;
            globs.add(glob);
        }
        let globs = globs.build().map_err(|error| Trouble::Digest(error.to_string()))?;
        let patterns = patterns.iter().map(|pattern| format!("`{pattern}`")).collect::<Vec<_>>().join(", ");
        let mut watch = Self { dir, globs, patterns, before: State::new(), stop };
        watch.before = watch.all()?;
        Ok(watch)
    }

    fn all(&self) -> Result<State, Trouble> {
        let entries = match std::fs::read_dir(self.dir) {
            Ok(entries) => entries,
            // The server makes its folder when it writes.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(State::new()),
            Err(error) => return Err(Trouble::io("read", self.dir)(error)),
        };
        let named = entries.flatten().filter(|entry| self.globs.is_match(entry.file_name()));
        let state = named.filter_map(|entry| {
            let data = entry.metadata().ok().filter(std::fs::Metadata::is_file)?;
            Some((entry.path(), (data.len(), data.modified().ok()?)))
        });
        Ok(state.collect())
    }

    fn fresh(&self) -> Result<State, Trouble> {
        let mut all = self.all()?;
        all.retain(|path, state| self.before.get(path) != Some(state));
        Ok(all)
    }

    /// Whether a new file appears within a time.
    pub(crate) fn shows(&self, limit: Duration) -> Result<bool, Trouble> {
        let begun = Instant::now();
        loop {
            if !self.fresh()?.is_empty() {
                return Ok(true);
            }
            if begun.elapsed() >= limit || self.stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Waits until there are new files, none of them grows, and each can be read whole. `hint`: what to look at if none comes.
    pub(crate) fn complete(&self, limit: Duration, hint: &'static str) -> Result<Vec<PathBuf>, Trouble> {
        let begun = Instant::now();
        let (mut last, mut since, mut cut) = (State::new(), Instant::now(), None);
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return Err(Trouble::Stopped);
            }
            let now = self.fresh()?;
            if now != last {
                (last, since) = (now, Instant::now());
            } else if !last.is_empty() && since.elapsed() >= SETTLED {
                cut = last.keys().find_map(|path| Some((path.clone(), broken(path)?)));
                if cut.is_none() {
                    return Ok(last.into_keys().collect());
                }
                since = Instant::now();
            }
            if begun.elapsed() >= limit {
                let waited_s = limit.as_secs();
                return Err(match cut {
                    Some((path, problem)) => Trouble::Cut { path, waited_s, problem },
                    None => self.nothing(waited_s, hint),
                });
            }
            std::thread::sleep(LOOK);
        }
    }

    fn nothing(&self, waited_s: u64, hint: &'static str) -> Trouble {
        Trouble::NoFile { dir: self.dir.to_owned(), patterns: self.patterns.clone(), waited_s, hint }
    }
}

/// What keeps a trace from being read to its end.
fn broken(path: &Path) -> Option<String> {
    let read = || -> Result<(), String> {
        let mut file = File::open(path).map_err(|error| error.to_string())?;
        let mut magic = [0; 2];
        let zipped = file.read_exact(&mut magic).is_ok() && magic == [0x1f, 0x8b];
        let file = File::open(path).map_err(|error| error.to_string())?;
        let parsed: Result<IgnoredAny, _> = match zipped {
            true => serde_json::from_reader(BufReader::with_capacity(1 << 20, MultiGzDecoder::new(file))),
            false => serde_json::from_reader(BufReader::with_capacity(1 << 20, file)),
        };
        parsed.map(drop).map_err(|error| error.to_string())
    };
    read().err()
}

#[cfg(test)]
mod tests {
    use super::{Watch, broken};
    use crate::profile::capture::Trouble;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write as _;
    use std::sync::atomic::AtomicBool;
    use std::time::Duration;

    fn zipped(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).expect("written");
        encoder.finish().expect("whole")
    }

    #[test]
    fn a_file_is_waited_for_until_it_is_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let bytes = zipped(&format!("{{\"traceEvents\": [{}1]}}", "1, ".repeat(5000)));
        std::fs::write(folder.path().join("old-TP-0.trace.json.gz"), &bytes).expect("a file");
        let (stop, patterns) = (AtomicBool::new(false), ["*-TP-*.trace.json.gz".to_owned()]);
        let watch = Watch::new(folder.path(), &patterns, &stop).expect("a folder to watch");
        assert!(!watch.shows(Duration::from_millis(60)).expect("readable"));
        let path = folder.path().join("new-TP-0.trace.json.gz");
        std::fs::write(folder.path().join("notes.txt"), "x").expect("a file");
        std::fs::write(&path, &bytes[..bytes.len() / 2]).expect("a file");
        let cut = watch.complete(Duration::from_millis(1200), "").unwrap_err();
        assert!(matches!(&cut, Trouble::Cut { path: told, .. } if *told == path), "{cut}");
        let (grown, whole) = (path.clone(), bytes.clone());
        let writer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(1300));
            std::fs::write(grown, whole).expect("a file");
        });
        assert_eq!(watch.complete(Duration::from_secs(20), "").expect("whole"), [path]);
        writer.join().expect("written");
    }

    #[test]
    fn no_file_names_where_it_should_be() {
        let folder = tempfile::tempdir().expect("a folder");
        let (stop, missing) = (AtomicBool::new(false), folder.path().join("not-yet"));
        let watch = Watch::new(&missing, &["*.gz".to_owned()], &stop).expect("a folder to watch");
        let error = watch.complete(Duration::ZERO, "give `armed_dir`").unwrap_err().to_string();
        assert!(
            error.contains("not-yet") && error.contains("armed_dir") && error.contains("`*.gz`"),
            "{error}"
        );
    }

    #[test]
    fn only_whole_json_passes() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("t");
        for (bytes, passes) in [
            (zipped("{\"a\": [1, 2]}"), true),
            (zipped("{\"a\": [1, 2]"), false),
            (b"{\"a\": 1}\n".to_vec(), true),
            (b"{".to_vec(), false),
            (Vec::new(), false),
        ] {
            std::fs::write(&path, bytes).expect("a file");
            assert_eq!(broken(&path).is_none(), passes);
        }
    }
}
