//! A recount of a generated trace that shares no code with the writer: the JSON is walked by a general parser, and union,
//! overlap and exposure are found by testing every elementary interval.
#![allow(dead_code, reason = "each test program uses its part")]

use assay_trace::generate::{
    Annotations, Damage, Delay, Recipe, Schema, Stage, Truth, Vendor, write, write_damaged,
};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

pub fn small() -> Recipe {
    Recipe { prefill: 2, decode: 3, mixed: 1, layers: 3, noise: 3, ..Recipe::default() }
}

pub fn generate(recipe: &Recipe) -> (Vec<u8>, Truth) {
    let mut bytes = Vec::new();
    let truth = write(recipe, &mut bytes).expect("a trace");
    (bytes, truth)
}

pub fn generate_damaged(recipe: &Recipe, damage: Damage) -> (Vec<u8>, Truth) {
    let mut bytes = Vec::new();
    let truth = write_damaged(recipe, damage, &mut bytes).expect("a trace");
    (bytes, truth)
}

/// A GPU event as parsed from the text.
#[derive(Debug, Clone)]
pub struct Gpu {
    pub name: String,
    pub cat: String,
    pub stream: u64,
    pub start: u64,
    pub end: u64,
    pub correlation: u64,
    pub external: Option<u64>,
    pub node: Option<(u64, u64)>,
}

/// What the recount needs of a document.
#[derive(Debug, Default)]
pub struct Recount {
    pub cats: BTreeMap<String, u64>,
    pub gpu: Vec<Gpu>,
    /// Calls by correlation: name, start.
    pub calls: HashMap<u64, (String, u64)>,
    /// Operators by external id: name, start, end.
    pub operators: HashMap<u64, (String, u64, u64)>,
    /// Step marks: name, start, end, external id.
    pub marks: Vec<(String, u64, u64)>,
    /// GPU marks: stream, start, end.
    pub gpu_marks: Vec<(u64, u64, u64)>,
    pub frames: Vec<(String, u64, u64)>,
    pub flow_ends: Vec<(u64, u64)>,
    pub flow_starts: HashMap<u64, u64>,
}

/// Nanoseconds from the text of a number of microseconds, without floating point.
pub fn ns(number: &Value) -> u64 {
    let text = number.to_string();
    let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
    let part = format!("{part:0<3}");
    whole.parse::<u64>().expect("a whole part") * 1000 + part.parse::<u64>().expect("three decimals")
}

fn is_mark(name: &str) -> bool {
    name.starts_with("step[") || name.starts_with("execute_")
}

pub fn recount(bytes: &[u8]) -> Recount {
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
pub fn assert_true(recipe: &Recipe, bytes: &[u8], truth: &Truth) {
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
