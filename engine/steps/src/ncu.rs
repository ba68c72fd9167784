//! `ncu`: what bounds a kernel, from Nsight Compute's own table, and the one edit to try next.

use crate::config::{self, schema_of, write_output};
use crate::fields::{Argv, FilePath, Pattern};
use assay_manifest::{Effects, Kind, OutputDoc};
use assay_protocol::{Status, Value, ValueMap};
use assay_report::digest::{Edit, headline, sheet, word};
use assay_report::sheet::markdown;
use assay_run::{CaptureError, CommandLine, Exit, LocalFuture, Outcome, Step, StepCtx};
use assay_store::sha256_hex;
use assay_trace::ncu::{Digest, NcuKernel, digest, parse, proposal, read};
use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::path::Path;
use std::time::Duration;

/// The longest that a profiled program may run where the step has no `timeout`: a launch is replayed dozens of times.
const LIMIT: Duration = Duration::from_secs(1800);

/// Reads, or takes, a table of Nsight Compute.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// What `ncu --csv` printed. This or `argv`.
    #[serde(default)]
    csv: Option<FilePath>,
    /// Program to run under `ncu`, with its arguments.
    #[serde(default)]
    argv: Option<Argv>,
    /// Which kernel, as a regular expression over names. Default: the launch that took longest.
    #[serde(default)]
    kernel: Option<Pattern>,
    /// Table of the baseline, taken in the same way.
    #[serde(default)]
    baseline: Option<FilePath>,
    /// The kernel's source, which a proposed edit names. Default: the kernel's name stands for it.
    #[serde(default)]
    source: Option<FilePath>,
    /// The one change to try next, from whoever has read a digest. Default: one is proposed by what bounds the kernel.
    #[serde(default)]
    next_edit: Option<NextEdit>,
}

/// The one change to try next.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NextEdit {
    /// File to change.
    file: String,
    /// What to change in it.
    change: String,
    /// How it will be shown to be right.
    validation: String,
    /// Metric that has to move; one of the table's.
    metric: String,
    /// Where to, in words, such as `rise above 80 %`.
    expected: String,
}

const fn doc(name: &'static str, doc: &'static str) -> OutputDoc {
    OutputDoc { name, doc, volatile: false }
}

const DOCS: &[OutputDoc] = &[
    doc("available", "Whether there is a table; without one all but `missing` is empty"),
    doc("missing", "Why there is none; empty if there is one"),
    doc("headline", "What bounds the kernel, one sentence"),
    doc("kernel", "Its name"),
    doc("bottleneck", "`memory`, `compute`, `latency`, or `unknown`"),
    doc("stalls", "What warps waited for, longest first: `{reason, share, value, metric}` each"),
    doc("digest", "The figures that decide, as `assay trace --ncu` gives them"),
    doc("baseline", "The same of the baseline; null without one"),
    doc(
        "next_edit",
        "The one change to try next, `{file, change, validation, metric, expected, proposed}`; empty only without a table",
    ),
    doc("markdown", "`digest.md`, `{path, sha256, bytes}`; null without a table"),
];

/// The step type.
#[derive(Debug)]
pub(crate) struct Ncu;

impl Step for Ncu {
    fn kind(&self) -> Kind {
        Kind {
            name: "ncu",
            summary: "Say what bounds a kernel, from a table of Nsight Compute",
            doc: "Reads what `ncu --csv` printed, or runs a program under `ncu` (with `--clock-control none`), and condenses one launch: \
                  what bounds it, what warps wait for, and how it differs from the baseline. \n\nRun it only when the kernel is correct: \
                  let it need the step that shows it. Where `ncu` is not installed or may not read the counters, the step passes with \
                  `available` false and says why in `missing`: evidence that is missing is recorded, not invented. \n\n`next_edit` \
                  is one change, and its metric must be in the table. Where none is given, the output holds one that is proposed by \
                  what bounds the kernel, with `proposed` true; `docs/kernels.md` has the table.",
            example: "uses: ncu\nwith:\n  csv: /tmp/kernel.csv\n  kernel: rmsnorm\n",
            schema: std::sync::LazyLock::new(schema_of::<Config>),
            outputs: DOCS,
            effects: Effects::Contained,
            runs_processes: true,
        }
    }

