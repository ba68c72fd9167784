//! Proofs of baselines on disk, so that the next process need not prove the same again.
//!
//! A proof is a library and a note. It counts for the very same task, baseline, compiler, processor, worker and version of this
//! program, for a week, and only while the library has the digest that the note tells. Whatever else is found there counts as
//! nothing: then the baseline is proven. A candidate cannot write there, since its worker opens no files; whoever may write into the
//! folder may plant a proof, so a folder that others may write into is not used.

use super::setup::{GateRecord, Setup, hex, sha};
use crate::build::Compiler;
use crate::task::{Device, Form};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{File, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Version of the note.
const VERSION: u32 = 1;
/// For how long a proof counts: a system library or a compiler's own parts may have changed without a trace in the key.
const DAYS: i64 = 7;
/// How often somebody who waits for another process looks again.
const PAUSE: Duration = Duration::from_millis(20);

/// Everything that a proof depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    /// This program's version.
    assay: String,
    /// Digest of the task, with everything that it names.
    task: String,
    /// Digest of the baseline's file.
    baseline: String,
    form: Form,
    /// Path, size, time and version of the compiler.
    compiler: String,
    /// The processor's name and features.
    processor: String,
    /// Digest and arguments of the worker's program.
    worker: String,
}

/// The note beside a library.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    v: u32,
    /// When the baseline was proven, in UTC (RFC 3339).
    proven: String,
    /// SHA-256 of the library.
    library: String,
    key: Key,
    /// What became of its gates.
    gates: Vec<GateRecord>,
}

/// A place for the proof of one baseline.
#[derive(Debug)]
pub struct Kept {
    folder: PathBuf,
    name: String,
    key: Key,
}

/// What was kept.
#[derive(Debug)]
pub struct Found {
    /// The library's bytes.
    pub library: Vec<u8>,
    /// When it was proven, in UTC (RFC 3339).
    pub proven: String,
}

/// Held while a proof is looked for or made.
#[derive(Debug)]
pub struct Held {
    _file: File,
}

impl Kept {
    /// The place for the baseline of a judgement; `None` without a folder that can be used, for forms whose tools the key does not
    /// know, and where something cannot be looked at, which the proof itself will say better.
    pub fn of(setup: &Setup<'_>) -> Option<Self> {
        let loaded = setup.loaded;
        let (form, device) = (loaded.task.abi.form, loaded.task.abi.device);
        if !matches!(form, Form::CDltensor | Form::TvmFfi) || device != Device::Cpu {
            return None;
        }
        let folder = setup.cache.as_deref().map(|cache| cache.join("kernel")).filter(|it| usable(it))?;
        let baseline = loaded.baseline();
        let key = Key {
            assay: env!("CARGO_PKG_VERSION").to_owned(),
            task: loaded.digest.clone(),
            baseline: sha(&baseline).ok()?,
            form,
            compiler: compiler(&baseline)?,
            processor: processor(),
            worker: worker(setup)?,
        };
        let text = serde_json::to_vec(&key).ok()?;
        Some(Self { folder, name: hex(&Sha256::digest(text)), key })
    }

