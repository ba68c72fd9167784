//! What is built for a device, and what is read of it before it runs: needs no GPU and no driver. nvcc is looked for where
//! `ASSAY_NVCC` says (a folder; the wheels `nvidia-cuda-nvcc`, `nvidia-nvvm`, `nvidia-cuda-crt`, `nvidia-cuda-runtime` and
//! `nvidia-cuda-cccl` of CUDA 13 are enough); without it those parts say that they are left out.

#[expect(dead_code, reason = "other suites use the rest")]
#[path = "support/tools.rs"]
mod tools;

use assay_kernel::build::{self, Toolkit};
use assay_kernel::statics::{self, Cubin};
use assay_kernel::task::Allow;
use assay_kernel::verdict::Code;
use assay_process::Exit;
use std::path::{Path, PathBuf};
use tools::{output, text, tool, words};

fn host(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/candidates/cuda/host").join(name)
}

fn over_driver(source: &Path, allow: &Allow) -> Vec<Code> {
    let out = tempfile::tempdir().expect("a folder");
    let runtime = words(&["cudaLaunchKernel", "cudaGetLastError"]);
    let built =
        build::over_driver(source, &words(&["-O2", "-std=c11"]), &runtime, out.path()).expect("built");
    let findings = statics::inspect_device(&built.library, "kv_entry", allow).expect("a library");
    findings.into_iter().map(|finding| finding.code).collect()
}

#[test]
fn host_code_may_launch_and_nothing_else_unless_the_task_says_so() {
    let plain = Allow::default();
    for honest in [
        "honest.c",
        "c03_default_stream.c",
        "c04_swallows_error.c",
        "c04r_swallows_error.c",
        "c16_super_batch.c",
    ] {
        assert_eq!(over_driver(&host(honest), &plain), [], "{honest}");
    }
    for (file, names) in [
        ("c02_private_stream.c", vec!["cuStreamCreate"]),
        ("c14_sets_limit.c", vec!["cuCtxSetLimit"]),
        ("c15_synchronises.c", vec!["cuStreamSynchronize"]),
        ("c18_allocates.c", vec!["cuMemAllocAsync", "cuMemFreeAsync"]),
        ("c11_vendor_library.c", vec!["cublasSscal_v2"]),
    ] {
        assert_eq!(over_driver(&host(file), &plain), [Code::ForbiddenImport], "{file}");
        assert_eq!(
            over_driver(&host(file), &Allow { imports: words(&names), ..plain.clone() }),
            [],
            "{file}"
        );
    }
}

#[test]
fn a_library_on_the_cpu_may_not_launch() {
    let out = tempfile::tempdir().expect("a folder");
    let built = build::over_driver(&host("honest.c"), &words(&["-O2"]), &[], out.path()).expect("built");
    let findings = statics::inspect(&built.library, "kv_entry", &Allow::default()).expect("a library");
    assert_eq!(findings[0].code, Code::ForbiddenImport, "{findings:?}");
}

fn nvcc() -> Option<Toolkit> {
    let bin = std::env::var_os("ASSAY_NVCC")?;
    Some(Toolkit { nvrtc: None, bin: Some(bin.into()) })
}

/// A kernel with its launch, as nvcc users write it; `more` stands before both.
const SOURCE: &str = r#"
#include "assay_kernel.h"
__global__ void scale(const float *x, float *y, long long n, float by) {
    long long at = blockIdx.x * 256LL + threadIdx.x;
    if (at < n) y[at] = x[at] * by;
}
ASSAY_EXPORT int32_t kv_entry(const DLTensor *in, int n_in, DLTensor *out, int n_out, const double *scalars, int n, void *stream) {
    if (n_in != 1 || n_out != 1 || n != 1) return ASSAY_UNSUPPORTED;
    long long count = in[0].shape[0];
    unsigned blocks = (unsigned)((count + 255) / 256);
    scale<<<blocks, 256, 0, (cudaStream_t)stream>>>((const float *)in[0].data, (float *)out[0].data, count, (float)scalars[0]);
    INSIDE
    return cudaGetLastError() == cudaSuccess ? ASSAY_OK : ASSAY_UNSUPPORTED;
}
"#;

