//! `assay lint`: all findings of all files, in one run.

use crate::console::{Tone, paint};
use crate::context::Cx;
use crate::fail::Failure;
use crate::lint::output::{self, Format};
use crate::lint::{self, Cache, Checked, Look, STDIN, Settings, Target, accepted, fix};
use crate::reply::Reply;
use assay_diagnostics::Severity;
use assay_lint::Level;
use assay_manifest::absolute;
use assay_protocol::ExitCode;
use clap::{Args, ValueEnum};
use jiff::civil::Date;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// A fix may make room for the next one; after so many rounds two of them undo each other.
const MOST_ROUNDS: usize = 10;

/// Options of `lint`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  assay lint                                every manifest below the current folder\n  assay lint skills/my-check --fix          mend what can be mended without changing what it means\n  assay lint --diff --unsafe-fixes          show what all fixes would change\n  assay lint --format github -o sarif=lint.sarif\n  assay lint - --stdin-name skill.yaml      a manifest on standard input\n  assay explain missing-timeout             what a rule finds, and why\n  assay list rules                          all rules\n\nA comment silences a rule: `# assay: ignore[rule] why`, behind a value for its line, or above an entry for all of it.\n`ignore-file[rule]` covers the file. What `assay run` refuses cannot be silenced."
)]
pub struct Options {
    /// Manifests, `SKILL.md` files, folders that hold some, or `-` for standard input
    pub paths: Vec<String>,
    /// Format on standard output
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
    /// Write another format to a file as well; may be given several times
    #[arg(short, long, value_name = "FORMAT=FILE", value_parser = parse_output)]
    pub output: Vec<(Format, String)>,
    /// Apply fixes that keep what the author wrote
    #[arg(long)]
    pub fix: bool,
    /// With `--fix` or `--diff`: also those that an author should look at
    #[arg(long)]
    pub unsafe_fixes: bool,
    /// Show what `--fix` would change, and change nothing; exit code 10 if that is anything
    #[arg(long)]
    pub diff: bool,
    /// Set the severity of a rule: `off`, `note`, `warning` or `error`; may be given several times
    #[arg(long, value_name = "RULE=SEVERITY", value_parser = parse_rule)]
    pub rule: Vec<(String, Level)>,
    /// Least severity that gives exit code 10 [default: `warning`]
    #[arg(long, value_name = "SEVERITY")]
    pub fail_on: Option<FailOn>,
    /// Findings that are accepted, in a file that `--write-baseline` wrote
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<String>,
    /// Accept everything found now: write it to a file for `--baseline`
    #[arg(long, value_name = "FILE", conflicts_with_all = ["baseline", "fix", "diff"])]
    pub write_baseline: Option<String>,
    /// Configuration [default: the nearest `assay-lint.yaml`, in this folder or above]
    #[arg(long, value_name = "FILE")]
    pub config: Option<String>,
    /// Name for the manifest on standard input
    #[arg(long, value_name = "FILE", default_value = "stdin.yaml")]
    pub stdin_name: String,
    /// Day of the check, where a rule asks for it [default: today]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub today: Option<Date>,
    /// Look at every file, also at those that have not changed
    #[arg(long)]
    pub no_cache: bool,
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

fn parse_output(text: &str) -> Result<(Format, String), String> {
    let (format, file) = text.split_once('=').ok_or("write `sarif=lint.sarif`: a format, `=` and a file")?;
    Ok((Format::from_str(format, false)?, file.to_owned()))
}

fn parse_rule(text: &str) -> Result<(String, Level), String> {
    let (rule, level) =
        text.split_once('=').ok_or("write `missing-timeout=error`: a rule, `=` and a severity")?;
    let level = Level::of_word(level).ok_or("a severity is `off`, `note`, `warning` or `error`")?;
    Ok((rule.to_owned(), level))
}

/// Runs the verb.
pub fn run(cx: &Cx, options: Options) -> Result<Reply, Failure> {
    let mut settings = lint::settings(cx, options.config.as_deref())?;
    for (rule, level) in &options.rule {
        settings.config.set(rule, *level).map_err(Failure::usage)?;
        settings.text.push_str(&format!("\n--rule {rule}={level:?}"));
    }
    let catalog = assay_steps::registry().catalog();
    let today = options.today.unwrap_or_else(|| jiff::Zoned::now().date());
    let (targets, texts) = targets(cx, &settings, &options)?;
    if let Some(failure) = lint::kernel_task(cx, &targets, &texts, true) {
        return Err(failure);
    }
    let mut look = Look { cx, settings: &settings, catalog: &catalog, today, texts };
    let cached = if options.no_cache { 0 } else { targets.len() };
    let mut cache = Cache::open(cx, &settings.text, today, cached);
    let mut checked = look.at(&targets, &mut cache);
    cache.close();
    if checked.files.is_empty() {
        if let Some(failure) = lint::kernel_task(cx, &targets, &look.texts, false) {
            return Err(failure);
        }
        let failure = Failure::new(ExitCode::Nothing, "no-manifest", "there is no manifest to check");
        return Err(
            failure.help("name one, or a folder that holds some: a manifest says `apiVersion: assay/v1`")
        );
    }
    if let Some(file) = &options.write_baseline {
        return accept_all(cx, &checked, file);
    }
    let patch =
        if options.fix || options.diff { mend(&mut look, &targets, &options, &mut checked)? } else { None };
    let baseline = options.baseline.as_ref().map(|file| absolute(&cx.paths.cwd, file));
    let configured = settings.config.baseline.as_ref().map(|file| settings.folder.join(file));
    if let Some(file) = baseline.or(configured) {
        accepted::apply(&mut checked, &file)?;
    }
    let fail_on = options.fail_on.map_or(settings.config.fail_on, FailOn::level);
    reply(cx, &options, &checked, fail_on, patch)
}

/// The files to look at, and the text of standard input under the name given for it.
fn targets(
    cx: &Cx,
    settings: &Settings,
    options: &Options,
) -> Result<(Vec<Target>, HashMap<PathBuf, String>), Failure> {
    let exclude = |file: &Path| settings.config.excludes(&settings.name_of(file));
    if !options.paths.iter().any(|path| path == STDIN) {
        return Ok((lint::collect(cx, &options.paths, &exclude)?, HashMap::new()));
    }
    let files: Vec<String> = options.paths.iter().filter(|path| *path != STDIN).cloned().collect();
    let mut targets = if files.is_empty() { Vec::new() } else { lint::collect(cx, &files, &exclude)? };
    let text = std::io::read_to_string(std::io::stdin()).map_err(|error| {
        Failure::new(ExitCode::Usage, "stdin", format!("cannot read standard input: {error}"))
    })?;
    let file = absolute(&cx.paths.cwd, &options.stdin_name);
    targets.insert(0, Target { file: file.clone(), named: true });
    Ok((targets, HashMap::from([(file, text)])))
}

fn accept_all(cx: &Cx, checked: &Checked, file: &str) -> Result<Reply, Failure> {
    let number = accepted::write(checked, &absolute(&cx.paths.cwd, file))?;
    let text = format!("`{file}` accepts {number} findings of {} files\n", checked.files.len());
    let reply = Reply::ok(serde_json::json!({"baseline": file, "accepted": number}), text);
    Ok(reply.next(format!("assay lint --baseline {file}"), "shows only what is new"))
}

/// Applies fixes, round by round in memory, and writes the files or returns the patch. Afterwards `checked` is what is left.
fn mend(
    look: &mut Look<'_>,
    targets: &[Target],
    options: &Options,
    checked: &mut Checked,
) -> Result<Option<String>, Failure> {
    let mut before: Vec<fix::Fixed> = Vec::new();
    let mut fixes = 0;
    for _ in 0..MOST_ROUNDS {
        let round = fix::fixed(checked, options.unsafe_fixes);
        if round.is_empty() {
            break;
        }
        for one in round {
            fixes += one.fixes;
            look.texts.insert(look.file_of(&one.shown), one.after.clone());
            if !before.iter().any(|known| known.shown == one.shown) {
                before.push(one);
            }
        }
        let again: Vec<Target> = targets.iter().filter(|target| touched(look, target)).cloned().collect();
        let seen = look.at(&again, &mut Cache::default());
        *checked = merge(std::mem::take(checked), seen);
    }
    checked.fixed = fixes;
    let changed = before.into_iter().filter_map(|one| {
        let after = look.texts.get(&look.file_of(&one.shown))?.clone();
        (after != one.before).then_some(fix::Fixed { after, fixes, ..one })
    });
    let changed: Vec<fix::Fixed> = changed.collect();
    if options.diff {
        return Ok(Some(changed.iter().map(fix::Fixed::patch).collect()));
    }
    let stdin = options.paths.iter().any(|path| path == STDIN);
    for one in changed.iter().filter(|one| !stdin || one.shown != options.stdin_name) {
        one.write(&look.cx.paths.cwd)?;
    }
    let text = look.texts.get(&absolute(&look.cx.paths.cwd, &options.stdin_name));
    Ok(text.filter(|_| stdin).cloned())
}

/// Whether a fix changed a target or the `SKILL.md` beside it.
fn touched(look: &Look<'_>, target: &Target) -> bool {
    look.texts.contains_key(&target.file) || look.texts.contains_key(&target.file.with_file_name("SKILL.md"))
}

/// The earlier findings, with those of files that were looked at again replaced.
fn merge(old: Checked, new: Checked) -> Checked {
    let Checked { sources, findings, suppressed, files, .. } = old;
    let again = |source| {
        new.files.iter().any(|file| file == sources.name(source) || beside(file) == sources.name(source))
    };
    let stays =
        |finding: &assay_diagnostics::Diagnostic| !finding.primary().is_some_and(|span| again(span.source));
    let findings: Vec<_> = findings.into_iter().filter(|finding| stays(finding)).collect();
    let suppressed: Vec<_> = suppressed.into_iter().filter(|one| stays(&one.finding)).collect();
    let mut merged = Checked { sources, findings, suppressed, files, ..Checked::default() };
    let by = merged.sources.append(new.sources);
    merged.findings.extend(new.findings.into_iter().map(|finding| finding.moved(by)));
    merged.suppressed.extend(
        new.suppressed
            .into_iter()
            .map(|one| assay_lint::Suppressed { finding: one.finding.moved(by), ..one }),
    );
    merged
}

fn beside(file: &str) -> String {
    file.strip_suffix("skill.yaml").map(|folder| format!("{folder}SKILL.md")).unwrap_or_default()
}

fn reply(
    cx: &Cx,
    options: &Options,
    checked: &Checked,
    fail_on: Level,
    instead: Option<String>,
) -> Result<Reply, Failure> {
    let would_change = options.diff && instead.as_ref().is_some_and(|patch| !patch.is_empty());
    let fails = checked.reaches(fail_on) || would_change;
    let exit = if fails { ExitCode::Findings } else { ExitCode::Ok };
    for (format, file) in &options.output {
        let text = output::render(*format, checked, exit, false);
        std::fs::write(absolute(&cx.paths.cwd, file), text).map_err(|error| {
            Failure::new(ExitCode::Internal, "lint-output", format!("cannot write `{file}`: {error}"))
        })?;
    }
    // A scanner that exits with findings looks broken to those who collect SARIF.
    let shown = if options.format == Format::Sarif { ExitCode::Ok } else { exit };
    let findings = output::render(options.format, checked, exit, cx.console.color_out);
    let (text, remarks) = match instead {
        Some(instead) if options.diff => (instead, String::new()),
        Some(instead) => (instead, findings),
        None => (findings, String::new()),
    };
    let mut reply = Reply::new(shown, output::data(checked), text);
    let tone = if fails { Tone::Bad } else { Tone::Good };
    reply.remarks = remarks + &paint(cx.console.color_err, tone, &summary(checked));
    reply.findings = output::for_machines(checked);
    if options.format == Format::Text {
        reply = with_next(reply, checked);
    }
    Ok(reply)
}

fn summary(checked: &Checked) -> String {
    let many = |number: usize, one: &str| match number {
        1 => format!("1 {one}"),
        number => format!("{number} {one}s"),
    };
    let mut text = format!(
        "{}: {}, {}, {}",
        many(checked.files.len(), "file"),
        many(checked.count(Severity::Error), "error"),
        many(checked.count(Severity::Warning), "warning"),
        many(checked.count(Severity::Note), "note")
    );
    for (number, what) in [
        (checked.fixed, "fixed"),
        (checked.suppressed.len(), "ignored"),
        (checked.accepted.len(), "accepted by the baseline"),
        (checked.gone, "accepted that are gone: write the baseline again"),
    ] {
        if number > 0 {
            text.push_str(&format!(", {number} {what}"));
        }
    }
    text + "\n"
}

fn with_next(reply: Reply, checked: &Checked) -> Reply {
    let fixable = checked.findings.iter().filter_map(|finding| finding.fix.as_ref());
    let safe = fixable.filter(|fix| fix.safe).count();
    let reply = match checked.findings.first() {
        Some(first) => {
            reply.next(format!("assay explain {}", first.code), "what it finds, why, and how to mend it")
        }
        None => reply,
    };
    if safe > 0 {
        reply.next("assay lint --fix", format!("mends {safe} of them without changing what they mean"))
    } else {
        reply
    }
}
