//! Loading tasks: what is right loads, and each thing that is wrong says where, what and the way out.

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
baseline: {path: baseline}
roofline: {bytes: 4*R*C + 2*C, flops: 4*R*C}
"#;
const WORKLOADS: &str =
    "{\"axes\": {\"R\": 64, \"C\": 768}}\n\n{\"axes\": {\"C\": 1024, \"R\": 16}, \"headline\": false}\n";

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
    let shapes: Vec<_> =
        loaded.shapes.iter().map(|shape| (shape.axes["R"], shape.axes["C"], shape.headline)).collect();
    assert_eq!(shapes, [(64, 768, true), (16, 1024, false)]);
    assert_eq!(loaded.shapes[1].axes.keys().collect::<Vec<_>>(), ["R", "C"], "in the task's order");
}

#[test]
fn syntax_and_types_have_their_place() {
    check(&[
        (
            "kind: KernelTask",
            "kind: KernelTask\nkind: X",
            "task.yaml:3:1: the key `kind` is given twice in one mapping; remove or rename one of the two; nothing is silently overridden",
        ),
        ("axes:\n", "axs:\n", "task.yaml:6:1: unknown field `axs`; did you mean `axes`?"),
        ("scales: [0.05", "scale: [0.05", "task.yaml:10:65: unknown field `scale`; did you mean `scales`?"),
        ("x: {dtype: bf16", "x: {dtype: bf17", "task.yaml:10:14: unknown value `bf17`; did you mean `bf16`?"),
        (
            "x: {dtype: bf16",
            "x: {dtype: 16",
            "task.yaml:10:14: found a whole number, expected a name; known are `fp64`, `fp32`, `fp16`, `bf16`, `e4m3`, `e5m2`, `int64`, `int32`, `int8`, `uint8`, `bool`",
        ),
        (
            "strides: row_padded_ok, gen",
            "strides: any, gen",
            "task.yaml:10:44: unknown value `any`; known are `contiguous`, `row_padded_ok`",
        ),
        (
            "description: Root mean square norm over the last dimension.\n",
            "",
            "task.yaml:1:1: the field `description` is missing; add `description:`",
        ),
        (
            "abi: {symbol: kv_entry, inplace_allowed: true}",
            "abi: kv_entry",
            "task.yaml:5:6: found text, expected a mapping",
        ),
        (
            "abi: {symbol: kv_entry, inplace_allowed: true}",
            "abi: [c_dltensor, kv_entry]",
            "task.yaml:5:6: found a list, expected a mapping",
        ),
        ("range: [1, 4096]", "range: [1, 2, 3]", "task.yaml:7:14: found 3 elements, expected 2"),
        ("range: [1, 4096]", "range: [1]", "task.yaml:7:14: invalid length 1, expected an array of length 2"),
        (
            "range: [1, 4096]",
            "range: [-1, 4096]",
            "task.yaml:7:15: invalid value: integer `-1`, expected u64",
        ),
        ("range: [1, 4096]", "range: [1, many]", "task.yaml:7:18: found string \"many\", expected u64"),
        (
            "shape: [C], gen",
            "shape: [1.5], gen",
            "task.yaml:11:28: found floating point `1.5`, expected a size: a number, an axis, or an expression over axes",
        ),
    ]);
    let folder = Folder::new();
    folder.write("task.yaml", "");
    assert_eq!(folder.error(), "task.yaml:1:1: the file holds no document; write at least one `key: value`");
    folder.write("task.yaml", "a: [");
    assert!(folder.error().starts_with("task.yaml:1:"), "{}", folder.error());
    folder.write("task.yaml", &"# comment\n".repeat(200_000));
    assert_eq!(
        folder.error().split_once("read: ").expect("a reason").1,
        "2000000 bytes are too many; at most 1048576"
    );
    std::fs::remove_file(folder.path("task.yaml")).expect("removed");
    assert!(folder.error().ends_with("task.yaml` cannot be read: No such file or directory (os error 2)"));
}

