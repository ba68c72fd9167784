//! `assay trace` end to end: what the binary prints of generated traces against what is true of them, every form, two
//! traces, several ranks, and broken files.

#[path = "support/schemas.rs"]
#[expect(dead_code, reason = "the suite of schemas uses the rest")]
mod schemas;
mod support;
#[path = "support/traces.rs"]
mod traces;

use assay_trace::generate::{Recipe, Stage as Known, Straggler, Truth, write_file};
use assay_trace::name::canonical;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use support::{Done, Scene};
use traces::{generate, list, rows, text};

/// The same from a recipe, for what the command line does not offer.
fn make(scene: &Scene, name: &str, recipe: &Recipe) -> Truth {
    let path = scene.write(name, "");
    write_file(recipe, &path).expect("a trace")
}

fn small() -> Recipe {
    Recipe { prefill: 2, decode: 4, layers: 3, noise: 2, ..Recipe::default() }
}

/// The report of `assay trace ... --json`.
#[track_caller]
fn report(scene: &Scene, args: &[&str]) -> Value {
    scene.assay(&[&["trace"], args, &["--json"]].concat()).expect(0).json()["data"].take()
}

/// Launches and time in ns by stage and kernel.
type Sums = BTreeMap<(String, String), (u64, u64)>;

fn true_sums(truth: &Truth) -> Sums {
    let mut sums = Sums::new();
    for kernel in &truth.kernels {
        let stage = match kernel.stage {
            Known::Prefill => "prefill",
            Known::Decode => "decode",
            Known::Mixed => "mixed",
            Known::Unknown => "unknown",
        };
        let sum = sums.entry((stage.to_owned(), canonical(&kernel.name).into_owned())).or_default();
        *sum = (sum.0 + kernel.count, sum.1 + kernel.total_ns);
    }
    sums
}

fn found_sums(document: &Value) -> Sums {
    let mut sums = Sums::new();
    for section in list(&document["kernels"]["sections"]) {
        for row in list(&section["rows"]) {
            let key = (text(&section["stage"]).to_owned(), text(&row["kernel"]).to_owned());
            let sum = sums.entry(key).or_default();
            let number = |name: &str| row[name].as_u64().expect("a number");
            *sum = (sum.0 + number("launches"), sum.1 + number("time_ns"));
        }
    }
    sums
}

#[test]
fn the_tables_equal_the_truth() {
    let scene = Scene::new();
    for (seed, more) in [
        ("7", vec![]),
        ("8101", vec!["--mixed", "2"]),
        ("8102", vec!["--graph"]),
        ("8103", vec!["--annotations", "vllm", "--mixed", "1"]),
        ("8104", vec!["--vendor", "amd", "--graph"]),
        ("8105", vec!["--no-stack"]),
        ("8106", vec!["--annotations", "none"]),
    ] {
        let truth = generate(&scene, "t.json.gz", &[&["--seed", seed, "--prefill", "2"], &more[..]].concat());
        let report = report(&scene, &["t.json.gz", "--view", "kernels,steps,account", "--min-share", "0"]);
        let document = &report["documents"][0];
        assert_eq!(found_sums(document), true_sums(&truth), "{more:?}");
        let device = &document["devices"][0];
        assert_eq!(device["busy_ns"], truth.gpu.busy_ns, "{more:?}");
        assert_eq!(device["overlap_ns"], truth.gpu.overlap_ns, "{more:?}");
        assert_eq!(device["window_ns"], truth.gpu.window_ns, "{more:?}");
        let total = &document["account"]["devices"][0]["total"];
        assert_eq!(total["communication_exposed"]["ns"], truth.gpu.exposed_ns, "{more:?}");
        assert_eq!(total["communication_hidden"]["ns"], truth.gpu.hidden_ns, "{more:?}");
        let steps = list(&document["steps"]);
        assert_eq!(steps.len(), truth.passes.len(), "{more:?}");
        for (step, pass) in steps.iter().zip(&truth.passes) {
            assert_eq!(
                (&step["gpu_events"], &step["gpu_end_ns"]),
                (&json!(pass.events), &json!(pass.end_ns))
            );
        }
    }
}

