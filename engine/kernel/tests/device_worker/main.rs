//! Workers of a device, on the simulated driver of `tests/driver`: what they compute, what they see, and how they end. Nothing here has run
//! on a GPU. Here is what the tests share.

#![cfg(feature = "cuda")]

mod absent;
#[path = "../driver/mod.rs"]
mod driver;
mod kernels;
mod libraries;
mod sandbox;
#[path = "../support/tools.rs"]
mod tools;

use assay_kernel::case::{Arg, Case, Kind, Launch, Role, Tensor};
use assay_kernel::dtype::DType;
use assay_kernel::layout::Layout;
use assay_kernel::task::{Abi, Device, Form, Limits};
use assay_kernel::worker::{Arena, Edge, End, Launcher, Probed, Worker};
use driver::{Simulated, simulated};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// `y[i] = x[i] * factor`, with what a fault needs around it.
const SCALE: &str = r#"
static __device__ long long begun;
extern "C" __global__ void scale(const float *x, float *y, long long n, float factor) {
    long long at = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    BEFORE
    if (at < n) y[at] = x[at] * factor;
    AFTER
}
"#;

/// What every host source begins with. The entry is `KERNEL { ... }`; `run(stream, shared)` launches the kernel and gives the error.
const HOST: &str = r"
#define _GNU_SOURCE
#include <api.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
typedef struct { void *data; struct { int32_t type, id; } device; int32_t ndim; struct { uint8_t code, bits; uint16_t lanes; } dtype;
    int64_t *shape, *strides; uint64_t byte_offset; } DLTensor;
static CUfunction kernel(void) {
    static CUfunction found;
    CUmodule module;
    if (!found && cuModuleLoadData(&module, IMAGE) == 0) cuModuleGetFunction(&found, module, `scale`);
    return found;
}
static int launch(void *x, void *y, long long n, float factor, CUstream stream, unsigned shared) {
    void *params[] = {&x, &y, &n, &factor};
    return cuLaunchKernel(kernel(), (n + 255) / 256, 1, 1, 256, 1, 1, shared, stream, params, 0);
}
#define KERNEL int32_t kv_entry(const DLTensor *in, int n_in, DLTensor *out, int n_out, const double *scalars, int n, void *stream)
#define run(stream, shared) launch(in[0].data, out[0].data, in[0].shape[0], (float)scalars[0], (CUstream)(stream), shared)
";

struct Bench {
    folder: TempDir,
    driver: Simulated,
    abi: Abi,
    limits: Limits,
    words: &'static str,
}

fn bench(form: Form) -> Bench {
    let symbol = if form == Form::CudaKernel { "scale" } else { "kv_entry" };
    Bench {
        folder: TempDir::new().expect("a folder"),
        driver: simulated(),
        abi: Abi { form, device: Device::Cuda, inplace_allowed: true, ..Abi::c(symbol) },
        limits: Limits { call_ms: 20_000, memory_mib: 256, total_s: 60 },
        words: "",
    }
}

impl Bench {
    fn launcher(&self) -> Launcher {
        Launcher {
            program: env!("CARGO_BIN_EXE_assay-kernel-worker").into(),
            args: Vec::new(),
            env: self.driver.env(self.words),
        }
    }

    /// An image of the kernel with code before and after what is right.
    fn image(&self, before: &str, after: &str) -> String {
        self.driver.image(&SCALE.replace("BEFORE", before).replace("AFTER", after), "scale")
    }

    fn try_start(&self, file: &Path) -> Result<Worker, End> {
        Worker::start(&self.launcher(), file, &self.abi, &self.limits)
    }

    /// A worker with an image.
    fn kernel(&self, before: &str, after: &str) -> Worker {
        let file = self.folder.path().join("kernel.ptx");
        std::fs::write(&file, self.image(before, after)).expect("written");
        self.try_start(&file).expect("a worker")
    }

    /// A worker with the right kernel, which declares what it does not use.
    fn declaring(&self, declared: &str) -> Worker {
        let source = SCALE.replace("BEFORE", "").replace("AFTER", "");
        let file = self.folder.path().join("kernel.ptx");
        std::fs::write(&file, self.driver.image_with(&source, "scale", declared)).expect("written");
        self.try_start(&file).expect("a worker")
    }

    fn host(&self, body: &str, more: &[&str]) -> PathBuf {
        let image = self.image("", "").replace('\n', "\\n").replace('"', "\\\"");
        let head = HOST.replace("IMAGE", &format!("\"{image}\""));
        let source = format!("{head}{body}\n").replace('`', "\"");
        self.driver.host(&source, self.folder.path(), more)
    }

    /// A worker with host code.
    fn library(&self, body: &str) -> Worker {
        self.try_start(&self.host(body, &[])).expect("a worker")
    }

    /// What is seen of a call of host code.
    fn probed(&self, body: &str) -> Probed {
        let mut worker = self.library(body);
        let arena = filled(1000, 1, Edge::End, false);
        worker.map(&arena).expect("mapped");
        worker.probe(0).expect("probed")
    }

    /// The end of one call with tensors of 1,000 elements.
    fn end(&self, mut worker: Worker) -> End {
        worker.map(&filled(1000, 2, Edge::End, false)).expect("mapped");
        let end = worker.call(1).expect_err("no call comes back");
        assert_eq!(worker.call(0), Err(end.clone()), "asked again, it says the same");
        end
    }
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
        launch: Some(Launch {
            grid: [elements.div_ceil(256) as u32, 1, 1],
            block: [256, 1, 1],
            shared: 0,
            args: vec![Arg::Tensor(0), Arg::Tensor(1), Arg::I64(elements as i64), Arg::F32(3.0)],
        }),
        shift: 0,
    }
}

fn value(set: usize, at: usize) -> f64 {
    (set * 10_000 + at) as f64
}

const POISON: u8 = 0xa5;

fn fill(case: &Case, arena: &mut Arena) {
    let elements = case.tensors[0].layout.len();
    for set in 0..arena.sets() {
        let values: Vec<f64> = (0..elements).map(|at| value(set, at)).collect();
        arena.bytes_mut(set, 1).fill(POISON);
        case.tensors[0].layout.write(&values, arena.bytes_mut(set, 0));
    }
}

fn filled(elements: usize, sets: usize, edge: Edge, alias: bool) -> Arena {
    let case = case(elements);
    let mut arena = Arena::new(&case, sets, edge, 1, alias).expect("memory");
    fill(&case, &mut arena);
    arena
}

#[track_caller]
fn is_right(bytes: &[u8], elements: usize, set: usize) {
    let got = case(elements).tensors[1].layout.read(bytes);
    let right: Vec<f64> = (0..elements).map(|at| 3.0 * value(set, at)).collect();
    assert_eq!(got, right);
}
