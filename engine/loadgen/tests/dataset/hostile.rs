//! Files that want to fill the memory, overflow the stack or wait for ever.

use crate::tokenizers::bpe;
use assay_loadgen::dataset::{Dataset, Jsonl, Sharegpt, build};
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

fn jsonl(path: &Path) -> Dataset {
    Dataset::Jsonl(Jsonl { path: path.into(), num_prompts: Some(1) })
}

fn sharegpt(path: &Path) -> Dataset {
    Dataset::Sharegpt(Sharegpt {
        path: path.into(),
        num_prompts: 1,
        output_len: None,
        min_len: 4,
        max_input_len: 1024,
        max_total_len: 2048,
    })
}

fn refused(dataset: &Dataset) -> String {
    build(dataset, 1, Some(&bpe().ours), false).expect_err("refused").to_string()
}

/// A file of 1 GiB that takes no room: a beginning, then zeros.
fn huge(path: &Path, beginning: &str) {
    let mut file = File::create(path).expect("a file");
    file.write_all(beginning.as_bytes()).expect("written");
    file.set_len(1 << 30).expect("a hole");
}

#[test]
fn a_line_of_a_gigabyte_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("huge");
    huge(&path, "{\"prompt\": \"a\", \"output_len\": 1}\n{\"prompt\": \"");
    let message = refused(&jsonl(&path));
    assert!(message.contains("line 2: is longer than 32 MiB"), "{message}");
    huge(&path, "[{\"conversations\": []}, {\"conversations\": [\"");
    let message = refused(&sharegpt(&path));
    assert!(message.contains("entry 2: is longer than 32 MiB"), "{message}");
}

#[test]
fn deep_brackets_do_not_overflow_the_stack() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("deep");
    let deep = "[".repeat(1_000_000);
    let rows = [
        format!("{{\"prompt\": {deep}"),
        format!("{{\"prompt\": {deep}{}, \"output_len\": 1}}", "]".repeat(1_000_000)),
        format!("{{\"prompt\": \"a\", \"output_len\": 1, \"extra_request_body\": {{\"a\": {deep}"),
        format!("{{\"prompt\": \"a\", \"output_len\": 1, \"metadata\": {deep}"),
    ];
    for row in rows {
        std::fs::write(&path, row).expect("written");
        let message = refused(&jsonl(&path));
        assert!(message.contains("line 1: "), "{message}");
    }
    let array = format!("[{{\"conversations\": {deep}{}}}]", "]".repeat(1_000_000));
    std::fs::write(&path, array).expect("written");
    let message = refused(&sharegpt(&path));
    assert!(message.contains("entry 1: "), "{message}");
}

#[test]
fn what_is_no_file_is_refused_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let pipe = folder.path().join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).expect("a pipe");
    for path in [folder.path(), &pipe, Path::new("/dev/zero")] {
        for dataset in [jsonl(path), sharegpt(path)] {
            let message = refused(&dataset);
            assert!(message.contains("not a regular file"), "{message}");
        }
    }
    let message = refused(&jsonl(&folder.path().join("gone")));
    assert!(message.contains("cannot read"), "{message}");
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("packed");
    std::fs::write(&path, b"\x1f\x8b\x08\x00\xff\xfe\n").expect("written");
    let message = refused(&jsonl(&path));
    assert!(message.contains("line 1: is not UTF-8"), "{message}");
    std::fs::write(&path, b"[{\"conversations\": [{\"from\": \"\xff\", \"value\": \"\"}]}]")
        .expect("written");
    let message = refused(&sharegpt(&path));
    assert!(message.contains("entry 1: "), "{message}");
}
