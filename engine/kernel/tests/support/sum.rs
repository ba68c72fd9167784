//! A task whose kernel adds two tensors, at sizes that take no time, in a folder of its own.

use super::launcher::launcher;
use assay_kernel::judge::{JudgeError, Judgement, Progress, Setup, judge};
use assay_kernel::task::{self, Loaded};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

pub const TASK: &str = r#"
apiVersion: assay/v1
kind: KernelTask
name: sum
description: Adds two tensors.
abi: {symbol: sum}
axes: {N: {range: [1, 100000]}}
inputs:
  a: {dtype: fp32, shape: [N]}
  b: {dtype: fp32, shape: [N]}
outputs:
  y: {dtype: fp32, shape: [N]}
oracle: {builtin: add}
workloads: {shapes: [{N: 4096}]}
hidden: {odd: [1, 7, 33], random: 2, max_elements: 5000}
build: {cpu: ["-O2", "-std=c11"]}
baseline: {path: baseline.c, commit: "67b2a9e"}
timing: {processes: 3, samples: 20, block_us: 1000, max_aa: 0.2, extend: 1}
"#;

/// A kernel up to its loop.
pub const HEAD: &str = r#"
#include "assay_kernel.h"
ASSAY_EXPORT int32_t sum(const DLTensor *in, int n_in, DLTensor *out, int n_out, const double *s, int n_s, void *stream) {
    (void)s, (void)n_s, (void)stream;
    if (n_in != 2 || n_out != 1) return ASSAY_UNSUPPORTED;
    const float *a = assay_data(&in[0]), *b = assay_data(&in[1]);
    float *y = assay_data(&out[0]);
    int64_t n = out[0].shape[0];
"#;

/// Slow on purpose: each element is stored many times.
pub const SLOW: &str =
    "for (int64_t i = 0; i < n; i++) for (volatile int k = 0; k < 8; k++) y[i] = a[i] + b[i]; return 0; }";
pub const FAST: &str = "for (int64_t i = 0; i < n; i++) y[i] = a[i] + b[i]; return 0; }";
pub const WRONG: &str = "for (int64_t i = 0; i < n; i++) y[i] = a[i] - b[i]; return 0; }";

/// The folder of a task.
pub struct Scene {
    folder: TempDir,
}

impl Scene {
    /// With a task and the rest of its baseline.
    pub fn new(task: &str, baseline: &str) -> Self {
        let scene = Self { folder: tempfile::tempdir().expect("a folder") };
        scene.write("task.yaml", task);
        scene.source("baseline.c", baseline);
        scene
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("written");
    }

    /// Writes a kernel with this rest.
    pub fn source(&self, name: &str, body: &str) -> PathBuf {
        self.write(name, &format!("{HEAD}{body}"));
        self.path(name)
    }

    pub fn load(&self) -> Loaded {
        task::load(&self.path("task.yaml")).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Judges a candidate, as `change` wants it.
    pub fn judge(
        &self,
        loaded: &Loaded,
        candidate: &Path,
        change: impl FnOnce(&mut Setup<'_>),
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Judgement, JudgeError> {
        let mut setup = Setup::new(loaded, candidate, launcher(), &self.path("scratch"));
        change(&mut setup);
        judge(&setup, progress)
    }
}
