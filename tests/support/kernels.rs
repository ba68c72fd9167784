//! Kernel tasks for tests: those of `examples/kernels`, and the candidates of the acceptance list.

use crate::support::{Done, Scene};
use std::path::{Path, PathBuf};

/// Judgements of a busy machine that are tried again.
const TRIES: usize = 12;

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A task that ships with Assay.
pub fn example(name: &str) -> PathBuf {
    root().join("examples/kernels").join(name)
}

/// A candidate of the acceptance list, such as `b26_half_the_sum.c`.
pub fn candidate(name: &str) -> PathBuf {
    root().join("engine/kernel/tests/candidates").join(name)
}

/// A copy of an example below the scene's folder, to change.
pub fn copied(scene: &Scene, name: &str, to: &str) {
    copy(&example(name), &scene.dir().join(to));
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

/// Whether a judgement says that the machine was too busy for any other.
pub fn is_noise(text: &str) -> bool {
    ["NOISY_DEVICE", "CLOCK_MISMATCH", "INCONCLUSIVE"].iter().any(|code| text.contains(code))
}

/// Runs until a command does not end for the noise of a busy machine.
#[track_caller]
pub fn settled(mut run: impl FnMut() -> Done) -> Done {
    for _ in 1..TRIES {
        let done = run();
        if done.code == 0 || !is_noise(&done.stdout) {
            return done;
        }
    }
    run()
}

/// A path as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// Judges a candidate for the RMS norm.
pub fn judge(scene: &Scene, candidate: &Path, more: &[&str]) -> Done {
    let task = example("rmsnorm");
    let mut args = vec!["kernel", "judge", text(&task), "--candidate", text(candidate), "--quick"];
    args.extend(more);
    scene.assay(&args)
}

/// The RMS norm with an oracle that is a program, as a line of YAML.
pub fn with_oracle(scene: &Scene, command: &str) {
    copied(scene, "rmsnorm", "task");
    let task = scene.read("task/task.yaml");
    let line = task.lines().find(|line| line.starts_with("oracle:")).expect("an oracle");
    scene.write("task/task.yaml", task.replace(line, &format!("oracle: {{command: {command}}}")));
}
