//! Foreign libraries in workers: what they compute, and every way in which they end. Here is what the tests share.

#![expect(clippy::unwrap_used, reason = "tests")]

mod calls;
mod ends;
#[path = "../support/launcher.rs"]
mod launcher;
mod left;
mod sandbox;

use assay_kernel::case::{Case, Kind, Role, Tensor};
use assay_kernel::dtype::DType;
use assay_kernel::layout::Layout;
use assay_kernel::task::{Abi, Form, Limits};
use assay_kernel::worker::{Arena, Block, Edge, End, Fault, Mode, Place, SANITIZER_EXIT, Worker};
use assay_process::{Background, CaptureLimits, Captured, Spawn};
use launcher::launcher;
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
#define OWN ((uintptr_t)__builtin_return_address(0) & ~4095ull)
#define LIBC ((uintptr_t)malloc & ~4095ull)
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
        abi: Abi { inplace_allowed: true, ..Abi::c("kv_entry") },
        limits: Limits { call_ms: 1000, memory_mib: 256, total_s: 60 },
    }
}

impl Bench {
    fn build(&self, body: &str) -> PathBuf {
        self.build_with("", body)
    }

    fn build_with(&self, flags: &str, body: &str) -> PathBuf {
        let (source, library) = (self.folder.path().join("kernel.c"), self.folder.path().join("kernel.so"));
        std::fs::write(&source, format!("{}{body}\n", HEAD.replace('`', "\""))).unwrap();
        let cc = format!("cc -O1 -shared -fPIC -w {flags} -o kernel.so kernel.c -lm");
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
        launch: None,
        shift: 0,
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
