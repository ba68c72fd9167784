//! What somebody who writes a kernel is told: the header, what may be imported, the fields of a task, what each verdict means.

#[path = "support/kernels.rs"]
#[expect(dead_code, reason = "this suite uses a part of it")]
mod kernels;
#[path = "support/schemas.rs"]
#[expect(dead_code, reason = "this suite uses a part of it")]
mod schemas;
mod support;

use kernels::{candidate, copied, example};
use schemas::schema;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::process::Command;
use support::Scene;

#[test]
fn the_header_is_printed_and_compiles_alone() {
    let scene = Scene::new();
    let printed = scene.assay(&["kernel", "header"]).expect(0).stdout;
    assert!(printed.contains("DLTensor") && printed.contains("ASSAY_EXPORT"), "{printed}");
    scene.write("include/.keep", "");
    let told = scene.assay(&["kernel", "header", "--out", "include"]).expect(0).stdout;
    assert!(told.contains("include/assay_kernel.h") && told.contains("-I include"), "{told}");
    assert_eq!(scene.read("include/assay_kernel.h"), printed);
    scene.write("k.c", "#include \"assay_kernel.h\"\nint rank(const DLTensor *t) { return t->ndim; }\n");
    let mut cc = Command::new("cc");
    let built = cc.args(["-Wall", "-Werror", "-I", "include", "-c", "k.c"]).current_dir(scene.dir()).output();
    let built = built.expect("a compiler");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let failed = scene.assay(&["kernel", "header", "--out", "no/where/x.h"]).expect(2).stderr;
    assert!(failed.contains("cannot write `no/where/x.h`"), "{failed}");
}

#[test]
fn what_may_be_imported_is_listed_with_what_a_task_adds() {
    let scene = Scene::new();
    let shown = scene.assay(&["kernel", "allowed"]).expect(0).stdout;
    for name in ["memcpy", "expf", "tanh", "__assert_fail", "libstdc++.so.6", "allow.imports"] {
        let known = shown.contains(name) || shown.contains(name.trim_end_matches('f'));
        assert!(known, "{name}\n{shown}");
    }
    assert!(!shown.contains("pthread"), "{shown}");
    let task = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/kernels/rmsnorm");
    let task = task.to_str().expect("UTF-8");
    let with = scene.assay(&["kernel", "allowed", task, "--json"]).expect(0).json();
    assert!(with["data"]["allow"]["needed"].as_array().is_some_and(|all| all.contains(&json!("libm.so.6"))));
}

/// The schema of the ledger lists the codes; a code that is added without words fails here.
#[test]
fn every_verdict_is_explained_in_any_case() {
    let scene = Scene::new();
    let ledger = schema(&scene, "kernel-ledger");
    let codes = ledger["definitions"]["Code"]["oneOf"].as_array().expect("codes").clone();
    assert!(codes.len() > 40, "{}", codes.len());
    for code in codes.iter().map(|code| code["const"].as_str().expect("a word")) {
        let told = scene.assay(&["explain", code, "--json"]).expect(0).json();
        let data = &told["data"];
        assert_eq!((&data["kind"], &data["code"]), (&json!("kernel-code"), &json!(code)));
        for field in ["meaning", "found_by", "way_out"] {
            assert!(data[field].as_str().is_some_and(|text| text.len() > 10), "{code} {field}: {data}");
        }
        assert!(matches!(data["exit"].as_u64(), Some(0 | 23 | 25)), "{data}");
    }
    let text = scene.assay(&["explain", "stale-result"]).expect(0).stdout;
    assert!(
        text.contains("STALE_RESULT") && text.contains("found by:") && text.contains("way out:"),
        "{text}"
    );
    // An exit code of the same name comes first and names the verdict.
    let exit = scene.assay(&["explain", "timeout"]).expect(0);
    assert!(exit.stderr.contains("assay explain TIMEOUT"), "{exit:?}");
    let near = scene.assay(&["explain", "STALE_RESULTS"]).expect(3).stderr;
    assert!(near.contains("did you mean `STALE_RESULT`?"), "{near}");
}

#[test]
fn every_field_of_a_task_is_explained() {
    let scene = Scene::new();
    let fields =
        scene.assay(&["explain", "kernel-task", "--json"]).expect(0).json()["data"]["fields"].clone();
    let fields = fields.as_array().expect("fields");
    for field in fields {
        assert!(field["doc"].as_str().is_some_and(|doc| doc.len() > 5), "{field}");
        assert_ne!(field["takes"], json!("any value"), "{field}");
    }
    let at = |path: &str| -> Value {
        let found = fields.iter().find(|field| field["path"] == path);
        found.cloned().unwrap_or_else(|| panic!("{path} is missing"))
    };
    assert_eq!(at("axes.<name>.range")["required"], json!(true));
    assert_eq!(at("inputs.<name>.gen.scales")["takes"], json!("list of number"));
    assert_eq!(at("abi.align")["default"], json!(1));
    let text = scene.assay(&["explain", "kernel-task"]).expect(0).stdout;
    assert!(text.contains("hidden.max_elements") && text.contains("`scales` of a generator"), "{text}");
}

