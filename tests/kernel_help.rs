//! What somebody who writes a kernel is told: the header, what may be imported, the fields of a task, what each verdict means.

#[path = "support/schemas.rs"]
#[expect(dead_code, reason = "this suite uses a part of it")]
mod schemas;
mod support;

use schemas::schema;
use serde_json::{Value, json};
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
    for name in ["memcpy", "expf", "tanh", "allow.imports"] {
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
