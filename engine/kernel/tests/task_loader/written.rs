//! Syntax, types and the head of a task.

use super::{Folder, check};

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

/// Whoever mends a task sees all of it at once: what the text, the types or the meaning lack, each in the order of its lines.
#[test]
fn all_that_is_wrong_is_told_at_once() {
    let folder = Folder::new();
    let told = |changes: &[(&str, &str)]| -> Vec<String> {
        let mut text = super::TASK.to_owned();
        for (from, to) in changes {
            assert!(text.contains(from), "{from}");
            text = text.replacen(from, to, 1);
        }
        folder.write("task.yaml", &text);
        folder.error().lines().map(|line| line.split(';').next().unwrap_or_default().to_owned()).collect()
    };
    let types = told(&[
        (
            "dtype: bf16, shape: [R, C], strides: row_padded_ok, gen",
            "dtype: bf17, shape: [R, C], stridse: row_padded_ok, gen",
        ),
        ("symbol: kv_entry", "align: 1"),
        ("roofline", "roofine"),
        ("range: [1, 4096]", "range: [1, many]"),
    ]);
    let known = [
        "task.yaml:5:6: the field `symbol` is missing",
        "task.yaml:7:18: found string \"many\", expected u64",
        "task.yaml:10:14: unknown value `bf17`",
        "task.yaml:10:35: unknown field `stridse`",
        "task.yaml:25:1: unknown field `roofine`",
    ];
    assert_eq!(types, known);
    let fields = told(&[
        ("name: rmsnorm_bf16\n", ""),
        ("baseline: {path", "basis: {path"),
        ("oracle: {builtin: rmsnorm}\n", ""),
    ]);
    let known = [
        "task.yaml:1:1: the field `name` is missing",
        "task.yaml:1:1: the field `oracle` is missing",
        "task.yaml:1:1: the field `baseline` is missing",
        "task.yaml:22:1: unknown field `basis`",
    ];
    assert_eq!(fields, known);
    let meaning = told(&[
        ("assay/v1", "assay/v2"),
        ("name: rmsnorm_bf16", "name: RmsNorm"),
        ("shape: [C], gen", "shape: [D], gen"),
        ("builtin: rmsnorm", "builtin: rmsnrom"),
        ("n: C", "n: CC"),
        ("x: 1}", "z: 1}"),
        ("path: baseline,", "path: basis,"),
    ]);
    let known = [
        "task.yaml:1:1: `assay/v2` is no version of this language",
        "task.yaml:3:1: `RmsNorm` cannot be a name",
        "task.yaml:11:28: `D` names `D`, which is no axis",
        "task.yaml:16:10: `rmsnrom` does not ship with Assay",
        "task.yaml:17:21: `CC` names `CC`, which is no axis",
        "task.yaml:22:10: `z` is no tensor of the task",
        "task.yaml:24:12: the baseline `basis` cannot be read: No such file or directory (os error 2)",
    ];
    assert_eq!(meaning, known);
    let twice = told(&[("kind: KernelTask", "kind: KernelTask\nkind: X"), ("axes:", "axes: {}\naxes:")]);
    assert_eq!(twice.len(), 2, "{twice:?}");
    folder.write("task.yaml", super::TASK);
    folder.write(
        "workloads.jsonl",
        "{\"axes\": {\"R\": 0, \"C\": 768}}\n{}\n{\"axes\": {\"R\": 1, \"C\": 8}}\n",
    );
    let lines = folder.error();
    assert_eq!(lines.lines().count(), 1, "what is no shape comes first: {lines}");
    folder.write("workloads.jsonl", "{\"axes\": {\"R\": 0, \"C\": 768}}\n{\"axes\": {\"R\": 1, \"C\": 9}}\n");
    assert_eq!(folder.error().lines().count(), 2, "{}", folder.error());
}