fn by_nvcc(toolkit: &Toolkit, before: &str, inside: &str) -> Vec<(Code, String)> {
    let out = tempfile::tempdir().expect("a folder");
    let source = out.path().join("kernel.cu");
    std::fs::write(&source, format!("{before}{}", SOURCE.replace("INSIDE", inside))).expect("written");
    let flags = words(&["-O3", "-std=c++17", "-arch=sm_90"]);
    let built = build::nvcc(&source, &flags, toolkit, &out.path().join("built")).expect("built");
    let findings = statics::inspect_device(&built.library, "kv_entry", &Allow::default()).expect("a library");
    findings.into_iter().map(|finding| (finding.code, finding.message)).collect()
}

#[test]
fn what_nvcc_adds_is_known_and_what_a_candidate_adds_is_refused() {
    let Some(toolkit) = nvcc() else {
        eprintln!("left out: set `ASSAY_NVCC` to the folder with `nvcc`");
        return;
    };
    assert_eq!(by_nvcc(&toolkit, "", ""), []);
    let codes = |before: &str, inside: &str| -> Vec<Code> {
        by_nvcc(&toolkit, before, inside).into_iter().map(|(code, _)| code).collect()
    };
    for inside in
        ["cudaDeviceSynchronize();", "void *p; cudaMalloc(&p, 1);", "cudaStream_t s; cudaStreamCreate(&s);"]
    {
        assert_eq!(codes("", inside), [Code::ForbiddenImport], "{inside}");
    }
    // A constructor beside the one that registers, and one that registers and does more.
    let before =
        "static volatile int seen;\n__attribute__((constructor)) static void early() { seen = 1; }\n";
    assert_eq!(codes(before, "if (seen == 2) return 1;"), [Code::ForbiddenConstructor]);
}

#[test]
fn without_nvcc_there_is_a_way_out() {
    let out = tempfile::tempdir().expect("a folder");
    let source = out.path().join("kernel.cu");
    std::fs::write(&source, "").expect("written");
    // Only where the machine has none of its own.
    if Toolkit::default().program("nvcc").is_none() {
        let error = build::nvcc(&source, &[], &Toolkit::default(), out.path()).expect_err("no nvcc");
        assert!(error.finding().is_none() && error.to_string().contains("ASSAY_NVCC"), "{error}");
    }
}

#[test]
fn machine_code_tells_its_architecture_and_its_kernels() {
    let bytes = std::fs::read(host("c17_sm75.cubin")).expect("the file");
    let cubin = Cubin::parse(&bytes).expect("a cubin");
    assert_eq!(cubin, Cubin { sm: 75, kernels: words(&["rmsnorm"]) });
    assert!(cubin.runs_on((7, 5)) && !cubin.runs_on((9, 0)));
}

