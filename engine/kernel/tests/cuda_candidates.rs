//! Candidates in CUDA C++: the fault of each is there, and the honest kernels have none. Without a GPU: kernels run on the CPU, thread
//! by thread from barrier to barrier, under the probes of the C candidates. What only PTX shows needs NVRTC, which needs no GPU
//! either: `ASSAY_NVRTC=<folder with libnvrtc.so.13>`; without it that part says that it is left out.

#[path = "support/tools.rs"]
mod tools;

use assay_kernel::verdict::{Class, Code};
use assay_process::Exit;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use tools::{folder, include, output, text, tool, words};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    candidates: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: String,
    file: PathBuf,
    classes: Vec<Class>,
    codes: Vec<Code>,
    what: String,
    proof: Vec<Proof>,
    #[serde(default)]
    why: String,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(deny_unknown_fields)]
struct Proof {
    #[serde(default)]
    probe: Vec<String>,
    #[serde(default)]
    ptx: String,
}

fn list() -> Vec<Entry> {
    let text = std::fs::read_to_string(folder().join("cuda/list.yaml")).expect("the list");
    serde_yaml::from_str::<List>(&text).expect("a list as its head says").candidates
}

fn source(file: &Path) -> PathBuf {
    folder().join("cuda").join(file).canonicalize().expect("a source")
}

fn honest() -> [PathBuf; 2] {
    let of = |side| Path::new("../../../../../examples/kernels/rmsnorm-cuda").join(side).join("kernel.cu");
    ["baseline", "candidate"].map(|side| source(&of(side)))
}

/// A kernel as a library with the entry of C candidates.
fn on_cpu(source: &Path, out: &Path) -> PathBuf {
    let proof = text(&folder().join("proof"));
    let (wrapped, library) = (out.join("kernel.cpp"), out.join("kernel.so"));
    let includes = [format!("{proof}/cuda_on_cpu.h"), text(source), format!("{proof}/cuda_entry.h")];
    let code: String = includes.iter().map(|file| format!("#include \"{file}\"\n")).collect();
    std::fs::write(&wrapped, code).expect("written");
    let mut arguments = words(&["-O2", "-std=c++17", "-fPIC", "-shared", "-I"]);
    arguments.extend([include(), text(&wrapped), "-o".to_owned(), text(&library), "-lm".to_owned()]);
    tool("c++", arguments, out);
    library
}

fn probe(out: &Path) -> PathBuf {
    let program = out.join("probe");
    let mut arguments = words(&["-O2", "-std=gnu11", "-I"]);
    arguments.extend([include(), text(&folder().join("proof/probe.c")), "-o".to_owned(), text(&program)]);
    arguments.extend(words(&["-lm", "-ldl"]));
    tool("cc", arguments, out);
    program
}

/// Whether the probe sees the fault in a library, and what it saw.
fn sees(probe: &Path, words: &[String], library: &Path) -> (bool, String) {
    let mut arguments = words.to_vec();
    arguments.insert(1, text(library));
    let ended = output(&text(probe), arguments, Path::new("/"), &[]);
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    match ended.exit {
        Exit::Code(0) => (true, said),
        Exit::Code(1) => (false, said),
        other => panic!("{words:?} of {} ended with {other:?}: {said}", library.display()),
    }
}

#[test]
fn every_fault_is_there() {
    let tools = tempfile::tempdir().expect("a folder");
    let probe = probe(tools.path());
    let mut missing = Vec::new();
    for entry in list() {
        let out = tempfile::tempdir().expect("a folder");
        for proof in entry.proof.iter().filter(|proof| !proof.probe.is_empty()) {
            let (seen, said) = sees(&probe, &proof.probe, &on_cpu(&source(&entry.file), out.path()));
            if !seen {
                missing.push(format!("{} ({}): {said}", entry.id, entry.what));
            }
        }
    }
    assert!(missing.is_empty(), "not as the list says:\n{}", missing.join("\n"));
}