#[test]
fn places_in_sources_are_the_true_ones() {
    let scene = Scene::new();
    let truth = generate(&scene, "t.json.gz", &["--seed", "31"]);
    let report = report(&scene, &["t.json.gz", "--view", "kernels", "--min-share", "0"]);
    let mut seen = 0;
    for section in list(&report["documents"][0]["kernels"]["sections"]) {
        for row in list(&section["rows"]) {
            let mut places: Vec<&str> = list(&row["sites"]).iter().map(|site| text(&site["site"])).collect();
            places.sort_unstable();
            let names = truth.sources.iter().filter(|(name, _)| canonical(name) == text(&row["kernel"]));
            let known: Vec<&String> = names.flat_map(|(_, source)| source.locations.keys()).collect();
            assert!(
                !places.is_empty() && places.iter().all(|place| known.iter().any(|one| one == place)),
                "{row}"
            );
            seen += places.len();
        }
    }
    assert!(seen > 20, "{seen}");
}

#[test]
fn every_form_holds_the_same_tables() {
    let scene = Scene::new();
    let truth = generate(&scene, "t.json.gz", &[]);
    let printed = |format: &str| scene.assay(&["trace", "t.json.gz", "--format", format]).expect(0).stdout;
    let markdown = printed("markdown");
    for part in [
        "# Triage View",
        "Mode: single-trace",
        "| Kernel | Category | GPU time | Share | Launches | Python location (site share) | CPU op |",
        "| Priority | Verdict | Kernel | Python scope | Formal signal | Dep risk | Recommendation |",
        "| Pattern | Confidence | Related GPU time | Share | Evidence kernels | Current kernel Python location | Candidate fused Python path | Rationale |",
        "Stage `decode`",
    ] {
        assert!(markdown.contains(part), "{part}\n{markdown}");
    }
    assert!(markdown.lines().all(|line| !line.contains("\u{1b}")), "no colours in a document");
    let html = printed("html");
    assert!(html.to_lowercase().starts_with("<!doctype html>") && html.contains("<svg"), "{}", &html[..200]);
    assert!(!html.contains("src=\"http") && !html.contains("href=\"http"), "nothing is fetched");
    let json: Value = serde_json::from_str(&printed("json")).expect("JSON");
    assert_eq!(json, report(&scene, &["t.json.gz"]));
    // Tables of the CSV form are divided by empty lines.
    let tables: Vec<String> = printed("csv").split("\n\n").map(str::to_owned).collect();
    assert!(tables.len() >= 5, "{}", tables.len());
    let kernels = tables.iter().filter(|table| table.starts_with("kernel,category")).map(|table| rows(table));
    let launches: u64 = kernels.flatten().map(|row| row["launches"].parse::<u64>().expect("a count")).sum();
    let all: u64 = truth.kernels.iter().map(|kernel| kernel.count).sum();
    assert!(launches > all / 2 && launches <= all, "{launches} of {all}");
}

#[test]
fn a_folder_gets_every_form_and_a_file_for_each_table() {
    let scene = Scene::new();
    let truth = generate(&scene, "t.json.gz", &[]);
    let args = ["trace", "t.json.gz", "--view", "all", "--min-share", "0", "-o", "out/tables"];
    let stdout = scene.assay(&args).expect(0).stdout;
    let files: Vec<&str> = stdout.lines().filter(|line| line.starts_with("out/tables/")).collect();
    assert!(stdout.lines().next().is_some_and(|line| line.contains("in decode")), "{stdout}");
    for name in ["trace.md", "trace.html", "trace.json", "kernels-decode.csv", "steps.csv", "flame.folded"] {
        assert!(files.contains(&format!("out/tables/{name}").as_str()), "{name}: {files:?}");
    }
    let mut sums = Sums::new();
    for file in files {
        let content = scene.read(file);
        if file.ends_with(".csv") {
            let rows = rows(&content);
            let Some(stage) = file.strip_prefix("out/tables/kernels-") else { continue };
            for row in rows {
                let stage = stage.trim_end_matches(".csv").to_owned();
                let ns = row["time_us"].replace('.', "").parse().expect("microseconds with three digits");
                sums.insert((stage, row["kernel"].clone()), (row["launches"].parse().expect("a count"), ns));
            }
        } else if file.ends_with(".svg") {
            assert!(content.starts_with("<svg") && content.trim_end().ends_with("</svg>"), "{file}");
        } else if file.ends_with(".folded") {
            let time = |line: &str| line.rsplit(' ').next().and_then(|ns| ns.parse::<u64>().ok());
            let folded: u64 = content.lines().map(|line| time(line).expect(line)).sum();
            let all: u64 = truth.kernels.iter().map(|kernel| kernel.total_ns).sum();
            assert_eq!(folded, all, "every nanosecond is in the flame graph");
        }
    }
    assert_eq!(sums, true_sums(&truth));
}

