//! Run directories: layout, planted links, publishing, copying, finding.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use assay_store::{FindError, RunDir, StoreError, find, list};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;

fn run(root: &tempfile::TempDir) -> RunDir {
    RunDir::create(&root.path().join("runs"), Some("größe und 表"), "check", "20261122").unwrap()
}

#[test]
fn the_folder_is_named_by_date_slug_name_and_id() {
    let root = tempfile::tempdir().unwrap();
    let run = run(&root);
    let folder = run.path().file_name().unwrap().to_str().unwrap().to_owned();
    assert!(folder.starts_with("20261122_gr-e-und_check-"), "{folder}");
    assert_eq!(run.id().len(), 8);
    assert!(folder.ends_with(run.id()));
    let bare = RunDir::create(root.path(), None, "check", "20261122").unwrap();
    assert!(bare.path().file_name().unwrap().to_str().unwrap().starts_with("20261122_check-"));
    assert_eq!(RunDir::open(run.path()).unwrap().id(), run.id());
    assert!(RunDir::open(&root.path().join("nothing")).is_err());
}

#[test]
fn files_are_created_exclusively_and_published_whole() {
    let root = tempfile::tempdir().unwrap();
    let run = run(&root);
    let mut file = run.create_file("steps/0-größe/1/stdout.log").unwrap();
    file.write_all(b"hello").unwrap();
    assert!(matches!(run.create_file("steps/0-größe/1/stdout.log"), Err(StoreError::Exists { .. })));
    assert_eq!(run.read("steps/0-größe/1/stdout.log", 5).unwrap(), b"hello");
    assert!(matches!(run.read("steps/0-größe/1/stdout.log", 4), Err(StoreError::TooLarge { limit: 4, .. })));
    run.publish("a b/c.md", b"one").unwrap();
    run.publish_durable("a b/c.md", b"two").unwrap();
    assert_eq!(run.read("a b/c.md", 99).unwrap(), b"two");
    assert_eq!(fs::read_dir(run.path().join("a b")).unwrap().count(), 1);
    run.create_dirs("dir").unwrap();
    assert!(run.publish("dir", b"x").is_err());
    let names: Vec<_> = fs::read_dir(run.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!names.iter().any(|name| name.to_str().unwrap().starts_with(".assay-")), "{names:?}");
}

#[test]
fn folders_are_renamed_and_removed() {
    let root = tempfile::tempdir().unwrap();
    let run = run(&root);
    run.publish("live/3/out", b"x").unwrap();
    run.rename("live/3", "steps/build/1").unwrap();
    assert_eq!(run.read("steps/build/1/out", 9).unwrap(), b"x");
    assert!(!run.remove_dir_if_empty("steps/build").unwrap());
    run.remove("steps/build/1/out").unwrap();
    assert!(run.remove_dir_if_empty("steps/build/1").unwrap());
    assert!(!run.remove_dir_if_empty("steps/nothing/1").unwrap());
    run.remove("steps").unwrap();
    run.remove("steps").unwrap();
    run.remove("no/such/thing").unwrap();
    assert!(!run.path().join("steps").exists());
}

#[test]
fn planted_links_are_refused_by_every_way_in() {
    let root = tempfile::tempdir().unwrap();
    let run = run(&root);
    let outside = root.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("file"), "secret").unwrap();
    symlink(&outside, run.path().join("steps")).unwrap();
    symlink(outside.join("file"), run.path().join("link")).unwrap();
    fs::write(run.path().join("own"), "x").unwrap();
    let refused = [
        run.create_file("steps/new").map(drop),
        run.create_dirs("steps/a/b").map(drop),
        run.open_file("steps/file").map(drop),
        run.open_file("link").map(drop),
        run.read("link", 99).map(drop),
        run.publish("steps/new", b"x"),
        run.rename("own", "steps/own"),
        run.rename("steps/file", "taken"),
        run.remove("steps/file"),
        run.remove_dir_if_empty("steps/file").map(drop),
        run.copy_in(&run.path().join("own"), "steps/own"),
    ];
    for (index, result) in refused.into_iter().enumerate() {
        assert!(matches!(result, Err(StoreError::Planted { .. })), "way {index}: {result:?}");
    }
    run.publish("link", b"mine").unwrap();
    assert_eq!(run.read("link", 9).unwrap(), b"mine");
    run.remove("steps").unwrap();
    assert_eq!(fs::read_to_string(outside.join("file")).unwrap(), "secret");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
}

