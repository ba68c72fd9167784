//! The skills that stand on `assay trace`, and the step type in a workflow: gates, outputs, what is delivered.

mod support;
#[path = "support/traces.rs"]
mod traces;

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use support::Scene;
use traces::{generate, list, rows, text};

const TRIAGE: &str = "torch-trace-triage";
const PIPELINE: &str = "pipeline-analysis";

/// A real trace of a machine without a GPU.
fn capture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/trace-triage/capture.json.gz")
}

#[test]
fn the_step_and_the_skills_are_explained_and_listed() {
    let scene = Scene::new();
    let step = scene.assay(&["explain", "trace"]).expect(0).stdout;
    for word in ["mapping", "sound", "steady", "chosen", "server_args", "kernels"] {
        assert!(step.contains(word), "{word}\n{step}");
    }
    let listed = scene.assay(&["list"]).expect(0).stdout;
    for skill in [TRIAGE, PIPELINE] {
        assert!(listed.contains(skill), "{listed}");
        scene.assay(&["plan", skill, "-i", "trace=t.json"]).expect(0);
    }
}

/// The head of a delivered table.
fn head(scene: &Scene, file: &str) -> String {
    scene.delivered(file).lines().next().unwrap_or_default().to_owned()
}

#[test]
fn the_triage_delivers_three_tables() {
    let scene = Scene::new();
    let truth = generate(&scene, "t.json.gz", &["--prefill", "2"]);
    scene
        .assay(&["run", TRIAGE, "-i", "trace=t.json.gz", "-i", "min_share=0", "-i", "similarity=medium"])
        .expect(0);
    assert!(scene.outcomes().values().all(|outcome| outcome == "passed"), "{:?}", scene.outcomes());
    assert_eq!(scene.outcomes().len(), 3);
    let outputs = scene.outputs();
    assert_eq!((&outputs["mode"], &outputs["similarity"]), (&json!("single-trace"), &json!("medium")));
    assert_eq!((&outputs["framework"], &outputs["model"]), (&json!("sglang"), &json!("not known")));
    assert!(
        text(&outputs["summary"]).contains("decode") && text(&outputs["traces"][0]).ends_with("/t.json.gz")
    );
    assert!(text(&outputs["next"]).ends_with('.'), "an action, one sentence: {}", outputs["next"]);
    let launches: u64 =
        list(&outputs["kernels"]["rows"]).iter().map(|row| row["launches"].as_u64().expect("a count")).sum();
    assert_eq!(launches, truth.kernels.iter().map(|kernel| kernel.count).sum::<u64>());
    assert_eq!(
        head(&scene, "kernels.md"),
        "| Stage | Kernel | Category | GPU time (us) | Share (%) | Launches | Python location (site share) | CPU op |"
    );
    assert_eq!(
        head(&scene, "overlap.md"),
        "| Stage | Priority | Verdict | Kernel | Python scope | Formal signal | Dep risk | Recommendation |"
    );
    assert!(head(&scene, "fuse.md").starts_with("| Stage | Pattern | Confidence | Related GPU time (us) |"));
    let delivered: Value = serde_json::from_str(&scene.delivered("results.json")).expect("JSON");
    assert_eq!(delivered["summary"], outputs["summary"]);
    assert!(
        scene.delivered("triage.md").starts_with("# Triage View")
            && scene.delivered("triage.html").contains("<svg")
    );
}

#[test]
fn the_triage_takes_a_mapping_and_a_base() {
    let scene = Scene::new();
    generate(&scene, "eager.json.gz", &["--prefill", "2"]);
    generate(&scene, "graph.json.gz", &["--prefill", "2", "--graph"]);
    let args = [
        "run",
        TRIAGE,
        "-i",
        "trace=graph.json.gz",
        "-i",
        "mapping=eager.json.gz",
        "-i",
        "base=eager.json.gz",
    ];
    scene.assay(&args).expect(0);
    assert_eq!(scene.outputs()["mode"], "mapping-formal");
    let report = scene.delivered("triage.md");
    assert!(report.contains("## Difference") && report.contains("Named by the mapping"), "{report}");
}

#[test]
fn what_a_trace_cannot_carry_fails_the_triage_s_gates() {
    let scene = Scene::new();
    let capture = capture();
    scene.assay(&["run", TRIAGE, "-i", &format!("trace={}", capture.display())]).expect(25);
    assert_eq!(scene.outcomes()["sound"], "inconclusive");
    let scene = Scene::new();
    generate(&scene, "bare.json.gz", &["--no-stack", "--annotations", "none"]);
    scene.assay(&["run", TRIAGE, "-i", "trace=bare.json.gz"]).expect(25);
    let outcomes = scene.outcomes();
    assert_eq!((outcomes["sound"].as_str(), outcomes["staged"].as_str()), ("passed", "inconclusive"));
    assert!(head(&scene, "kernels.md").starts_with("| Stage | Kernel |"), "what there is is delivered");
    let scene = Scene::new();
    generate(&scene, "whole.json.gz", &[]);
    let whole = std::fs::read(scene.dir().join("whole.json.gz")).expect("bytes");
    scene.write("cut.json.gz", &whole[..whole.len() / 2]);
    let cut = scene.assay(&["run", TRIAGE, "-i", "trace=cut.json.gz"]).expect(21);
    assert!(cut.stdout.contains("is cut off"), "{}", cut.stdout);
    let absent = scene.assay(&["run", TRIAGE, "-i", "trace=absent.json.gz"]).expect(20);
    assert!(absent.stdout.contains("absent.json.gz"), "{}", absent.stdout);
}

