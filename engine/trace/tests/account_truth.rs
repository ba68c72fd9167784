//! The account of GPU time, overlap and launches of generated traces, against what the generator knows to be true.

use assay_trace::generate::{Annotations, Recipe, Truth, Vendor, write};
use assay_trace::name::Lane;
use assay_trace::view::{account, launches, overlap};
use assay_trace::{Analysis, Options, Trace, read};
use std::path::Path;

fn make(recipe: &Recipe) -> (Trace, Truth) {
    let mut text = Vec::new();
    let truth = write(recipe, &mut text).expect("a recipe that can be made");
    let trace = read::read_json(Path::new("generated.json"), &text[..]).expect("a trace");
    (trace, truth)
}

fn recipes() -> Vec<Recipe> {
    let mut all = Vec::new();
    for seed in [21, 22, 507_113] {
        let base = Recipe { prefill: 2, decode: 3, layers: 3, noise: 3, seed, ..Recipe::default() };
        all.push(base.clone());
        all.push(Recipe { graph: true, decode: 5, ..base.clone() });
        all.push(Recipe { piecewise: true, mixed: 1, ..base.clone() });
        all.push(Recipe { annotations: Annotations::Vllm, graph: true, stacks: false, ..base.clone() });
        all.push(Recipe { vendor: Vendor::Amd, graph: true, ..base.clone() });
        all.push(Recipe { rank: 3, skew_us: 40, ..base.clone() });
        all.push(Recipe { world: 1, rank: 0, ..base });
    }
    all
}

#[test]
fn busy_idle_exposed_and_hidden_communication_are_true_to_the_nanosecond() {
    for recipe in recipes() {
        let (trace, truth) = make(&recipe);
        let analysis = Analysis::new(&trace, Options::default());
        let account = account::build(&analysis);
        let [device] = &account.devices[..] else { panic!("one device") };
        let total = &device.total;
        let found = [
            total.window_ns,
            total.busy.ns,
            total.idle.ns,
            total.communication_exposed.ns,
            total.communication_hidden.ns,
        ];
        let gpu = truth.gpu;
        let known = [gpu.window_ns, gpu.busy_ns, gpu.idle_ns, gpu.exposed_ns, gpu.hidden_ns];
        assert_eq!(found.map(|ns| ns as u64), known, "{recipe:?}");
        let causes = total.idle_causes.expect("causes");
        assert_eq!(causes.graph.ns > 0, recipe.graph || recipe.piecewise, "{recipe:?}");
        assert_eq!(account.idle_causes_withheld, None);
    }
}

#[test]
fn windows_are_the_passes() {
    for recipe in recipes() {
        let (trace, truth) = make(&recipe);
        let analysis = Analysis::new(&trace, Options::default());
        let account = account::build(&analysis);
        let windows: Vec<_> = account.devices[0].windows.iter().filter(|row| row.step.is_some()).collect();
        assert_eq!(windows.len(), truth.passes.len(), "{recipe:?}");
        for (window, pass) in windows.iter().zip(&truth.passes) {
            let step = window.step.as_ref().expect("a step");
            assert_eq!((step.index, step.events), (u64::from(pass.step), pass.events), "{recipe:?}");
            let inside = window.end_ns.min(pass.end_ns as i64) - window.start_ns.max(pass.start_ns as i64);
            let range = (pass.end_ns - pass.start_ns) as i64;
            assert_eq!(range - inside, step.clipped_ns, "{recipe:?}");
            assert!(step.clipped_ns * 10 < range, "{recipe:?}: {} of {range}", step.clipped_ns);
        }
    }
}

#[test]
fn launch_delays_and_graph_launches_are_true() {
    for recipe in recipes() {
        let (trace, truth) = make(&recipe);
        let analysis = Analysis::new(&trace, Options::default());
        // The truth counts from the begin of the call, the view from its end.
        let from_begin = |event: usize| {
            let call = analysis.links.call(event)?;
            Some(launches::delay(&analysis, event)? + trace.calls.dur[call])
        };
        let mut delays: Vec<i64> = (0..analysis.len()).filter_map(from_begin).collect();
        delays.sort_unstable();
        let found = (delays.len() as u64, delays.iter().sum::<i64>() as u64, delays[delays.len() / 2] as u64);
        assert_eq!(found, (truth.delay.count, truth.delay.total_ns, truth.delay.p50_ns), "{recipe:?}");
        let stats = launches::build(&analysis);
        let replayed: u64 = truth.sources.values().map(|source| source.replayed).sum();
        let direct: u64 = stats.stages.iter().map(|stage| stage.direct_launches).sum();
        assert_eq!(direct + replayed, analysis.len() as u64, "{recipe:?}");
        let waits = stats.steps.iter().filter_map(|step| step.waits).chain([stats.waits_outside_steps]);
        let synchronised = stats.calls.iter().filter(|row| row.name.ends_with("Synchronize"));
        let (calls, time) = synchronised.fold((0, 0), |sum, row| (sum.0 + row.count, sum.1 + row.total_ns));
        assert_eq!(waits.fold((0, 0), |sum, row| (sum.0 + row.calls, sum.1 + row.time_ns)), (calls, time));
        assert!(calls > 0, "{recipe:?}");
        let calls = stats.calls.iter().filter(|row| row.name.contains("GraphLaunch"));
        let launched: u64 = stats.stages.iter().map(|stage| stage.graph_launches).sum();
        assert_eq!(launched, calls.map(|row| row.count).sum::<u64>(), "{recipe:?}");
        for (step, pass) in stats.steps.iter().zip(&truth.passes) {
            assert_eq!(step.direct_launches + step.graph_events, pass.events, "{recipe:?}");
        }
    }
}

#[test]
fn communication_is_among_the_rows_and_pairs_need_hidden_communication() {
    for recipe in recipes() {
        let (trace, _) = make(&recipe);
        let analysis = Analysis::new(&trace, Options::default());
        let table = overlap::build(&analysis);
        let hidden = account::build(&analysis).devices[0].total.communication_hidden.ns;
        let together: i64 =
            table.sections.iter().flat_map(|section| &section.pairs).map(|pair| pair.together_ns).sum();
        // Pairs count compute alone, the account every kernel that is no communication.
        assert!(together == 0 || hidden > 0, "{recipe:?}");
        for section in &table.sections {
            assert!(section.rows.iter().all(|row| row.share >= 1.0), "{recipe:?}");
            let communicates = section.rows.iter().any(|row| row.lane == Lane::Communication);
            assert!(communicates || recipe.world == 1, "{recipe:?}");
        }
    }
}
