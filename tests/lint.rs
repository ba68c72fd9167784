//! `assay lint`: which files, which formats, fixes, comments that silence, configuration, baseline, cache.

mod support;

use serde_json::Value;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use support::{Done, Scene};

const HEAD: &str = "apiVersion: assay/v1\nkind: Skill\nname: example\nversion: 1.0.0\ndescription: Prints a word. Use it to try lint.\nverified: {against: \"coreutils 9.1\", date: 2026-01-31, stale_after: 3650d}\n";
const GOOD: &str = "steps:\n  hello:\n    uses: command\n    with: {argv: [echo, hello]}\n    timeout: 1m\n";
const NO_TIMEOUT: &str =
    "steps:\n  # says hello\n  hello:\n    uses: command\n    with: {argv: [echo, hello]} # to everybody\n";

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> Scene {
    let scene = Scene::new();
    // The search for a configuration ends here.
    std::fs::create_dir(scene.dir().join(".git")).expect("a folder");
    files.iter().for_each(|(name, text)| _ = scene.write(name, text));
    scene
}

/// `assay lint` on a fixed day.
const LINT: [&str; 3] = ["lint", "--today", "2026-02-01"];

fn lint(folder: &Scene, args: &[&str]) -> Done {
    folder.assay(&[&LINT[..], args].concat())
}

fn codes(folder: &Scene, args: &[&str]) -> Vec<String> {
    let output = lint(folder, &[&["--json"], args].concat());
    diagnostics(&output).iter().map(|one| one["code"].as_str().expect("a code").to_owned()).collect()
}

fn diagnostics(output: &Done) -> Vec<Value> {
    output.json()["diagnostics"].as_array().expect("diagnostics").clone()
}

fn manifest(steps: &str) -> String {
    format!("{HEAD}{steps}")
}

