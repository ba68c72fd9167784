//! The example tasks: they load, and their kernels build with the locked flags and hold nothing that is forbidden. And of each
//! candidate of the acceptance list, reading it without running it says what the list says, or nothing.

#[path = "support/suite.rs"]
#[expect(dead_code, reason = "this suite uses a part of it")]
mod suite;
#[path = "support/tools.rs"]
mod tools;

use assay_kernel::build;
use assay_kernel::statics;
use assay_kernel::task::{self, Loaded};
use assay_kernel::verdict::Code;
use std::path::{Path, PathBuf};

const TASKS: [&str; 4] = ["fused-scale-shift", "group-norm-silu", "qk-norm-rope", "rmsnorm"];

fn example(name: &str) -> Loaded {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/kernels").join(name).join("task.yaml");
    task::load(&file).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn tasks_load_and_are_headline_shapes_of_models() {
    for name in TASKS {
        let loaded = example(name);
        assert!(loaded.shapes.len() >= 3 && loaded.shapes.iter().all(|shape| shape.headline), "{name}");
        assert!(loaded.changed().is_empty(), "{name}");
        assert!(!loaded.task.reject.is_empty() && loaded.task.roofline.is_some(), "{name}");
    }
}

#[test]
fn the_task_for_a_gpu_is_that_for_a_cpu() {
    let (gpu, cpu) = (example("rmsnorm-cuda").task, example("rmsnorm").task);
    assert_eq!((gpu.axes, gpu.inputs, gpu.outputs), (cpu.axes, cpu.inputs, cpu.outputs));
    assert_eq!((gpu.scalars, gpu.oracle, gpu.tolerance), (cpu.scalars, cpu.oracle, cpu.tolerance));
}

#[test]
fn the_tasks_in_triton_are_that_in_c() {
    let (triton, c) = (example("rmsnorm-triton"), example("rmsnorm").task);
    let task = triton.task;
    assert_eq!((&task.axes, &task.inputs, &task.outputs), (&c.axes, &c.inputs, &c.outputs));
    assert_eq!((&task.scalars, &task.oracle, &task.tolerance), (&c.scalars, &c.oracle, &c.tolerance));
    // The same kernels on a CPU, at sizes that an interpreter bears.
    let interpreted = task::load(&triton.folder.join("interpreted.yaml")).expect("a task").task;
    assert_eq!(
        (interpreted.oracle, interpreted.baseline, interpreted.reject),
        (c.oracle, task.baseline, task.reject)
    );
}

#[test]
fn kernels_of_examples_build_and_hold_nothing_forbidden() {
    for name in TASKS {
        let loaded = example(name);
        let candidate = loaded.folder.join("candidate/kernel.c");
        for source in [loaded.baseline(), candidate] {
            for sanitize in [false, true] {
                let out = tempfile::tempdir().expect("a folder");
                let built = build::c(&source, &loaded.task.build.cpu, sanitize, out.path())
                    .unwrap_or_else(|error| panic!("{}: {error}", source.display()));
                assert_eq!(built.log, "", "{}", source.display());
                if !sanitize {
                    let found = inspected(&loaded, &built.library);
                    assert!(found.is_empty(), "{}: {found:?}", source.display());
                }
            }
        }
    }
}

fn inspected(loaded: &Loaded, library: &Path) -> Vec<(Code, String)> {
    let found = statics::inspect(library, &loaded.task.abi.symbol, &loaded.task.allow)
        .expect("a library that can be read");
    found.into_iter().map(|finding| (finding.code, finding.message)).collect()
}

/// Codes that are told without running anything.
fn is_static(code: Code) -> bool {
    let all = [
        Code::BuildFailed,
        Code::ForbiddenImport,
        Code::ForbiddenExport,
        Code::ForbiddenConstructor,
        Code::ForbiddenInstruction,
        Code::AbiSymbolMissing,
    ];
    all.contains(&code)
}

#[test]
fn what_is_told_without_running_agrees_with_the_list() {
    let loaded = example("rmsnorm");
    let mut wrong = Vec::new();
    for entry in suite::list() {
        let out = tempfile::tempdir().expect("a folder");
        let library: PathBuf = match entry.prebuilt {
            Some(_) => entry.library(out.path(), &[]),
            None => match build::c(&entry.source(), &loaded.task.build.cpu, false, out.path()) {
                Ok(built) => built.library,
                Err(error) => {
                    let code = error.finding().map(|finding| finding.code);
                    if !code.is_some_and(|code| entry.allows(code)) {
                        wrong.push(format!("{} ({}): {error}", entry.id, entry.what));
                    }
                    continue;
                }
            },
        };
        let found = inspected(&loaded, &library);
        let fits = match found.first() {
            Some((code, _)) => entry.allows(*code),
            None => !entry.codes.iter().all(|code| is_static(*code)),
        };
        if !fits {
            wrong.push(format!("{} ({}; {} proofs): {found:?}", entry.id, entry.what, entry.proof.len()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
