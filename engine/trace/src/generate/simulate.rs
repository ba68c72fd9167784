//! The simulated server process: one CPU thread that launches passes, and the streams of its GPU.
//!
//! All ranks of a job draw the same random numbers, so where one rank waits for another, every rank simulates the GPU
//! of all of them and writes only its own. Time is in integer nanoseconds, and on the grid of the schema.

use std::io;
use std::ops::Range;

use super::event::{Activity, Call as CallEvent, Frame, FrameName, Operator, Origin, Sink};
use super::json::Cat;
use super::kernels::Library;
use super::model::{
    self, After, Block, Both, Call, EAGER_ATTENTION, EPILOGUE, Group, LAYER, Launch, PROLOGUE, Site, Stream,
};
use super::random::Random;
use super::recipe::{Annotations, Recipe, Schema, Vendor};
use super::schedule::{marks, order};
use super::truth::{CollectiveTruth, Stage};

/// From the start of a launch call to the earliest start on the device.
const LAUNCH_LATENCY: u64 = 3_000;
/// The same for the first kernel of a graph.
const REPLAY_LATENCY: u64 = 8_000;
/// From the end of the awaited work to the CPU going on.
const WAKE_UP: u64 = 8_000;

/// Deviations of the simulated events from those of a sound recording.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Oddities {
    /// Start on a clock with one digit less.
    pub(super) short_clock: bool,
    /// Correlation numbers come round again.
    pub(super) repeated_correlations: bool,
    /// The tail of a pass from before the recording is still running.
    pub(super) earlier_kernels: bool,
}

/// A frame that is open.
#[derive(Debug, Clone, Copy)]
struct Open {
    id: u64,
    site: Option<&'static Site>,
}

/// Where the activities of one launch belong.
#[derive(Debug, Clone, Copy)]
struct Place {
    stage: Stage,
    layer: Option<u32>,
    step: u32,
}

pub(super) struct Simulation<'r, S> {
    recipe: &'r Recipe,
    library: Library,
    /// Position of this framework in the tables.
    framework: usize,
    oddities: Oddities,
    random: Random,
    sink: S,
    grid: u64,
    /// The CPU of a rank without delay; each rank's own is this plus its lag.
    clock: u64,
    lag: Vec<u64>,
    own: usize,
    /// When each stream of each rank is free.
    free: Vec<[u64; 4]>,
    /// End of the last activity of the current and of the previous pass, by rank.
    ends: Vec<[u64; 2]>,
    stack: Vec<Open>,
    /// Operators that are open: external id, name.
    operators: Vec<(u64, &'static str)>,
    frames: u64,
    external: u64,
    correlation: u64,
}

/// The first time of the recording, in nanoseconds.
pub(super) fn origin(recipe: &Recipe, oddities: Oddities) -> u64 {
    match recipe.schema {
        Schema::Y2021 => 1_621_401_187_224_005_000,
        Schema::Current if oddities.short_clock => 490_991_369_219_694,
        Schema::Current => 4_909_913_692_199_694,
    }
}

impl<'r, S: Sink> Simulation<'r, S> {
    pub(super) fn new(recipe: &'r Recipe, oddities: Oddities, sink: S) -> Self {
        let apart = recipe.straggler.is_some() || recipe.skew_us > 0;
        // Ranks without a difference run in step, and one stands for all.
        let ranks = if apart { recipe.world } else { 1 };
        let start = origin(recipe, oddities);
        Self {
            recipe,
            library: Library::of(recipe),
            framework: usize::from(recipe.annotations == Annotations::Vllm),
            oddities,
            random: Random::new(recipe.seed),
            sink,
            grid: recipe.grid(),
            clock: start + 50_000,
            lag: (0..ranks).map(|rank| u64::from(rank) * u64::from(recipe.skew_us) * 1000).collect(),
            own: if apart { recipe.rank as usize } else { 0 },
            free: vec![[start - 80_000; 4]; ranks as usize],
            ends: vec![[start; 2]; ranks as usize],
            stack: Vec::new(),
            operators: Vec::new(),
            frames: 0,
            external: 1000,
            correlation: 0,
        }
    }

