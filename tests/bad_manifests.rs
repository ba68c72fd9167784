//! What `assay plan` says about manifests that are wrong, and that it says nothing about those that are right.
//!
//! Every file in `bad_manifests/` is one case; what it must print stands in `snapshots/`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// `EXIT_INVALID_MANIFEST` of the contract.
const INVALID: i32 = 11;
/// The issue asks for at least this many.
const LEAST: usize = 60;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad_manifests")
}

fn manifests(folder: &Path) -> Vec<String> {
    let entries =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<String> = entries.map(|name| name.into_string().expect("UTF-8")).collect();
    names.retain(|name| name.ends_with(".yaml"));
    names.sort();
    names
}

/// `assay plan <file>` in the folder of the cases, with nothing of the caller's environment and a home that is empty.
fn plan(home: &Path, file: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_assay"))
        .args(["plan", file])
        .current_dir(folder())
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", home)
        .output()
        .expect("the binary runs")
}

#[test]
fn every_fault_is_shown_with_its_place_and_a_way_out() {
    let home = tempfile::tempdir().unwrap();
    let names = manifests(&folder());
    assert!(names.len() >= LEAST, "only {} cases", names.len());
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for name in &names {
            let output = plan(home.path(), name);
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(INVALID), "{name}: {said}");
            assert!(!said.contains(env!("CARGO_MANIFEST_DIR")), "{name}: paths are shown relative: {said}");
            insta::assert_snapshot!(name.trim_end_matches(".yaml"), said);
        }
    });
}

#[test]
fn ten_independent_faults_are_ten_errors() {
    let home = tempfile::tempdir().unwrap();
    let said = String::from_utf8(plan(home.path(), "ten_faults.yaml").stderr).unwrap();
    let errors = said.lines().filter(|line| line.starts_with("error[")).count();
    assert_eq!(errors, 10, "{said}");
}

#[test]
fn good_manifests_are_planned_without_a_finding() {
    let home = tempfile::tempdir().unwrap();
    for name in manifests(&folder().join("good")) {
        let output = plan(home.path(), &format!("good/{name}"));
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{name}: {said}");
        assert!(!said.contains("error[") && !said.contains("warning["), "{name}: {said}");
    }
}
