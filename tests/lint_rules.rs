//! Every rule of `assay lint`: its documentation says the truth, and its fixtures are judged as they should be.
//!
//! A rule has a folder `lint/<rule>/` with `bad` and `good`, each a file `<bad|good>.yaml` or a folder. What is said about
//! the bad one stands in `lint/<rule>/bad.snap`. `INSTA_UPDATE=always` writes it anew: read the difference.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lint")
}

/// `assay ...` in a folder, with nothing of the caller's environment, an empty home and a fixed day.
fn assay(folder: &Path, args: &[&str]) -> Output {
    let home = tempfile::tempdir().expect("a folder");
    Command::new(env!("CARGO_BIN_EXE_assay"))
        .args(args)
        .current_dir(folder)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", home.path())
        .output()
        .expect("the binary runs")
}

fn lint(folder: &Path, target: &str, more: &[&str]) -> Output {
    // A configuration of the repository must not decide about fixtures.
    let config = tempfile::NamedTempFile::new().expect("a file");
    let config = config.path().to_str().expect("UTF-8");
    assay(folder, &[&["lint", target, "--today", "2026-02-01", "--config", config], more].concat())
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

fn findings(output: &Output) -> Vec<(String, String, String)> {
    let answer = json(output);
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    let list = answer["diagnostics"].as_array().cloned().unwrap_or_default();
    list.iter().map(|one| (text(one, "code"), text(one, "severity"), text(one, "message"))).collect()
}

fn rules() -> Vec<Value> {
    let answer = json(&assay(&fixtures(), &["list", "rules", "--json"]));
    answer["data"].as_array().expect("rules").clone()
}

fn id(rule: &Value) -> &str {
    rule["id"].as_str().expect("an id")
}

#[test]
fn ids_are_unique_and_kebab_case() {
    let rules = rules();
    let mut ids: Vec<&str> = rules.iter().map(id).collect();
    let own: Vec<&str> = ids
        .iter()
        .copied()
        .filter(|id| id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'))
        .collect();
    assert_eq!(own, ids);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), rules.len());
}

/// The examples of every documentation page: the bad one is found, the good one is clean.
#[test]
fn documentation_tells_the_truth() {
    let mut wrong = Vec::new();
    for rule in rules() {
        let id = id(&rule);
        let page = json(&assay(&fixtures(), &["explain", id, "--json"]))["data"].clone();
        for (which, wanted) in [("bad_manifest", true), ("good_manifest", false)] {
            let text = page[which].as_str().expect("an example");
            let folder = tempfile::tempdir().expect("a folder");
            let target = put(folder.path(), text);
            let found = findings(&lint(folder.path(), target, &["--json"]));
            let own = found.iter().any(|(code, _, _)| code == id);
            let broken = found.iter().any(|(code, severity, _)| severity == "error" && code != id);
            if own != wanted || (!wanted && !found.is_empty()) || (broken && page["can_be_ignored"] == true) {
                wrong.push(format!("{id}: {which}: {found:#?}\n{text}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} examples are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Writes an example as it wants to be looked at: one file, a `SKILL.md`, or several files behind `# file: <path>`.
fn put(folder: &Path, text: &str) -> &'static str {
    let write = |path: &str, text: &str| {
        let file = folder.join(path);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        std::fs::write(file, text).expect("a file");
    };
    if text.starts_with("---") {
        write("example/SKILL.md", text);
        return "example/SKILL.md";
    }
    let Some(files) = text.strip_prefix("# file: ") else {
        write("example.yaml", text);
        return "example.yaml";
    };
    for file in files.split("\n# file: ") {
        let (path, text) = file.split_once('\n').expect("a path and a text");
        write(path, text);
    }
    "."
}

/// The fixture of a rule: a file, or a folder.
fn fixture(rule: &str, which: &str) -> Option<(PathBuf, String)> {
    let folder = fixtures().join(rule);
    [format!("{which}.yaml"), which.to_owned()]
        .into_iter()
        .find(|name| folder.join(name).exists())
        .map(|name| (folder.clone(), name))
}

#[test]
fn every_rule_has_a_pair_of_fixtures() {
    let (mut missing, mut wrong) = (Vec::new(), Vec::new());
    for rule in rules() {
        let id = id(&rule);
        for (which, wanted) in [("bad", true), ("good", false)] {
            let Some((folder, target)) = fixture(id, which) else {
                missing.push(format!("tests/lint/{id}/{which}.yaml"));
                continue;
            };
            let found = findings(&lint(&folder, &target, &["--json"]));
            if found.iter().any(|(code, _, _)| code == id) != wanted {
                wrong.push(format!("{id}/{which}: {found:#?}"));
            }
            if !wanted && !found.is_empty() {
                wrong.push(format!("{id}/{which} is not clean: {found:#?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(missing.is_empty(), "missing: {missing:#?}");
}

#[test]
fn what_is_said_about_the_bad_fixtures() {
    for rule in rules() {
        let id = id(&rule).to_owned();
        let Some((folder, target)) = fixture(&id, "bad") else { continue };
        let output = lint(&folder, &target, &[]);
        let said = String::from_utf8(output.stdout).expect("UTF-8");
        assert!(!said.contains(env!("CARGO_MANIFEST_DIR")), "{id}: paths are shown relative: {said}");
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(&folder);
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!("bad", said));
    }
}

#[test]
fn every_fixture_belongs_to_a_rule() {
    let rules = rules();
    let entries =
        std::fs::read_dir(fixtures()).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let lost: Vec<_> =
        entries.filter(|name| !rules.iter().any(|rule| id(rule) == name.to_string_lossy())).collect();
    assert!(lost.is_empty(), "no rule is called {lost:?}");
}
