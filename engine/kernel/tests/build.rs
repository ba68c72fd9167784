//! Building sources: what is recorded, what is refused, and that builds which watch themselves see faults.

use assay_kernel::build::{self, BuildError, Built};
use assay_kernel::verdict::{Code, Gate};
use assay_process::{Background, CaptureLimits, Captured, Exit, Spawn};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

struct Sources(TempDir);

impl Sources {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            let file = folder.path().join(name);
            std::fs::create_dir_all(file.parent().expect("a parent")).expect("made");
            std::fs::write(file, text).expect("written");
        }
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn build(&self, name: &str, flags: &[&str], sanitize: bool) -> Result<Built, BuildError> {
        let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        build::c(&self.path(name), &flags, sanitize, &self.path("out"))
    }
}

const ENTRY: &str = "int kv_entry(int x) { return x + 1; }\n";

#[track_caller]
fn refused(text: &str, line: usize, what: &str) {
    let sources = Sources::new(&[("kernel.c", text)]);
    let error = sources.build("kernel.c", &["-O2"], false).expect_err("refused");
    let BuildError::Forbidden(objection) = &error else { panic!("{error}") };
    assert!(objection.what.contains(what), "{objection}");
    assert_eq!(
        (objection.line, objection.file.file_name()),
        (line, Some("kernel.c".as_ref())),
        "{objection}"
    );
    let finding = error.finding().expect("the candidate's fault");
    assert_eq!((finding.gate, finding.code), (Gate::Build, Code::BuildFailed));
}

#[test]
fn a_build_records_how_it_was_made() {
    let sources = Sources::new(&[("kernel.c", ENTRY)]);
    let built = sources.build("kernel.c", &["-O3", "-march=native"], false).expect("built");
    assert!(built.library.is_absolute() && built.library.is_file());
    assert!(
        built.command.contains(&"-march=native".to_owned()) && built.command.contains(&"-fPIC".to_owned())
    );
    assert!(built.compiler.starts_with("cc") || built.compiler.contains("clang"), "{}", built.compiler);
    assert_eq!((built.log.as_str(), built.preload.len()), ("", 0));
    // The same again gives the same bytes: the recipe depends on nothing else.
    let bytes = std::fs::read(&built.library).expect("read");
    let again = sources.build("kernel.c", &["-O3", "-march=native"], false).expect("built");
    assert_eq!((&again.command, std::fs::read(&again.library).expect("read")), (&built.command, bytes));
}

#[test]
fn headers_of_its_own_folder_and_the_project_may_be_included() {
    let sources = Sources::new(&[
        (
            "kernel.c",
            "#include <immintrin.h>\n#include <math.h>\n#include \"parts/part.h\"\n#include \"assay_kernel.h\"\nint kv_entry(DLTensor *t) { return part(t->ndim); }\n",
        ),
        ("parts/part.h", "static int part(int x) { return x + 1; }\n"),
    ]);
    sources.build("kernel.c", &["-O2", "-mavx2"], false).expect("built");
    let sources = Sources::new(&[(
        "kernel.cpp",
        "#include <vector>\n#include <cmath>\n#include \"assay_kernel.h\"\nASSAY_EXPORT int32_t kv_entry(const DLTensor *t) { std::vector<int> v(t->ndim); return v[0]; }\n",
    )]);
    sources.build("kernel.cpp", &["-std=c++17", "-O2"], false).expect("built");
}

#[test]
fn a_source_that_does_not_compile_says_where() {
    let sources = Sources::new(&[("kernel.c", "int kv_entry(void) {\n  return missing;\n}\n")]);
    let error = sources.build("kernel.c", &[], false).expect_err("refused");
    assert!(error.to_string().contains("kernel.c:2:10: error: "), "{error}");
    let finding = error.finding().expect("the candidate's fault");
    assert!(finding.evidence["log"].as_str().is_some_and(|log| log.contains("missing")), "{finding:?}");
    // What nobody defines is told at the link, not at the first call.
    let sources = Sources::new(&[("kernel.c", "int other(void); int kv_entry(void) { return other(); }\n")]);
    let error = sources.build("kernel.c", &[], false).expect_err("refused");
    assert!(error.to_string().contains("undefined reference to `other'"), "{error}");
    let sources = Sources::new(&[("kernel.rs", "")]);
    assert!(matches!(sources.build("kernel.rs", &[], false), Err(BuildError::Language { .. })));
    let missing = sources.build("kernel.c", &[], false).expect_err("missing");
    assert!(matches!(missing, BuildError::File { .. }) && missing.finding().is_none());
}

