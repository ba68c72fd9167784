//! `assay fmt`: one layout for all manifests, with every comment kept.

use crate::console::{Tone, paint};
use crate::context::Cx;
use crate::fail::Failure;
use crate::library::read_text;
use crate::lint::{self, STDIN, fix};
use crate::reply::Reply;
use assay_diagnostics::{Diagnostic, Sources, render};
use assay_manifest::schema::TOP_ORDER;
use assay_protocol::ExitCode;
use assay_yaml::{FormatError, FormatRules};
use clap::Args;
use serde_json::json;
use std::collections::HashMap;

/// Characters of a line up to which a list or mapping in brackets stays in them.
const WIDTH: usize = 120;

/// Options of `fmt`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  assay fmt                     every manifest below the current folder\n  assay fmt --check             change nothing; exit code 10 if something would change\n  assay fmt --diff skills       show what would change\n  assay fmt - < skill.yaml      from standard input to standard output\n\nTop-level fields come in the order of the manual; two spaces, one blank line between sections, quotes only where they\nare needed. What is written in brackets stays in brackets while it fits 120 characters; longer lists of words fill their lines."
)]
pub struct Options {
    /// Manifests, folders that hold some, or `-` for standard input
    pub paths: Vec<String>,
    /// Change nothing; exit code 10 if something would change
    #[arg(long)]
    pub check: bool,
    /// Show what would change, and change nothing; exit code 10 if that is anything
    #[arg(long)]
    pub diff: bool,
}

/// A file in its new layout.
struct Laid {
    shown: String,
    before: String,
    after: String,
}

/// Runs the verb.
pub fn run(cx: &Cx, options: Options) -> Result<Reply, Failure> {
    let mut sources = Sources::new();
    if options.paths == [STDIN] {
        let text = std::io::read_to_string(std::io::stdin())
            .map_err(|error| Failure::usage(format!("cannot read standard input: {error}")))?;
        if lint::is_kernel_task(&text) {
            return Err(lint::not_a_manifest(STDIN, false));
        }
        let after =
            layout(&mut sources, "stdin.yaml", &text).map_err(|found| invalid(cx, &found, &sources))?;
        return Ok(answer(
            cx,
            &options,
            &[Laid { shown: STDIN.to_owned(), before: text, after }],
            1,
            &[],
            &sources,
        ));
    }
    let settings = lint::settings(cx, None)?;
    let exclude = |file: &std::path::Path| settings.config.excludes(&settings.name_of(file));
    let targets = lint::collect(cx, &options.paths, &exclude)?;
    if let Some(failure) = lint::kernel_task(cx, &targets, &HashMap::new(), true) {
        return Err(failure);
    }
    let (mut laid, mut wrong, mut looked_at) = (Vec::new(), Vec::new(), 0);
    for target in targets.iter().filter(|target| !target.is_skill_md()) {
        let shown = cx.paths.shown(&target.file);
        let before = read_text(&target.file).map_err(Failure::usage)?;
        if !target.named && !lint::is_manifest(&target.file, &before) {
            continue;
        }
        looked_at += 1;
        match layout(&mut sources, &shown, &before) {
            Ok(after) if after == before => {}
            Ok(after) => laid.push(Laid { shown, before, after }),
            Err(found) => wrong.extend(found),
        }
    }
    if looked_at == 0 {
        if let Some(failure) = lint::kernel_task(cx, &targets, &HashMap::new(), false) {
            return Err(failure);
        }
        let failure = Failure::new(ExitCode::Nothing, "no-manifest", "there is no manifest to lay out");
        return Err(
            failure.help("name one, or a folder that holds some: a manifest says `apiVersion: assay/v1`")
        );
    }
    if !options.check && !options.diff {
        for one in &laid {
            fix::Fixed::of(&one.shown, &one.before, &one.after).write(&cx.paths.cwd)?;
        }
    }
    Ok(answer(cx, &options, &laid, looked_at, &wrong, &sources))
}

fn layout(sources: &mut Sources, shown: &str, text: &str) -> Result<String, Vec<Diagnostic>> {
    let source = sources.add(shown, text);
    let rules = FormatRules { width: WIDTH, top_order: TOP_ORDER, spaced: true };
    assay_yaml::format(source, text, &rules).map_err(|error| match error {
        FormatError::Invalid(found) => found,
        FormatError::Changed => {
            let finding = Diagnostic::error(
                "fmt-changed",
                format!("`{shown}` would not mean the same in another layout"),
            );
            vec![finding.help(
                "the file stays as it is; this is a defect of `assay fmt`, please report it with the file",
            )]
        }
    })
}

fn invalid(cx: &Cx, found: &[Diagnostic], sources: &Sources) -> Failure {
    Failure {
        drawn: render::text(found, sources, cx.console.color_err),
        findings: render::json(found, sources),
        ..Failure::new(
            ExitCode::InvalidManifest,
            "invalid-manifest",
            "the text is not YAML, so it stays as it is",
        )
    }
}

fn answer(
    cx: &Cx,
    options: &Options,
    laid: &[Laid],
    looked_at: usize,
    wrong: &[Diagnostic],
    sources: &Sources,
) -> Reply {
    let stdin = options.paths == [STDIN];
    let asks = options.check || options.diff;
    let changed: Vec<&Laid> = laid.iter().filter(|one| one.after != one.before).collect();
    let exit = match (wrong.is_empty(), asks && !changed.is_empty()) {
        (false, _) => ExitCode::InvalidManifest,
        (true, true) => ExitCode::Findings,
        (true, false) => ExitCode::Ok,
    };
    let text: String = match (options.diff, stdin && !options.check) {
        (true, _) => {
            changed.iter().map(|one| fix::Fixed::of(&one.shown, &one.before, &one.after).patch()).collect()
        }
        (false, true) => laid.iter().map(|one| one.after.as_str()).collect(),
        (false, false) => changed.iter().map(|one| format!("{}\n", one.shown)).collect(),
    };
    let files: Vec<&str> = changed.iter().map(|one| one.shown.as_str()).collect();
    let mut reply = Reply::new(exit, json!({"files": looked_at, "changed": files}), text);
    reply.findings = render::json(wrong, sources);
    reply.remarks = render::text(wrong, sources, cx.console.color_err);
    let word = if asks { "would change" } else { "changed" };
    if !stdin {
        let many = if looked_at == 1 { "" } else { "s" };
        let summary = format!("{looked_at} manifest{many}, {} {word}\n", files.len());
        let tone = if exit == ExitCode::Ok { Tone::Good } else { Tone::Bad };
        reply.remarks.push_str(&paint(cx.console.color_err, tone, &summary));
    }
    if options.check && !files.is_empty() {
        reply = reply.next("assay fmt", "brings them into the canonical layout");
    }
    reply
}
