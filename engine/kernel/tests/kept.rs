//! Proofs of baselines that the next process takes over: when they count, and when the baseline is proven again.

#[path = "support/launcher.rs"]
mod launcher;
#[expect(dead_code, reason = "another suite uses the rest")]
#[path = "support/sum.rs"]
mod sum;

use assay_kernel::judge::{Progress, Setup, forget, judge};
use assay_kernel::task;
use assay_kernel::verdict::Code;
use assay_process::{Background, CaptureLimits, Spawn};
use assay_stats::Side;
use launcher::launcher;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use sum::{FAST, Scene, TASK, WRONG};

/// The proof in memory belongs to the whole process.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A task with a candidate that is refused as soon as values are looked at.
struct Refused {
    scene: Scene,
    wrong: PathBuf,
}

impl Refused {
    fn new() -> Self {
        let scene = Scene::new(TASK, FAST);
        let wrong = scene.source("wrong.c", WRONG);
        Self { scene, wrong }
    }

    /// Judges as a new process would. Whether the baseline went through its gates, and whether an earlier proof was taken.
    fn judge_with(&self, change: impl FnOnce(&mut Setup<'_>)) -> (bool, bool) {
        forget();
        let (mut proven, mut remembered) = (false, false);
        let change = |setup: &mut Setup<'_>| {
            setup.cache = Some(self.scene.path("cache"));
            change(setup);
        };
        let judgement = self
            .scene
            .judge(&self.scene.load(), &self.wrong, change, &mut |told| match told {
                Progress::GateBegun { side: Side::Baseline, .. } => proven = true,
                Progress::Remembered { .. } => remembered = true,
                _ => {}
            })
            .expect("judged");
        assert_eq!(judgement.code, Code::WrongValue, "{judgement:?}");
        (proven, remembered)
    }

    fn judge(&self) -> (bool, bool) {
        self.judge_with(|_| {})
    }

    /// The one kept file with this ending.
    fn kept(&self, ending: &str) -> PathBuf {
        let files = std::fs::read_dir(self.scene.path("cache/kernel")).expect("a folder");
        let mut files = files.map(|file| file.expect("a file").path());
        let is = |path: &PathBuf| path.extension().is_some_and(|it| it == ending);
        files.find(is).unwrap_or_else(|| panic!("nothing ends with {ending}"))
    }
}

const PROVEN: (bool, bool) = (true, false);
const REMEMBERED: (bool, bool) = (false, true);

#[test]
fn a_second_process_does_not_prove_again() {
    let _alone = alone();
    let task = Refused::new();
    assert_eq!(task.judge(), PROVEN);
    assert_eq!(task.judge(), REMEMBERED);
    assert_eq!(task.judge_with(|setup| setup.cache = None), PROVEN, "without a folder");
    assert_eq!(task.judge_with(|setup| setup.fresh = true), PROVEN, "asked for");
    assert_eq!(task.judge(), REMEMBERED);
}

#[test]
fn what_a_proof_depends_on_makes_it_another() {
    let _alone = alone();
    let task = Refused::new();
    assert_eq!(task.judge(), PROVEN);
    task.scene.source("baseline.c", &FAST.replace("a[i] + b[i]", "b[i] + a[i]"));
    assert_eq!(task.judge(), PROVEN, "another baseline");
    task.scene.write("task.yaml", &TASK.replace("-O2", "-O1"));
    assert_eq!(task.judge(), PROVEN, "another flag");
    task.scene.write("task.yaml", &TASK.replace("random: 2", "random: 3"));
    assert_eq!(task.judge(), PROVEN, "another task");
    // Another program makes the calls: the same one with a byte behind its end.
    let program = task.scene.path("worker");
    let mut bytes = std::fs::read(env!("CARGO_BIN_EXE_assay-kernel-worker")).expect("read");
    bytes.push(0);
    std::fs::write(&program, bytes).expect("written");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("set");
    let other = |setup: &mut Setup<'_>| setup.launcher.program.clone_from(&program);
    assert_eq!(task.judge_with(other), PROVEN, "another worker");
    assert_eq!(task.judge_with(other), REMEMBERED);
    assert_eq!(task.judge(), REMEMBERED);
}

