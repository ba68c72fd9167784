//! What a library may not contain, each built by a real compiler, and what honest ones do contain.

use assay_kernel::build;
use assay_kernel::statics::{StaticsError, inspect, inspect_bytes};
use assay_kernel::task::Allow;
use assay_kernel::verdict::{Code, Finding};
use proptest::prelude::*;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// An entry that does nothing, with the right type for every test here.
const ENTRY: &str = "int kv_entry(float *x, int n) { for (int i = 0; i < n; i++) x[i] *= 2; return 0; }\n";

fn flags(words: &[&str]) -> Vec<String> {
    let mut all: Vec<String> = ["-O2", "-std=gnu11"].map(str::to_owned).to_vec();
    all.extend(words.iter().map(|word| (*word).to_owned()));
    all
}

fn build_as(name: &str, source: &str, words: &[&str]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join(name);
    std::fs::write(&file, source).expect("written");
    let built = build::c(&file, &flags(words), false, &folder.path().join("out")).expect("built");
    (folder, built.library)
}

fn findings_of(name: &str, source: &str, words: &[&str], allow: &Allow) -> Vec<Finding> {
    let (_folder, library) = build_as(name, source, words);
    inspect(&library, "kv_entry", allow).expect("inspected")
}

/// The first finding against an entry with something beside it.
fn first(source: &str, words: &[&str]) -> Finding {
    let findings = findings_of("kernel.c", &format!("{source}\n"), words, &Allow::default());
    findings.first().cloned().unwrap_or_else(|| panic!("nothing was found in {source}"))
}

fn with_entry(source: &str) -> String {
    format!("{source}\n{ENTRY}")
}

#[track_caller]
fn refused(source: &str, words: &[&str], code: Code, text: &str) {
    let found = first(&with_entry(source), words);
    assert_eq!(found.code, code, "{found:?}");
    assert!(found.message.contains(text), "{}", found.message);
}

#[track_caller]
fn passes(name: &str, source: &str, words: &[&str]) {
    assert_eq!(findings_of(name, source, words, &Allow::default()), []);
}

#[test]
fn honest_kernels_pass() {
    passes("kernel.c", ENTRY, &[]);
    passes("kernel.c", ENTRY, &["-O3", "-march=native"]);
    passes("kernel.c", ENTRY, &["-O3", "-mavx2", "-mfma", "-fstack-protector-all", "-fcf-protection=full"]);
    passes(
        "kernel.c",
        "#include <math.h>\n#include <stdlib.h>\n#include <string.h>\n\
         static _Thread_local float last;\n\
         int kv_entry(float *x, int n) {\n  float *copy = malloc(n * sizeof *copy);\n  if (!copy) return -12;\n\
         memcpy(copy, x, n * sizeof *x); memset(x, 0, n);\n\
         for (int i = 0; i < n; i++) x[i] = expf(copy[i]) + powf(copy[i], 0.3f) + (float)sqrt(copy[i]) + tanh(last);\n\
         last = x[0]; free(copy); return 0;\n}\n",
        &["-O3"],
    );
    passes(
        "kernel.c",
        "#include \"assay_kernel.h\"\nASSAY_EXPORT int32_t kv_entry(const DLTensor *in, int ni, DLTensor *out, int no, \
         const double *s, int n, void *stream) {\n  const uint16_t *x = assay_data(in); uint16_t *y = assay_data(out);\n\
         for (int64_t i = 0; i < in->shape[0]; i++) y[i] = assay_to_bf16(assay_from_bf16(x[i]) * (float)s[0]);\n  return 0; }\n",
        &["-O3", "-fvisibility=hidden"],
    );
    // `long double` to integer: `fldcw` by the compiler itself.
    passes(
        "kernel.c",
        &format!(
            "static long long f(long double x) {{ return x; }}\n{}",
            "int kv_entry(long double *x) { return (int)f(*x); }"
        ),
        &[],
    );
}

