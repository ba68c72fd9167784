//! Foreign libraries in workers: what they compute, and every way in which they end.

#![expect(clippy::unwrap_used, reason = "tests")]

use assay_kernel::case::{Case, Kind, Role, Tensor};
use assay_kernel::dtype::DType;
use assay_kernel::layout::Layout;
use assay_kernel::task::{Abi, Form, Limits};
use assay_kernel::worker::{Arena, Block, Edge, End, Fault, Launcher, Mode, Place, Worker};
use assay_process::{Background, CaptureLimits, Captured, Spawn};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// What every source begins with: `y[i] = x[i] * scalars[0]` over bytes of floats.
const HEAD: &str = r"
#define _GNU_SOURCE
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
typedef struct { void *data; struct { int32_t type, id; } device; int32_t ndim; struct { uint8_t code, bits; uint16_t lanes; } dtype;
    int64_t *shape, *strides; uint64_t byte_offset; } DLTensor;
_Static_assert(sizeof(DLTensor) == 48, `DLTensor`);
#define KERNEL int32_t kv_entry(const DLTensor *in, int n_in, DLTensor *out, int n_out, const double *scalars, int n, void *stream)
#ifndef SYS_fork
#define SYS_fork SYS_clone
#define SYS_open SYS_openat
#endif
#define X ((volatile float *)in[0].data)
#define Y ((volatile float *)out[0].data)
#define N (in[0].shape[0])
#define RIGHT for (int64_t i = 0; i < N; i++) Y[i] = X[i] * (float)scalars[0];
";

const RIGHT: &str = "KERNEL { RIGHT return 0; }";

struct Bench {
    folder: TempDir,
    abi: Abi,
    limits: Limits,
}

fn bench() -> Bench {
    Bench {
        folder: TempDir::new().unwrap(),
        abi: Abi { form: Form::CDltensor, symbol: "kv_entry".to_owned(), inplace_allowed: true, align: 1 },
        limits: Limits { call_ms: 1000, memory_mib: 256, total_s: 60 },
    }
}

impl Bench {
    fn build(&self, body: &str) -> PathBuf {
        let (source, library) = (self.folder.path().join("kernel.c"), self.folder.path().join("kernel.so"));
        std::fs::write(&source, format!("{}{body}\n", HEAD.replace('`', "\""))).unwrap();
        let cc = "cc -O1 -shared -fPIC -w -o kernel.so kernel.c -lm";
        let built = run(shell(&format!("cd '{}' && {cc}", self.folder.path().display())));
        assert!(built.exit.success(), "{}", String::from_utf8_lossy(&built.stderr));
        library
    }

    fn try_start(&self, body: &str) -> Result<Worker, End> {
        Worker::start(&launcher(), &self.build(body), &self.abi, &self.limits)
    }

    fn start(&self, body: &str) -> Worker {
        self.try_start(body).unwrap()
    }

    /// The end of one call with tensors of 1,000 elements.
    fn end(&self, body: &str, edge: Edge) -> End {
        let mut worker = self.start(body);
        worker.map(&filled(1000, 2, edge, false)).unwrap();
        let end = worker.call(1).expect_err("no call comes back");
        assert_eq!(worker.call(0), Err(end.clone()), "asked again, it says the same");
        end
    }
}

fn shell(script: &str) -> Spawn {
    Spawn {
        program: "/bin/sh".into(),
        argv: ["sh", "-c", script].map(Into::into).to_vec(),
        env: vec![("PATH".into(), "/usr/bin:/bin".into())],
        cwd: "/".into(),
        ..Spawn::default()
    }
}

/// Not by the standard library: workers are waited for centrally, and that takes every child.
fn run(spawn: Spawn) -> Captured {
    let limits = CaptureLimits { timeout: Duration::from_secs(120), bytes: 1 << 20 };
    Background::shared().unwrap().output(spawn, limits).unwrap()
}

fn launcher() -> Launcher {
    Launcher { program: env!("CARGO_BIN_EXE_assay-kernel-worker").into(), args: Vec::new() }
}

fn case(elements: usize) -> Case {
    let tensor = |name: &str, role| Tensor {
        name: name.to_owned(),
        role,
        layout: Layout::contiguous(DType::Fp32, &[elements]),
    };
    Case {
        kind: Kind::Measured,
        axes: [("N".to_owned(), elements as u64)].into_iter().collect(),
        tensors: vec![tensor("x", Role::Input), tensor("y", Role::Output)],
        scalars: vec![3.0],
    }
}

fn value(set: usize, at: usize) -> f64 {
    (set * 10_000 + at) as f64
}

fn filled(elements: usize, sets: usize, edge: Edge, alias: bool) -> Arena {
    let case = case(elements);
    let mut arena = Arena::new(&case, sets, edge, 1, alias).unwrap();
    for set in 0..sets {
        let values: Vec<f64> = (0..elements).map(|at| value(set, at)).collect();
        arena.bytes_mut(set, 1).fill(0xa5);
        case.tensors[0].layout.write(&values, arena.bytes_mut(set, 0));
    }
    arena
}

