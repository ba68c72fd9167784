//! The Python that tests of the form `python` use. Must not judge.

use assay_process::{Background, CaptureLimits, Spawn};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The first interpreter in which these lines run; `None`, and a word about what is lacking, where there is none.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
pub fn find(look: &str, lacking: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let listed = std::env::split_paths(&folders).map(|folder| folder.join("python3"));
    // What a starter such as that of pyenv starts, not the starter.
    let programs =
        [PathBuf::from("/usr/bin/python3")].into_iter().chain(listed).filter(|program| program.is_file());
    let look = format!("{look}\nimport sys; print(sys.executable)");
    let mut told = programs.filter_map(|program| run(&program, &["-I", "-B", "-c", &look], Path::new("/")));
    let found = told.next().map(|told| PathBuf::from(told.trim()));
    if found.is_none() {
        eprintln!("skipped: {lacking}");
    }
    found
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
