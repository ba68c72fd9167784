//! The shared harness: a folder of its own for each test, the real binary, a scrubbed environment.
#![expect(dead_code, reason = "each suite uses a part of it")]

use serde_json::Value;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A folder with everything that one test needs; nothing outside it is written.
pub struct Scene {
    root: TempDir,
    env: Vec<(String, String)>,
}

/// What a finished `assay` printed, and how it ended.
#[derive(Debug)]
pub struct Done {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Done {
    /// Fails the test with everything that was printed unless the exit code is `code`.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }

    /// The one JSON object on stdout.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("not one JSON object: {error}\n{}\n{}", self.stdout, self.stderr))
    }
}

impl Default for Scene {
    fn default() -> Self {
        Self::new()
    }
}

impl Scene {
    pub fn new() -> Self {
        let root = tempfile::Builder::new().prefix("assay-test-").tempdir().expect("a temporary folder");
        std::fs::create_dir(root.path().join("work")).expect("a folder to work in");
        Self { root, env: Vec::new() }
    }

    /// Where the binary runs: manifests go here.
    pub fn dir(&self) -> PathBuf {
        self.root.path().join("work")
    }

    /// Sets a variable for every later call.
    pub fn env(&mut self, name: &str, value: &str) -> &mut Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Writes a file below [`Scene::dir`].
    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        std::fs::write(&path, text).expect("a file");
        path
    }

    /// The text of a file below [`Scene::dir`].
    #[track_caller]
    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.dir().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Writes a workflow `<name>.yaml` with this body below the head.
    pub fn workflow(&self, name: &str, body: &str) -> String {
        let text = format!("apiVersion: assay/v1\nkind: Workflow\nname: {name}\nversion: 0.1.0\n{body}");
        self.write(&format!("{name}.yaml"), &text);
        format!("{name}.yaml")
    }

    /// Writes a skill `skills/<name>/skill.yaml` with this body below the head.
    pub fn skill(&self, name: &str, body: &str) {
        let text = format!("apiVersion: assay/v1\nkind: Skill\nname: {name}\nversion: 0.1.0\n{body}");
        self.write(&format!("skills/{name}/skill.yaml"), &text);
    }

    /// The binary with these arguments, ready to be started.
    pub fn command(&self, args: &[&str]) -> Command {
        let binary = env!("CARGO_BIN_EXE_assay");
        let mut command = Command::new(if interrupts_are_ignored() { "/usr/bin/env" } else { binary });
        if interrupts_are_ignored() {
            // `nohup` and scripts with `&` hand this on, and Assay respects it: Ctrl-C would do nothing.
            command.args(["--default-signal=HUP,INT,QUIT", binary]);
        }
        command.args(args);
        self.scrubbed(command)
    }

    /// Runs a line as a person types it, with the binary as `assay` in `PATH`.
    pub fn shell(&self, line: &str) -> Done {
        let folder = Path::new(env!("CARGO_BIN_EXE_assay")).parent().expect("a folder").to_owned();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(folder).chain(std::env::split_paths(&path));
        let mut command = Command::new("sh");
        command.args(["-c", line]);
        let mut command = self.scrubbed(command);
        command.env("PATH", std::env::join_paths(folders).expect("folders without colons"));
        done(&command.output().expect("a shell"))
    }

    fn scrubbed(&self, mut command: Command) -> Command {
        let home = self.root.path();
        command
            .current_dir(self.dir())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("LANG", "C.UTF-8")
            .env("HOME", home)
            .env("XDG_STATE_HOME", home.join("state"))
            .env("XDG_CONFIG_HOME", home.join("config"))
            .env("XDG_CACHE_HOME", home.join("cache"))
            .env("ASSAY_LOCKS", home.join("locks"))
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// Runs the binary to its end.
    pub fn assay(&self, args: &[&str]) -> Done {
        let output = self.command(args).output().expect("the binary starts");
        done(&output)
    }

    /// Runs the binary to its end with a text on its standard input.
    pub fn assay_reading(&self, args: &[&str], input: &str) -> Done {
        let mut command = self.command(args);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("written");
        finish(child)
    }

    /// Starts the binary; its output is kept for [`finish`].
    pub fn start(&self, args: &[&str]) -> Child {
        self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts")
    }

    /// The newest run directory.
    #[track_caller]
    pub fn run_dir(&self) -> PathBuf {
        let mut runs: Vec<_> = std::fs::read_dir(self.dir().join("runs"))
            .expect("a folder of runs")
            .flatten()
            .filter(|entry| entry.path().join("journal.jsonl").exists())
            .map(|entry| (entry.metadata().and_then(|meta| meta.created()).ok(), entry.path()))
            .collect();
        runs.sort();
        runs.pop().expect("a run").1
    }

    /// Whether a run has written its first record.
    pub fn has_run(&self) -> bool {
        let Ok(runs) = std::fs::read_dir(self.dir().join("runs")) else { return false };
        runs.flatten().any(|entry| !records(&entry.path()).is_empty())
    }

    /// Records of the newest run.
    pub fn journal(&self) -> Vec<Value> {
        records(&self.run_dir())
    }

    /// Data of the newest run's records of one type.
    pub fn events(&self, kind: &str) -> Vec<Value> {
        let records = self.journal().into_iter();
        records.filter(|record| record["type"] == kind).map(|record| record["data"].clone()).collect()
    }

    /// Whether a run has begun and records of this type hold `wanted`.
    pub fn has_event(&self, kind: &str, wanted: impl Fn(&Value) -> bool) -> bool {
        let runs = std::fs::read_dir(self.dir().join("runs")).into_iter().flatten().flatten();
        let begun = runs.into_iter().any(|run| run.path().join("journal.jsonl").exists());
        begun && self.events(kind).iter().any(wanted)
    }

    /// The final status of every step of the newest run, by path.
    pub fn statuses(&self) -> std::collections::BTreeMap<String, String> {
        let finished = self.events("step_finished").into_iter().filter(|data| data["final"] == true);
        finished
            .map(|data| {
                let text = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
                (text("step"), text("status"))
            })
            .collect()
    }

    /// Declared outputs of the newest run, as its last engine computed them.
    #[track_caller]
    pub fn outputs(&self) -> Value {
        self.events("run_finished").pop().expect("the run has finished")["outputs"].clone()
    }

    /// The last final record of a step of the newest run.
    #[track_caller]
    pub fn finished(&self, step: &str) -> Value {
        let ends = self.events("step_finished").into_iter();
        let mut ends: Vec<Value> = ends.filter(|end| end["step"] == step && end["final"] == true).collect();
        ends.pop().unwrap_or_else(|| panic!("`{step}` has not ended: {:?}", self.statuses()))
    }

    /// What the last attempt of a step of the newest run printed.
    #[track_caller]
    pub fn printed(&self, step: &str) -> String {
        match self.finished(step)["stdout"].as_str() {
            Some(path) => std::fs::read_to_string(self.run_dir().join(path)).expect("a log"),
            None => String::new(),
        }
    }

    /// Text of a file of the newest run.
    #[track_caller]
    pub fn delivered(&self, path: &str) -> String {
        let path = self.run_dir().join(path);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Outcome of every gate of the newest run, by path.
    pub fn outcomes(&self) -> std::collections::BTreeMap<String, String> {
        self.events("gate_decided")
            .into_iter()
            .map(|data| {
                let text = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
                (text("gate"), text("outcome"))
            })
            .collect()
    }
}

/// Waits for a started binary.
pub fn finish(child: Child) -> Done {
    done(&child.wait_with_output().expect("the binary ends"))
}

fn done(output: &Output) -> Done {
    Done {
        // A shell would say 128 + signal too.
        code: output.status.code().unwrap_or_else(|| {
            128 + std::os::unix::process::ExitStatusExt::signal(&output.status).unwrap_or(0)
        }),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Records of a run, in order.
pub fn records(run: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(run.join("journal.jsonl")).unwrap_or_default();
    // A record counts from its line break on: cut right before it, it is whole JSON, and the next engine drops it.
    let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    whole.filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Waits until `holds`, at most `limit`; says whether it came to hold.
pub fn eventually(limit: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    loop {
        if holds() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Processes alive whose arguments hold `marker`, by pid with their arguments.
pub fn processes_with(marker: &str) -> Vec<(u32, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("/proc").flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let Ok(line) = std::fs::read(entry.path().join("cmdline")) else { continue };
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        let state = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let dead = state.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'));
        if pid != std::process::id() && !dead && line.contains(marker) {
            found.push((pid, line));
        }
    }
    found
}

/// Ends a process by pid, at once.
pub fn kill(pid: u32, signal: &str) {
    let status = Command::new("kill").args([&format!("-{signal}"), &pid.to_string()]).status();
    assert!(status.is_ok(), "`kill` cannot be run");
}

/// Whether whoever started the tests ignores SIGINT (bit 1 of `SigIgn`, proc_pid_status(5)).
fn interrupts_are_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 0b10 != 0)
}