#[test]
fn every_finding_of_every_file_in_one_run() {
    let folder = folder(&[
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
    let output = lint(&folder, &["--json"]);
    assert_eq!(output.code, 10, "{}", output.stderr);
    let files = output.json()["data"]["files"].clone();
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
    let folder = folder(&[("skills/example/skill.yaml", &manifest(GOOD))]);
    let output = lint(&folder, &[]);
    assert_eq!((output.code, output.stdout), (0, String::new()));
    assert_eq!(output.stderr, "1 file: 0 errors, 0 warnings, 0 notes\n");
}

#[test]
fn nothing_to_check_is_no_success() {
    let folder = folder(&[("values.yaml", "a: 1\n")]);
    assert_eq!(lint(&folder, &[]).code, 3);
    assert_eq!(lint(&folder, &["nowhere"]).code, 3);
    // Named, it is checked whatever it looks like.
    assert_eq!(lint(&folder, &["values.yaml"]).code, 10);
}

#[test]
fn all_formats_at_once() {
    let folder = folder(&[("skills/example/skill.yaml", &manifest(NO_TIMEOUT))]);
    let outputs = ["-o", "sarif=l.sarif", "-o", "junit=l.xml", "-o", "json=l.json", "-o", "text=l.txt"];
    let output = lint(&folder, &[&["--format", "github"], &outputs[..]].concat());
    assert_eq!(output.code, 10);
    let said = output.stdout;
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
    assert_eq!(lint(&folder, &["--format", "sarif"]).code, 0);
}

#[test]
fn what_fails_can_be_chosen() {
    let folder = folder(&[("skills/example/skill.yaml", &manifest(NO_TIMEOUT))]);
    let exit = |args: &[&str]| lint(&folder, args).code;
    assert_eq!(exit(&["--fail-on", "error"]), 0);
    assert_eq!(exit(&["--fail-on", "never"]), 0);
    assert_eq!(exit(&["--fail-on", "error", "--rule", "missing-timeout=error"]), 10);
    assert_eq!(exit(&["--rule", "missing-timeout=off"]), 0);
    let unknown = lint(&folder, &["--rule", "missing-timeot=off"]);
    assert_eq!(unknown.code, 2);
    assert!(unknown.stderr.contains("did you mean `missing-timeout`?"), "{}", unknown.stderr);
}

#[test]
fn fixes_keep_comments_and_layout() {
    let folder = folder(&[("skills/example/skill.yaml", &manifest(NO_TIMEOUT))]);
    let safe = lint(&folder, &["--fix"]);
    assert_eq!((safe.code, folder.read("skills/example/skill.yaml")), (10, manifest(NO_TIMEOUT)));
    let patch = lint(&folder, &["--diff", "--unsafe-fixes"]);
    assert_eq!(patch.code, 10, "there is something to change");
    assert_eq!(folder.read("skills/example/skill.yaml"), manifest(NO_TIMEOUT), "a patch changes nothing");
    assert!(patch.stdout.contains("\n+    timeout: 10m\n"), "{}", patch.stdout);
    let mut apply = Command::new("git");
    let mut apply = apply
        .args(["apply", "-p0", "--check", "-"])
        .current_dir(folder.dir())
        .stdin(Stdio::piped())
        .spawn()
        .expect("git");
    apply.stdin.take().expect("a pipe").write_all(patch.stdout.as_bytes()).expect("written");
    assert!(apply.wait().expect("git ends").success(), "git takes the patch");
    let output = lint(&folder, &["--fix", "--unsafe-fixes"]);
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(output.stderr.contains("1 fixed"), "{}", output.stderr);
    let wanted = manifest(NO_TIMEOUT).replace("# to everybody\n", "# to everybody\n    timeout: 10m\n");
    assert_eq!(folder.read("skills/example/skill.yaml"), wanted);
}

#[test]
fn a_fixed_file_keeps_its_mode_and_its_link() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder(&[("real.yaml", &manifest(NO_TIMEOUT))]);
    std::fs::set_permissions(folder.dir().join("real.yaml"), std::fs::Permissions::from_mode(0o640))
        .expect("a mode");
    std::os::unix::fs::symlink("real.yaml", folder.dir().join("link.yaml")).expect("a link");
    assert_eq!(lint(&folder, &["link.yaml", "--fix", "--unsafe-fixes"]).code, 0);
    assert!(folder.dir().join("link.yaml").is_symlink() && folder.read("real.yaml").contains("timeout: 10m"));
    let mode = std::fs::metadata(folder.dir().join("real.yaml")).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
}

#[test]
fn standard_input_has_a_name() {
    let folder = folder(&[]);
    let reading = |args: &[&str]| folder.assay_reading(&[&LINT[..], args].concat(), &manifest(NO_TIMEOUT));
    let output = reading(&["-", "--stdin-name", "skills/example/skill.yaml", "--json"]);
    assert_eq!(diagnostics(&output)[0]["file"], "skills/example/skill.yaml");
    let fixed = reading(&["-", "--fix", "--unsafe-fixes"]).expect(0);
    assert!(fixed.stdout.ends_with("    timeout: 10m\n"), "{}", fixed.stdout);
}

#[test]
fn comments_silence_with_a_reason() {
    let ignored =
        NO_TIMEOUT.replace("  hello:\n", "  # assay: ignore[missing-timeout] it prints one word\n  hello:\n");
    let folder = folder(&[("skills/example/skill.yaml", &manifest(&ignored))]);
    let output = lint(&folder, &["-o", "sarif=l.sarif"]);
    assert_eq!(output.code, 0, "{}", output.stdout);
    assert!(output.stderr.contains("1 ignored"));
    let sarif: Value = serde_json::from_str(&folder.read("l.sarif")).expect("JSON");
    let suppression = &sarif["runs"][0]["results"][0]["suppressions"][0];
    assert_eq!(
        (suppression["kind"].as_str(), suppression["justification"].as_str()),
        (Some("inSource"), Some("it prints one word"))
    );
    folder.write("skills/example/skill.yaml", manifest(&ignored).replace(" it prints one word", ""));
    assert_eq!(codes(&folder, &[]), ["ignore-without-reason"]);
    let unused = manifest(GOOD)
        .replace("    timeout: 1m\n", "    timeout: 1m # assay: ignore[missing-timeout] it had none\n");
    folder.write("skills/example/skill.yaml", unused);
    assert_eq!(codes(&folder, &[]), ["unused-ignore"]);
    assert_eq!(lint(&folder, &["--fix"]).code, 0);
    assert!(!folder.read("skills/example/skill.yaml").contains("ignore["));
}

#[test]
fn what_run_refuses_cannot_be_silenced() {
    let steps = GOOD.to_owned() + "    needs: [hello] # assay: ignore[cycle] it waits for itself\n";
    let folder = folder(&[("skills/example/skill.yaml", &manifest(&steps))]);
    let codes = codes(&folder, &[]);
    assert!(codes.contains(&"cycle".to_owned()) && codes.contains(&"useless-ignore".to_owned()), "{codes:?}");
    folder.write("assay-lint.yaml", "rules: {cycle: off}\n");
    let output = lint(&folder, &[]);
    assert_eq!(output.code, 2);
    let said = output.stderr;
    assert!(said.contains("assay-lint.yaml:1:9") && said.contains("cannot be changed"), "{said}");
}

#[test]
fn the_configuration_decides_by_file() {
    let folder = folder(&[
        ("skills/example/skill.yaml", &manifest(NO_TIMEOUT)),
        ("old/skills/example/skill.yaml", &manifest(NO_TIMEOUT)),
        ("drafts/skills/example/skill.yaml", &manifest(NO_TIMEOUT)),
        (
            "assay-lint.yaml",
            "rules: {missing-timeout: error}\noverrides:\n  - files: [\"drafts/**\"]\n    rules: {missing-timeout: note}\nexclude: [\"old/**\"]\n",
        ),
    ]);
    let found = diagnostics(&lint(&folder, &["--json"]));
    let shown: Vec<_> = found
        .iter()
        .map(|one| (one["file"].as_str().unwrap_or_default(), one["severity"].as_str().unwrap_or_default()))
        .collect();
    assert_eq!(shown, [("drafts/skills/example/skill.yaml", "note"), ("skills/example/skill.yaml", "error")]);
    // From below, the same configuration is found.
    let below = folder.shell("cd drafts && assay lint --json --today 2026-02-01");
    assert_eq!(diagnostics(&below)[0]["severity"], "note");
}

#[test]
fn a_baseline_lets_only_new_findings_fail() {
    let folder = folder(&[("skills/example/skill.yaml", &manifest(NO_TIMEOUT))]);
    assert_eq!(lint(&folder, &["--write-baseline", "base.json"]).code, 0);
    let with = ["--baseline", "base.json"];
    assert_eq!(lint(&folder, &with).code, 0);
    // Lines that move do not make it new.
    let moved = manifest(&NO_TIMEOUT.replace("steps:\n", "\n\nsteps:\n"));
    folder.write("skills/example/skill.yaml", &moved);
    assert_eq!(lint(&folder, &with).code, 0);
    folder.write(
        "skills/example/skill.yaml",
        moved.clone() + "  more: {uses: command, with: {argv: [echo, more]}}\n",
    );
    let output = lint(&folder, &with);
    assert_eq!(output.code, 10);
    assert!(output.stdout.contains("step `more`") && !output.stdout.contains("step `hello`"));
    folder.write("skills/example/skill.yaml", manifest(GOOD));
    let gone = lint(&folder, &with);
    assert_eq!(gone.code, 0);
    assert!(gone.stderr.contains("1 accepted that are gone"), "{}", gone.stderr);
    for damaged in ["{}", "{\"v\": 1}", "{\"v\": 1, \"findings\": [{\"rule\": \"x\"}]}"] {
        folder.write("base.json", damaged);
        assert_eq!(lint(&folder, &with).code, 2, "{damaged}");
    }
}

#[test]
fn the_cache_never_shows_what_is_not_so() {
    let folder = folder(&[]);
    for number in 0..40 {
        let steps = if number % 2 == 0 { GOOD } else { NO_TIMEOUT };
        folder.write(&format!("w{number:02}.yaml"), manifest(steps));
    }
    let look = |args: &[&str]| lint(&folder, args).stdout;
    let cold = look(&["--no-cache"]);
    assert_eq!(cold.matches("missing-timeout").count(), 20);
    assert_eq!((look(&[]), look(&[])), (cold.clone(), cold.clone()), "cold and warm alike");
    folder.write("w00.yaml", manifest(NO_TIMEOUT));
    assert_eq!(look(&[]).matches("missing-timeout").count(), 21, "a changed file is looked at again");
    assert_eq!(look(&["--rule", "missing-timeout=off"]), "", "so is everything when the rules change");
    folder.write("w00.yaml", manifest(GOOD));
    let cache = folder.dir().join("../cache/assay/lint");
    for entry in std::fs::read_dir(&cache).expect("a cache") {
        std::fs::write(entry.expect("an entry").path(), b"{\"key\": damaged").expect("a file");
    }
    assert_eq!(look(&[]), cold, "a damaged cache is none");
}

#[test]
fn files_that_cannot_be_read_are_findings() {
    let folder = folder(&[("skills/example/skill.yaml", &manifest(GOOD))]);
    folder.write("bad/skill.yaml", b"apiVersion: assay/v1\nname: \xff\n");
    let output = lint(&folder, &["--json"]);
    assert_eq!(diagnostics(&output)[0]["code"], "yaml-not-utf8");
    assert!(diagnostics(&output)[0]["message"].as_str().is_some_and(|text| text.contains("UTF-8")));
}

#[test]
fn a_skill_md_that_cannot_be_read_is_not_passed_over() {
    let folder = folder(&[("skills/example/skill.yaml", &manifest(GOOD))]);
    folder.write("skills/example/SKILL.md", b"---\nname: \xff\n---\n");
    let output = lint(&folder, &["--json"]);
    assert_eq!(output.code, 10);
    assert_eq!(diagnostics(&output)[0]["file"], "skills/example/SKILL.md");
}

#[test]
fn a_misspelled_timeout_is_one_finding() {
    let steps = GOOD.replace("timeout", "tiemout");
    let folder = folder(&[("skills/example/skill.yaml", &manifest(&steps))]);
    assert_eq!(codes(&folder, &[]), ["unknown-field"]);
}

#[test]
fn the_project_keeps_its_own_rules() {
    let root = env!("CARGO_MANIFEST_DIR");
    let line = format!("cd '{root}' && assay lint skills workflows examples --no-cache --fail-on note");
    Scene::new().shell(&line).expect(0);
}

#[test]
fn the_example_configuration_is_valid() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = std::fs::read_to_string(root.join("examples/lint-ci/assay-lint.yaml")).expect("the example");
    let folder = folder(&[("skills/example/skill.yaml", &manifest(GOOD)), ("assay-lint.yaml", &config)]);
    let output = lint(&folder, &[]);
    assert_eq!(output.code, 0, "{}", output.stderr);
}

