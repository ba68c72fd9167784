//! Kernels on NVIDIA devices: CUDA C++ by NVRTC, PTX, machine code, and libraries that launch by themselves.

use super::ptx_checks;
use crate::build::child::{self, Answer, Ptx, Request};
use crate::build::{BuildError, Built, said};
use crate::judge::bench::Bench;
use crate::judge::setup::{JudgeError, Setup};
use crate::ptx::{self, Function};
use crate::statics::{self, Cubin};
use crate::task::Form;
use crate::verdict::{Code, Finding, Gate};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// What a task with kernels takes.
const KERNELS: &str = "CUDA C++ (`.cu`), PTX (`.ptx`) or machine code (`.cubin`, `.fatbin`)";
/// What a task with libraries on a device takes.
const LIBRARIES: &str = "CUDA C++ (`.cu`), C or C++ over the driver's functions, or a shared library (`.so`)";

/// The ending of a file's name.
pub(super) fn ending(path: &Path) -> &str {
    path.extension().and_then(|ending| ending.to_str()).unwrap_or_default()
}

/// Builds a source, or copies what is built already.
pub fn build(bench: &mut Bench<'_>) -> Result<Vec<Finding>, JudgeError> {
    let source = bench.source.clone();
    match (bench.task().abi.form, ending(&source)) {
        (Form::CudaKernel, "cu") => compile(bench),
        (Form::CudaKernel, kind @ ("ptx" | "cubin" | "fatbin")) => keep(bench, kind),
        (Form::CudaKernel, _) => Err(JudgeError::Candidate { path: source, takes: KERNELS }),
        (_, "so") => keep(bench, "so"),
        (_, "cu") => nvcc(bench),
        (_, "c" | "cc" | "cpp" | "cxx") => host(bench),
        (..) => Err(JudgeError::Candidate { path: source, takes: LIBRARIES }),
    }
}

fn keep(bench: &mut Bench<'_>, kind: &str) -> Result<Vec<Finding>, JudgeError> {
    bench.facts.skipped = Some("it is built already".to_owned());
    bench.library = bench.folder.join(format!("library.{kind}"));
    std::fs::copy(&bench.source, &bench.library)
        .map_err(|source| JudgeError::File { path: bench.source.clone(), source })?;
    Ok(Vec::new())
}

/// CUDA C++ to PTX.
fn compile(bench: &mut Bench<'_>) -> Result<Vec<Finding>, JudgeError> {
    let source = bench.source.clone();
    let ptx = match ptx_of(bench.setup, &source)? {
        Ok(ptx) => ptx,
        Err(finding) => return Ok(vec![*finding]),
    };
    bench.library = bench.folder.join("kernel.ptx");
    std::fs::write(&bench.library, &ptx.text)
        .map_err(|source| JudgeError::File { path: bench.library.clone(), source })?;
    // Paths of this machine say nothing elsewhere; compiler and flags do.
    let flags = flags(bench.setup)?;
    bench.facts.flags = std::iter::once(format!("NVRTC {}", ptx.compiler)).chain(flags).collect();
    bench.facts.artifacts = vec!["kernel.ptx".to_owned()];
    Ok(Vec::new())
}

/// The task's flags and the architecture of the device, if they name none.
fn flags(setup: &Setup<'_>) -> Result<Vec<String>, JudgeError> {
    let mut flags = setup.loaded.task.build.cuda.clone();
    if !names_architecture(&flags) {
        let (major, minor) = capability(setup)?;
        flags.push(format!("--gpu-architecture=compute_{major}{minor}"));
    }
    Ok(flags)
}

fn names_architecture(flags: &[String]) -> bool {
    let known = ["--gpu-architecture", "-arch", "--gpu-code", "-gencode", "--generate-code"];
    flags.iter().any(|flag| known.iter().any(|name| flag.starts_with(name)))
}

