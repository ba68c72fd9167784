//! One text through all rules.

use crate::config::{Config, Level};
use crate::context::Cx;
use crate::few::Few;
use crate::ignores::{self, Ignore, Index};
use crate::keys::Keys;
use crate::rule::{Check, Found, Rule};
use crate::rules;
use crate::skill_md::SkillMd;
use assay_diagnostics::{Diagnostic, Severity, Sources};
use assay_manifest::StepCatalog;
use assay_plan::{Library, examine};
use assay_yaml::Limits;
use jiff::civil::Date;
use std::cell::OnceCell;
use std::collections::HashSet;

/// What is looked at.
#[derive(Debug, Clone)]
pub enum Subject {
    /// A skill or a workflow.
    Manifest {
        /// Its text.
        found: assay_plan::Found,
        /// The `SKILL.md` beside it: its name for users, and its text.
        skill_md: Option<(String, String)>,
    },
    /// A `SKILL.md` without a manifest beside it.
    SkillMd {
        /// Its name for users.
        shown: String,
        /// Name of its folder; empty if it is not known.
        folder: String,
        /// Its text.
        text: String,
    },
}

impl Subject {
    /// The name that users know it by.
    pub fn shown(&self) -> &str {
        match self {
            Self::Manifest { found, .. } => &found.shown,
            Self::SkillMd { shown, .. } => shown,
        }
    }
}

/// A finding that a comment silences.
#[derive(Debug, Clone)]
pub struct Suppressed {
    /// The finding.
    pub finding: Diagnostic,
    /// The reason given.
    pub reason: String,
}

/// What was found in one subject.
#[derive(Debug, Default)]
pub struct Report {
    /// The texts that places point into; the subject's own is the first.
    pub sources: Sources,
    /// Findings, in the order of the text.
    pub findings: Vec<Diagnostic>,
    /// Findings that comments silence.
    pub suppressed: Vec<Suppressed>,
    /// Other texts that decided: absolute files of called manifests and their texts.
    pub others: Vec<(String, String)>,
}

/// Everything that stays the same from subject to subject.
pub struct Linter<'a> {
    /// Known step and check types.
    pub catalog: &'a StepCatalog,
    /// Where called manifests are found.
    pub library: &'a dyn Library,
    /// What the author decided.
    pub config: &'a Config,
    /// The day of the check.
    pub today: Date,
}