#[track_caller]
fn is_right(bytes: &[u8], elements: usize, set: usize) {
    let got = case(elements).tensors[1].layout.read(bytes);
    let right: Vec<f64> = (0..elements).map(|at| 3.0 * value(set, at)).collect();
    assert_eq!(got, right);
}

fn touched(end: &End) -> Fault {
    match end {
        End::Crashed { signal: libc::SIGSEGV, fault: Some(fault) } => *fault,
        other => panic!("not a touch of memory: {other:?}"),
    }
}

#[test]
fn a_right_call_is_right_at_both_edges_and_in_place() {
    let bench = bench();
    let mut worker = bench.start(RIGHT);
    for elements in [0, 1, 1000, 1024, 5000] {
        for edge in [Edge::Start, Edge::End] {
            let arena = filled(elements, 3, edge, false);
            worker.map(&arena).unwrap();
            for set in [2, 0, 1] {
                let called = worker.call(set).unwrap();
                assert_eq!(
                    (called.rc, called.mode_before, called.mode_after),
                    (0, Mode::DEFAULT, Mode::DEFAULT)
                );
                assert!(called.ns <= called.host_ns);
                is_right(arena.bytes(set, 1), elements, set);
            }
            assert_eq!(arena.margins_intact(), None);
        }
    }
    let arena = filled(1000, 1, Edge::End, true);
    worker.map(&arena).unwrap();
    let inputs = arena.bytes(0, 0).to_vec();
    assert_eq!(inputs, arena.bytes(0, 1), "one memory");
    worker.call(0).unwrap();
    assert_ne!(inputs, arena.bytes(0, 0));
    assert_eq!(worker.call(9).unwrap_err().to_string(), "the worker: no such set");
}

#[test]
fn a_tvm_ffi_function_is_called_with_outputs_last() {
    let mut bench = bench();
    bench.abi.form = Form::TvmFfi;
    let mut worker = bench.start(
        "typedef struct { int32_t type, pad; union { int64_t i; double f; void *p; } v; } Any;
         int __tvm_ffi_kv_entry(void *self, const Any *args, int32_t n_args, Any *result) {
           if (n_args != 3 || args[0].type != 7 || args[1].type != 3 || args[2].type != 7 || result->type != 0) return -1;
           DLTensor *in = args[0].v.p, *out = args[2].v.p; const double *scalars = &args[1].v.f;
           RIGHT return 0; }",
    );
    let arena = filled(100, 1, Edge::End, false);
    worker.map(&arena).unwrap();
    assert_eq!(worker.call(0).unwrap().rc, 0);
    is_right(arena.bytes(0, 1), 100, 0);
}

#[test]
fn blocks_take_sets_in_order_a_snapshot_and_the_first_failure() {
    let bench = bench();
    // Each call leaves its number in the first output element.
    let mut worker =
        bench.start("static int calls; KERNEL { Y[0] = ++calls; return calls == 40 ? -12 : 0; }");
    let mut arena = filled(10, 8, Edge::Start, false);
    worker.map(&arena).unwrap();
    let block = Block { sets: vec![5, 3, 3, 7], snapshot: Some((1, 1)) };
    let done = worker.block(&block).unwrap();
    assert_eq!((done.failed, done.mode_after), (None, Mode::DEFAULT));
    assert!(done.ns + done.copy_ns <= done.host_ns);
    let first = |bytes: &[u8]| DType::Fp32.read(&bytes[..4]);
    assert_eq!([5, 3, 7].map(|set| first(arena.bytes(set, 1))), [1.0, 3.0, 4.0]);
    assert_eq!(first(arena.snapshot()), 2.0, "as it was after the second call");
    arena.bytes_mut(0, 1).fill(0);
    let done = worker.block(&Block { sets: vec![0; 1000], snapshot: None }).unwrap();
    assert_eq!(done.failed, Some((35, -12)));
    assert_eq!(first(arena.bytes(0, 1)), 40.0, "nothing is called after it");
}

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
fn memory_is_limited_and_may_be_asked_for() {
    let bench = bench();
    let mut worker = bench.start(
        "KERNEL { size_t bytes = (size_t)scalars[0] << 26; char *p = malloc(bytes); if (!p) return -12; memset(p, 1, bytes); free(p);
           return malloc(3ull << 30) ? 1 : 0; }",
    );
    let mut case = case(10);
    // 192 MiB of 256.
    for (factor, rc) in [(3.0, 0), (5.0, -12)] {
        case.scalars = vec![factor];
        worker.map(&Arena::new(&case, 1, Edge::End, 1, false).unwrap()).unwrap();
        assert_eq!(worker.call(0).unwrap().rc, rc);
    }
}

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
#[cfg(target_arch = "x86_64")]
fn changed_modes_of_floating_point_are_told_and_put_back() {
    let bench = bench();
    let mut worker = bench.start(
        "#include <fenv.h>
         #include <immintrin.h>
         static int calls; KERNEL { RIGHT calls++;
           if (calls == 2) _mm_setcsr(_mm_getcsr() | 0x8040);
           if (calls == 4) fesetround(FE_TOWARDZERO);
           if (calls == 6) { unsigned short word = 0x27f; __asm__ volatile(`fldcw %0` : : `m`(word)); }
           return 0; }"
            .replace('`', "\"")
            .as_str(),
    );
    let arena = filled(10, 1, Edge::End, false);
    worker.map(&arena).unwrap();
    let modes: Vec<_> = (0..7).map(|_| worker.call(0).unwrap()).collect();
    assert!(modes.iter().all(|called| called.mode_before == Mode::DEFAULT));
    let deltas = modes.iter().map(|called| {
        (called.mode_after.vector ^ Mode::DEFAULT.vector, called.mode_after.x87 ^ Mode::DEFAULT.x87)
    });
    let none = (0, 0);
    assert_eq!(
        deltas.collect::<Vec<_>>(),
        [none, (0x8040, 0), none, (0x6000, 0xc00), none, (0, 0x100), none]
    );
    let mut worker = bench.start(
        "#include <fenv.h>\nstatic int calls; KERNEL { if (++calls == 3) fesetround(FE_UPWARD); return 0; }",
    );
    worker.map(&arena).unwrap();
    let done = worker.block(&Block { sets: vec![0; 9], snapshot: None }).unwrap();
    assert_eq!(done.mode_after.vector ^ Mode::DEFAULT.vector, 0x4000);
}