    fn file(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("{}.{ending}", self.name))
    }

    /// Waits until nobody else works on this proof; calls `waiting` meanwhile. `None` if the folder knows no locks: then two
    /// processes may do the same work.
    pub fn lock(&self, mut waiting: impl FnMut()) -> Option<Held> {
        let file = File::options().create(true).truncate(false).write(true).open(self.file("lock")).ok()?;
        loop {
            match file.try_lock() {
                Ok(()) => return Some(Held { _file: file }),
                Err(TryLockError::WouldBlock) => {
                    waiting();
                    std::thread::sleep(PAUSE);
                }
                Err(TryLockError::Error(_)) => return None,
            }
        }
    }

    /// The proof, if there is one that counts.
    pub fn read(&self) -> Option<Found> {
        let note: Note = serde_json::from_slice(&std::fs::read(self.file("json")).ok()?).ok()?;
        let age = Timestamp::now().duration_since(note.proven.parse().ok()?);
        let young = (SignedDuration::ZERO..SignedDuration::from_hours(24 * DAYS)).contains(&age);
        if note.v != VERSION || note.key != self.key || !young {
            return None;
        }
        let library = std::fs::read(self.file("so")).ok()?;
        (hex(&Sha256::digest(&library)) == note.library).then_some(Found { library, proven: note.proven })
    }

    /// Keeps a proof, and removes those that no longer count. What cannot be written is proven again, next time.
    pub fn write(&self, library: &[u8], gates: Vec<GateRecord>) {
        self.sweep();
        let note = Note {
            v: VERSION,
            proven: Timestamp::now().to_string(),
            library: hex(&Sha256::digest(library)),
            key: self.key.clone(),
            gates,
        };
        let Ok(text) = serde_json::to_vec_pretty(&note) else { return };
        // The note last: a library alone is nothing.
        if self.put("so", library).is_err() || self.put("json", &text).is_err() {
            self.remove();
        }
    }

    fn put(&self, ending: &str, bytes: &[u8]) -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(bytes)?;
        file.persist(self.file(ending)).map(drop).map_err(|error| error.error)
    }

    /// Forgets the proof.
    pub fn remove(&self) {
        for ending in ["json", "so"] {
            // Where there is none, nothing is to be forgotten.
            let _ = std::fs::remove_file(self.file(ending));
        }
    }

    /// Removes every file of the folder that is older than a proof may be.
    fn sweep(&self) {
        let most = Duration::from_secs(24 * 3600 * DAYS.unsigned_abs());
        let Ok(files) = std::fs::read_dir(&self.folder) else { return };
        for file in files.filter_map(Result::ok) {
            let changed = file.metadata().and_then(|about| about.modified());
            let age = changed.ok().and_then(|time| SystemTime::now().duration_since(time).ok());
            if age.is_some_and(|age| age > most) {
                let _ = std::fs::remove_file(file.path());
            }
        }
    }
}

/// Makes the folder if it is missing. It counts only where nobody else may write into it.
fn usable(folder: &Path) -> bool {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    let about = made.and_then(|()| std::fs::symlink_metadata(folder));
    about.is_ok_and(|about| {
        about.is_dir() && about.uid() == rustix::process::geteuid().as_raw() && about.mode() & 0o022 == 0
    })
}

fn worker(setup: &Setup<'_>) -> Option<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(&setup.launcher.program).ok()?).ok()?;
    Some(format!("{} {:?}", hasher.finalize().to_hex(), setup.launcher.args))
}

/// Which compiler builds the baseline; empty where that is a library already.
fn compiler(baseline: &Path) -> Option<String> {
    if baseline.extension().is_some_and(|ending| ending == "so") {
        return Some(String::new());
    }
    let compiler = Compiler::usual().ok()?;
    let real = compiler.program.canonicalize().unwrap_or(compiler.program);
    let about = std::fs::metadata(&real).map(|about| (about.len(), about.mtime(), about.mtime_nsec()));
    Some(format!("{} {about:?} {}", real.display(), compiler.version))
}

/// What `-march=native` looks at, of the first processor.
fn processor() -> String {
    const NAMES: [&str; 10] = [
        "vendor_id",
        "cpu family",
        "model",
        "model name",
        "stepping",
        "flags",
        "Features",
        "CPU implementer",
        "CPU part",
        "CPU variant",
    ];
    let told = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let first = told.lines().take_while(|line| !line.is_empty());
    let fields =
        first.filter_map(|line| line.split_once(':').map(|(name, value)| (name.trim(), value.trim())));
    let kept = fields.filter(|(name, _)| NAMES.contains(name)).map(|(_, value)| value);
    kept.collect::<Vec<_>>().join("; ")
}
