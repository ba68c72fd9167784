//! Each candidate of the acceptance list has the fault that the list says, and the good ones have none of them. A candidate that is
//! not bad would make a blind gate look as if it saw. Nothing here uses the judge.

#[path = "support/suite.rs"]
#[expect(dead_code, reason = "this suite uses a part of it")]
mod suite;
#[path = "support/tools.rs"]
mod tools;

use assay_process::Exit;
use object::{Object, ObjectSection, ObjectSymbol};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use suite::{Entry, Proof, list};
use tools::{folder, include, output, text, tool, words};

/// Programs and libraries that proofs need.
struct Bench {
    folder: tempfile::TempDir,
    probe: PathBuf,
    watched: PathBuf,
    baseline: PathBuf,
}

const WATCH: [&str; 3] = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g"];

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (probe, watched) = (folder.path().join("probe"), folder.path().join("watched"));
        build_probe(&probe, &[]);
        build_probe(&watched, &WATCH);
        let entries = list();
        let of = |id: &str| entries.iter().find(|entry| entry.id == id).expect("an entry");
        // What `B33` would call: a library that is wrong, so that it shows who did the work.
        let zeros = of("B05").library(folder.path(), &[]);
        std::fs::copy(zeros, folder.path().join("baseline.so")).expect("a copy");
        let baseline = of("G1").library(folder.path(), &[]);
        Self { folder, probe, watched, baseline }
    }

    /// Whether the proof is seen in a candidate, and what was seen.
    fn sees(&self, entry: &Entry, proof: &Proof, library: &Path) -> (bool, String) {
        if !proof.probe.is_empty() {
            return self.probes(entry, proof, library);
        }
        if !proof.sanitizer.is_empty() {
            return self.sanitizes(entry, proof);
        }
        let bytes = std::fs::read(library).expect("a library");
        let file = object::File::parse(&*bytes).expect("an ELF file");
        if proof.init_array > 0 {
            let size = file
                .section_by_name(".init_array")
                .map_or(0, |section| section.size() as usize / size_of::<usize>());
            return (size >= proof.init_array, format!("{size} entries of .init_array"));
        }
        let (wanted, outside) =
            if proof.imports.is_empty() { (&proof.exports, false) } else { (&proof.imports, true) };
        let has = |name: &String| {
            file.dynamic_symbols().any(|it| it.name() == Ok(name.as_str()) && it.is_undefined() == outside)
        };
        assert!(!wanted.is_empty(), "{} has a proof that looks at nothing", entry.id);
        (wanted.iter().all(has), format!("names {wanted:?}"))
    }

    fn probes(&self, entry: &Entry, proof: &Proof, library: &Path) -> (bool, String) {
        let name = library.file_name().expect("a name").to_string_lossy();
        let mut words: Vec<String> = proof
            .probe
            .iter()
            .map(|word| word.replace("{baseline}", &text(&self.baseline)).replace("{self}", &name))
            .collect();
        words.insert(1, text(library));
        let ended = output(&text(&self.probe), words, self.folder.path(), &[]);
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        match ended.exit {
            Exit::Code(0) => (true, said),
            Exit::Code(1) => (false, said),
            other => panic!("{}: {proof:?} ended with {other:?}: {said}", entry.id),
        }
    }

    fn sanitizes(&self, entry: &Entry, proof: &Proof) -> (bool, String) {
        let (fault, probe) = (proof.sanitizer.as_str(), proof.under.as_deref().unwrap_or("values"));
        let folder = tempfile::tempdir_in(self.folder.path()).expect("a folder");
        let library = entry.library(folder.path(), &WATCH);
        let words = vec![probe.to_owned(), text(&library)];
        let ended = output(&text(&self.watched), words, folder.path(), &[("ASAN_OPTIONS", "detect_leaks=0")]);
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(
            said.contains(fault) || ended.exit == Exit::Code(1),
            "{} ended with {:?}: {said}",
            entry.id,
            ended.exit
        );
        (said.contains(fault), said)
    }
}

fn build_probe(out: &Path, more: &[&str]) {
    let mut arguments = words(&["-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-I"]);
    arguments.push(include());
    arguments.extend(words(more));
    arguments.extend([text(&folder().join("proof/probe.c")), "-o".to_owned(), text(out)]);
    arguments.extend(words(&["-lm", "-ldl"]));
    tool("cc", arguments, Path::new("/"));
}

fn is_good(entry: &Entry) -> bool {
    entry.id.starts_with('G')
}

#[test]
fn every_fault_is_there() {
    let bench = Bench::new();
    let mut missing = Vec::new();
    for entry in list() {
        let library = entry.library(bench.folder.path(), &[]);
        assert!(!entry.proof.is_empty(), "{} has no proof", entry.id);
        for proof in &entry.proof {
            let (seen, said) = bench.sees(&entry, proof, &library);
            if !seen {
                missing.push(format!("{} ({}): {said}", entry.id, entry.what));
            }
        }
    }
    assert!(missing.is_empty(), "not as the list says:\n{}", missing.join("\n"));
}

#[test]
fn good_candidates_have_no_fault() {
    let bench = Bench::new();
    let (good, bad): (Vec<Entry>, Vec<Entry>) = list().into_iter().partition(is_good);
    let faults: BTreeSet<Proof> = bad.into_iter().flat_map(|entry| entry.proof).collect();
    let mut found = Vec::new();
    for entry in &good {
        let library = entry.library(bench.folder.path(), &[]);
        for fault in &faults {
            let (seen, said) = bench.sees(entry, fault, &library);
            if seen {
                found.push(format!("{}: {fault:?}: {said}", entry.id));
            }
        }
    }
    assert!(found.is_empty(), "good candidates with a fault:\n{}", found.join("\n"));
}

#[test]
fn the_list_is_whole() {
    let entries = list();
    let ids: BTreeSet<&str> = entries.iter().map(|entry| entry.id.as_str()).collect();
    assert_eq!(ids.len(), entries.len(), "an id stands twice");
    if cfg!(target_arch = "x86_64") {
        let wanted = (1..=4).map(|n| format!("G{n}")).chain((1..=66).map(|n| format!("B{n:02}")));
        let absent: Vec<String> = wanted.filter(|id| !ids.contains(id.as_str())).collect();
        assert!(absent.is_empty(), "{absent:?}");
    }
    for entry in &entries {
        assert!(entry.source().is_file(), "{} has no source", entry.id);
        for code in &entry.codes {
            assert!(entry.allows(*code), "{}: {code:?} is of no class that it lists", entry.id);
        }
    }
    let listed: BTreeSet<PathBuf> = entries.iter().map(|entry| entry.file.clone()).collect();
    for file in std::fs::read_dir(folder()).expect("candidates") {
        let file = PathBuf::from(file.expect("a candidate").file_name());
        if file.extension().is_some_and(|kind| kind == "c") && cfg!(target_arch = "x86_64") {
            assert!(listed.contains(&file), "{} is not in the list", file.display());
        }
    }
}
