//! Two traces of one program: what a readable one says about the graph kernels of the served one.

use assay_trace::generate::{self, Recipe, Truth};
use assay_trace::pair::{Way, join};
use assay_trace::stage::Stage;
use assay_trace::view::flame::FlameNode;
use assay_trace::{Analysis, Options, Trace, read, view};
use std::collections::BTreeMap;
use std::path::Path;

fn traced(recipe: &Recipe) -> (Trace, Truth) {
    let mut text = Vec::new();
    let truth = generate::write(recipe, &mut text).expect("a trace");
    (read::read_json(Path::new("generated.json"), &text[..]).expect("a trace"), truth)
}

fn recipe(seed: u64) -> Recipe {
    Recipe { prefill: 0, decode: 1, layers: 5, noise: 2, seed, ..Recipe::default() }
}

/// Launches by kernel and place, ops by kernel and name.
type Counts = BTreeMap<(String, String), u64>;

fn counts(analysis: &Analysis<'_>, stage: Stage) -> (Counts, Counts) {
    let (mut sites, mut ops) = (Counts::new(), Counts::new());
    for event in (0..analysis.len()).filter(|&event| analysis.stage(event) == stage) {
        let name = analysis.raw_name(event).to_owned();
        if let Some(site) = analysis.site(event) {
            *sites.entry((name.clone(), analysis.sites[site].to_string())).or_default() += 1;
        }
        if let Some(op) = analysis.op_name(event) {
            *ops.entry((name, op.to_owned())).or_default() += 1;
        }
    }
    (sites, ops)
}

fn in_layers(analysis: &Analysis<'_>, event: usize) -> bool {
    analysis.links.in_graph(event)
}

#[test]
fn b9_graph_kernels_take_places_and_ops_of_the_mapping_whatever_the_formal_trace_launches() {
    let (mapping, _) = traced(&recipe(5));
    // Eager prefill of the same kernels outnumbers the mapping.
    let (formal, _) = traced(&Recipe { prefill: 6, decode: 4, graph: true, ..recipe(6) });
    let mapping = Analysis::new(&mapping, Options::default());
    let alone = Analysis::new(&formal, Options::default());
    let graph: Vec<usize> = (0..alone.len()).filter(|&event| in_layers(&alone, event)).collect();
    assert!(graph.iter().all(|&event| alone.site(event).is_none() && alone.op_name(event).is_none()));
    let joined = join(&alone, &mapping);
    let both = Analysis::new(&formal, Options::default()).with_mapping(&mapping);
    let coverage = both.mapping_coverage().expect("a mapping");
    assert_eq!(coverage, joined.coverage);
    assert!(coverage.share > 99.0, "{coverage:?}");
    // Truth: the mapping is one decode pass of the same program, the formal trace has four.
    let (own_sites, own_ops) = counts(&mapping, Stage::Decode);
    let (sites, ops) = counts(&both, Stage::Decode);
    let four = |counts: Counts| counts.into_iter().map(|(key, count)| (key, count * 4)).collect::<Counts>();
    let of_layers = |counts: Counts| -> Counts {
        let names: Vec<&str> = graph.iter().map(|&event| both.raw_name(event)).collect();
        counts.into_iter().filter(|((name, _), _)| names.contains(&name.as_str())).collect()
    };
    assert_eq!(of_layers(sites), of_layers(four(own_sites)));
    assert_eq!(of_layers(ops), of_layers(four(own_ops)));
    for &event in &graph {
        let same = joined.of_event[event].expect("a place").event as usize;
        assert_eq!(mapping.raw_name(same), both.raw_name(event));
        let shown =
            |analysis: &Analysis<'_>, event| analysis.site(event).map(|site| analysis.sites[site].clone());
        assert_eq!(shown(&both, event), shown(&mapping, same));
        assert_eq!(both.dims(event), mapping.dims(same));
    }
    // What names itself is left alone.
    for event in (0..alone.len()).filter(|event| !graph.contains(event) && alone.site(*event).is_some()) {
        assert_eq!(both.mapped_by(event), None);
        assert_eq!(both.op_name(event), alone.op_name(event));
    }
    let table = view::kernels::complete(&both);
    let decode = table.sections.iter().find(|section| section.stage == Stage::Decode).expect("decode");
    assert!(decode.rows.iter().filter(|row| row.graph_share > 0.0).all(|row| !row.sites.is_empty()));
}

#[test]
fn b9_positions_join_in_layers_and_names_only_where_they_have_one_place() {
    let (mapping, _) = traced(&Recipe { layers: 3, ..recipe(7) });
    let (formal, _) = traced(&Recipe { decode: 2, layers: 9, graph: true, stacks: false, ..recipe(8) });
    let mapping = Analysis::new(&mapping, Options::default());
    let both = Analysis::new(&formal, Options::default()).with_mapping(&mapping);
    // Layers that the mapping does not have are of a kind that it has.
    let ways: Vec<_> =
        (0..both.len()).filter(|&event| in_layers(&both, event)).map(|event| both.mapped_by(event)).collect();
    assert!(!ways.is_empty() && ways.iter().all(|way| *way == Some(Way::LayerPosition)), "{ways:?}");
    // Prologue and epilogue of a trace without stacks are aligned.
    let outside = (0..both.len()).filter(|&event| !in_layers(&both, event));
    let aligned = outside.filter(|&event| both.mapped_by(event) == Some(Way::Alignment)).count();
    assert!(aligned > 0);
}

