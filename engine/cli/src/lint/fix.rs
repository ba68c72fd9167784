//! Fixes: applied to the files, or shown as a patch.

use super::all::Checked;
use crate::fail::Failure;
use assay_diagnostics::{Diagnostic, Fix, SourceId, apply, diff};
use assay_lint::without_secrets;
use assay_protocol::ExitCode;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// What fixes make of one file.
#[derive(Debug)]
pub struct Fixed {
    /// The file as users know it.
    pub shown: String,
    /// Its text before.
    pub before: String,
    /// Its text afterwards.
    pub after: String,
    /// Fixes that were applied.
    pub fixes: usize,
    /// Pieces of the text before that findings mask.
    pub secrets: Vec<String>,
}

impl Fixed {
    /// A file that changes as a whole.
    pub fn of(shown: &str, before: &str, after: &str) -> Self {
        let (shown, before, after) = (shown.to_owned(), before.to_owned(), after.to_owned());
        Self { shown, before, after, fixes: 1, secrets: Vec::new() }
    }

    /// The change as a patch, with stars instead of secrets: such a patch can be read, but not applied.
    pub fn patch(&self) -> String {
        let also: Vec<&str> = self.secrets.iter().map(String::as_str).collect();
        let shown = |text| without_secrets(text, &also);
        diff(&self.shown, &shown(&self.before), &shown(&self.after))
    }

    /// Replaces the file: a new one is written beside it and takes its name, so that nobody reads half of it.
    pub fn write(&self, cwd: &Path) -> Result<(), Failure> {
        let file = assay_manifest::absolute(cwd, &self.shown);
        let fail = |error: std::io::Error| {
            Failure::new(ExitCode::Internal, "lint-fix", format!("cannot write `{}`: {error}", self.shown))
                .help("the file is unchanged")
        };
        replace(&file, self.after.as_bytes()).map_err(fail)
    }
}

/// The fixes of all findings, file by file. `unsafe_too`: also those that an author should look at.
pub fn fixed(checked: &Checked, unsafe_too: bool) -> Vec<Fixed> {
    let mut by_source: BTreeMap<SourceId, Vec<&Fix>> = BTreeMap::new();
    for fix in checked.findings.iter().filter_map(|finding| wanted(finding, unsafe_too)) {
        if let Some(edit) = fix.edits.first() {
            by_source.entry(edit.span.source).or_default().push(fix);
        }
    }
    let mut files: Vec<Fixed> = Vec::new();
    for (source, fixes) in by_source {
        let shown = checked.sources.name(source);
        // A called manifest may stand among the sources of every caller: the first one is enough for this round.
        let asked_for = checked.files.iter().any(|file| file == shown) || shown.ends_with("SKILL.md");
        if !asked_for || files.iter().any(|file| file.shown == shown) {
            continue;
        }
        let before = checked.sources.text(source);
        let applied = apply(before, &fixes);
        if !applied.applied.is_empty() {
            let (shown, before) = (shown.to_owned(), before.to_owned());
            let secrets = masked(checked, source);
            let (after, fixes) = (applied.text, applied.applied.len());
            files.push(Fixed { shown, before, after, fixes, secrets });
        }
    }
    files
}

/// What the findings in a text mask.
fn masked(checked: &Checked, source: SourceId) -> Vec<String> {
    let suppressed = checked.suppressed.iter().map(|one| &one.finding);
    let all = checked.findings.iter().chain(suppressed).chain(&checked.accepted);
    let places = all.filter(|finding| finding.masked).filter_map(Diagnostic::primary);
    let text = checked.sources.text(source);
    places
        .filter(|span| span.source == source)
        .filter_map(|span| text.get(span.range()))
        .map(|secret| secret.trim_matches(['"', '\'']).to_owned())
        .collect()
}

fn wanted(finding: &Diagnostic, unsafe_too: bool) -> Option<&Fix> {
    finding.fix.as_ref().filter(|fix| fix.safe || unsafe_too)
}

/// Writes beside the file and renames; permissions stay, and a link stays one because its target is replaced.
pub fn replace(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let file = std::fs::canonicalize(file)?;
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let beside: PathBuf = file.with_file_name(format!(".{name}.{}.assay", std::process::id()));
    let write = || {
        let mut out = std::fs::OpenOptions::new().write(true).create_new(true).open(&beside)?;
        out.write_all(bytes)?;
        out.set_permissions(std::fs::metadata(&file)?.permissions())?;
        out.sync_data()?;
        std::fs::rename(&beside, &file)
    };
    write().inspect_err(|_| {
        let _ = std::fs::remove_file(&beside);
    })
}