    /// Runs all passes; the sink and the end of the recording.
    pub(super) fn run(mut self) -> io::Result<(S, u64)> {
        if self.oddities.earlier_kernels {
            self.earlier();
        }
        self.process_frames();
        for (step, stage) in order(self.recipe) {
            self.pass(step, stage);
            self.sink.check()?;
        }
        let end = self.ends[self.own][0].max(self.now()) + 50_000;
        Ok((self.sink, end / self.grid * self.grid))
    }

    fn now(&self) -> u64 {
        self.clock + self.lag[self.own]
    }

    /// A random time in `low..high` nanoseconds, on the grid.
    fn between(&mut self, low: u32, high: u32) -> u64 {
        self.random.between(low, high) / self.grid * self.grid
    }

    fn advance(&mut self, low: u32, high: u32) {
        self.clock += self.between(low, high);
    }

    // ---- Python frames ----

    fn push(&mut self, name: FrameName) {
        self.push_frame(name, false);
    }

    fn push_frame(&mut self, name: FrameName, lasting: bool) {
        self.frames += 1;
        let site = if let FrameName::Framework(_, site) = name { Some(site) } else { None };
        let parent = self.stack.last().map(|open| open.id);
        self.sink.open_frame(Frame { id: self.frames, parent, name, start: self.now(), lasting });
        self.stack.push(Open { id: self.frames, site });
        self.advance(150, 450);
    }

    fn push_site(&mut self, site: &'static Both<Site>) {
        self.push_one(&site[self.framework]);
    }

    fn push_one(&mut self, site: &'static Site) {
        let folder = match (self.framework, self.recipe.vendor) {
            (0, _) => "/sgl-workspace/sglang/",
            (_, Vendor::Amd) => "/usr/local/lib/python3.12/dist-packages/",
            (_, Vendor::Nvidia) => "",
        };
        self.push(FrameName::Framework(folder, site));
    }

    fn push_module(&mut self, class: &'static str, index: u32) {
        let class = if self.framework == 1 && class == "RadixAttention" { "Attention" } else { class };
        self.push(FrameName::Module(class, index));
        self.push(FrameName::Plain("torch/nn/modules/module.py(1779): _call_impl"));
    }

    fn pop_to(&mut self, depth: usize) {
        while self.stack.len() > depth {
            self.advance(100, 300);
            if let Some(open) = self.stack.pop() {
                self.sink.close_frame(open.id, self.now());
            }
        }
    }

    /// Short calls of helpers, one after the other.
    fn noise(&mut self, count: u32) {
        for _ in 0..count {
            let address = 0x7ed7_a000_0000 + u64::from(self.random.below(4000)) * 16;
            let name = match self.random.below(14) {
                0 => FrameName::Plain("<built-in function isinstance>"),
                1 => FrameName::Plain("<built-in function getattr>"),
                2 => FrameName::Plain("<built-in function hasattr>"),
                3 => FrameName::BuiltIn("size", "Tensor", address),
                4 => FrameName::BuiltIn("view", "Tensor", address),
                5 => FrameName::Plain("torch/nn/modules/module.py(1951): __getattr__"),
                6 => FrameName::BuiltIn("dim", "Tensor", address),
                7 => FrameName::Plain("torch/_ops.py(1244): __call__"),
                8 => FrameName::BuiltIn("append", "list", address),
                9 => FrameName::BuiltIn("get", "dict", address),
                10 => FrameName::Plain("<built-in function len>"),
                11 => FrameName::Plain("inspect.py(2699): kind"),
                12 => FrameName::Plain("torch/utils/_device.py(99): __torch_function__"),
                _ => FrameName::Plain("<built-in function next>"),
            };
            self.push(name);
            self.pop_to(self.stack.len() - 1);
        }
    }

    fn process_frames(&mut self) {
        let outer = ["<string>(1): <module>", "multiprocessing/spawn.py(122): spawn_main"];
        for name in outer.into_iter().chain(["multiprocessing/process.py(314): _bootstrap"]) {
            self.push_frame(FrameName::Plain(name), true);
        }
        let folder = if self.framework == 0 { "/sgl-workspace/sglang/" } else { "" };
        for site in &model::PROCESS[self.framework] {
            self.push_frame(FrameName::Framework(folder, site), true);
        }
    }

