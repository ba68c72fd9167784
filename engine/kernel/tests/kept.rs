//! Proofs of baselines that the next process takes over: when they count, and when the baseline is proven again.

use assay_kernel::judge::{Judgement, Progress, Setup, forget, judge};
use assay_kernel::task;
use assay_kernel::verdict::Code;
use assay_kernel::worker::Launcher;
use assay_process::{Background, CaptureLimits, Spawn};
use assay_stats::Side;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tempfile::TempDir;

const TASK: &str = r#"
apiVersion: assay/v1
kind: KernelTask
name: kept
description: Adds two tensors.
abi: {symbol: kept}
axes: {N: {range: [1, 100000]}}
inputs:
  a: {dtype: fp32, shape: [N]}
  b: {dtype: fp32, shape: [N]}
outputs:
  y: {dtype: fp32, shape: [N]}
oracle: {builtin: add}
workloads: {shapes: [{N: 4096}]}
hidden: {odd: [1, 7, 33], random: 1, max_elements: 5000}
build: {cpu: ["-O2", "-std=c11"]}
baseline: {path: baseline.c}
"#;

const HEAD: &str = r#"
#include "assay_kernel.h"
ASSAY_EXPORT int32_t kept(const DLTensor *in, int n_in, DLTensor *out, int n_out, const double *s, int n_s, void *stream) {
    (void)s, (void)n_s, (void)stream;
    if (n_in != 2 || n_out != 1) return ASSAY_UNSUPPORTED;
    const float *a = assay_data(&in[0]), *b = assay_data(&in[1]);
    float *y = assay_data(&out[0]);
    for (int64_t i = 0; i < out[0].shape[0]; i++)
"#;

/// The proof in memory belongs to the whole process.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A task whose candidate is refused as soon as values are looked at.
struct Scene {
    folder: TempDir,
}

impl Scene {
    fn new() -> Self {
        let scene = Self { folder: tempfile::tempdir().expect("a folder") };
        scene.write("task.yaml", TASK);
        scene.write("baseline.c", &format!("{HEAD} y[i] = a[i] + b[i]; return 0; }}\n"));
        scene.write("wrong.c", &format!("{HEAD} y[i] = a[i] - b[i]; return 0; }}\n"));
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("written");
    }

    /// Judges as a new process would. Whether the baseline went through its gates, and whether an earlier proof was taken.
    fn judge_with(&self, change: impl FnOnce(&mut Setup<'_>)) -> (bool, bool) {
        forget();
        let loaded = task::load(&self.path("task.yaml")).expect("a task");
        let program = PathBuf::from(env!("CARGO_BIN_EXE_assay-kernel-worker"));
        let launcher = Launcher { program, args: Vec::new(), env: Vec::new() };
        let mut setup = Setup::new(&loaded, &self.path("wrong.c"), launcher, &self.path("scratch"));
        setup.cache = Some(self.path("cache"));
        change(&mut setup);
        let (mut proven, mut remembered) = (false, false);
        let judgement: Judgement = judge(&setup, &mut |told| match told {
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
        let files = std::fs::read_dir(self.path("cache/kernel")).expect("a folder");
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
    let scene = Scene::new();
    assert_eq!(scene.judge(), PROVEN);
    assert_eq!(scene.judge(), REMEMBERED);
    assert_eq!(scene.judge_with(|setup| setup.cache = None), PROVEN, "without a folder");
    assert_eq!(scene.judge_with(|setup| setup.fresh = true), PROVEN, "asked for");
    assert_eq!(scene.judge(), REMEMBERED);
}

#[test]
fn what_a_proof_depends_on_makes_it_another() {
    let _alone = alone();
    let scene = Scene::new();
    assert_eq!(scene.judge(), PROVEN);
    scene.write("baseline.c", &format!("{HEAD} y[i] = b[i] + a[i]; return 0; }}\n"));
    assert_eq!(scene.judge(), PROVEN, "another baseline");
    scene.write("task.yaml", &TASK.replace("-O2", "-O1"));
    assert_eq!(scene.judge(), PROVEN, "another flag");
    scene.write("task.yaml", &TASK.replace("random: 1", "random: 2"));
    assert_eq!(scene.judge(), PROVEN, "another task");
    // Another program makes the calls: the same one with a byte behind its end.
    let program = scene.path("worker");
    let mut bytes = std::fs::read(env!("CARGO_BIN_EXE_assay-kernel-worker")).expect("read");
    bytes.push(0);
    std::fs::write(&program, bytes).expect("written");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("set");
    let other = |setup: &mut Setup<'_>| setup.launcher.program.clone_from(&program);
    assert_eq!(scene.judge_with(other), PROVEN, "another worker");
    assert_eq!(scene.judge_with(other), REMEMBERED);
    assert_eq!(scene.judge(), REMEMBERED);
}

#[test]
fn what_is_damaged_old_or_open_to_others_does_not_count() {
    let _alone = alone();
    let scene = Scene::new();
    let edit = |ending: &str, edit: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = std::fs::read(scene.kept(ending)).expect("read");
        edit(&mut bytes);
        std::fs::write(scene.kept(ending), bytes).expect("written");
    };
    assert_eq!(scene.judge(), PROVEN);
    edit("so", &|bytes| bytes[4096] ^= 1);
    assert_eq!(scene.judge(), PROVEN, "another library");
    assert_eq!(scene.judge(), REMEMBERED);
    edit("json", &|bytes| bytes.truncate(100));
    assert_eq!(scene.judge(), PROVEN, "a torn note");
    std::fs::remove_file(scene.kept("so")).expect("removed");
    assert_eq!(scene.judge(), PROVEN, "no library");
    // A library with a note that another key belongs to: the name alone proves nothing.
    edit("json", &|bytes| {
        *bytes = String::from_utf8_lossy(bytes).replace("\"c_dltensor\"", "\"tvm_ffi\"").into()
    });
    assert_eq!(scene.judge(), PROVEN, "another key");
    for year in ["2020", "2999"] {
        edit("json", &|bytes| {
            let mut note: serde_json::Value = serde_json::from_slice(bytes).expect("a note");
            note["proven"] = format!("{year}-01-01T00:00:00Z").into();
            *bytes = serde_json::to_vec(&note).expect("a note");
        });
        assert_eq!(scene.judge(), PROVEN, "of {year}");
    }
    assert_eq!(scene.judge(), REMEMBERED);
    let folder = scene.path("cache/kernel");
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).expect("set");
    assert_eq!(scene.judge(), PROVEN, "others may write there");
}

/// Not a test of its own: a process of [`two_processes_prove_once`].
#[test]
fn one_of_two() {
    let Some(folder) = std::env::var_os("ASSAY_TEST_KEPT") else { return };
    let folder = Path::new(&folder).to_owned();
    let loaded = task::load(&folder.join("task.yaml")).expect("a task");
    let program = PathBuf::from(env!("CARGO_BIN_EXE_assay-kernel-worker"));
    let scratch = tempfile::tempdir().expect("a folder");
    let launcher = Launcher { program, args: Vec::new(), env: Vec::new() };
    let mut setup = Setup::new(&loaded, &folder.join("wrong.c"), launcher, scratch.path());
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
    let scene = Scene::new();
    // Through `assay_process`: its reaper waits for every child of this process, so nobody else may.
    let run = || {
        let program = std::env::current_exe().expect("this program");
        let argv = ["kept", "--exact", "one_of_two", "--nocapture"].map(Into::into).to_vec();
        let env = vec![("ASSAY_TEST_KEPT".into(), scene.folder.path().into())];
        let spawn = Spawn { program, argv, env, cwd: scene.folder.path().to_owned(), ..Spawn::default() };
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
