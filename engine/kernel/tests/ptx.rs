//! Marks of PTX: as text, and (with the feature `cuda` and `ASSAY_NVRTC=<folder with libnvrtc.so.13>`) as NVRTC makes it.

use assay_kernel::ptx::{self, Function, PtxError};
use assay_kernel::verdict::{Code, Gate};
use proptest::prelude::*;

/// A module with a function, a kernel with inline assembler, data with braces, and debug information.
const MODULE: &str = r#"
// Generated; `div.full.f32` here is a comment.
.version 9.0
.target sm_75
.address_size 64
.extern .func (.param .b32 r) other (.param .b64 a);
.global .align 4 .b8 table[8] = {1, 2, 3, 4, 5, 6, 7, 8};
.func  (.param .b32 func_retval0) helper(
	.param .b32 helper_param_0
)
{
	.reg .b32 	%r<3>;
	ld.param.b32 	%r1, [helper_param_0];
	sqrt.rn.f32 	%r2, %r1;	/* div.full.f32 %r1, %r1, %r1; */
	st.param.b32 	[func_retval0], %r2;
	ret;
}
	// .globl	scale
.visible .entry scale(.param .u64 .ptr scale_param_0, .param .u32 n)
.maxntid 256, 1, 1
{
	.reg .pred 	%p<2>;
	.loc	1 3 5
	ex2.approx.ftz.f32 	%r3, %r2;
	div.rn.f32 	%r4, %r3, %r1;
$L__BB0_1: @!%p1 fma.rn.f32 	%r5, %r4, %r4, %r3;
	add.s32 	%r6, %r5, 1;
	add.f32 %r6, %r5, %r5; mul.rn.f32 %r6, %r5, %r5;
	{ // a block
	call.uni (retval0), helper, (param0);
	}
	// begin inline asm
	{ .reg .f32 t; ex2.approx.ftz.f32 t, %r1; cvt.rna.tf32.f32 %r7, t; }
	// end inline asm
	.pragma "used_bytes_mask {;";
	ret;
}
.section .debug_str { .b8 0, 1 }
"#;

fn read(text: &str) -> Vec<Function> {
    ptx::functions(text).expect("PTX")
}

#[test]
fn marks_are_counted_by_function() {
    let functions = read(MODULE);
    let names: Vec<_> = functions.iter().map(|function| (function.name.as_str(), function.kernel)).collect();
    assert_eq!(names, [("helper", false), ("scale", true)]);
    let (helper, scale) = (&functions[0], &functions[1]);
    assert_eq!(
        helper.compiled.0.iter().map(|(mark, count)| (mark.as_str(), *count)).collect::<Vec<_>>(),
        [("sqrt.rn", 1)]
    );
    let counts =
        [(".ftz", 1), (".approx", 1), ("div.rn", 1), ("fma", 1), ("add", 1), ("mul", 1), ("div.full", 0)];
    for (mark, count) in counts {
        assert_eq!(scale.compiled.count(mark), count, "{mark}");
    }
    assert_eq!(
        (scale.written.count(".ftz"), scale.written.count("tf32"), scale.written.count("div.rn")),
        (1, 1, 0)
    );
}

#[test]
fn counts_are_compared_and_not_whether_there_are_any() {
    let locked = read(MODULE);
    assert_eq!(ptx::loosened(&locked, &locked), []);
    assert_eq!(ptx::refusal(&[]), None);
    let loose =
        read(&MODULE.replace("div.rn.f32", "div.full.ftz.f32").replace("sqrt.rn.f32", "sqrt.approx.ftz.f32"));
    let differences = ptx::loosened(&loose, &locked);
    let told: Vec<_> =
        differences.iter().map(|d| (d.function.as_str(), d.mark.as_str(), d.found, d.expected)).collect();
    assert_eq!(
        told,
        [
            ("helper", ".ftz", 1, 0),
            ("helper", ".approx", 1, 0),
            ("helper", "sqrt.rn", 0, 1),
            ("scale", ".ftz", 3, 2),
            ("scale", "div.full", 1, 0),
            ("scale", "div.rn", 0, 1),
        ]
    );
    let finding = ptx::refusal(&differences).expect("refused");
    assert_eq!((finding.gate, finding.code), (Gate::Static, Code::MathModeChanged));
    assert_eq!(
        finding.message,
        "`helper` has 1 `.ftz` where the locked flags give 0, 1 `.approx` where the locked flags give 0, \
         0 `sqrt.rn` where the locked flags give 1; build it with the task's flags"
    );
    // Stricter than the locked flags is no fault.
    assert_eq!(ptx::loosened(&locked, &loose), []);
}

