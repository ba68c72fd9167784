//! What the system is asked for, and what it refuses.

use super::*;

#[test]
fn the_sandbox_ends_what_is_not_computation() {
    let bench = bench();
    let bodies = [
        "KERNEL { return syscall(SYS_fork); }",
        "KERNEL { return fork(); }",
        "KERNEL { return syscall(SYS_socket, 2, 1, 0); }",
        "KERNEL { return syscall(SYS_openat, -100, \"/etc/passwd\", 0); }",
        "KERNEL { return syscall(SYS_open, \"/etc/passwd\", 0); }",
        "KERNEL { char c; return syscall(SYS_read, 0, &c, 1); }",
        "KERNEL { return syscall(SYS_kill, 1, 0); }",
        "KERNEL { return syscall(SYS_prctl, 1, 0, 0, 0, 0); }",
        "KERNEL { return syscall(SYS_prlimit64, 0, 9, 0, 0); }",
        "KERNEL { return syscall(SYS_ptrace, 0, 0, 0, 0); }",
        "KERNEL { return syscall(SYS_mprotect, (uintptr_t)out[0].data & ~4095ull, 4096, 7); }",
        "#include <sys/mman.h>\nKERNEL { return mmap(0, 4096, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED; }",
        // The answer of a worker is the worker's.
        "#include <sys/socket.h>\nKERNEL { char message[336] = {0}; message[8] = 5; send(200, message, 336, 0); return 0; }",
    ];
    for body in bodies {
        assert_eq!(bench.end(body, Edge::End), End::Sandbox, "{body}");
    }
}

#[test]
fn a_library_is_in_the_sandbox_while_it_is_loaded() {
    let bench = bench();
    let constructor = |body: &str| {
        bench.try_start(&format!("__attribute__((constructor)) void begin() {{ {body} }} {RIGHT}"))
    };
    assert!(constructor("getpid();").is_ok());
    for body in
        ["fork();", "syscall(SYS_openat, -100, \"/tmp/x\", 0101, 0600);", "syscall(SYS_socket, 2, 1, 0);"]
    {
        assert_eq!(constructor(body).map(|_| ()), Err(End::Sandbox), "{body}");
    }
    assert_eq!(constructor("exit(3);").map(|_| ()), Err(End::EarlyExit { code: 3 }));
    let null = constructor("*(volatile int *)0 = 1;").map(|_| ());
    assert_eq!(null, Err(End::Crashed { signal: libc::SIGSEGV, fault: None }));
}

#[test]
fn what_computation_needs_is_allowed() {
    let body = "#include <math.h>
        static int order(const void *a, const void *b) { return *(int *)a - *(int *)b; }
        KERNEL { RIGHT n = 1 << 18; int *all = malloc(n * sizeof(int)); void *more = 0;
          for (int i = 0; i < n; i++) all[i] = (i * 2654435761u) >> 8;
          qsort(all, n, sizeof(int), order);
          for (int i = 1; i < n; i++) if (all[i - 1] > all[i]) return 1;
          all = realloc(all, 64 << 20); free(all);
          if (posix_memalign(&more, 1 << 16, 1 << 20)) return 2;
          free(more);
          return expf(Y[0]) >= 0 && sin(Y[1]) <= 1 ? 0 : 3; }";
    let bench = bench();
    let mut worker = bench.start(body);
    let arena = filled(1000, 1, Edge::End, false);
    worker.map(&arena).unwrap();
    for _ in 0..3 {
        assert_eq!(worker.call(0).unwrap().rc, 0);
        is_right(arena.bytes(0, 1), 1000, 0);
    }
}
