//! The truth of a generated trace against a recount, and what recipes are.

mod recount;

use assay_trace::generate::{
    Annotations, GenerateError, Recipe, Root, Schema, Stage, Straggler, Truth, Vendor, write, write_file,
};
use recount::{assert_true, generate, ns, recount, small};
use serde_json::Value;
use std::collections::HashMap;
use std::io::Read;

#[test]
fn the_truth_is_what_a_plain_recount_finds() {
    let recipes = [
        small(),
        Recipe { seed: 7, annotations: Annotations::Vllm, compact: true, ..small() },
        Recipe { seed: 8, annotations: Annotations::SglangExecute, graph: true, ..small() },
        Recipe { seed: 9, annotations: Annotations::None, stacks: false, shapes: false, ..small() },
        Recipe { seed: 10, annotations: Annotations::Vllm, piecewise: true, graph: true, ..small() },
        Recipe { seed: 11, vendor: Vendor::Amd, graph: true, compact: true, root: Root::List, ..small() },
        Recipe { seed: 12, vendor: Vendor::Amd, annotations: Annotations::Vllm, piecewise: true, ..small() },
        Recipe { seed: 13, schema: Schema::Y2021, ..small() },
        Recipe { seed: 14, schema: Schema::Y2021, graph: true, root: Root::List, compact: true, ..small() },
        Recipe { seed: 15, prefill: 0, mixed: 0, decode: 1, layers: 1, noise: 0, ..Recipe::default() },
        Recipe { seed: 16, batch: 256, tokens: 512, rank: 5, skew_us: 40, ..small() },
        Recipe { seed: 17, prefill: 6, decode: 0, mixed: 0, ..small() },
    ];
    for recipe in recipes {
        let (bytes, truth) = generate(&recipe);
        assert_true(&recipe, &bytes, &truth);
        assert!(truth.gpu.hidden_ns > 0 && truth.gpu.exposed_ns > 0, "{recipe:?}");
    }
}

#[test]
fn many_seeds_agree_with_the_recount() {
    for seed in 100..112 {
        let (graph, piecewise) = (seed % 2 == 0, seed % 3 == 0);
        let recipe = Recipe { seed, graph, piecewise, layers: 2, noise: 1, ..small() };
        let (bytes, truth) = generate(&recipe);
        assert_true(&recipe, &bytes, &truth);
    }
}

#[test]
fn a_recipe_always_gives_the_same_bytes_and_a_seed_other_ones() {
    let first = generate(&small());
    assert_eq!(first, generate(&small()));
    assert_ne!(first.0, generate(&Recipe { seed: 2, ..small() }).0);
    // What is recorded does not change what happens.
    let (_, bare) = generate(&Recipe { stacks: false, shapes: false, compact: true, ..small() });
    assert_eq!((first.1.kernels, first.1.passes, first.1.gpu), (bare.kernels, bare.passes, bare.gpu));
}

#[test]
fn the_sections_stand_in_the_order_of_the_profiler() {
    let (bytes, _) = generate(&small());
    let document: Value = serde_json::from_slice(&bytes).expect("JSON");
    let events = document["traceEvents"].as_array().expect("events");
    let section = |event: &Value| match (event["ph"].as_str(), event["cat"].as_str()) {
        (_, Some("cpu_op" | "user_annotation")) => 0,
        (_, Some("python_function")) => 1,
        (Some("M" | "i"), _) | (_, Some("Trace")) => 3,
        _ => 2,
    };
    let sections: Vec<u32> = events.iter().map(section).collect();
    assert!(sections.is_sorted() && sections.contains(&1) && sections.contains(&3));
    // Frames are in order of their starts, every parent is known before, and children end within it.
    let mut known = HashMap::new();
    let mut last = 0;
    for event in events.iter().filter(|event| event["cat"] == "python_function") {
        let (start, args) = (ns(&event["ts"]), &event["args"]);
        let end = start + ns(&event["dur"]);
        assert!(last <= start);
        last = start;
        if let Some(parent) = args["Python parent id"].as_u64() {
            let (from, to): (u64, u64) = known[&parent];
            assert!(from <= start && end <= to);
        }
        known.insert(args["Python id"].as_u64().expect("an id"), (start, end));
    }
}

