//! A worker that becomes an interpreter: what it tells of calls, what it refuses, how it ends. Nothing here judges, so sources hold
//! what the scan of the judge would never let through.

#[path = "support/interpreter.rs"]
mod interpreter;

use assay_kernel::case::{Case, Kind, Role, Tensor};
use assay_kernel::dtype::DType;
use assay_kernel::layout::Layout;
use assay_kernel::task::{Abi, Array, Form, Limits};
use assay_kernel::worker::{Arena, Block, Edge, End, Launcher, Mode, Place, Script, Worker};
use std::path::PathBuf;
use tempfile::TempDir;

/// Sets, in the arena and in blocks.
const SETS: usize = 4;

/// An interpreter with numpy.
fn with_numpy() -> Option<PathBuf> {
    interpreter::find(
        "import numpy",
        "no `python3` here has numpy; install it with `apt-get install python3-numpy`",
    )
}

struct Bench {
    folder: TempDir,
    python: PathBuf,
}

impl Bench {
    fn new() -> Option<Self> {
        let python = with_numpy()?;
        Some(Self { folder: tempfile::tempdir().expect("a folder"), python })
    }

    fn try_start(&self, source: &str) -> Result<Worker, End> {
        let path = self.folder.path().join("kernel.py");
        std::fs::write(&path, source).expect("written");
        let env = [
            ("PATH", "/usr/bin:/bin"),
            ("OMP_NUM_THREADS", "1"),
            ("OPENBLAS_NUM_THREADS", "1"),
            ("OWN", "7"),
        ];
        let script = Script {
            argv: vec![self.python.to_str().expect("a path in UTF-8").to_owned()],
            env: env.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
            home: self.folder.path().to_owned(),
            file: "kernel.py".to_owned(),
        };
        let settings = serde_json::to_vec(&script).expect("text");
        std::fs::write(Script::beside(&path), settings).expect("written");
        let abi = Abi { form: Form::Python, array: Array::Numpy, ..Abi::c("entry") };
        let launcher = Launcher {
            program: env!("CARGO_BIN_EXE_assay-kernel-worker").into(),
            args: Vec::new(),
            env: Vec::new(),
        };
        let limits = Limits { call_ms: 5000, memory_mib: 256, total_s: 60 };
        Worker::start(&launcher, &path, &abi, &limits)
    }

    /// A worker whose entry has this body, with an arena of 1,000 elements mapped.
    fn start(&self, body: &str) -> (Worker, Arena) {
        let source = format!(
            "import ctypes, os, socket, subprocess, sys\nimport numpy as np\nCALLS = [0]\n\n\
             def entry(inputs, outputs, scalars, stream):\n    (x,), (y,) = inputs, outputs\n    {}\n",
            body.replace('\n', "\n    ")
        );
        let mut worker = self.try_start(&source).unwrap_or_else(|error| panic!("{error}"));
        let arena = filled(DType::Fp32);
        worker.map(&arena).unwrap_or_else(|error| panic!("{error}"));
        (worker, arena)
    }

    fn end(&self, body: &str) -> End {
        let (mut worker, _arena) = self.start(body);
        let end = worker.call(1).expect_err("no call comes back");
        assert_eq!(worker.call(0), Err(end.clone()), "asked again, it says the same");
        end
    }

    /// Return code and words of one call.
    fn said(&self, body: &str) -> (i32, String) {
        let (mut worker, _arena) = self.start(body);
        let called = worker.call(1).unwrap_or_else(|error| panic!("{error}"));
        (called.rc, worker.said().to_owned())
    }
}

fn case(dtype: DType) -> Case {
    let tensor =
        |name: &str, role| Tensor { name: name.to_owned(), role, layout: Layout::contiguous(dtype, &[1000]) };
    Case {
        kind: Kind::Measured,
        axes: [("N".to_owned(), 1000)].into_iter().collect(),
        tensors: vec![tensor("x", Role::Input), tensor("y", Role::Output)],
        scalars: vec![3.0],
        launch: None,
        shift: 0,
    }
}

fn filled(dtype: DType) -> Arena {
    let case = case(dtype);
    let mut arena = Arena::new(&case, SETS, Edge::End, 4, false).expect("memory");
    for set in 0..SETS {
        let values: Vec<f64> = (0..1000).map(|at| f64::from(u32::from(at == 0)) + set as f64).collect();
        case.tensors[0].layout.write(&values, arena.bytes_mut(set, 0));
        arena.bytes_mut(set, 1).fill(0xa5);
    }
    arena
}

