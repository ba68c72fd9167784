//! The whole judge on a simulated device: an honest kernel passes every gate, and every candidate in CUDA C++ and over the driver's
//! functions is refused for what it does. Speed of a simulated device says nothing, so no verdict about speed is looked at.
#![cfg(feature = "cuda")]

#[expect(dead_code, reason = "another suite uses the rest")]
mod driver;
#[path = "support/tools.rs"]
mod tools;

use assay_kernel::judge::{JudgeError, Judgement, Progress, Setup, judge};
use assay_kernel::task::{self, Loaded};
use assay_kernel::verdict::{Class, Code, Gate};
use assay_kernel::worker::Launcher;
use assay_stats::Side;
use driver::{Simulated, simulated};
use serde::Deserialize;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tempfile::TempDir;
use tools::{folder, text};

static ALONE: Mutex<()> = Mutex::new(());

/// Hangs and times disturb each other.
fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The device of all tests.
fn machine() -> &'static Simulated {
    static MACHINE: OnceLock<Simulated> = OnceLock::new();
    MACHINE.get_or_init(|| {
        let machine = simulated();
        machine.runtime();
        // What our own ceiling is measured with must be known to the device, too.
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/judge");
        let image = std::fs::read(own.join("ceiling.ptx")).expect("the image");
        machine.teach(&image, &own.join("ceiling.cu"), &["assay_copy", "assay_read", "assay_multiply"]);
        machine
    })
}

/// How workers are started on it. `settings` are words for the driver, see its `state.h`.
fn launcher(settings: &str) -> Launcher {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_assay-kernel-worker"));
    Launcher { program, args: Vec::new(), env: machine().env(settings) }
}

/// PTX with nothing but what is looked at before a driver has it. `inside` are lines of the kernel.
fn ptx(source: &Path, inside: &str) -> String {
    let name = source.file_name().unwrap_or_default().display();
    format!(
        "// {name}\n.version 8.0\n.target sm_75\n.address_size 64\n.visible .entry rmsnorm(.param .u64 x)\n{{\n{inside}\tret;\n}}\n"
    )
}

/// Writes an image that the device knows as this source.
fn image(source: &Path, to: &Path) {
    let text = ptx(source, "");
    machine().teach(text.as_bytes(), source, &["rmsnorm"]);
    std::fs::write(to, text).expect("written");
}

/// The rmsnorm task at sizes that a simulated device computes in milliseconds.
const TASK: &str = r#"
apiVersion: assay/v1
kind: KernelTask
name: rmsnorm_small
description: RMS normalisation of rows with weights, in bfloat16.
abi: {ABI, device: cuda, inplace_allowed: true, align: 2}
LAUNCH
axes:
  R: {range: [1, 4]}
  C: {range: [1, 512]}
inputs:
  x: {dtype: bf16, shape: [R, C], strides: row_padded_ok, gen: {scales: [0.05, 1, 30]}}
  w: {dtype: bf16, shape: [C], gen: {mean: 1, std: 0.25}}
outputs:
  y: {dtype: bf16, shape: [R, C], strides: row_padded_ok, roundings: 1}
scalars: {eps: {value: 1.0e-6}}
oracle: {builtin: rmsnorm}
tolerance: {accum: {n: C, unit: fp32}}
workloads: {shapes: [{R: 2, C: 96}, {R: 3, C: 200}]}
hidden: {odd: [1, 7, 33], random: 1, max_elements: 2048}
baseline: {path: BASELINE}
allow: ALLOW
timing: {processes: 3, samples: 4, block_us: 50, extend: 1, max_aa: 0.9}
limits: {call_ms: 1500}
roofline: {bytes: "4*R*C + 2*C", flops: "4*R*C"}
"#;

const LAUNCH: &str =
    r#"launch: {grid: [R], block: [256], args: [x, w, y, R, C, "x.stride[0]", "y.stride[0]", eps]}"#;