#[test]
fn honest_kernels_have_no_fault() {
    let tools = tempfile::tempdir().expect("a folder");
    let probe = probe(tools.path());
    let faults: BTreeSet<Vec<String>> = list()
        .into_iter()
        .flat_map(|entry| entry.proof)
        .map(|proof| proof.probe)
        .filter(|words| !words.is_empty())
        .collect();
    assert!(faults.len() > 8);
    let mut found = Vec::new();
    for source in honest() {
        let out = tempfile::tempdir().expect("a folder");
        let library = on_cpu(&source, out.path());
        for fault in &faults {
            let (seen, said) = sees(&probe, fault, &library);
            if seen {
                found.push(format!("{}: {fault:?}: {said}", source.display()));
            }
        }
    }
    assert!(found.is_empty(), "honest kernels with a fault:\n{}", found.join("\n"));
}

#[test]
fn the_list_is_whole() {
    let entries = list();
    for entry in &entries {
        assert_eq!(
            entry.proof.is_empty(),
            !entry.why.is_empty(),
            "{}: a proof, or why there is none",
            entry.id
        );
        assert!(entry.codes.iter().all(|code| entry.classes.contains(&code.class())), "{}", entry.id);
        for proof in &entry.proof {
            assert!(proof.probe.is_empty() != proof.ptx.is_empty(), "{}: one thing to look at", entry.id);
        }
    }
    let listed: BTreeSet<PathBuf> = entries.iter().map(|entry| source(&entry.file)).collect();
    assert_eq!(listed.len(), entries.len(), "a source stands twice");
    for file in std::fs::read_dir(folder().join("cuda")).expect("candidates") {
        let file = file.expect("a candidate").path().canonicalize().expect("a path");
        let is_source = file.extension().is_some_and(|kind| kind == "cu");
        assert!(!is_source || listed.contains(&file), "{} is not in the list", file.display());
    }
}

/// PTX of a source with the flags that tasks have by default.
fn ptx(compiler: &Path, library: &str, source: &Path) -> String {
    let mut arguments = vec![library.to_owned(), text(source)];
    arguments.extend(words(&["-std=c++17", "--gpu-architecture=compute_90", "-default-device"]));
    arguments.push(format!("--include-path={}", text(&folder().join("cuda"))));
    // NVRTC looks for its other half where the loader looks.
    let beside = text(Path::new(library).parent().expect("a folder"));
    let ended = output(&text(compiler), arguments, Path::new("/"), &[("LD_LIBRARY_PATH", &beside)]);
    assert!(ended.exit.success(), "{}: {}", source.display(), String::from_utf8_lossy(&ended.stderr));
    String::from_utf8_lossy(&ended.stdout).into_owned()
}

#[test]
fn every_kernel_compiles_and_ptx_shows_what_the_list_says() {
    let Some(nvrtc) = std::env::var_os("ASSAY_NVRTC") else {
        eprintln!("left out: set `ASSAY_NVRTC` to the folder with `libnvrtc.so.13`");
        return;
    };
    let library = text(&Path::new(&nvrtc).join("libnvrtc.so.13"));
    let tools = tempfile::tempdir().expect("a folder");
    let compiler = tools.path().join("nvrtc");
    let arguments =
        [text(&folder().join("proof/nvrtc.c")), "-o".to_owned(), text(&compiler), "-ldl".to_owned()];
    tool("cc", arguments.to_vec(), tools.path());
    for (task, kernel) in [
        ("fused-scale-shift", "scale_shift"),
        ("group-norm-silu", "group_norm_silu"),
        ("qk-norm-rope", "qk_norm_rope"),
    ] {
        let file = Path::new("../../../../../examples/kernels").join(task).join("cuda/kernel.cu");
        let code = ptx(&compiler, &library, &source(&file));
        assert!(code.contains(&format!(".entry {kernel}")), "{task}");
    }
    let clean = honest().map(|source| ptx(&compiler, &library, &source));
    for entry in list() {
        let code = ptx(&compiler, &library, &source(&entry.file));
        assert!(code.contains(".entry rmsnorm"), "{}", entry.id);
        for proof in entry.proof.iter().filter(|proof| !proof.ptx.is_empty()) {
            assert!(code.contains(&proof.ptx), "{} ({}):\n{code}", entry.id, entry.what);
            assert!(clean.iter().all(|code| !code.contains(&proof.ptx)), "{} is honest", proof.ptx);
        }
    }
}