#[test]
fn what_a_source_writes_itself_is_compared_with_the_baseline() {
    let candidate = read(MODULE);
    let plain = read(&MODULE.replace("begin inline asm", "").replace("end inline asm", ""));
    assert_eq!(ptx::written(&candidate, &candidate), []);
    let differences = ptx::written(&candidate, &plain);
    assert_eq!(differences.iter().map(|d| d.mark.as_str()).collect::<Vec<_>>(), [".ftz", ".approx", "tf32"]);
    let finding = ptx::written_refusal(&differences).expect("refused");
    assert!(
        finding.message.starts_with("`inline assembler` has 1 `.ftz` where the baseline has 0"),
        "{}",
        finding.message
    );
}

#[test]
fn what_is_no_ptx_is_an_error() {
    assert_eq!(ptx::functions(""), Err(PtxError::NoVersion));
    assert_eq!(ptx::functions("int main() { return 0; }"), Err(PtxError::NoVersion));
    assert_eq!(ptx::functions(".version 9.0\n.entry f() {\nret;"), Err(PtxError::Braces { line: 3 }));
    assert_eq!(ptx::functions(".version 9.0\n}"), Err(PtxError::Braces { line: 2 }));
    assert_eq!(ptx::functions(".version 9.0\n.entry (\n{ }"), Err(PtxError::NoName { line: 3 }));
    // Which of both is meant nobody can tell: a loose one could hide behind an exact one.
    let twice = ".version 9.0\n.visible .entry f()\n{\nret;\n}\n.visible .entry f()\n{\nret;\n}\n";
    assert_eq!(ptx::functions(twice), Err(PtxError::Twice { name: "f".to_owned(), line: 7 }));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_without_a_panic(text in "\\PC*", at in 0usize..1500, cut in 0usize..1500) {
        let _ = ptx::functions(&text);
        let mut mixed: String = MODULE.chars().take(at).collect();
        mixed.push_str(&text);
        mixed.extend(MODULE.chars().skip(cut));
        let _ = ptx::functions(&mixed);
    }
}

/// Drivers of every kind, as small libraries of that name, each in a process of its own.
#[cfg(feature = "cuda")]
mod drivers {
    use assay_kernel::cuda::{self, DRIVER, Facts};
    use assay_process::{Background, CaptureLimits, Spawn};
    use std::time::Duration;

    /// Where the process below writes what it found.
    const OUT: &str = "ASSAY_TEST_FACTS";

    /// No test of its own: what the others start, with a driver in `LD_LIBRARY_PATH`.
    #[test]
    fn child() {
        if let Some(out) = std::env::var_os(OUT) {
            let text = serde_json::to_string(&cuda::facts()).expect("JSON");
            std::fs::write(out, text).expect("written");
        }
    }