fn first(bytes: &[u8]) -> f64 {
    DType::Fp32.read(&bytes[..4])
}

#[test]
fn a_call_writes_what_it_was_given_scaled() {
    let Some(bench) = Bench::new() else { return };
    let (mut worker, arena) =
        bench.start("y[...] = x * scalars[0]\nassert stream is None and len(scalars) == 1");
    let called = worker.call(2).expect("served");
    assert_eq!((called.rc, worker.said(), first(arena.bytes(2, 1))), (0, "", 9.0));
    assert_eq!((called.mode_before, called.mode_after), (Mode::DEFAULT, Mode::DEFAULT));
    assert!(called.ns > 0 && called.ns < called.host_ns);
    assert_eq!(arena.bytes(1, 1)[..4], [0xa5; 4], "other sets are left alone");
    // Another arena takes the place of the first.
    let other = filled(DType::Fp64);
    worker.map(&other).expect("mapped");
    assert_eq!(worker.call(3).expect("served").rc, 0);
    assert_eq!(DType::Fp64.read(&other.bytes(3, 1)[..8]), 12.0);
}

#[test]
fn a_block_takes_sets_in_order_a_snapshot_and_the_first_failure() {
    let Some(bench) = Bench::new() else { return };
    let (mut worker, arena) =
        bench.start("CALLS[0] += 1\ny[...] = CALLS[0]\nreturn 7 if CALLS[0] == 9 else None");
    let block = Block { sets: vec![3, 1, 1, 0], snapshot: Some((1, 1)), flush: false };
    let done = worker.block(&block).expect("served");
    assert_eq!((done.failed, done.mode_after), (None, Mode::DEFAULT));
    assert!(
        done.ns > 0 && done.ns <= done.wall_ns && done.wall_ns < done.host_ns && done.copy_ns > 0,
        "{done:?}"
    );
    let outputs: Vec<f64> = [3, 1, 0].map(|set| first(arena.bytes(set, 1))).to_vec();
    assert_eq!((first(arena.snapshot()), outputs), (2.0, vec![1.0, 3.0, 4.0]));
    let block = Block { sets: vec![0; 10], ..Block::default() };
    assert_eq!(worker.block(&block).expect("served").failed, Some((4, 7)));
}

#[test]
fn what_goes_wrong_in_a_call_is_told_with_its_line() {
    let Some(bench) = Bench::new() else { return };
    let (code, said) = bench.said("y[...] = x\ny[2000] = 1");
    assert!(code == 1 && said.starts_with("IndexError:") && said.ends_with("(line 8)"), "{said}");
    assert_eq!(bench.said("return -3"), (-3, String::new()));
    let (code, said) = bench.said("return x");
    assert!(code == 1 && said.contains("ndarray"), "{said}");
    assert_eq!(bench.said("np.ones(1 << 30)").0, -12);
    // An error in a block ends it.
    let (mut worker, _arena) = bench.start("CALLS[0] += 1\nassert CALLS[0] < 3, 'enough'");
    let done = worker.block(&Block { sets: vec![0; 5], ..Block::default() }).expect("served");
    assert_eq!(done.failed, Some((2, 1)));
    assert!(worker.said().contains("AssertionError: enough (line 8)"), "{}", worker.said());
}

#[test]
fn every_write_is_seen() {
    let Some(bench) = Bench::new() else { return };
    let (mut worker, arena) = bench.start("x[0] = 5");
    worker.call(1).expect("served");
    assert_eq!(first(arena.bytes(1, 0)), 5.0, "inputs are taken back");
    let beyond = |at: i64| {
        format!(
            "np.lib.stride_tricks.as_strided(y, (1,), (4,), writeable=True)[...] = 1\nctypes.c_float.from_address(y.ctypes.data + {at}).value = 1"
        )
    };
    let (mut worker, arena) = bench.start(&beyond(-8));
    worker.call(1).expect("served");
    assert_eq!(arena.margins_intact(), Some((1, 1)), "margins too");
    for (at, place) in [(4000, Place::After), (-200 - 4096, Place::Before)] {
        let End::Guard { fault } = bench.end(&beyond(at)) else { panic!("a guard") };
        assert_eq!((fault.set, fault.tensor, fault.place, fault.offset / 4 * 4), (1, 1, place, at / 4 * 4));
    }
}