#[test]
fn honest_cpp_without_exceptions_passes() {
    passes(
        "kernel.cpp",
        "#include <algorithm>\n#include <cmath>\n#include <array>\n\
         template <typename T> inline T twice(T x) { static T calls; calls += 1; return x + x + calls; }\n\
         extern \"C\" int kv_entry(float *x, int n) { std::array<float, 4> a{};\n\
         for (int i = 0; i < n; i++) x[i] = std::max(twice(x[i]), std::exp(a[i & 3])); return 0; }\n",
        &["-std=c++17", "-fno-exceptions", "-O0"],
    );
}

#[test]
fn what_compilers_put_in_where_a_check_fails_passes() {
    let whole = |head: &str, body: &str| {
        format!("{head}\nextern \"C\" int kv_entry(float *x, int n) {{ {body} return 0; }}\n")
    };
    let cases = [
        (
            "#include <vector>",
            "std::vector<float> y(x, x + n); y.push_back(1); x[0] = y[n / 2];",
            "length_error",
        ),
        ("#include <vector>", "std::vector<float> y(n); x[0] = y.at(n / 2);", "out_of_range"),
        ("#include <memory>", "auto y = std::make_unique<float[]>(n); x[0] = y[n / 2];", "new"),
        (
            "#include <functional>",
            "std::function<float(float)> f; if (n) f = [=](float a) { return a + n; }; x[0] = f(x[0]);",
            "bad_function",
        ),
        ("#include <cassert>", "assert(n > 0);", "__assert_fail"),
    ];
    for (head, body, imported) in cases {
        let (_folder, library) = build_as("kernel.cpp", &whole(head, body), &["-std=c++17"]);
        assert_eq!(inspect(&library, "kv_entry", &Allow::default()).expect("inspected"), [], "{body}");
        let bytes = std::fs::read(&library).expect("read");
        let held = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(imported == "new" || held(imported), "{body} asks for nothing");
    }
    passes(
        "kernel.c",
        &with_entry("#include <assert.h>\n__attribute__((used)) static void f(int n) { assert(n); }"),
        &[],
    );
}

#[test]
fn what_cpp_brings_for_memory_and_for_its_objects_passes() {
    let bodies = [
        "float *y = new (std::nothrow) float[n]; if (!y) return -12; y[0] = x[0]; x[0] = y[n / 2]; delete[] y;",
        "static std::vector<float> y; y.resize(n); x[0] = y[n / 2];",
        "thread_local std::vector<float> y; y.resize(n); x[0] = y[n / 2];",
        "try { std::vector<float> y(n); x[0] = y[n / 2]; } catch (const std::bad_alloc &) { return -12; } catch (...) { return -1; }",
        "auto y = std::shared_ptr<float>(new float[n], std::default_delete<float[]>()); *y = 1; x[0] = *y;",
        "auto y = std::make_shared<std::vector<float>>(n); x[0] = y->size();",
        "struct alignas(64) Line { float all[16]; }; auto y = std::make_unique<Line[]>(n); x[0] = y[n / 2].all[3];",
        "std::complex<float> y(x[0], x[1]); x[0] = std::abs(std::exp(y) + std::pow(y, y) * std::sqrt(y));",
    ];
    let head = "#include <complex>\n#include <memory>\n#include <new>\n#include <vector>\nextern \"C\" int kv_entry(float *x, int n) {";
    for body in bodies {
        passes("kernel.cpp", &format!("{head} {body} return 0; }}\n"), &["-std=c++17"]);
    }
}

#[test]
fn imports_that_are_refused_are_told_in_words() {
    let body = "if (n < 0) throw std::runtime_error(\"n\"); static std::map<int, float> all; all[n] = x[0];";
    let source = format!(
        "#include <map>\n#include <stdexcept>\nextern \"C\" int kv_entry(float *x, int n) {{ {body} return 0; }}\n"
    );
    let findings = findings_of("kernel.cpp", &source, &["-std=c++17"], &Allow::default());
    let told = &findings[0].message;
    assert!(told.contains("`__cxa_throw` (an exception that it throws)"), "{told}");
    assert!(told.contains("(a `std::map` or `std::set`)") && !told.contains("__cxa_atexit"), "{told}");
    refused(
        "__attribute__((used)) static float f(double x) { volatile __float128 q = x; return (float)(q * q); }",
        &[],
        Code::MathModeChanged,
        "libgcc's arithmetic of `__float128`",
    );
}