/// A task of kernels with its baseline, in a folder of its own.
fn kernels(change: impl Fn(String) -> String, baseline: &Path) -> (TempDir, Loaded) {
    let out = tempfile::tempdir().expect("a folder");
    image(baseline, &out.path().join("baseline.ptx"));
    let text = TASK
        .replace("ABI", "form: cuda_kernel, symbol: rmsnorm")
        .replace("LAUNCH", LAUNCH)
        .replace("BASELINE", "baseline.ptx")
        .replace("ALLOW", "{kernels: [\"^rmsnorm$\"]}");
    loaded(out, &change(text))
}

/// A task of libraries; `imports` may be imported beside launches.
fn libraries(imports: &[&str]) -> (TempDir, Loaded) {
    let out = tempfile::tempdir().expect("a folder");
    for entry in std::fs::read_dir(folder().join("cuda/host")).expect("candidates") {
        let file = entry.expect("a file").path();
        let name = file.file_name().expect("a name").to_owned();
        std::fs::copy(file, out.path().join(name)).expect("copied");
    }
    machine().teach(&host_image(out.path()), &honest_source(out.path()), &["rmsnorm"]);
    let text = TASK
        .replace("ABI", "form: c_dltensor, symbol: kv_entry")
        .replace("LAUNCH", "")
        .replace("BASELINE", "honest.c")
        .replace("ALLOW", &format!("{{imports: [{}]}}", imports.join(", ")));
    loaded(out, &text)
}

/// The kernel of host candidates as a source.
fn honest_source(out: &Path) -> PathBuf {
    let source = out.join("honest_kernel.cu");
    let good = text(&folder().join("cuda/good.cuh"));
    let code =
        format!("#include \"{good}\"\nstatic __device__ void candidate(const Row &row) {{ good(row); }}\n");
    std::fs::write(&source, code).expect("written");
    source
}

/// The image that host candidates carry.
fn host_image(out: &Path) -> Vec<u8> {
    let (source, program) = (out.join("print.c"), out.join("print"));
    let code =
        "#include \"rmsnorm_ptx.h\"\n#include <stdio.h>\nint main(void) { fputs(rmsnorm_ptx, stdout); }\n";
    std::fs::write(&source, code).expect("written");
    tools::tool("cc", vec![text(&source), "-o".to_owned(), text(&program)], out);
    tools::tool(&text(&program), Vec::new(), out).into_bytes()
}

fn loaded(out: TempDir, text: &str) -> (TempDir, Loaded) {
    std::fs::write(out.path().join("task.yaml"), text).expect("written");
    let loaded = task::load(&out.path().join("task.yaml")).unwrap_or_else(|error| panic!("{error}"));
    (out, loaded)
}

fn judged(loaded: &Loaded, candidate: &Path) -> Judgement {
    tried(loaded, candidate, launcher("")).unwrap_or_else(|error| panic!("{}: {error}", candidate.display()))
}

fn tried(loaded: &Loaded, candidate: &Path, launcher: Launcher) -> Result<Judgement, JudgeError> {
    let scratch = tempfile::tempdir().expect("a folder");
    let mut setup = Setup::new(loaded, candidate, launcher, scratch.path());
    setup.quick = true;
    judge(&setup, &mut |_| {})
}

/// A finding about speed is none about the candidate.
fn passes(judgement: &Judgement) {
    let faults: Vec<_> =
        judgement.findings.iter().filter(|finding| finding.code != Code::NoisyDevice).collect();
    assert!(faults.is_empty(), "{faults:?}");
    assert!(judgement.gates.iter().any(|gate| gate.gate == Gate::Timing), "{:?}", judgement.gates);
}

#[derive(Deserialize)]
struct List {
    candidates: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    id: String,
    file: PathBuf,
    #[serde(default)]
    imports: Vec<String>,
    #[serde(default)]
    classes: Vec<Class>,
    codes: Vec<Code>,
}

fn list(file: &str) -> Vec<Entry> {
    let text = std::fs::read_to_string(folder().join(file)).expect("the list");
    serde_yaml::from_str::<List>(&text).expect("a list as its head says").candidates
}

