//! Every candidate of the acceptance list gets the judgement that the list says; honest kernels of the example tasks are accepted;
//! and the judge itself is checked: the baseline against itself, a task that changes meanwhile, and what is left behind.
//!
//! Judgements measure time, so only one runs at a time. `ASSAY_TEST_FULL=1` makes a thousand judgements instead of thirty.

#[path = "support/launcher.rs"]
mod launcher;
#[path = "support/side_by_side.rs"]
mod side_by_side;
#[path = "support/suite.rs"]
mod suite;
#[path = "support/tools.rs"]
mod tools;

use assay_kernel::judge::{Judgement, Progress, Setup, judge};
use assay_kernel::task::{self, Loaded};
use assay_kernel::verdict::{Class, Code, Gate};
use launcher::launcher;
use side_by_side::side_by_side;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use suite::Entry;

/// Runs of a judgement where the machine is too noisy to measure the baseline against itself.
const ATTEMPTS: usize = 5;

static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn folder(task: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/kernels").join(task)
}

fn load(folder: &Path) -> Loaded {
    task::load(&folder.join("task.yaml")).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
}

fn judged(loaded: &Loaded, candidate: &Path, quick: bool, progress: &mut dyn FnMut(Progress)) -> Judgement {
    let scratch = tempfile::tempdir().expect("a folder");
    let mut setup = Setup::new(loaded, candidate, launcher(), scratch.path());
    setup.quick = quick;
    judge(&setup, progress).unwrap_or_else(|error| panic!("{}: {error}", candidate.display()))
}

/// Judges again while the machine is too noisy: that is no judgement of the candidate.
fn settled(loaded: &Loaded, candidate: &Path, quick: bool) -> Judgement {
    let mut last = judged(loaded, candidate, quick, &mut |_| {});
    for _ in 1..ATTEMPTS {
        if last.code != Code::NoisyDevice {
            break;
        }
        last = judged(loaded, candidate, quick, &mut |_| {});
    }
    last
}

/// What is handed to the judge: the source, or a library for what a source alone cannot do.
fn handed(entry: &Entry, out: &Path) -> PathBuf {
    if entry.prebuilt.is_some() { entry.library(out, &[]) } else { entry.source() }
}

#[test]
fn every_candidate_is_judged_as_the_list_says() {
    let _alone = alone();
    let (loaded, out) = (load(&folder("rmsnorm")), tempfile::tempdir().expect("a folder"));
    let (timed, others): (Vec<Entry>, Vec<Entry>) = suite::list().into_iter().partition(Entry::is_timed);
    // What is wrong is wrong beside another judgement, too; what is measured wants the machine for itself.
    let mut told = side_by_side(&others, |entry| told(&loaded, out.path(), entry));
    told.extend(timed.iter().map(|entry| self::told(&loaded, out.path(), entry)));
    let wrong: Vec<&str> =
        told.iter().filter(|(allowed, _)| !allowed).map(|(_, line)| line.as_str()).collect();
    told.iter().for_each(|(_, line)| println!("{line}"));
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), told.len(), wrong.join("\n"));
}

/// Whether the list allows the judgement of a candidate, and what it was.
fn told(loaded: &Loaded, out: &Path, entry: &Entry) -> (bool, String) {
    assert!(
        !entry.proof.is_empty(),
        "{}: nothing shows that it is what it says, so it tells nothing of the judge",
        entry.id
    );
    let candidate = handed(entry, out);
    let begun = Instant::now();
    let judgement = settled(loaded, &candidate, true);
    let line = format!(
        "{} {:?} {:?} by {:?} in {:.1} s: {} ({})",
        entry.id,
        judgement.class,
        judgement.code,
        judgement.gate,
        begun.elapsed().as_secs_f64(),
        judgement.message,
        entry.what
    );
    assert_eq!(judgement.class, judgement.code.class(), "{line}");
    (entry.allows(judgement.code), line)
}

#[test]
fn honest_kernels_of_the_examples_are_accepted() {
    let _alone = alone();
    for task in ["rmsnorm", "qk-norm-rope", "fused-scale-shift", "group-norm-silu"] {
        let loaded = load(&folder(task));
        let judgement = settled(&loaded, &loaded.folder.join("candidate/kernel.c"), true);
        assert_eq!(
            (judgement.class, judgement.code),
            (Class::Accept, Code::AcceptFaster),
            "{task}: {judgement:?}"
        );
        let timing = judgement.row.timing.expect("it was timed");
        assert!(timing.geomean.lo > 1.0 && timing.rows.len() == loaded.shapes.len(), "{task}: {timing:?}");
        assert!(judgement.gates.iter().all(|gate| gate.passed || gate.skipped.is_some()), "{task}");
    }
}

