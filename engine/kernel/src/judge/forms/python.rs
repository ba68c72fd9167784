//! Python sources: which interpreter there is, and what can be told of a source without running it.
//!
//! A candidate is never imported here; `python/scan.py` reads its text. What it finds is no proof of the rest: an interpreter offers
//! more ways around than a list can name, so the gates that look at values, memory and time do not rely on it.

use crate::judge::bench::Bench;
use crate::judge::setup::JudgeError;
use crate::task::{Array, Task};
use crate::verdict::{Code, Finding, Gate};
use crate::worker::Script;
use assay_process::{Background, CaptureLimits, Captured, Io, Spawn, resolve_program};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Reads a source and tells what is in it.
const SCAN: &str = include_str!("../../../python/scan.py");

/// Where interpreters and the compiler that Triton runs are: the folders of a login shell.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Longest look at an interpreter or a source, and most bytes of what it says.
const LIMITS: CaptureLimits = CaptureLimits { timeout: Duration::from_secs(60), bytes: 1 << 20 };

/// Oldest interpreter: it must hand over descriptors and know the names of its own modules.
const OLDEST: (u32, u32) = (3, 10);

/// What an interpreter tells about itself.
const ABOUT: &str = "\
import importlib.metadata as metadata, importlib.util as util, json, sys
def version(name):
    if util.find_spec(name) is None:
        return None
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return 'of no version'
packages = {name: version(name) for name in sys.argv[1:]}
print(json.dumps({'executable': sys.executable, 'version': list(sys.version_info[:3]), 'packages': packages}))
";

#[derive(Deserialize)]
struct About {
    executable: PathBuf,
    version: (u32, u32, u32),
    packages: BTreeMap<String, Option<String>>,
}

/// An interpreter.
struct Interpreter {
    /// The program with its own arguments.
    argv: Vec<String>,
    about: About,
}

impl Interpreter {
    /// The interpreter that a task names.
    fn find(task: &Task, folder: &Path) -> Result<Self, JudgeError> {
        let unsupported = |what: String| JudgeError::Unsupported { what };
        let words = &task.build.python;
        let name = words.first().map_or("python3", String::as_str);
        let program = resolve_program(name.as_ref(), PATH.as_ref(), folder).map_err(|error| {
            unsupported(format!("no interpreter: {error}; name another under `build.python`"))
        })?;
        let mut argv = vec![program.to_string_lossy().into_owned()];
        argv.extend(words.iter().skip(1).cloned());
        let mut asked = argv.clone();
        asked.extend(["-I", "-B", "-c", ABOUT].map(str::to_owned));
        asked.extend(["numpy", "torch", "triton", "ml_dtypes"].map(str::to_owned));
        let told = run(&asked, Io::Null)?;
        let about: About = serde_json::from_slice(&told.stdout).map_err(|_| {
            unsupported(format!("`{name}` is no Python that works here: {}", last_line(&told.stderr)))
        })?;
        // A starter such as that of pyenv needs more than the worker's environment has; what it starts does not.
        if about.executable.is_absolute() {
            argv[0] = about.executable.to_string_lossy().into_owned();
        }
        let found = Self { argv, about };
        found.fits(task, name)?;
        Ok(found)
    }

    fn fits(&self, task: &Task, name: &str) -> Result<(), JudgeError> {
        let (major, minor, _) = self.about.version;
        let unsupported = |what: String| Err(JudgeError::Unsupported { what });
        if (major, minor) < OLDEST {
            return unsupported(format!(
                "`{name}` is Python {major}.{minor}, and {}.{} is the oldest that works; name another under `build.python`",
                OLDEST.0, OLDEST.1
            ));
        }
        let needed = match task.abi.array {
            Array::Torch => "torch",
            Array::Numpy => "numpy",
        };
        if !self.has(needed) {
            return unsupported(format!(
                "`{name}` has no `{needed}`; install it there, or name an interpreter that has it under `build.python`"
            ));
        }
        Ok(())
    }

    fn has(&self, package: &str) -> bool {
        self.about.packages.get(package).is_some_and(Option::is_some)
    }

    /// Versions, for the row.
    fn told(&self) -> Vec<String> {
        let (major, minor, patch) = self.about.version;
        let packages =
            self.about.packages.iter().filter_map(|(name, version)| Some((name, version.as_ref()?)));
        std::iter::once(format!("Python {major}.{minor}.{patch}"))
            .chain(packages.map(|(name, version)| format!("{name} {version}")))
            .collect()
    }
}