#[test]
fn what_is_printed_fits_the_schema() {
    let scene = Scene::new();
    let schema: Value = serde_json::from_str(
        &std::fs::read_to_string(schemas::root().join("schemas/trace.schema.json")).expect("the schema"),
    )
    .expect("JSON");
    let validator = schemas::validator(&schema);
    generate(&scene, "eager.json.gz", &["--prefill", "2"]);
    generate(&scene, "graph.json.gz", &["--graph", "--seed", "5"]);
    std::fs::copy(
        schemas::root().join("engine/trace/tests/fixtures/ncu/raw.csv"),
        scene.dir().join("ncu.csv"),
    )
    .expect("a table of Nsight Compute");
    generate(&scene, "bare.json.gz", &["--no-stack", "--annotations", "none", "--vendor", "amd"]);
    for args in [
        vec!["eager.json.gz"],
        vec!["eager.json.gz", "--view", "all", "--gpu", "H200"],
        vec!["bare.json.gz", "--view", "all"],
        vec!["eager.json.gz", "--view", "flow", "--layer", "0", "--compare-layer", "2", "--ncu", "ncu.csv"],
        vec!["graph.json.gz", "--mapping", "eager.json.gz", "--view", "all", "--diff", "eager.json.gz"],
    ] {
        let printed = scene.assay(&[&["trace"], &args[..], &["--format", "json"]].concat()).expect(0).stdout;
        let value = serde_json::from_str(&printed).expect("JSON");
        assert_eq!(schemas::faults(&validator, &value), Vec::<String>::new(), "{args:?}");
        let broken = printed.replacen("\"sound\": true", "\"sound\": \"perhaps\"", 1);
        assert!(
            !validator.is_valid(&serde_json::from_str(&broken).expect("JSON")),
            "the schema refuses nothing"
        );
    }
}

#[test]
fn a_difference_is_per_step_and_knows_noise() {
    let scene = Scene::new();
    let base = Recipe { decode: 8, ..small() };
    let slow = Straggler { rank: 0, extra_us_per_layer: 400 };
    let before = make(&scene, "before.json.gz", &base);
    let after = make(&scene, "after.json.gz", &Recipe { decode: 12, straggler: Some(slow), ..base.clone() });
    let report = report(&scene, &["after.json.gz", "--diff", "before.json.gz", "--view", "kernels"]);
    let diff = &report["documents"][0]["diff"];
    assert_eq!(diff["base"], "before.json.gz");
    let decode = list(&diff["stages"]).iter().find(|stage| stage["stage"] == "decode").expect("decode");
    let per_step = |truth: &Truth, steps: f64| {
        let of_decode = truth.kernels.iter().filter(|kernel| kernel.stage == Known::Decode);
        of_decode.map(|kernel| kernel.total_ns).sum::<u64>() as f64 / steps
    };
    let (known, found) = ((per_step(&before, 8.0), per_step(&after, 12.0)), &decode["time"]);
    assert!((found["base_ns"].as_f64().expect("ns") - known.0).abs() < 1.0, "{found} {known:?}");
    assert!((found["new_ns"].as_f64().expect("ns") - known.1).abs() < 1.0, "{found} {known:?}");
    assert_eq!((&decode["base_steps"], &decode["new_steps"]), (&json!(8), &json!(12)));
    assert_eq!(found["judgement"], "slower", "{found}");
    let same = scene.assay(&["trace", "before.json.gz", "--diff", "before.json.gz"]).expect(0).stdout;
    assert!(
        same.contains("## Difference") && same.contains("within noise") && !same.contains("slower"),
        "{same}"
    );
}