/// PTX of a source for the oldest device that NVRTC 13 knows, by a program of its own; `None` without NVRTC 13.0.
fn ptx(out: &Path, source: &Path) -> Option<String> {
    let folder = PathBuf::from(std::env::var_os("ASSAY_NVRTC")?);
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/candidates");
    let program = out.join("nvrtc");
    let compiler = tests.join("proof/nvrtc.c");
    tool("cc", vec![text(&compiler), "-o".to_owned(), text(&program), "-ldl".to_owned()], out);
    let mut arguments = vec![text(&folder.join("libnvrtc.so.13")), text(source)];
    arguments.extend(words(&["-std=c++17", "--gpu-architecture=compute_75"]));
    arguments.push(format!("--include-path={}", text(&tests.join("cuda"))));
    let ended = output(&text(&program), arguments, out, &[("LD_LIBRARY_PATH", &text(&folder))]);
    assert!(ended.exit.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let made = String::from_utf8_lossy(&ended.stdout).into_owned();
    made.contains("V13.0.88").then_some(made)
}

#[test]
fn images_that_come_along_are_what_nvrtc_makes() {
    let (out, own) = (tempfile::tempdir().expect("a folder"), Path::new(env!("CARGO_MANIFEST_DIR")));
    let Some(made) = ptx(out.path(), &own.join("src/judge/ceiling.cu")) else {
        eprintln!("left out: set `ASSAY_NVRTC` to the folder with `libnvrtc.so.13` of CUDA 13.0");
        return;
    };
    assert_eq!(made, std::fs::read_to_string(own.join("src/judge/ceiling.ptx")).expect("the image"));

    let source = out.path().join("host_kernel.cu");
    let code = "#include \"good.cuh\"\n\nstatic __device__ void candidate(const Row &row) { good(row); }\n";
    std::fs::write(&source, code).expect("written");
    let made = ptx(out.path(), &source).expect("NVRTC is there");
    let lines = made.lines().filter(|line| !line.trim().is_empty() && !line.trim().starts_with("//"));
    let quoted: Vec<String> =
        lines.map(|line| format!("\"{}\\n\"", line.replace('"', "\\\"").replace('\t', "\\t"))).collect();
    let header = std::fs::read_to_string(host("rmsnorm_ptx.h")).expect("the header");
    let there: Vec<&str> = header
        .lines()
        .map(|line| line.trim().trim_end_matches(';'))
        .filter(|line| line.starts_with('"'))
        .collect();
    assert_eq!(there, quoted);
}

/// A program of this name for the script.
fn program(bin: &Path, name: &str, lines: &str) -> PathBuf {
    let file = bin.join(name);
    std::fs::write(&file, format!("#!/bin/sh\n{lines}\n")).expect("written");
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("executable");
    file
}

/// The script as it is on a machine with a GPU and no network, where `assay` was built elsewhere and time is short: what was asked for is
/// judged, and an end before its time leaves the report.
#[test]
fn the_script_needs_no_more_than_a_built_program_and_loses_nothing() {
    let bin = tempfile::tempdir().expect("a folder");
    program(bin.path(), "nvidia-smi", "echo 'NVIDIA H200, 580.65.06, 143771 MiB'");
    // It ends the script at the second judgement.
    let count = bin.path().join("count");
    let assay = program(
        bin.path(),
        "assay",
        &format!(
            "[ \"$1\" = doctor ] && echo 'all is here' && exit\necho x >> {0}\n[ $(wc -l < {0}) -lt 2 ] || kill -9 $PPID\n\
             echo '{{\"code\": \"OUTPUT_UNWRITTEN\"}}'\nexit 23",
            count.display()
        ),
    );
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/gpu/run");
    let (report, out) = (bin.path().join("report.md"), bin.path().join("out"));
    let words = [
        format!("PATH={}:/usr/local/bin:/usr/bin:/bin", bin.path().display()),
        format!("ASSAY={}", text(&assay)),
        format!("ASSAY_GPU_REPORT={}", text(&report)),
        format!("ASSAY_GPU_OUT={}", text(&out)),
        "ASSAY_GPU_ONLY=B04C C13".to_owned(),
        "bash".to_owned(),
        text(&script),
    ];
    let ended = output("env", words.to_vec(), Path::new("/"), &[]);
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(
        matches!(ended.exit, Exit::Signal(9)),
        "{:?} {said} {}",
        ended.exit,
        String::from_utf8_lossy(&ended.stderr)
    );
    let report = std::fs::read_to_string(report).expect("a report");
    for line in
        ["NVIDIA H200", "| B04C | OUTPUT_UNWRITTEN | OUTPUT_UNWRITTEN | yes |", "all is here", "not done yet"]
    {
        assert!(report.contains(line), "{line}: {report}");
    }
    assert!(!report.contains("B03C") && out.join("B04C.json").exists(), "{report}");
}

/// The script for machines with a GPU, where there is none.
#[test]
fn the_script_says_that_there_is_no_gpu() {
    let bin = tempfile::tempdir().expect("a folder");
    program(bin.path(), "nvidia-smi", "exit 9");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/gpu/run");
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", bin.path().display());
    let ended =
        output("env", vec![format!("PATH={path}"), "bash".to_owned(), text(&script)], Path::new("/"), &[]);
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.exit, Exit::Code(40), "{said}");
    assert!(said.contains("there is no NVIDIA GPU"), "{said}");
}