    fn run<'a>(&'a self, cx: &'a StepCtx) -> LocalFuture<'a, Outcome> {
        Box::pin(async move { run(cx).await.unwrap_or_else(|outcome| outcome) })
    }

    fn stub(&self, _config: &Value) -> ValueMap {
        outputs(Err("this is a rehearsal".to_owned()), None, None)
    }
}

async fn run(cx: &StepCtx) -> Result<Outcome, Outcome> {
    let config: Config = config::read(&cx.config).map_err(Outcome::failed)?;
    let pattern = config.kernel.as_ref().map(|pattern| Regex::new(&pattern.0)).transpose();
    let pattern =
        pattern.map_err(|error| Outcome::failed(format!("`kernel` is no regular expression: {error}")))?;
    let kernels = match (&config.csv, &config.argv) {
        (Some(csv), None) => read(&csv.0).map_err(|error| Outcome::failed(error.to_string()))?,
        (None, Some(argv)) => match profiled(cx, &argv.0).await? {
            Ok(kernels) => kernels,
            Err(missing) => {
                cx.note(format!("no table of Nsight Compute: {missing}"));
                return Ok(Outcome::passed(outputs(Err(missing), None, None)));
            }
        },
        _ => return Err(Outcome::failed("give either `csv` or `argv`")),
    };
    let launch = chosen(&kernels, pattern.as_ref()).map_err(Outcome::failed)?;
    if let Some(edit) = &config.next_edit
        && !launch.metrics.iter().any(|metric| metric.name == edit.metric)
    {
        return Err(Outcome::failed(format!(
            "`next_edit.metric` names `{}`, which the table does not hold; cite one that was measured",
            edit.metric
        )));
    }
    let baseline = config.baseline.as_ref().map(|file| of_baseline(&file.0, pattern.as_ref())).transpose();
    let baseline = baseline.map_err(Outcome::failed)?;
    let own = digest(launch);
    let edit = Next::of(&config, launch, &own);
    let text = markdown(&sheet(&own, baseline.as_ref(), edit.shown()));
    let path = cx.own_dir().map_err(Outcome::failed)?.join("digest.md");
    write_output(cx, &path, text.as_bytes()).map_err(Outcome::failed)?;
    let mut outputs = outputs(Ok(own), baseline, Some(&edit));
    let file = json!({"path": path, "sha256": sha256_hex(text.as_bytes()), "bytes": text.len()});
    outputs.insert("markdown".to_owned(), file);
    Ok(Outcome::passed(outputs))
}

/// Runs a program under `ncu`; the inner error says why there is no table.
async fn profiled(cx: &StepCtx, argv: &[String]) -> Result<Result<Vec<NcuKernel>, String>, Outcome> {
    let options = ["ncu", "--csv", "--page", "raw", "--set", "full", "--clock-control", "none"];
    let words = options.iter().map(|word| (*word).to_owned()).chain(argv.iter().cloned()).collect();
    let said = match cx.capture(&CommandLine::new(words), LIMIT).await {
        Ok(said) => said,
        Err(error @ CaptureError::Missing { .. }) => return Ok(Err(error.to_string())),
        Err(CaptureError::Failed(why)) => return Err(Outcome::ended(Status::Environment, why)),
    };
    if said.timed_out {
        return Err(Outcome::ended(Status::TimedOut, "the profiled program did not end in time"));
    }
    let text = String::from_utf8_lossy(&said.stdout);
    let folder = cx.own_dir().map_err(Outcome::failed)?;
    let path = folder.join("ncu.csv");
    write_output(cx, &path, text.as_bytes()).map_err(Outcome::failed)?;
    match parse(&path, &text) {
        Ok(kernels) => Ok(Ok(kernels)),
        // Counters that only an administrator may read are the usual case on shared machines.
        Err(error) if said.exit != Exit::Code(0) => Ok(Err(error.to_string())),
        Err(error) => Err(Outcome::failed(error.to_string())),
    }
}