/// The kernel that candidates spoil, unspoilt.
fn good() -> PathBuf {
    folder()
        .join("../../../../examples/kernels/rmsnorm-cuda/baseline/kernel.cu")
        .canonicalize()
        .expect("a source")
}

#[test]
fn an_honest_kernel_passes_every_gate() {
    let _alone = alone();
    let (out, loaded) = kernels(|task| task, &good());
    let honest = list("cuda/list.yaml").into_iter().find(|entry| entry.id == "C01").expect("it is there");
    let candidate = out.path().join("candidate.ptx");
    let source = folder().join("cuda").join(&honest.file).canonicalize().expect("a source");
    image(&source, &candidate);
    let judgement = judged(&loaded, &candidate);
    passes(&judgement);
    for gate in &judgement.gates {
        println!("{}: {} checks, {:.0} ms", gate.gate.word(), gate.checks, gate.ms);
    }
    let row = &judgement.row;
    assert!(row.device.uuid.starts_with("GPU-") && !row.device.cuda.is_empty(), "{:?}", row.device);
    assert!(row.func["rmsnorm"].regs > 0, "{:?}", row.func);
    if judgement.code != Code::NoisyDevice {
        let timing = row.timing.as_ref().expect("it was timed");
        assert_eq!((timing.lane.as_str(), timing.rows.len()), ("cold", 2));
        assert_eq!(timing.lanes.iter().map(|lane| lane.lane.as_str()).collect::<Vec<_>>(), ["hot"]);
        assert!(judgement.notes.iter().any(|note| note.contains("nvidia-smi")), "{:?}", judgement.notes);
    }
    let device = judgement.gates.iter().find(|gate| gate.gate == Gate::Device).expect("the gate ran");
    assert!(device.passed && device.skipped.is_none(), "{device:?}");
}

#[test]
fn every_kernel_of_the_list_is_refused_as_it_says() {
    let _alone = alone();
    let (out, loaded) = kernels(|task| task, &good());
    let (mut wrong, mut told) = (Vec::new(), Vec::new());
    for entry in list("cuda/list.yaml").into_iter().filter(|entry| entry.classes == [Class::Reject]) {
        let source = folder().join("cuda").join(&entry.file).canonicalize().expect("a source");
        let candidate = out.path().join(format!("{}.ptx", entry.id));
        if entry.codes == [Code::MathModeChanged] {
            // Its assembler is for a device and does not run here; it is refused unrun.
            let inside = "\t// begin inline asm\n\trsqrt.approx.ftz.f32 %f1, %f2;\n\t// end inline asm\n";
            std::fs::write(&candidate, ptx(&source, inside)).expect("written");
        } else {
            image(&source, &candidate);
        }
        let judgement = judged(&loaded, &candidate);
        let line =
            format!("{}: {:?} by {:?}: {}", entry.id, judgement.code, judgement.gate, judgement.message);
        if !entry.codes.contains(&judgement.code) || judgement.class != Class::Reject {
            wrong.push(line.clone());
        }
        told.push(line);
    }
    println!("{}", told.join("\n"));
    assert!(told.len() > 12 && wrong.is_empty(), "{} of {}:\n{}", wrong.len(), told.len(), wrong.join("\n"));
}

#[test]
fn every_host_candidate_is_refused_as_it_says() {
    let _alone = alone();
    let entries = list("cuda/host/list.yaml");
    let imports: Vec<&str> = entries.iter().flat_map(|entry| &entry.imports).map(String::as_str).collect();
    let (out, loaded) = libraries(&imports);
    let (_strict_out, strict) = libraries(&[]);
    passes(&judged(&loaded, &out.path().join("honest.c")));
    let (mut wrong, mut told) = (Vec::new(), Vec::new());
    for entry in &entries {
        let judgement = judged(&loaded, &out.path().join(&entry.file));
        let line =
            format!("{}: {:?} by {:?}: {}", entry.id, judgement.code, judgement.gate, judgement.message);
        if !entry.codes.contains(&judgement.code) {
            wrong.push(line.clone());
        }
        told.push(line);
        if !entry.imports.is_empty() {
            let judgement = judged(&strict, &out.path().join(&entry.file));
            assert_eq!(
                (judgement.code, judgement.gate),
                (Code::ForbiddenImport, Gate::Static),
                "{}",
                entry.id
            );
        }
    }
    println!("{}", told.join("\n"));
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), told.len(), wrong.join("\n"));
}