#[test]
fn what_is_damaged_old_or_open_to_others_does_not_count() {
    let _alone = alone();
    let task = Refused::new();
    let edit = |ending: &str, edit: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = std::fs::read(task.kept(ending)).expect("read");
        edit(&mut bytes);
        std::fs::write(task.kept(ending), bytes).expect("written");
    };
    assert_eq!(task.judge(), PROVEN);
    edit("so", &|bytes| bytes[4096] ^= 1);
    assert_eq!(task.judge(), PROVEN, "another library");
    assert_eq!(task.judge(), REMEMBERED);
    edit("json", &|bytes| bytes.truncate(100));
    assert_eq!(task.judge(), PROVEN, "a torn note");
    std::fs::remove_file(task.kept("so")).expect("removed");
    assert_eq!(task.judge(), PROVEN, "no library");
    // A library with a note that another key belongs to: the name alone proves nothing.
    edit("json", &|bytes| {
        *bytes = String::from_utf8_lossy(bytes).replace("\"c_dltensor\"", "\"tvm_ffi\"").into()
    });
    assert_eq!(task.judge(), PROVEN, "another key");
    for year in ["2020", "2999"] {
        edit("json", &|bytes| {
            let mut note: serde_json::Value = serde_json::from_slice(bytes).expect("a note");
            note["proven"] = format!("{year}-01-01T00:00:00Z").into();
            *bytes = serde_json::to_vec(&note).expect("a note");
        });
        assert_eq!(task.judge(), PROVEN, "of {year}");
    }
    assert_eq!(task.judge(), REMEMBERED);
    let folder = task.scene.path("cache/kernel");
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).expect("set");
    assert_eq!(task.judge(), PROVEN, "others may write there");
}

/// Not a test of its own: a process of [`two_processes_prove_once`].
#[test]
fn one_of_two() {
    let Some(folder) = std::env::var_os("ASSAY_TEST_KEPT") else { return };
    let folder = Path::new(&folder).to_owned();
    let loaded = task::load(&folder.join("task.yaml")).expect("a task");
    let scratch = tempfile::tempdir().expect("a folder");
    let mut setup = Setup::new(&loaded, &folder.join("wrong.c"), launcher(), scratch.path());
    setup.cache = Some(folder.join("cache"));
    let mut how = "";
    judge(&setup, &mut |told| match told {
        Progress::GateBegun { side: Side::Baseline, .. } => how = "PROVEN",
        Progress::Remembered { .. } => how = "REMEMBERED",
        _ => {}
    })
    .expect("judged");
    println!("it was {how}");
}

#[test]
fn two_processes_prove_once() {
    let _alone = alone();
    let task = Refused::new();
    // Through `assay_process`: its reaper waits for every child of this process, so nobody else may.
    let run = || {
        let program = std::env::current_exe().expect("this program");
        let argv = ["kept", "--exact", "one_of_two", "--nocapture"].map(Into::into).to_vec();
        let env = vec![("ASSAY_TEST_KEPT".into(), task.scene.path("").into())];
        let spawn = Spawn { program, argv, env, cwd: task.scene.path(""), ..Spawn::default() };
        let limits = CaptureLimits { timeout: Duration::from_secs(60), bytes: 1 << 20 };
        let ended = Background::shared().expect("a thread").output(spawn, limits).expect("started");
        String::from_utf8_lossy(&ended.stdout).into_owned()
    };
    let told: Vec<String> = std::thread::scope(|scope| {
        let both = [scope.spawn(run), scope.spawn(run), scope.spawn(run)];
        both.map(|one| one.join().expect("ended")).to_vec()
    });
    let count = |how: &str| told.iter().filter(|text| text.contains(how)).count();
    assert_eq!((count("it was PROVEN"), count("it was REMEMBERED")), (1, 2), "{told:?}");
}