/// PTX of a source, or the finding that it cannot be built.
fn ptx_of(setup: &Setup<'_>, source: &Path) -> Result<Result<Ptx, Box<Finding>>, JudgeError> {
    let failed = |path: &Path, source| JudgeError::File { path: path.to_owned(), source };
    let path = source.canonicalize().map_err(|error| failed(source, error))?;
    let bytes = std::fs::read(&path).map_err(|error| failed(&path, error))?;
    let mut flags = flags(setup)?;
    let folders = path.parent().map(Path::to_owned).into_iter().chain(setup.toolkit.headers());
    flags.extend(folders.map(|folder| format!("--include-path={}", folder.display())));
    let request = Request::Compile {
        source: String::from_utf8_lossy(&bytes).into_owned(),
        name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        flags: flags.clone(),
        nvrtc: setup.toolkit.nvrtc.clone(),
    };
    match child::ask(&setup.launcher, &request) {
        Answer::Ptx(ptx) => Ok(Ok(ptx)),
        Answer::Refused { log } => Ok(Err(Box::new(refused(&log, &flags)))),
        Answer::Unsupported { what } => Err(JudgeError::Unsupported { what }),
        Answer::Failed { what } => Err(JudgeError::Build { reason: what }),
        Answer::Device { .. } => {
            Err(JudgeError::Build { reason: "the compiler answered another question".to_owned() })
        }
    }
}

fn refused(log: &str, flags: &[String]) -> Finding {
    let message = format!("NVRTC refused it: {}", said::first_error(log));
    Finding::new(Gate::Build, Code::BuildFailed, message, json!({ "log": said::kept(log), "flags": flags }))
}

/// Compute capability of the first device that workers see. Asked once in a process.
fn capability(setup: &Setup<'_>) -> Result<(u32, u32), JudgeError> {
    static KNOWN: Mutex<Option<HashMap<String, (u32, u32)>>> = Mutex::new(None);
    let key = format!("{:?}", setup.launcher);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_default();
    if let Some(found) = known.get(&key) {
        return Ok(*found);
    }
    match child::ask(&setup.launcher, &Request::Device) {
        Answer::Device { capability } => {
            known.insert(key, capability);
            Ok(capability)
        }
        Answer::Unsupported { what } => Err(JudgeError::Unsupported { what }),
        Answer::Failed { what } | Answer::Refused { log: what } => {
            Err(JudgeError::Unsupported { what: format!("the driver cannot be used: {what}") })
        }
        Answer::Ptx(_) => {
            Err(JudgeError::Unsupported { what: "the driver answered another question".to_owned() })
        }
    }
}

/// A library with device code, by nvcc.
fn nvcc(bench: &mut Bench<'_>) -> Result<Vec<Finding>, JudgeError> {
    let mut flags = bench.task().build.nvcc.clone();
    if !names_architecture(&flags) {
        let (major, minor) = capability(bench.setup)?;
        flags.push(format!("-arch=sm_{major}{minor}"));
    }
    let outcome = crate::build::nvcc(&bench.source, &flags, &bench.setup.toolkit, &bench.folder);
    built(bench, outcome, flags)
}

/// A library of host code that launches through the driver's functions.
fn host(bench: &mut Bench<'_>) -> Result<Vec<Finding>, JudgeError> {
    let flags = bench.task().build.cpu.clone();
    let runtime = statics::runtime(&bench.task().allow);
    let outcome = crate::build::over_driver(&bench.source, &flags, &runtime, &bench.folder);
    built(bench, outcome, flags)
}

fn built(
    bench: &mut Bench<'_>,
    outcome: Result<Built, BuildError>,
    flags: Vec<String>,
) -> Result<Vec<Finding>, JudgeError> {
    match outcome {
        Ok(built) => {
            bench.library = built.library;
            bench.facts.flags = std::iter::once(built.compiler).chain(flags).collect();
            Ok(Vec::new())
        }
        Err(BuildError::NoNvcc { what }) => Err(JudgeError::Unsupported { what }),
        Err(error) => match error.finding() {
            Some(finding) => Ok(vec![finding]),
            None => Err(JudgeError::Build { reason: error.to_string() }),
        },
    }
}

