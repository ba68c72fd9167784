//! How calls end that should not have been made, and libraries that are none.

use super::*;

#[test]
fn touches_beyond_a_tensor_name_the_tensor() {
    let bench = bench();
    let fault = touched(&bench.end("KERNEL { RIGHT Y[N] = 1; return 0; }", Edge::End));
    let after = Fault { set: 1, tensor: 1, place: Place::After, write: true, offset: 4000 };
    assert_eq!(fault, after);
    let fault =
        touched(&bench.end("KERNEL { Y[0] = ((volatile char *)in[0].data)[4 * N]; return 0; }", Edge::End));
    assert_eq!(fault, Fault { tensor: 0, write: false, ..after }, "one byte");
    let fault = touched(&bench.end("KERNEL { Y[0] = X[N + 7]; return 0; }", Edge::End));
    assert_eq!(fault, Fault { tensor: 0, write: false, offset: 4028, ..after });
    let fault =
        touched(&bench.end("KERNEL { ((volatile char *)out[0].data)[-1] = 1; return 0; }", Edge::Start));
    assert_eq!(fault, Fault { place: Place::Before, offset: -1, ..after });
    let fault = touched(&bench.end("KERNEL { float x = X[5]; X[5] = 0; X[5] = x; return 0; }", Edge::End));
    assert_eq!(fault, Fault { tensor: 0, place: Place::ReadOnly, offset: 20, ..after });
    let end = bench.end("KERNEL { *(volatile int *)0 = 1; return 0; }", Edge::End);
    assert_eq!(touched(&end), Fault { set: 0, tensor: 0, place: Place::Elsewhere, write: true, offset: 0 });
    assert_eq!(end.to_string(), "it died of SIGSEGV, writing at address 0x0");
    // What describes the tensors is read-only too.
    assert_eq!(touched(&bench.end("KERNEL { out->data = 0; return 0; }", Edge::End)).place, Place::Elsewhere);
}

#[test]
fn inputs_cannot_be_made_writable() {
    let body = "#include <sys/mman.h>
        KERNEL { char *page = (char *)((uintptr_t)in[0].data & ~4095ull);
          if (mprotect(page, 4096, PROT_READ | PROT_WRITE) == 0) X[0] = 1; return 9; }";
    let bench = bench();
    let mut worker = bench.start(body);
    worker.map(&filled(1000, 1, Edge::Start, false)).unwrap();
    assert_eq!(worker.call(0).unwrap().rc, 9);
}

#[test]
fn a_write_into_the_margin_shows_in_its_canary() {
    let bench = bench();
    let mut worker = bench.start("KERNEL { RIGHT Y[-1] = 1; return 0; }");
    let mut arena = filled(1000, 2, Edge::End, false);
    worker.map(&arena).unwrap();
    worker.call(1).unwrap();
    assert_eq!(arena.margins_intact(), Some((1, 1)));
    assert_eq!((arena.margin(1, 1).0.len(), arena.margin(1, 1).1.len()), (96, 0));
    arena.restore_margins();
    assert_eq!(arena.margins_intact(), None);
}

