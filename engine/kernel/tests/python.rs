//! The form `python`, through the judge: candidates in numpy against a baseline in numpy.

#[path = "support/interpreter.rs"]
mod interpreter;
#[path = "support/launcher.rs"]
mod launcher;
#[path = "support/side_by_side.rs"]
mod side_by_side;

use assay_kernel::judge::{JudgeError, Judgement, Setup, judge};
use assay_kernel::task::{self, Loaded};
use assay_kernel::verdict::{Class, Code, Gate};
use launcher::launcher;
use serde::Deserialize;
use side_by_side::side_by_side;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const TASK: &str = r#"
apiVersion: assay/v1
kind: KernelTask
name: add_rows
description: Adds two matrices, in binary32.
abi: {form: python, symbol: kv_entry, array: numpy, inplace_allowed: true, align: 4}
axes: {R: {range: [1, 4096]}, C: {range: [1, 4096]}}
inputs:
  a: {dtype: fp32, shape: [R, C], strides: row_padded_ok, gen: {scales: [0.05, 1, 30]}}
  b: {dtype: fp32, shape: [R, C], strides: row_padded_ok}
outputs:
  y: {dtype: fp32, shape: [R, C], strides: row_padded_ok}
oracle: {builtin: add}
workloads: {shapes: [{R: 64, C: 256}, {R: 96, C: 96}]}
hidden: {odd: [1, 33], random: 1, max_elements: 5000}
reject: [{dtype: {a: fp64}}, {rank: {b: 1}}, {wider: {b: 1}}]
build: {python: [PYTHON]}
baseline: {path: baseline.py}
timing: {processes: 3, samples: 20, block_us: 500, max_aa: 0.2, extend: 1}
limits: {call_ms: 2000, memory_mib: 512}
"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    candidates: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    file: String,
    codes: Vec<Code>,
    #[serde(default)]
    proof: Option<String>,
    #[serde(default)]
    good: bool,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/candidates/python")
}

fn text(path: &Path) -> String {
    path.to_str().expect("a path in UTF-8").to_owned()
}

fn list() -> Vec<Entry> {
    let text = std::fs::read_to_string(folder().join("list.yaml")).expect("the list");
    serde_yaml::from_str::<List>(&text).expect("a list as its head says").candidates
}

/// An interpreter with numpy.
fn with_numpy() -> Option<PathBuf> {
    interpreter::find(
        "import numpy",
        "no `python3` here has numpy; install it with `apt-get install python3-numpy`",
    )
}

struct Scene {
    folder: TempDir,
    loaded: Loaded,
}

impl Scene {
    fn new(python: &Path, change: impl FnOnce(String) -> String) -> Self {
        let scratch = tempfile::tempdir().expect("a folder");
        let task = change(TASK.replace("PYTHON", &text(python)));
        std::fs::write(scratch.path().join("task.yaml"), task).expect("written");
        std::fs::copy(folder().join("baseline.py"), scratch.path().join("baseline.py")).expect("copied");
        let loaded = task::load(&scratch.path().join("task.yaml")).unwrap_or_else(|error| panic!("{error}"));
        Self { folder: scratch, loaded }
    }

    fn judge(&self, candidate: &Path) -> Result<Judgement, JudgeError> {
        // A folder of its own: others may be judged at the same time.
        let scratch = tempfile::tempdir_in(self.folder.path()).expect("a folder");
        let mut setup = Setup::new(&self.loaded, candidate, launcher(), scratch.path());
        setup.quick = true;
        judge(&setup, &mut |_| {})
    }

    fn source(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path
    }
}