#[test]
fn the_head_is_checked() {
    check(&[
        (
            "assay/v1",
            "assay/v2",
            "task.yaml:1:1: `assay/v2` is no version of this language; write `apiVersion: assay/v1`",
        ),
        ("KernelTask", "Skill", "task.yaml:2:1: `Skill` is no kernel task; write `kind: KernelTask`"),
        (
            "rmsnorm_bf16",
            "RmsNorm",
            "task.yaml:3:1: `RmsNorm` cannot be a name; use up to 64 of `a-z`, `0-9`, `_` and `-`, a letter first",
        ),
        (
            "Root mean square norm over the last dimension.",
            "\" \"",
            "task.yaml:4:1: the description is empty; say in a sentence what the kernel computes",
        ),
        (
            "symbol: kv_entry",
            "symbol: kv-entry",
            "task.yaml:5:7: `kv-entry` is no C identifier; use letters, digits and `_`, no digit first",
        ),
        (
            "inplace_allowed: true",
            "align: 24",
            "task.yaml:5:25: 24 is no alignment; give a power of two from 1 to 4096",
        ),
        (
            "y: {dtype: bf16",
            "y: {dtype: fp32",
            "task.yaml:5:25: `y` cannot lie in the memory of `x`: another type or shape; take `inplace_allowed` away",
        ),
    ]);
}

#[test]
fn axes_and_sizes_are_checked() {
    check(&[
        (
            "axes:\n  R: {range: [1, 4096]}\n  C: {range: [8, 8192], multiple_of: 8}\n",
            "axes: {}\n",
            "task.yaml:6:1: there is no axis; name at least one size that varies",
        ),
        (
            "  R: {range",
            "  if: {range",
            "task.yaml:7:3: `if` cannot name an axis; use letters, digits and `_`",
        ),
        (
            "range: [1, 4096]",
            "range: [0, 4096]",
            "task.yaml:7:7: [0, 4096] is no range of sizes; give the smallest size, from 1, then the largest",
        ),
        (
            "range: [1, 4096]",
            "range: [9, 8]",
            "task.yaml:7:7: [9, 8] is no range of sizes; give the smallest size, from 1, then the largest",
        ),
        (
            "[8, 8192], multiple_of: 8",
            "[9, 15], multiple_of: 8",
            "task.yaml:8:23: no size in [9, 15] is a multiple of 8; widen the range or give another multiple",
        ),
        (
            "multiple_of: 8",
            "multiple_of: 0",
            "task.yaml:8:25: no size in [8, 8192] is a multiple of 0; widen the range or give another multiple",
        ),
        (
            "x: {dtype: bf16, shape: [R, C]",
            "x: {dtype: bf16, shape: [R, D]",
            "task.yaml:10:31: `D` names `D`, which is no axis",
        ),
        (
            "x: {dtype: bf16, shape: [R, C]",
            "x: {dtype: bf16, shape: [R, C / 1.5]",
            "task.yaml:10:31: `C / 1.5` holds `.`; a size has whole numbers, axes, `+ - * // % **` and parentheses",
        ),
        ("n: C,", "n: CC,", "task.yaml:17:21: `CC` names `CC`, which is no axis; did you mean `C`?"),
        ("bytes: 4*R*C", "bytes: 4*R*K", "task.yaml:25:12: `4*R*K + 2*C` names `K`, which is no axis"),
        (
            "shape: [C], gen",
            "shape: [C - 768], gen",
            "no call at R=64 C=768: `w`: dimension 0, `C - 768`, is 0",
        ),
        (
            "shape: [C], gen",
            "shape: [C ** 5], gen",
            "no call at R=64 C=768: `w`: more than 17179869184 elements",
        ),
        (
            "shape: [C], gen",
            "shape: [C / 2], gen",
            "no call at R=64 C=768: `w`: `C / 2` is 384.0, no whole number from 0; divide with `//`",
        ),
        (
            "shape: [C], gen",
            "shape: [C ** 9], gen",
            "no call at R=64 C=768: `w`: `C ** 9` cannot be computed: it is larger than any memory",
        ),
    ]);
}