#[test]
fn a_mapping_names_the_kernels_of_graphs() {
    let scene = Scene::new();
    let eager = generate(&scene, "eager.json.gz", &["--prefill", "2"]);
    generate(&scene, "graph.json.gz", &["--prefill", "2", "--graph", "--seed", "77"]);
    let nameless = |document: &Value| -> Vec<String> {
        let sections = list(&document["kernels"]["sections"]).iter();
        let decode = sections.filter(|section| section["stage"] == "decode");
        let rows = decode.flat_map(|section| list(&section["rows"]));
        rows.filter(|row| list(&row["sites"]).is_empty()).map(|row| text(&row["kernel"]).to_owned()).collect()
    };
    let alone = report(&scene, &["graph.json.gz", "--min-share", "0"]);
    assert!(nameless(&alone["documents"][0]).len() > 10);
    let both = report(&scene, &["graph.json.gz", "--min-share", "0", "--mapping", "eager.json.gz"]);
    let document = &both["documents"][0];
    assert_eq!(
        (&document["mode"], &document["mapping"]),
        (&json!("mapping-formal"), &json!("eager.json.gz"))
    );
    assert_eq!(nameless(document), Vec::<String>::new());
    assert_eq!(document["mapped"]["share"], 100.0);
    // Times are those of the served trace, places those of the readable one.
    assert_eq!(found_sums(document), found_sums(&alone["documents"][0]));
    let known: Vec<&String> = eager.sources.values().flat_map(|source| source.locations.keys()).collect();
    let sections = list(&document["kernels"]["sections"]).iter();
    for site in sections.flat_map(|part| list(&part["rows"])).flat_map(|row| list(&row["sites"])) {
        assert!(known.iter().any(|place| **place == text(&site["site"])), "{site}");
    }
    let printed = scene.assay(&["trace", "graph.json.gz", "--mapping", "eager.json.gz"]).expect(0).stdout;
    assert!(
        printed.contains("Mode: mapping-formal") && printed.contains("Named by the mapping: 100.0 %"),
        "{printed}"
    );
}

#[test]
fn ranks_of_a_folder_are_chosen_and_compared() {
    let scene = Scene::new();
    let job = Recipe {
        world: 2,
        skew_us: 50,
        straggler: Some(Straggler { rank: 1, extra_us_per_layer: 60 }),
        ..small()
    };
    let truths = [0, 1].map(|rank| {
        make(&scene, &format!("capture/1759-TP-{rank}.trace.json.gz"), &Recipe { rank, ..job.clone() })
    });
    let chosen = |rank: &str| report(&scene, &["capture", "--rank", rank, "--min-share", "0"]);
    for (rank, truth) in ["0", "1"].iter().zip(&truths) {
        let report = chosen(rank);
        assert_eq!(found_sums(&report["documents"][0]), true_sums(truth), "rank {rank}");
        assert_eq!(report["documents"][0]["other_ranks"], 1);
    }
    assert_eq!(chosen("lowest"), chosen("0"));
    let all = report(&scene, &["capture", "--rank", "all", "--view", "kernels,ranks"]);
    let ranks = &all["documents"][0]["ranks"];
    assert_eq!(ranks["straggler"]["rank"], 1, "{ranks}");
    assert_eq!(list(&ranks["ranks"]).len(), 2);
    // Its own communication looks best, since it never waits.
    let communication = |rank: usize| ranks["ranks"][rank]["communication_ns"].as_u64().expect("ns");
    assert!(communication(1) < communication(0), "{ranks}");
    let absent = scene.assay(&["trace", "capture", "--rank", "7"]).expect(3);
    assert!(absent.stderr.contains("it has rank 0, 1"), "{}", absent.stderr);
    scene.assay(&["trace", "capture", "--rank", "first"]).expect(2);
}

