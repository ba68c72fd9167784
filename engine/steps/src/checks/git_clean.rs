//! `git_clean`: a checkout holds nothing that is not committed.

use super::{cannot, kind, run_program, settled};
use crate::config::{self, schema_of};
use crate::fields::FilePath;
use assay_manifest::Kind;
use assay_run::{Check, CheckResult, CommandLine, LocalFuture, ProcessEnd, StepCtx};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(60);
/// Changed paths that a message shows.
const SHOWN: usize = 5;

/// Looks at a checkout.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// A folder of the checkout. Default: the manifest's folder.
    #[serde(default)]
    path: Option<FilePath>,
    /// `true`: files that git does not know are fine. Default: `false`.
    #[serde(default)]
    allow_untracked: bool,
}

/// The check type.
#[derive(Debug)]
pub(crate) struct GitClean;

impl Check for GitClean {
    fn kind(&self) -> Kind {
        kind(
            "git_clean",
            "A git checkout holds nothing that is not committed",
            "Asks `git status`; the commit is kept as evidence, so that a result can be traced to its source.",
            "check: git_clean\nwith: {path: ., allow_untracked: true}\n",
            schema_of::<Config>,
        )
    }

    fn run<'a>(&'a self, cx: &'a StepCtx) -> LocalFuture<'a, CheckResult> {
        Box::pin(async move { settled(look(cx).await) })
    }
}

async fn look(cx: &StepCtx) -> Result<CheckResult, CheckResult> {
    let config: Config = config::read(&cx.config).map_err(cannot)?;
    let path = config.path.map_or_else(|| cx.skill_dir.clone(), |path| path.0);
    let untracked = if config.allow_untracked { "no" } else { "normal" };
    // `--no-optional-locks`: looking must not write the index.
    let untracked = format!("--untracked-files={untracked}");
    let words = ["git", "--no-optional-locks", "status", "--porcelain=v2", "--branch", &untracked];
    let command =
        CommandLine { cwd: Some(path.clone()), ..CommandLine::new(words.map(str::to_owned).into()) };
    let ran = run_program(cx, &command, TIMEOUT).await.map_err(cannot)?;
    if ran.end != ProcessEnd::Exited(0) {
        let said = ran.stderr.lines().next().unwrap_or_default();
        return Err(cannot(format!(
            "cannot ask git about `{}`: {}: {said}",
            path.display(),
            ran.end.words()
        )));
    }
    Ok(judge(&ran.stdout))
}

fn judge(porcelain: &str) -> CheckResult {
    let commit = porcelain.lines().find_map(|line| line.strip_prefix("# branch.oid ")).unwrap_or("none");
    let changed: Vec<&str> =
        porcelain.lines().filter(|line| !line.starts_with("# ")).filter_map(path_of).collect();
    let evidence = json!({"commit": commit, "changed": changed});
    if changed.is_empty() {
        return CheckResult::holds(
            format!("clean at commit {}", commit.get(..12).unwrap_or(commit)),
            evidence,
        );
    }
    let shown: Vec<String> = changed.iter().take(SHOWN).map(|path| format!("`{path}`")).collect();
    let more = changed.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    CheckResult::fails(format!("not committed: {}{more}", shown.join(", ")), evidence)
}

/// The path of one entry of `git status --porcelain=v2`: the field after a number of others that its kind decides.
fn path_of(line: &str) -> Option<&str> {
    let before = match line.split(' ').next()? {
        "1" => 8,
        "2" => 9,
        "u" => 10,
        "?" | "!" => 1,
        _ => return Some(line),
    };
    let path = line.splitn(before + 1, ' ').last()?;
    // A rename names its source after a tab.
    Some(path.split('\t').next().unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::judge;

    #[test]
    fn entries_are_named_by_path() {
        let head = "# branch.oid 0123456789abcdef0123\n# branch.head main\n";
        let clean = judge(head);
        assert!(clean.holds && clean.found.ends_with("0123456789ab"), "{}", clean.found);
        let text = format!(
            "{head}1 .M N... 100644 100644 100644 aa bb src/a b.rs\n2 R. N... 100644 100644 100644 aa bb R100 new.rs\told.rs\n? extra\n"
        );
        let found = judge(&text);
        assert!(!found.holds);
        assert_eq!(found.found, "not committed: `src/a b.rs`, `new.rs`, `extra`");
    }
}
