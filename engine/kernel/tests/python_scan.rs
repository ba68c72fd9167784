//! What is read in a Python source without running it: common tricks are named with their line, honest kernels pass. Needs an
//! interpreter, and nothing in it.

#[path = "support/interpreter.rs"]
mod interpreter;

use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// An interpreter that knows the names of its own modules.
fn any() -> Option<PathBuf> {
    interpreter::find("import sys; sys.stdlib_module_names", "there is no `python3` of version 3.10 or later")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// What is found in a source: codes with their lines.
fn found(python: &Path, source: &str, allow: &[&str]) -> Vec<(String, u64)> {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("kernel.py"), source).expect("written");
    let scan = root().join("python/scan.py");
    let settings = json!({ "file": "kernel.py", "symbol": "entry", "allow": allow }).to_string();
    // The scan reads its standard input.
    let script = format!(
        "{} -I -S -B {} '{settings}' < kernel.py",
        python.to_str().expect("a path in UTF-8"),
        scan.to_str().expect("a path in UTF-8")
    );
    let told = interpreter::run(Path::new("/bin/sh"), &["-c", &script], folder.path()).expect("a scan");
    let told: Value = serde_json::from_str(&told).expect("JSON");
    if let Some(syntax) = told["syntax"].as_object() {
        return vec![("BUILD_FAILED".to_owned(), syntax["line"].as_u64().expect("a line"))];
    }
    let all = told["findings"].as_array().expect("findings").iter();
    all.map(|one| (one["code"].as_str().expect("a code").to_owned(), one["line"].as_u64().expect("a line")))
        .collect()
}

/// Line 1 imports; the entry's body begins in line 3.
fn with(body: &str) -> String {
    let body = body.replace('\n', "\n    ");
    format!(
        "import numpy as np, torch, triton, triton.language as tl, functools, dataclasses, typing\ndef entry(inputs, outputs, scalars, stream):\n    {body}\n"
    )
}

const IMPORT: &str = "FORBIDDEN_IMPORT";
const INSTRUCTION: &str = "FORBIDDEN_INSTRUCTION";
const CONSTRUCTOR: &str = "FORBIDDEN_CONSTRUCTOR";

