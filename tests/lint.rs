//! `assay lint`: which files, which formats, fixes, comments that silence, configuration, baseline, cache.

use serde_json::Value;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const HEAD: &str = "apiVersion: assay/v1\nkind: Skill\nname: example\nversion: 1.0.0\ndescription: Prints a word. Use it to try lint.\nverified: {against: \"coreutils 9.1\", date: 2026-01-31, stale_after: 3650d}\n";
const GOOD: &str = "steps:\n  hello:\n    uses: command\n    with: {argv: [echo, hello]}\n    timeout: 1m\n";
const NO_TIMEOUT: &str =
    "steps:\n  # says hello\n  hello:\n    uses: command\n    with: {argv: [echo, hello]} # to everybody\n";

struct Folder {
    dir: tempfile::TempDir,
    home: tempfile::TempDir,
}

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder =
            Self { dir: tempfile::tempdir().expect("a folder"), home: tempfile::tempdir().expect("a home") };
        // The search for a configuration ends here.
        std::fs::create_dir(folder.dir.path().join(".git")).expect("a folder");
        files.iter().for_each(|(name, text)| folder.write(name, text));
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let file = self.path(name);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("folders");
        std::fs::write(file, text).expect("a file");
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_assay"));
        command.args(args).current_dir(self.dir.path()).env_clear().env("PATH", "/usr/bin:/bin");
        command.env("HOME", self.home.path());
        command
    }

    fn lint(&self, args: &[&str]) -> Output {
        self.command(&[&["lint", "--today", "2026-02-01"], args].concat()).output().expect("the binary runs")
    }

    fn codes(&self, args: &[&str]) -> Vec<String> {
        let output = self.lint(&[&["--json"], args].concat());
        diagnostics(&output).iter().map(|one| one["code"].as_str().expect("a code").to_owned()).collect()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

fn answer(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr)))
}

fn diagnostics(output: &Output) -> Vec<Value> {
    answer(output)["diagnostics"].as_array().expect("diagnostics").clone()
}

fn manifest(steps: &str) -> String {
    format!("{HEAD}{steps}")
}

#[test]
fn every_finding_of_every_file_in_one_run() {
    let folder = Folder::new(&[
        ("skills/example/skill.yaml", &manifest(NO_TIMEOUT)),
        (
            "skills/broken/skill.yaml",
            "apiVersion: assay/v1\nkind: Skil\nname: broken\nversion: 1.10\nsteps: {}\n",
        ),
        ("workflows/example.yaml", &manifest(GOOD).replace("Skill", "Workflow")),
        ("values.yaml", "a: 1\n"),
        ("ignored/skill.yaml", "nonsense: [\n"),
        (".gitignore", "ignored/\n"),
    ]);
    let output = folder.lint(&["--json"]);
    assert_eq!(output.status.code(), Some(10), "{}", text(&output.stderr));
    let files = answer(&output)["data"]["files"].clone();
    let wanted = ["skills/broken/skill.yaml", "skills/example/skill.yaml", "workflows/example.yaml"];
    assert_eq!(files, serde_json::json!(wanted));
    let found = diagnostics(&output);
    let of = |file: &str| found.iter().filter(|one| one["file"] == file).count();
    assert!(of(wanted[0]) >= 3 && of(wanted[1]) == 1 && of(wanted[2]) == 0, "{found:#?}");
    let place = found.iter().find(|one| one["code"] == "missing-timeout").expect("the finding");
    let numbers =
        ["line", "column", "end_line", "end_column"].map(|key| place[key].as_u64().expect("a number"));
    assert_eq!(numbers, [9, 3, 9, 8], "{place:#}");
    assert_eq!((place["severity"].as_str(), place["confidence"].as_str()), (Some("warning"), Some("high")));
    assert!(
        place["fix"]["edits"][0]["replacement"].as_str().is_some_and(|text| text.contains("timeout: 10m"))
    );
}

#[test]
fn a_clean_manifest_is_said_to_be_clean() {
    let folder = Folder::new(&[("skills/example/skill.yaml", &manifest(GOOD))]);
    let output = folder.lint(&[]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), String::new()));
    assert_eq!(text(&output.stderr), "1 file: 0 errors, 0 warnings, 0 notes\n");
}