/// The same without a need for graphs: what only graphs forbid is a note then.
#[test]
fn graphs_are_the_task_s_choice() {
    let _alone = alone();
    let (out, loaded) = libraries(&["cuStreamSynchronize"]);
    let free = std::fs::read_to_string(&loaded.file)
        .expect("the task")
        .replace("device: cuda", "device: cuda, graph: free");
    let (out, loaded) = self::loaded(out, &free);
    let judgement = judged(&loaded, &out.path().join("c15_synchronises.c"));
    passes(&judgement);
    assert!(judgement.notes.iter().any(|note| note.contains("the task allows it")), "{:?}", judgement.notes);
}

#[test]
fn narrower_arithmetic_is_seen_in_the_values() {
    let _alone = alone();
    let wide = |task: String| {
        task.replace("dtype: bf16", "dtype: fp32")
            .replace("align: 2", "align: 4")
            .replace("roundings: 1", "roundings: 4")
    };
    let cuda = folder().join("cuda/fp32");
    let (out, loaded) = kernels(wide, &cuda.join("good.cu"));
    let candidate = out.path().join("candidate.ptx");
    image(&cuda.join("c09_narrow.cu"), &candidate);
    let judgement = judged(&loaded, &candidate);
    assert_eq!(judgement.code, Code::WrongValue, "{judgement:?}");
}

#[test]
fn machine_code_for_another_device_is_not_loaded() {
    let _alone = alone();
    let (_out, loaded) = kernels(|task| task, &good());
    let judgement = judged(&loaded, &folder().join("cuda/host/c17_sm75.cubin"));
    assert_eq!((judgement.code, judgement.gate), (Code::LoadFailed, Gate::Static), "{judgement:?}");
    assert!(
        judgement.message.contains("sm_75") && judgement.message.contains("sm_90"),
        "{}",
        judgement.message
    );
}

#[test]
fn what_ptx_may_not_hold_is_refused_unrun() {
    let _alone = alone();
    let (out, loaded) = kernels(|task| task, &good());
    let plain = ptx(Path::new("x.cu"), "");
    let other = plain.replace("rmsnorm", "another");
    for (text, code) in [
        (other.clone(), Code::AbiSymbolMissing),
        (format!("{plain}{}", other.split_once("64\n").expect("a head").1), Code::ForeignKernel),
        (plain.replace("\tret;", "\tmov.u64 %rd1, %clock64;\n\tret;"), Code::ForbiddenInstruction),
        (
            plain.replace(".visible", ".extern .func (.param .b32 r) vprintf(.param .b64 a);\n.visible"),
            Code::ForbiddenImport,
        ),
        (plain.replace("\tret;", "\tcvt.rna.tf32.f32 %r1, %f1;\n\tret;"), Code::MathModeChanged),
        ("no PTX".to_owned(), Code::LoadFailed),
    ] {
        let candidate = out.path().join("candidate.ptx");
        std::fs::write(&candidate, &text).expect("written");
        let judgement = judged(&loaded, &candidate);
        assert_eq!((judgement.code, judgement.gate), (code, Gate::Static), "{text}\n{}", judgement.message);
    }
}

/// A program for the machine: a script that needs nothing but its shell.
fn script(file: &Path, lines: &str) {
    std::fs::write(file, format!("#!/bin/sh\n{lines}\n")).expect("written");
    std::fs::set_permissions(file, Permissions::from_mode(0o755)).expect("executable");
}

