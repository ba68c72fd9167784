//! Oracles that are programs: what they get, what they give, and how they fail.

use assay_kernel::case::{self, Case, Kind};
use assay_kernel::oracle::{self, Expected, Oracle, OracleError};
use assay_kernel::task::{self, Loaded};

/// A reader and writer of safetensors with nothing but Python's standard library.
const PRELUDE: &str = r#"
import json, struct, sys
data = open(sys.argv[-2], "rb").read()
length = struct.unpack("<Q", data[:8])[0]
head = json.loads(data[8:8 + length])
def read(name):
    begin, end = head[name]["data_offsets"]
    assert head[name]["dtype"] == "F64"
    return struct.unpack("<%dd" % ((end - begin) // 8), data[8 + length + begin:8 + length + end])
def write(**tensors):
    out, body = {}, b""
    for name, (dtype, shape, values) in tensors.items():
        packed = struct.pack("<%d%s" % (len(values), {"F64": "d", "F32": "f"}[dtype]), *values)
        out[name.replace("_terms", ".terms")] = {"dtype": dtype, "shape": shape, "data_offsets": [len(body), len(body) + len(packed)]}
        body += packed
    text = json.dumps(out).encode()
    open(sys.argv[-1], "wb").write(struct.pack("<Q", len(text)) + text + body)
"#;

fn load(script: &str, command: &str, limit: u32) -> (tempfile::TempDir, Loaded) {
    let folder = tempfile::tempdir().expect("a folder");
    let text = format!(
        "apiVersion: assay/v1\nkind: KernelTask\nname: t\ndescription: d\nabi: {{symbol: f}}\naxes: {{N: {{range: [1, 64]}}}}\n\
         inputs: {{x: {{dtype: bf16, shape: [N]}}}}\noutputs: {{y: {{dtype: bf16, shape: [N]}}}}\nscalars: {{a: {{value: 3}}}}\n\
         oracle: {{command: {command}}}\nworkloads: {{shapes: [{{N: 3}}]}}\nbaseline: {{path: k.c}}\nlimits: {{total_s: {limit}}}\n"
    );
    for (name, text) in [("k.c", ""), ("task.yaml", &text), ("oracle.py", &format!("{PRELUDE}{script}"))] {
        std::fs::write(folder.path().join(name), text).expect("a file");
    }
    let loaded = task::load(&folder.path().join("task.yaml")).expect("a task");
    (folder, loaded)
}

fn expect(script: &str) -> Result<Vec<Expected>, String> {
    run(&load(script, "[python3, oracle.py, mode]", 20).1)
}

fn run(loaded: &Loaded) -> Result<Vec<Expected>, String> {
    let case = case::make(&loaded.task, Kind::Measured, &loaded.shapes[0].axes, 0).expect("a case");
    let oracle = oracle::oracle(loaded).expect("an oracle");
    oracle.expect(&case, &[vec![1.0, -2.0, 0.5]]).map_err(|error| error.to_string())
}

#[test]
fn a_program_answers() {
    let script = "assert sys.argv[1] == 'mode' and head['__metadata__'] == {'N': '3'} and head['x']['shape'] == [3]\n\
                  a, = read('a')\nwrite(y=('F64', [3], [a * v for v in read('x')]))";
    assert_eq!(expect(script).expect("an answer")[0].values, [3.0, -6.0, 1.5]);
    let terms = "write(y=('F64', [3], [1, 2, 3]), y_terms=('F64', [3], [4, 5, 6]))";
    assert_eq!(expect(terms).expect("an answer")[0].terms, [4.0, 5.0, 6.0]);
}

#[test]
fn a_program_inside_an_event_loop_answers() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let found = runtime.block_on(async { expect("write(y=('F64', [3], [1, 2, 3]))") });
    assert_eq!(found.expect("an answer")[0].values, [1.0, 2.0, 3.0]);
}

#[test]
fn a_program_that_fails_says_how() {
    for (script, message) in [
        ("raise ValueError('no such shape')", "ended with code 1: ValueError: no such shape"),
        ("pass", "wrote no file of outputs"),
        ("import os; os.kill(os.getpid(), 9)", "was ended by signal 9"),
        ("write(z=('F64', [3], [1, 2, 3]))", "wrote no tensor `y`"),
        ("write(y=('F64', [1, 3], [1, 2, 3]))", "wrote `y` as (F64, [1, 3]), not as F64 of shape [3]"),
        ("write(y=('F32', [3], [1, 2, 3]))", "wrote `y` as (F32, [3]), not as F64 of shape [3]"),
        ("open(sys.argv[-1], 'w').write('nothing')", "did not write safetensors: "),
        ("open(sys.argv[-1], 'w').write('0' * 5000000)", "wrote 5000000 bytes, more than its outputs hold"),
    ] {
        let error = expect(script).expect_err(script);
        assert!(error.starts_with(&format!("the oracle `python3` at N=3: it {message}")), "{error}");
    }
}

#[test]
fn a_program_is_bounded_and_must_exist() {
    let begun = std::time::Instant::now();
    let (_folder, loaded) = load("import time; time.sleep(60)", "[python3, oracle.py]", 1);
    assert_eq!(
        run(&loaded).expect_err("too long"),
        "the oracle `python3` at N=3: it took longer than 1 s; raise `limits.total_s`"
    );
    assert!(begun.elapsed().as_secs() < 20);
    let (_folder, loaded) = load("", "[no-such-program]", 1);
    let error = run(&loaded).expect_err("missing");
    assert!(
        error.starts_with(
            "the oracle `no-such-program` cannot be started: program `no-such-program` not found"
        ),
        "{error}"
    );
}

#[test]
fn the_script_is_locked_and_the_caller_lints() {
    let (folder, loaded) = load(
        "write(y=('F64', head['x']['shape'], [7.0] * head['x']['shape'][0]))",
        "[python3, oracle.py]",
        20,
    );
    assert!(loaded.files.iter().any(|file| file.path.ends_with("oracle.py")));
    let oracle = oracle::oracle(&loaded).expect("an oracle");
    let found = task::lint(&loaded, oracle.as_ref()).expect_err("a constant").to_string();
    assert_eq!(found, "`y` is almost constant: its deviation is 0.00e0 of its size");
    std::fs::write(folder.path().join("oracle.py"), "").expect("a file");
    assert_eq!(loaded.changed(), ["oracle.py"]);
}

/// An oracle that is a function of the elements' places and the first input.
struct Made(fn(usize, &[f64]) -> f64);

impl Oracle for Made {
    fn expect(&self, case: &Case, inputs: &[Vec<f64>]) -> Result<Vec<Expected>, OracleError> {
        let elements = case.tensors.last().expect("an output").layout.len();
        let values = (0..elements).map(|at| (self.0)(at, &inputs[0])).collect();
        Ok(vec![Expected { values, terms: Vec::new() }])
    }
}

#[test]
fn answers_that_hardly_depend_on_inputs_are_found() {
    let (_folder, loaded) = load("", "[python3, oracle.py]", 20);
    let found = |answer| task::lint(&loaded, &Made(answer)).map_err(|error| error.to_string());
    assert_eq!(found(|at, x| x[at]), Ok(()));
    let same = found(|at, x| at as f64 + 1e-6 * x[at]).expect_err("the same");
    assert!(same.starts_with("`y` hardly depends on the inputs: other data change it by "), "{same}");
    let error = found(|at, _| at as f64).expect_err("the same");
    assert_eq!(error, "`y` hardly depends on the inputs: other data change it by 0.00e0 of its size");
    let mut wide = loaded.clone();
    let size = wide.task.outputs[0].shape[0].clone();
    wide.task.outputs[0].shape.push(size);
    let found = |answer| task::lint(&wide, &Made(answer)).map_err(|error| error.to_string());
    assert_eq!(found(|at, x| x[at % x.len()]), Err("`y` does not vary along dimension 0".to_owned()));
    assert_eq!(found(|at, x| x[at / x.len()]), Err("`y` does not vary along dimension 1".to_owned()));
    assert_eq!(found(|at, x| x[at / x.len()] * x[at % x.len()]), Ok(()));
}
