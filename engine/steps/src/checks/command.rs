//! `command`: a program is there and says what is wanted.

use super::{Ran, cannot, kind, not_in_rehearsal, run_program, settled};
use crate::config::{self, command_line, schema_of};
use crate::fields::{Argv, Duration, Numbers, Pattern};
use assay_manifest::Kind;
use assay_run::{Check, CheckResult, LocalFuture, ProcessEnd, StepCtx};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);

/// Runs a short program.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Program and arguments. This or `shell`.
    #[serde(default)]
    argv: Option<Argv>,
    /// A line for `sh`. This or `argv`.
    #[serde(default)]
    shell: Option<String>,
    /// Exit code or codes that are right. Default: 0.
    #[serde(default)]
    exit: Option<Numbers>,
    /// Regular expression that its output must match, on standard output or standard error.
    #[serde(default)]
    matches: Option<Pattern>,
    /// Longest time to wait. Default: `30s`.
    #[serde(default)]
    timeout: Option<Duration>,
}

/// The check type.
#[derive(Debug)]
pub(crate) struct Command;

impl Check for Command {
    fn kind(&self) -> Kind {
        kind(
            "command",
            "A program runs and exits as wanted",
            "Runs a short program, such as a compiler asked for its version. The first lines of what it says are kept \
             as evidence.",
            "check: command\nwith: {argv: [cc, --version], matches: \"gcc|clang\"}\n",
            schema_of::<Config>,
        )
    }

    fn run<'a>(&'a self, cx: &'a StepCtx) -> LocalFuture<'a, CheckResult> {
        Box::pin(async move { settled(look(cx).await) })
    }
}

async fn look(cx: &StepCtx) -> Result<CheckResult, CheckResult> {
    let config: Config = config::read(&cx.config).map_err(cannot)?;
    let command = command_line(config.argv.as_ref(), config.shell.as_deref()).map_err(cannot)?;
    let program = command.argv.first().map(|program| program.rsplit('/').next().unwrap_or(program));
    if program == Some("nvidia-smi") {
        not_in_rehearsal(cx)?;
    }
    let pattern = config.matches.as_ref().map(|pattern| regex::Regex::new(&pattern.0)).transpose();
    let pattern =
        pattern.map_err(|error| cannot(format!("`matches` is not a regular expression: {error}")))?;
    let limit = config.timeout.map_or(TIMEOUT, |limit| limit.get());
    let ran = run_program(cx, &command, limit).await.map_err(cannot)?;
    let name = config.argv.as_ref().map_or("the shell line", |argv| argv.0[0].as_str());
    Ok(judge(name, &config, pattern.as_ref(), &ran))
}

fn judge(name: &str, config: &Config, pattern: Option<&regex::Regex>, ran: &Ran) -> CheckResult {
    let evidence = json!({"end": ran.end.words(), "output": ran.first_lines()});
    let right = match (&config.exit, ran.end) {
        (Some(codes), ProcessEnd::Exited(code)) => codes.0.contains(&i64::from(code)),
        (None, ProcessEnd::Exited(code)) => code == 0,
        _ => false,
    };
    if !right {
        let wanted = config.exit.as_ref().map_or("0".to_owned(), Numbers::words);
        let found =
            format!("`{name}` ended with {}, expected exit {wanted}: {}", ran.end.words(), ran.first_lines());
        return CheckResult::fails(found.trim_end_matches([':', ' ']).to_owned(), evidence);
    }
    match pattern {
        Some(pattern) if !pattern.is_match(&ran.stdout) && !pattern.is_match(&ran.stderr) => {
            let found = format!(
                "the output of `{name}` does not match `{}`: {}",
                pattern.as_str(),
                ran.first_lines()
            );
            CheckResult::fails(found, evidence)
        }
        _ => {
            let first = ran.first_lines();
            let said = first.lines().next().unwrap_or_default();
            let found =
                if said.is_empty() { format!("`{name}` runs") } else { format!("`{name}` says: {said}") };
            CheckResult::holds(found, evidence)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Config, Ran, judge};
    use crate::config::read;
    use assay_run::ProcessEnd;
    use serde_json::json;

    #[test]
    fn exit_and_output_are_judged() {
        let ran = |code, text: &str| Ran {
            end: ProcessEnd::Exited(code),
            stdout: text.to_owned(),
            stderr: String::new(),
        };
        let plain: Config = read(&json!({"argv": ["cc"]})).unwrap();
        assert!(judge("cc", &plain, None, &ran(0, "gcc 12.2\nmore")).found.ends_with("says: gcc 12.2"));
        assert!(judge("cc", &plain, None, &ran(1, "boom")).found.contains("exit 1, expected exit 0: boom"));
        let odd: Config = read(&json!({"argv": ["cc"], "exit": [1, 2]})).unwrap();
        assert!(judge("cc", &odd, None, &ran(2, "")).holds);
        let pattern = regex::Regex::new("clang").unwrap();
        assert!(!judge("cc", &plain, Some(&pattern), &ran(0, "gcc")).holds);
        let late = Ran { end: ProcessEnd::TimedOut, stdout: String::new(), stderr: String::new() };
        assert!(!judge("cc", &plain, None, &late).holds);
    }
}