    // ---- operators ----

    fn open_operator(&mut self, name: &'static str, rows: u32) {
        self.external += 1;
        let operator =
            Operator { external: self.external, name: name.into(), mark: false, rows, start: self.now() };
        self.sink.open_operator(operator);
        self.operators.push((self.external, name));
    }

    fn close_operator(&mut self) {
        if let Some((external, _)) = self.operators.pop() {
            self.sink.close_operator(external, self.now());
        }
    }

    // ---- one pass ----

    fn pass(&mut self, step: u32, stage: Stage) {
        self.sink.open_pass(step, stage);
        for ends in &mut self.ends {
            ends[1] = ends[0];
        }
        let depth = self.stack.len();
        let [run, inner @ ..] = &model::STEP[self.framework];
        self.push_one(run);
        let marks = self.open_marks(stage);
        inner.iter().for_each(|site| self.push_one(site));
        let place = |layer| Place { stage, layer, step };
        for group in &PROLOGUE {
            self.group(group, place(None), 0);
        }
        if stage == Stage::Decode && self.recipe.graph {
            self.full_replay(place(None));
        } else {
            self.forward(place(None));
        }
        for group in &EPILOGUE {
            self.group(group, place(None), self.recipe.layers);
        }
        self.pop_to(depth + 1);
        for (external, _) in marks.iter().rev() {
            self.sink.close_operator(*external, self.now());
        }
        self.pop_to(depth);
        self.synchronize(stage);
        self.sink.close_pass(&marks, self.now());
        self.noise(3 * self.recipe.noise);
    }

    fn open_marks(&mut self, stage: Stage) -> Vec<(u64, String)> {
        let mut opened = Vec::new();
        for name in marks(self.recipe, stage) {
            self.external += 1;
            let (external, start) = (self.external, self.now());
            self.sink.open_operator(Operator {
                external,
                name: name.clone().into(),
                mark: true,
                rows: 0,
                start,
            });
            self.advance(500, 1500);
            opened.push((external, name));
        }
        opened
    }

    /// The model called from Python, with its attention and expert modules around their operators.
    fn forward(&mut self, place: Place) {
        let depth = self.stack.len();
        let decode = place.stage == Stage::Decode;
        self.push_site(if decode { &model::FORWARD_DECODE } else { &model::FORWARD_EXTEND });
        let [causal, inner, layer_forward] = &model::MODEL_FORWARD[self.framework];
        self.push_module("Qwen3MoeForCausalLM", 0);
        self.push_one(causal);
        self.push_module("Qwen3MoeModel", 0);
        self.push_one(inner);
        for layer in 0..self.recipe.layers {
            let depth = self.stack.len();
            self.push_module("Qwen3MoeDecoderLayer", layer);
            self.push_one(layer_forward);
            let place = Place { layer: Some(layer), ..place };
            if self.recipe.piecewise {
                self.piece(place, layer, 0..EAGER_ATTENTION.start);
                self.eager(&LAYER[EAGER_ATTENTION], place, layer);
                self.piece(place, layer, EAGER_ATTENTION.end..LAYER.len());
            } else {
                self.eager(&LAYER, place, layer);
            }
            self.pop_to(depth);
        }
        self.pop_to(depth);
    }

    fn eager(&mut self, groups: &'static [Group], place: Place, layer: u32) {
        let depth = self.stack.len();
        let mut block = Block::Layer;
        for group in groups {
            if group.block != block {
                self.pop_to(depth);
                block = group.block;
                match block {
                    Block::Layer => {}
                    Block::Attention => {
                        self.push_module("Qwen3MoeAttention", layer);
                        self.push_site(&model::ATTENTION_FORWARD);
                    }
                    Block::Experts => {
                        self.push_module("Qwen3MoeSparseMoeBlock", layer);
                        self.push_site(&model::EXPERTS_FORWARD);
                    }
                }
            }
            self.group(group, place, layer);
        }
        self.pop_to(depth);
    }

