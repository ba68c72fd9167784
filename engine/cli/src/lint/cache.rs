//! What was found in files that have not changed since, so that a second look at a thousand of them is quick.
//!
//! One file below the cache folder for each folder that lint is started in. It is lost without harm: whatever does not fit
//! (another program, configuration or day, a damaged file) is looked at again.

use crate::context::Cx;
use assay_diagnostics::{Portable, Sources};
use assay_lint::{Report, Subject, Suppressed, rules};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::PathBuf;
use std::time::UNIX_EPOCH;

/// Fewer files are looked at faster than the cache is read.
const LEAST_FILES: usize = 16;

/// What is remembered.
#[derive(Debug, Default)]
pub struct Cache {
    file: Option<PathBuf>,
    /// Everything but the files that decides what is found.
    key: [u8; 32],
    known: HashMap<String, Entry>,
    fresh: HashMap<String, Entry>,
    changed: bool,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Entry {
    digest: [u8; 32],
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    findings: Vec<Portable>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    suppressed: Vec<(Portable, String)>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    key: [u8; 32],
    files: HashMap<String, Entry>,
}

impl Cache {
    /// The cache for a look at so many files; `settings` is the text of the configuration.
    pub fn open(cx: &Cx, settings: &str, today: Date, files: usize) -> Self {
        if files < LEAST_FILES {
            return Self::default();
        }
        let key = key_of(cx, settings, today);
        let folder = blake3::hash(cx.paths.cwd.as_os_str().as_encoded_bytes()).to_hex();
        let file = cx.paths.cache.join("lint").join(format!("{}.json", &folder[..16]));
        let stored =
            std::fs::read(&file).ok().and_then(|bytes| serde_json::from_slice::<Stored>(&bytes).ok());
        let known = stored.filter(|stored| stored.key == key).map(|stored| stored.files).unwrap_or_default();
        Self { file: Some(file), key, known, ..Self::default() }
    }

    /// The digest of everything that is read of a subject; `None` if nothing is remembered.
    pub fn digest(&self, subject: &Subject) -> Option<[u8; 32]> {
        self.file.as_ref()?;
        let mut hasher = blake3::Hasher::new();
        let mut add =
            |text: &str| _ = hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
        match subject {
            Subject::Manifest { found, skill_md } => {
                add(&found.text);
                skill_md.iter().for_each(|(_, text)| add(text));
            }
            Subject::SkillMd { text, .. } => add(text),
        }
        Some(*hasher.finalize().as_bytes())
    }

    /// What was found when the subject was the same.
    pub fn get(&self, shown: &str, digest: &[u8; 32], subject: &Subject) -> Option<Report> {
        let entry = self.known.get(shown).filter(|entry| entry.digest == *digest)?;
        let mut sources = Sources::new();
        // In the order in which the linter adds them.
        match subject {
            Subject::Manifest { found, skill_md } => {
                sources.add(found.shown.as_str(), found.text.as_str());
                skill_md.iter().for_each(|(name, text)| _ = sources.add(name.as_str(), text.as_str()));
            }
            Subject::SkillMd { shown, text, .. } => _ = sources.add(shown.as_str(), text.as_str()),
        }
        let read = |kept: &Portable| kept.clone().read(|name| sources.find(name), id_of);
        let findings = entry.findings.iter().map(read).collect::<Option<_>>()?;
        let silenced = |(kept, reason): &(Portable, String)| {
            Some(Suppressed { finding: read(kept)?, reason: reason.clone() })
        };
        let suppressed = entry.suppressed.iter().map(silenced).collect::<Option<_>>()?;
        Some(Report { sources, findings, suppressed, others: Vec::new() })
    }

    /// Remembers what was found. A manifest that calls others depends on more than its own text, so it is not remembered.
    pub fn put(&mut self, shown: &str, digest: [u8; 32], report: &Report) {
        let calls = |code: &str| matches!(code, "unknown-skill" | "recursive-call");
        if !report.others.is_empty() || report.findings.iter().any(|finding| calls(finding.code)) {
            return;
        }
        if let Some(entry) = self.known.get(shown).filter(|entry| entry.digest == digest) {
            self.fresh.insert(shown.to_owned(), entry.clone());
            return;
        }
        self.changed = true;
        let keep = |finding: &_| Portable::new(finding, &report.sources);
        let suppressed = report.suppressed.iter().map(|one| (keep(&one.finding), one.reason.clone()));
        let findings = report.findings.iter().map(keep).collect();
        self.fresh.insert(shown.to_owned(), Entry { digest, findings, suppressed: suppressed.collect() });
    }

    /// Writes what was remembered, if anything is new. A cache that cannot be written is none.
    pub fn close(self) {
        let Some(file) = self.file.filter(|_| self.changed) else { return };
        let Some(folder) = file.parent() else { return };
        let stored = Stored { key: self.key, files: self.fresh };
        let Ok(bytes) = serde_json::to_vec(&stored) else { return };
        let beside = file.with_extension(format!("{}.tmp", std::process::id()));
        let written = std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::write(&beside, bytes))
            .and_then(|()| std::fs::rename(&beside, &file));
        if written.is_err() {
            let _ = std::fs::remove_file(&beside);
        }
    }
}

fn id_of(code: &str) -> Option<&'static str> {
    rules::find(code).map(|rule| rule.id)
}

fn key_of(cx: &Cx, settings: &str, today: Date) -> [u8; 32] {
    // A rebuilt program of the same version may know other rules.
    let program = std::env::current_exe().and_then(std::fs::metadata).ok().map(|data| {
        let age = data.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        format!("{} {}", data.len(), age.map_or(0, |age| age.as_nanos()))
    });
    let cwd = cx.paths.cwd.to_string_lossy();
    let parts = [
        env!("CARGO_PKG_VERSION"),
        program.as_deref().unwrap_or_default(),
        settings,
        &cwd,
        &today.to_string(),
    ];
    let mut hasher = blake3::Hasher::new();
    parts
        .iter()
        .for_each(|part| _ = hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes()));
    *hasher.finalize().as_bytes()
}
