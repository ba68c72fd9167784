//! What host code beside a device may not ask of the system.

use super::*;

#[test]
fn the_sandbox_ends_what_is_not_work_for_the_device() {
    let bench = bench(Form::CDltensor);
    let bodies = [
        "KERNEL { return fork(); }",
        "KERNEL { return syscall(SYS_fork); }",
        "KERNEL { char *none[] = {0}; return execve(`/bin/true`, none, none); }",
        "KERNEL { return syscall(SYS_socket, 2, 1, 0); }",
        "KERNEL { return syscall(SYS_openat, -100, `/tmp/x`, 0102, 0600); }",
        "KERNEL { return syscall(SYS_openat, -100, `/tmp`, 1 | 020200000, 0); }",
        "KERNEL { return syscall(SYS_unlink, `/tmp/x`); }",
        "KERNEL { return syscall(SYS_kill, 1, 0); }",
        "KERNEL { return syscall(SYS_kill, getppid(), 9); }",
        "KERNEL { return syscall(SYS_ptrace, 0, 0, 0, 0); }",
        "KERNEL { return syscall(SYS_process_vm_readv, getppid(), 0, 0, 0, 0, 0); }",
        "KERNEL { return syscall(SYS_prlimit64, getppid(), 7, 0, 0); }",
        "KERNEL { return syscall(SYS_prctl, 1, 0, 0, 0, 0); }",
        "KERNEL { unsigned long all = 1; return syscall(SYS_sched_setaffinity, 0, 8, &all); }",
        "KERNEL { return syscall(SYS_clone, 17, 0, 0, 0, 0); }",
        // The same by the numbers of another interface.
        #[cfg(target_arch = "x86_64")]
        "KERNEL { return syscall(0x40000000 + SYS_fork); }",
        // From a thread of the driver, too.
        "static void other(void *data) { fork(); } KERNEL { cuLaunchHostFunc(stream, other, 0); return run(stream, 0); }",
    ];
    for body in bodies {
        assert_eq!(bench.end(bench.library(body)), End::Sandbox, "{body}");
    }
}

#[test]
fn initialisers_run_in_the_sandbox() {
    let bench = bench(Form::CDltensor);
    let library = bench.host(
        "__attribute__((constructor)) static void begin(void) { if (fork() == 0) _exit(0); } KERNEL { return run(stream, 0); }",
        &[],
    );
    assert_eq!(bench.try_start(&library).map(|_| ()), Err(End::Sandbox));
}

#[test]
fn a_tool_that_watches_may_do_more() {
    let bench = bench(Form::CDltensor);
    // As a tool that starts the worker itself, and has something to say.
    let mut launcher = bench.launcher();
    let worker = std::mem::replace(&mut launcher.program, "/bin/sh".into());
    launcher.args = vec!["-c".into(), "echo watched >&2; exec \"$0\"".into(), worker.into()];
    let library = bench.host("KERNEL { if (fork() == 0) _exit(0); return run(stream, 0); }", &[]);
    let mut worker =
        Worker::start_watched(&launcher, &library, &bench.abi, &bench.limits, &[]).expect("a worker");
    let arena = filled(1000, 1, Edge::End, false);
    worker.map(&arena).expect("mapped");
    assert_eq!(worker.call(0).expect("served").rc, 0);
    is_right(arena.bytes(0, 1), 1000, 0);
    assert_eq!(worker.report(), "watched\n");
}

/// A worker in a tool, which is another process and says its last words when the worker has ended.
fn in_a_tool(bench: &Bench) -> Launcher {
    let mut launcher = bench.launcher();
    let worker = std::mem::replace(&mut launcher.program, "/bin/sh".into());
    launcher.args = vec!["-c".into(), "\"$0\"; sleep 0.2; echo last words >&2".into(), worker.into()];
    launcher
}

#[test]
fn a_tool_has_time_for_its_last_words_after_a_fault() {
    let bench = bench(Form::CudaKernel);
    let file = bench.folder.path().join("kernel.ptx");
    std::fs::write(&file, bench.image("", "if (at == 0) y[1ll << 30] = 1;")).expect("written");
    let mut worker =
        Worker::start_watched(&in_a_tool(&bench), &file, &bench.abi, &bench.limits, &[]).expect("a worker");
    worker.map(&filled(1000, 1, Edge::End, false)).expect("mapped");
    let end = worker.call(0).expect_err("it faults");
    assert_eq!(end, End::Launch { error: "CUDA_ERROR_ILLEGAL_ADDRESS".to_owned() });
    assert_eq!(worker.report(), "last words\n");
}

/// A tool knows allocations and not tensors: each tensor ends where its allocation does.
#[test]
fn a_tool_sees_reads_behind_a_tensor() {
    let bench = bench(Form::CudaKernel);
    let file = bench.folder.path().join("kernel.ptx");
    std::fs::write(&file, bench.image("", "if (at == 0) y[0] = x[n];")).expect("written");
    let arena = filled(1024, 2, Edge::End, false);
    let mut alone = bench.try_start(&file).expect("a worker");
    alone.map(&arena).expect("mapped");
    assert_eq!(alone.call(0).expect("nobody sees it").rc, 0);
    let mut worker =
        Worker::start_watched(&in_a_tool(&bench), &file, &bench.abi, &bench.limits, &[]).expect("a worker");
    worker.map(&arena).expect("mapped");
    assert_eq!(worker.call(1), Err(End::Launch { error: "CUDA_ERROR_ILLEGAL_ADDRESS".to_owned() }));
}

#[test]
fn what_work_for_the_device_needs_is_allowed() {
    let bench = bench(Form::CDltensor);
    let mut worker = bench.library(
        "#include <pthread.h>
         static void *other(void *data) { pthread_setname_np(pthread_self(), `other`); return data; }
         KERNEL { pthread_t thread; if (pthread_create(&thread, 0, other, 0)) return 1; pthread_join(thread, 0);
           CUstream own; if (cuStreamCreate(&own, 1) || cuStreamDestroy(own)) return 2;
           void *memory = malloc(64 << 20); if (!memory) return 3; free(memory);
           int null = syscall(SYS_openat, -100, `/dev/null`, 02); if (null < 0) return 4; close(null);
           if (syscall(SYS_prctl, 3, 0, 0, 0, 0) < 0) return 6;
           if (getenv(`HOME`) || getenv(`PATH`) || !getenv(`LD_LIBRARY_PATH`)) return 5;
           return run(stream, 0); }",
    );
    let arena = filled(1000, 1, Edge::End, false);
    worker.map(&arena).expect("mapped");
    for _ in 0..3 {
        assert_eq!(worker.call(0).expect("served").rc, 0);
        is_right(arena.bytes(0, 1), 1000, 0);
    }
}
