//! What the reader and its links find in generated traces, against what the generator knows to be true.

use assay_trace::generate::{Annotations, Recipe, Root, Schema, Stage as Known, Truth, Vendor, write};
use assay_trace::stage::Stage;
use assay_trace::{Analysis, Options, Trace, read, view};
use std::collections::BTreeMap;
use std::path::Path;

fn make(recipe: &Recipe) -> (Trace, Truth) {
    let mut text = Vec::new();
    let truth = write(recipe, &mut text).expect("a recipe that can be made");
    let trace = read::read_json(Path::new("generated.json"), &text[..]).expect("a trace");
    (trace, truth)
}

fn small(seed: u64) -> Recipe {
    Recipe { prefill: 2, decode: 3, layers: 3, noise: 3, seed, ..Recipe::default() }
}

/// Every flag at least once, each with seeds that nothing was tuned on.
fn recipes() -> Vec<Recipe> {
    let mut all = Vec::new();
    for seed in [11, 12, 13, 914_523] {
        let base = small(seed);
        all.push(base.clone());
        all.push(Recipe { graph: true, decode: 4, ..base.clone() });
        all.push(Recipe { piecewise: true, ..base.clone() });
        all.push(Recipe { piecewise: true, graph: true, vendor: Vendor::Amd, ..base.clone() });
        all.push(Recipe { mixed: 2, annotations: Annotations::Vllm, ..base.clone() });
        all.push(Recipe { annotations: Annotations::SglangExecute, compact: true, ..base.clone() });
        all.push(Recipe { annotations: Annotations::Vllm, graph: true, stacks: false, ..base.clone() });
        all.push(Recipe { stacks: false, root: Root::List, ..base.clone() });
        all.push(Recipe { vendor: Vendor::Amd, graph: true, ..base.clone() });
        all.push(Recipe { schema: Schema::Y2021, ..base.clone() });
        all.push(Recipe { shapes: false, world: 1, skew_us: 0, rank: 0, ..base.clone() });
        all.push(Recipe { rank: 3, skew_us: 40, ..base.clone() });
        all.push(Recipe { annotations: Annotations::None, ..base.clone() });
        all.push(Recipe { annotations: Annotations::None, graph: true, ..base });
    }
    all
}

fn stage(known: Known) -> Stage {
    match known {
        Known::Prefill => Stage::Prefill,
        Known::Decode => Stage::Decode,
        Known::Mixed => Stage::Mixed,
        Known::Unknown => Stage::Unknown,
    }
}

#[test]
fn stage_count_sum_and_maximum_of_every_kernel_are_true() {
    for recipe in recipes() {
        let (trace, truth) = make(&recipe);
        let analysis = Analysis::new(&trace, Options::default());
        let mut found: BTreeMap<(Stage, &str), (u64, i64, i64)> = BTreeMap::new();
        for (event, row) in trace.gpu.rows().enumerate() {
            let sum = found.entry((analysis.stage(event), analysis.raw_name(event))).or_default();
            sum.0 += 1;
            sum.1 += row.dur;
            sum.2 = sum.2.max(row.dur);
        }
        let mut known: BTreeMap<(Stage, &str), (u64, i64, i64)> = BTreeMap::new();
        for kernel in &truth.kernels {
            let sums = (kernel.count, kernel.total_ns as i64, kernel.max_ns as i64);
            known.insert((stage(kernel.stage), kernel.name.as_str()), sums);
        }
        assert_eq!(found, known, "{recipe:?}");
    }
}

#[test]
fn every_location_and_operator_is_true() {
    for recipe in recipes() {
        let (trace, truth) = make(&recipe);
        let analysis = Analysis::new(&trace, Options::default());
        for (name, source) in &truth.sources {
            let mut locations: BTreeMap<String, u64> = BTreeMap::new();
            let mut operators: BTreeMap<String, u64> = BTreeMap::new();
            let mut replayed = 0;
            for event in (0..analysis.len()).filter(|&event| analysis.raw_name(event) == name) {
                replayed += u64::from(analysis.links.in_graph(event));
                if let Some(site) = analysis.site(event) {
                    *locations.entry(analysis.sites[site].to_string()).or_default() += 1;
                }
                if let Some(op) = analysis.op_name(event) {
                    *operators.entry(op.to_owned()).or_default() += 1;
                }
            }
            assert_eq!(locations, source.locations, "{name} {recipe:?}");
            assert_eq!(operators, source.operators, "{name} {recipe:?}");
            assert_eq!(replayed, source.replayed, "{name} {recipe:?}");
        }
    }
}

#[test]
fn busy_overlap_and_window_are_true_to_the_nanosecond() {
    for recipe in recipes() {
        let (trace, truth) = make(&recipe);
        let devices = view::devices::build(&Analysis::new(&trace, Options::default()));
        let [device] = &devices[..] else { panic!("{} devices", devices.len()) };
        let found = [device.busy_ns, device.overlap_ns, device.window_ns];
        assert_eq!(
            found,
            [truth.gpu.busy_ns, truth.gpu.overlap_ns, truth.gpu.window_ns].map(|ns| ns as i64),
            "{recipe:?}"
        );
    }
}

#[test]
fn every_step_has_its_pass() {
    for recipe in recipes() {
        let (trace, truth) = make(&recipe);
        let steps = view::steps::build(&Analysis::new(&trace, Options::default()));
        assert_eq!(steps.len(), truth.passes.len(), "{recipe:?}");
        for (step, pass) in steps.iter().zip(&truth.passes) {
            assert_eq!((step.stage, step.gpu_events), (stage(pass.stage), pass.events), "{recipe:?}");
            assert_eq!(step.gpu_start_ns, Some(pass.start_ns as i64), "{recipe:?}");
            assert_eq!(step.gpu_end_ns, Some(pass.end_ns as i64), "{recipe:?}");
        }
    }
}

/// Without marks and without frames nothing says what a step is, and nothing is guessed.
#[test]
fn what_nothing_proves_stays_unknown() {
    let (trace, _) = make(&Recipe { annotations: Annotations::None, stacks: false, ..small(5) });
    let analysis = Analysis::new(&trace, Options::default());
    assert!((0..analysis.len()).all(|event| analysis.stage(event) == Stage::Unknown));
    let integrity = view::integrity::build(&analysis);
    assert!((integrity.unknown_stage - 100.0).abs() < 1e-9 && integrity.steps == 0);
    assert!(
        integrity.withheld.iter().any(|withheld| withheld.verdict.contains("prefill and decode")),
        "{integrity:?}"
    );
    let path = Some("x/decode/trace.json".into());
    let asked = Analysis::new(&trace, Options { stage_from_path: path, ..Options::default() });
    assert!((0..asked.len()).all(|event| asked.stage(event) == Stage::Decode));
}
