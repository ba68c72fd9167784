//! The form `python` with torch and Triton's interpreter, end to end on the CPU. Slow, and needs an interpreter that has both:
//! `ASSAY_TORCH=/path/to/python cargo test -p assay-kernel --test python_torch -- --nocapture`.

#[path = "support/launcher.rs"]
mod launcher;

use assay_kernel::judge::{JudgeError, Judgement, Progress, Setup, judge};
use assay_kernel::task;
use assay_kernel::verdict::{Class, Code, Gate};
use launcher::launcher;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The example, with the interpreter that the environment names.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn example() -> Option<(TempDir, PathBuf)> {
    let Some(python) = std::env::var_os("ASSAY_TORCH") else {
        eprintln!("skipped: `ASSAY_TORCH` names no interpreter with torch and triton");
        return None;
    };
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/kernels/rmsnorm-triton");
    let scratch = tempfile::tempdir().expect("a folder");
    let task = std::fs::read_to_string(from.join("interpreted.yaml")).expect("the example");
    let python = python.to_str().expect("a path in UTF-8").to_owned();
    let task = task.replace("python: [python3]", &format!("python: [\"{python}\"]"));
    assert!(task.contains(&python), "the example names `python3`");
    std::fs::write(scratch.path().join("task.yaml"), task).expect("written");
    for side in ["baseline", "candidate"] {
        std::fs::create_dir(scratch.path().join(side)).expect("a folder");
        let kernel = Path::new(side).join("kernel.py");
        std::fs::copy(from.join(&kernel), scratch.path().join(&kernel)).expect("copied");
    }
    let file = scratch.path().join("task.yaml");
    Some((scratch, file))
}

#[expect(clippy::print_stdout, reason = "a test of minutes tells what it does")]
fn judged(file: &Path, candidate: &Path) -> Result<Judgement, JudgeError> {
    let loaded = task::load(file).unwrap_or_else(|error| panic!("{error}"));
    let scratch = tempfile::tempdir().expect("a folder");
    let mut setup = Setup::new(&loaded, candidate, launcher(), scratch.path());
    setup.quick = true;
    judge(&setup, &mut |told| {
        if let Progress::GateEnded { side, record } = told {
            println!(
                "{side} {:?}: {} checks in {:.0} ms {}",
                record.gate,
                record.checks,
                record.ms,
                record.skipped.unwrap_or_default()
            );
        }
    })
}

#[test]
fn triton_kernels_are_judged_through_the_interpreter() {
    let Some((scratch, file)) = example() else { return };
    let kernel = scratch.path().join("candidate/kernel.py");
    let judgement = judged(&file, &kernel).unwrap_or_else(|error| panic!("{error}"));
    println!(
        "{:?} at {:?}: {}\n{:?}",
        judgement.code, judgement.gate, judgement.message, judgement.row.flags
    );
    assert_ne!(judgement.class, Class::Reject, "{judgement:?}");
    assert!(judgement.row.flags.iter().any(|flag| flag.starts_with("triton ")), "{:?}", judgement.row.flags);

    // Without its mask the kernel writes behind the row.
    let text = std::fs::read_to_string(&kernel).expect("the kernel");
    let unmasked = text.replace(".element_ty), mask=inside)", ".element_ty))");
    assert_ne!(unmasked, text);
    std::fs::write(&kernel, unmasked).expect("written");
    let judgement = judged(&file, &kernel).unwrap_or_else(|error| panic!("{error}"));
    println!("{:?} at {:?}: {}", judgement.code, judgement.gate, judgement.message);
    let refused = [Code::OobWrite, Code::WrongValue, Code::WrongHiddenShape, Code::WrongStrided];
    assert!(refused.contains(&judgement.code) && judgement.gate == Gate::Values, "{judgement:?}");
}