    /// One operator called by the model, with its launches.
    fn group(&mut self, group: &'static Group, place: Place, layer: u32) {
        if group.launches.iter().all(|launch| self.mean(launch, place.stage) == 0) {
            return;
        }
        let depth = self.stack.len();
        if let Some((class, count, ordinal)) = group.module {
            self.push_module(class, layer * count + ordinal);
        }
        if let Some(wrapper) = group.wrapper {
            self.push_site(wrapper);
        }
        self.push_site(group.site);
        let called = self.stack.len();
        let rows = self.rows(place.stage);
        self.noise(self.recipe.noise / 2);
        self.open_operator("aten::empty", rows);
        self.advance(300, 900);
        self.close_operator();
        let name = group.operator[self.framework];
        self.push(FrameName::Plain("torch/_ops.py(1244): __call__"));
        self.push(FrameName::BuiltIn(
            name.rsplit("::").next().unwrap_or(name),
            "PyCapsule",
            0x7ed6_fd5f_41d0,
        ));
        for name in group.parent.into_iter().chain([name]) {
            self.open_operator(name, rows);
            self.advance(400, 900);
        }
        for launch in group.launches {
            self.eager_launch(launch, place, rows);
        }
        for _ in group.parent.into_iter().chain([name]) {
            self.advance(200, 600);
            self.close_operator();
        }
        self.pop_to(called);
        self.noise(self.recipe.noise.div_ceil(2));
        self.pop_to(depth);
    }

    fn eager_launch(&mut self, launch: &'static Launch, place: Place, rows: u32) {
        if self.mean(launch, place.stage) == 0 {
            return;
        }
        let depth = self.stack.len();
        if let Some(inner) = launch.inner {
            self.push_site(inner);
        }
        if let Some(operator) = launch.operator {
            self.open_operator(operator[self.framework], rows);
        }
        self.advance(900, 1600);
        let site = self.stack.iter().rev().find_map(|open| open.site);
        let operator = self.operators.last().copied();
        if let (Some(site), Some((external, operator))) = (site, operator) {
            let correlation = self.next_correlation();
            let duration = self.between(3_000, 5_500);
            let kernel = self.library.name(launch.role, place.stage.is_wide());
            self.call(self.call_name(launch.call), duration, correlation, Some((external, kernel)));
            let origin = Origin::Eager { correlation, external, site, operator };
            self.activity(launch, place, origin, self.clock, LAUNCH_LATENCY);
            self.clock += duration;
            self.advance(400, 900);
        }
        if launch.operator.is_some() {
            self.close_operator();
        }
        self.pop_to(depth);
    }

    // ---- graphs ----

    /// The whole model as one replay.
    fn full_replay(&mut self, place: Place) {
        let layers = self.recipe.layers;
        self.graph_launch(u64::from(layers) * 6_000 + 20_000, |simulation, at, correlation| {
            for layer in 0..layers {
                let place = Place { layer: Some(layer), ..place };
                simulation.replay(place, layer, 0..LAYER.len(), (12, correlation), at);
            }
        });
    }

    /// A part of one layer as one replay.
    fn piece(&mut self, place: Place, layer: u32, part: Range<usize>) {
        let graph = 100 + 2 * layer + u32::from(part.start > 0);
        self.graph_launch(12_000, |simulation, at, correlation| {
            simulation.replay(place, layer, part, (graph, correlation), at);
        });
    }

    /// The call that starts a replay, with its frames; `started` is told its start and its correlation.
    fn graph_launch(&mut self, duration: u64, started: impl FnOnce(&mut Self, u64, u64)) {
        let depth = self.stack.len();
        self.push_site(&model::REPLAY);
        self.push(FrameName::Plain("torch/cuda/graphs.py(88): replay"));
        self.push(FrameName::BuiltIn("replay", "CUDAGraph", 0x7f0d_0d0d_0d00));
        let (name, function) = match self.recipe.vendor {
            Vendor::Nvidia => ("cudaGraphLaunch", 311),
            Vendor::Amd => ("hipGraphLaunch", 215),
        };
        let correlation = self.next_correlation();
        self.call((Cat::Runtime, name, function), duration, correlation, None);
        started(self, self.clock, correlation);
        self.clock += duration;
        self.pop_to(depth);
    }

