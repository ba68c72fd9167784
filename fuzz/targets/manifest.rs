//! Manifests: lowering, planning, every rule and every renderer take any text; findings lie in it; safe fixes leave
//! something that can be read.
//!
//! A line `%%%%` divides a manifest from the `SKILL.md` beside it; a text that begins with `---` is a `SKILL.md` alone.
#![no_main]

use assay_diagnostics::{Diagnostic, Fix, Severity, SourceId, Sources, apply, render};
use assay_lint::{Config, Linter, Report, Subject};
use assay_manifest::{Origin, StepCatalog};
use assay_plan::{Found, Library, NotFound};
use assay_yaml::{Limits, parse};
use jiff::civil::date;
use libfuzzer_sys::fuzz_target;

const FILE: &str = "/skills/example/skill.yaml";
const DIVIDER: &str = "\n%%%%\n";

thread_local! {
    static CATALOG: StepCatalog = assay_steps::registry().catalog();
    static CONFIG: Config = Config::default();
}

fuzz_target!(|text: &str| {
    let subject = subject(text);
    let report = lint(subject.clone(), text);
    report.findings.iter().chain(report.suppressed.iter().map(|one| &one.finding)).for_each(|finding| {
        sound(finding, &report.sources);
    });
    render::text(&report.findings, &report.sources, false);
    render::github(&report.findings, &report.sources);
    render::junit(&report.findings, &report.sources, &[FILE]);
    render::json(&report.findings, &report.sources);
    if let Subject::Manifest { found, .. } = &subject {
        fixes_keep_it_readable(&found.text, &report);
    }
});

fn subject(text: &str) -> Subject {
    if text.starts_with("---") {
        let (shown, folder) = ("SKILL.md".to_owned(), "example".to_owned());
        return Subject::SkillMd { shown, folder, text: text.to_owned() };
    }
    let (manifest, beside) = text.split_once(DIVIDER).map_or((text, None), |(a, b)| (a, Some(b)));
    let skill_md = beside.map(|text| ("SKILL.md".to_owned(), text.to_owned()));
    Subject::Manifest { found: found(FILE, manifest), skill_md }
}

fn found(file: &str, text: &str) -> Found {
    let origin = Origin { file: file.to_owned(), dir: "/skills/example".into() };
    Found { shown: file.trim_start_matches('/').to_owned(), text: text.to_owned(), origin }
}

fn lint(subject: Subject, text: &str) -> Report {
    let library = Called { own: text };
    CATALOG.with(|catalog| {
        CONFIG.with(|config| {
            let linter = Linter { catalog, library: &library, config, today: date(2026, 11, 22) };
            linter.lint(subject, "skills/example/skill.yaml")
        })
    })
}

/// What a manifest can call: a small skill, or itself.
struct Called<'a> {
    own: &'a str,
}

const CALLED: &str = "apiVersion: assay/v1
kind: Skill
name: called
version: 1.0.0
description: Says a word. Use it to be called.
inputs: {word: {type: string}, times: {type: integer, default: 1}}
steps:
  say:
    uses: command
    with: {argv: [echo, \"{{ inputs.word }}\"], parse: {as: json, schema: {type: object, properties: {ms: {type: number}}}}}
    timeout: 1m
outputs:
  ms: {type: number, value: steps.say.result.ms}
";

impl Library for Called<'_> {
    fn find(&self, name: &str, _: &Origin) -> Result<Found, NotFound> {
        match name {
            "called" => Ok(found("/skills/called/skill.yaml", CALLED)),
            "example" => Ok(found(FILE, self.own)),
            _ => {
                Err(NotFound { why: format!("there is no skill `{name}`"), known: vec!["called".to_owned()] })
            }
        }
    }
}

fn sound(finding: &Diagnostic, sources: &Sources) {
    let edits = finding.fix.iter().flat_map(|fix| &fix.edits).map(|edit| edit.span);
    for span in finding.labels.iter().map(|label| label.span).chain(edits) {
        let text = sources.text(span.source);
        assert!(text.get(span.range()).is_some(), "no place: {finding:?}");
    }
    assert!(!finding.message.is_empty(), "nothing said: {finding:?}");
}

fn fixes_keep_it_readable(text: &str, report: &Report) {
    if !readable(text) {
        return;
    }
    // The subject's own text is the first source.
    let own = |fix: &&Fix| fix.edits.iter().all(|edit| edit.span.source == SourceId(0));
    let fixes = report.findings.iter().filter_map(|finding| finding.fix.as_ref());
    let safe: Vec<&Fix> = fixes.filter(|fix| fix.safe).filter(own).collect();
    let applied = apply(text, &safe);
    assert!(readable(&applied.text), "fixes broke it:\n{}\nfixes: {safe:#?}", applied.text);
}

fn readable(text: &str) -> bool {
    let parsed = parse(SourceId(0), text, &Limits::default());
    parsed.root.is_some() && parsed.diagnostics.iter().all(|found| found.severity != Severity::Error)
}