impl Linter<'_> {
    /// Looks at one subject. `file` is its name for the configuration: relative to it, with `/`.
    pub fn lint(&self, subject: Subject, file: &str) -> Report {
        match subject {
            Subject::Manifest { found, skill_md } => self.manifest(found, skill_md, file),
            Subject::SkillMd { shown, folder, text } => self.skill_md(&shown, &folder, text, file),
        }
    }

    fn manifest(&self, found: assay_plan::Found, skill_md: Option<(String, String)>, file: &str) -> Report {
        let mut sources = Sources::new();
        let text = found.text.clone();
        let path = std::path::Path::new(&found.origin.file).to_owned();
        let name = |path: Option<&std::ffi::OsStr>| path.map(|name| name.to_string_lossy().into_owned());
        let built_in = !path.is_absolute();
        let folder = name(path.parent().and_then(std::path::Path::file_name)).filter(|_| !built_in);
        let file_name = name(path.file_name()).filter(|_| !built_in);
        let examined = examine(found, self.config.limits(), self.library, self.catalog, &mut sources);
        let folder = folder.unwrap_or_default();
        let skill_md = skill_md
            .map(|(shown, text)| SkillMd::read(&mut sources, &self.config.limits(), &shown, &folder, text));
        let has_errors = examined.diagnostics.iter().any(|found| found.severity == Severity::Error);
        let mut list = Few::default();
        list.extend(examined.diagnostics.into_iter().map(|found| self.with_limit(found)));
        list.extend(skill_md.iter().flat_map(|skill| skill.diagnostics.iter().cloned()));
        let plan = examined.plan.as_deref();
        let cx = Cx {
            source: examined.source,
            text: &text,
            file_name: &file_name.unwrap_or_default(),
            folder: &folder,
            tree: examined.tree.as_ref(),
            catalog: self.catalog,
            today: self.today,
            skill_md: skill_md.as_ref(),
            has_errors: has_errors || skill_md.as_ref().is_some_and(SkillMd::has_errors),
            manifest: plan.map(|plan| &plan.manifest),
            commands: OnceCell::new(),
            keys: Keys::default(),
        };
        for rule in rules::ALL {
            let Level::On(severity) = self.config.level(rule.id, rule.severity, file) else { continue };
            let mut found = Found::new(rule, severity, &mut list);
            match rule.check {
                Check::Text(check) => check(&cx, &mut found),
                Check::Tree(check) => cx.tree.iter().for_each(|tree| check(&cx, tree, &mut found)),
                Check::Manifest(check) => {
                    plan.iter().for_each(|plan| check(&cx, &plan.manifest, &mut found));
                }
                Check::Plan(check) => plan.iter().for_each(|plan| check(&cx, plan, &mut found)),
                Check::SkillMd(check) => cx.skill_md.iter().for_each(|skill| check(&cx, skill, &mut found)),
                Check::FrontEnd | Check::Ignores(_) => {}
            }
        }
        let mut ignores = ignores::read(cx.source, &text, cx.tree);
        if let Some(skill) = &skill_md {
            ignores.extend(ignores_of(skill));
        }
        let others = examined.texts.into_iter().skip(1).collect();
        drop(examined.plan);
        self.settle(sources, list, ignores, others, file)
    }

    fn skill_md(&self, shown: &str, folder: &str, text: String, file: &str) -> Report {
        let mut sources = Sources::new();
        let mut skill = SkillMd::read(&mut sources, &self.config.limits(), shown, folder, text);
        let has_errors = skill.has_errors();
        let mut list = Few::default();
        list.extend(std::mem::take(&mut skill.diagnostics));
        let cx = Cx {
            source: skill.source,
            text: &skill.text,
            file_name: "SKILL.md",
            folder,
            tree: None,
            catalog: self.catalog,
            today: self.today,
            skill_md: Some(&skill),
            has_errors,
            manifest: None,
            commands: OnceCell::new(),
            keys: Keys::default(),
        };
        for rule in rules::ALL {
            let Level::On(severity) = self.config.level(rule.id, rule.severity, file) else { continue };
            if let Check::SkillMd(check) = rule.check {
                check(&cx, &skill, &mut Found::new(rule, severity, &mut list));
            }
        }
        let ignores = ignores_of(&skill);
        self.settle(sources, list, ignores, Vec::new(), file)
    }

    /// Lint reads less than a run does, and says how it reads more.
    fn with_limit(&self, found: Diagnostic) -> Diagnostic {
        let own = self.config.max_values < Limits::default().nodes;
        if !own || !matches!(found.code, "yaml-too-many-nodes" | "yaml-alias-limit" | "too-many-edges") {
            return found;
        }
        let most = self.config.max_values;
        found.help(format!(
            "lint reads {most} values of a manifest; `max_values` in `assay-lint.yaml` sets another number"
        ))
    }

    /// Applies the comments that silence rules, and reports what is wrong with them.
    fn settle(
        &self,
        sources: Sources,
        list: Few,
        mut ignores: Vec<Ignore>,
        others: Vec<(String, String)>,
        file: &str,
    ) -> Report {
        let mut report = Report { sources, others, ..Report::default() };
        let mut seen = HashSet::new();
        let index = Index::new(&ignores);
        for finding in list.finish() {
            if !seen.insert((finding.code, finding.primary(), finding.message.clone())) {
                continue;
            }
            let silenced = index.find(&ignores, &finding).filter(|_| !is_front_end(finding.code));
            match silenced {
                Some(at) => {
                    ignores[at].used = true;
                    report.suppressed.push(Suppressed { finding, reason: ignores[at].reason.clone() });
                }
                None => report.findings.push(finding),
            }
        }
        let off = |id: &str| self.config.level(id, Severity::Warning, file) == Level::Off;
        let mut of_ignores = Few::default();
        for rule in rules::ALL {
            let Check::Ignores(check) = rule.check else { continue };
            if let Level::On(severity) = self.config.level(rule.id, rule.severity, file) {
                check(&ignores, &off, &mut Found::new(rule, severity, &mut of_ignores));
            }
        }
        report.findings.extend(of_ignores.finish());
        report
            .findings
            .sort_by_key(|finding| finding.primary().map(|span| (span.source, span.start, span.end)));
        report
    }
}

fn ignores_of(skill: &SkillMd) -> Vec<Ignore> {
    let text = &skill.text[..skill.front_range.end];
    // A comment in the front matter stands for the whole file.
    ignores::read(skill.source, text, skill.front.as_ref())
}

/// Whether reading the manifest finds it. A code that no rule documents can only come from there.
fn is_front_end(code: &str) -> bool {
    rules::find(code).is_none_or(|rule: &Rule| matches!(rule.check, Check::FrontEnd))
}
