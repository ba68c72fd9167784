//! All files through the rules, on all cores; the order of the results is that of the files.

use super::files::{Target, is_manifest};
use super::settings::Settings;
use crate::context::Cx;
use crate::library::{LONGEST, Shelves, read_text};
use assay_diagnostics::{Diagnostic, Sources};
use assay_lint::{Linter, Report, Subject, Suppressed};
use assay_manifest::{Origin, StepCatalog};
use assay_plan::Found;
use jiff::civil::Date;
use std::path::Path;
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
    /// Files that were looked at, as users know them.
    pub files: Vec<String>,
}

impl Checked {
    /// Adds what was found in one file.
    pub fn add(&mut self, shown: String, report: Report) {
        self.files.push(shown);
        let by = self.sources.append(report.sources);
        self.findings.extend(report.findings.into_iter().map(|finding| finding.moved(by)));
        let moved = |one: Suppressed| Suppressed { finding: one.finding.moved(by), ..one };
        self.suppressed.extend(report.suppressed.into_iter().map(moved));
    }
}

/// Looks at every file. `stdin` is a text with the name it is to be known by.
pub fn check(
    cx: &Cx,
    settings: &Settings,
    catalog: &StepCatalog,
    today: Date,
    targets: &[Target],
    stdin: Option<(String, String)>,
) -> Checked {
    let mut checked = Checked::default();
    if let Some((name, text)) = stdin {
        let file = assay_manifest::absolute(&cx.paths.cwd, &name);
        if let Some((shown, report)) =
            one(cx, settings, catalog, today, &Target { file, named: true }, Some(text))
        {
            checked.add(shown, report);
        }
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = cores.min(MOST_THREADS).min(targets.len());
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(target) = targets.get(at) else { return done };
            done.extend(one(cx, settings, catalog, today, target, None).map(|found| (at, found)));
        }
    };
    let mut done = Vec::with_capacity(targets.len());
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        done.extend(work());
        // A thread that panicked has said so, and its files are missing from the list: that must not look clean.
        let joined = others.into_iter().map(std::thread::ScopedJoinHandle::join);
        joined
            .for_each(|result| done.extend(result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))));
    });
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().for_each(|(_, (shown, report))| checked.add(shown, report));
    checked
}

/// One file; `None` for a YAML file below a folder that is no manifest.
fn one(
    cx: &Cx,
    settings: &Settings,
    catalog: &StepCatalog,
    today: Date,
    target: &Target,
    text: Option<String>,
) -> Option<(String, Report)> {
    let shown = cx.paths.shown(&target.file);
    let text = match text.map_or_else(|| read_text(&target.file), Ok) {
        Ok(text) => text,
        Err(why) => return Some((shown.clone(), unreadable(&target.file, &shown, why))),
    };
    let dir = target.file.parent().unwrap_or(Path::new("/")).to_owned();
    let subject = if target.is_skill_md() {
        let folder = dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Subject::SkillMd { shown: shown.clone(), folder, text }
    } else if target.named || is_manifest(&target.file, &text) {
        let beside = target.file.with_file_name("SKILL.md");
        let is_skill = target.file.file_name().is_some_and(|name| name == "skill.yaml");
        let skill_md = Some(beside).filter(|file| is_skill && file.is_file());
        let skill_md = skill_md.and_then(|file| Some((cx.paths.shown(&file), read_text(&file).ok()?)));
        let origin = Origin { file: target.file.to_string_lossy().into_owned(), dir };
        Subject::Manifest { found: Found { shown: shown.clone(), text, origin }, skill_md }
    } else {
        return None;
    };
    let shelves = Shelves::new(&cx.paths, &cx.paths.cwd);
    let linter = Linter { catalog, library: &shelves, config: &settings.config, today };
    Some((shown, linter.lint(subject, &settings.name_of(&target.file))))
}

fn unreadable(file: &Path, shown: &str, why: String) -> Report {
    let mut report = Report::default();
    let source = report.sources.add(shown, "");
    let start = assay_diagnostics::Span { source, start: 0, end: 0 };
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