/// Two rules see the same fault; one of them says it.
#[test]
fn one_place_has_one_finding() {
    let race = |pairs: &str| {
        format!(
            "preflight:\n  idle: {{check: load, with: {{max_per_core: 0.7}}}}\nsteps:\n  check:\n    uses: command\n    with: {{argv: [./judge], parse: {{as: json, schema: {{type: object, required: [max_error], properties: {{max_error: {{type: number}}}}}}}}}}\n    timeout: 1m\n  race:\n    needs: [correct]\n    uses: compare\n    with:\n      baseline: {{argv: [./judge, old]}}\n      candidate: {{argv: [./judge, new]}}\n      metric: {{value: wall_time, better: lower}}\n      {pairs}\n    timeout: 5m\ngates:\n  correct: {{assert: steps.check.result.max_error <= 1.0e-6, on_fail: incorrect}}\n  faster: {{compare: steps.race, want: [better], threshold: 1%}}\n"
        )
    };
    let secret = "secrets: [HF_TOKEN]\nsteps:\n  get: {uses: command, with: {argv: [./get, \"--token={{ env.HF_TOKEN }}\"]}, pass_env: [HF_TOKEN], timeout: 5m}\n";
    let bench = "steps:\n  bench:\n    uses: command\n    with: {argv: [./bench], parse: {as: json, schema: {type: object, required: [ttft_ms], properties: {ttft_ms: {type: number}}}}}\n    timeout: 5m\n";
    for (steps, wanted) in [
        (secret, "secret-in-scope"),
        (&*race("pairs: 1"), "out-of-range"),
        (&*race("max_pairs: 2"), "out-of-range"),
        (&*race("max_pairs: 4"), "too-few-repeats"),
        (bench, "unchecked-result"),
    ] {
        let folder = folder(&[("skills/example/skill.yaml", &manifest(steps))]);
        assert_eq!(codes(&folder, &[]), [wanted], "{steps}");
    }
}