#[test]
fn tricks_inside_the_entry_are_named_with_their_line() {
    let Some(python) = any() else { return };
    let mut wrong = Vec::new();
    for (body, code) in [
        ("import os", IMPORT),
        ("from time import perf_counter", IMPORT),
        ("from . import other", IMPORT),
        ("from numpy import *", IMPORT),
        ("import torch.utils.cpp_extension", IMPORT),
        ("open('x')", IMPORT),
        ("f = eval", IMPORT),
        ("__builtins__", IMPORT),
        ("globals()['x']", IMPORT),
        ("torch.load('x')", IMPORT),
        ("torch._C", IMPORT),
        ("torch.ops.aten.add", IMPORT),
        ("torch.set_flush_denormal(True)", IMPORT),
        ("torch.cuda.Stream()", IMPORT),
        ("torch.cuda.synchronize()", IMPORT),
        ("triton.testing.do_bench", IMPORT),
        ("np.memmap", IMPORT),
        ("np.ma.core.inspect", IMPORT),
        ("functools.sys.modules", IMPORT),
        ("typing.sys", IMPORT),
        ("getattr(torch, 'load')", IMPORT),
        ("tl.device_print('x')", IMPORT),
        ("from torch import cuda\ncuda.Event()", IMPORT),
        ("tl.inline_asm_elementwise('x')", INSTRUCTION),
        ("().__class__", INSTRUCTION),
        ("entry.__globals__", INSTRUCTION),
        ("getattr(torch, inputs)", INSTRUCTION),
        ("g = getattr", INSTRUCTION),
        ("setattr(inputs, 'x', 1)", INSTRUCTION),
        ("np.add = None", INSTRUCTION),
        ("torch.Tensor.copy_ = None", INSTRUCTION),
        ("del np.add", INSTRUCTION),
        ("for np.add in inputs: pass", INSTRUCTION),
        ("library = torch", INSTRUCTION),
        ("inputs[0].base", INSTRUCTION),
        ("inputs[0].untyped_storage()", INSTRUCTION),
        ("inputs[0].ctypes.data", INSTRUCTION),
        ("inputs[0].tofile('x')", INSTRUCTION),
        ("np = None", INSTRUCTION),
        ("match inputs:\n    case list(__class__=c): pass", INSTRUCTION),
        ("try: pass\nexcept Exception: pass", INSTRUCTION),
        ("try: pass\nexcept ValueError: return 0", INSTRUCTION),
        ("try: pass\nfinally: return 0", INSTRUCTION),
    ] {
        let seen = found(&python, &with(body), &[]);
        // Where an import comes first in the body the trick is behind it.
        let line = 3 + u64::from(["from torch", "match", "try"].iter().any(|start| body.starts_with(start)));
        if !seen.contains(&(code.to_owned(), line)) {
            wrong.push(format!("{body:?}: {seen:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn work_at_import_is_named_with_its_line() {
    let Some(python) = any() else { return };
    for text in [
        "x = np.zeros(3)",
        "x = [f() for f in ()]",
        "if np: pass",
        "np.add(1, 2)",
        "def other(x=np.zeros(3)): pass",
        "def other(x: np.zeros(3)): pass",
        "@print\ndef other(): pass",
        "class Other(metaclass=dict): pass",
        "class Other:\n    x = np.zeros(3)",
        "with np: pass",
    ] {
        let seen = found(&python, &format!("import numpy as np\ndef entry(a, b, c, d): pass\n{text}\n"), &[]);
        let fits = |(code, line): &(String, u64)| code == CONSTRUCTOR && (3..=4).contains(line);
        assert!(seen.iter().any(fits), "{text:?}: {seen:?}");
    }
    assert_eq!(found(&python, "x = 1\n", &[]), [("ABI_SYMBOL_MISSING".to_owned(), 1)]);
    assert_eq!(found(&python, "x = (\n", &[])[0].0, "BUILD_FAILED");
}

#[test]
fn honest_kernels_pass() {
    let Some(python) = any() else { return };
    let none: Vec<(String, u64)> = Vec::new();
    for body in [
        "x = inputs[0].float()\noutputs[0].copy_(x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True)))",
        "np.copyto(outputs[0], np.trace(inputs[0]))\nnp.array([1])",
        "with np.errstate(all='ignore'):\n    np.divide(inputs[0], 3, out=outputs[0])",
        "try:\n    pass\nexcept ValueError as error:\n    raise TypeError('no') from error",
        "try:\n    pass\nexcept ValueError:\n    return -1",
        "grid = lambda meta: (triton.cdiv(7, meta['B']),)\ntorch.nn.functional.silu(inputs[0])",
        "getattr(inputs[0], 'shape')",
        "torch.cuda.get_device_properties(0).multi_processor_count",
    ] {
        assert_eq!(found(&python, &with(body), &[]), none, "{body:?}");
    }
    let heads = "import triton\nimport triton.language as tl\nimport functools\nSIZE: int = 2 ** 7\nNAMES = {'a': (1, 2)}\n\
                 @triton.autotune(configs=[triton.Config({'B': b}) for b in (1, 2)], key=['n'])\n@triton.jit\n\
                 def kernel(x, n, B: tl.constexpr):\n    tl.store(x, tl.load(x))\n\
                 @functools.lru_cache(maxsize=None)\ndef entry(a, b, c, d): pass\n";
    assert_eq!(found(&python, heads, &[]), none);
    // What a task allows beside the usual.
    let more = with("import scipy.special\ntorch.compile(entry)");
    assert_eq!(found(&python, &more, &["scipy.special", "torch.compile"]), none);
    assert_eq!(found(&python, &more, &[]).len(), 2);
    for side in ["baseline", "candidate"] {
        let kernel = root().join("../../examples/kernels/rmsnorm-triton").join(side).join("kernel.py");
        let text = std::fs::read_to_string(&kernel).expect("an example").replace("kv_entry", "entry");
        assert_eq!(found(&python, &text, &[]), none, "{side}");
    }
}