#[test]
fn a_check_says_what_is_missing_beside_the_task() {
    let scene = Scene::new();
    copied(&scene, "rmsnorm", "task");
    let task = scene.read("task/task.yaml");
    let own = |command: &str| {
        let at = task.lines().find(|line| line.starts_with("oracle:")).expect("an oracle");
        scene.write("task/own.yaml", task.replace(at, &format!("oracle: {{command: {command}}}")));
        scene.assay(&["kernel", "check", "task/own.yaml", "--json"])
    };
    let told = own("[python3, -u, orakel.py, --mode=x/y]").expect(0).json();
    let found = &told["diagnostics"];
    assert_eq!((&found[0]["code"], &found[0]["severity"]), (&json!("oracle-missing"), &json!("warning")));
    assert!(found[0]["message"].as_str().is_some_and(|text| text.contains("`orakel.py`")), "{found}");
    assert_eq!(found.as_array().map(Vec::len), Some(1), "{found}");
    scene.write("task/orakel.py", "");
    assert_eq!(own("[python3, orakel.py]").expect(0).json()["diagnostics"], json!([]));
    let warned = own("[tools/oracle, a]").expect(0).json();
    assert_eq!(warned["diagnostics"][0]["code"], json!("oracle-missing"), "{warned}");
    // A baseline that is not there, at the line that names it; a candidate that is not there.
    let at = task.lines().position(|line| line.starts_with("baseline:")).expect("a baseline") + 1;
    scene.write("task/task.yaml", task.replace("baseline/kernel.c", "baseline/kernal.c"));
    let wrong = scene.assay(&["kernel", "check", "task"]).expect(11).stderr;
    assert!(wrong.contains(&format!("task/task.yaml:{at}:")) && wrong.contains("kernal.c"), "{wrong}");
    scene.write("task/task.yaml", &task);
    let wrong = scene.assay(&["kernel", "check", "task", "--candidate", "absent.c"]).expect(2).stderr;
    assert!(wrong.contains("the candidate `absent.c` cannot be read"), "{wrong}");
    scene.assay(&["kernel", "check", "task", "--candidate", "task"]).expect(2);
}

/// A number that a check tells is found in the task.
#[test]
fn a_check_says_where_its_shapes_come_from() {
    let scene = Scene::new();
    copied(&scene, "rmsnorm", "task");
    let task = scene.read("task/task.yaml");
    let data = scene.assay(&["kernel", "check", "task", "--json"]).expect(0).json()["data"].clone();
    let drawn = &data["drawn"];
    let beyond = drawn["beyond"].as_array().expect("axes").len();
    let (random, large) =
        (drawn["random"].as_u64().expect("a number"), drawn["large"].as_u64().expect("a number"));
    assert!(beyond > 0 && random > 0, "{drawn}");
    let found = data["cases"]["random"].as_u64().expect("a number");
    assert_eq!(found, random + beyond as u64, "{data}");
    let shown = scene.assay(&["kernel", "check", "task"]).expect(0).stdout;
    let all = found + large;
    let line = format!(
        "  {all} shapes drawn in each judgement: {random} by `hidden.random`, {beyond} beyond the largest measured size of `R`"
    );
    assert!(shown.contains(&line), "{line}\n{shown}");
    // Another number in the task is another one here.
    scene.write("task/task.yaml", format!("{task}\nhidden: {{random: 9}}\n"));
    let shown = scene.assay(&["kernel", "check", "task"]).expect(0).stdout;
    assert!(
        shown.contains(&format!("{} shapes drawn in each judgement: 9 by `hidden.random`", all - random + 9)),
        "{shown}"
    );
}

