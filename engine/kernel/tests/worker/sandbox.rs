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
        // Nobody takes the place of the worker's own functions, or of the C library's.
        "KERNEL { return syscall(SYS_mprotect, OWN, 4096, 3); }",
        "KERNEL { return syscall(SYS_mprotect, LIBC, 4096, 3); }",
        "KERNEL { return syscall(SYS_mprotect, LIBC - 4096, 3 * 4096, 3); }",
        "KERNEL { return syscall(SYS_munmap, LIBC, 4096); }",
        "KERNEL { return syscall(SYS_madvise, OWN, 4096, 4); }",
        "KERNEL { return syscall(SYS_mremap, LIBC, 4096, 8192, 1); }",
        "KERNEL { void *from = malloc(8192); return syscall(SYS_mremap, (uintptr_t)from & ~4095ull, 4096, 4096, 3, LIBC); }",
        "KERNEL { return syscall(SYS_mmap, LIBC, 4096, 3, 0x32, -1, 0); }",
        // Nor does it look whether a request is there, or is told anything else.
        "#include <sys/socket.h>\nKERNEL { char c; struct iovec part = {&c, 1}; struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
          return recvmsg(200, &m, MSG_PEEK | MSG_DONTWAIT); }",
        // The answer of a worker is the worker's.
        "#include <sys/socket.h>\nKERNEL { char message[336] = {0}; message[8] = 5; send(200, message, 336, MSG_NOSIGNAL); return 0; }",
        "#include <sys/socket.h>\nKERNEL { char message[336] = {0}; message[8] = 5; send(200, message, 336, 0); return 0; }",
    ];
    for body in bodies {
        assert_eq!(bench.end(body, Edge::End), End::Sandbox, "{body}");
    }
}

/// Sends the worker's reply itself, with the number of the request that it finds on the heap, and computes on where no clock of a call looks.
const BETWEEN: &str = r"
#include <sys/socket.h>
#include <stdio.h>
#include <time.h>
static uint64_t *heap;
__attribute__((constructor)) static void begin(void) {
    char line[512];
    FILE *maps = fopen(`/proc/self/maps`, `r`);
    while (fgets(line, sizeof line, maps))
        if (strstr(line, `[heap]`)) heap = (uint64_t *)strtoull(line, 0, 16);
    fclose(maps);
}
/* Of its ten words one is the kind of a call, one is drawn at random, and the others are zero. */
static uint64_t number(const uint64_t *words) {
    uint64_t drawn = 0;
    int zeros = 0, kinds = 0;
    for (int at = 0; at < 10; at++) {
        zeros += words[at] == 0, kinds += words[at] == 3;
        if (words[at] >> 48) drawn = words[at];
    }
    return zeros == 8 && kinds == 1 ? drawn : 0;
}
static uint64_t request(void) {
    for (uint64_t *at = heap; at + 42 < (uint64_t *)sbrk(0); at += 2)
        if (number(at)) return number(at);
    return 0;
}
KERNEL {
    RIGHT
    uint64_t reply[42] = {request(), 5};
    if (!reply[0]) return 5;
    send(200, reply, sizeof reply, MSG_NOSIGNAL);
    struct timespec then, now;
    clock_gettime(CLOCK_MONOTONIC, &then);
    do clock_gettime(CLOCK_MONOTONIC, &now);
    while ((now.tv_sec - then.tv_sec) * 1000000000 + now.tv_nsec - then.tv_nsec < 100000000);
    return 0;
}";

#[test]
fn what_is_computed_between_requests_is_seen() {
    let bench = bench();
    let mut idles = Vec::new();
    for body in [RIGHT, BETWEEN] {
        let mut worker = bench.start(&body.replace('`', "\""));
        worker.map(&filled(1000, 1, Edge::End, false)).unwrap();
        assert_eq!(worker.call(0).unwrap().rc, 0, "{body}");
        let before = worker.idle();
        std::thread::sleep(Duration::from_millis(300));
        // Of the one that replied by itself this is the end: the worker replies as well.
        let again = worker.call(0);
        assert_eq!(again.map(|called| called.rc), if body == RIGHT { Ok(0) } else { Err(End::Sandbox) });
        idles.push(worker.idle() - before);
    }
    assert!(idles[0] < Duration::from_millis(5), "an honest worker waits: {idles:?}");
    assert!(idles[1] > Duration::from_millis(10), "{idles:?}");
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