    /// The activities of one layer's part within a replay.
    fn replay(
        &mut self,
        place: Place,
        layer: u32,
        part: Range<usize>,
        (graph, correlation): (u32, u64),
        at: u64,
    ) {
        // The graph of another kind of batch is another graph.
        let kind = match place.stage {
            Stage::Decode => 0,
            Stage::Prefill => 1,
            Stage::Mixed | Stage::Unknown => 2,
        };
        let first = LAYER[..part.start].iter().map(|group| group.launches.len()).sum::<usize>() as u32;
        let launches = LAYER[part].iter().flat_map(|group| group.launches);
        for (launch, ordinal) in launches.zip(first..) {
            if self.mean(launch, place.stage) > 0 {
                let node = 1 + kind * 1_000_000 + layer * 32 + ordinal;
                let origin = Origin::Replay { correlation, graph: graph + kind * 50_000, node };
                self.activity(launch, place, origin, at, REPLAY_LATENCY);
            }
        }
    }

    // ---- calls and activities ----

    fn next_correlation(&mut self) -> u64 {
        self.correlation += 1;
        90_000 + if self.oddities.repeated_correlations { self.correlation % 61 } else { self.correlation }
    }

    /// Category, name and number of a call as the profiling library of the vendor shows it.
    fn call_name(&self, call: Call) -> (Cat, &'static str, u64) {
        match (self.recipe.vendor, call) {
            (Vendor::Nvidia, Call::Launch) => (Cat::Runtime, "cudaLaunchKernel", 211),
            (Vendor::Nvidia, Call::LaunchEx) => (Cat::Runtime, "cudaLaunchKernelExC", 430),
            (Vendor::Nvidia, Call::Driver) => (Cat::Driver, "cuLaunchKernelEx", 652),
            (Vendor::Nvidia, Call::Copy) => (Cat::Runtime, "cudaMemcpyAsync", 41),
            (Vendor::Nvidia, Call::Fill) => (Cat::Runtime, "cudaMemsetAsync", 51),
            (Vendor::Amd, Call::Launch | Call::LaunchEx) => (Cat::Runtime, "hipLaunchKernel", 107),
            (Vendor::Amd, Call::Driver) => (Cat::Runtime, "hipExtModuleLaunchKernel", 65),
            (Vendor::Amd, Call::Copy) => (Cat::Runtime, "hipMemcpyAsync", 124),
            (Vendor::Amd, Call::Fill) => (Cat::Runtime, "hipMemsetAsync", 147),
        }
    }