    fn facts_with(functions: &[&str], version: i32, init: i32, devices: i32) -> Facts {
        let folder = tempfile::tempdir().expect("a folder");
        let mut source = String::from("#include <string.h>\n");
        for name in functions {
            source.push_str(&match *name {
                "cuInit" => format!("int cuInit(unsigned f) {{ return {init}; }}\n"),
                "cuDriverGetVersion" => {
                    format!("int cuDriverGetVersion(int *v) {{ *v = {version}; return 0; }}\n")
                }
                "cuDeviceGetCount" => {
                    format!("int cuDeviceGetCount(int *n) {{ *n = {devices}; return 0; }}\n")
                }
                "cuDeviceGet" => "int cuDeviceGet(int *d, int n) { *d = n; return 0; }\n".to_owned(),
                "cuDeviceGetName" => {
                    "int cuDeviceGetName(char *t, int n, int d) { strncpy(t, \"Pretend 1\", n); return 0; }\n"
                        .to_owned()
                }
                "cuDeviceTotalMem_v2" => {
                    "int cuDeviceTotalMem_v2(unsigned long *b, int d) { *b = 4096; return 0; }\n".to_owned()
                }
                other => format!("int {other}(void) {{ return 999; }}\n"),
            });
        }
        let file = folder.path().join("libcuda.c");
        std::fs::write(&file, source).expect("written");
        let built = assay_kernel::build::c(&file, &["-O1".to_owned()], false, &folder.path().join("out"))
            .expect("built");
        let (program, out) = (std::env::current_exe().expect("this test"), folder.path().join("facts.json"));
        let spawn = Spawn {
            argv: [program.as_os_str(), "--exact".as_ref(), "drivers::child".as_ref()]
                .map(Into::into)
                .to_vec(),
            env: vec![
                ("LD_LIBRARY_PATH".into(), built.library.parent().expect("a folder").into()),
                (OUT.into(), out.clone().into()),
            ],
            cwd: folder.path().to_owned(),
            program,
            ..Spawn::default()
        };
        let limits = CaptureLimits { timeout: Duration::from_secs(60), bytes: 1 << 20 };
        let ended = Background::shared().expect("a thread").output(spawn, limits).expect("started");
        assert!(ended.exit.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        assert!(!String::from_utf8_lossy(&ended.stderr).contains("panicked"));
        serde_json::from_str(&std::fs::read_to_string(out).expect("read")).expect("facts")
    }

    #[test]
    fn a_driver_that_lacks_functions_is_told() {
        let facts = facts_with(&DRIVER[..2], 13_000, 0, 1);
        let problem = facts.libcuda.problem.expect("a problem");
        assert_eq!(problem, "unsupported here: `libcuda` has no `cuGetErrorName`; it is older than CUDA 13");
        assert!(facts.devices.is_empty() && facts.no_device == Some(problem));
    }

    #[test]
    fn an_old_driver_is_told() {
        let facts = facts_with(DRIVER, 12_040, 100, 0);
        let problem = facts.libcuda.problem.expect("a problem");
        assert!(problem.contains("serves CUDA 12.4, and 13.0 is needed"), "{problem}");
    }

    #[test]
    fn a_driver_without_a_device_is_told() {
        for (init, devices) in [(100, 0), (0, 0)] {
            let facts = facts_with(DRIVER, 13_020, init, devices);
            assert_eq!(facts.libcuda.version.as_deref(), Some("13.2"));
            assert!(facts.no_device.expect("none").ends_with("there is no NVIDIA device"));
        }
        let broken = facts_with(DRIVER, 13_000, 999, 0);
        assert!(broken.no_device.expect("none").starts_with("cuInit failed: CUDA_ERROR_UNKNOWN"));
    }

    #[test]
    fn devices_are_told() {
        let facts = facts_with(DRIVER, 13_000, 0, 2);
        let names: Vec<_> = facts
            .devices
            .iter()
            .map(|device| (device.ordinal, device.name.as_str(), device.memory_bytes))
            .collect();
        assert_eq!(names, [(0, "Pretend 1", 4096), (1, "Pretend 1", 4096)]);
        assert_eq!(facts.no_device, None);
    }
}

#[cfg(feature = "cuda")]
mod nvrtc {
    use assay_kernel::cuda::{self, Compiled, CudaError};
    use assay_kernel::ptx;
    use assay_kernel::verdict::Code;
    use std::path::PathBuf;

    const SOURCE: &str = r#"
extern "C" __global__ void divided(const float *x, float *y, int n, float eps) {
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at < n) y[at] = x[at] / sqrtf(x[at] * x[at] + eps) + expf(x[at]);
}
"#;

    /// Whether there is an NVRTC to test with; says so if not.
    #[expect(clippy::print_stderr, reason = "a skipped test says so")]
    fn ready() -> bool {
        let Some(folder) = std::env::var_os("ASSAY_NVRTC") else {
            eprintln!("skipped: set ASSAY_NVRTC to a folder with libnvrtc.so.13");
            return false;
        };
        cuda::preload(&PathBuf::from(folder)).expect("NVRTC of ASSAY_NVRTC");
        true
    }