/// A task whose oracle is a program: the sum of two tensors, which says so much about itself, and is as slow.
fn own_oracle(scene: &Scene, seconds: f64, terms: bool) {
    let task = "apiVersion: assay/v1\nkind: KernelTask\nname: own\ndescription: A sum.\nabi: {symbol: kv_entry}\n\
                axes: {R: {range: [1, 64]}, C: {range: [1, 64]}}\n\
                inputs: {a: {dtype: fp32, shape: [R, C]}, b: {dtype: fp32, shape: [R, C]}}\noutputs: {y: {dtype: fp32, shape: [R, C]}}\n\
                oracle: {command: [python3, oracle.py]}\ntolerance: {accum: {n: \"2\", unit: fp32}}\n\
                workloads: {shapes: [{R: 4, C: 8}]}\nbaseline: {path: kernel.c}\n";
    let oracle = "import array, json, struct, sys, time\ntime.sleep(SECONDS)\nraw = open(sys.argv[1], 'rb').read()\n\
                  start = 8 + struct.unpack_from('<Q', raw)[0]\nhead = json.loads(raw[8:start])\n\
                  def tensor(name):\n    first, behind = head[name]['data_offsets']\n    return array.array('d', raw[start + first:start + behind])\n\
                  y = array.array('d', (a + b for a, b in zip(tensor('a'), tensor('b'))))\n\
                  terms = array.array('d', (abs(a) + abs(b) for a, b in zip(tensor('a'), tensor('b'))))\n\
                  out, at, body = {}, 0, b''\nfor name, values in OUTPUTS:\n    part = values.tobytes()\n    \
                  out[name] = {'dtype': 'F64', 'shape': head['a']['shape'], 'data_offsets': [at, at + len(part)]}\n    \
                  at, body = at + len(part), body + part\nout = json.dumps(out).encode()\n\
                  open(sys.argv[2], 'wb').write(struct.pack('<Q', len(out)) + out + body)\n";
    let outputs = if terms { "[('y', y), ('y.terms', terms)]" } else { "[('y', y)]" };
    scene.write("own/task.yaml", task);
    scene.write("own/oracle.py", oracle.replace("SECONDS", &seconds.to_string()).replace("OUTPUTS", outputs));
    // It serves whatever it is given, so it does not get past the values.
    let kernel = "#include \"assay_kernel.h\"\nASSAY_EXPORT int32_t kv_entry(const DLTensor *in, int n_in, DLTensor *out, int n_out,\n\
                  const double *scalars, int n_scalars, void *stream) {\n(void)in, (void)n_in, (void)out, (void)n_out, (void)scalars, \
                  (void)n_scalars, (void)stream;\nreturn ASSAY_OK;\n}\n";
    scene.write("own/kernel.c", kernel);
}

#[test]
fn an_oracle_that_tells_no_sums_is_named() {
    let scene = Scene::new();
    let judge = || {
        scene.assay(&["kernel", "judge", "own", "--candidate", "own/kernel.c", "--quick"]).expect(11).stderr
    };
    own_oracle(&scene, 0.0, false);
    let told = judge();
    assert!(
        told.contains("note: the oracle tells no `y.terms`, so `tolerance.accum` allows nothing"),
        "{told}"
    );
    own_oracle(&scene, 0.0, true);
    let told = judge();
    assert!(told.contains("does not pass its own gates") && !told.contains(".terms"), "{told}");
    // Of those that ship with Assay it is known without a judgement.
    let task = scene
        .read("own/task.yaml")
        .replace("b: {dtype: fp32, shape: [R, C]}}", "}")
        .replace("C]}, }", "C]}}");
    scene.write("own/task.yaml", task.replace("{command: [python3, oracle.py]}", "{builtin: copy}"));
    let told = scene.assay(&["kernel", "check", "own"]).expect(0).stderr;
    assert!(told.contains("warning[terms-missing]: the oracle tells no `y.terms`"), "{told}");
}