    /// Tells of a call that starts something; `target` is the operator and the kernel of an eager launch.
    fn call(
        &mut self,
        (cat, name, function): (Cat, &'static str, u64),
        duration: u64,
        correlation: u64,
        target: Option<(u64, &'static str)>,
    ) {
        let (start, external, kernel) = (self.now(), target.map(|pair| pair.0), target.map(|pair| pair.1));
        let starts = true;
        self.sink.call(&CallEvent {
            cat,
            name,
            function,
            start,
            duration,
            correlation,
            external,
            kernel,
            starts,
        });
    }

    /// First dimension of the inputs.
    fn rows(&self, stage: Stage) -> u32 {
        match stage {
            Stage::Decode => self.recipe.batch,
            Stage::Mixed => self.recipe.tokens + self.recipe.batch,
            Stage::Prefill | Stage::Unknown => self.recipe.tokens,
        }
    }

    /// Mean duration of a launch in nanoseconds, 0 if the stage does not have it.
    fn mean(&self, launch: &Launch, stage: Stage) -> u64 {
        let (base, numerator, denominator) = match stage {
            // Half of a decode kernel's time does not depend on the batch.
            Stage::Decode | Stage::Unknown => (launch.decode_ns, 32 + u64::from(self.recipe.batch), 64),
            Stage::Prefill | Stage::Mixed => (launch.prefill_ns, u64::from(self.rows(stage)), 16_384),
        };
        if base == 0 { 0 } else { (u64::from(base) * numerator / denominator).max(1_200) }
    }

    /// One activity on every rank; the own one is told. `at` is the start of the launch call on an undelayed CPU.
    fn activity(&mut self, launch: &'static Launch, place: Place, origin: Origin, at: u64, latency: u64) {
        let mean = self.mean(launch, place.stage);
        let duration = self.random.around(mean).div_ceil(self.grid) * self.grid;
        let gap = self.between(400, 1000);
        let stream = launch.stream as usize;
        let mut starts = vec![0; self.free.len()];
        for (rank, free) in self.free.iter().enumerate() {
            let [main, alternate, _, communication] = *free;
            let after = match launch.after {
                After::Stream => 0,
                After::Main => main,
                After::All => main.max(alternate).max(communication),
            };
            starts[rank] = (free[stream] + gap).max(at + self.lag[rank] + latency).max(after);
        }
        let together = launch.role.is_communication();
        let latest = starts.iter().copied().max().unwrap_or_default();
        for (rank, &start) in starts.iter().enumerate() {
            let end =
                if together { latest + duration } else { start + duration + self.extra(launch, place, rank) };
            let free = &mut self.free[rank];
            free[stream] = end;
            if launch.joins {
                let joined = end.max(free[Stream::Alternate as usize]);
                free[Stream::Main as usize] = free[Stream::Main as usize].max(joined);
            }
            self.ends[rank][0] = self.ends[rank][0].max(end);
        }
        self.tell(launch, place, origin, at, &starts);
    }

    /// What the slow rank needs more for a launch.
    fn extra(&self, launch: &Launch, place: Place, rank: usize) -> u64 {
        let slow = self.recipe.straggler.filter(|slow| slow.rank as usize == rank && place.layer.is_some());
        let first_expert = launch.role == super::kernels::Role::Experts && launch.decode_ns > 30_000;
        slow.filter(|_| first_expert).map_or(0, |slow| u64::from(slow.extra_us_per_layer) * 1000)
    }

    fn tell(&mut self, launch: &Launch, place: Place, origin: Origin, at: u64, starts: &[u64]) {
        let stream = launch.stream as usize;
        let (start, end) = (starts[self.own], self.free[self.own][stream]);
        let earliest = starts.iter().copied().min().unwrap_or(start);
        let latest = starts.iter().copied().max().unwrap_or(start);
        let collective = (starts.len() > 1 && launch.role.is_communication()).then(|| CollectiveTruth {
            step: place.step,
            arrival_ns: start,
            end_ns: end,
            spread_ns: latest - earliest,
            last_rank: starts.iter().position(|&start| start == latest).unwrap_or_default() as u32,
        });
        let before = matches!(origin, Origin::Before { .. });
        self.sink.activity(&Activity {
            role: launch.role,
            name: self.library.name(launch.role, place.stage.is_wide()),
            stream,
            start,
            duration: end - start,
            stage: place.stage,
            layer: place.layer,
            blocks: 64 + self.random.below(512),
            origin,
            launched: (!before).then_some(at + self.lag[self.own]),
            collective,
        });
    }

    /// Waits for the result: of this pass in decode, of the one before otherwise, as an overlapping scheduler does.
    fn synchronize(&mut self, stage: Stage) {
        let depth = self.stack.len();
        self.push_site(&model::SYNCHRONIZE);
        let correlation = self.next_correlation();
        let start = self.now();
        let awaited = usize::from(stage != Stage::Decode);
        self.advance(1_000, 2_000);
        for (lag, ends) in self.lag.iter_mut().zip(&self.ends) {
            *lag = (self.clock + *lag).max((ends[awaited] + WAKE_UP) / self.grid * self.grid) - self.clock;
        }
        let duration = self.now() - start;
        let name =
            if self.recipe.vendor == Vendor::Amd { "hipEventSynchronize" } else { "cudaEventSynchronize" };
        self.sink.call(&CallEvent {
            cat: Cat::Runtime,
            name,
            function: 134,
            start,
            duration,
            correlation,
            external: None,
            kernel: None,
            starts: false,
        });
        self.pop_to(depth);
    }

    /// The last layer of a decode pass whose launches lie before the recording.
    fn earlier(&mut self) {
        let place = Place { stage: Stage::Unknown, layer: None, step: 0 };
        for launch in LAYER.iter().flat_map(|group| group.launches) {
            if self.mean(launch, Stage::Unknown) > 0 {
                let correlation = self.next_correlation();
                self.activity(launch, place, Origin::Before { correlation }, 0, 0);
            }
        }
    }
}