#[test]
fn other_deaths_are_told_apart() {
    let bench = bench();
    let end = |body: &str| bench.end(body, Edge::End);
    let crashed = |signal| End::Crashed { signal, fault: None };
    assert_eq!(end("KERNEL { exit(0); }"), End::EarlyExit { code: 0 });
    assert_eq!(end("KERNEL { _exit(7); }"), End::EarlyExit { code: 7 });
    assert_eq!(end("KERNEL { abort(); }"), crashed(libc::SIGABRT));
    assert_eq!(end("KERNEL { __builtin_trap(); }"), crashed(libc::SIGILL));
    let overflow =
        "static int deep(volatile char *p) { volatile char a[4096]; a[0] = *p; return deep(a) + a[0]; }
        KERNEL { char c = 1; return deep(&c); }";
    assert_eq!(touched(&end(overflow)).place, Place::Elsewhere, "reported from a stack of its own");
    let eater = "KERNEL { for (;;) { char *p = malloc(1 << 20); memset(p, 1, 1 << 20); } }";
    assert_eq!(end(eater), End::Memory);
    assert_eq!(
        bench.end("KERNEL { return *(volatile int *)0x8000000000000000; }", Edge::Start),
        crashed(libc::SIGSEGV),
        "the processor gives no address"
    );
    let start = Instant::now();
    assert_eq!(
        end("KERNEL { for (;;) __asm__ volatile(``); }".replace('`', "\"").as_str()),
        End::Timeout { limit_ms: 1000 }
    );
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn libraries_that_cannot_be_loaded_say_why() {
    let bench = bench();
    let refused = |library: &std::path::Path| {
        Worker::start(&launcher(), library, &bench.abi, &bench.limits).map(|_| ()).unwrap_err().to_string()
    };
    let text = refused(&bench.folder.path().join("none.so"));
    assert!(text.contains("none.so`: No such file"), "{text}");
    std::fs::write(bench.folder.path().join("text.so"), "no library, whatever its name says").unwrap();
    assert!(refused(&bench.folder.path().join("text.so")).ends_with("is no ELF file"));
    let library = bench.build("extern int elsewhere(void); KERNEL { return elsewhere(); }");
    let text = refused(&library);
    assert!(text.contains("undefined symbol: elsewhere"), "{text}");
    let library = bench.build("int other(void) { return 0; }");
    assert_eq!(refused(&library), "the library has no `kv_entry`");
    // The field `e_machine`: 183 is AArch64, 62 is x86-64 (ELF specification).
    let other: u16 = if cfg!(target_arch = "x86_64") { 183 } else { 62 };
    std::fs::File::options()
        .write(true)
        .open(&library)
        .unwrap()
        .write_all_at(&other.to_le_bytes(), 18)
        .unwrap();
    let text = refused(&library);
    assert!(text.contains("is for ") && text.contains("this machine is "), "{text}");
}

#[test]
fn a_sanitizer_reports_what_guards_cannot_see() {
    let bench = bench();
    let asan = String::from_utf8(run(shell("cc -print-file-name=libasan.so")).stdout).unwrap();
    // Depending on the compiler that is a script for the linker; its number is what is loaded.
    let asan = std::fs::canonicalize(asan.trim()).expect("the compiler brings its sanitizers");
    let watched = |body: &str| {
        let library = bench.build_with("-g -fsanitize=address,undefined -fno-sanitize-recover=all", body);
        let mut worker = Worker::start_watched(
            &launcher(),
            &library,
            &bench.abi,
            &bench.limits,
            std::slice::from_ref(&asan),
        )
        .unwrap();
        worker.map(&filled(1000, 1, Edge::End, false)).unwrap();
        (worker.call(0), worker.report())
    };
    let (called, report) = watched(RIGHT);
    assert_eq!((called.unwrap().rc, report.as_str()), (0, ""));
    let found = Err(End::EarlyExit { code: SANITIZER_EXIT });
    let (called, report) =
        watched("KERNEL { char *volatile p = malloc(8); int i = N; return p[8 + i % 2] ? 1 : 2; }");
    assert_eq!(called, found);
    assert!(report.contains("heap-buffer-overflow") && report.contains("kernel.c:"), "{report}");
    let (called, report) = watched("KERNEL { int i = 0x7fffffff; i += (int)N; Y[0] = i; return 0; }");
    assert_eq!(called, found, "{report}");
    assert!(report.contains("signed integer overflow"), "{report}");
    let (called, _) = watched("KERNEL { RIGHT Y[N] = 1; return 0; }");
    assert_eq!(touched(&called.unwrap_err()).place, Place::After, "guards are there as always");
    assert_eq!(watched("KERNEL { return fork(); }").0, Err(End::Sandbox));
}