/// A hang is the candidate's; where the device does not come back after it, nothing is known about the candidate.
#[test]
fn a_device_that_no_longer_answers_is_told_from_a_hang() {
    let _alone = alone();
    let (out, loaded) = kernels(|task| task, &good());
    let candidate = out.path().join("candidate.ptx");
    image(&folder().join("cuda/c12_never_ends.cu"), &candidate);
    assert_eq!(judged(&loaded, &candidate).code, Code::Timeout);

    let (lost, worker) = (out.path().join("lost"), out.path().join("worker"));
    let Launcher { program, args, env } = launcher("");
    let (mark, program) = (lost.display(), program.display());
    script(&worker, &format!("[ -e {mark} ] && export SIM_CUDA=lost=error\nexec {program} \"$@\""));
    let scratch = tempfile::tempdir().expect("a folder");
    let mut setup = Setup::new(&loaded, &candidate, Launcher { program: worker, args, env }, scratch.path());
    setup.quick = true;
    let judgement = judge(&setup, &mut |told| {
        if matches!(told, Progress::GateBegun { side: Side::Candidate, gate: Gate::Values }) {
            // The call hangs by then, and is not given up yet.
            let lost = lost.clone();
            std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(1500));
                std::fs::write(lost, "").expect("written");
            });
        }
    });
    let judgement = judgement.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((judgement.code, judgement.class), (Code::DeviceLost, Class::Inconclusive), "{judgement:?}");
}

/// The programs of the toolkit and the driver are stood in for; what their words lead to is the judge's.
#[test]
fn programs_around_a_device_are_heard() {
    let _alone = alone();
    let (out, loaded) = kernels(|task| task, &good());
    let (candidate, bin) = (out.path().join("candidate.ptx"), out.path().join("bin"));
    image(&good(), &candidate);
    std::fs::create_dir(&bin).expect("a folder");
    let judged = || {
        let scratch = tempfile::tempdir().expect("a folder");
        let mut setup = Setup::new(&loaded, &candidate, launcher(""), scratch.path());
        (setup.quick, setup.toolkit.bin) = (true, Some(bin.clone()));
        judge(&setup, &mut |_| {}).unwrap_or_else(|error| panic!("{error}"))
    };
    // As the real one it wants a value behind an equals sign, and a library of the driver where the loader looks.
    let asked = "case \"$*\" in *--id=GPU-*) ;; *) exit 2 ;; esac\n[ -n \"$LD_LIBRARY_PATH\" ] || exit 12";
    let smi = |state: &str| script(&bin.join("nvidia-smi"), &format!("{asked}\necho '580.65.06, {state}'"));
    // As the real tool: $2 is what it looks for and $8 the file of its report; the judge's own program and its arguments come behind.
    let tool = |inside: &str| {
        let help = "[ \"$1\" = --help ] && exit";
        script(
            &bin.join("compute-sanitizer"),
            &format!("{help}\ncase \"$2 $8\" in\n{inside} ;;\nesac\nshift 8\nexec \"$@\""),
        );
    };
    smi("1980, 2619, 41, 0x0000000000000001");
    tool("nothing) exit");
    let judgement = judged();
    passes(&judgement);
    let device = &judgement.row.device;
    assert_eq!(
        (device.driver.as_str(), device.clocks["sm_min"], device.clocks["celsius_max"]),
        ("580.65.06", 1980.0, 41.0)
    );
    assert_eq!(judgement.row.sanitizer.tools, ["memcheck", "racecheck", "initcheck", "synccheck"]);

    smi("1200, 2619, 91, 0x0000000000000040");
    let judgement = judged();
    assert_eq!(judgement.code, Code::NoisyDevice, "{judgement:?}");
    assert!(judgement.message.contains("thermal slowdown"), "{}", judgement.message);

    // It looks on from within as well: it tells when the context is given up.
    let race =
        "========= Error: Race reported between Write access at rmsnorm+0x80 and Read access at rmsnorm+0x90";
    tool(&format!("\"racecheck \"*/candidate/*) export SIM_CUDA_REPORT=\"$8\" SIM_CUDA_SAID='{race}'"));
    let judgement = judged();
    assert_eq!((judgement.code, judgement.gate), (Code::SanitizerRace, Gate::Sanitizer), "{judgement:?}");

    // One that only the candidate does not come through tells of the candidate.
    tool("*/candidate/memcheck-[01].txt) exit 3");
    let judgement = judged();
    assert_eq!((judgement.code, judgement.gate), (Code::EarlyExit, Gate::Sanitizer), "{judgement:?}");

    // A tool that does not work on this machine is none: not of the task, and not of the candidate. A part of a device has no clocks of
    // its own.
    smi("[N/A], [N/A], [N/A], [N/A]");
    let broken = "Target application terminated before first instrumented API call";
    tool(&format!("*) echo '========= Error: {broken}' > \"$8\"; exit 255"));
    let judgement = judged();
    passes(&judgement);
    let told = &judgement.row.sanitizer;
    assert!(told.tools.is_empty() && told.skipped.contains(broken), "{told:?}");
    assert!(judgement.notes.iter().any(|note| note.contains("does not tell")), "{:?}", judgement.notes);

    // Nor does it look where it says so and lets the program run.
    tool("*) echo '========= Device not supported. Please refer to its documentation' > \"$8\"");
    let judgement = judged();
    let told = &judgement.row.sanitizer;
    assert!(told.tools.is_empty() && told.skipped.contains("not supported"), "{told:?}");
}