#[test]
fn nothing_to_check_is_no_success() {
    let folder = Folder::new(&[("values.yaml", "a: 1\n")]);
    assert_eq!(folder.lint(&[]).status.code(), Some(3));
    assert_eq!(folder.lint(&["nowhere"]).status.code(), Some(3));
    // Named, it is checked whatever it looks like.
    assert_eq!(folder.lint(&["values.yaml"]).status.code(), Some(10));
}

#[test]
fn all_formats_at_once() {
    let folder = Folder::new(&[("skills/example/skill.yaml", &manifest(NO_TIMEOUT))]);
    let outputs = ["-o", "sarif=l.sarif", "-o", "junit=l.xml", "-o", "json=l.json", "-o", "text=l.txt"];
    let output = folder.lint(&[&["--format", "github"], &outputs[..]].concat());
    assert_eq!(output.status.code(), Some(10));
    let said = text(&output.stdout);
    assert!(said.starts_with("::warning file=skills/example/skill.yaml,line=9,endLine=9,col=3"), "{said}");
    let sarif: Value = serde_json::from_str(&folder.read("l.sarif")).expect("JSON");
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!(
        (sarif["version"].as_str(), result["ruleId"].as_str()),
        (Some("2.1.0"), Some("missing-timeout"))
    );
    assert_eq!(sarif["runs"][0]["tool"]["driver"]["rules"][0]["id"], "missing-timeout");
    assert!(folder.read("l.xml").contains("<failure message=\"step `hello` has no `timeout`\""));
    let json: Value = serde_json::from_str(&folder.read("l.json")).expect("JSON");
    assert_eq!((json["exit"].as_u64(), json["diagnostics"][0]["line"].as_u64()), (Some(10), Some(9)));
    assert!(folder.read("l.txt").contains("warning[missing-timeout]"));
    // Those who collect SARIF take any other exit code for a crash.
    assert_eq!(folder.lint(&["--format", "sarif"]).status.code(), Some(0));
}

