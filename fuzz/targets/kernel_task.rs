//! Tasks of kernels: any text is a task or an error with a place in a file; a task has shapes, a digest that stays, and a JSON form.
#![no_main]

use assay_kernel::case::{cases, rejected};
use assay_kernel::task::{TaskError, load};
use libfuzzer_sys::fuzz_target;
use std::fs;
use std::path::PathBuf;

/// What tasks of the corpus name.
const BESIDE: &[(&str, &str)] = &[
    ("k.c", "#include \"part.h\"\nint kv_entry(void) { return 0; }\n"),
    ("part.h", "int part;\n"),
    ("baseline/kernel.c", "int kv_entry(void) { return 0; }\n"),
    (
        "workloads.jsonl",
        "{\"axes\": {\"R\": 16, \"C\": 64}}\n{\"axes\": {\"R\": 8, \"C\": 24}, \"headline\": false}\n",
    ),
    ("oracle.py", ""),
];

thread_local! {
    static FOLDER: PathBuf = folder();
}

fn folder() -> PathBuf {
    // A fuzzer never ends in order, so who starts it makes and removes the folder.
    let root = std::env::var_os("ASSAY_FUZZ_ROOT").map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = root.join(format!("task-{}", std::process::id()));
    fs::create_dir_all(folder.join("baseline")).expect("a folder");
    for (name, text) in BESIDE {
        fs::write(folder.join(name), text).expect("a file");
    }
    folder
}

fuzz_target!(|text: &str| {
    FOLDER.with(|folder| {
        let file = folder.join("task.yaml");
        fs::write(&file, text).expect("a file");
        match load(&file) {
            Ok(task) => {
                assert_eq!(task.changed(), Vec::<String>::new(), "it changed while nobody wrote");
                assert_eq!(load(&file).expect("the same again").digest, task.digest);
                serde_json::to_string(&task.task).expect("a task is JSON");
                assert!(!task.baseline_sha().is_empty());
                if let Ok(all) = cases(&task, 1) {
                    assert!(all.len() >= task.shapes.len());
                }
                if let Some(shape) = task.shapes.first() {
                    let _ = rejected(&task.task, &shape.axes);
                }
            }
            Err(TaskError::Several { all }) => {
                assert!(all.len() > 1);
                all.iter().for_each(placed);
            }
            Err(error) => placed(&error),
        }
    });
});

/// An error is in a line that is there.
fn placed(error: &TaskError) {
    assert!(!error.to_string().is_empty());
    if let TaskError::Written { file, line, column, message, .. } = error {
        assert!(*line > 0 && *column > 0 && !message.is_empty());
        let lines = fs::read_to_string(file).map_or(0, |text| text.lines().count());
        assert!(*line as usize <= lines + 1, "line {line} of {lines}");
    }
}