#[test]
fn flags_in_sources_are_refused_with_their_line() {
    refused(&format!("{ENTRY}#pragma GCC optimize(\"fast-math\")\n"), 2, "optimisation flags");
    refused(&format!("\n\n_Pragma(\"GCC optimize (\\\"O1\\\")\")\n{ENTRY}"), 3, "optimisation flags");
    refused(
        &format!("#define QUICK __attribute__((optimize(\"Ofast\")))\n\nQUICK {ENTRY}"),
        3,
        "optimisation flags",
    );
    refused(
        &format!("#include <math.h>\n#define JOIN(a, b) a##b\n__attribute__((JOIN(opti, mize)(3))) {ENTRY}"),
        3,
        "optimisation flags",
    );
    refused(&format!("__attribute__((\n  __optimize__\n  (\"O1\"))) {ENTRY}"), 2, "optimisation flags");
    refused(
        &format!("asm(\".section .rodata\\n.incbin \\\"/etc/passwd\\\"\\n.text\");\n{ENTRY}"),
        1,
        "reads a file",
    );
    // Honest pragmas and names are none of that.
    let text = "#pragma GCC push_options\nstatic int optimize(int x) {\n#pragma GCC ivdep\nfor (int i = 0; i < 4; i++) x += i;\nreturn x; }\nint kv_entry(int x) { return optimize(x); }\n";
    Sources::new(&[("kernel.c", text)]).build("kernel.c", &["-O2"], false).expect("built");
}

#[test]
fn files_from_elsewhere_are_refused() {
    let outside = tempfile::tempdir().expect("a folder");
    let secret = outside.path().join("secret.h");
    std::fs::write(&secret, "static const int secret = 1;\n").expect("written");
    refused(&format!("{ENTRY}#include \"{}\"\n", secret.display()), 2, "lies outside its folder");
    // Not by a link in the folder, and not from a macro.
    let sources =
        Sources::new(&[("kernel.c", &format!("#define WHICH \"near.h\"\n#include WHICH\n{ENTRY}"))]);
    std::os::unix::fs::symlink(&secret, sources.path("near.h")).expect("linked");
    let error = sources.build("kernel.c", &[], false).expect_err("refused");
    assert!(error.to_string().contains("lies outside its folder"), "{error}");
    let sources = Sources::new(&[("kernel.c", &format!("#if 0\n#embed \"/etc/passwd\"\n#endif\n{ENTRY}"))]);
    assert!(sources.build("kernel.c", &[], false).expect_err("refused").to_string().contains("embeds"));
}

#[test]
fn what_is_looked_at_is_what_is_built() {
    // The flags that make a library define other macros than those of a program.
    for name in ["__PIE__", "__PIC__"] {
        let hidden = "#pragma GCC optimize(\"fast-math\")";
        let text =
            format!("#if{}def {name}\n{hidden}\n#endif\n{ENTRY}", if name == "__PIE__" { "n" } else { "" });
        refused(&text, 2, "optimisation flags");
    }
    // A file that only the build reads belongs to the candidate, and may not lie elsewhere.
    let text = format!("#define PART \"part.h\"\n#ifndef __PIE__\n#include PART\n#endif\n{ENTRY}");
    let sources = Sources::new(&[("kernel.c", &text), ("part.h", "static const int part = 1;\n")]);
    let built = sources.build("kernel.c", &[], false).expect("built");
    let names: Vec<_> = built.sources.iter().filter_map(|path| path.file_name()).collect();
    assert_eq!(names, ["kernel.c", "part.h"]);
    refused(
        &format!("#ifndef __PIE__\n#include \"/etc/hostname\"\n#endif\n{ENTRY}"),
        2,
        "lies outside its folder",
    );
    // What the preprocessor leaves alone and the compiler would obey once it gets that text.
    refused(&format!("#pragma GCC pch_preprocess \"part.gch\"\n{ENTRY}"), 1, "compiled elsewhere");
}

