//! Every rule of `assay lint`: its documentation says the truth, and its fixtures are judged as they should be.
//!
//! A rule has a folder `lint/<rule>/` with `bad` and `good`, each a file `<bad|good>.yaml` or a folder. What is said about
//! the bad one stands in `lint/<rule>/bad.snap`. `INSTA_UPDATE=always` writes it anew: read the difference.

mod support;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Output;
use support::Scene;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lint")
}

/// `assay ...` in a folder, with nothing of the caller's environment and an empty home.
fn assay(folder: &Path, args: &[&str]) -> Output {
    Scene::new().command(args).current_dir(folder).output().expect("the binary runs")
}

/// What a rule finds that no text in the repository can show, made in a folder: the name of what is to be linted.
fn generated(rule: &str, folder: &Path) -> Option<&'static str> {
    const HEAD: &str = "apiVersion: assay/v1\nkind: Skill\nname: example\nversion: 1.0.0\n";
    let text = match rule {
        "yaml-too-large" => format!("{HEAD}# {}\n", "x".repeat(16 << 20)).into_bytes(),
        "yaml-too-many-nodes" => format!("{HEAD}env: [{}]\n", "0,".repeat(1_000_001)).into_bytes(),
        "argument-too-long" => {
            let step = format!(
                "{{uses: command, timeout: 1m, with: {{shell: \"true {}\"}}}}",
                "x".repeat(128 << 10)
            );
            let verified = "verified: {against: \"gcc 12.2\", date: 2026-01-31, stale_after: 3650d}";
            format!("{HEAD}description: Shows what a rule finds. Use it to test that rule.\n{verified}\nsteps:\n  a: {step}\n").into_bytes()
        }
        "too-many-edges" => {
            let verified = "verified: {against: \"gcc 12.2\", date: 2026-01-31, stale_after: 3650d}";
            let head = format!(
                "{HEAD}description: Shows what a rule finds. Use it to test that rule.\n{verified}\n"
            );
            let step = |n| format!("  s{n}: {{uses: command, with: {{argv: [echo, a]}}, timeout: 1m}}\n");
            let file = |n| format!("  out/{n}.md: {{template: all.md.j2}}\n");
            let (steps, files) =
                ((0..500).map(step).collect::<String>(), (0..500).map(file).collect::<String>());
            format!("{head}steps:\n{steps}deliver:\n{files}").into_bytes()
        }
        "yaml-too-many-problems" => format!("{HEAD}env: [{}]\n", "!t a,".repeat(1_100)).into_bytes(),
        "yaml-not-utf8" => [HEAD.as_bytes(), b"slug: gr\xf6\xdfe\n"].concat(),
        // Reading the start of one's own memory fails for everybody, root too.
        "unreadable-file" => {
            std::os::unix::fs::symlink("/proc/self/mem", folder.join("bad.yaml")).expect("a link");
            return Some("bad.yaml");
        }
        "recursive-call" => {
            let home = folder.join("skills/example");
            std::fs::create_dir_all(&home).expect("a folder");
            let text = format!("{HEAD}steps:\n  again: {{uses: skill:example}}\n");
            std::fs::write(home.join("skill.yaml"), text).expect("a file");
            return Some("skills/example/skill.yaml");
        }
        _ => return None,
    };
    std::fs::write(folder.join("bad.yaml"), text).expect("a file");
    Some("bad.yaml")
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
            let made = Some(id).filter(|_| wanted).and_then(|id| generated(id, folder.path()));
            let target = made.unwrap_or_else(|| put(folder.path(), text));
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

/// The fixture of a rule, or what stands for it where the repository cannot hold it.
fn fixture_or_made(rule: &str, which: &str, made: &Path) -> Option<(PathBuf, String)> {
    fixture(rule, which).or_else(|| {
        let target = Some(rule).filter(|_| which == "bad").and_then(|rule| generated(rule, made))?;
        Some((made.to_owned(), target.to_owned()))
    })
}

#[test]
fn every_rule_has_a_pair_of_fixtures() {
    let (mut missing, mut wrong) = (Vec::new(), Vec::new());
    for rule in rules() {
        let id = id(&rule);
        for (which, wanted) in [("bad", true), ("good", false)] {
            let made = tempfile::tempdir().expect("a folder");
            let Some((folder, target)) = fixture_or_made(id, which, made.path()) else {
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

/// The end of a text that is too long to be read.
fn shortened(said: String) -> String {
    const MOST: usize = 400;
    let lines: Vec<&str> = said.lines().collect();
    match lines.len() > MOST {
        true => format!("... {} lines\n{}", lines.len(), lines[lines.len() - 16..].join("\n")),
        false => said,
    }
}

#[test]
fn what_is_said_about_the_bad_fixtures() {
    for rule in rules() {
        let id = id(&rule).to_owned();
        let made = tempfile::tempdir().expect("a folder");
        let Some((folder, target)) = fixture_or_made(&id, "bad", made.path()) else { continue };
        let output = lint(&folder, &target, &[]);
        // Some messages of the system name the whole path.
        let said = String::from_utf8(output.stdout).expect("UTF-8");
        let said = said.replace(&*made.path().to_string_lossy(), "<folder>");
        assert!(!said.contains(env!("CARGO_MANIFEST_DIR")), "{id}: paths are shown relative: {said}");
        let said = shortened(said);
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(fixtures().join(&id));
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

/// The codes that reading a manifest can report, as the sources of the front end name them.
fn emitted() -> std::collections::BTreeSet<String> {
    let mut codes = std::collections::BTreeSet::new();
    let mut folders: Vec<PathBuf> =
        ["engine/yaml/src", "engine/manifest/src", "engine/plan/src", "engine/cli/src/lint"]
            .map(|folder| Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))
            .into();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                codes_of(&std::fs::read_to_string(path).expect("a source"), &mut codes);
            }
        }
    }
    codes
}

/// Codes in one source: the first argument of the builders, and where that is a name, what the name stands for.
fn codes_of(text: &str, codes: &mut std::collections::BTreeSet<String>) {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let quoted = |rest: &str| {
        rest.trim_start().strip_prefix('"').and_then(|rest| Some(rest.split_once('"')?.0.to_owned()))
    };
    for builder in ["Diagnostic::error(", "Diagnostic::warning(", "Diagnostic::note(", "const CODE: &str ="] {
        codes.extend(text.split(builder).skip(1).filter_map(quoted));
    }
    // `syntax_error(node, "template-syntax", ...)`: the helper takes the code as its second argument.
    let second = |rest: &str| quoted(rest.split_once(',')?.1);
    codes.extend(text.split(".syntax_error(").skip(1).filter_map(second));
}

#[test]
fn every_code_of_the_front_end_has_a_page_and_no_page_is_about_nothing() {
    let emitted = emitted();
    assert!(emitted.len() > 60, "the sources were not found: {emitted:?}");
    let documented: std::collections::BTreeSet<String> = rules()
        .iter()
        .filter(|rule| {
            json(&assay(&fixtures(), &["explain", id(rule), "--json"]))["data"]["can_be_ignored"] == false
        })
        .filter(|rule| rule["family"] != "ignores")
        .map(|rule| id(rule).to_owned())
        .collect();
    let undocumented: Vec<_> = emitted.difference(&documented).collect();
    let unknown: Vec<_> = documented.difference(&emitted).collect();
    assert!(undocumented.is_empty(), "no rule documents {undocumented:?}");
    assert!(unknown.is_empty(), "rules say that reading finds these, but nothing does: {unknown:?}");
}