#[test]
fn the_server_s_arguments_beside_a_trace_count() {
    let scene = Scene::new();
    make(&scene, "capture/t.json.gz", &small());
    scene.write("capture/server_args.json", r#"{"model_path": "Qwen/Qwen3-30B-A3B", "tp_size": 8, "ep_size": 4, "attention_backend": "fa3", "schedule_policy": "fcfs"}"#);
    let printed = scene.assay(&["trace", "capture"]).expect(0).stdout;
    for part in [
        "Model: Qwen/Qwen3-30B-A3B",
        "`capture/server_args.json`",
        "parallelism: 8 ranks",
        "parallelism: 4 ranks",
    ] {
        assert!(printed.contains(part), "{part}\n{printed}");
    }
    scene.write("capture/server_args.json", "{");
    let printed = scene.assay(&["trace", "capture"]).expect(0).stdout;
    assert!(printed.contains("arguments cannot be used"), "{printed}");
}

#[test]
fn a_broken_file_says_how_far_it_was_read() {
    let scene = Scene::new();
    generate(&scene, "whole.json.gz", &[]);
    let whole = std::fs::read(scene.dir().join("whole.json.gz")).expect("bytes");
    for part in [2, 3, 10] {
        scene.write("cut.json.gz", &whole[..whole.len() * (part - 1) / part]);
        let cut = scene.assay(&["trace", "cut.json.gz"]).expect(25);
        assert!(
            cut.stdout.is_empty() && cut.stderr.contains("is cut off") && cut.stderr.contains("events"),
            "{}",
            cut.stderr
        );
        let json = scene.assay(&["trace", "cut.json.gz", "--json"]).expect(25).json();
        assert_eq!(json["diagnostics"][0]["code"], "broken-trace", "{json}");
    }
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0xff;
    scene.write("flipped.json.gz", &flipped);
    scene.assay(&["trace", "flipped.json.gz"]).expect(25);
}

#[test]
fn what_was_typed_wrong_is_a_usage_error_with_a_way_out() {
    let scene = Scene::new();
    generate(&scene, "t.json", &[]);
    scene.write("x.json", "hello");
    scene.write("empty.json", "");
    scene.write("bad.yaml", "version: 1\nentries: 3\n");
    scene.write("config.json", "[]");
    let says = |args: &[&str], code: i32, what: &str| {
        let Done { stderr, .. } = scene.assay(&[&["trace"], args].concat()).expect(code);
        assert!(stderr.contains(what), "{args:?}: {stderr}");
    };
    says(&["x.json"], 2, "is no trace");
    says(&["empty.json"], 2, "is no trace");
    says(&["absent.json"], 2, "cannot read");
    says(&["t.json", "--view", "kernel"], 2, "`kernels`");
    says(&["t.json", "--min-share", "120"], 2, "no percentage");
    says(&["t.json", "--framework", "torch"], 2, "`vllm`");
    says(&["t.json", "--registry", "bad.yaml"], 2, "bad.yaml");
    says(&["t.json", "--view", "layers", "--config", "config.json"], 2, "config.json");
    says(&["t.json", "--mapping", "x.json"], 2, "is no trace");
    says(&["t.json", "--diff", "absent.json"], 2, "cannot read");
    says(&[], 2, "Usage");
}

/// A real trace of a machine without a GPU, and one whose launches are gone: read, and nothing is concluded.
#[test]
fn a_trace_that_carries_nothing_is_inconclusive() {
    let scene = Scene::new();
    let capture = schemas::root().join("examples/trace-triage/capture.json.gz");
    let done = scene.assay(&["trace", capture.to_str().expect("UTF-8"), "--view", "all"]).expect(25);
    assert!(
        done.stdout.contains("No answer") && done.stdout.contains("Withheld: every table"),
        "{}",
        done.stdout
    );
    scene.write("none.json", r#"{"traceEvents": []}"#);
    scene.assay(&["trace", "none.json"]).expect(25);
}