#[test]
fn a_mapping_without_stacks_names_nothing() {
    let (mapping, _) = traced(&Recipe { stacks: false, ..recipe(9) });
    let (formal, _) = traced(&Recipe { graph: true, ..recipe(10) });
    let mapping = Analysis::new(&mapping, Options::default());
    let both = Analysis::new(&formal, Options::default()).with_mapping(&mapping);
    let coverage = both.mapping_coverage().expect("a mapping");
    assert_eq!((coverage.share, coverage.unmapped), (0.0, coverage.events));
    assert!(coverage.events > 0);
}

/// GPU time of graph replays by the two frames above the kernel.
fn below_replay(node: &FlameNode, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    path.push(node.name.clone());
    if node.children.is_empty()
        && path.iter().any(|frame| frame.contains("CUDAGraph") || frame.ends_with(" replay"))
    {
        found.push(path.clone());
    }
    node.children.iter().for_each(|child| below_replay(child, path, found));
    path.pop();
}

#[test]
fn a_mapping_shows_in_the_flame_graph() {
    let (mapping, _) = traced(&recipe(25));
    let (formal, _) = traced(&Recipe { decode: 3, graph: true, ..recipe(26) });
    let mapping = Analysis::new(&mapping, Options::default());
    let alone = Analysis::new(&formal, Options::default());
    let both = Analysis::new(&formal, Options::default()).with_mapping(&mapping);
    let leaves = |analysis: &Analysis<'_>| {
        let mut found = Vec::new();
        below_replay(&view::flame::build(analysis).root, &mut Vec::new(), &mut found);
        assert!(!found.is_empty());
        found
    };
    let has =
        |paths: &[Vec<String>], frame: &str| paths.iter().any(|path| path.iter().any(|name| name == frame));
    let (before, after) = (leaves(&alone), leaves(&both));
    for frame in ["layers/layernorm.py:143 forward_cuda", "sgl_kernel::fused_add_rmsnorm", "aten::mm"] {
        assert!(!has(&before, frame) && has(&after, frame), "{frame}: {after:#?}");
    }
    // The time is that of the same events.
    assert_eq!(view::flame::build(&alone).total_ns, view::flame::build(&both).total_ns);
}

/// Two products close together on one stream. With `graph` one replay launches both; else one op does, from two files.
fn two_products(graph: bool) -> Trace {
    let mut events = Vec::new();
    let mut add = |event: serde_json::Value| events.push(event);
    let span = |name: &str, cat: &str, tid: u32, ts: f64, dur: f64, args: serde_json::Value| {
        serde_json::json!({"ph": "X", "name": name, "cat": cat, "pid": if cat == "kernel" { 0 } else { 1 },
                           "tid": tid, "ts": ts, "dur": dur, "args": args})
    };
    if graph {
        add(span("cudaGraphLaunch", "cuda_runtime", 1, 10.0, 5.0, serde_json::json!({"correlation": 1})));
    } else {
        add(span("my::pair", "cpu_op", 1, 5.0, 50.0, serde_json::json!({"External id": 7})));
    }
    for (number, name) in [(0, "gemm_x"), (1, "gemm_y")] {
        let ts = 10.0 + 20.0 * f64::from(number);
        if !graph {
            let frame = format!("/home/me/{name}.py(3): {name}");
            add(span(&frame, "python_function", 1, ts - 2.0, 10.0, serde_json::json!({})));
            let call = serde_json::json!({"correlation": number + 1, "External id": 7});
            add(span("cudaLaunchKernel", "cuda_runtime", 1, ts, 5.0, call));
        }
        let correlation = if graph { 1 } else { number + 1 };
        let mut args = serde_json::json!({"device": 0, "stream": 7, "correlation": correlation});
        if !graph {
            args["External id"] = serde_json::json!(7);
        }
        add(span(name, "kernel", 7, 100.0 + 51.0 * f64::from(number), 50.0, args));
    }
    let text = serde_json::json!({"traceEvents": events}).to_string();
    read::read_json(Path::new("made.json"), text.as_bytes()).expect("a trace")
}

#[test]
fn ops_of_a_mapping_relate_neighbours() {
    let (mapping, formal) = (two_products(false), two_products(true));
    let mapping = Analysis::new(&mapping, Options::default());
    let alone = Analysis::new(&formal, Options::default());
    let both = Analysis::new(&formal, Options::default()).with_mapping(&mapping);
    let first = |analysis: &Analysis<'_>| {
        let table = view::overlap::build(analysis);
        table.sections[0].rows[0].dependency.clone()
    };
    let (before, after) = (first(&alone), first(&both));
    assert_eq!((before.related, before.unmapped), (0.0, 100.0));
    assert_eq!((after.related, after.unmapped), (100.0, 0.0));
    assert_eq!(after, first(&mapping));
}
