//! Passes and layers of generated traces, whose truth is known, for unseen seeds and every flag.

use assay_trace::generate::{self, Annotations, Recipe, Schema, Truth, Vendor};
use assay_trace::layers::{self, LayerOptions, Method, PassSource, Passes};
use assay_trace::{Analysis, Options, Trace, read};
use std::path::Path;

fn traced(recipe: &Recipe) -> (Trace, Truth) {
    let mut text = Vec::new();
    let truth = generate::write(recipe, &mut text).expect("a trace");
    (read::read_json(Path::new("generated.json"), &text[..]).expect("a trace"), truth)
}

fn found(trace: &Trace) -> Passes {
    let analysis = Analysis::new(trace, Options::default());
    layers::find(&analysis, &LayerOptions::default()).expect("passes")
}

/// Each pass and each layer to the nanosecond.
fn exact(passes: &Passes, truth: &Truth, what: &str) {
    let wanted: Vec<_> = truth.passes.iter().filter(|pass| pass.events > 0).collect();
    assert_eq!(passes.passes.len(), wanted.len(), "{what}: {:?}", passes.withheld);
    for (number, (pass, wanted)) in passes.passes.iter().zip(wanted).enumerate() {
        let what = format!("{what}, pass {number} ({:?}, {:?})", pass.stage, pass.method);
        assert_eq!((pass.start, pass.end), (wanted.start_ns as i64, wanted.end_ns as i64), "{what}");
        assert_eq!(pass.events.len() as u64, wanted.events, "{what}");
        assert_eq!(pass.layers.len(), wanted.layers.len(), "{what}: {:?}", pass.withheld);
        for (layer, wanted) in pass.layers.iter().zip(&wanted.layers) {
            let truth = (wanted.start_ns as i64, wanted.end_ns as i64);
            assert_eq!((layer.start, layer.end), truth, "{what}, layer {}", layer.index);
        }
    }
}

fn small(seed: u64) -> Recipe {
    Recipe { prefill: 2, decode: 3, mixed: 1, layers: 6, noise: 2, seed, ..Recipe::default() }
}

#[test]
fn b15_eager_layers_by_modules_are_exact() {
    for seed in [11, 12] {
        for annotations in [Annotations::Sglang, Annotations::SglangExecute, Annotations::Vllm] {
            for vendor in [Vendor::Nvidia, Vendor::Amd] {
                let recipe = Recipe { annotations, vendor, ..small(seed) };
                let (trace, truth) = traced(&recipe);
                let passes = found(&trace);
                exact(&passes, &truth, &format!("{recipe:?}"));
                assert!(passes.passes.iter().all(|pass| pass.method == Some(Method::Modules)), "{recipe:?}");
            }
        }
    }
}

#[test]
fn b13_eager_layers_by_period_are_exact() {
    for seed in [21, 22] {
        for annotations in [Annotations::Sglang, Annotations::Vllm] {
            for vendor in [Vendor::Nvidia, Vendor::Amd] {
                let recipe = Recipe { stacks: false, annotations, vendor, ..small(seed) };
                let (trace, truth) = traced(&recipe);
                let passes = found(&trace);
                exact(&passes, &truth, &format!("{recipe:?}"));
                assert!(passes.passes.iter().all(|pass| pass.method == Some(Method::Period)), "{recipe:?}");
            }
        }
    }
}

#[test]
fn b13_graph_layers_are_exact_with_node_ids_and_without() {
    for seed in [31, 32] {
        for annotations in [Annotations::Sglang, Annotations::Vllm] {
            for (vendor, method) in [(Vendor::Nvidia, Method::GraphNodes), (Vendor::Amd, Method::GraphStarts)]
            {
                for stacks in [true, false] {
                    let recipe = Recipe { graph: true, annotations, vendor, stacks, ..small(seed) };
                    let (trace, truth) = traced(&recipe);
                    let passes = found(&trace);
                    exact(&passes, &truth, &format!("{recipe:?}"));
                    let last = passes.passes.last().expect("a pass");
                    assert_eq!(last.method, Some(method), "{recipe:?}");
                }
            }
        }
    }
}

#[test]
fn layers_of_piecewise_graphs_are_exact() {
    for vendor in [Vendor::Nvidia, Vendor::Amd] {
        for graph in [true, false] {
            let recipe =
                Recipe { piecewise: true, graph, vendor, annotations: Annotations::Vllm, ..small(41) };
            let (trace, truth) = traced(&recipe);
            exact(&found(&trace), &truth, &format!("{recipe:?}"));
        }
    }
}

#[test]
fn passes_without_steps_recur() {
    for graph in [false, true] {
        let recipe = Recipe { annotations: Annotations::None, stacks: false, graph, mixed: 0, ..small(51) };
        let (trace, truth) = traced(&recipe);
        let passes = found(&trace);
        assert_eq!(passes.source, PassSource::Recurring);
        exact(&passes, &truth, &format!("{recipe:?}"));
    }
}

#[test]
fn a_model_of_one_layer_has_it_where_modules_name_it() {
    let (trace, truth) = traced(&Recipe { layers: 1, ..small(61) });
    exact(&found(&trace), &truth, "one layer");
    let (trace, _) = traced(&Recipe { layers: 1, stacks: false, ..small(61) });
    let passes = found(&trace);
    assert!(passes.passes.iter().all(|pass| pass.layers.is_empty() && pass.withheld.is_some()));
}

#[test]
fn layers_of_a_whole_model() {
    let (trace, truth) =
        traced(&Recipe { prefill: 1, decode: 2, graph: true, noise: 0, seed: 71, ..Recipe::default() });
    exact(&found(&trace), &truth, "48 layers");
}

/// Every combination of flags that changes names, order or steps.
fn every_flag() -> Vec<Recipe> {
    let mut all = vec![Recipe { layers: 3, noise: 1, skew_us: 5, ..small(900) }];
    let mut vary = |choices: &[&dyn Fn(&mut Recipe)]| {
        let before = std::mem::take(&mut all);
        for recipe in before {
            for choice in choices {
                let mut recipe = recipe.clone();
                choice(&mut recipe);
                recipe.seed += all.len() as u64;
                all.push(recipe);
            }
        }
    };
    vary(&[&|_| {}, &|recipe| recipe.stacks = false]);
    vary(&[&|_| {}, &|recipe| recipe.graph = true]);
    vary(&[&|_| {}, &|recipe| recipe.piecewise = true]);
    vary(&[&|_| {}, &|recipe| recipe.vendor = Vendor::Amd]);
    vary(&[&|_| {}, &|recipe| recipe.schema = Schema::Y2021]);
    vary(&[
        &|_| {},
        &|recipe| recipe.annotations = Annotations::SglangExecute,
        &|recipe| recipe.annotations = Annotations::Vllm,
        &|recipe| recipe.annotations = Annotations::None,
    ]);
    all
}

#[test]
fn b15_layers_are_exact_for_every_flag() {
    let recipes = every_flag();
    assert_eq!(recipes.len(), 128);
    for recipe in recipes {
        let (trace, truth) = traced(&recipe);
        let passes = found(&trace);
        exact(&passes, &truth, &format!("{recipe:?}"));
    }
}
