//! The journal as evidence: cut, damaged, rewritten, on a full or read-only disk, and wanted by two engines at once.
#![expect(clippy::unwrap_used, reason = "what helpers find amiss fails the test, too")]

mod support;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use support::{Scene, eventually, finish, kill, records};

/// Three steps in a row; each leaves a line in `ran`, so that a repeated step shows.
const CHAIN: &str = "\
steps:
  first: {uses: command, with: {shell: 'echo first >> {{ skill.dir | q }}/ran'}}
  second: {needs: [first], uses: command, with: {shell: 'echo second >> {{ skill.dir | q }}/ran'}}
  third: {needs: [second], uses: command, with: {shell: 'echo third >> {{ skill.dir | q }}/ran'}}
";

fn ran(scene: &Scene) -> Vec<String> {
    let text = std::fs::read_to_string(scene.dir().join("ran")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Copies a folder with its times and owners.
fn copy(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("-a").args([from, to]).status().unwrap();
    assert!(done.success());
}

/// A run and what is kept of it outside its folder, to be put back as often as a test needs.
struct Kept {
    pairs: Vec<(PathBuf, PathBuf)>,
}

impl Kept {
    fn of(scene: &Scene) -> Self {
        let state = scene.dir().parent().unwrap().join("state");
        let store = scene.dir().parent().unwrap().join("kept");
        std::fs::create_dir(&store).unwrap();
        let pairs = vec![(scene.run_dir(), store.join("run")), (state, store.join("state"))];
        for (original, kept) in &pairs {
            copy(original, kept);
        }
        Self { pairs }
    }

    fn restore(&self) {
        for (original, kept) in &self.pairs {
            std::fs::remove_dir_all(original).unwrap();
            copy(kept, original);
        }
    }
}

/// The journal's lines, each with its newline.
fn lines(journal: &Path) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(journal).unwrap();
    bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

#[test]
fn a_journal_cut_at_every_byte_of_its_last_record_is_continued() {
    let scene = Scene::new();
    let file = scene.workflow("chain", CHAIN);
    scene.assay(&["run", &file, "--no-report"]).expect(0);
    let kept = Kept::of(&scene);
    let run = scene.run_dir();
    let journal = run.join("journal.jsonl");
    let whole = std::fs::read(&journal).unwrap();
    let last = lines(&journal).pop().unwrap().len();
    assert!(last > 100, "the last record is cut at each of its {last} bytes");
    for cut in 1..=last {
        kept.restore();
        std::fs::write(&journal, &whole[..whole.len() - cut]).unwrap();
        let done = scene.assay(&["resume", run.to_str().unwrap(), "--no-report"]);
        assert_eq!(done.code, 0, "cut by {cut} bytes: {}", done.stderr);
        assert_eq!(ran(&scene), ["first", "second", "third"], "cut by {cut} bytes");
        let session = records(&run).into_iter().rfind(|record| record["type"] == "engine_started").unwrap();
        let torn = if cut == last { 0 } else { (last - cut) as u64 };
        assert_eq!(session["data"]["dropped_bytes"], torn, "cut by {cut} bytes");
        assert_eq!(records(&run).last().unwrap()["type"], "run_finished");
    }
}

#[test]
fn a_journal_of_a_killed_run_is_continued_wherever_its_last_record_is_cut() {
    let scene = Scene::new();
    let wait = "while [ ! -e {{ skill.dir | q }}/go ]; do sleep 0.02; done; ";
    let file = scene.workflow("chain", &CHAIN.replace("'echo third", &format!("'{wait}echo third")));
    let child = scene.start(&["run", &file, "--no-report"]);
    let under_way = || scene.has_event("step_started", |step| step["step"] == "third");
    assert!(eventually(Duration::from_secs(30), under_way));
    let engine = scene.events("engine_started")[0]["engine"]["pid"].as_u64().unwrap();
    kill(u32::try_from(engine).unwrap(), "KILL");
    finish(child).expect(130);
    scene.write("go", "");
    let kept = Kept::of(&scene);
    let run = scene.run_dir();
    let journal = run.join("journal.jsonl");
    let whole = std::fs::read(&journal).unwrap();
    let last = lines(&journal).pop().unwrap().len();
    for cut in (0..=last).step_by(11).chain([last]) {
        kept.restore();
        std::fs::write(scene.dir().join("ran"), "first\nsecond\n").unwrap();
        std::fs::write(&journal, &whole[..whole.len() - cut]).unwrap();
        let done = scene.assay(&["resume", run.to_str().unwrap(), "--no-report"]);
        assert_eq!(done.code, 0, "cut by {cut} bytes: {}", done.stderr);
        assert_eq!(ran(&scene), ["first", "second", "third"], "cut by {cut} bytes");
    }
}

#[test]
fn a_damaged_record_in_the_middle_is_refused_with_its_place() {
    let scene = Scene::new();
    let file = scene.workflow("chain", CHAIN);
    scene.assay(&["run", &file]).expect(0);
    let kept = Kept::of(&scene);
    let run = scene.run_dir();
    let journal = run.join("journal.jsonl");
    let count = lines(&journal).len();
    for damaged in [0, 1, count / 2, count - 2] {
        kept.restore();
        let mut all = lines(&journal);
        let middle = all[damaged].len() / 2;
        all[damaged][middle] ^= 1;
        std::fs::write(&journal, all.concat()).unwrap();
        for verb in ["resume", "report", "status"] {
            let done = scene.assay(&[verb, run.to_str().unwrap()]).expect(24);
            // The fault shows in the damaged line itself, or in the next one, which names its hash.
            let places = [format!("line {}", damaged + 1), format!("line {}", damaged + 2)];
            assert!(places.iter().any(|place| done.stderr.contains(place)), "{places:?}: {}", done.stderr);
        }
    }
    assert_eq!(ran(&scene).len(), 3, "nothing ran on damaged records");
}

/// Rewrites a record and every hash after it, as somebody would who knows the format.
fn rewrite(journal: &Path, change: impl Fn(&mut Value) -> bool) {
    let mut changed = false;
    let mut prev = "0".repeat(32);
    let mut text = String::new();
    for line in lines(journal) {
        let mut record: Value = serde_json::from_slice(&line).unwrap();
        changed |= change(&mut record);
        let ts = record["ts"].as_f64().unwrap();
        let line = format!(
            "{{\"v\":{},\"seq\":{},\"ts\":{ts:.6},\"prev\":\"{prev}\",\"type\":{},\"data\":{}}}\n",
            record["v"], record["seq"], record["type"], record["data"]
        );
        prev = blake3::hash(line.as_bytes()).to_hex()[..32].to_owned();
        text.push_str(&line);
    }
    assert!(changed, "nothing was rewritten");
    std::fs::write(journal, text).unwrap();
}

#[test]
fn a_journal_rewritten_with_a_valid_chain_is_tampered() {
    let scene = Scene::new();
    let body = "steps:\n  measure: {uses: command, with: {argv: [echo, '5'], parse: {as: json, schema: {type: integer}}}}\n\
                gates:\n  fast: {assert: steps.measure.result > 9}\n";
    let file = scene.workflow("slow", body);
    scene.assay(&["run", &file]).expect(23);
    let kept = Kept::of(&scene);
    let run = scene.run_dir();
    let journal = run.join("journal.jsonl");
    // Written again without a change it is accepted: what follows is refused for what it says.
    let before = std::fs::read(&journal).unwrap();
    rewrite(&journal, |_| true);
    assert_eq!(before, std::fs::read(&journal).unwrap(), "this test writes the format as the engine does");
    rewrite(&journal, |record| {
        let decided = record["type"] == "gate_decided";
        if decided {
            record["data"]["outcome"] = "passed".into();
            record["data"]["passed"] = true.into();
        }
        decided
    });
    for verb in ["resume", "report", "status"] {
        let done = scene.assay(&[verb, run.to_str().unwrap()]).expect(24);
        assert!(done.stderr.contains("not the journal that the engine wrote"), "{}", done.stderr);
    }
    // Removed records leave a valid chain, too.
    kept.restore();
    let all = lines(&journal);
    std::fs::write(&journal, all[..all.len() - 3].concat()).unwrap();
    scene.assay(&["resume", run.to_str().unwrap()]).expect(24);
}

#[test]
fn a_journal_rewritten_while_the_engine_works_is_tampered() {
    let scene = Scene::new();
    let body = "steps:\n  cheat:\n    uses: command\n    with: {shell: 'cd {{ run.dir | q }} && cp journal.jsonl j && echo x >> j && mv j journal.jsonl'}\n  \
                after: {needs: [cheat], uses: command, with: {shell: 'echo after >> {{ skill.dir | q }}/ran'}}\n";
    let file = scene.workflow("cheat", body);
    let done = scene.assay(&["run", &file]).expect(24);
    assert!(done.stderr.contains("changed by somebody else"), "{}", done.stderr);
    assert!(ran(&scene).is_empty(), "nothing starts on a journal that was replaced");
}

#[test]
fn two_engines_never_work_on_one_run() {
    let scene = Scene::new();
    let file = scene.workflow(
        "slow",
        "steps:\n  wait: {uses: command, with: {shell: 'touch {{ skill.dir | q }}/up; while [ ! -e {{ skill.dir | q }}/go ]; do sleep 0.02; done'}}\n",
    );
    let child = scene.start(&["run", &file]);
    assert!(eventually(Duration::from_secs(20), || scene.dir().join("up").exists()));
    let second = scene.assay(&["resume", "latest"]).expect(32);
    assert!(second.stderr.contains("pid"), "says who works on it: {}", second.stderr);
    scene.assay(&["status", "latest"]).expect(30);
    scene.write("go", "");
    finish(child).expect(0);
    scene.assay(&["resume", "latest"]).expect(0);
    assert_eq!(scene.events("engine_started").len(), 1);
}

/// A file system of its own, taken away again at the end.
struct Mount(PathBuf);

impl Mount {
    /// `None` where this process may not mount.
    fn small(at: &Path, size: &str) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "assay-test"]).arg(at);
        mount.output().ok().filter(|output| output.status.success()).map(|_| Self(at.to_owned()))
    }

    fn remount(&self, option: &str) -> bool {
        let mut mount = Command::new("mount");
        mount
            .args(["-o", &format!("remount,{option}")])
            .arg(&self.0)
            .status()
            .is_ok_and(|status| status.success())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_stops_the_run_in_words_and_it_goes_on_with_space() {
    let scene = Scene::new();
    let place = scene.dir().join("small");
    let Some(_mount) = Mount::small(&place, "1m") else {
        eprintln!("not run: this user may not mount a small file system");
        return;
    };
    let body = "steps:\n  fill: {uses: command, with: {shell: 'sleep 0.5; cat /dev/zero > {{ skill.dir | q }}/small/fill; true'}}\n  \
                next: {needs: [fill], uses: command, with: {shell: 'head -c 20000 /dev/zero; echo next >> {{ skill.dir | q }}/ran'}}\n  \
                last: {needs: [next], uses: command, with: {shell: 'echo last >> {{ skill.dir | q }}/ran'}}\n";
    let file = scene.workflow("full", body);
    let done = scene.assay(&["--runs-dir", "small/runs", "run", &file]);
    assert_ne!(done.code, 0, "a run without a whole record is no success");
    assert!(done.stderr.contains("No space left"), "{}\n{}", done.stdout, done.stderr);
    assert!(done.stderr.contains("free some space"), "the way out is said: {}", done.stderr);
    // A folder in the place of its file: `fill` may run again, but cannot fill the disk again.
    std::fs::remove_file(place.join("fill")).unwrap();
    std::fs::create_dir(place.join("fill")).unwrap();
    scene.assay(&["--runs-dir", "small/runs", "resume", "latest"]).expect(0);
    assert_eq!(ran(&scene).last().unwrap(), "last");
    assert_eq!(ran(&scene).iter().filter(|line| *line == "last").count(), 1);
}

#[test]
fn a_read_only_run_directory_is_said_and_nothing_runs() {
    let scene = Scene::new();
    let place = scene.dir().join("small");
    let Some(mount) = Mount::small(&place, "4m") else {
        eprintln!("not run: this user may not mount a small file system");
        return;
    };
    let body = format!("{CHAIN}  fails: {{needs: [third], uses: command, with: {{argv: ['false']}}}}\n");
    let file = scene.workflow("chain", &body);
    scene.assay(&["--runs-dir", "small/runs", "run", &file]).expect(21);
    assert!(mount.remount("ro"));
    for args in [vec!["run", &file], vec!["resume", "latest"]] {
        let done = scene.assay(&[["--runs-dir", "small/runs"].as_slice(), &args].concat()).expect(1);
        assert!(done.stderr.contains("Read-only file system"), "{}", done.stderr);
        assert!(done.stderr.contains("--runs-dir"), "the way out is said: {}", done.stderr);
    }
    // What is recorded can still be read.
    scene.assay(&["--runs-dir", "small/runs", "status", "latest"]).expect(21);
    assert_eq!(ran(&scene).len(), 3);
    assert!(mount.remount("rw"));
    scene.assay(&["--runs-dir", "small/runs", "resume", "latest"]).expect(21);
    assert_eq!(ran(&scene).len(), 3);
}
