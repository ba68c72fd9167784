//! The truth of a generated trace against a recount that shares no code with the writer: the JSON is walked by a
//! general parser, and union, overlap and exposure are found by testing every elementary interval.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;

use assay_trace::generate::{
    Annotations, Damage, Delay, GenerateError, Recipe, Root, Schema, Stage, Straggler, Truth, Vendor, write,
    write_damaged, write_file,
};
use serde_json::Value;

fn small() -> Recipe {
    Recipe { prefill: 2, decode: 3, mixed: 1, layers: 3, noise: 3, ..Recipe::default() }
}

fn generate(recipe: &Recipe) -> (Vec<u8>, Truth) {
    let mut bytes = Vec::new();
    let truth = write(recipe, &mut bytes).expect("a trace");
    (bytes, truth)
}

fn generate_damaged(recipe: &Recipe, damage: Damage) -> (Vec<u8>, Truth) {
    let mut bytes = Vec::new();
    let truth = write_damaged(recipe, damage, &mut bytes).expect("a trace");
    (bytes, truth)
}

/// A GPU event as parsed from the text.
#[derive(Debug, Clone)]
struct Gpu {
    name: String,
    cat: String,
    stream: u64,
    start: u64,
    end: u64,
    correlation: u64,
    external: Option<u64>,
    node: Option<(u64, u64)>,
}

/// What the recount needs of a document.
#[derive(Debug, Default)]
struct Recount {
    cats: BTreeMap<String, u64>,
    gpu: Vec<Gpu>,
    /// Calls by correlation: name, start.
    calls: HashMap<u64, (String, u64)>,
    /// Operators by external id: name, start, end.
    operators: HashMap<u64, (String, u64, u64)>,
    /// Step marks: name, start, end, external id.
    marks: Vec<(String, u64, u64)>,
    /// GPU marks: stream, start, end.
    gpu_marks: Vec<(u64, u64, u64)>,
    frames: Vec<(String, u64, u64)>,
    flow_ends: Vec<(u64, u64)>,
    flow_starts: HashMap<u64, u64>,
}

/// Nanoseconds from the text of a number of microseconds, without floating point.
fn ns(number: &Value) -> u64 {
    let text = number.to_string();
    let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
    let part = format!("{part:0<3}");
    whole.parse::<u64>().expect("a whole part") * 1000 + part.parse::<u64>().expect("three decimals")
}

fn is_mark(name: &str) -> bool {
    name.starts_with("step[") || name.starts_with("execute_")
}

fn recount(bytes: &[u8]) -> Recount {
    let document: Value = serde_json::from_slice(bytes).expect("JSON");
    let events = document.get("traceEvents").unwrap_or(&document).as_array().expect("a list of events");
    let mut seen = Recount::default();
    for event in events {
        let phase = event["ph"].as_str().expect("a phase");
        let cat = event["cat"].as_str().unwrap_or(if phase == "M" { "metadata" } else { "instant" });
        *seen.cats.entry(cat.to_owned()).or_default() += 1;
        let (args, name) = (&event["args"], event["name"].as_str().expect("a name").to_owned());
        let external = args.get("External id").or(args.get("external id")).and_then(Value::as_u64);
        let correlation = args["correlation"].as_u64();
        match phase {
            "s" => drop(seen.flow_starts.insert(event["id"].as_u64().expect("an id"), ns(&event["ts"]))),
            "f" => seen.flow_ends.push((event["id"].as_u64().expect("an id"), ns(&event["ts"]))),
            _ => {}
        }
        if phase != "X" {
            continue;
        }
        let start = ns(&event["ts"]);
        let end = start + ns(&event["dur"]);
        match cat {
            "kernel" | "gpu_memcpy" | "gpu_memset" | "Kernel" | "Memcpy" | "Memset" => seen.gpu.push(Gpu {
                name,
                cat: cat.to_owned(),
                stream: args["stream"].as_u64().expect("a stream"),
                start,
                end,
                correlation: correlation.expect("a correlation"),
                external,
                node: args["graph id"].as_u64().zip(args["graph node id"].as_u64()),
            }),
            "cuda_runtime" | "cuda_driver" | "Runtime" => {
                seen.calls.insert(correlation.expect("a correlation"), (name, start));
            }
            "cpu_op" | "Operator" | "user_annotation" if is_mark(&name) => {
                seen.marks.push((name, start, end))
            }
            "cpu_op" | "Operator" => {
                drop(seen.operators.insert(external.expect("an id"), (name, start, end)))
            }
            "gpu_user_annotation" => {
                let stream = event["tid"].to_string().trim_matches('"').parse().expect("a stream");
                seen.gpu_marks.push((stream, start, end));
            }
            "python_function" => seen.frames.push((name, start, end)),
            "Trace" => {}
            other => panic!("an event of the category {other}"),
        }
    }
    seen
}