#[test]
fn imports_are_refused_by_name() {
    refused(
        "#include <stdio.h>\n__attribute__((used)) static void f(void) { printf(\"pass\\n\"); }",
        &[],
        Code::ForbiddenImport,
        "`puts`",
    );
    refused(
        "#include <stdlib.h>\n__attribute__((used)) static void f(void) { exit(0); }",
        &[],
        Code::ForbiddenImport,
        "`exit`",
    );
    refused(
        "#include <dlfcn.h>\n__attribute__((used)) static void *f(void) { return dlopen(\"x\", 1); }",
        &[],
        Code::ForbiddenImport,
        "`dlopen`",
    );
    refused(
        "#include <pthread.h>\n__attribute__((used)) static void f(pthread_t *t) { pthread_create(t, 0, 0, 0); }",
        &["-pthread"],
        Code::ForbiddenImport,
        "`pthread_create`",
    );
    refused(
        "#include <fenv.h>\n__attribute__((used)) static void f(void) { fesetround(FE_UPWARD); }",
        &[],
        Code::ForbiddenImport,
        "`fesetround`",
    );
    refused(
        "#include <time.h>\n__attribute__((used)) static void f(struct timespec *t) { clock_gettime(1, t); }",
        &[],
        Code::ForbiddenImport,
        "`clock_gettime`",
    );
    refused(
        "extern char **environ; __attribute__((used)) static char **f(void) { return environ; }",
        &[],
        Code::ForbiddenImport,
        "`environ`",
    );
    // A pointer to a function, never called by name, is an import as well.
    refused(
        "int system(const char *); int (*volatile kept)(const char *) __attribute__((visibility(\"hidden\"))) = system;",
        &[],
        Code::ForbiddenImport,
        "`system`",
    );
}

#[test]
fn a_task_may_allow_more() {
    let source = with_entry("#include <stdlib.h>\n__attribute__((used)) static void f(void) { abort(); }");
    assert_eq!(findings_of("kernel.c", &source, &[], &Allow::default())[0].code, Code::ForbiddenImport);
    let allow = Allow { imports: vec!["abort".to_owned()], ..Allow::default() };
    assert_eq!(findings_of("kernel.c", &source, &[], &allow), []);
}

#[test]
fn libraries_and_search_paths_are_refused() {
    // OpenMP brings a library and its functions.
    let source = "int kv_entry(float *x, int n) {\n#pragma omp parallel for\nfor (int i = 0; i < n; i++) x[i] *= 2;\nreturn 0; }";
    let findings = findings_of("kernel.c", source, &["-fopenmp"], &Allow::default());
    assert!(findings.iter().any(|found| found.message.contains("`GOMP_parallel`")), "{findings:?}");
    assert!(findings.iter().any(|found| found.message.contains("it needs `libgomp.so.1`")), "{findings:?}");
    refused("", &["-Wl,-rpath,/tmp/elsewhere"], Code::ForbiddenImport, "`/tmp/elsewhere`");
    refused("", &["-Wl,--audit,evil.so"], Code::ForbiddenImport, "AUDIT");
    refused("", &["-Wl,-f,filter.so"], Code::ForbiddenImport, "AUXILIARY");
}

#[test]
fn the_entry_must_be_there_and_be_code() {
    let found = first("int kv_other(void) { return 0; }", &[]);
    assert_eq!(found.code, Code::AbiSymbolMissing);
    assert!(
        found.message.contains("`kv_entry`") && found.message.contains("`kv_other`"),
        "{}",
        found.message
    );
    assert_eq!(first("static int kv_entry(void) { return 0; } int x;", &[]).code, Code::AbiSymbolMissing);
    assert_eq!(first("const char kv_entry[] = \"text\";", &[]).code, Code::AbiSymbolMissing);
    let tvm = findings_of("kernel.c", "int __tvm_ffi_kv_entry(void) { return 0; }", &[], &Allow::default());
    assert_eq!(tvm, []);
}

