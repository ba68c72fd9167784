//! Definitions and workloads of flashinfer-bench become tasks that load; what a task cannot hold is refused.

use assay_kernel::import::{
    Choices, Correctness, Environment, Evaluation, Performance, Status, Trace, Workload, import,
};
use assay_kernel::task::{self, Baseline, Dist, Generator, Oracle};
use indexmap::IndexMap;
use serde_json::{Value, json};

fn definition() -> Value {
    json!({
        "name": "rmsnorm_h128", "op_type": "rmsnorm", "tags": ["status:verified"], "description": "RMS norm.",
        "axes": {"batch": {"type": "var", "description": "tokens"}, "hidden": {"type": "const", "value": 128}},
        "inputs": {
            "hidden_states": {"shape": ["batch", "hidden"], "dtype": "bfloat16"},
            "weight": {"shape": ["hidden"], "dtype": "bfloat16"},
            "eps": {"shape": null, "dtype": "float32"}
        },
        "outputs": {"output": {"shape": ["batch", "hidden"], "dtype": "bfloat16"}},
        "reference": "def run(hidden_states, weight, eps):\n    ..."
    })
}

fn workload(batch: u64, eps: f64) -> Value {
    json!({"uuid": format!("w{batch}"), "axes": {"batch": batch}, "inputs": {
        "hidden_states": {"type": "random"}, "weight": {"type": "random"}, "eps": {"type": "scalar", "value": eps}}})
}

fn choices() -> Choices {
    let with = [("x", "hidden_states"), ("w", "weight")].map(|(role, name)| (role.to_owned(), json!(name)));
    Choices {
        symbol: "kv_entry".to_owned(),
        oracle: Oracle {
            builtin: Some("rmsnorm".to_owned()),
            with: with.into_iter().collect(),
            command: Vec::new(),
        },
        baseline: Baseline { path: "k.c".into(), file: None, source: String::new(), commit: String::new() },
        generators: IndexMap::new(),
    }
}

#[test]
fn a_definition_becomes_a_task_that_loads() {
    let inner = json!({"definition": "rmsnorm_h128", "solution": null, "workload": workload(7, 1e-6), "evaluation": null});
    let lines = format!("{}\n{inner}\n{}\n", workload(512, 1e-6), workload(7, 1e-6));
    let told = import(&definition().to_string(), &lines, &choices()).expect("a task");
    assert_eq!(
        told.notes,
        [
            "`batch` goes from 1 to 512, its largest workload; widen `axes` if a kernel must serve more",
            "`reject` is empty: no call is tried that a kernel must refuse; add such calls",
            "`abi.inplace_allowed` is false: no output is tried in an input's memory; set it where callers do that",
            "3 workloads have 2 shapes; the first `uuid` of each stands for the others",
        ]
    );
    let imported = told.task;
    assert_eq!(imported.axes["batch"].range, [1, 512]);
    assert_eq!(imported.axes["hidden"].range, [128, 128]);
    assert_eq!(imported.scalars["eps"].value, Some(1e-6));
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("k.c"), "").expect("a file");
    // JSON is YAML.
    std::fs::write(folder.path().join("task.yaml"), serde_json::to_string_pretty(&imported).expect("text"))
        .expect("a file");
    let loaded = task::load(&folder.path().join("task.yaml")).expect("a task");
    assert_eq!(loaded.task, imported);
    let shapes: Vec<u64> = loaded.shapes.iter().map(|shape| shape.axes["batch"]).collect();
    assert_eq!(shapes, [512, 7], "each shape once");

    let workload = Workload::new(&loaded, &loaded.shapes[1].axes);
    assert_eq!(workload.uuid, "w7", "traces are joined to the workloads by it");
    let mut unnamed = loaded.clone();
    unnamed.shapes.clear();
    let uuid = Workload::new(&unnamed, &loaded.shapes[1].axes).uuid;
    assert_eq!(uuid, format!("{}-batch7-hidden128", &loaded.digest[..16]));
    let trace = |status| Trace {
        definition: loaded.task.name.clone(),
        workload: workload.clone(),
        solution: "mine".to_owned(),
        evaluation: Evaluation {
            status,
            environment: Environment { hardware: "cpu".to_owned(), libs: IndexMap::new() },
            timestamp: "2026-11-22T20:00:00Z".to_owned(),
            log: String::new(),
            correctness: Some(Correctness { max_relative_error: 0.004, max_absolute_error: 0.01 }),
            performance: Some(Performance {
                latency_ms: 1.0,
                reference_latency_ms: 2.0,
                speedup_factor: 2.0,
            }),
        },
    };
    let written = |status| serde_json::from_str::<Value>(&trace(status).line()).expect("JSON");
    let passed = written(Status::Passed);
    assert_eq!(passed["evaluation"]["status"], "PASSED");
    assert_eq!(passed["evaluation"]["performance"]["speedup_factor"], 2.0);
    assert_eq!(passed["workload"]["inputs"]["eps"], json!({"type": "scalar", "value": 1e-6}));
    let wrong = written(Status::IncorrectNumerical);
    assert!(wrong["evaluation"]["performance"].is_null() && wrong["evaluation"]["correctness"].is_object());
    let crashed = written(Status::RuntimeError);
    assert_eq!(crashed["evaluation"]["status"], "RUNTIME_ERROR");
    assert!(crashed["evaluation"]["performance"].is_null() && crashed["evaluation"]["correctness"].is_null());
    // What is written can be imported again as a workload.
    let again = trace(Status::Passed).line();
    assert_eq!(
        import(&definition().to_string(), &again, &choices()).expect("a task").task.workloads.uuids,
        ["w7"]
    );
}