#[test]
fn tensors_scalars_and_oracles_are_checked() {
    check(&[
        ("  y: {", "  x: {", "task.yaml:13:3: `x` stands in `inputs` too; rename one of the two"),
        (
            "  eps: {",
            "  1e: {",
            "task.yaml:15:3: `1e` is no C identifier; use letters, digits and `_`, no digit first",
        ),
        (
            "outputs:\n  y: {dtype: bf16, shape: [R, C], strides: row_padded_ok}\n",
            "outputs: {}\n",
            "task.yaml:12:1: there is no output; name at least one",
        ),
        (
            "[0.05, 1, 30]",
            "[0, 1]",
            "task.yaml:10:65: scales must be numbers above 0; such as `[0.05, 1, 30]`",
        ),
        ("std: 0.25", "std: -1", "task.yaml:11:47: -1 is no spread; give a number from 0"),
        (
            "w: {dtype: bf16",
            "w: {dtype: int32",
            "task.yaml:11:33: `w` holds whole numbers, and its distribution does not; write `dist: integers` with `low` and `high`",
        ),
        (
            "strides: row_padded_ok}\n",
            "roundings: 0}\n",
            "task.yaml:13:35: 0 roundings cannot be; every result is rounded at least once; give 1 to 64",
        ),
        (
            "{builtin: rmsnorm}",
            "{}",
            "task.yaml:16:1: nothing tells the right answers; name a `builtin` function or the `command` of a program",
        ),
        (
            "{builtin: rmsnorm}",
            "{builtin: rmsnorm, command: [python3, a.py]}",
            "task.yaml:16:1: the oracle is given twice; keep `builtin` or `command`",
        ),
        (
            "{builtin: rmsnorm}",
            "{builtin: rms_norm}",
            "task.yaml:16:10: `rms_norm` does not ship with Assay; did you mean `rmsnorm`?",
        ),
        (
            "{builtin: rmsnorm}",
            "{builtin: softmax}",
            "task.yaml:16:10: `softmax` does not ship with Assay; known are `rmsnorm`, `qk_norm_rope`, `scale_shift`, `group_norm_silu`, `copy`, `add`",
        ),
        (
            "{builtin: rmsnorm}",
            "{builtin: rmsnorm, with: {wieght: w}}",
            "task.yaml:16:1: `rmsnorm` knows no setting `wieght`",
        ),
        (
            "{builtin: rmsnorm}",
            "{builtin: copy}",
            "task.yaml:11:3: `w` changes no output; take it away, or generate values of it that matter",
        ),
    ]);
}