#[test]
fn exports_are_refused() {
    refused("int clock_gettime(int c, void *t) { return c; }", &[], Code::ForbiddenExport, "`clock_gettime`");
    refused("int helper;", &[], Code::ForbiddenExport, "`helper`");
    let source = "#include <cstddef>\n#include <cstdlib>\nvoid *operator new(size_t n) { return malloc(n); }\n\
                  extern \"C\" int kv_entry(float *x, int n) { return 0; }";
    let found = findings_of("kernel.cpp", source, &["-std=c++17", "-fno-exceptions"], &Allow::default());
    assert_eq!(found.first().map(|found| found.code), Some(Code::ForbiddenExport), "{found:?}");
    assert!(found[0].message.contains("`-Wl,--exclude-libs,ALL`"), "{found:?}");
}

#[test]
fn code_at_load_is_refused() {
    refused(
        "static volatile int x; __attribute__((constructor)) static void prepare(void) { x = 1; }",
        &[],
        Code::ForbiddenConstructor,
        "`prepare`",
    );
    refused(
        "static volatile int x; __attribute__((destructor)) static void leave(void) { x = 1; }",
        &[],
        Code::ForbiddenConstructor,
        "unloaded",
    );
    refused("", &["-ffast-math"], Code::ForbiddenConstructor, "-ffast-math");
    refused("", &["-Wl,-init,kv_entry"], Code::ForbiddenConstructor, "`kv_entry`");
    // In place of the compiler's own start-up function, under its name.
    refused(
        "static volatile int x; __attribute__((constructor)) static void frame_dummy(void) { x = 1; }",
        &["-nostartfiles"],
        Code::ForbiddenConstructor,
        "`frame_dummy`",
    );
    // A function of another library, as a pointer in the array.
    refused(
        "#include <stdlib.h>\n__attribute__((section(\".init_array\"), used)) static void *at = (void *)free;",
        &[],
        Code::ForbiddenConstructor,
        "another library",
    );
    refused(
        "static int one(int x) { return x; }\nstatic void *pick(void) { return one; }\n\
         __attribute__((ifunc(\"pick\"))) static int chosen(int x);\n__attribute__((used)) static int f(int x) { return chosen(x); }",
        &[],
        Code::ForbiddenConstructor,
        "IFUNC",
    );
    refused(
        "__attribute__((target_clones(\"avx2\", \"default\"), used)) static int f(int x) { return x * 3; }",
        &[],
        Code::ForbiddenConstructor,
        "__cpu_indicator_init",
    );
}

/// Functions that write no memory and call nothing, and yet do not return to their caller alone.
#[test]
fn constructors_that_go_elsewhere_are_refused() {
    let start = |code: &str| {
        let data =
            ".section .data.rel.ro.chain,\\\"aw\\\",@progbits\\nchain: .quad leads\\n.text\\nleads: ret\\n";
        let array = ".section .init_array,\\\"aw\\\",@init_array\\n.quad start\\n.text";
        format!("asm(\"{data}start: {code}\\n{array}\");")
    };
    let still = "lea chain(%rip), %rax\\nsub $8, %rsp\\ntest %edi, %edi\\nje 1f\\nmov %rsp, %rcx\\n1: add $8, %rsp\\nret";
    passes("kernel.c", &with_entry(&start(still)), &[]);
    for code in [
        // A chain of return addresses in data.
        "mov %rsp, %rax\\nlea chain(%rip), %rsp\\nret",
        "mov %edi, %esp\\nret",
        "xor %rdi, %rsp\\nret",
        "sub %rdi, %rsp\\nret",
        "sub $8, %rsp\\nret",
        "add $8, %esp\\nret",
        "ret $8",
        "test %edi, %edi\\nje 1f\\nsub $8, %rsp\\n1: ret",
        "push %rdi\\nret",
        "pop %rax\\nret",
        // The loader's own registers, from which it goes on.
        "lea chain(%rip), %rbp\\nleave\\nret",
        "lea chain(%rip), %rbp\\nret",
        "lea chain(%rip), %rbx\\nret",
        // Two ways to one call, and RAX is a hook on one of them.
        "test %edi, %edi\\nje 2f\\nmov __gmon_start__@GOTPCREL(%rip), %rax\\n1: call *%rax\\nret\\n\
         2: lea leads(%rip), %rax\\njmp 1b\\n.weak __gmon_start__",
    ] {
        refused(&start(code), &[], Code::ForbiddenConstructor, "runs when the library is loaded");
    }
}

