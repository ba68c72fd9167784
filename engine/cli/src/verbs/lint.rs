//! `assay lint`: all findings of all files, in one run.

use crate::console::{Tone, paint};
use crate::context::Cx;
use crate::fail::Failure;
use crate::lint::{self, Checked, Settings};
use crate::reply::Reply;
use assay_diagnostics::{Severity, render};
use assay_lint::Level;
use assay_protocol::ExitCode;
use clap::{Args, ValueEnum};
use jiff::civil::Date;
use serde_json::json;

/// Options of `lint`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  assay lint                     every manifest below the current folder\n  assay lint skills/my-check     one skill\n  assay explain missing-timeout  what a rule finds, and why"
)]
pub struct Options {
    /// Manifests, `SKILL.md` files, folders that hold some, or `-` for standard input
    pub paths: Vec<String>,
    /// Configuration [default: the nearest `assay-lint.yaml`, in this folder or above]
    #[arg(long, value_name = "FILE")]
    pub config: Option<String>,
    /// Least severity that gives exit code 10 [default: `warning`]
    #[arg(long, value_name = "SEVERITY")]
    pub fail_on: Option<FailOn>,
    /// Name for the manifest on standard input
    #[arg(long, value_name = "FILE", default_value = "stdin.yaml")]
    pub stdin_name: String,
    /// Day of the check, where a rule asks for it [default: today]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub today: Option<Date>,
}

/// What makes lint fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Any finding.
    Note,
    /// Warnings and errors.
    Warning,
    /// Errors only.
    Error,
    /// Nothing: findings are shown, the exit code is 0.
    Never,
}

impl FailOn {
    fn level(self) -> Level {
        match self {
            Self::Note => Level::On(Severity::Note),
            Self::Warning => Level::On(Severity::Warning),
            Self::Error => Level::On(Severity::Error),
            Self::Never => Level::Off,
        }
    }
}

/// Runs the verb.
pub fn run(cx: &Cx, options: Options) -> Result<Reply, Failure> {
    let settings = lint::settings(cx, options.config.as_deref())?;
    let stdin = read_stdin(&options)?;
    let exclude = |file: &std::path::Path| settings.config.excludes(&settings.name_of(file));
    let targets = match (&stdin, options.paths.as_slice()) {
        (Some(_), [_]) => Vec::new(),
        _ => lint::collect(cx, &options.paths, &exclude)?,
    };
    let today = options.today.unwrap_or_else(|| jiff::Zoned::now().date());
    let catalog = assay_steps::registry().catalog();
    let checked = lint::check(cx, &settings, &catalog, today, &targets, stdin);
    if checked.files.is_empty() {
        let failure = Failure::new(ExitCode::Nothing, "no-manifest", "there is no manifest to check");
        return Err(
            failure.help("name one, or a folder that holds some: a manifest says `apiVersion: assay/v1`")
        );
    }
    let fail_on = options.fail_on.map_or(settings.config.fail_on, FailOn::level);
    Ok(reply(cx, &settings, &checked, fail_on))
}

fn read_stdin(options: &Options) -> Result<Option<(String, String)>, Failure> {
    if !options.paths.iter().any(|path| path == "-") {
        return Ok(None);
    }
    let text = std::io::read_to_string(std::io::stdin()).map_err(|error| {
        Failure::new(ExitCode::Usage, "stdin", format!("cannot read standard input: {error}"))
    })?;
    Ok(Some((options.stdin_name.clone(), text)))
}

fn reply(cx: &Cx, _: &Settings, checked: &Checked, fail_on: Level) -> Reply {
    let counted = |severity| checked.findings.iter().filter(|finding| finding.severity == severity).count();
    let (errors, warnings, notes) =
        (counted(Severity::Error), counted(Severity::Warning), counted(Severity::Note));
    let fails = match fail_on {
        // `Severity` puts errors first.
        Level::On(least) => checked.findings.iter().any(|finding| finding.severity <= least),
        Level::Off => false,
    };
    let exit = if fails { ExitCode::Findings } else { ExitCode::Ok };
    let files = match checked.files.len() {
        1 => "1 file".to_owned(),
        number => format!("{number} files"),
    };
    let ignored = match checked.suppressed.len() {
        0 => String::new(),
        number => format!(", {number} ignored"),
    };
    let summary = format!("{files}: {errors} errors, {warnings} warnings, {notes} notes{ignored}\n");
    let data = json!({"files": checked.files, "errors": errors, "warnings": warnings, "notes": notes,
        "ignored": checked.suppressed.len()});
    let text = render::text(&checked.findings, &checked.sources, cx.console.color_out);
    let tone = if fails { Tone::Bad } else { Tone::Good };
    let mut reply = Reply::new(exit, data, text);
    reply.remarks = paint(cx.console.color_err, tone, &summary);
    reply.findings = render::json(&checked.findings, &checked.sources);
    if let Some(first) = checked.findings.first() {
        reply = reply.next(format!("assay explain {}", first.code), "what it finds, why, and how to mend it");
    }
    reply
}