#[test]
fn pipes_and_sockets_do_not_make_anyone_wait() {
    let root = tempfile::tempdir().unwrap();
    let run = run(&root);
    rustix::fs::mknodat(
        rustix::fs::CWD,
        run.path().join("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(run.path().join("socket")).unwrap();
    run.create_dirs("folder").unwrap();
    for name in ["pipe", "socket", "folder"] {
        let opened = run.open_file(name);
        assert!(matches!(opened, Err(StoreError::NotAFile { .. })), "{name}: {opened:?}");
    }
    assert!(matches!(run.copy_in(&run.path().join("pipe"), "copy"), Err(StoreError::NotAFile { .. })));
}

#[test]
fn paths_that_leave_are_refused_by_every_way_in() {
    let root = tempfile::tempdir().unwrap();
    let run = run(&root);
    for bad in ["../x", "/tmp/x", "a/../../x", "", "a\0b"] {
        assert!(matches!(run.create_file(bad), Err(StoreError::UnsafePath { .. })), "{bad:?}");
        assert!(matches!(run.publish(bad, b""), Err(StoreError::UnsafePath { .. })), "{bad:?}");
        assert!(matches!(run.open_file(bad), Err(StoreError::UnsafePath { .. })), "{bad:?}");
        assert!(matches!(run.remove(bad), Err(StoreError::UnsafePath { .. })), "{bad:?}");
    }
}

#[test]
fn copies_keep_inner_links_and_refuse_others() {
    let root = tempfile::tempdir().unwrap();
    let run = run(&root);
    let source = root.path().join("source");
    fs::create_dir_all(source.join("deep/er")).unwrap();
    fs::write(source.join("deep/file"), "one").unwrap();
    fs::write(source.join("tool"), "#!").unwrap();
    fs::set_permissions(source.join("tool"), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    symlink("../file", source.join("deep/er/link")).unwrap();
    run.copy_in(&source, "out/copy").unwrap();
    run.copy_in(&source, "out/copy").unwrap();
    let copy = run.path().join("out/copy");
    assert_eq!(fs::read_to_string(copy.join("deep/er/link")).unwrap(), "one");
    assert!(
        std::os::unix::fs::PermissionsExt::mode(&fs::metadata(copy.join("tool")).unwrap().permissions())
            & 0o100
            != 0
    );
    run.copy_in(&source.join("tool"), "out/copy").unwrap();
    assert_eq!(run.read("out/copy", 9).unwrap(), b"#!");
    assert_eq!(fs::read_dir(run.path().join("out")).unwrap().count(), 1);
    symlink(".", source.join("here")).unwrap();
    let absolute = source.join("tool");
    for target in ["../../x", "here/../../outside", "nothing", "/etc/passwd", absolute.to_str().unwrap()] {
        let link = source.join("deep/bad");
        symlink(target, &link).unwrap();
        let copied = run.copy_in(&source, "bad");
        assert!(matches!(copied, Err(StoreError::LinkOut { .. })), "{target}: {copied:?}");
        fs::remove_file(link).unwrap();
        assert!(!run.path().join("bad").exists());
    }
    assert!(matches!(run.copy_in(root.path(), "self"), Err(StoreError::UnsafePath { .. })));
    assert!(run.copy_in(&root.path().join("nothing"), "x").is_err());
}

#[test]
fn runs_are_listed_and_found() {
    let root = tempfile::tempdir().unwrap();
    let runs = root.path().join("runs");
    assert!(list(&runs).unwrap().is_empty());
    assert!(matches!(find(&runs, "latest"), Err(FindError::Unknown { .. })));
    let make = |folder: &str| {
        fs::create_dir_all(runs.join(folder)).unwrap();
        fs::write(runs.join(folder).join("journal.jsonl"), "").unwrap();
        std::thread::sleep(std::time::Duration::from_millis(15));
    };
    make("20261122_b-aaaa2222");
    make("20261122_a-aaaa1111");
    make("20261121_c-bbbb3333");
    fs::create_dir(runs.join("20261123_no-run")).unwrap();
    let folders: Vec<String> = list(&runs).unwrap().into_iter().map(|run| run.folder).collect();
    assert_eq!(folders, ["20261122_a-aaaa1111", "20261122_b-aaaa2222", "20261121_c-bbbb3333"]);
    let found = |wanted: &str| find(&runs, wanted).unwrap().file_name().unwrap().to_str().unwrap().to_owned();
    assert_eq!(found("latest"), "20261122_a-aaaa1111");
    assert_eq!(found("b"), "20261121_c-bbbb3333");
    assert_eq!(found("aaaa2"), "20261122_b-aaaa2222");
    assert_eq!(found("20261122_b"), "20261122_b-aaaa2222");
    assert_eq!(found("aaaa1111"), "20261122_a-aaaa1111");
    match find(&runs, "aaaa") {
        Err(FindError::Ambiguous { candidates, .. }) => assert_eq!(candidates.len(), 2),
        other => panic!("{other:?}"),
    }
    for unknown in ["zzz", "", "./nothing", "20261123"] {
        assert!(matches!(find(&runs, unknown), Err(FindError::Unknown { .. })), "{unknown:?}");
    }
    let path = runs.join("20261121_c-bbbb3333");
    assert_eq!(find(Path::new("/nowhere"), path.to_str().unwrap()).unwrap(), path);
}
