//! `assay fmt`: one layout, every comment kept, nothing changed that means something.

mod support;

use support::{Done, Scene};

const LOOSE: &str = "# what it is\nsteps:\n    hello:   # the only one\n        uses:   command\n        with: { argv: [ echo,   'hello' ] }\n        timeout: 1m\n\n\n\nname: example\nkind: Skill\napiVersion: 'assay/v1'\nversion: 1.0.0\n";
const TIGHT: &str = "apiVersion: assay/v1\nkind: Skill\nname: example\nversion: 1.0.0\n\n# what it is\nsteps:\n  hello:  # the only one\n";

fn folder(files: &[(&str, &str)]) -> Scene {
    let scene = Scene::new();
    files.iter().for_each(|(name, text)| _ = scene.write(name, text));
    scene
}

fn fmt(folder: &Scene, args: &[&str]) -> Done {
    folder.assay(&[&["fmt"], args].concat())
}

#[test]
fn one_layout_and_no_second_change() {
    let folder = folder(&[("skills/example/skill.yaml", LOOSE), ("values.yaml", "a:   1\n")]);
    let check = fmt(&folder, &["--check"]);
    assert_eq!((check.code, check.stdout), (10, "skills/example/skill.yaml\n".to_owned()));
    assert_eq!(folder.read("skills/example/skill.yaml"), LOOSE, "a check changes nothing");
    let patch = fmt(&folder, &["--diff"]);
    assert_eq!(patch.code, 10);
    assert!(patch.stdout.starts_with("--- skills/example/skill.yaml\n"), "{}", patch.stdout);
    assert_eq!(fmt(&folder, &[]).code, 0);
    let laid = folder.read("skills/example/skill.yaml");
    assert!(laid.starts_with(TIGHT), "{laid}");
    assert!(laid.contains("    with: {argv: [echo, hello]}\n"), "{laid}");
    assert_eq!(fmt(&folder, &["--check"]).code, 0);
    assert_eq!(folder.read("values.yaml"), "a:   1\n", "what is no manifest is left alone");
}

#[test]
fn standard_input_goes_to_standard_output() {
    let output = Scene::new().assay_reading(&["fmt", "-"], LOOSE).expect(0);
    assert!(output.stdout.starts_with(TIGHT));
}

#[test]
fn what_cannot_be_read_stays_and_the_rest_is_laid_out() {
    let folder = folder(&[("a/skill.yaml", "apiVersion: assay/v1\nname: [\n"), ("b/skill.yaml", LOOSE)]);
    let output = fmt(&folder, &[]);
    assert_eq!(output.code, 11);
    assert!(output.stderr.contains("a/skill.yaml:"), "{}", output.stderr);
    assert_eq!(folder.read("a/skill.yaml"), "apiVersion: assay/v1\nname: [\n");
    assert!(folder.read("b/skill.yaml").starts_with(TIGHT));
    Scene::new().assay(&["fmt"]).expect(3);
}

#[test]
fn the_project_keeps_its_own_layout() {
    let root = env!("CARGO_MANIFEST_DIR");
    let done = Scene::new().shell(&format!("cd '{root}' && assay fmt --diff skills workflows"));
    assert_eq!((done.code, &*done.stdout), (0, ""), "{}", done.stderr);
}

#[test]
fn a_long_list_of_words_fills_its_lines() {
    let words = (0..40).map(|n| format!("--flag-{n}")).collect::<Vec<_>>();
    let head = "apiVersion: assay/v1\nkind: Skill\nname: example\nversion: 1.0.0\n\nsteps:\n  hello:\n    uses: command\n    with:\n";
    let long = format!("{head}      argv: [echo, {}]  # all of them\n", words.join(", "));
    let folder = folder(&[("skill.yaml", &long)]);
    fmt(&folder, &[]).expect(0);
    let laid = folder.read("skill.yaml");
    let lines: Vec<&str> = laid.lines().skip_while(|line| !line.contains("argv:")).collect();
    assert!(lines.len() > 2 && lines.len() < 8, "{laid}");
    assert!(
        lines.iter().all(|line| line.split("  #").next().unwrap_or_default().chars().count() <= 120),
        "{laid}"
    );
    assert!(
        lines[0].starts_with("      argv: [echo, --flag-0,") && lines[1].starts_with("        --flag-"),
        "{laid}"
    );
    assert!(laid.ends_with("--flag-39]  # all of them\n"), "{laid}");
    fmt(&folder, &["--check"]).expect(0);
    // One word a line stays what an author decided, and what is long itself has a line of its own.
    let own = format!("{head}      argv:\n        - echo\n        - {}\n", words.join("\n        - "));
    folder.write("skill.yaml", &own);
    fmt(&folder, &["--check"]).expect(0);
    let wide = format!("{head}      argv: [{0}, {0}, {0}]\n", "x".repeat(80));
    folder.write("skill.yaml", &wide);
    fmt(&folder, &[]).expect(0);
    assert!(
        folder
            .read("skill.yaml")
            .ends_with(&format!("      argv:\n{}", format!("        - {}\n", "x".repeat(80)).repeat(3)))
    );
}
