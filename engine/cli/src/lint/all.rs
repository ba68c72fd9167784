//! All files through the rules, on all cores; the order of the results is that of the files.

use super::cache::Cache;
use super::files::{Target, is_manifest};
use super::settings::Settings;
use crate::context::Cx;
use crate::library::{LONGEST, Shelves, read_text};
use assay_diagnostics::{Diagnostic, Severity, Sources, Span};
use assay_lint::{Level, Linter, Report, Subject, Suppressed};
use assay_manifest::{Origin, StepCatalog, absolute};
use assay_plan::Found;
use jiff::civil::Date;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Threads at most; more only wait for the disk.
const MOST_THREADS: usize = 8;

/// What was found in all files.
#[derive(Debug, Default)]
pub struct Checked {
    /// The texts that places point into.
    pub sources: Sources,
    /// Findings by file, in the order of the files.
    pub findings: Vec<Diagnostic>,
    /// Findings that comments silence.
    pub suppressed: Vec<Suppressed>,
    /// Findings that the baseline accepts.
    pub accepted: Vec<Diagnostic>,
    /// Findings that the baseline accepts and that are gone.
    pub gone: usize,
    /// Fixes that were applied.
    pub fixed: usize,
    /// Files that were looked at, as users know them.
    pub files: Vec<String>,
}

impl Checked {
    fn add(&mut self, shown: String, report: Report) {
        self.files.push(shown);
        let by = self.sources.append(report.sources);
        self.findings.extend(report.findings.into_iter().map(|finding| finding.moved(by)));
        let moved = |one: Suppressed| Suppressed { finding: one.finding.moved(by), ..one };
        self.suppressed.extend(report.suppressed.into_iter().map(moved));
    }

    /// Findings of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    /// Whether a finding is at least this severe.
    pub fn reaches(&self, level: Level) -> bool {
        match level {
            // `Severity` puts errors first.
            Level::On(least) => self.findings.iter().any(|finding| finding.severity <= least),
            Level::Off => false,
        }
    }
}

/// Everything that one look at all files needs.
pub struct Look<'a> {
    /// Folders and environment.
    pub cx: &'a Cx,
    /// The configuration.
    pub settings: &'a Settings,
    /// Known step and check types.
    pub catalog: &'a StepCatalog,
    /// The day of the check.
    pub today: Date,
    /// Texts that stand for those of files: standard input, and files with fixes that are not written yet.
    pub texts: HashMap<PathBuf, String>,
}

impl Look<'_> {
    /// Looks at every file. What `cache` knows is taken from there, and what was found out is put into it.
    pub fn at(&self, targets: &[Target], cache: &mut Cache) -> Checked {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = cores.min(MOST_THREADS).min(targets.len());
        let next = AtomicUsize::new(0);
        let known = &*cache;
        let work = || {
            let mut done = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(target) = targets.get(at) else { return done };
                done.extend(self.one(target, known).map(|found| (at, found)));
            }
        };
        let mut done = Vec::with_capacity(targets.len());
        std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            done.extend(work());
            // The files of a thread that panicked are missing from the list, which must not look clean.
            let joined = others.into_iter().map(std::thread::ScopedJoinHandle::join);
            joined.for_each(|result| {
                done.extend(result.unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            });
        });
        done.sort_by_key(|(at, _)| *at);
        let mut checked = Checked::default();
        for (_, One { shown, report, digest }) in done {
            if let Some(digest) = digest {
                cache.put(&shown, digest, &report);
            }
            checked.add(shown, report);
        }
        checked
    }

    /// One file; `None` for a YAML file below a folder that is no manifest.
    fn one(&self, target: &Target, cache: &Cache) -> Option<One> {
        let shown = self.cx.paths.shown(&target.file);
        let text = match self.texts.get(&target.file) {
            Some(text) => Ok(text.clone()),
            None => read_text(&target.file),
        };
        let text = match text {
            Ok(text) => text,
            Err(why) => {
                return Some(One { report: unreadable(&target.file, &shown, why), shown, digest: None });
            }
        };
        let subject = match self.subject(target, &shown, text)? {
            Ok(subject) => subject,
            Err(report) => return Some(One { report, shown, digest: None }),
        };
        let digest = cache.digest(&subject);
        let known = digest.as_ref().and_then(|digest| cache.get(&shown, digest, &subject));
        if let Some(report) = known {
            return Some(One { shown, report, digest });
        }
        let shelves = Shelves::new(&self.cx.paths, &self.cx.paths.cwd);
        let Self { catalog, today, .. } = *self;
        let linter = Linter { catalog, library: &shelves, config: &self.settings.config, today };
        let report = linter.lint(subject, &self.settings.name_of(&target.file));
        Some(One { shown, report, digest })
    }

    /// What is looked at; `None` for what is no manifest, a report if the `SKILL.md` beside it cannot be read.
    fn subject(&self, target: &Target, shown: &str, text: String) -> Option<Result<Subject, Report>> {
        let dir = target.file.parent().unwrap_or(Path::new("/")).to_owned();
        if target.is_skill_md() {
            let folder = dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            return Some(Ok(Subject::SkillMd { shown: shown.to_owned(), folder, text }));
        }
        if !target.named && !is_manifest(&target.file, &text) {
            return None;
        }
        let beside = target.file.with_file_name("SKILL.md");
        let is_skill = target.file.file_name().is_some_and(|name| name == "skill.yaml");
        let beside = Some(beside).filter(|file| is_skill && file.is_file());
        let skill_md = match beside {
            None => None,
            Some(file) => {
                let shown = self.cx.paths.shown(&file);
                match self.texts.get(&file).cloned().map_or_else(|| read_text(&file), Ok) {
                    Ok(text) => Some((shown, text)),
                    Err(why) => return Some(Err(unreadable(&file, &shown, why))),
                }
            }
        };
        let origin = Origin { file: target.file.to_string_lossy().into_owned(), dir };
        Some(Ok(Subject::Manifest { found: Found { shown: shown.to_owned(), text, origin }, skill_md }))
    }

    /// The file that a name for users stands for.
    pub fn file_of(&self, shown: &str) -> PathBuf {
        absolute(&self.cx.paths.cwd, shown)
    }
}

/// What was found in one file; `digest` if it may be remembered.
struct One {
    shown: String,
    report: Report,
    digest: Option<[u8; 32]>,
}

fn unreadable(file: &Path, shown: &str, why: String) -> Report {
    let mut report = Report::default();
    let source = report.sources.add(shown, "");
    let start = Span { source, start: 0, end: 0 };
    let larger = |limit: u64| std::fs::metadata(file).is_ok_and(|data| data.len() > limit);
    let finding = if larger(LONGEST) {
        Diagnostic::error("yaml-too-large", why).help("keep data in files of its own and name them by path")
    } else if let Ok(bytes) = std::fs::read(file)
        && let Err(error) = assay_yaml::decode(&bytes)
    {
        error.diagnostic()
    } else {
        Diagnostic::error("unreadable-file", why).help("manifests are files that you may read")
    };
    report.findings.push(finding.at(start, "nothing was looked at"));
    report
}