#[test]
fn a_graph_node_is_the_same_kernel_in_every_replay() {
    let recipe = Recipe { graph: true, decode: 4, ..small() };
    let (bytes, truth) = generate(&recipe);
    let seen = recount(&bytes);
    let mut nodes: HashMap<(u64, u64), (String, u64)> = HashMap::new();
    for gpu in seen.gpu.iter().filter(|gpu| gpu.node.is_some()) {
        let known = nodes.entry(gpu.node.expect("a node")).or_insert_with(|| (gpu.name.clone(), 0));
        assert_eq!(known.0, gpu.name);
        known.1 += 1;
    }
    assert!(nodes.len() > 30 && nodes.values().all(|(_, replays)| *replays == 4));
    let launches = seen.calls.values().filter(|(name, _)| name == "cudaGraphLaunch").count();
    assert_eq!(launches, 4);
    // Fills carry no node.
    let replayed = truth.sources.iter().filter(|(name, _)| !name.starts_with("Memset"));
    assert_eq!(replayed.map(|(_, source)| source.replayed).sum::<u64>(), 4 * nodes.len() as u64);
}

#[test]
fn ranks_launch_the_same_and_leave_each_collective_together() {
    let straggler = Some(Straggler { rank: 2, extra_us_per_layer: 300 });
    let ranks: Vec<(Recipe, Truth)> = (0..4)
        .map(|rank| {
            let recipe = Recipe { rank, world: 4, straggler, ..small() };
            let (bytes, truth) = generate(&recipe);
            assert_true(&recipe, &bytes, &truth);
            (recipe, truth)
        })
        .collect();
    let counts = |truth: &Truth| -> Vec<(Stage, String, u64)> {
        truth.kernels.iter().map(|kernel| (kernel.stage, kernel.name.clone(), kernel.count)).collect()
    };
    let collectives = ranks[0].1.collectives.len();
    assert!(collectives > 20);
    for (_, truth) in &ranks {
        assert_eq!(counts(truth), counts(&ranks[0].1));
        assert_eq!(truth.collectives.len(), collectives);
    }
    let mut late = 0;
    for at in 0..collectives {
        let rows: Vec<_> = ranks.iter().map(|(_, truth)| truth.collectives[at]).collect();
        let first = rows.iter().map(|row| row.arrival_ns).min().expect("a rank");
        let last = rows.iter().map(|row| row.arrival_ns).max().expect("a rank");
        assert!(rows.iter().all(|row| row.end_ns == rows[0].end_ns && row.spread_ns == last - first));
        assert_eq!(rows[rows[0].last_rank as usize].arrival_ns, last);
        late += u32::from(rows[0].last_rank == 2 && rows[0].spread_ns > 250_000);
    }
    // One collective a layer waits for the slow rank.
    assert_eq!(late, 3 * 6);
    let waits = |truth: &Truth| -> u64 {
        truth.kernels.iter().filter(|kernel| kernel.communication).map(|kernel| kernel.total_ns).sum()
    };
    assert!(waits(&ranks[0].1) > waits(&ranks[2].1) + 18 * 250_000);
}

#[test]
fn a_name_that_ends_in_gz_is_compressed_and_the_truth_survives_as_json() {
    let folder = tempfile::tempdir().expect("a folder");
    let (bytes, truth) = generate(&small());
    let path = folder.path().join("trace.json.gz");
    assert_eq!(write_file(&small(), &path).expect("a file"), truth);
    let file = std::fs::File::open(&path).expect("the file");
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(file).read_to_end(&mut text).expect("gzip");
    assert_eq!(text, bytes);
    let plain = folder.path().join("trace.json");
    write_file(&small(), &plain).expect("a file");
    assert_eq!(std::fs::read(&plain).expect("the file"), bytes);
    let json = serde_json::to_string(&truth).expect("JSON");
    assert_eq!(serde_json::from_str::<Truth>(&json).expect("a truth"), truth);
    let missing = write_file(&small(), &folder.path().join("no/such/folder.json"));
    assert!(matches!(missing, Err(GenerateError::Create { .. })));
}

#[test]
fn a_recipe_may_be_partial_and_says_what_it_does_not_know() {
    let recipe: Recipe = serde_json::from_str(r#"{"layers": 1, "vendor": "amd"}"#).expect("a recipe");
    assert_eq!(recipe, Recipe { layers: 1, vendor: Vendor::Amd, ..Recipe::default() });
    assert!(serde_json::from_str::<Recipe>(r#"{"layer": 1}"#).is_err());
}

#[test]
fn a_recipe_outside_its_bounds_is_refused() {
    let refused = |recipe: Recipe| write(&recipe, Vec::new()).expect_err("a refusal").to_string();
    assert_eq!(refused(Recipe { rank: 8, ..small() }), "rank 8 in a job of 8 ranks");
    assert_eq!(refused(Recipe { layers: 0, ..small() }), "`layers` is 0, outside 1 to 10000");
    let straggler = Some(Straggler { rank: 9, extra_us_per_layer: 1 });
    assert_eq!(refused(Recipe { straggler, ..small() }), "rank 9 in a job of 8 ranks");
}

#[test]
fn an_output_that_fails_is_reported() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    assert!(matches!(write(&small(), Full), Err(GenerateError::Output(_))));
}
