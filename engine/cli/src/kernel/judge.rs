//! `assay kernel judge`: one candidate through every gate.

use crate::context::Cx;
use crate::fail::Failure;
use crate::format::shell_word;
use crate::kernel::screen::Screen;
use crate::kernel::{explain, files, output, refused, worker};
use crate::reply::Reply;
use assay_kernel::build::Toolkit;
use assay_kernel::judge::{JudgeError, Judgement, Progress, SeedSource, Setup, forget, judge};
use assay_kernel::ledger::{Appended, EndToEnd, Ledger};
use assay_kernel::verdict::Class;
use assay_manifest::absolute;
use assay_process::{Asked, Stop, end_children};
use assay_protocol::{ExitCode, NextCommand};
use clap::Args;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// Options of `kernel judge`.
#[derive(Debug, Args)]
pub struct Options {
    /// The task: its file, or the folder that holds its `task.yaml`
    pub task: String,
    /// The candidate: a source (`.c`, `.cc`, `.cpp`, `.cxx`, `.cu`), a shared library (`.so`), PTX or machine code (`.ptx`, `.cubin`)
    #[arg(long, short, value_name = "FILE")]
    pub candidate: String,
    /// Add the judgement to this ledger
    #[arg(long, value_name = "FILE")]
    pub ledger: Option<String>,
    /// Write the judgement and its report into this folder
    #[arg(long, short, value_name = "DIR")]
    pub out: Option<String>,
    /// Few samples: enough for a factor of two, not for a few percent
    #[arg(long)]
    pub quick: bool,
    /// Prove the baseline anew, whatever an earlier judgement kept of it
    #[arg(long)]
    pub fresh: bool,
    /// Judge again with the seeds of an earlier judgement: `seeds.secret` of its row, 64 hexadecimal digits
    #[arg(long, value_name = "SECRET")]
    pub seed: Option<String>,
    /// Digest of the candidate that this one was made from
    #[arg(long, value_name = "SHA256")]
    pub parent: Option<String>,
    /// Effect on a whole model that was measured elsewhere, such as `"output tokens/s=1200:1225"`
    #[arg(long, value_name = "METRIC=BEFORE:AFTER")]
    pub e2e: Option<String>,
}

/// Thrown through the judge to end it with everything that it started.
struct Stopped;

/// Listens for signals. Any of them ends every process that the judge started, so that nobody waits for one; the judge then comes to its end
/// by itself and removes its folders on the way. A second one removes the folder of the judgement, once there is one, and ends everything at
/// once.
fn listen(scratch: &Arc<OnceLock<PathBuf>>) -> Result<Stop, Failure> {
    let scratch = Arc::clone(scratch);
    let act = move |asked| {
        end_children();
        let folder = scratch.get().filter(|_| asked == Asked::Again);
        if let Some(folder) = folder {
            // The judge may be removing or even filling it at the same time.
            let gone = || std::fs::remove_dir_all(folder).is_ok() || !folder.exists();
            (0..5).any(|_| gone());
        }
    };
    Stop::listen(act).map_err(|error| Failure::internal(format!("cannot watch for signals: {error}")))
}

/// What the verb ends with after a signal.
fn stopped(stop: &Stop) -> Failure {
    let exit = stop.code().and_then(ExitCode::from_code).unwrap_or(ExitCode::Interrupted);
    Failure::new(exit, "interrupted", "stopped before there was a judgement")
}

