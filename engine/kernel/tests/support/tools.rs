//! Programs that tests run. Must not judge.
//!
//! They run through `assay_process`: its reaper waits for every child of this process, so nobody else may.

use assay_process::{Background, CaptureLimits, Captured, Spawn, resolve_program};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where the candidates lie.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/candidates")
}

/// The folder of `assay_kernel.h`.
pub fn include() -> String {
    text(&Path::new(env!("CARGO_MANIFEST_DIR")).join("include"))
}

pub fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

pub fn text(path: &Path) -> String {
    path.to_str().expect("a path in UTF-8").to_owned()
}

/// Runs a tool that must succeed; what it prints.
pub fn tool(program: &str, arguments: Vec<String>, cwd: &Path) -> String {
    let ended = output(program, arguments.clone(), cwd, &[]);
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.exit.success(), "{program} {arguments:?}: {said}");
    String::from_utf8_lossy(&ended.stdout).into_owned()
}

/// Runs a program to its end.
pub fn output(program: &str, arguments: Vec<String>, cwd: &Path, env: &[(&str, &str)]) -> Captured {
    const PATH: &str = "/usr/local/bin:/usr/bin:/bin";
    let program = resolve_program(program.as_ref(), PATH.as_ref(), cwd).expect("a program");
    let spawn = Spawn {
        argv: std::iter::once(program.clone().into_os_string())
            .chain(arguments.into_iter().map(Into::into))
            .collect(),
        program,
        env: env.iter().chain(&[("PATH", PATH)]).map(|(name, value)| (name.into(), value.into())).collect(),
        cwd: cwd.to_owned(),
        ..Spawn::default()
    };
    let limits = CaptureLimits { timeout: Duration::from_secs(120), bytes: 1 << 20 };
    Background::shared().expect("a thread").output(spawn, limits).expect("a program that starts")
}
