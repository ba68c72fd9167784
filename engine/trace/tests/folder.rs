//! Folders of traces: what is taken, how files are grouped, what is known about the server.

use assay_trace::name::Framework;
use assay_trace::read::folder::{self, Folder, Ranks};
use assay_trace::stage::Stage;
use std::io::Write;
use std::path::Path;

const TRACE: &str = r#"{"schemaVersion":1,"traceEvents":[{"ph":"X","name":"k","ts":1,"dur":1}]}"#;

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    if name.ends_with(".gz") {
        let mut file = flate2::write::GzEncoder::new(
            std::fs::File::create(path).expect("a file"),
            flate2::Compression::fast(),
        );
        file.write_all(text.as_bytes()).expect("text");
        file.finish().expect("an end");
    } else {
        std::fs::write(path, text).expect("a file");
    }
}

fn folder_of(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        write(folder.path(), name, text);
    }
    folder
}

fn look(folder: &tempfile::TempDir) -> Folder {
    folder::look(folder.path()).expect("traces")
}

/// File names of the newest capture.
fn names<'f>(files: impl IntoIterator<Item = &'f folder::TraceFile>) -> Vec<String> {
    files
        .into_iter()
        .map(|file| file.path.file_name().expect("a name").to_string_lossy().into_owned())
        .collect()
}

