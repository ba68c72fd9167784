//! What is installed of a framework: its version, and the flags that its own help shows. Both are kept with the run.

use crate::fields::FilePath;
use crate::server::adapter::{AdapterConfig, evidence};
use assay_protocol::Status;
use assay_run::{CaptureError, Captured, CommandLine, Exit, Outcome, StepCtx};
use assay_serving::adapter::{Adapter, FailureClass, HelpSnapshot, How, SystemCommand};
use assay_store::{blake3_hex, slug};
use std::time::Duration;

/// The longest that a version or a help may take. Python frameworks load their GPU libraries for it.
const LIMIT: Duration = Duration::from_secs(180);

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Installed {
    /// The version, where it could be told.
    pub version: Option<String>,
    /// The flags that there are, where the help could be read.
    pub help: Option<HelpSnapshot>,
}

impl Installed {
    /// For a rehearsal, which needs no installation: only the saved help counts.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn of_rehearsal(help: Option<&FilePath>) -> Result<Self, Outcome> {
        Ok(Self { version: None, help: help.map(saved).transpose()? })
    }
}

/// Asks the installed framework, keeps what it says, and notes what it means for the evidence.
///
/// # Errors
/// It is not installed, or the saved help cannot be read.
pub(crate) async fn look(
    cx: &StepCtx,
    adapter: &Adapter,
    config: &AdapterConfig,
) -> Result<Installed, Outcome> {
    let version = version(cx, adapter, config).await?;
    note_evidence(cx, adapter, version.as_deref());
    let help = match &config.help {
        Some(file) => Some(saved(file)?),
        None => help(cx, adapter, config).await?,
    };
    Ok(Installed { version, help })
}

fn saved(file: &FilePath) -> Result<HelpSnapshot, Outcome> {
    let path = file.0.display();
    let text = std::fs::read_to_string(&file.0)
        .map_err(|error| Outcome::failed(format!("`help`: cannot read `{path}`: {error}")))?;
    HelpSnapshot::parse(&text).ok_or_else(|| {
        Outcome::failed(format!("`help`: `{path}` defines no flags; save what the server's `--help` prints"))
    })
}

async fn version(cx: &StepCtx, adapter: &Adapter, config: &AdapterConfig) -> Result<Option<String>, Outcome> {
    let said = ask(cx, adapter, &adapter.version, config).await?;
    let text = both(&said);
    keep(cx, "version.txt", &text)?;
    if said.exit != Exit::Code(0) {
        let last = text.trim().lines().next_back().unwrap_or("nothing").to_owned();
        cx.note(format!("the version of {} is not known: its command said `{last}`", adapter.title));
        return Ok(None);
    }
    Ok(String::from_utf8_lossy(&said.stdout).lines().rev().find_map(number))
}

async fn help(
    cx: &StepCtx,
    adapter: &Adapter,
    config: &AdapterConfig,
) -> Result<Option<HelpSnapshot>, Outcome> {
    for command in &adapter.help {
        let said = ask(cx, adapter, command, config).await?;
        let text = both(&said);
        if let Some(help) = HelpSnapshot::parse(&text) {
            keep(cx, "help.txt", &text)?;
            return Ok(Some(help));
        }
    }
    cx.note(format!(
        "no help of {} could be read, so its flags were checked against the adapter's own list",
        adapter.title
    ));
    Ok(None)
}

/// Runs one of the adapter's commands.
async fn ask(
    cx: &StepCtx,
    adapter: &Adapter,
    command: &SystemCommand,
    config: &AdapterConfig,
) -> Result<Captured, Outcome> {
    let line = CommandLine {
        argv: command.argv.clone(),
        env: config.env.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        ..CommandLine::default()
    };
    let environment = |why: String| Outcome::ended(Status::Environment, why);
    let said = cx.capture(&line, LIMIT).await.map_err(|error| match error {
        CaptureError::Missing { .. } => {
            environment(format!("{} is not installed here: {error}", adapter.title))
        }
        CaptureError::Failed(why) => environment(format!("{} cannot be asked: {why}", adapter.title)),
    })?;
    if said.timed_out {
        let asked = command.argv.join(" ");
        if cx.deadline.is_some_and(|deadline| deadline <= tokio::time::Instant::now()) {
            let reason = format!("ran into its `timeout` while `{asked}` was asked");
            return Err(Outcome::ended(Status::TimedOut, reason));
        }
        return Err(environment(format!("`{asked}` said nothing within {} s", LIMIT.as_secs())));
    }
    let found = (said.exit != Exit::Code(0)).then(|| adapter.classify_boot_failure(&both(&said))).flatten();
    match found {
        Some(found) if found.class == FailureClass::Environment => Err(environment(format!(
            "{} cannot be used here: {}: `{}`; {}",
            adapter.title, found.cause, found.line, found.way_out
        ))),
        _ => Ok(said),
    }
}

fn both(said: &Captured) -> String {
    let (out, err) = (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    format!("{out}{err}")
}

/// A version in a line such as `vllm 0.33.0` or `[TensorRT-LLM] TensorRT-LLM version: 1.2.0rc1`.
fn number(line: &str) -> Option<String> {
    let words = line.split_whitespace().map(|word| word.trim_start_matches('v').trim_end_matches(','));
    let mut numbers =
        words.filter(|word| word.starts_with(|first: char| first.is_ascii_digit()) && word.contains('.'));
    numbers.next_back().map(str::to_owned)
}

fn keep(cx: &StepCtx, name: &str, text: &str) -> Result<(), Outcome> {
    let digest = blake3_hex(cx.path.as_bytes());
    let path = format!("artifacts/servers/{}-{}/{name}", slug(&cx.path), &digest[..8]);
    let kept = cx.run_dir().publish(path, text.as_bytes());
    kept.map_err(|error| Outcome::failed(format!("cannot keep `{name}`: {error}")))
}

/// Says so where nobody has seen this version work.
fn note_evidence(cx: &StepCtx, adapter: &Adapter, version: Option<&str>) {
    let Some(version) = version else { return };
    let title = &adapter.title;
    match evidence(adapter, version) {
        Some(How::Ran | How::Help) => {}
        Some(How::Source) => cx.note(format!(
            "what is known about {title} {version} comes from its source only: nobody has run it with this adapter"
        )),
        None => {
            let mut known: Vec<&str> = adapter.verified.iter().map(|entry| entry.version.as_str()).collect();
            known.dedup();
            cx.note(format!(
                "nothing of the adapter was checked against {title} {version}, only against {}",
                known.join(", ")
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{evidence, number};
    use assay_serving::adapter::{Adapter, How};

    #[test]
    fn versions_are_found_in_what_frameworks_print() {
        for (line, version) in [
            ("0.33.0", Some("0.33.0")),
            ("vllm 0.33.0+cu130", Some("0.33.0+cu130")),
            ("[TensorRT-LLM] TensorRT-LLM version: 1.2.0rc1", Some("1.2.0rc1")),
            ("v5.23.0", Some("5.23.0")),
            ("warning: 3 things", None),
        ] {
            assert_eq!(number(line).as_deref(), version, "{line}");
        }
    }

    #[test]
    fn the_best_evidence_counts_and_only_for_its_version() {
        let vllm = Adapter::named("vllm").unwrap();
        assert_eq!(evidence(&vllm, "0.33.0+cu130"), Some(How::Help));
        assert_eq!(evidence(&vllm, "0.32.0"), Some(How::Ran));
        assert_eq!(evidence(&vllm, "0.1"), None);
    }
}
