//! Loading tasks: what is right loads, and each thing that is wrong says where, what and the way out.

mod call;
mod limits;
mod whole;
mod written;

use assay_kernel::task::{self, Loaded};
use std::path::{Path, PathBuf};

const TASK: &str = r#"apiVersion: assay/v1
kind: KernelTask
name: rmsnorm_bf16
description: Root mean square norm over the last dimension.
abi: {symbol: kv_entry, inplace_allowed: true}
axes:
  R: {range: [1, 4096]}
  C: {range: [8, 8192], multiple_of: 8}
inputs:
  x: {dtype: bf16, shape: [R, C], strides: row_padded_ok, gen: {scales: [0.05, 1, 30]}}
  w: {dtype: bf16, shape: [C], gen: {mean: 1, std: 0.25}}
outputs:
  y: {dtype: bf16, shape: [R, C], strides: row_padded_ok}
scalars:
  eps: {value: 1.0e-6}
oracle: {builtin: rmsnorm}
tolerance: {accum: {n: C, unit: fp32}}
workloads:
  file: workloads.jsonl
reject:
- dtype: {x: fp32}
- rank: {x: 1}
- inner_stride: {x: 2}
baseline: {path: baseline, file: kernel.c}
roofline: {bytes: 4*R*C + 2*C, flops: 4*R*C}
"#;
const WORKLOADS: &str = "{\"axes\": {\"R\": 64, \"C\": 768}}\n\n{\"axes\": {\"C\": 1024, \"R\": 16}, \"headline\": false, \"uuid\": \"w2\"}\n";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("a folder"));
        folder.write("task.yaml", TASK).write("workloads.jsonl", WORKLOADS);
        std::fs::create_dir(folder.path("baseline")).expect("a folder");
        folder.write("baseline/kernel.c", "int kv_entry(void) { return 0; }\n");
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> &Self {
        std::fs::write(self.path(name), text).expect("a file");
        self
    }

    fn load(&self) -> Loaded {
        task::load(&self.path("task.yaml")).expect("a task")
    }

    /// The error, without the folder.
    fn error(&self) -> String {
        let error = task::load(&self.path("task.yaml")).expect_err("an error").to_string();
        error.replace(&format!("{}/", self.0.path().display()), "")
    }
}

/// The error of the task with one text in place of another.
fn with(from: &str, to: &str) -> String {
    assert!(TASK.contains(from), "`{from}` does not stand in the task");
    let folder = Folder::new();
    folder.write("task.yaml", &TASK.replacen(from, to, 1));
    folder.error()
}

fn check(cases: &[(&str, &str, &str)]) {
    let found = cases.iter().map(|(from, to, _)| with(from, to)).collect::<Vec<_>>();
    let wrong = cases.iter().zip(&found).filter(|((_, _, message), found)| found != message);
    let wrong: Vec<String> = wrong.map(|(case, found)| format!("{case:?}\n  found: {found}")).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_right_task_loads() {
    let loaded = Folder::new().load();
    assert_eq!((loaded.task.name.as_str(), loaded.digest.len()), ("rmsnorm_bf16", 64));
    let files: Vec<&Path> = loaded.files.iter().map(|file| file.path.as_path()).collect();
    assert_eq!(files, [Path::new("baseline/kernel.c"), Path::new("workloads.jsonl")]);
    let uuids: Vec<_> = loaded.shapes.iter().map(|shape| shape.uuid.as_deref()).collect();
    assert_eq!(uuids, [None, Some("w2")]);
    let shapes: Vec<_> =
        loaded.shapes.iter().map(|shape| (shape.axes["R"], shape.axes["C"], shape.headline)).collect();
    assert_eq!(shapes, [(64, 768, true), (16, 1024, false)]);
    assert_eq!(loaded.shapes[1].axes.keys().collect::<Vec<_>>(), ["R", "C"], "in the task's order");
}