#[test]
fn constraints_that_the_ranges_imply_are_no_constraints() {
    for (constraint, implied) in [
        ("batch > 0", true),
        ("0<batch", true),
        ("batch >= 1", true),
        ("batch != 0", true),
        ("hidden == 128", true),
        ("hidden % 64 == 0", true),
        ("batch <= hidden", true),
        ("batch > 1", false),
        ("batch == 4", false),
        ("batch % 2 == 0", false),
        ("0 < batch < 9", false),
        ("hidden == 64", false),
        ("batch", false),
    ] {
        let mut definition = definition();
        definition["constraints"] = json!([constraint]);
        let told = import(&definition.to_string(), &workload(4, 1e-6).to_string(), &choices());
        assert_eq!(told.is_ok(), implied, "{constraint}: {told:?}");
    }
}

fn refused(change: impl Fn(&mut Value), workloads: &[Value]) -> String {
    let mut definition = definition();
    change(&mut definition);
    let lines: Vec<String> = workloads.iter().map(Value::to_string).collect();
    import(&definition.to_string(), &lines.join("\n"), &choices()).expect_err("an error").to_string()
}

#[test]
fn what_a_task_cannot_hold_is_refused() {
    let plain = [workload(4, 1e-6)];
    let same = |_: &mut Value| {};
    let file = |name: &str| {
        let mut workload = workload(4, 1e-6);
        workload["inputs"][name] =
            json!({"type": "safetensors", "path": "blob/a.safetensors", "tensor_key": "a"});
        [workload]
    };
    for (message, expected) in [
        (
            refused(|d| d["constraints"] = json!(["batch == 2 * hidden"]), &plain),
            "the constraint `batch == 2 * hidden` cannot be said in a task: axes of a task are independent; write derived sizes as expressions and take the constraint away",
        ),
        (
            refused(|d| d["inputs"]["weight"]["dtype"] = json!("float4_e2m1"), &plain),
            "the type `float4_e2m1` of `weight` cannot be said in a task: tasks have no such elements",
        ),
        (
            refused(|d| d["inputs"]["weight"]["dtype"] = json!("int32"), &plain),
            "random values of `weight`, whole numbers cannot be said in a task: the definition does not say from where to where; give it a generator with `low` and `high`",
        ),
        (
            refused(|d| d["outputs"]["output"]["shape"] = Value::Null, &plain),
            "the output `output`, a number cannot be said in a task: outputs of a task are tensors",
        ),
        (
            refused(|d| d["axes"]["k"] = json!({"type": "var"}), &plain),
            "the axis `k` cannot be said in a task: no workload gives it a size, so it has no range",
        ),
        (
            refused(|d| d["axes"]["batch"]["parent"] = json!("hidden"), &plain),
            "the axis `batch` under `hidden` cannot be said in a task: axes of a task are independent",
        ),
        (
            refused(same, &file("weight")),
            "data of `weight` from `blob/a.safetensors` cannot be said in a task: inputs of a task are generated, so that nobody can learn them by heart; write `{\"type\": \"random\"}` in its place",
        ),
        (
            refused(same, &file("eps")),
            "the scalar `eps` cannot be said in a task: a workload gives it no value",
        ),
        (
            refused(same, &[workload(4, 1e-6), workload(8, 1e-5)]),
            "the scalar `eps` cannot be said in a task: it is 0.000001 in one workload and 0.00001 in another; split them into two tasks",
        ),
        (
            refused(same, &[]),
            "a definition without workloads cannot be said in a task: a task measures at least one shape",
        ),
        (
            refused(|d| d["extra"] = json!(1), &plain),
            "the definition is not in flashinfer-bench's format: unknown field `extra`",
        ),
        (
            refused(same, &[json!({"definition": "other", "workload": workload(4, 1e-6)})]),
            "line 1 of the workloads is not in flashinfer-bench's format: it belongs to `other`, not to `rmsnorm_h128`",
        ),
    ] {
        assert!(message.starts_with(expected), "{message}\n{expected}");
    }
}

#[test]
fn generators_are_the_importers_choice() {
    let mut definition = definition();
    definition["inputs"]["positions"] = json!({"shape": ["batch"], "dtype": "int32"});
    let mut choices = choices();
    let made = Generator { dist: Dist::Integers, high: "hidden".to_owned(), ..Generator::default() };
    choices.generators.insert("positions".to_owned(), made.clone());
    let task =
        import(&definition.to_string(), &workload(4, 1e-6).to_string(), &choices).expect("a task").task;
    assert_eq!(task.inputs["positions"].generator, made);
}