impl Recount {
    /// The stage by the mark around the launch call; graph kernels by that of their one launch.
    fn stage(&self, gpu: &Gpu) -> Stage {
        let Some((_, launched)) = self.calls.get(&gpu.correlation) else { return Stage::Unknown };
        let around = self.marks.iter().find(|(_, start, end)| start <= launched && launched <= end);
        let name = around.map_or("", |(name, ..)| name);
        let none = name.contains("context_0(") || name.contains("DECODE");
        match (none, name.contains("generation_0(") || name.contains("EXTEND")) {
            _ if name.is_empty() => Stage::Unknown,
            (true, _) => Stage::Decode,
            (_, true) => Stage::Prefill,
            _ => Stage::Mixed,
        }
    }

    fn is_collective(gpu: &Gpu) -> bool {
        gpu.name.contains("cross_device_reduce") || gpu.name.starts_with("nccl")
    }

    fn is_kernel(gpu: &Gpu) -> bool {
        gpu.cat.eq_ignore_ascii_case("kernel")
    }

    /// Busy, overlap, exposed and hidden time, interval by interval.
    fn account(&self) -> [u64; 4] {
        let mut cuts: Vec<u64> = self.gpu.iter().flat_map(|gpu| [gpu.start, gpu.end]).collect();
        cuts.sort_unstable();
        cuts.dedup();
        let mut by_start = self.gpu.clone();
        by_start.sort_by_key(|gpu| gpu.start);
        let longest = by_start.iter().map(|gpu| gpu.end - gpu.start).max().unwrap_or(0);
        let mut sums = [0; 4];
        for pair in cuts.windows(2) {
            let (from, to) = (pair[0], pair[1]);
            let first = by_start.partition_point(|gpu| gpu.start + longest < from);
            let last = by_start.partition_point(|gpu| gpu.start <= from);
            let active: Vec<&Gpu> = by_start[first..last].iter().filter(|gpu| gpu.end >= to).collect();
            let mut streams: Vec<u64> = active.iter().map(|gpu| gpu.stream).collect();
            streams.sort_unstable();
            streams.dedup();
            let collective = active.iter().any(|gpu| Self::is_collective(gpu));
            let compute = active.iter().any(|gpu| Self::is_kernel(gpu) && !Self::is_collective(gpu));
            for (sum, counts) in sums.iter_mut().zip([
                !active.is_empty(),
                streams.len() > 1,
                collective && !compute,
                collective && compute,
            ]) {
                *sum += if counts { to - from } else { 0 };
            }
        }
        sums
    }

    /// The innermost framework function around the launch call.
    fn location(&self, launched: u64) -> String {
        let inner = self
            .frames
            .iter()
            .filter(|(name, start, end)| {
                *start <= launched
                    && launched <= *end
                    && (name.contains("python/sglang/") || name.contains("vllm/"))
            })
            .max_by_key(|(_, start, _)| *start);
        let name = &inner.expect("a framework frame").0;
        let from = name.find("python/sglang/").or(name.find("vllm/")).expect("a mark");
        let (path, function) = name[from..].split_once("): ").expect("a function");
        format!("{} {function}", path.replacen('(', ":", 1))
    }
}

/// Everything that the truth says and a plain walk over the document can see.
fn assert_true(recipe: &Recipe, bytes: &[u8], truth: &Truth) {
    let seen = recount(bytes);
    assert_eq!(seen.cats, truth.events, "events by category");
    assert_kernels(recipe, &seen, truth);
    assert_account(&seen, truth);
    assert_sources(recipe, &seen, truth);
    assert_passes(recipe, &seen, truth);
    // Every arrow ends at the start of an activity and begins at the start of its launch.
    let mut starts: Vec<(u64, u64)> = seen.gpu.iter().map(|gpu| (gpu.correlation, gpu.start)).collect();
    starts.retain(|(correlation, _)| seen.calls.contains_key(correlation));
    let mut ends = seen.flow_ends.clone();
    starts.sort_unstable();
    ends.sort_unstable();
    assert_eq!(starts, ends);
    for (correlation, at) in &seen.flow_starts {
        assert_eq!(seen.calls[correlation].1, *at);
    }
    assert!(!seen.gpu.is_empty() && !seen.calls.is_empty(), "an empty trace proves nothing");
}

