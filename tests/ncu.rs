//! The step type `ncu`: tables of Nsight Compute, and machines that have none.

mod support;

use serde_json::{Value, json};
use std::path::Path;
use support::Scene;

fn raw() -> String {
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("engine/trace/tests/fixtures/ncu/raw.csv");
    std::fs::read_to_string(table).expect("a table")
}

fn skill(with: &str) -> String {
    format!(
        "apiVersion: assay/v1\nkind: Workflow\nname: digest\nversion: 1.0.0\ndescription: Says what bounds a kernel. Use it in a test.\n\
         steps:\n  look:\n    uses: ncu\n    with: {with}\n    timeout: 1m\n\
         outputs:\n  available: {{value: steps.look.available, type: boolean, description: Whether there is a table}}\n  \
         missing: {{value: steps.look.missing, type: string, description: Why not}}\n  \
         headline: {{value: steps.look.headline, type: string, description: What bounds it}}\n  \
         bottleneck: {{value: steps.look.bottleneck, type: string, description: Its class}}\n  \
         stalls: {{value: steps.look.stalls, type: array, description: What it waits for}}\n  \
         edit: {{value: steps.look.next_edit, type: object, description: The one change}}\n  \
         sheet: {{value: steps.look.markdown.path | default(''), type: string, description: The digest for people}}\n  \
         edit_of: {{value: steps.look.next_edit.file | default(''), type: string, description: What to change}}\n"
    )
}

fn run(scene: &Scene, with: &str) -> Value {
    scene.write("digest.yaml", skill(with));
    scene.assay(&["run", "digest.yaml"]).expect(0);
    scene.outputs()
}

#[test]
fn a_table_is_condensed_beside_its_baseline() {
    let scene = Scene::new();
    scene.write("raw.csv", raw());
    let edit = "{file: kernel.cu, change: load 16 bytes at a time, validation: assay kernel judge, \
                metric: dram__throughput.avg.pct_of_peak_sustained_elapsed, expected: rise above 80 %}";
    let with = format!(
        "{{csv: {0}/raw.csv, baseline: {0}/raw.csv, kernel: attention, next_edit: {edit}}}",
        scene.dir().display()
    );
    let outputs = run(&scene, &with);
    assert_eq!(outputs["available"], true);
    assert!(["memory", "compute", "latency"].contains(&outputs["bottleneck"].as_str().expect("a word")));
    assert!(outputs["headline"].as_str().is_some_and(|text| text.starts_with("Bound by")), "{outputs}");
    assert!(outputs["stalls"].as_array().is_some_and(|stalls| !stalls.is_empty()), "{outputs}");
    assert_eq!(outputs["edit_of"], "kernel.cu");
    assert_eq!(outputs["edit"]["proposed"], false);
}

#[test]
fn without_an_authors_edit_the_bottleneck_proposes_one() {
    let scene = Scene::new();
    scene.write("raw.csv", raw());
    let outputs = run(&scene, &format!("{{csv: {0}/raw.csv, source: {0}/k.cu}}", scene.dir().display()));
    let edit = &outputs["edit"];
    assert_eq!((&edit["proposed"], &edit["expected"]), (&json!(true), &json!("fall")));
    assert_eq!(edit["file"], json!(scene.dir().join("k.cu")));
    let metric = edit["metric"].as_str().expect("a metric");
    assert!(raw().contains(&format!("\"{metric}\"")), "{metric} is none of the table");
    let told = std::fs::read_to_string(outputs["sheet"].as_str().expect("a path")).expect("a digest");
    assert_eq!(told.matches("Next edit").count(), 1, "{told}");
    assert!(told.contains(edit["change"].as_str().expect("a change")), "{told}");
}

#[test]
fn what_is_not_in_the_table_is_refused() {
    let scene = Scene::new();
    scene.write("raw.csv", raw());
    let edit = "{file: a, change: b, validation: c, metric: dream__throughput, expected: rise}";
    for (more, words) in [
        (format!("next_edit: {edit}"), "`dream__throughput`"),
        ("kernel: softmax".to_owned(), "no launch has a name"),
        ("argv: [ls]".to_owned(), "either `csv` or `argv`"),
        ("kernel: '('".to_owned(), "not a regular expression"),
    ] {
        scene.write("digest.yaml", skill(&format!("{{csv: {}/raw.csv, {more}}}", scene.dir().display())));
        let done = scene.assay(&["run", "digest.yaml"]);
        assert_ne!(done.code, 0, "{more}");
        assert!(done.stderr.contains(words), "{more}:\n{}", done.stderr);
    }
}

#[test]
fn a_machine_without_ncu_says_that_the_evidence_is_missing() {
    let scene = Scene::new();
    if std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join("ncu").exists()))
    {
        eprintln!("skipped: `ncu` is installed here");
        return;
    }
    let outputs = run(&scene, "{argv: [/bin/true]}");
    assert_eq!((&outputs["available"], &outputs["bottleneck"]), (&json!(false), &json!("unknown")));
    assert!(outputs["missing"].as_str().is_some_and(|why| why.contains("ncu")), "{outputs}");
    assert_eq!((&outputs["edit_of"], &outputs["edit"]), (&json!(""), &json!({})));
}