#[test]
fn the_mode_of_floating_point_is_read_without_the_candidates_word() {
    let Some(bench) = Bench::new() else { return };
    let (mut worker, _arena) = bench.start("ctypes.CDLL('libm.so.6').fesetround(0x400)\ny[...] = x");
    let called = worker.call(0).expect("served");
    assert_eq!(called.mode_before, Mode::DEFAULT);
    if cfg!(target_arch = "x86_64") {
        assert_eq!(called.mode_after, Mode { vector: 0x3f80, x87: 0x77f });
    }
    let done = worker.block(&Block { sets: vec![0], ..Block::default() }).expect("served");
    assert_ne!(done.mode_after, Mode::DEFAULT);
}

#[test]
fn the_sandbox_ends_what_reaches_out_and_lets_a_compiler_run() {
    let Some(bench) = Bench::new() else { return };
    for body in
        ["socket.socket()", "os.kill(os.getppid(), 0)", "os.setsid()", "ctypes.CDLL(None).ptrace(0, 0, 0, 0)"]
    {
        assert_eq!(bench.end(body), End::Sandbox, "{body}");
    }
    // As CUDA's driver asks for its server when it begins: whoever listens, nobody is there. It takes no other error for that.
    let path = bench.folder.path().join("control");
    let _listening = std::os::unix::net::UnixListener::bind(&path).expect("a socket");
    for kind in ["SOCK_SEQPACKET", "SOCK_STREAM"] {
        let ask = format!("socket.socket(socket.AF_UNIX, socket.{kind}).connect('{}')", path.display());
        let (code, said) = bench.said(&ask);
        assert!(code == 1 && said.starts_with("FileNotFoundError"), "{said}");
    }
    for other in ["AF_UNIX, socket.SOCK_DGRAM", "AF_UNIX, socket.SOCK_RAW", "AF_NETLINK, socket.SOCK_RAW"] {
        let (code, said) = bench.said(&format!("socket.socket(socket.{other})"));
        assert!(code == 1 && said.starts_with("PermissionError"), "{other}: {said}");
    }
    assert_eq!(bench.said("y[...] = subprocess.run(['/bin/true']).returncode"), (0, String::new()));
    // Nothing of the judge's environment, files or output.
    let look = "names = set(os.environ) - {'PATH', 'OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'OWN', 'LC_CTYPE'}\n\
                assert not names and os.environ['OWN'] == '7', names\n\
                streams = {os.readlink(f'/proc/self/fd/{at}') for at in range(3)}\n\
                assert streams == {'/dev/null'}, streams\n\
                assert os.path.samefile('.', os.path.dirname(__file__) or '.') and sys.flags.isolated";
    assert_eq!(bench.said(look), (0, String::new()));
}

#[test]
fn ends_are_told_apart() {
    let Some(bench) = Bench::new() else { return };
    assert_eq!(bench.end("os._exit(9)"), End::EarlyExit { code: 9 });
    assert_eq!(bench.end("raise SystemExit('done')"), End::EarlyExit { code: 1 });
    assert_eq!(bench.end("ctypes.string_at(0)"), End::Crashed { signal: 11, fault: None });
    assert_eq!(bench.end("while True: pass"), End::Timeout { limit_ms: 5000 });
    assert_eq!(bench.try_start("import sys\nsys.exit(4)").expect_err("ended"), End::EarlyExit { code: 4 });
    let missing = bench.try_start("entry = 3").expect_err("no function");
    assert_eq!(missing, End::SymbolMissing { symbol: "entry".to_owned() });
    let failed = |source: &str| match bench.try_start(source).expect_err("not loaded") {
        End::LoadFailed { message } => message,
        end => panic!("{end}"),
    };
    assert!(failed("import nothing_of_the_kind").contains("(line 1)"));
    assert!(failed("x = 1\ndef entry(:\n").contains("(line 2)"));
}

#[test]
fn a_type_that_numpy_lacks_names_the_way_out() {
    let Some(bench) = Bench::new() else { return };
    let mut worker = bench.try_start("def entry(inputs, outputs, scalars, stream): pass").expect("loaded");
    match worker.map(&filled(DType::Bf16)) {
        Ok(()) => assert!(
            interpreter::run(&bench.python, &["-I", "-c", "import ml_dtypes"], "/".as_ref()).is_some()
        ),
        Err(End::LoadFailed { message }) => assert!(message.contains("install ml_dtypes"), "{message}"),
        Err(end) => panic!("{end}"),
    }
}
