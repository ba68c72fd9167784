//! `assay fmt`: one layout, every comment kept, nothing changed that means something.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const LOOSE: &str = "# what it is\nsteps:\n    hello:   # the only one\n        uses:   command\n        with: { argv: [ echo,   'hello' ] }\n        timeout: 1m\n\n\n\nname: example\nkind: Skill\napiVersion: 'assay/v1'\nversion: 1.0.0\n";
const TIGHT: &str = "apiVersion: assay/v1\nkind: Skill\nname: example\nversion: 1.0.0\n\n# what it is\nsteps:\n  hello:  # the only one\n";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().expect("a folder"));
        for (name, text) in files {
            let file = folder.path(name);
            std::fs::create_dir_all(file.parent().expect("a folder")).expect("folders");
            std::fs::write(file, text).expect("a file");
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("a file")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_assay"));
        command.arg("fmt").args(args).current_dir(self.0.path());
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", self.0.path());
        command
    }

    fn fmt(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("it runs")
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

#[test]
fn one_layout_and_no_second_change() {
    let folder = Folder::new(&[("skills/example/skill.yaml", LOOSE), ("values.yaml", "a:   1\n")]);
    let check = folder.fmt(&["--check"]);
    assert_eq!(
        (check.status.code(), text(&check.stdout)),
        (Some(10), "skills/example/skill.yaml\n".to_owned())
    );
    assert_eq!(folder.read("skills/example/skill.yaml"), LOOSE, "a check changes nothing");
    let patch = folder.fmt(&["--diff"]);
    assert_eq!(patch.status.code(), Some(10));
    assert!(text(&patch.stdout).starts_with("--- skills/example/skill.yaml\n"), "{}", text(&patch.stdout));
    assert_eq!(folder.fmt(&[]).status.code(), Some(0));
    let laid = folder.read("skills/example/skill.yaml");
    assert!(laid.starts_with(TIGHT), "{laid}");
    assert!(laid.contains("    with: {argv: [echo, hello]}\n"), "{laid}");
    assert_eq!(folder.fmt(&["--check"]).status.code(), Some(0));
    assert_eq!(folder.read("values.yaml"), "a:   1\n", "what is no manifest is left alone");
}

#[test]
fn standard_input_goes_to_standard_output() {
    let folder = Folder::new(&[]);
    let mut command = folder.command(&["-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it runs");
    child.stdin.take().expect("a pipe").write_all(LOOSE.as_bytes()).expect("written");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).starts_with(TIGHT));
}

#[test]
fn what_cannot_be_read_stays_and_the_rest_is_laid_out() {
    let folder = Folder::new(&[("a/skill.yaml", "apiVersion: assay/v1\nname: [\n"), ("b/skill.yaml", LOOSE)]);
    let output = folder.fmt(&[]);
    assert_eq!(output.status.code(), Some(11));
    assert!(text(&output.stderr).contains("a/skill.yaml:"), "{}", text(&output.stderr));
    assert_eq!(folder.read("a/skill.yaml"), "apiVersion: assay/v1\nname: [\n");
    assert!(folder.read("b/skill.yaml").starts_with(TIGHT));
    assert_eq!(Folder::new(&[]).fmt(&[]).status.code(), Some(3));
}

#[test]
fn the_project_keeps_its_own_layout() {
    let home = tempfile::tempdir().expect("a home");
    let output = Command::new(env!("CARGO_BIN_EXE_assay"))
        .args(["fmt", "--diff", "skills", "workflows"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .env("HOME", home.path())
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
}