#[test]
fn memory_that_is_written_and_executed_is_refused() {
    refused("", &["-Wl,-z,execstack"], Code::ForbiddenInstruction, "executable stack");
    let section = "asm(\".section .changing,\\\"awx\\\"\\nret\\n.text\");";
    refused(section, &[], Code::ForbiddenInstruction, "writable and executable");
    let assembler = "asm(\".text\\n.globl f\\n.hidden f\\nf: movabs $kept, %rax\\nret\\n\"); __attribute__((visibility(\"hidden\"))) int kept;";
    refused(assembler, &["-Wl,-z,notext"], Code::ForbiddenInstruction, "TEXTREL");
}

#[test]
fn instructions_are_refused_with_their_place() {
    let cases: &[(&str, Code)] = &[
        ("syscall", Code::ForbiddenInstruction),
        ("sysenter", Code::ForbiddenInstruction),
        ("int $0x80", Code::ForbiddenInstruction),
        ("rdtsc", Code::ForbiddenInstruction),
        ("rdtscp", Code::ForbiddenInstruction),
        ("rdpmc", Code::ForbiddenInstruction),
        ("cpuid", Code::ForbiddenInstruction),
        ("rdrand %rax", Code::ForbiddenInstruction),
        ("in $0x80, %al", Code::ForbiddenInstruction),
        ("out %al, $0x80", Code::ForbiddenInstruction),
        ("wrpkru", Code::ForbiddenInstruction),
        ("clflush (%rdi)", Code::ForbiddenInstruction),
        ("xbegin 1f\\n1:", Code::ForbiddenInstruction),
        ("wrfsbase %rax", Code::ForbiddenInstruction),
        ("mov %ax, %fs", Code::ForbiddenInstruction),
        ("lretq", Code::ForbiddenInstruction),
        ("hlt", Code::ForbiddenInstruction),
        ("umwait %eax", Code::ForbiddenInstruction),
        ("ldmxcsr (%rdi)", Code::MathModeChanged),
        ("vldmxcsr (%rdi)", Code::MathModeChanged),
        (".byte 0x06", Code::ForbiddenInstruction),
    ];
    for (text, code) in cases {
        let found = first(
            &with_entry(&format!(
                "__attribute__((used, noinline)) static void hidden(void *p) {{ asm volatile(\"{text}\"); }}"
            )),
            &[],
        );
        assert_eq!(found.code, *code, "{text}: {found:?}");
        assert!(found.message.contains("`hidden+0x"), "{text}: {}", found.message);
        let place = &found.evidence["places"][0];
        assert!(
            place["symbol"] == "hidden" && place["instruction"].is_string() && place["offset"].is_u64(),
            "{place}"
        );
    }
}

#[test]
fn bytes_inside_of_instructions_are_no_instructions_unless_somebody_goes_there() {
    // `mov eax, 0x050f` holds the bytes of `syscall`.
    passes(
        "kernel.c",
        "int kv_entry(void) { int x; asm volatile(\"mov $0x050f, %0\" : \"=r\"(x)); return x; }",
        &[],
    );
    let jump = "asm volatile(\"jmp 1f + 1\\n1: .byte 0xb8, 0x0f, 0x05, 0xc3, 0x90\");";
    refused(
        &format!("__attribute__((used)) static void hidden(void) {{ {jump} }}"),
        &[],
        Code::ForbiddenInstruction,
        "`syscall`",
    );
}