#[test]
fn without_a_device_there_is_a_way_out() {
    let _alone = alone();
    let (out, loaded) = kernels(|task| task, &good());
    let candidate = out.path().join("candidate.ptx");
    image(&good(), &candidate);
    let error = tried(&loaded, &candidate, launcher("devices=0")).expect_err("no device");
    assert!(matches!(&error, JudgeError::Unsupported { what } if what.contains("device")), "{error}");
    let nowhere = Launcher { env: Vec::new(), ..launcher("") };
    match tried(&loaded, &candidate, nowhere) {
        Err(JudgeError::Unsupported { what }) => assert!(what.contains("driver"), "{what}"),
        // There is a real driver here.
        Ok(_) => {}
        Err(error) => panic!("{error}"),
    }
}

/// Sources, too, where NVRTC is: the judge compiles them in a child, and tells what it makes of them.
#[test]
fn sources_are_compiled_where_nvrtc_is() {
    let _alone = alone();
    let Some(nvrtc) = std::env::var_os("ASSAY_NVRTC") else {
        eprintln!("left out: set `ASSAY_NVRTC` to the folder with `libnvrtc.so.13`");
        return;
    };
    let (out, loaded) = kernels(|task| task, &good());
    let scratch = tempfile::tempdir().expect("a folder");
    let judged = |candidate: &Path| {
        let mut setup = Setup::new(&loaded, candidate, launcher(""), scratch.path());
        setup.toolkit.nvrtc = Some(PathBuf::from(&nvrtc));
        judge(&setup, &mut |_| {}).unwrap_or_else(|error| panic!("{error}"))
    };
    let approximate = judged(&folder().join("cuda/c05_approximate.cu"));
    assert_eq!(
        (approximate.code, approximate.gate),
        (Code::MathModeChanged, Gate::Static),
        "{approximate:?}"
    );
    assert_eq!(approximate.row.artifacts, ["kernel.ptx"]);
    assert!(
        approximate.row.flags.contains(&"--gpu-architecture=compute_90".to_owned()),
        "{:?}",
        approximate.row.flags
    );
    let broken = out.path().join("broken.cu");
    std::fs::write(&broken, "extern \"C\" __global__ void rmsnorm( {\n").expect("written");
    let judgement = judged(&broken);
    assert_eq!((judgement.code, judgement.gate), (Code::BuildFailed, Gate::Build), "{judgement:?}");
    // An image that the simulated driver never saw does not load.
    let judgement = judged(&good());
    assert_eq!((judgement.code, judgement.gate), (Code::LoadFailed, Gate::Load), "{judgement:?}");
}