/// The longest launch among those that are meant.
fn chosen<'a>(kernels: &'a [NcuKernel], pattern: Option<&Regex>) -> Result<&'a NcuKernel, String> {
    let meant =
        kernels.iter().filter(|kernel| pattern.is_none_or(|pattern| pattern.is_match(&kernel.kernel)));
    let length = |kernel: &NcuKernel| digest(kernel).duration_ns.unwrap_or(0.0);
    meant.max_by(|a, b| length(a).total_cmp(&length(b))).ok_or_else(|| {
        let names: Vec<&str> = kernels.iter().take(3).map(|kernel| kernel.kernel.as_str()).collect();
        format!("no launch has a name that `kernel` matches; there are `{}`", names.join("`, `"))
    })
}

fn of_baseline(path: &Path, pattern: Option<&Regex>) -> Result<Digest, String> {
    let kernels = read(path).map_err(|error| format!("`baseline`: {error}"))?;
    // The baseline's kernel may have another name.
    let longest = chosen(&kernels, pattern).or_else(|_| chosen(&kernels, None));
    longest.map(digest).map_err(|error| format!("`baseline`: {error}"))
}

/// The edit of the digest, and whether nobody has named it.
struct Next {
    edit: NextEdit,
    proposed: bool,
}

impl Next {
    /// The author's, or the one that follows from what bounds the launch.
    fn of(config: &Config, launch: &NcuKernel, own: &Digest) -> Self {
        if let Some(edit) = &config.next_edit {
            return Self { edit: edit.clone(), proposed: false };
        }
        let proposal = proposal(launch, own);
        let source = config.source.as_ref().map(|source| source.0.display().to_string());
        let edit = NextEdit {
            file: source.unwrap_or_else(|| own.kernel.clone()),
            change: proposal.change,
            validation: "judge the edited kernel (`assay kernel judge`), then take this table again"
                .to_owned(),
            metric: proposal.metric,
            expected: proposal.expected.to_owned(),
        };
        Self { edit, proposed: true }
    }

    fn shown(&self) -> Edit<'_> {
        Edit {
            file: &self.edit.file,
            change: &self.edit.change,
            validation: &self.edit.validation,
            metric: &self.edit.metric,
            expected: &self.edit.expected,
            proposed: self.proposed,
        }
    }

    fn told(&self) -> Value {
        let mut told = json!(self.edit);
        told["proposed"] = json!(self.proposed);
        told
    }
}

fn outputs(own: Result<Digest, String>, baseline: Option<Digest>, edit: Option<&Next>) -> ValueMap {
    let missing = own.as_ref().err().cloned().unwrap_or_default();
    let own = own.ok();
    let bottleneck =
        own.as_ref().and_then(|own| own.roofline.as_ref()).map_or("unknown", |roof| word(roof.side));
    let values = [
        ("available", json!(own.is_some())),
        ("missing", json!(missing)),
        ("headline", json!(own.as_ref().map_or_else(String::new, headline))),
        ("kernel", json!(own.as_ref().map(|own| own.kernel.as_str()).unwrap_or_default())),
        ("bottleneck", json!(bottleneck)),
        ("stalls", json!(own.as_ref().map(|own| own.stalls.clone()).unwrap_or_default())),
        ("digest", json!(own)),
        ("baseline", json!(baseline)),
        ("next_edit", edit.map_or_else(|| json!({}), Next::told)),
        ("markdown", Value::Null),
    ];
    values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