#[test]
fn the_text_that_is_built_keeps_its_places() {
    let text = "#include <assert.h>\n#include \"more.c\"\nint kv_entry(int x) { assert(x == 4); return more(__FILE__, x); }\n";
    let more = "static int more(const char *file, int x) { return file[0] == '/' ? x + __LINE__ : 0; }\n";
    let sources = Sources::new(&[("kernel.c", text), ("more.c", more)]);
    let built = sources.build("kernel.c", &["-O1", "-std=c11"], false).expect("built");
    let died = call(&sources, &built);
    let said = String::from_utf8_lossy(&died.stderr).into_owned();
    assert!(said.contains("kernel.c:3: kv_entry: Assertion `x == 4' failed"), "{said}");
    let built = sources.build("kernel.c", &["-O1", "-DNDEBUG"], false).expect("built");
    assert_eq!(call(&sources, &built).exit, Exit::Code(4));
    std::fs::write(sources.path("more.c"), "\nint more(int x) { return absent; }\n").expect("written");
    let error = sources.build("kernel.c", &[], false).expect_err("refused");
    assert!(error.to_string().contains("more.c:2:26: error: "), "{error}");
}

#[test]
fn headers_of_the_system_may_say_what_a_source_may_not() {
    let simd = "#include <experimental/simd>\nextern \"C\" int kv_entry(int x) { std::experimental::native_simd<float> v = x; return int(reduce(v)); }\n";
    Sources::new(&[("kernel.cpp", simd)]).build("kernel.cpp", &["-O1"], false).expect("built");
    // Not where a macro of the source puts it there.
    let own = "[[gnu::optimize(\"fast-math\")]]";
    let text = format!(
        "#include <experimental/bits/simd_detail.h>\n#undef _GLIBCXX_SIMD_NORMAL_MATH\n#define _GLIBCXX_SIMD_NORMAL_MATH {own}\n{simd}"
    );
    let pragma = "#include <cstddef>\n#undef _GLIBCXX_BEGIN_NAMESPACE_VERSION\n#define _GLIBCXX_BEGIN_NAMESPACE_VERSION _Pragma(\"GCC optimize(\\\"fast-math\\\")\")\n#include <numeric>\nextern \"C\" int kv_entry(int x) { return x; }\n";
    for text in [text.as_str(), pragma] {
        let error =
            Sources::new(&[("kernel.cpp", text)]).build("kernel.cpp", &["-O1"], false).expect_err("refused");
        assert!(error.to_string().contains("optimisation flags"), "{error}");
    }
    // And not where a source says that it is one.
    let forged = format!("# 1 \"/usr/include/math.h\" 1 3\nstatic int one;\n# 3 \"kernel.c\" 2\n{ENTRY}");
    refused(&forged, 1, "line markers");
    refused(
        &format!("#line 7 \"/usr/include/math.h\"\n#pragma GCC optimize(\"fast-math\")\n{ENTRY}")
            .replace("/usr/include/math.h", "kernel.c"),
        7,
        "optimisation flags",
    );
}

#[test]
fn an_assembler_reads_no_files() {
    // The name of the directive comes to be in the compiler only: alternatives of dialects, and names of operands.
    let parts = "asm(\".inc{bin|nothing} \\\"/etc/hostname\\\"\" : : \"r\"(x));";
    let names = "static int bin; asm(\".inc%c0 \\\"/etc/hostname\\\"\" : : \"i\"(&bin));";
    for inside in [parts, names] {
        let text = format!("int kv_entry(int x) {{ {inside} return x; }}\n");
        let sources = Sources::new(&[("kernel.c", &text)]);
        let error = sources.build("kernel.c", &["-O1"], false).expect_err("refused");
        let told = error.to_string();
        // Of the second, compilers make a name that no directive has.
        assert!(told.contains("assembler reads a file") || told.contains(".incbin."), "{told}");
    }
    refused(&format!("asm(\".inc\\x62in \\\"/etc/hostname\\\"\");\n{ENTRY}"), 1, "reads a file");
}