#[test]
fn a_slow_oracle_says_what_it_does() {
    let scene = Scene::new();
    own_oracle(&scene, 0.9, true);
    // The shapes of a judgement would take minutes; what is seen before the first gate is enough.
    let mut child = scene.start(&["kernel", "judge", "own", "--candidate", "own/kernel.c", "--quick"]);
    let lines = BufReader::new(child.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
    let seen: Vec<String> =
        lines.filter(|line| line.starts_with("oracle `python3`: call ")).take(2).collect();
    let ended = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
    assert!(ended.success());
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert!(seen[0].contains("call 1, at R=24 C=24; 0.0 s in it so far"), "{seen:?}");
    let spent = |line: &str| {
        line.rsplit_once("; ").and_then(|(_, spent)| spent.split(' ').next()?.parse::<f64>().ok())
    };
    assert!(spent(&seen[1]).is_some_and(|spent| spent > 3.0), "{seen:?}");
}

#[test]
fn a_check_says_all_that_is_wrong_at_once() {
    let scene = Scene::new();
    copied(&scene, "rmsnorm", "task");
    let task = scene.read("task/task.yaml");
    scene.write(
        "task/task.yaml",
        task.replacen("name: rmsnorm_bf16", "name: RMS", 1).replacen("kind: KernelTask", "kind: Kernel", 1),
    );
    let place = |start: &str| task.lines().position(|line| line.starts_with(start)).expect("a line") + 1;
    let (kind, name) = (place("kind:"), place("name:"));
    let told = scene.assay(&["kernel", "check", "task"]).expect(11).stderr;
    for (line, cause, way_out) in [
        (kind, "`Kernel` is no kernel task", "write `kind: KernelTask`"),
        (name, "`RMS` cannot be a name", "use up to 64"),
    ] {
        let found =
            told.contains(&format!("error: task/task.yaml:{line}:1: {cause}")) && told.contains(way_out);
        assert!(found, "{cause}\n{told}");
    }
    let json = scene.assay(&["kernel", "check", "task", "--json"]).expect(11).json();
    let mut lines = [kind, name];
    lines.sort_unstable();
    for (at, line) in lines.iter().enumerate() {
        assert_eq!(json["diagnostics"][at]["line"], json!(line), "{json}");
    }
    // A step hands both on, too.
    let candidate = candidate("b17_thread.c");
    let with = format!("{{task: task, candidate: {}}}", candidate.display());
    let step = scene.workflow("step", &format!("steps:\n  judge:\n    uses: kernel\n    with: {with}\n"));
    let run = scene.assay(&["run", &step]);
    let reason = format!("{}{}", run.stdout, run.stderr);
    assert!(reason.contains("is no kernel task") && reason.contains("cannot be a name"), "{reason}");
}

/// Every `next:` line can be pasted: no placeholder, and the task and the candidate as they were given.
#[test]
fn what_comes_next_can_be_pasted() {
    let scene = Scene::new();
    copied(&scene, "rmsnorm", "my task");
    let pasted = |next: &Value| -> Vec<String> {
        let all = next["next"].as_array().expect("commands").iter();
        let all: Vec<String> = all.map(|one| one["command"].as_str().expect("text").to_owned()).collect();
        assert!(!all.is_empty() && all.iter().all(|line| !line.contains('<')), "{next}");
        all
    };
    let checked = pasted(&scene.assay(&["kernel", "check", "my task", "--json"]).expect(0).json());
    assert_eq!(checked, ["assay kernel judge 'my task' --candidate 'my task/baseline/kernel.c' --quick"]);
    let shown =
        scene.assay(&["kernel", "check", "my task", "--candidate", "my task/candidate/kernel.c", "--json"]);
    assert!(pasted(&shown.expect(0).json())[0].contains("--candidate 'my task/candidate/kernel.c'"));
    let bad = candidate("b17_thread.c");
    let bad = bad.to_str().expect("UTF-8");
    let refused =
        scene.assay(&["kernel", "judge", "my task", "--candidate", bad, "--json"]).expect(23).json();
    let next = pasted(&refused);
    assert_eq!(next, ["assay explain FORBIDDEN_IMPORT"]);
    let words: Vec<&str> = next[0].split(' ').skip(1).collect();
    scene.assay(&words).expect(0);
    pasted(&scene.assay(&["ledger", "show", "none.jsonl", "--json"]).expect(3).json());
}

#[test]
fn a_refusal_tells_the_figures_behind_it_and_where_the_rest_is() {
    let scene = Scene::new();
    let task = example("rmsnorm");
    let task = task.to_str().expect("UTF-8");
    let judge = |name: &str, more: &[&str]| {
        let file = candidate(name);
        let mut args = vec!["kernel", "judge", task, "--candidate", file.to_str().expect("UTF-8"), "--quick"];
        args.extend(more);
        scene.assay(&args).expect(23)
    };
    let wrong = judge("b26_half_the_sum.c", &["--ledger", "l.jsonl"]).stdout;
    for seen in ["evidence:", "wrong: ", "worst: element ", "allowed is a difference of", "unit roundoffs"] {
        assert!(wrong.contains(seen), "{seen}\n{wrong}");
    }
    assert!(wrong.contains("all of it: `findings` in row 1 of `l.jsonl`"), "{wrong}");
    let row: Value =
        serde_json::from_str(scene.read("l.jsonl").lines().next().expect("a row")).expect("JSON");
    let errors =
        row["err"].as_object().map(|err| err.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
    assert!(errors.iter().all(|name| name == "max_u"), "what was not computed is absent: {errors:?}");
    let unwritten = judge("b04_last_row.c", &["-o", "out"]).stdout;
    assert!(unwritten.contains("not written: "), "{unwritten}");
    assert!(unwritten.contains("all of it: `out/judgement.json`"), "{unwritten}");
    let beyond = judge("b11_reads_past_end.c", &[]).stdout;
    assert!(beyond.contains("touched: a read at byte") && beyond.contains("`--json`"), "{beyond}");
}
