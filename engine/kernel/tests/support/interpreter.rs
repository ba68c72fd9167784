//! The Python that tests of the form `python` use. Must not judge.

use assay_process::{Background, CaptureLimits, Spawn};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// An interpreter with numpy; `None`, and a word about it, where there is none.
pub fn with_numpy() -> Option<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let listed = std::env::split_paths(&folders).map(|folder| folder.join("python3"));
    let found =
        [PathBuf::from("/usr/bin/python3")].into_iter().chain(listed).find(|program| has(program, "numpy"));
    if found.is_none() {
        eprintln!("skipped: no `python3` here has numpy; install it with `apt-get install python3-numpy`");
    }
    found
}

fn has(program: &Path, package: &str) -> bool {
    program.is_file()
        && run(program, &["-I", "-B", "-c", &format!("import {package}")], Path::new("/")).is_some()
}

/// What it prints, if it ends well.
pub fn run(program: &Path, arguments: &[&str], cwd: &Path) -> Option<String> {
    let words = std::iter::once(program.to_string_lossy().into_owned())
        .chain(arguments.iter().map(|word| (*word).to_owned()));
    let spawn = Spawn {
        program: program.to_owned(),
        argv: words.map(Into::into).collect(),
        env: vec![("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into())],
        cwd: cwd.to_owned(),
        ..Spawn::default()
    };
    let limits = CaptureLimits { timeout: Duration::from_secs(120), bytes: 1 << 20 };
    let ended = Background::shared().expect("a thread").output(spawn, limits).ok()?;
    ended.exit.success().then(|| String::from_utf8_lossy(&ended.stdout).into_owned())
}
