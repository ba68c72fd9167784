//! Digests and artifacts, compared with the system's own tool.

use assay_store::{Artifacts, RunDir, StoreError, sha256_file, sha256_hex};
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

#[test]
fn a_file_has_the_digest_that_sha256sum_prints() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("größe und 表.bin");
    fs::write(&path, vec![7_u8; 300_001]).unwrap();
    let digest = sha256_file(&path).unwrap();
    let output = Command::new("sha256sum").arg(&path).output().unwrap();
    assert!(String::from_utf8(output.stdout).unwrap().starts_with(&digest.sha256));
    assert_eq!((digest.bytes, digest.path.as_str()), (300_001, path.to_str().unwrap()));
    assert!(sha256_file(&root.path().join("nothing")).is_err());
}

#[test]
fn a_folder_is_digested_by_paths_contents_and_links() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("folder");
    fs::create_dir_all(folder.join("a")).unwrap();
    fs::write(folder.join("a/x"), "1").unwrap();
    fs::write(folder.join("a.b"), "22").unwrap();
    symlink("/etc/hostname", folder.join("link")).unwrap();
    let digest = sha256_file(&folder).unwrap();
    let text = format!(
        "a.b\0{}\na/x\0{}\nlink\0link:{}\n",
        sha256_hex(b"22"),
        sha256_hex(b"1"),
        sha256_hex(b"/etc/hostname")
    );
    assert_eq!(digest.sha256, sha256_hex(text.as_bytes()));
    assert_eq!(digest.bytes, 3 + "/etc/hostname".len() as u64);
    fs::rename(folder.join("a/x"), folder.join("a/y")).unwrap();
    assert_ne!(sha256_file(&folder).unwrap().sha256, digest.sha256);
    let _socket = std::os::unix::net::UnixListener::bind(folder.join("socket")).unwrap();
    assert!(matches!(sha256_file(&folder), Err(StoreError::NotAFile { .. })));
}

#[test]
fn artifacts_are_copies_that_show_changes() {
    let root = tempfile::tempdir().unwrap();
    let run = RunDir::create(root.path(), None, "test", "20261122").unwrap();
    let source = root.path().join("lib.so");
    fs::write(&source, "binary").unwrap();
    let artifacts = Artifacts::of(&run);
    let kept = artifacts.keep(&source, "build/lib.so").unwrap();
    assert_eq!((kept.path.as_str(), kept.bytes), ("artifacts/build/lib.so", 6));
    assert_eq!(kept.sha256, sha256_file(&source).unwrap().sha256);
    fs::write(&source, "changed").unwrap();
    assert!(artifacts.verify(&kept).unwrap());
    let again = artifacts.keep(&source, "build/lib.so").unwrap();
    assert!(!artifacts.verify(&kept).unwrap());
    assert!(artifacts.verify(&again).unwrap());
    let copy = run.path().join("artifacts/build/lib.so");
    fs::remove_file(&copy).unwrap();
    assert!(!artifacts.verify(&again).unwrap());
    symlink(&source, &copy).unwrap();
    assert!(!artifacts.verify(&again).unwrap());
    let folder = artifacts.keep(&run.path().join("artifacts/build"), "all");
    assert!(matches!(folder, Err(StoreError::LinkOut { .. })));
    fs::remove_file(&copy).unwrap();
    fs::write(&copy, "x").unwrap();
    let folder = artifacts.keep(&run.path().join("artifacts/build"), "all").unwrap();
    assert!(artifacts.verify(&folder).unwrap());
    fs::write(run.path().join("artifacts/all/new"), "y").unwrap();
    assert!(!artifacts.verify(&folder).unwrap());
    assert!(artifacts.keep(&source, "../x").is_err());
}
