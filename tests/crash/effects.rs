//! What the steps wrote down about themselves, outside the run, and who is alive.

use std::collections::BTreeMap;
use std::path::Path;

/// How often each step of a run began and ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effects {
    /// Beginnings by path.
    pub started: BTreeMap<String, usize>,
    /// Regular ends by path.
    pub ended: BTreeMap<String, usize>,
    /// Steps that met another copy of themselves.
    pub twice: Vec<String>,
}

impl Effects {
    /// Reads the log in a folder of effects.
    pub fn read(folder: &Path) -> Self {
        let mut effects = Self::default();
        for line in std::fs::read_to_string(folder.join("log")).unwrap_or_default().lines() {
            let mut words = line.split(' ');
            let (word, path) = (words.next().unwrap(), words.next().unwrap().to_owned());
            match word {
                "started" => *effects.started.entry(path).or_default() += 1,
                "ended" => *effects.ended.entry(path).or_default() += 1,
                _ => effects.twice.push(path),
            }
        }
        effects
    }

    /// How often a step began.
    pub fn starts(&self, path: &str) -> usize {
        self.started.get(path).copied().unwrap_or(0)
    }
}

/// Processes alive that carry `marker` in their arguments or in their environment.
pub fn alive(marker: &str) -> Vec<String> {
    let holds = |bytes: &[u8]| bytes.windows(marker.len()).any(|window| window == marker.as_bytes());
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        if !entry.file_name().to_string_lossy().bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        let read = |name: &str| std::fs::read(entry.path().join(name)).unwrap_or_default();
        let line = read("cmdline");
        if holds(&line) || holds(&read("environ")) {
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            found.push(format!("{} {line}", entry.file_name().to_string_lossy()));
        }
    }
    found
}