/// Copies the source, and puts beside the copy what a worker needs to know.
pub fn build(bench: &mut Bench<'_>) -> Result<Vec<Finding>, JudgeError> {
    if bench.source.extension().is_none_or(|ending| ending != "py") {
        return Err(JudgeError::Candidate {
            path: bench.source.clone(),
            takes: "a source in Python (`.py`)",
        });
    }
    let loaded = bench.setup.loaded;
    let interpreter = Interpreter::find(&loaded.task, &loaded.folder)?;
    let file = |path: &Path| {
        let path = path.to_owned();
        move |source| JudgeError::File { path, source }
    };
    let folder = bench.folder.canonicalize().map_err(file(&bench.folder))?;
    let name = bench.source.file_name().unwrap_or_default().to_string_lossy().into_owned();
    bench.library = folder.join(&name);
    std::fs::copy(&bench.source, &bench.library).map_err(file(&bench.source))?;
    if let Some(syntax) = scan(bench, &interpreter.argv)?.syntax {
        let message = format!("it is no Python: {} (line {})", syntax.what, syntax.line);
        let evidence = json!({ "line": syntax.line, "text": syntax.text });
        return Ok(vec![Finding::new(Gate::Build, Code::BuildFailed, message, evidence)]);
    }
    let home = folder.join("home");
    std::fs::create_dir_all(home.join("tmp")).map_err(file(&home))?;
    let script = Script { argv: interpreter.argv.clone(), env: env(&loaded.task, &home), home, file: name };
    let beside = Script::beside(&bench.library);
    std::fs::write(&beside, json!(script).to_string()).map_err(file(&beside))?;
    bench.facts.flags = interpreter.told();
    bench
        .facts
        .flags
        .extend(loaded.task.build.python_env.iter().map(|(name, value)| format!("{name}={value}")));
    Ok(Vec::new())
}

/// The whole environment of the interpreter. One thread, as libraries have: what the machine can do is measured on one core.
fn env(task: &Task, home: &Path) -> Vec<(String, String)> {
    let folder = |name: &str| home.join(name).to_string_lossy().into_owned();
    let own = [
        ("PATH", PATH.to_owned()),
        ("HOME", home.to_string_lossy().into_owned()),
        ("TMPDIR", folder("tmp")),
        ("TRITON_CACHE_DIR", folder("triton")),
        ("LANG", "C.UTF-8".to_owned()),
        ("OMP_NUM_THREADS", "1".to_owned()),
        ("OPENBLAS_NUM_THREADS", "1".to_owned()),
        ("MKL_NUM_THREADS", "1".to_owned()),
        ("MALLOC_ARENA_MAX", "2".to_owned()),
    ];
    let given = task.build.python_env.iter().map(|(name, value)| (name.clone(), value.clone()));
    own.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(given).collect()
}

#[derive(Deserialize)]
struct Scanned {
    syntax: Option<Line>,
    findings: Vec<Line>,
}

/// A line of the source with what is wrong in it.
#[derive(Deserialize)]
struct Line {
    code: Option<Code>,
    line: usize,
    what: String,
    text: String,
}

/// Reads the source.
pub fn statics(bench: &mut Bench<'_>) -> Result<Vec<Finding>, JudgeError> {
    let beside = Script::beside(&bench.library);
    let failed = |source| JudgeError::File { path: beside.clone(), source };
    let script = std::fs::read(&beside).map_err(failed)?;
    let script: Script = serde_json::from_slice(&script).map_err(|error| failed(error.into()))?;
    let found = scan(bench, &script.argv)?.findings.into_iter().map(|found| {
        let message = format!("{} (line {})", found.what, found.line);
        let evidence = json!({ "line": found.line, "text": found.text });
        Finding::new(Gate::Static, found.code.unwrap_or(Code::ForbiddenInstruction), message, evidence)
    });
    Ok(found.collect())
}

/// Has the text of the subject read.
fn scan(bench: &Bench<'_>, argv: &[String]) -> Result<Scanned, JudgeError> {
    let task = bench.task();
    let name = bench.source.file_name().unwrap_or_default().to_string_lossy();
    let settings = json!({ "file": name, "symbol": task.abi.symbol, "allow": task.allow.imports });
    let source = File::open(&bench.library)
        .map_err(|source| JudgeError::File { path: bench.library.clone(), source })?;
    let mut words = argv.to_vec();
    words.extend(["-I", "-S", "-B", "-c", SCAN].map(str::to_owned));
    words.push(settings.to_string());
    let told = run(&words, OwnedFd::from(source).into())?;
    serde_json::from_slice(&told.stdout).map_err(|_| JudgeError::Statics {
        reason: format!("the scan of the source: {}", last_line(&told.stderr)),
    })
}

/// Runs an interpreter to its end.
fn run(argv: &[String], stdin: Io) -> Result<Captured, JudgeError> {
    let failed = |reason: String| JudgeError::Build { reason };
    let program = argv.first().map(PathBuf::from).unwrap_or_default();
    let spawn = Spawn {
        program,
        argv: argv.iter().map(Into::into).collect(),
        env: vec![("PATH".into(), PATH.into()), ("LANG".into(), "C.UTF-8".into())],
        cwd: "/".into(),
        stdin,
        ..Spawn::default()
    };
    let background = Background::shared().map_err(|error| failed(error.to_string()))?;
    background.output(spawn, LIMITS).map_err(|error| failed(error.to_string()))
}

fn last_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it says nothing").trim().to_owned()
}