/// The baseline, in full: the same to itself as far as the task lets noise go, and no faster than itself.
#[test]
fn the_baseline_equals_itself() {
    let _alone = alone();
    let loaded = load(&folder("rmsnorm"));
    let judgement = settled(&loaded, &loaded.baseline(), false);
    assert!([Code::NoChange, Code::Inconclusive].contains(&judgement.code), "{judgement:?}");
    let same = judgement.row.aa.expect("the baseline was measured against itself");
    assert!(
        same.lo <= 1.0 + loaded.task.timing.max_aa && same.hi >= 1.0 - loaded.task.timing.max_aa,
        "{same:?}"
    );
    assert!(judgement.findings.is_empty(), "{:?}", judgement.findings);
}

/// A copy of an example that may be changed.
fn copy(task: &str) -> tempfile::TempDir {
    let out = tempfile::tempdir().expect("a folder");
    let from = folder(task);
    for file in ["task.yaml", "workloads.jsonl", "baseline/kernel.c", "candidate/kernel.c"] {
        let to = out.path().join(file);
        std::fs::create_dir_all(to.parent().expect("a parent")).expect("made");
        std::fs::copy(from.join(file), to).expect("copied");
    }
    out
}

fn append(file: &Path, text: &str) {
    let mut whole = std::fs::read_to_string(file).expect("read");
    whole.push_str(text);
    std::fs::write(file, whole).expect("written");
}

#[test]
fn a_task_that_changed_before_is_not_judged() {
    let _alone = alone();
    for (file, text) in [
        ("workloads.jsonl", "{\"axes\": {\"R\": 1, \"C\": 8}}\n"),
        ("task.yaml", "# x\n"),
        ("baseline/kernel.c", "\n"),
    ] {
        let copy = copy("rmsnorm");
        let loaded = load(copy.path());
        append(&copy.path().join(file), text);
        let judgement = judged(&loaded, &copy.path().join("candidate/kernel.c"), true, &mut |_| {});
        assert_eq!(
            (judgement.code, judgement.gate),
            (Code::LockBroken, Gate::Locks),
            "{file}: {judgement:?}"
        );
        assert!(
            judgement.message.contains(file) || format!("{:?}", judgement.findings).contains(file),
            "{judgement:?}"
        );
    }
}

#[test]
fn a_task_that_changes_meanwhile_breaks_its_lock() {
    let _alone = alone();
    for _ in 0..ATTEMPTS {
        let copy = copy("rmsnorm");
        let loaded = load(copy.path());
        let file = copy.path().join("workloads.jsonl");
        let mut changed = false;
        let mut progress = |told: Progress| {
            let Progress::GateEnded { record, .. } = told else { return };
            if record.gate == Gate::Accuracy && !changed {
                append(&file, "{\"axes\": {\"R\": 1, \"C\": 8}}\n");
                changed = true;
            }
        };
        let judgement = judged(&loaded, &copy.path().join("candidate/kernel.c"), true, &mut progress);
        assert!(changed, "it ended early: {judgement:?}");
        // Noise ends a judgement before its files are looked at again.
        if judgement.code != Code::NoisyDevice {
            assert_eq!(
                (judgement.code, judgement.gate),
                (Code::LockBroken, Gate::LocksAgain),
                "{judgement:?}"
            );
            return;
        }
    }
    panic!("the machine is too noisy for any of {ATTEMPTS} judgements");
}

#[test]
fn judgements_leave_no_process_and_no_descriptor() {
    let _alone = alone();
    let (loaded, out) = (load(&folder("rmsnorm")), tempfile::tempdir().expect("a folder"));
    let entries = suite::list();
    let of = |id: &str| handed(entries.iter().find(|entry| entry.id == id).expect("an entry"), out.path());
    // One that ends well for the process, one that dies, one that the sandbox kills, one that is refused unread, one that lies.
    let candidates = ["B03", "B28", "B42", "B30", "B02"].map(of);
    for candidate in &candidates {
        judged(&loaded, candidate, true, &mut |_| {});
    }
    let full = std::env::var_os("ASSAY_TEST_FULL").is_some();
    let before = descriptors();
    for round in 0..if full { 1000 } else { 30 } {
        judged(&loaded, &candidates[round % candidates.len()], true, &mut |_| {});
    }
    // The last child may still be on its way out.
    let end = Instant::now() + Duration::from_secs(5);
    while Instant::now() < end && !(children().is_empty() && descriptors() <= before) {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(children(), Vec::<String>::new());
    assert!(descriptors() <= before, "{} descriptors, {before} before", descriptors());
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("own descriptors").count()
}

/// Children of any thread of this process, dead ones too.
fn children() -> Vec<String> {
    let threads = std::fs::read_dir("/proc/self/task").expect("own threads");
    let of = |thread: std::fs::DirEntry| {
        std::fs::read_to_string(thread.path().join("children")).unwrap_or_default()
    };
    let all: Vec<String> = threads.filter_map(Result::ok).map(of).collect();
    all.iter().flat_map(|text| text.split_ascii_whitespace()).map(str::to_owned).collect()
}