/// Runs it.
pub fn run(cx: &Cx, options: &Options) -> Result<Reply, Failure> {
    let seed = options.seed.as_deref().map_or(Ok(SeedSource::System), seed)?;
    options.parent.as_deref().map_or(Ok(()), parent)?;
    let effect = options.e2e.as_deref().map(effect).transpose()?;
    let loaded = files::task(cx, &options.task)?;
    let ledger = options.ledger.as_deref().map(|file| Ledger::new(absolute(&cx.paths.cwd, file)));
    // Nothing is judged that could not be kept. The ledger may lie in the folder that is made.
    let folder = options.out.as_deref().map(|folder| files::folder(cx, folder)).transpose()?;
    if let Some(ledger) = &ledger {
        ledger.ready().map_err(|error| refused::ledger(cx, &error).help("nothing was judged"))?;
    }
    let place = Arc::new(OnceLock::new());
    let stop = listen(&place)?;
    let scratch = tempfile::Builder::new().prefix("assay-kernel-").tempdir();
    let scratch =
        scratch.map_err(|error| Failure::internal(format!("cannot make a temporary folder: {error}")))?;
    place.get_or_init(|| scratch.path().to_owned());
    let candidate = absolute(&cx.paths.cwd, &options.candidate);
    let mut setup = Setup::new(&loaded, &candidate, worker::launcher()?, scratch.path());
    setup.seed = seed;
    setup.quick = options.quick;
    setup.cache = Some(cx.paths.cache.clone());
    setup.fresh = options.fresh;
    setup.parent.clone_from(&options.parent);
    let folder_of = |name: &str| cx.env.get(name).map(|folder| absolute(&cx.paths.cwd, folder));
    setup.toolkit = Toolkit { nvrtc: folder_of("ASSAY_NVRTC"), bin: folder_of("ASSAY_NVCC") };
    if let Some(folder) = setup.toolkit.libraries() {
        setup.launcher.search(&folder);
    }
    let mut judgement = judged(cx, &setup, &stop)?;
    judgement.row.e2e = effect;
    judgement.row.candidate = Some(cx.paths.shown(&candidate));
    let appended = match &ledger {
        Some(ledger) => Some(ledger.append(&judgement.row).map_err(|error| refused::ledger(cx, &error))?),
        None => None,
    };
    let place = ledger.as_ref().zip(appended.as_ref()).map(|(ledger, appended)| (ledger.path(), appended));
    if let Some(folder) = &folder {
        output::write(cx, folder, &judgement, place)?;
        output::keep(cx, &scratch.path().join("candidate"), folder, &judgement.row.artifacts)?;
    }
    Ok(reply(cx, options, &judgement, folder.as_deref(), place))
}

fn judged(cx: &Cx, setup: &Setup<'_>, stop: &Stop) -> Result<Judgement, Failure> {
    let screen = Screen::new(cx);
    let program = setup.loaded.task.oracle.command.first().cloned().unwrap_or_default();
    let setup = &Setup { listener: screen.listener(&program), ..setup.clone() };
    let mut tell = |progress: Progress| {
        if stop.asked() {
            // Unwinding ends workers and removes folders on the way, as an early return of the judge would.
            resume_unwind(Box::new(Stopped));
        }
        screen.show(&progress);
    };
    let ended = catch_unwind(AssertUnwindSafe(|| judge(setup, &mut tell)));
    drop(screen);
    forget();
    match ended {
        // What a judge says whose workers were killed says nothing about the candidate.
        Ok(_) if stop.asked() => Err(stopped(stop)),
        Ok(outcome) => outcome.map_err(|error: JudgeError| refused::judgement(cx, &error)),
        Err(payload) if payload.is::<Stopped>() => Err(stopped(stop)),
        Err(payload) => resume_unwind(payload),
    }
}

fn reply(
    cx: &Cx,
    options: &Options,
    judgement: &Judgement,
    folder: Option<&Path>,
    place: Option<(&Path, &Appended)>,
) -> Reply {
    let kept = match (place, folder) {
        (_, Some(folder)) => format!("`{}`", cx.paths.shown(&folder.join("judgement.json"))),
        (Some((path, appended)), None) => {
            format!("`findings` in row {} of `{}`", appended.row, cx.paths.shown(path))
        }
        (None, None) => "the same command with `--json`, or with `--ledger` or `--out` to keep it".to_owned(),
    };
    let mut text = output::text(judgement, &options.candidate, options.quick, &kept);
    if let Some((path, appended)) = place {
        text.push_str(&format!("ledger: {}, row {}\n", cx.paths.shown(path), appended.row));
        if let Some(torn) = &appended.torn {
            let kept = torn.kept_in.as_deref().map(|path| cx.paths.shown(path)).unwrap_or_default();
            text.push_str(&format!("ledger: its last line had no end and was moved to `{kept}`\n"));
        }
    }
    if let Some(folder) = folder {
        text.push_str(&format!("report: {}\n", cx.paths.shown(&folder.join("kernel.html"))));
    }
    let mut reply = Reply::new(explain::exit(judgement.class), output::data(judgement, place, folder), text);
    reply.next = next(options, judgement);
    reply
}

/// Commands that can be pasted: everything as it was given, but for what the command is to change.
fn next(options: &Options, judgement: &Judgement) -> Vec<NextCommand> {
    let word = judgement.code.word();
    let command = |command: String, why: &str| NextCommand { command, why: why.to_owned() };
    match (judgement.class, options.quick, &options.ledger) {
        (Class::Reject, ..) => {
            vec![command(format!("assay explain {word}"), "what it means, how it was found, what to do")]
        }
        (_, true, ledger) => {
            vec![command(again(options, ledger.as_deref()), "judges it again with all samples")]
        }
        (Class::Accept, false, Some(file)) => {
            let show = format!("assay ledger show {}", shell_word(file));
            vec![command(show, "shows it beside what was judged before")]
        }
        (Class::Accept, false, None) => {
            vec![command(again(options, Some(LEDGER)), "judges it again and keeps it")]
        }
        (Class::Inconclusive, ..) => {
            vec![command(format!("assay explain {word}"), "what it means, and what to do")]
        }
    }
}