#[test]
fn the_pipeline_follows_a_steady_pass() {
    let scene = Scene::new();
    let truth = generate(&scene, "t.json.gz", &["--prefill", "5"]);
    scene.write(
        "config.json",
        r#"{"model_type": "qwen3_moe", "num_hidden_layers": 3, "hidden_size": 2048, "num_experts": 128}"#,
    );
    let args = [
        "run",
        PIPELINE,
        "-i",
        "trace=t.json.gz",
        "-i",
        "config=config.json",
        "-i",
        "stage=prefill",
        "-i",
        "tp=8",
    ];
    scene.assay(&args).expect(0);
    let outputs = scene.outputs();
    assert_eq!((&outputs["architecture"]["model_type"], &outputs["tp"]), (&json!("qwen3_moe"), &json!(8)));
    let chosen = &list(&outputs["chosen"]["rows"])[0];
    assert_eq!(
        (&chosen["stage"], &chosen["steady"], &chosen["layers"]),
        (&json!("extend/prefill"), &json!("yes"), &json!(3))
    );
    let layers: Vec<&Value> = list(&outputs["layers"]["rows"])
        .iter()
        .filter(|row| text(&row["part"]).starts_with("prefill"))
        .collect();
    // Layers and where they lie are those of the pass in the truth.
    let pass = &truth.passes[chosen["pass"].as_u64().expect("a number") as usize];
    assert_eq!(layers.len(), pass.layers.len());
    for (row, known) in layers.iter().zip(&pass.layers) {
        assert_eq!(
            (&row["perfetto_start_ns"], &row["perfetto_end_ns"]),
            (&json!(known.start_ns), &json!(known.end_ns))
        );
        let wall = (known.end_ns - known.start_ns) as f64 / 1e6;
        assert!((row["wall_ms"].as_f64().expect("ms") - wall).abs() < 1e-9, "{row}");
        let parts: f64 = ["attention_ms", "moe_ms", "gemm_ms", "communication_ms"]
            .iter()
            .map(|key| row[key].as_f64().expect("ms"))
            .sum();
        assert!(
            parts > 0.5 * row["sum_ms"].as_f64().expect("ms") && parts <= row["sum_ms"].as_f64().expect("ms"),
            "{row}"
        );
    }
    for (file, columns) in [
        (
            "passes.md",
            "| Fwd# | Stage | Start(s) | End(s) | Duration(ms) | Avg Layer(ms) | First Layer | Notes |",
        ),
        (
            "layers.md",
            "| Pass | L | c\\_r | Type | Wall(ms) | SumDur(ms) | MLA | MoE | GEMM | NCCL | MHC | Hadam | AR# | K# | visStart | visEnd |",
        ),
        ("clusters.md", "| Pass | Cluster | # | Avg Wall | Avg Sum | category % |"),
        (
            "flow.md",
            "| Pass and layer | # | Half | Category | Simplified Name | dur(us) | % | ts\\_rel(ms) | Input Dims |",
        ),
    ] {
        assert_eq!(head(&scene, file), columns);
    }
    assert!(scene.delivered("pipeline.html").contains("<svg"));
}

#[test]
fn without_a_steady_pass_the_pipeline_is_inconclusive() {
    let scene = Scene::new();
    generate(&scene, "short.json.gz", &["--prefill", "1", "--decode", "2"]);
    scene.assay(&["run", PIPELINE, "-i", "trace=short.json.gz"]).expect(25);
    let outcomes = scene.outcomes();
    assert_eq!((outcomes["sound"].as_str(), outcomes["steady_pass"].as_str()), ("passed", "inconclusive"));
    assert!(scene.delivered("chosen.md").contains("capture more steps"), "the reason is said");
}

/// A step of one's own, with the outputs that gates read.
#[test]
fn a_workflow_of_one_s_own_gates_on_a_trace() {
    let scene = Scene::new();
    generate(&scene, "t.json.gz", &[]);
    let body = |limit: &str| {
        format!(
            "steps:\n  t: {{uses: trace, with: {{path: t.json.gz, views: [kernels], mapping: \"\"}}, timeout: 1m}}\n\
             gates:\n  share: {{assert: steps.t.stages.decode < {limit}}}\n\
             outputs:\n  rows: {{rows: steps.t.kernels.rows, columns: {{kernel_short: Kernel, time_us: Time}}}}\n\
             deliver:\n  k.csv: outputs.rows\n  all.json: steps.t.json\n"
        )
    };
    let file = scene.workflow("own", &body("1000.0"));
    scene.assay(&["run", &file]).expect(0);
    assert!(rows(&scene.delivered("k.csv")).iter().any(|row| row["Kernel"] == "fused_moe"));
    let document: Value = serde_json::from_str(&scene.delivered("all.json")).expect("JSON");
    assert_eq!(document["v"], 1);
    let file = scene.workflow("tight", &body("0.001"));
    scene.assay(&["run", &file]).expect(23);
    assert_eq!(scene.outcomes()["share"], "failed");
}