fn assert_kernels(recipe: &Recipe, seen: &Recount, truth: &Truth) {
    type Row = (String, u64, u64, u64, Vec<u64>);
    let mut rows: BTreeMap<(Stage, String), Row> = BTreeMap::new();
    let unmarked = recipe.annotations == Annotations::None;
    for gpu in &seen.gpu {
        let stage = if unmarked { Stage::Unknown } else { seen.stage(gpu) };
        let fresh = || (gpu.cat.clone(), 0, 0, 0, Vec::new());
        let row = rows.entry((stage, gpu.name.clone())).or_insert_with(fresh);
        row.1 += 1;
        row.2 += gpu.end - gpu.start;
        row.3 = row.3.max(gpu.end - gpu.start);
        row.4.extend(seen.calls.get(&gpu.correlation).map(|(_, at)| gpu.start - at));
    }
    let mut told: BTreeMap<(Stage, String), Row> = BTreeMap::new();
    for kernel in &truth.kernels {
        let stage = if unmarked { Stage::Unknown } else { kernel.stage };
        let fresh = || (kernel.category.clone(), 0, 0, 0, Vec::new());
        let row = told.entry((stage, kernel.name.clone())).or_insert_with(fresh);
        (row.1, row.2) = (row.1 + kernel.count, row.2 + kernel.total_ns);
        row.3 = row.3.max(kernel.max_ns);
        let expected = kernel.name.contains("cross_device_reduce") || kernel.name.starts_with("nccl");
        assert_eq!(kernel.communication, expected, "{}", kernel.name);
    }
    let mut all = Vec::new();
    for (key, row) in &mut rows {
        row.4.sort_unstable();
        all.extend_from_slice(&row.4);
        let kernel = truth.kernels.iter().find(|kernel| (kernel.stage, &kernel.name) == (key.0, &key.1));
        if !unmarked {
            assert_eq!(kernel.expect("a row of the truth").delay, delay(&row.4), "{key:?}");
        }
        row.4.clear();
    }
    all.sort_unstable();
    assert_eq!(rows, told);
    assert_eq!(truth.delay, delay(&all));
}

fn delay(sorted: &[u64]) -> Delay {
    let p50_ns = sorted.get(sorted.len() / 2).copied().unwrap_or(0);
    Delay { count: sorted.len() as u64, total_ns: sorted.iter().sum(), p50_ns }
}

fn assert_account(seen: &Recount, truth: &Truth) {
    let gpu = &truth.gpu;
    let [busy, overlap, exposed, hidden] = seen.account();
    assert_eq!((gpu.busy_ns, gpu.overlap_ns), (busy, overlap));
    assert_eq!((gpu.exposed_ns, gpu.hidden_ns), (exposed, hidden));
    let start = seen.gpu.iter().map(|gpu| gpu.start).min().expect("an event");
    let end = seen.gpu.iter().map(|gpu| gpu.end).max().expect("an event");
    assert_eq!((gpu.start_ns, gpu.end_ns, gpu.window_ns), (start, end, end - start));
    assert_eq!(gpu.idle_ns, end - start - busy);
    // One stream runs one thing at a time.
    let mut streams: BTreeMap<u64, Vec<(u64, u64)>> = BTreeMap::new();
    for gpu in &seen.gpu {
        streams.entry(gpu.stream).or_default().push((gpu.start, gpu.end));
    }
    for (stream, mut spans) in streams {
        spans.sort_unstable();
        assert!(spans.windows(2).all(|pair| pair[0].1 <= pair[1].0), "stream {stream} runs two at once");
    }
}