/// Name of a ledger by custom.
const LEDGER: &str = "kernel-ledger.jsonl";

/// The same judgement with all samples.
fn again(options: &Options, ledger: Option<&str>) -> String {
    let Options { task, candidate, ledger: _, out, quick: _, fresh, seed, parent, e2e } = options;
    let mut line = format!("assay kernel judge {} --candidate {}", shell_word(task), shell_word(candidate));
    let given = [
        ("--ledger", ledger),
        ("--out", out.as_deref()),
        ("--seed", seed.as_deref()),
        ("--parent", parent.as_deref()),
        ("--e2e", e2e.as_deref()),
    ];
    for (option, value) in given {
        if let Some(value) = value {
            line.push_str(&format!(" {option} {}", shell_word(value)));
        }
    }
    if *fresh {
        line.push_str(" --fresh");
    }
    line
}

fn seed(text: &str) -> Result<SeedSource, Failure> {
    let wrong = || {
        Failure::usage(format!("`--seed {text}` is no secret of a judgement"))
            .help("give the 64 hexadecimal digits of `seeds.secret` of a row")
    };
    digest(text).map(SeedSource::Replay).ok_or_else(wrong)
}

fn parent(text: &str) -> Result<(), Failure> {
    digest(text).map(|_| ()).ok_or_else(|| {
        Failure::usage(format!("`--parent {text}` is no digest of a candidate"))
            .help("give the 64 hexadecimal digits of `candidate_sha` of a row")
    })
}

/// 64 hexadecimal digits.
fn digest(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(&text[at..at + 2], 16).ok()?;
    }
    Some(bytes)
}

fn effect(text: &str) -> Result<EndToEnd, Failure> {
    let parsed = || {
        let (metric, values) = text.rsplit_once('=')?;
        let (before, after) = values.split_once(':')?;
        let number =
            |text: &str| text.trim().parse::<f64>().ok().filter(|value| value.is_finite() && *value > 0.0);
        Some(EndToEnd { metric: metric.trim().to_owned(), before: number(before)?, after: number(after)? })
    };
    parsed().filter(|effect| !effect.metric.is_empty()).ok_or_else(|| {
        Failure::usage(format!("`--e2e {text}` is no effect")).help(
            "write the metric with its unit and both values, such as `--e2e \"output tokens/s=1200:1225\"`",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::{Options, again, effect, parent, seed};

    #[test]
    fn what_was_given_is_given_again() {
        let mut options = Options {
            task: "my task".to_owned(),
            candidate: "k.c".to_owned(),
            ledger: None,
            out: None,
            quick: true,
            fresh: false,
            seed: None,
            parent: None,
            e2e: None,
        };
        assert_eq!(again(&options, None), "assay kernel judge 'my task' --candidate k.c");
        options.out = Some("the report".to_owned());
        options.fresh = true;
        (options.seed, options.parent) = (Some("aa".to_owned()), Some("bb".to_owned()));
        options.e2e = Some("tokens/s=1:2".to_owned());
        let line = again(&options, Some("l.jsonl"));
        assert_eq!(
            line,
            "assay kernel judge 'my task' --candidate k.c --ledger l.jsonl --out 'the report' --seed aa --parent bb --e2e \
             tokens/s=1:2 --fresh"
        );
    }

    #[test]
    fn effects_and_seeds_are_read_or_refused() {
        let read = effect("p50 TTFT (ms)=181.5:177.7").expect("an effect");
        assert_eq!((read.metric.as_str(), read.before, read.after), ("p50 TTFT (ms)", 181.5, 177.7));
        for wrong in ["", "x", "x=1", "x=1:", "=1:2", "x=0:2", "x=1:nan"] {
            assert!(effect(wrong).is_err(), "{wrong}");
        }
        assert!(seed(&"0f".repeat(32)).is_ok() && parent(&"0F".repeat(32)).is_ok());
        for wrong in ["", "12", &"+f".repeat(32), &"0g".repeat(32), &"é".repeat(32)] {
            assert!(seed(wrong).is_err() && parent(wrong).is_err(), "{wrong}");
        }
    }
}
