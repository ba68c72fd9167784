//! Why a server did not come up, from its log.
//!
//! One failure is often told many times: by the process that failed, by those that waited for it, and by what the
//! interpreter prints while it dies. So the first line of the deepest process counts, and a line that only tells that
//! something else failed counts only if nothing better is there. The end of a log is no place to look.

use super::{
    Adapter,
    log::{Pattern, looked_at, quoted},
};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a boot fails, in lines of its log.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Boot {
    /// How lines name the process that wrote them, the deepest process first. Lines of none of them count as the outermost.
    #[serde(default)]
    pub processes: Vec<ProcessMark>,
    /// Lines that look bad and are not.
    #[serde(default)]
    pub harmless: Vec<Harmless>,
    /// Lines that say why it failed, what is special before what is general.
    pub failures: Vec<Signature>,
    /// Groups of `common.yaml` that hold here too; they are tried behind the own ones.
    #[serde(default)]
    pub also: Vec<String>,
}

/// How lines name the process that wrote them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProcessMark {
    /// The process, such as `Worker`.
    pub name: String,
    /// Its lines.
    pub line: Pattern,
}

/// A line that looks bad and is not.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Harmless {
    /// The line.
    pub line: Pattern,
    /// Why it does not matter.
    pub why: String,
}

/// A line that says why a boot failed.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// Name of the signature, such as `kv-cache-too-small`.
    pub id: String,
    /// What kind of failure it is.
    pub class: FailureClass,
    /// The line.
    pub line: Pattern,
    /// What happened, in words.
    pub cause: String,
    /// What to do about it.
    pub way_out: String,
    /// Whether the line only says that something failed elsewhere.
    #[serde(default)]
    pub consequence: bool,
}

/// Kinds of failed boots. They decide what becomes of a candidate: `oom` and `failed` are results of a search,
/// `environment` stops it, `unsupported` leaves the framework or the candidate out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// Not enough memory for this configuration.
    Oom,
    /// It failed otherwise.
    Failed,
    /// The machine or the installation is at fault: a missing program or library, a taken port, no GPU.
    Environment,
    /// The framework cannot do what it was asked to.
    Unsupported,
}

/// Why a boot failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BootFailure {
    /// What kind of failure it is.
    pub class: FailureClass,
    /// The signature's name.
    pub signature: String,
    /// Number of the line, from 1.
    pub line_number: usize,
    /// The line, cut and without secrets.
    pub line: String,
    /// The process that wrote it, where the log names processes.
    pub process: Option<String>,
    /// What happened, in words.
    pub cause: String,
    /// What to do about it.
    pub way_out: String,
}

/// How good a line explains a failure; the least is the best.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    consequence: bool,
    depth: usize,
    line_number: usize,
}

impl Adapter {
    /// Why a boot failed, by its log; `None` if no line of it says so, which is no proof that it did not fail.
    pub fn classify_boot_failure(&self, log: &str) -> Option<BootFailure> {
        let mut best: Option<(Rank, &Signature, &str)> = None;
        for (index, line) in log.split('\n').enumerate() {
            let seen = looked_at(line);
            let Some(signature) = self.boot.signature(seen) else { continue };
            let rank = Rank {
                consequence: signature.consequence,
                depth: self.boot.depth(seen),
                line_number: index + 1,
            };
            if best.as_ref().is_none_or(|(other, ..)| rank < *other) {
                best = Some((rank, signature, line));
            }
        }
        best.map(|(rank, signature, line)| BootFailure {
            class: signature.class,
            signature: signature.id.clone(),
            line_number: rank.line_number,
            line: quoted(line),
            process: self.boot.processes.get(rank.depth).map(|process| process.name.clone()),
            cause: signature.cause.clone(),
            way_out: signature.way_out.clone(),
        })
    }
}

impl Boot {
    /// Puts the groups that hold here too behind the own signatures. Gives the names that there are no groups for.
    pub(crate) fn add_groups(&mut self, mut groups: IndexMap<String, Vec<Signature>>) -> Vec<String> {
        let mut problems = Vec::new();
        for name in &self.also {
            match groups.shift_remove(name) {
                Some(group) => self.failures.extend(group),
                None => {
                    problems.push(format!("`boot.also`: there is no group `{name}`, or it is named twice"))
                }
            }
        }
        problems
    }

    /// The first signature of a line: files list what is special before what is general.
    fn signature(&self, line: &str) -> Option<&Signature> {
        let found = self.failures.iter().find(|signature| signature.line.is_match(line))?;
        self.harmless.iter().all(|harmless| !harmless.line.is_match(line)).then_some(found)
    }

    /// 0 for the deepest process.
    fn depth(&self, line: &str) -> usize {
        self.processes.iter().position(|process| process.line.is_match(line)).unwrap_or(self.processes.len())
    }
}