#[test]
fn zeros_between_functions_do_not_hide_the_next() {
    // An odd number of them, read as instructions, would swallow the first byte of `syscall`.
    let zeros = "asm(\".text\\n.balign 16\\nret\\n.skip 12, 0x90\\nret\\n.byte 0, 0\\n.byte 0x0f, 0x05\\nret\\n.balign 16\");";
    refused(zeros, &[], Code::ForbiddenInstruction, "`syscall`");
    let one = "asm(\".text\\n.balign 16\\nret\\n.skip 13, 0x90\\nret\\n.byte 0\\n.byte 0x0f, 0x05\\nret\\n.balign 16\");";
    refused(one, &[], Code::ForbiddenInstruction, "`syscall`");
}

#[test]
fn code_outside_of_its_sections_is_refused() {
    let (_folder, library) = build_as("kernel.c", ENTRY, &[]);
    let mut bytes = std::fs::read(&library).expect("read");
    assert_eq!(inspect_bytes(&bytes, "kv_entry", &Allow::default()).expect("inspected"), []);
    // Without section headers nobody knows where code begins.
    bytes[0x28..0x30].fill(0);
    bytes[0x3c..0x40].fill(0);
    let found = inspect_bytes(&bytes, "kv_entry", &Allow::default()).expect("inspected");
    assert!(found.iter().any(|found| found.message.contains("do not strip section headers")), "{found:?}");
}

#[test]
fn what_is_no_library_is_an_error() {
    let allow = Allow::default();
    let told = |bytes: &[u8]| inspect_bytes(bytes, "kv_entry", &allow).expect_err("refused");
    for text in [&b""[..], b"int kv_entry(void);", &[7; 4096]] {
        let told = told(text);
        assert!(told.to_string().contains("no ELF shared library; give a C or C++ source"), "{told}");
        assert_eq!(told.code(), Some(Code::LoadFailed));
    }
    assert!(told(b"\x7fELF").to_string().contains("too short"));
    let (_folder, library) = build_as("kernel.c", ENTRY, &[]);
    let mut bytes = std::fs::read(&library).expect("read");
    bytes[16] = 1;
    assert!(told(&bytes).to_string().contains("object file"));
    bytes[18] = 183;
    let foreign = told(&bytes);
    assert!(matches!(&foreign, StaticsError::Machine { machine } if machine == "aarch64"));
    assert_eq!(foreign.code(), Some(Code::LoadFailed));
    let missing = inspect(Path::new("/nonexistent/kernel.so"), "kv_entry", &allow).expect_err("missing");
    assert!(matches!(&missing, StaticsError::Read { .. }) && missing.code().is_none());
}

fn sample() -> &'static [u8] {
    static SAMPLE: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    SAMPLE.get_or_init(|| {
        let (_folder, library) = build_as("kernel.c", ENTRY, &[]);
        std::fs::read(library).expect("read")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn broken_libraries_never_panic(cut in 0usize..20_000, changes in proptest::collection::vec((0usize..20_000, any::<u8>()), 0..24)) {
        let mut bytes = sample().to_vec();
        bytes.truncate(cut.max(bytes.len() / 8));
        for (at, value) in changes {
            let length = bytes.len();
            // Half of the changes go to the headers, where they do most.
            bytes[if at % 2 == 0 { at % length } else { at % 0x400.min(length) }] = value;
        }
        let _ = inspect_bytes(&bytes, "kv_entry", &Allow::default());
    }

    #[test]
    fn headers_over_noise_never_panic(noise in proptest::collection::vec(any::<u8>(), 0..8192), keep in 0usize..0x1400) {
        let mut bytes = sample()[..keep].to_vec();
        bytes.extend(noise);
        let _ = inspect_bytes(&bytes, "kv_entry", &Allow::default());
    }
}