#[test]
fn every_candidate_is_judged_as_the_list_says() {
    let Some(python) = with_numpy() else { return };
    let scene = Scene::new(&python, |task| task);
    let judged = side_by_side(&list(), |entry| {
        let file = &entry.file;
        let judgement = scene.judge(&folder().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let line = format!("{file}: {:?} at {:?}: {}", judgement.code, judgement.gate, judgement.message);
        // A busy machine may not decide what is faster; what is wrong is wrong on any.
        let timed = entry.good || entry.codes.contains(&Code::RejectSlower);
        let noisy = timed && judgement.class == Class::Inconclusive;
        (entry.codes.contains(&judgement.code) || noisy, line)
    });
    judged.iter().for_each(|(_, line)| println!("{line}"));
    let wrong: Vec<&str> =
        judged.iter().filter(|(allowed, _)| !allowed).map(|(_, line)| line.as_str()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_fault_is_there_and_in_no_good_candidate() {
    let Some(python) = with_numpy() else { return };
    let (prover, mut wrong) = (text(&folder().join("../proof/python.py")), Vec::new());
    let sees = |file: &str, proof: &str| {
        let said = interpreter::run(&python, &["-I", "-B", &prover, file, proof], &folder());
        said.unwrap_or_else(|| panic!("{file}: the proof `{proof}` cannot be run")).trim() == "yes"
    };
    let entries = list();
    let good: Vec<&Entry> = entries.iter().filter(|entry| entry.good).collect();
    for entry in &entries {
        let Some(proof) = &entry.proof else {
            assert!(entry.good, "{} has no proof", entry.file);
            continue;
        };
        if !sees(&entry.file, proof) {
            wrong.push(format!("{} has no fault `{proof}`", entry.file));
        }
        let clean = good.iter().filter(|good| sees(&good.file, proof));
        wrong.extend(clean.map(|good| format!("{} has the fault `{proof}`", good.file)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_list_is_whole() {
    let mut listed: Vec<String> = list().into_iter().map(|entry| entry.file).collect();
    let mut there: Vec<String> = std::fs::read_dir(folder())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".py"))
        .collect();
    listed.sort();
    there.sort();
    assert_eq!(listed, there);
}

#[test]
fn a_judgement_tells_interpreter_line_and_what_was_not_looked_at() {
    let Some(python) = with_numpy() else { return };
    let scene = Scene::new(&python, |task| task);
    let raises = scene.judge(&folder().join("raises.py")).expect("judged");
    assert_eq!((raises.code, raises.gate), (Code::ReturnedError, Gate::Values), "{raises:?}");
    assert!(raises.message.contains("RuntimeError: too few rows (line 16)"), "{}", raises.message);
    assert!(
        raises.row.flags[0].starts_with("Python 3.")
            && raises.row.flags.iter().any(|flag| flag.starts_with("numpy "))
    );
    let imports = scene.judge(&folder().join("system.py")).expect("judged");
    assert!(
        imports.message.contains("import os") && imports.message.contains("line 3"),
        "{}",
        imports.message
    );
    let good = scene.judge(&folder().join("good.py")).expect("judged");
    let skipped = good
        .gates
        .iter()
        .find(|record| record.gate == Gate::Sanitizer)
        .and_then(|record| record.skipped.clone());
    assert!(skipped.is_some_and(|why| why.contains("interpreter")), "{good:?}");
}

#[test]
fn what_the_machine_lacks_is_no_verdict() {
    let Some(python) = with_numpy() else { return };
    let scene = Scene::new(Path::new("/nonexistent/python3"), |task| task);
    let error = scene.judge(&folder().join("good.py")).expect_err("no interpreter");
    assert!(matches!(&error, JudgeError::Unsupported { what } if what.contains("build.python")), "{error}");
    let scene = Scene::new(Path::new("/bin/true"), |task| task);
    let error = scene.judge(&folder().join("good.py")).expect_err("no interpreter");
    assert!(matches!(&error, JudgeError::Unsupported { what } if what.contains("no Python")), "{error}");
    // Without site packages there is no numpy.
    let bare = format!("[{}, -S]", text(&python));
    let scene = Scene::new(&python, |task| task.replace(&format!("[{}]", text(&python)), &bare));
    let error = scene.judge(&folder().join("good.py")).expect_err("no numpy");
    assert!(matches!(&error, JudgeError::Unsupported { what } if what.contains("no `numpy`")), "{error}");
    let scene = Scene::new(&python, |task| task);
    let error = scene.judge(&scene.source("kernel.c", "")).expect_err("no Python");
    assert!(matches!(error, JudgeError::Candidate { .. }), "{error}");
}