    fn compile(source: &str, flags: &[&str]) -> Result<Compiled, CudaError> {
        let mut all: Vec<String> =
            ["-std=c++17", "--gpu-architecture=compute_90"].map(str::to_owned).to_vec();
        all.extend(flags.iter().map(|flag| (*flag).to_owned()));
        cuda::compile(source, "kernel.cu", &all)
    }

    #[test]
    fn fast_math_shows_in_counts() {
        if !ready() {
            return;
        }
        let locked = compile(SOURCE, &[]).expect("compiled");
        assert_eq!((locked.compiler.as_str(), locked.functions.len()), ("13.0", 1));
        let divided = &locked.functions[0];
        assert!(divided.kernel && divided.name == "divided");
        // The strict `expf` holds one approximation of its own.
        assert!(
            divided.compiled.count(".approx") == 1
                && divided.compiled.count("div.rn") == 1
                && divided.compiled.count("sqrt.rn") == 1,
            "{divided:?}"
        );
        assert_eq!(ptx::loosened(&compile(SOURCE, &[]).expect("compiled").functions, &locked.functions), []);
        let fast = compile(SOURCE, &["--use_fast_math"]).expect("compiled");
        let finding = ptx::refusal(&ptx::loosened(&fast.functions, &locked.functions)).expect("refused");
        assert_eq!(finding.code, Code::MathModeChanged);
        assert!(finding.message.contains("0 `div.rn` where the locked flags give 1"), "{}", finding.message);
    }

    #[test]
    fn inline_assembler_stands_apart() {
        if !ready() {
            return;
        }
        let own = SOURCE.replace("expf(x[at])", "exp2(x[at])").replace(
            "if (at < n)",
            "float f; asm(\"ex2.approx.ftz.f32 %0, %1;\" : \"=f\"(f) : \"f\"(x[at]));\n if (at < n) y[at] = f; else",
        );
        let (candidate, baseline) =
            (compile(&own, &[]).expect("compiled"), compile(SOURCE, &[]).expect("compiled"));
        assert_eq!(candidate.functions[0].written.count(".ftz"), 1, "{}", candidate.ptx);
        let finding =
            ptx::written_refusal(&ptx::written(&candidate.functions, &baseline.functions)).expect("refused");
        assert_eq!(finding.code, Code::MathModeChanged);
        assert_eq!(ptx::written(&baseline.functions, &baseline.functions), []);
    }

    #[test]
    fn a_source_that_does_not_compile_says_where() {
        if !ready() {
            return;
        }
        let error = compile("__global__ void f() { missing(); }", &[]).expect_err("refused");
        assert!(
            error.to_string().contains("kernel.cu(1): error: identifier \"missing\" is undefined"),
            "{error}"
        );
        assert_eq!(error.finding().expect("the candidate's fault").code, Code::BuildFailed);
        let error = compile(SOURCE, &["--no-such-flag"]).expect_err("refused");
        assert!(matches!(&error, CudaError::Refused { .. }), "{error}");
        assert!(matches!(compile("\0", &[]), Err(CudaError::Nul { what: "source" })));
    }

    #[test]
    fn facts_are_told_without_a_panic() {
        let nvrtc = ready();
        let facts = cuda::facts();
        assert!(!nvrtc || facts.libnvrtc.usable, "{facts:?}");
        for library in [&facts.libcuda, &facts.libnvrtc] {
            assert_eq!(library.usable, library.problem.is_none(), "{library:?}");
            assert_eq!(library.usable, library.version.is_some(), "{library:?}");
        }
        assert_eq!(facts.devices.is_empty(), facts.no_device.is_some(), "{facts:?}");
        let told = cuda::kernel_facts(".version 9.0", &["f".to_owned()], 0);
        if facts.devices.is_empty() {
            assert!(matches!(&told, Err(CudaError::Unsupported { .. })), "{told:?}");
        }
        let missing = cuda::preload(&PathBuf::from("/nonexistent")).expect_err("missing");
        assert!(missing.to_string().starts_with("unsupported here: `/nonexistent/"), "{missing}");
    }
}
