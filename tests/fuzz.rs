//! A minute of fuzzing for each reader of foreign text, in the slow suite. `fuzz/run` does it; it needs the network once if
//! `cargo fuzz` is missing.

use std::path::Path;
use std::process::Command;

#[test]
fn a_minute_of_each_target_finds_nothing() {
    if std::env::var("ASSAY_TEST_FULL").is_ok_and(|value| value == "1") {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/run");
        let status = Command::new(script).arg("60").status().expect("the script starts");
        assert!(status.success(), "`fuzz/run 60` ended with {status}; it named the input");
    } else {
        eprintln!("skipped: `ASSAY_TEST_FULL=1` fuzzes each target for a minute");
    }
}

/// What the fuzzer starts from is there, and small enough to be committed.
#[test]
fn every_target_has_a_corpus() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let script = std::fs::read_to_string(fuzz.join("run")).expect("the script");
    let mut total = 0;
    for entry in std::fs::read_dir(fuzz.join("targets")).expect("the targets") {
        let name =
            entry.expect("a target").path().file_stem().expect("a name").to_string_lossy().into_owned();
        assert!(script.contains(&name), "`fuzz/run` does not know `{name}`");
        let files = std::fs::read_dir(fuzz.join("corpus").join(&name)).expect("a corpus");
        let sizes: Vec<u64> =
            files.map(|file| file.expect("a file").metadata().expect("its size").len()).collect();
        assert!(sizes.len() >= 10, "`{name}` starts from {} inputs", sizes.len());
        total += sizes.iter().sum::<u64>();
    }
    assert!(total < 2_000_000, "the corpus has {total} bytes; `cargo fuzz cmin` makes it smaller");
}