/// Reads what was built.
pub fn statics(bench: &mut Bench<'_>) -> Result<Vec<Finding>, JudgeError> {
    let task = bench.task();
    if task.abi.form != Form::CudaKernel {
        return super::inspected(statics::inspect_device(&bench.library, &task.abi.symbol, &task.allow));
    }
    let failed = |source| JudgeError::File { path: bench.library.clone(), source };
    let bytes = std::fs::read(&bench.library).map_err(failed)?;
    if statics::is_fatbin(&bytes) {
        note(bench, "a fat binary: its kernels and their arithmetic were not read");
        return Ok(Vec::new());
    }
    if bytes.starts_with(b"\x7fELF") {
        return machine_code(bench, &bytes);
    }
    let module = match ptx::module(&String::from_utf8_lossy(&bytes)) {
        Ok(module) => module,
        Err(error) => return Ok(vec![found(Code::LoadFailed, error.to_string(), Value::Null)]),
    };
    let baseline = baseline(bench)?;
    // What was compiled here was compiled with the locked flags; what came as PTX may have been compiled with any.
    let compiled = ending(&bench.source) == "cu";
    Ok(ptx_checks::all(task, &module, baseline.as_deref(), compiled))
}

fn found(code: Code, message: String, evidence: Value) -> Finding {
    Finding::new(Gate::Static, code, message, evidence)
}

fn note(bench: &mut Bench<'_>, what: &str) {
    bench.facts.notes.push(what.to_owned());
}

fn machine_code(bench: &mut Bench<'_>, bytes: &[u8]) -> Result<Vec<Finding>, JudgeError> {
    let cubin = match Cubin::parse(bytes) {
        Ok(cubin) => cubin,
        Err(error) => return Ok(vec![found(Code::LoadFailed, error.to_string(), Value::Null)]),
    };
    let (major, minor) = capability(bench.setup)?;
    if !cubin.runs_on((major, minor)) {
        let message = format!("it is machine code for sm_{}, and the device is sm_{major}{minor}", cubin.sm);
        return Ok(vec![found(
            Code::LoadFailed,
            message,
            json!({ "sm": cubin.sm, "device": [major, minor] }),
        )]);
    }
    note(bench, "machine code: its arithmetic cannot be compared with the baseline's");
    Ok(ptx_checks::names(bench.task(), &cubin.kernels))
}

/// The baseline's functions while a candidate is looked at; `None` where they cannot be read. Whether the baseline can be built is
/// found out elsewhere.
fn baseline(bench: &Bench<'_>) -> Result<Option<Vec<Function>>, JudgeError> {
    if bench.side == assay_stats::Side::Baseline {
        return Ok(None);
    }
    let loaded = bench.setup.loaded;
    let path = loaded.baseline();
    let text = match ending(&path) {
        "cu" => ptx_of(bench.setup, &path)?.ok().map(|ptx| ptx.text),
        "ptx" => std::fs::read_to_string(&path).ok(),
        _ => None,
    };
    Ok(text.and_then(|text| ptx::functions(&text).ok()))
}

#[cfg(test)]
mod tests {
    use super::{names_architecture, refused};
    use crate::verdict::Code;

    #[test]
    fn the_task_s_architecture_wins() {
        let words = |flags: &[&str]| flags.iter().map(|flag| (*flag).to_owned()).collect::<Vec<_>>();
        assert!(!names_architecture(&words(&["-std=c++17", "-O3"])));
        for flag in ["--gpu-architecture=compute_80", "-arch=sm_90", "-gencode=arch=compute_90,code=sm_90"] {
            assert!(names_architecture(&words(&["-O3", flag])), "{flag}");
        }
    }

    #[test]
    fn a_refusal_tells_the_first_error() {
        let finding = refused("warning: x\nk.cu(3): error: expected a \";\"\n", &[]);
        assert_eq!(finding.code, Code::BuildFailed);
        assert_eq!(finding.message, "NVRTC refused it: k.cu(3): error: expected a \";\"");
    }
}