#[test]
fn a_thousand_calls_in_a_row() {
    let bench = bench();
    let mut worker = bench.start(RIGHT);
    let mut arena = filled(100, 4, Edge::End, false);
    worker.map(&arena).unwrap();
    for call in 0..1000 {
        arena.bytes_mut(call % 4, 1).fill(0xa5);
        assert_eq!(worker.call(call % 4).unwrap().rc, 0);
        is_right(arena.bytes(call % 4, 1), 100, call % 4);
    }
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

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Alone in its process: other tests have workers and descriptors of their own.
#[test]
#[ignore = "started by the test below, alone"]
fn alone_many_workers() {
    let bench = bench();
    let library = bench.build(RIGHT);
    let arena = filled(10, 1, Edge::End, false);
    let one = |_| {
        let mut worker = Worker::start(&launcher(), &library, &bench.abi, &bench.limits).unwrap();
        worker.map(&arena).unwrap();
        worker.call(0).unwrap();
        worker.pid()
    };
    one(0);
    let before = descriptors();
    let pids: Vec<u32> = (0..200).map(one).collect();
    assert_eq!(descriptors(), before);
    assert!(pids.iter().all(|pid| !std::path::Path::new(&format!("/proc/{pid}")).exists()));
    assert_eq!(assay_process::own_children(), Vec::<u32>::new());
}

/// Holds a worker that hangs in a call, until somebody kills this process.
#[test]
#[ignore = "started by the test below, and killed"]
fn alone_hanging() {
    let mut bench = bench();
    bench.limits.call_ms = 600_000;
    let mut worker = bench.start("KERNEL { volatile int *y = out[0].data; for (;;) *y = 1; }");
    let arena = filled(10, 1, Edge::End, false);
    worker.map(&arena).unwrap();
    println!("worker {}", worker.pid());
    let _ = worker.call(0);
}

fn alone(name: &str) -> Spawn {
    let program = std::env::current_exe().unwrap();
    let argv = ["test", "--exact", name, "--ignored", "--nocapture", "--test-threads=1"];
    Spawn { program, argv: argv.map(Into::into).to_vec(), ..shell("") }
}

#[test]
fn two_hundred_workers_leave_nothing() {
    let done = run(alone("alone_many_workers"));
    let text = [done.stdout, done.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert!(done.exit.success() && text.contains("1 passed"), "{text}");
}

#[test]
fn a_killed_judge_leaves_no_worker() {
    use std::io::{BufRead as _, BufReader};
    let (read, write) = assay_process::pipe().unwrap();
    let spawn = Spawn { stdout: write.into(), ..alone("alone_hanging") };
    let mut judge = Background::shared().unwrap().spawn(spawn).unwrap();
    let mut lines = BufReader::new(std::fs::File::from(read)).lines().map_while(Result::ok);
    let pid = lines.find_map(|line| Some(line.split_once("worker ")?.1.trim().to_owned())).unwrap();
    let worker = assay_process::identity_of(pid.parse().unwrap()).expect("it runs");
    // Time to be in the call: without it, only the closed socket would be tested.
    std::thread::sleep(Duration::from_millis(100));
    judge.kill();
    judge.wait(Duration::from_secs(5)).unwrap();
    let start = Instant::now();
    while assay_process::is_alive(&worker) {
        assert!(start.elapsed() < Duration::from_secs(5), "the worker lives on");
        std::thread::sleep(Duration::from_millis(2));
    }
}