#[test]
fn tolerances_rejections_and_limits_are_checked() {
    check(&[
        ("{accum: {n: C, unit: fp32}}", "{c_out: -1}", "task.yaml:17:13: -1 is no allowance; 0.5 is usual"),
        (
            "{accum: {n: C, unit: fp32}}",
            "{c_out: 80}",
            "task.yaml:17:13: `y` may be wrong by 32 % of its value; allow fewer roundings, or a finer type of the output",
        ),
        (
            "{accum: {n: C, unit: fp32}}",
            "{rel_l2_vs_baseline: 0.5}",
            "task.yaml:17:13: 0.5 is no ratio from 1 to 100; 1.25 lets chance pass and a second rounding not",
        ),
        ("{accum: {n: C, unit: fp32}}", "{max_bias_t: 0}", "task.yaml:17:13: 0 is no bias; 0.2 is usual"),
        (
            "unit: fp32",
            "unit: int32",
            "task.yaml:17:27: sums of whole numbers have no roundoff; name a float type",
        ),
        (
            "- dtype: {x: fp32}",
            "- dtype: {x: bf16}",
            "task.yaml:21:11: nothing is wrong with `x` there; give what the task does not allow",
        ),
        (
            "- dtype: {x: fp32}",
            "- {}",
            "task.yaml:21:3: 0 things are wrong in this call; make one thing wrong with one tensor, so that a refusal has one reason",
        ),
        (
            "- dtype: {x: fp32}",
            "- {dtype: {x: fp32}, rank: {w: 2}}",
            "task.yaml:21:3: 2 things are wrong in this call; make one thing wrong with one tensor, so that a refusal has one reason",
        ),
        ("rank: {x: 1}", "rank: {z: 1}", "task.yaml:22:10: `z` is no tensor of the task"),
        ("rank: {x: 1}", "rank: {x: 9}", "task.yaml:22:10: `x` cannot be made wrong so; name another fault"),
        (
            "inner_stride: {x: 2}",
            "inner_stride: {x: 1}",
            "task.yaml:23:18: nothing is wrong with `x` there; give what the task does not allow",
        ),
        (
            "path: baseline}",
            "path: /etc}",
            "task.yaml:24:12: the baseline must lie beside the task; give a relative path",
        ),
    ]);
    let added = |text: &str| {
        let folder = Folder::new();
        folder.write("task.yaml", &format!("{TASK}{text}\n"));
        folder.error()
    };
    for (text, message) in [
        ("timing: {processes: 2}", "task.yaml:26:10: 2 is too little to decide on; give at least 3"),
        ("timing: {extend: 0}", "task.yaml:26:10: 0 is too little to decide on; give at least 1"),
        ("timing: {min_effect: 1.5}", "task.yaml:26:10: 1.5 is no share; give a number between 0 and 1"),
        ("limits: {call_ms: 0}", "task.yaml:26:10: 0 lets nothing run; give at least 1"),
        ("hidden: {odd: [0]}", "task.yaml:26:10: 0 is no size; sizes start at 1"),
        ("hidden: {random: 5000}", "task.yaml:26:10: 5000 shapes take too long; draw up to 1000"),
        ("hidden: {max_elements: 0}", "task.yaml:26:10: no shape has 0 elements; give at least 1"),
    ] {
        assert_eq!(added(text), message);
    }
}

#[test]
fn workloads_are_checked() {
    let file = "workloads:\n  file: workloads.jsonl\n";
    let in_place = |shapes: &str| format!("workloads:\n  shapes: {shapes}\n");
    for (shapes, message) in [
        ("[]", "task.yaml:18:1: nothing is measured; give `shapes`, or a `file` with one shape per line"),
        ("[{R: 1}]", "task.yaml:19:12: the size of `C` is missing; add `C`"),
        ("[{R: 1, C: 8, Rows: 2}]", "task.yaml:19:25: `Rows` is no axis"),
        ("[{R: 1, C: 8}, {R: 5000, C: 8}]", "task.yaml:19:27: `R` cannot be 5000; its sizes are 1 to 4096"),
        ("[{R: 1, C: 12}]", "task.yaml:19:19: `C` cannot be 12; its sizes are 8 to 8192, a multiple of 8"),
        ("[{R: 1, C: 8}, {C: 8, R: 1}]", "task.yaml:19:26: this shape is measured twice; take one away"),
        (
            "[{R: 1, C: 8}]\n  file: workloads.jsonl",
            "task.yaml:18:1: workloads are given twice; keep `file` or `shapes`",
        ),
    ] {
        assert_eq!(with(file, &in_place(shapes)), message, "{shapes}");
    }
    let folder = Folder::new();
    for (lines, message) in [
        ("", "workloads.jsonl:1:1: the file holds no shape; write one shape per line"),
        (
            "{\"axes\": {\"R\": 1, \"C\": 8}}\n{\"axes\": {\"R\": 1}}",
            "workloads.jsonl:2:1: the size of `C` is missing; add `C`",
        ),
        (
            "{\"axes\": {\"R\": 1, \"C\": 8, \"R\": 2}}",
            "workloads.jsonl:1:1: the key `R` is given twice in one mapping; remove one of the two",
        ),
        (
            "{\"axis\": {}}",
            "workloads.jsonl:1:7: unknown field `axis`, expected `axes` or `headline`; a line is `{\"axes\": {\"R\": 512}, \"headline\": true}`",
        ),
        (
            "{\"axes\": {\"R\": 1, \"C\": 8}, \"headline\": false}",
            "task.yaml:18:1: no shape counts in the headline; leave `headline` out of at least one shape",
        ),
    ] {
        folder.write("workloads.jsonl", lines);
        assert_eq!(folder.error(), message, "{lines}");
    }
}

