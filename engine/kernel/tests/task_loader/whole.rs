//! A task as a whole: whether it asks for anything, and what its lock covers.

use super::{Folder, TASK, with};

/// The oracle's answers tell whether a task asks for anything.
#[test]
fn a_task_that_asks_for_nothing_is_refused() {
    let adder = |b: &str| {
        let folder = Folder::new();
        let task = format!(
            "apiVersion: assay/v1\nkind: KernelTask\nname: t\ndescription: d\nabi: {{symbol: f}}\naxes: {{N: {{range: [1, 64]}}}}\ninputs:\n  {b}\noutputs: {{y: {{dtype: fp32, shape: [N]}}}}\noracle: {{builtin: copy}}\nworkloads: {{shapes: [{{N: 8}}]}}\nbaseline: {{path: baseline, file: kernel.c}}\n"
        );
        folder.write("task.yaml", &task);
        folder.error()
    };
    let way_out = "a kernel that does nothing would pass; give inputs another `gen`, or another task";
    for (input, message) in [
        ("x: {dtype: fp32, shape: [N], gen: {std: 0.0001}}", "`y` is almost zero everywhere: at most "),
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
    // Nothing is computed for tensors that no check can hold.
    let error = adder("x: {dtype: fp32, shape: [N, 100000000]}");
    assert!(error.contains("too many to try"), "{error}");
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
    let (at, help) = (
        "task.yaml:24:12: the baseline",
        "put a file or a folder there, or give its path from the task's folder",
    );
    std::os::unix::fs::symlink("/etc/passwd", folder.path("baseline/link.h")).expect("a link");
    assert_eq!(
        folder.error(),
        format!(
            "{at} `baseline/link.h` cannot be read: the lock holds only files and folders, no links; {help}"
        )
    );
    std::fs::remove_dir_all(folder.path("baseline")).expect("removed");
    assert_eq!(
        folder.error(),
        format!("{at} `baseline` cannot be read: No such file or directory (os error 2); {help}")
    );
}

#[test]
fn a_baseline_is_a_file_or_a_file_in_a_folder() {
    for (from, to, message) in [
        (
            "{path: baseline, file: kernel.c}",
            "{path: baseline}",
            "the baseline `baseline` is a folder; name its source there with `file`, such as `file: kernel.c`",
        ),
        (
            "path: baseline,",
            "path: baseline/kernel.c,",
            "the baseline `baseline/kernel.c` is a file; take `file` away, or give a folder",
        ),
        (
            "file: kernel.c",
            "file: other.c",
            "the baseline's folder `baseline` has no `other.c`; give the path of its source from that folder",
        ),
    ] {
        assert_eq!(with(from, to), format!("task.yaml:24:12: {message}"));
    }
    assert_eq!(
        with("file: kernel.c", "file: ../kernel.c"),
        "task.yaml:24:28: the baseline's file must lie in its folder; give its path from there"
    );
}

/// A header of the baseline is as much the baseline as its source.
#[test]
fn what_a_baseline_includes_is_locked_with_it() {
    let folder = Folder::new();
    let in_folder = folder.load();
    folder.write("baseline/unused.h", "int unused;\n");
    assert_ne!(folder.load().baseline_sha(), in_folder.baseline_sha(), "all of a folder counts");
    let single = TASK.replace("{path: baseline, file: kernel.c}", "{path: ./baseline/kernel.c}");
    folder.write("task.yaml", &single);
    let alone = folder.load();
    assert_eq!(alone.baseline(), folder.path("./baseline/kernel.c"));
    folder.write("baseline/unused.h", "int still_unused;\n");
    assert_eq!(folder.load().digest, alone.digest, "nothing includes it");
    folder.write("baseline/kernel.c", "#include \"part.h\"\n").write("baseline/part.h", "int part;\n");
    let with_header = folder.load();
    let names: Vec<String> = with_header.files.iter().map(|file| file.path.display().to_string()).collect();
    assert_eq!(names, ["baseline/kernel.c", "baseline/part.h", "workloads.jsonl"]);
    folder.write("baseline/part.h", "int other;\n");
    assert_eq!(with_header.changed(), ["baseline/part.h"]);
    let changed = folder.load();
    assert!(changed.digest != with_header.digest && changed.baseline_sha() != with_header.baseline_sha());
}