#[test]
fn both_languages_round_alike() {
    // A fused operation would keep what the product's rounding drops.
    let text = "int kv_entry(int n, int *x) { volatile float a = 1.0f + n / 16777216.0f * 1024, b = -(a * a); float c = a; return c * c + b != 0; }\n";
    let cpp = format!("extern \"C\" {text}");
    let sources = Sources::new(&[("kernel.c", text), ("kernel.cpp", &cpp)]);
    for (name, flags) in [
        ("kernel.c", ["-O2", "-march=native", "-std=gnu11"]),
        ("kernel.cpp", ["-O2", "-march=native", "-std=c11"]),
    ] {
        let built = sources.build(name, &flags, false).expect("built");
        assert_eq!((call(&sources, &built).exit, built.log.as_str()), (Exit::Code(0), ""), "{name}");
    }
}

#[test]
fn what_never_ends_is_not_read() {
    let sources = Sources::new(&[("kernel.c", &format!("#include \"part.h\"\n{ENTRY}"))]);
    let pipe = sources.path("part.h");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
        .expect("a pipe");
    for (text, what) in [
        (format!("#include \"part.h\"\n{ENTRY}"), "a named pipe"),
        (format!("#include \"/dev/zero\"\n{ENTRY}"), "a device"),
        (format!("#include </dev/zero>\n{ENTRY}"), "a device"),
        // A macro's name is seen by the preprocessor only, which has little memory.
        (format!("#define ZERO \"/dev/zero\"\n#include ZERO\n{ENTRY}"), "more than 1 GiB of memory"),
    ] {
        std::fs::write(sources.path("kernel.c"), text).expect("written");
        let error = sources.build("kernel.c", &[], false).expect_err("refused");
        assert!(error.to_string().contains(what), "{error}");
        assert_eq!(error.finding().map(|finding| finding.code), Some(Code::BuildFailed), "{error}");
    }
}

#[test]
fn a_compiler_has_limits() {
    let script = "#!/bin/sh\n[ \"$1\" = --version ] && { echo fake 1.0; exit; }\nulimit -v >&2; ulimit -f >&2; ulimit -t >&2\nexit 1\n";
    let sources = Sources::new(&[("cc", script), ("kernel.c", ENTRY)]);
    let compiler = fake(&sources);
    let error =
        compiler.build(&sources.path("kernel.c"), &[], false, &sources.path("out")).expect_err("refused");
    let BuildError::Failed { log, .. } = error else { panic!("{error}") };
    let limits: Vec<u64> = log.lines().map(|line| line.parse().expect("a limit")).collect();
    assert!(limits[0] <= 1 << 20 && limits[1] <= 1 << 21 && limits[2] <= 20, "{log}");
}

/// The program `cc` among the sources, as a compiler.
fn fake(sources: &Sources) -> build::Compiler {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(sources.path("cc"), mode).expect("executable");
    let path = format!("{}:/usr/bin:/bin", sources.0.path().display());
    let compiler = build::Compiler::find(path.as_ref()).expect("found");
    assert_eq!(compiler.version, "fake 1.0");
    compiler
}

#[test]
fn the_environment_does_not_reach_the_compiler() {
    // Cargo's tests have dozens of variables; the compiler is asked for those that it would heed.
    let sources = Sources::new(&[
        ("cc", "#!/bin/sh\n[ \"$1\" = --version ] && { echo fake 1.0; exit; }\nenv >&2\nexit 1\n"),
        ("kernel.c", ENTRY),
    ]);
    let compiler = fake(&sources);
    let error =
        compiler.build(&sources.path("kernel.c"), &[], false, &sources.path("out")).expect_err("refused");
    let BuildError::Failed { log, .. } = error else { panic!("{error}") };
    // `sh` adds two of its own.
    let names: Vec<&str> = log.lines().filter_map(|line| line.split('=').next()).collect();
    assert!(names.iter().all(|name| ["PATH", "PWD", "_", "SHLVL", "OLDPWD"].contains(name)), "{names:?}");
    assert!(names.contains(&"PATH"));
    let empty = build::Compiler::find("/nonexistent".as_ref()).expect_err("nothing there");
    assert!(empty.to_string().contains("install one as `cc`") && empty.finding().is_none(), "{empty}");
}