fn assert_sources(recipe: &Recipe, seen: &Recount, truth: &Truth) {
    let mut locations: BTreeMap<(String, String), u64> = BTreeMap::new();
    let mut operators: BTreeMap<(String, String), u64> = BTreeMap::new();
    let mut rest: BTreeMap<(String, bool), u64> = BTreeMap::new();
    for gpu in &seen.gpu {
        let Some((call, launched)) = seen.calls.get(&gpu.correlation) else {
            *rest.entry((gpu.name.clone(), false)).or_default() += 1;
            continue;
        };
        if call.contains("GraphLaunch") {
            assert_eq!(gpu.external, None);
            assert_eq!(gpu.node.is_some(), recipe.vendor == Vendor::Nvidia && Recount::is_kernel(gpu));
            *rest.entry((gpu.name.clone(), true)).or_default() += 1;
            continue;
        }
        let (name, start, end) = &seen.operators[&gpu.external.expect("an eager kernel has an operator")];
        assert!(start <= launched && launched <= end, "{name} is around its launch");
        let mut around = seen.operators.values().filter(|(_, from, to)| from <= launched && launched <= to);
        assert!(around.all(|(_, from, _)| from <= start), "{name} is the innermost one");
        *operators.entry((gpu.name.clone(), name.clone())).or_default() += 1;
        if !seen.frames.is_empty() {
            *locations.entry((gpu.name.clone(), seen.location(*launched))).or_default() += 1;
        }
    }
    let flat = |pick: fn(&assay_trace::generate::SourceTruth) -> &BTreeMap<String, u64>| {
        let mut flat = BTreeMap::new();
        for (name, source) in &truth.sources {
            flat.extend(pick(source).iter().map(|(key, count)| ((name.clone(), key.clone()), *count)));
        }
        flat
    };
    assert_eq!(operators, flat(|source| &source.operators));
    assert_eq!(locations, flat(|source| &source.locations));
    let frames = recipe.stacks && recipe.schema == Schema::Current;
    assert_eq!(locations.is_empty(), !frames);
    for (name, source) in &truth.sources {
        assert_eq!(rest.get(&(name.clone(), true)).copied().unwrap_or(0), source.replayed, "{name}");
        assert_eq!(rest.get(&(name.clone(), false)).copied().unwrap_or(0), source.unlinked, "{name}");
    }
}

fn assert_passes(recipe: &Recipe, seen: &Recount, truth: &Truth) {
    assert_eq!(truth.passes.len() as u32, recipe.prefill + recipe.decode + recipe.mixed);
    let in_passes: u64 = truth.passes.iter().map(|pass| pass.exposed_ns + pass.hidden_ns).sum();
    if recipe.annotations == Annotations::None {
        return;
    }
    let mut marks: Vec<&(String, u64, u64)> = seen.marks.iter().filter(|mark| !mark.0.is_empty()).collect();
    marks.sort_by_key(|(_, start, end)| (*start, u64::MAX - end));
    // Two marks around one pass: the outer one counts.
    marks.dedup_by(|inner, outer| inner.2 <= outer.2);
    let mut unlinked = 0;
    for (pass, (_, from, to)) in truth.passes.iter().zip(&marks) {
        let mine: Vec<&Gpu> = seen
            .gpu
            .iter()
            .filter(|gpu| seen.calls.get(&gpu.correlation).is_some_and(|(_, at)| from <= at && at <= to))
            .collect();
        assert_eq!(pass.events, mine.len() as u64);
        assert_eq!(pass.start_ns, mine.iter().map(|gpu| gpu.start).min().expect("an event"));
        assert_eq!(pass.end_ns, mine.iter().map(|gpu| gpu.end).max().expect("an event"));
        assert_eq!(pass.layers.len() as u32, recipe.layers);
        assert_layers(seen, pass, &mine);
        unlinked += pass.events;
        let expected = recipe.vendor == Vendor::Nvidia && recipe.schema == Schema::Current;
        for stream in mine.iter().map(|gpu| gpu.stream) {
            let there = mine.iter().filter(|gpu| gpu.stream == stream);
            let start = there.clone().map(|gpu| gpu.start).min().expect("an event");
            let end = there.map(|gpu| gpu.end).max().expect("an event");
            assert_eq!(seen.gpu_marks.contains(&(stream, start, end)), expected);
        }
    }
    assert_eq!(truth.passes.len(), marks.len());
    let earlier = seen.gpu.len() as u64 - unlinked;
    assert!(earlier == 0 && in_passes == truth.gpu.exposed_ns + truth.gpu.hidden_ns || earlier > 0);
}