/// The oracle's answers tell whether a task asks for anything.
#[test]
fn a_task_that_asks_for_nothing_is_refused() {
    let adder = |b: &str| {
        let folder = Folder::new();
        let task = format!(
            "apiVersion: assay/v1\nkind: KernelTask\nname: t\ndescription: d\nabi: {{symbol: f}}\naxes: {{N: {{range: [1, 64]}}}}\ninputs:\n  {b}\noutputs: {{y: {{dtype: fp32, shape: [N]}}}}\noracle: {{builtin: copy}}\nworkloads: {{shapes: [{{N: 8}}]}}\nbaseline: {{path: baseline}}\n"
        );
        folder.write("task.yaml", &task);
        folder.error()
    };
    let way_out = "a kernel that does nothing would pass; give inputs another `gen`, or another task";
    for (input, message) in [
        ("x: {dtype: fp32, shape: [N], gen: {std: 0.001}}", "`y` is almost zero everywhere: at most 2."),
        (
            "x: {dtype: fp32, shape: [N], gen: {mean: 5, std: 0.01}}",
            "`y` is almost constant: its deviation is ",
        ),
        (
            "x: {dtype: fp32, shape: [N], gen: {dist: integers, low: 3, high: 4}}",
            "`y` is almost constant: its deviation is ",
        ),
    ] {
        let error = adder(input);
        assert!(
            error.starts_with(&format!("task.yaml:9:11: {message}")) && error.ends_with(way_out),
            "{error}"
        );
    }
    let error = adder("x: {dtype: fp16, shape: [N], gen: {scales: [1, 1e9]}}");
    assert!(error.contains("the right answer of `y` is not finite at scale 1000000000"), "{error}");
}

#[test]
fn the_lock_tells_what_changed() {
    let folder = Folder::new();
    let before = folder.load();
    assert_eq!(before.changed(), Vec::<String>::new());
    assert_eq!(folder.load().digest, before.digest);
    // Comments are not the task, but the file is no longer what was read.
    folder.write("task.yaml", &format!("# more\n{TASK}"));
    assert_eq!(before.changed(), [folder.path("task.yaml").display().to_string()]);
    assert_eq!(folder.load().digest, before.digest);
    // The order of inputs is the order of the call.
    let lines: Vec<&str> = TASK.lines().collect();
    let swapped =
        TASK.replacen(&format!("{}\n{}", lines[9], lines[10]), &format!("{}\n{}", lines[10], lines[9]), 1);
    folder.write("task.yaml", &swapped.replace("inplace_allowed: true", "inplace_allowed: false"));
    let order = folder.load().digest;
    folder.write("task.yaml", &TASK.replace("inplace_allowed: true", "inplace_allowed: false"));
    assert!(order != folder.load().digest && order != before.digest);
    folder
        .write("task.yaml", TASK)
        .write("baseline/kernel.c", "int x;\n")
        .write("baseline/new.c", "int z;\n");
    assert_eq!(before.changed(), ["baseline/kernel.c", "baseline/new.c"]);
    assert_ne!(folder.load().digest, before.digest);
    std::fs::remove_file(folder.path("workloads.jsonl")).expect("removed");
    assert_eq!(before.changed(), ["baseline/kernel.c", "workloads.jsonl", "baseline/new.c"]);
    std::fs::remove_dir_all(folder.path("baseline")).expect("removed");
    assert_eq!(before.changed(), ["baseline/kernel.c", "workloads.jsonl"]);
}

#[test]
fn links_and_missing_files_are_refused() {
    let folder = Folder::new();
    std::os::unix::fs::symlink("/etc/passwd", folder.path("baseline/link.h")).expect("a link");
    assert_eq!(
        folder.error(),
        "`baseline/link.h` cannot be read: the lock holds only files and folders, no links"
    );
    std::fs::remove_dir_all(folder.path("baseline")).expect("removed");
    assert_eq!(folder.error(), "`baseline` cannot be read: No such file or directory (os error 2)");
}