/// Loads a library in a process of its own and calls its entry with 3 and a pointer to four integers.
fn call(sources: &Sources, built: &Built) -> Captured {
    let host = "#include <dlfcn.h>\n#include <stdlib.h>\nint main(int n, char **a) {\nvoid *l = dlopen(a[1], 2); if (!l) return 90;\n\
                int (*f)(int, int *) = (int (*)(int, int *))dlsym(l, \"kv_entry\"); if (!f) return 91;\nint *four = calloc(4, 4); int r = f(3, four); free(four); return r; }\n";
    std::fs::write(sources.path("host.c"), host).expect("written");
    let limits = CaptureLimits { timeout: Duration::from_secs(60), bytes: 1 << 20 };
    let background = Background::shared().expect("a thread");
    let run = |program: &Path,
               arguments: &[&std::ffi::OsStr],
               env: Vec<(std::ffi::OsString, std::ffi::OsString)>| {
        let mut argv = vec![program.as_os_str().to_owned()];
        argv.extend(arguments.iter().map(|word| (*word).to_owned()));
        let spawn = Spawn {
            program: program.to_owned(),
            argv,
            env,
            cwd: sources.0.path().to_owned(),
            ..Spawn::default()
        };
        background.output(spawn, limits).expect("started")
    };
    let cc = Path::new(&built.command[0]);
    let path = vec![("PATH".into(), "/usr/bin:/bin".into())];
    let made = run(cc, &["host.c".as_ref(), "-o".as_ref(), "host".as_ref(), "-ldl".as_ref()], path);
    assert!(made.exit.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let preload = std::env::join_paths(&built.preload).expect("paths");
    let env = if built.preload.is_empty() { Vec::new() } else { vec![("LD_PRELOAD".into(), preload)] };
    run(&sources.path("host"), &[built.library.as_os_str()], env)
}

#[test]
fn a_build_that_watches_itself_sees_faults() {
    let sources = Sources::new(&[
        ("good.c", "int kv_entry(int n, int *x) { return x[n] + n; }\n"),
        ("beyond.c", "int kv_entry(int n, int *x) { return x[n + 1]; }\n"),
        ("overflow.c", "int kv_entry(int n, int *x) { return (2147483647 - x[0] + n) != 0; }\n"),
    ]);
    let build = |name: &str, sanitize| sources.build(name, &["-O1"], sanitize).expect("built");
    let plain = call(&sources, &build("beyond.c", false));
    assert!(matches!(plain.exit, Exit::Code(code) if code < 90), "without a watch nobody sees it: {plain:?}");
    let good = call(&sources, &build("good.c", true));
    assert_eq!(good.exit, Exit::Code(3), "{}", String::from_utf8_lossy(&good.stderr));
    for (name, told) in [("beyond.c", "heap-buffer-overflow"), ("overflow.c", "signed integer overflow")] {
        let seen = call(&sources, &build(name, true));
        let log = String::from_utf8_lossy(&seen.stderr).into_owned();
        assert!(!seen.exit.success() && log.contains(told) && log.contains(name), "{name}: {log}");
    }
}

#[test]
fn a_build_that_watches_itself_is_of_the_same_text() {
    let faulty = "int kv_entry(int n, int *x) {\n#ifdef __SANITIZE_ADDRESS__\nreturn n + x[0];\n#else\nreturn x[n + 1];\n#endif\n}\n";
    let sources = Sources::new(&[("kernel.c", faulty)]);
    sources.build("kernel.c", &["-O1"], false).expect("built");
    let flags = ["-O1".to_owned()];
    let started = build::start_watched(&sources.path("kernel.c"), &flags, &sources.path("out"));
    let both = [started.and_then(build::Started::finish), sources.build("kernel.c", &["-O1"], true)];
    for watched in both {
        let seen = call(&sources, &watched.expect("built"));
        let log = String::from_utf8_lossy(&seen.stderr).into_owned();
        assert!(log.contains("heap-buffer-overflow") && log.contains("kernel.c:5"), "{log}");
    }
}