/// Layers by the module frames around the launches; a replay of the whole model has none.
fn assert_layers(seen: &Recount, pass: &assay_trace::generate::PassTruth, mine: &[&Gpu]) {
    assert!(pass.layers.is_sorted_by_key(|layer| layer.start_ns));
    let launched = |gpu: &Gpu| seen.calls[&gpu.correlation].1;
    let (from, to) = (mine.iter().map(|gpu| launched(gpu)).min(), mine.iter().map(|gpu| launched(gpu)).max());
    let modules = seen.frames.iter().filter(|(name, start, end)| {
        name.starts_with("nn.Module: Qwen3MoeDecoderLayer_") && from <= Some(*start) && Some(*end) <= to
    });
    let mut found = 0;
    for ((_, start, end), layer) in modules.zip(&pass.layers) {
        let inside = mine.iter().filter(|gpu| (*start..=*end).contains(&launched(gpu)));
        assert_eq!(layer.start_ns, inside.clone().map(|gpu| gpu.start).min().expect("an event"));
        assert_eq!(layer.end_ns, inside.map(|gpu| gpu.end).max().expect("an event"));
        found += 1;
    }
    let whole = mine.iter().filter(|gpu| gpu.correlation == mine[mine.len() / 2].correlation).count();
    assert!(found == pass.layers.len() || seen.frames.is_empty() || whole > 20 * pass.layers.len());
    for layer in &pass.layers {
        assert!(mine.iter().any(|gpu| gpu.start == layer.start_ns));
        assert!(mine.iter().any(|gpu| gpu.end == layer.end_ns));
    }
}

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
fn readable_damage_keeps_the_truth() {
    for damage in [Damage::StringPids, Damage::TwelveDigitTs, Damage::NoKernels, Damage::CpuOnly] {
        let (bytes, truth) = generate_damaged(&small(), damage);
        let seen = recount(&bytes);
        assert_eq!(seen.cats, truth.events, "{damage:?}");
        assert_eq!(seen.gpu_marks.is_empty(), seen.gpu.is_empty());
        assert_eq!(seen.gpu.is_empty(), matches!(damage, Damage::NoKernels | Damage::CpuOnly));
        assert_eq!(seen.calls.is_empty(), damage == Damage::CpuOnly);
        assert_eq!(truth.kernels.is_empty(), seen.gpu.is_empty());
        if !seen.gpu.is_empty() {
            assert_true(&small(), &bytes, &truth);
        }
    }
    let (bytes, _) = generate_damaged(&small(), Damage::StringPids);
    assert!(String::from_utf8(bytes).expect("text").contains("\"pid\": \"4242\", \"tid\": \"4242\""));
    let (_, truth) = generate_damaged(&small(), Damage::TwelveDigitTs);
    assert_eq!((truth.gpu.start_ns / 1000).to_string().len(), 12);
}

#[test]
fn kernels_from_before_the_window_have_no_launch_and_no_stage() {
    let (bytes, truth) = generate_damaged(&small(), Damage::KernelsBeforeWindow);
    assert_true(&small(), &bytes, &truth);
    let unknown: u64 =
        truth.kernels.iter().filter(|row| row.stage == Stage::Unknown).map(|row| row.count).sum();
    let unlinked: u64 = truth.sources.values().map(|source| source.unlinked).sum();
    assert!(unknown > 10 && unknown == unlinked);
    let (_, sound) = generate(&small());
    assert!(sound.sources.values().all(|source| source.unlinked == 0));
}

#[test]
fn repeated_correlations_leave_sums_and_external_ids_alone() {
    let (bytes, truth) = generate_damaged(&small(), Damage::DuplicateCorrelation);
    let seen = recount(&bytes);
    assert_eq!(seen.cats, truth.events);
    assert!(seen.calls.len() <= 61 && seen.gpu.len() > 200);
    let total: u64 = seen.gpu.iter().map(|gpu| gpu.end - gpu.start).sum();
    assert_eq!(total, truth.kernels.iter().map(|row| row.total_ns).sum::<u64>());
    assert!(seen.gpu.iter().all(|gpu| seen.operators.contains_key(&gpu.external.expect("an id"))));
    assert_eq!(generate(&small()).1, truth);
}

#[test]
fn unreadable_damage_is_unreadable() {
    let (sound, truth) = generate(&small());
    let (bytes, told) = generate_damaged(&small(), Damage::TruncateAt(0.5));
    assert_eq!(bytes, sound[..sound.len() / 2]);
    assert_eq!(told, truth);
    for (damage, byte) in [(Damage::RawControlChars, 0x01), (Damage::InvalidUtf8, 0xff)] {
        let (bytes, told) = generate_damaged(&small(), damage);
        assert!(bytes.contains(&byte) && !sound.contains(&byte));
        assert!(serde_json::from_slice::<Value>(&bytes).is_err());
        assert_eq!(told, truth);
    }
    let (bytes, told) = generate_damaged(&small(), Damage::EmptyEvents);
    assert_eq!(
        serde_json::from_slice::<Value>(&bytes).expect("JSON")["traceEvents"],
        Value::Array(Vec::new())
    );
    assert!(told.kernels.is_empty() && told.events.is_empty());
    let refused = write_damaged(&small(), Damage::TruncateAt(1.5), Vec::new());
    assert!(matches!(refused, Err(GenerateError::Share { .. })));
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