#[test]
fn content_decides_what_is_a_trace() {
    let folder = folder_of(&[
        ("a.json", TRACE),
        ("list.json", r#" [{"ph":"X","name":"k","ts":1,"dur":1}]"#),
        ("b.trace.json.gz", TRACE),
        ("results.json", r#"{"throughput": 3}"#),
        ("numbers.json", "[1, 2, 3]"),
        ("empty.json", ""),
        ("broken.json.gz", ""),
        ("text.sqlite", "no database"),
        ("server_args.json", TRACE),
        ("metadata.json", TRACE),
        ("config.json", TRACE),
        ("notes.txt", TRACE),
    ]);
    let mut bytes = b"SQLite format 3\0".to_vec();
    bytes.resize(200, 0);
    std::fs::write(folder.path().join("n.sqlite"), bytes).expect("a file");
    std::fs::write(folder.path().join("broken.json.gz"), [0x1f, 0x8b, 8, 0xff]).expect("a file");
    let found = look(&folder);
    let mut taken: Vec<String> = found.captures.iter().flat_map(|capture| names(&capture.files)).collect();
    taken.sort();
    assert_eq!(taken, ["a.json", "b.trace.json.gz", "list.json", "n.sqlite"]);
    let ignored: Vec<_> = found
        .ignored
        .iter()
        .map(|ignored| ignored.path.file_name().expect("a name").to_string_lossy().into_owned())
        .collect();
    assert_eq!(ignored, ["broken.json.gz", "empty.json", "numbers.json", "results.json", "text.sqlite"]);
    assert!(found.ignored[3].reason.contains("no `traceEvents`"));
}

#[test]
fn files_of_all_ranks_and_stages_are_one_capture() {
    let folder = folder_of(&[
        ("1759300000.5-TP-0-DECODE.trace.json.gz", TRACE),
        ("1759300000.5-TP-0-EXTEND.trace.json.gz", TRACE),
        ("1759300000.5-TP-10-DECODE.trace.json.gz", TRACE),
        ("1759300000.5-TP-2-DECODE.trace.json.gz", TRACE),
        ("1759200000.1-TP-0-DECODE.trace.json.gz", TRACE),
    ]);
    let found = look(&folder);
    assert_eq!(found.captures.len(), 2);
    let newest = found.newest().expect("a capture");
    assert_eq!(newest.ranks(), [0, 2, 10]);
    assert_eq!(newest.time(), 1_759_300_000_000_000_000);
    let lowest = newest.choose(Ranks::Lowest);
    assert_eq!(
        lowest.iter().map(|file| file.claims).collect::<Vec<_>>(),
        [Some(Stage::Decode), Some(Stage::Prefill)]
    );
    assert_eq!(names(newest.choose(Ranks::One(2))), ["1759300000.5-TP-2-DECODE.trace.json.gz"]);
    assert!(newest.choose(Ranks::One(7)).is_empty());
    assert_eq!(newest.choose(Ranks::All).len(), 4);
    assert!(newest.files.iter().all(|file| file.bytes > 0));
}

#[test]
fn ranks_that_wrote_their_own_moment_are_joined_if_they_are_close() {
    let folder = folder_of(&[
        ("node_rank0.1759300000000.pt.trace.json", TRACE),
        ("node_rank1.1759300001417.pt.trace.json", TRACE),
        ("node_rank0.1759309000000.pt.trace.json", TRACE),
        ("node_rank1.1759309000000.pt.trace.json", TRACE),
        ("other_1.1759300000000.pt.trace.json", TRACE),
        ("other_2.1759300000000.pt.trace.json", TRACE),
    ]);
    let found = look(&folder);
    let groups: Vec<usize> = found.captures.iter().map(|capture| capture.files.len()).collect();
    // Files without a rank are never joined: they may be two runs.
    assert_eq!(groups, [2, 2, 1, 1]);
    assert_eq!(
        names(&found.captures[1].files),
        ["node_rank0.1759300000000.pt.trace.json", "node_rank1.1759300001417.pt.trace.json"]
    );
}

#[test]
fn the_head_says_the_rank_where_the_name_does_not() {
    let text = r#"{"distributedInfo": {"backend": "nccl", "rank": 5, "world_size": 8}, "traceEvents": [{"ph":"X"}]}"#;
    let folder = folder_of(&[("a.json", text), ("x-rank2.json", text)]);
    let mut ranks: Vec<_> = look(&folder).captures.iter().map(|capture| capture.files[0].rank).collect();
    ranks.sort_unstable();
    assert_eq!(ranks, [Some(2), Some(5)]);
}

#[test]
fn merged_files_count_only_alone() {
    let both = folder_of(&[("merged-1.trace.json.gz", TRACE), ("1-TP-0.trace.json.gz", TRACE)]);
    let found = look(&both);
    assert_eq!(
        found.captures.iter().flat_map(|capture| names(&capture.files)).collect::<Vec<_>>(),
        ["1-TP-0.trace.json.gz"]
    );
    assert!(found.ignored[0].reason.contains("merged"));
    let alone = folder_of(&[("merged-1.trace.json.gz", TRACE)]);
    assert_eq!(look(&alone).captures.len(), 1);
}

#[test]
fn folders_within_count_where_there_is_nothing_directly() {
    let deep = folder_of(&[("runs/a/1759300000-TP-0.json", TRACE), ("runs/b/1759400000-TP-0.json", TRACE)]);
    let found = look(&deep);
    assert_eq!(found.captures.len(), 2);
    assert!(found.newest().expect("a capture").files[0].path.ends_with("runs/b/1759400000-TP-0.json"));
    write(deep.path(), "top.json", TRACE);
    assert_eq!(look(&deep).captures.len(), 1);
}

#[test]
fn a_file_is_taken_as_it_is() {
    let folder = folder_of(&[("odd.bin", "anything"), ("server_args.json", r#"{"model_path": "m"}"#)]);
    let found = folder::look(&folder.path().join("odd.bin")).expect("a file");
    assert_eq!(found.captures[0].files.len(), 1);
    assert_eq!(found.context.model.as_deref(), Some("m"));
}

#[test]
fn a_folder_without_traces_says_what_it_saw() {
    let folder = folder_of(&[("results.json", "{}"), ("more.json", "{}")]);
    let error = folder::look(folder.path()).expect_err("nothing").to_string();
    assert!(
        error.contains("without a trace") && error.contains("more.json") && error.contains("and 1 more"),
        "{error}"
    );
    assert!(folder::look(Path::new("/nowhere/at/all")).is_err());
}

#[test]
fn the_arguments_of_the_server_are_found_beside_or_above() {
    let sglang = r#"{"model_path": "/models/qwen3-vllm-test", "tp_size": 8, "attention_backend": "fa3", "schedule_policy": "fcfs"}"#;
    for place in ["server_args.json", "traces/server_args.json"] {
        let folder = folder_of(&[("traces/a-TP-0.json", TRACE), (place, sglang)]);
        let context = look(&folder).context;
        assert_eq!(context.framework, Some(Framework::Sglang), "{place}");
        assert_eq!((context.model.as_deref(), context.tp), (Some("/models/qwen3-vllm-test"), Some(8)));
        assert!(context.source.is_some_and(|source| source.ends_with(place)));
    }
}

#[test]
fn b18_an_unknown_engine_stays_unknown() {
    let framework = |arguments: &str| {
        let folder = folder_of(&[("a.json", TRACE), ("server_args.json", arguments)]);
        look(&folder).context
    };
    assert_eq!(framework(r#"{"model": "resnet50", "lr": 0.1}"#).framework, None);
    assert_eq!(look(&folder_of(&[("a.json", TRACE)])).context, folder::Context::default());
    assert_eq!(
        framework(r#"{"attn_tp_size": 4, "moe_tp_size": 4, "model": "m"}"#).framework,
        Some(Framework::Tokenspeed)
    );
    assert_eq!(framework(r#"{"backend": "tensorrt_llm"}"#).framework, Some(Framework::TensorrtLlm));
    assert_eq!(framework(r#"{"entry": "vllm serve"}"#).framework, Some(Framework::Vllm));
    let broken = framework("{not json");
    assert!(broken.problem.is_some() && broken.framework.is_none());
}
