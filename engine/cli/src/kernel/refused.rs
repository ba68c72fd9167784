//! Why there is no judgement, and who must act.

use crate::context::Cx;
use crate::fail::Failure;
use crate::format::shell_word;
use assay_kernel::judge::JudgeError;
use assay_kernel::ledger::{LedgerError, Unsignable};
use assay_kernel::task::TaskError;
use assay_protocol::{ExitCode, Finding};
use std::io::ErrorKind;

/// A task that cannot be used.
pub fn task(cx: &Cx, error: &TaskError) -> Failure {
    let code = "kernel-task";
    match error {
        TaskError::Read { path, source } => {
            let message = format!("cannot read `{}`: {source}", cx.paths.shown(path));
            Failure::new(ExitCode::InvalidManifest, code, message)
                .help("name the task's file, or the folder that holds its `task.yaml`")
                .help("`assay explain kernel-task` says what a task holds")
        }
        TaskError::Written { file, line, column, message, help } => {
            let shown = cx.paths.shown(file);
            let mut failure =
                Failure::new(ExitCode::InvalidManifest, code, format!("{shown}:{line}:{column}: {message}"));
            failure.findings.push(Finding {
                code: code.to_owned(),
                severity: "error".to_owned(),
                message: message.clone(),
                file: Some(shown),
                line: Some(*line),
                column: Some(*column),
                help: help.iter().cloned().collect(),
                ..Finding::default()
            });
            failure.help.extend(help.iter().cloned());
            failure
        }
        // Every one but the last stands above it, each as it would alone.
        TaskError::Several { all } => {
            let Some((last, others)) = all.split_last() else {
                return Failure::new(ExitCode::InvalidManifest, code, error.to_string());
            };
            let mut failure = task(cx, last);
            let mut findings = Vec::new();
            for other in others {
                let other = task(cx, other);
                failure.drawn.push_str(&other.text(cx.console.color_err));
                findings.extend(if other.findings.is_empty() {
                    other.all_findings()
                } else {
                    other.findings
                });
            }
            findings.append(&mut failure.findings);
            failure.findings = findings;
            failure
        }
        TaskError::Case { .. } => Failure::new(ExitCode::InvalidManifest, code, error.to_string()),
    }
}

/// A judgement that could not be made. None of these says anything about the candidate.
pub fn judgement(cx: &Cx, error: &JudgeError) -> Failure {
    let failure = |exit, code| Failure::new(exit, code, error.to_string());
    pointed(match error {
        JudgeError::Task(error) => task(cx, error),
        JudgeError::Lint(error) => {
            let failure = failure(ExitCode::InvalidManifest, "kernel-task");
            match error.help() {
                Some(help) => failure.help(help),
                None => failure,
            }
        }
        JudgeError::Oracle(_) => failure(ExitCode::InvalidManifest, "kernel-oracle"),
        JudgeError::Baseline { finding, notes, .. } => {
            let advice = finding.code.advice();
            let failure = failure(ExitCode::InvalidManifest, "kernel-baseline").help(format!(
                "the baseline ends as {} at gate `{}`: {}",
                finding.code.word(),
                finding.gate.word(),
                advice.way_out
            ));
            notes.iter().fold(failure, |failure, note| failure.help(format!("note: {note}")))
        }
        JudgeError::File { path, source } if source.kind() == ErrorKind::NotFound => {
            failure(ExitCode::Usage, "kernel-candidate").help(format!(
                "it was looked for in `{}`; give the path of a file that is there, in full or from `{}`",
                path.parent().unwrap_or(path).display(),
                cx.paths.cwd.display()
            ))
        }
        JudgeError::File { .. } | JudgeError::Candidate { .. } => {
            failure(ExitCode::Usage, "kernel-candidate")
        }
        JudgeError::Unsupported { .. } => failure(ExitCode::Unsupported, "kernel-unsupported"),
        JudgeError::Stats(_) => failure(ExitCode::Inconclusive, "kernel-times"),
        _ => failure(ExitCode::Unsupported, "kernel-machine"),
    })
}

/// Where the machine is at fault, a verb says what it lacks.
fn pointed(failure: Failure) -> Failure {
    if failure.exit == ExitCode::Unsupported {
        return failure.next("assay doctor", "says what this machine has for kernels, and what it lacks");
    }
    failure
}

/// A ledger that cannot be used.
pub fn ledger(cx: &Cx, error: &LedgerError) -> Failure {
    let failure = |exit, message| Failure::new(exit, "kernel-ledger", message);
    match error {
        LedgerError::Io { action, path, source } => {
            let shown = cx.paths.shown(path);
            let help = match source.kind() {
                ErrorKind::IsADirectory => {
                    format!("it is a folder; name a file in it: `{shown}/kernel-ledger.jsonl`")
                }
                ErrorKind::NotFound | ErrorKind::NotADirectory => {
                    "its folder must be there: make it first, or name a file in another".to_owned()
                }
                _ => "name a file that you may write to".to_owned(),
            };
            failure(ExitCode::Usage, format!("cannot {action} the ledger `{shown}`: {source}")).help(help)
        }
        LedgerError::Row { .. } => failure(ExitCode::Internal, error.to_string()),
        LedgerError::Broken { path, broken } => {
            let shown = cx.paths.shown(path);
            let message = format!("row {} of the ledger `{shown}` is broken: {}", broken.row, broken.reason);
            failure(ExitCode::Unfair, message)
                .help("nothing is added behind it; move the file away to begin another ledger")
                .next(format!("assay ledger verify {}", shell_word(&shown)), "says what holds")
        }
        LedgerError::Unsignable { path, why } => {
            let message = format!("`{}`: {why}", cx.paths.shown(path));
            match why {
                Unsignable::Absent { .. } => failure(ExitCode::Nothing, message),
                Unsignable::Again { .. } => failure(ExitCode::Usage, message)
                    .help("it need not be said twice; another comment is added beside it"),
                _ => failure(ExitCode::Usage, message)
                    .help("only rows that `assay ledger show` marks are signed; `assay explain sign_off` says which these are"),
            }
        }
    }
}