#[test]
fn what_fails_can_be_chosen() {
    let folder = Folder::new(&[("skills/example/skill.yaml", &manifest(NO_TIMEOUT))]);
    let exit = |args: &[&str]| folder.lint(args).status.code();
    assert_eq!(exit(&["--fail-on", "error"]), Some(0));
    assert_eq!(exit(&["--fail-on", "never"]), Some(0));
    assert_eq!(exit(&["--fail-on", "error", "--rule", "missing-timeout=error"]), Some(10));
    assert_eq!(exit(&["--rule", "missing-timeout=off"]), Some(0));
    let unknown = folder.lint(&["--rule", "missing-timeot=off"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("did you mean `missing-timeout`?"), "{}", text(&unknown.stderr));
}

#[test]
fn fixes_keep_comments_and_layout() {
    let folder = Folder::new(&[("skills/example/skill.yaml", &manifest(NO_TIMEOUT))]);
    let safe = folder.lint(&["--fix"]);
    assert_eq!(
        (safe.status.code(), folder.read("skills/example/skill.yaml")),
        (Some(10), manifest(NO_TIMEOUT))
    );
    let patch = folder.lint(&["--diff", "--unsafe-fixes"]);
    assert_eq!(patch.status.code(), Some(10), "there is something to change");
    assert_eq!(folder.read("skills/example/skill.yaml"), manifest(NO_TIMEOUT), "a patch changes nothing");
    assert!(text(&patch.stdout).contains("\n+    timeout: 10m\n"), "{}", text(&patch.stdout));
    let mut apply = Command::new("git");
    let mut apply = apply
        .args(["apply", "-p0", "--check", "-"])
        .current_dir(folder.dir.path())
        .stdin(Stdio::piped())
        .spawn()
        .expect("git");
    apply.stdin.take().expect("a pipe").write_all(&patch.stdout).expect("written");
    assert!(apply.wait().expect("git ends").success(), "git takes the patch");
    let output = folder.lint(&["--fix", "--unsafe-fixes"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("1 fixed"), "{}", text(&output.stderr));
    let wanted = manifest(NO_TIMEOUT).replace("# to everybody\n", "# to everybody\n    timeout: 10m\n");
    assert_eq!(folder.read("skills/example/skill.yaml"), wanted);
}

#[test]
fn a_fixed_file_keeps_its_mode_and_its_link() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new(&[("real.yaml", &manifest(NO_TIMEOUT))]);
    std::fs::set_permissions(folder.path("real.yaml"), std::fs::Permissions::from_mode(0o640))
        .expect("a mode");
    std::os::unix::fs::symlink("real.yaml", folder.path("link.yaml")).expect("a link");
    assert_eq!(folder.lint(&["link.yaml", "--fix", "--unsafe-fixes"]).status.code(), Some(0));
    assert!(folder.path("link.yaml").is_symlink() && folder.read("real.yaml").contains("timeout: 10m"));
    let mode = std::fs::metadata(folder.path("real.yaml")).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
}

fn with_stdin(folder: &Folder, args: &[&str], input: &str) -> Output {
    let mut command = folder.command(&[&["lint", "--today", "2026-02-01"], args].concat());
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("written");
    child.wait_with_output().expect("it ends")
}

#[test]
fn standard_input_has_a_name() {
    let folder = Folder::new(&[]);
    let output = with_stdin(
        &folder,
        &["-", "--stdin-name", "skills/example/skill.yaml", "--json"],
        &manifest(NO_TIMEOUT),
    );
    assert_eq!(diagnostics(&output)[0]["file"], "skills/example/skill.yaml");
    let fixed = with_stdin(&folder, &["-", "--fix", "--unsafe-fixes"], &manifest(NO_TIMEOUT));
    assert!(text(&fixed.stdout).ends_with("    timeout: 10m\n"), "{}", text(&fixed.stdout));
    assert_eq!(fixed.status.code(), Some(0), "{}", text(&fixed.stderr));
}

#[test]
fn comments_silence_with_a_reason() {
    let ignored =
        NO_TIMEOUT.replace("  hello:\n", "  # assay: ignore[missing-timeout] it prints one word\n  hello:\n");
    let folder = Folder::new(&[("skills/example/skill.yaml", &manifest(&ignored))]);
    let output = folder.lint(&["-o", "sarif=l.sarif"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains("1 ignored"));
    let sarif: Value = serde_json::from_str(&folder.read("l.sarif")).expect("JSON");
    let suppression = &sarif["runs"][0]["results"][0]["suppressions"][0];
    assert_eq!(
        (suppression["kind"].as_str(), suppression["justification"].as_str()),
        (Some("inSource"), Some("it prints one word"))
    );
    folder.write("skills/example/skill.yaml", manifest(&ignored).replace(" it prints one word", ""));
    assert_eq!(folder.codes(&[]), ["ignore-without-reason"]);
    let unused = manifest(GOOD)
        .replace("    timeout: 1m\n", "    timeout: 1m # assay: ignore[missing-timeout] it had none\n");
    folder.write("skills/example/skill.yaml", unused);
    assert_eq!(folder.codes(&[]), ["unused-ignore"]);
    assert_eq!(folder.lint(&["--fix"]).status.code(), Some(0));
    assert!(!folder.read("skills/example/skill.yaml").contains("ignore["));
}

#[test]
fn what_run_refuses_cannot_be_silenced() {
    let steps = GOOD.to_owned() + "    needs: [hello] # assay: ignore[cycle] it waits for itself\n";
    let folder = Folder::new(&[("skills/example/skill.yaml", &manifest(&steps))]);
    let codes = folder.codes(&[]);
    assert!(codes.contains(&"cycle".to_owned()) && codes.contains(&"useless-ignore".to_owned()), "{codes:?}");
    folder.write("assay-lint.yaml", "rules: {cycle: off}\n");
    let output = folder.lint(&[]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("assay-lint.yaml:1:9") && said.contains("cannot be changed"), "{said}");
}

#[test]
fn the_configuration_decides_by_file() {
    let folder = Folder::new(&[
        ("skills/example/skill.yaml", &manifest(NO_TIMEOUT)),
        ("old/skills/example/skill.yaml", &manifest(NO_TIMEOUT)),
        ("drafts/skills/example/skill.yaml", &manifest(NO_TIMEOUT)),
        (
            "assay-lint.yaml",
            "rules: {missing-timeout: error}\noverrides:\n  - files: [\"drafts/**\"]\n    rules: {missing-timeout: note}\nexclude: [\"old/**\"]\n",
        ),
    ]);
    let found = diagnostics(&folder.lint(&["--json"]));
    let shown: Vec<_> = found
        .iter()
        .map(|one| (one["file"].as_str().unwrap_or_default(), one["severity"].as_str().unwrap_or_default()))
        .collect();
    assert_eq!(shown, [("drafts/skills/example/skill.yaml", "note"), ("skills/example/skill.yaml", "error")]);
    // From below, the same configuration is found.
    let below = folder
        .command(&["lint", "--json", "--today", "2026-02-01"])
        .current_dir(folder.path("drafts"))
        .output()
        .expect("it runs");
    assert_eq!(diagnostics(&below)[0]["severity"], "note");
}

#[test]
fn a_baseline_lets_only_new_findings_fail() {
    let folder = Folder::new(&[("skills/example/skill.yaml", &manifest(NO_TIMEOUT))]);
    assert_eq!(folder.lint(&["--write-baseline", "base.json"]).status.code(), Some(0));
    let with = ["--baseline", "base.json"];
    assert_eq!(folder.lint(&with).status.code(), Some(0));
    // Lines that move do not make it new.
    let moved = manifest(&NO_TIMEOUT.replace("steps:\n", "\n\nsteps:\n"));
    folder.write("skills/example/skill.yaml", &moved);
    assert_eq!(folder.lint(&with).status.code(), Some(0));
    folder.write(
        "skills/example/skill.yaml",
        moved.clone() + "  more: {uses: command, with: {argv: [echo, more]}}\n",
    );
    let output = folder.lint(&with);
    assert_eq!(output.status.code(), Some(10));
    assert!(text(&output.stdout).contains("step `more`") && !text(&output.stdout).contains("step `hello`"));
    folder.write("skills/example/skill.yaml", manifest(GOOD));
    let gone = folder.lint(&with);
    assert_eq!(gone.status.code(), Some(0));
    assert!(text(&gone.stderr).contains("1 accepted that are gone"), "{}", text(&gone.stderr));
    for damaged in ["{}", "{\"v\": 1}", "{\"v\": 1, \"findings\": [{\"rule\": \"x\"}]}"] {
        folder.write("base.json", damaged);
        assert_eq!(folder.lint(&with).status.code(), Some(2), "{damaged}");
    }
}

#[test]
fn the_cache_never_shows_what_is_not_so() {
    let folder = Folder::new(&[]);
    for number in 0..40 {
        let steps = if number % 2 == 0 { GOOD } else { NO_TIMEOUT };
        folder.write(&format!("w{number:02}.yaml"), manifest(steps));
    }
    let look = |args: &[&str]| text(&folder.lint(args).stdout);
    let cold = look(&["--no-cache"]);
    assert_eq!(cold.matches("missing-timeout").count(), 20);
    assert_eq!((look(&[]), look(&[])), (cold.clone(), cold.clone()), "cold and warm alike");
    folder.write("w00.yaml", manifest(NO_TIMEOUT));
    assert_eq!(look(&[]).matches("missing-timeout").count(), 21, "a changed file is looked at again");
    assert_eq!(look(&["--rule", "missing-timeout=off"]), "", "so is everything when the rules change");
    folder.write("w00.yaml", manifest(GOOD));
    let cache = folder.home.path().join(".cache/assay/lint");
    for entry in std::fs::read_dir(&cache).expect("a cache") {
        std::fs::write(entry.expect("an entry").path(), b"{\"key\": damaged").expect("a file");
    }
    assert_eq!(look(&[]), cold, "a damaged cache is none");
}

#[test]
fn files_that_cannot_be_read_are_findings() {
    let folder = Folder::new(&[("skills/example/skill.yaml", &manifest(GOOD))]);
    folder.write("bad/skill.yaml", b"apiVersion: assay/v1\nname: \xff\n");
    let output = folder.lint(&["--json"]);
    assert_eq!(diagnostics(&output)[0]["code"], "yaml-not-utf8");
    assert!(diagnostics(&output)[0]["message"].as_str().is_some_and(|text| text.contains("UTF-8")));
}

#[test]
fn a_skill_md_that_cannot_be_read_is_not_passed_over() {
    let folder = Folder::new(&[("skills/example/skill.yaml", &manifest(GOOD))]);
    folder.write("skills/example/SKILL.md", b"---\nname: \xff\n---\n");
    let output = folder.lint(&["--json"]);
    assert_eq!(output.status.code(), Some(10));
    assert_eq!(diagnostics(&output)[0]["file"], "skills/example/SKILL.md");
}

/// Nothing an author could send hangs the linter, makes it panic or eats memory.
#[test]
fn hostile_input_ends_soon() {
    let deep = "[".repeat(500_000);
    let wide = format!("a: [{}]\n", "1, ".repeat(300_000));
    let keys: String = (0..60_000).map(|number| format!("k{number}: {number}\n")).collect();
    let braces = format!(
        "{}steps:\n  a:\n    uses: command\n    with: {{shell: '{}'}}\n",
        HEAD,
        "{{ a ".repeat(100_000)
    );
    let shell = format!(
        "{HEAD}steps:\n  a:\n    uses: command\n    timeout: 1m\n    with: {{shell: \"{}\"}}\n",
        "$(".repeat(200_000)
    );
    let steps: String = (0..9_000)
        .map(|number| {
            format!("  s{number}: {{uses: command, with: {{argv: [pkill, -f, x]}}, needs: [s0]}}\n")
        })
        .collect();
    let bombs = format!(
        "{}\n",
        (0..30)
            .map(|n| format!("a{n}: &a{n} [{}]\n", format!("*a{}, ", n - 1).repeat(9)))
            .collect::<String>()
    );
    let comments = "# assay: ignore[missing-timeout] x\n".repeat(30_000);
    let hashes = format!("a: {}\n", "#".repeat(1_000_000));
    let null = "\0".repeat(1_000_000);
    for (name, body) in [
        ("deep", deep),
        ("wide", wide),
        ("keys", keys),
        ("braces", braces),
        ("shell", shell),
        ("steps", format!("{HEAD}steps:\n{steps}")),
        ("bombs", bombs),
        ("comments", comments),
        ("hashes", hashes),
        ("null", null),
    ] {
        let folder = Folder::new(&[("x.yaml", &body)]);
        // Far more than it needs; what hangs is killed by the caller.
        let output = Command::new("timeout")
            .args(["-k", "1", "60", env!("CARGO_BIN_EXE_assay"), "lint", "x.yaml", "--json"])
            .current_dir(folder.dir.path())
            .env("HOME", folder.home.path())
            .output()
            .expect("it runs");
        assert!(
            matches!(output.status.code(), Some(0 | 10)),
            "{name}: {:?}: {}",
            output.status,
            text(&output.stderr)
        );
        assert!(!text(&output.stderr).contains("panicked"), "{name}: {}", text(&output.stderr));
    }
}

#[test]
fn a_misspelled_timeout_is_one_finding() {
    let steps = GOOD.replace("timeout", "tiemout");
    let folder = Folder::new(&[("skills/example/skill.yaml", &manifest(&steps))]);
    assert_eq!(folder.codes(&[]), ["unknown-field"]);
}

#[test]
fn thousands_of_one_kind_are_counted_not_shown() {
    let keys: String = (0..5_000).map(|number| format!("k{number}: {number}\n")).collect();
    let folder = Folder::new(&[("skills/example/skill.yaml", &(manifest(GOOD) + &keys))]);
    let output = folder.lint(&["--json"]);
    let unknown: Vec<_> =
        diagnostics(&output).into_iter().filter(|one| one["code"] == "unknown-field").collect();
    assert_eq!(unknown.len(), 201);
    assert_eq!(unknown[200]["message"], "4800 more of these are not shown");
    assert_eq!(unknown[200]["severity"], "error");
}

#[test]
fn the_project_keeps_its_own_rules() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let home = tempfile::tempdir().expect("a home");
    let output = Command::new(env!("CARGO_BIN_EXE_assay"))
        .args(["lint", "skills", "workflows", "examples", "--no-cache", "--fail-on", "note"])
        .current_dir(root)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", home.path())
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
}

#[test]
fn the_example_configuration_is_valid() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = std::fs::read_to_string(root.join("examples/lint-ci/assay-lint.yaml")).expect("the example");
    let folder = Folder::new(&[("skills/example/skill.yaml", &manifest(GOOD)), ("assay-lint.yaml", &config)]);
    let output = folder.lint(&[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}