const TOKEN: &str = "hf_q7Zr2MnK9pLw4TxV8bYc3DsF6gHj1RtEuA5oP";

#[test]
fn a_patch_repeats_no_secret() {
    let line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7";
    let key = format!("-----BEGIN PRIVATE KEY-----\n        {line}\n        -----END PRIVATE KEY-----");
    let steps = format!(
        "steps:\n  hello:\n    uses:   command\n    env: {{A: {TOKEN}, DB_PASSWORD: correct-horse}}\n    with:\n      argv: [echo, hello]\n      stdin: |\n        {key}\n"
    );
    let folder = folder(&[("skills/example/skill.yaml", &manifest(&steps))]);
    let patches = [
        lint(&folder, &["--diff", "--unsafe-fixes"]),
        lint(&folder, &["--diff", "--unsafe-fixes", "--rule", "secret-in-text=off"]),
        folder.assay(&["fmt", "--diff"]),
    ];
    for (at, patch) in patches.iter().enumerate() {
        assert!(patch.stdout.contains("@@"), "{at}: {}{}", patch.stdout, patch.stderr);
        for secret in [TOKEN, line] {
            assert!(!patch.stdout.contains(secret), "{at}: {}", patch.stdout);
        }
    }
    assert!(!patches[0].stdout.contains("correct-horse"), "{}", patches[0].stdout);
    // No finding shows the key either.
    assert!(!lint(&folder, &[]).stdout.contains(line));
    assert!(folder.read("skills/example/skill.yaml").contains(TOKEN), "a patch changes nothing");
}

#[test]
fn rules_of_one_family() {
    let scene = Scene::new();
    let listed = scene.assay(&["list", "rules", "--family", "freshness"]).expect(0).stdout;
    assert!(listed.starts_with("freshness\n") && listed.contains("stale-verified"), "{listed}");
    assert!(!listed.contains("missing-timeout"), "{listed}");
    let answer = scene.assay(&["list", "rules", "--family", "safety", "--json"]).expect(0).json();
    let rules = answer["data"].as_array().expect("rules");
    assert!(rules.len() > 10 && rules.iter().all(|rule| rule["family"] == "safety"), "{rules:?}");
    scene.assay(&["list", "rules", "--family", "speed"]).expect(2);
    scene.assay(&["list", "runs", "--family", "safety"]).expect(2);
}
