//! What a call is: axes, sizes, tensors, scalars, oracles, workloads.

use super::{Folder, check, with};

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
            "{value: 1.0e-6}",
            "{}",
            "task.yaml:15:3: the scalar `eps` has no value; write `value: 1.0e-6`, or `values: [1.0e-6, 1.0e-5]`: the first is measured, all are checked",
        ),
        (
            "{value: 1.0e-6}",
            "{value: 1.0e-6, values: [1.0]}",
            "task.yaml:15:3: `eps` is given twice; keep `value` or `values`",
        ),
        (
            "{value: 1.0e-6}",
            "{values: [1.0e-6, 1.0e-6]}",
            "task.yaml:15:9: `eps` has a value twice; take one of them away",
        ),
        (
            "{value: 1.0e-6}",
            "{values: [1.0e-6, 1.001e-6]}",
            "task.yaml:15:3: at 1.001e-6 `eps` gives the same as at 1e-6, as far as the tolerance tells: a kernel that knows only the first would pass, or the oracle ignores it; take values further apart, add to `scales` where the number matters, or let the oracle read the scalar",
        ),
        (
            "outputs:\n  y: {dtype: bf16, shape: [R, C], strides: row_padded_ok}\n",
            "outputs: {}\n",
            "task.yaml:12:1: there is no output; name at least one",
        ),
        (
            "[0.05, 1, 30]",
            "[0, 1]",
            "task.yaml:10:65: `scales` multiply the values of an input; they must be numbers above 0; such as `[0.05, 1, 30]`",
        ),
        (
            "[0.05, 1, 30]",
            "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17]",
            "task.yaml:10:65: 17 scales take too long; give up to 16: every check of values runs at each",
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
        (
            "[{R: 1, C: 8}]\n  uuids: [a, b]",
            "task.yaml:20:3: 2 names are given for 1 shapes; give one for each of `shapes`; in a `file` they stand in its lines",
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
            "workloads.jsonl:1:7: unknown field `axis`, expected one of `axes`, `headline`, `uuid`; a line is `{\"axes\": {\"R\": 512}, \"headline\": true}`",
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

#[test]
fn interpreters_are_checked() {
    check(&[
        (
            "roofline: {bytes",
            "build: {python: []}\nroofline: {bytes",
            "task.yaml:25:9: no interpreter is named; for example `[python3]`",
        ),
        (
            "roofline: {bytes",
            "build: {python_env: {lower: x}}\nroofline: {bytes",
            "task.yaml:25:22: `lower` is no name of a variable; use `A-Z`, `0-9` and `_`",
        ),
        (
            "roofline: {bytes",
            "build: {python_env: {LD_PRELOAD: x}}\nroofline: {bytes",
            "task.yaml:25:22: `LD_PRELOAD` is not for a task to set; leave it out",
        ),
        (
            "abi: {symbol: kv_entry,",
            "abi: {form: python, device: cuda, array: numpy, symbol: kv_entry,",
            "task.yaml:5:35: numpy has no arrays on a GPU; write `array: torch`",
        ),
    ]);
}
