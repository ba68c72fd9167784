//! The simulated server process: one CPU thread that launches passes, and the streams of its GPU.
//!
//! All ranks of a job draw the same random numbers, so where one rank waits for another, every rank simulates the GPU
//! of all of them and writes only its own. Time is in integer nanoseconds, and on the grid of the schema.

mod gpu;
mod launch;
mod python;

use std::io;

use super::event::{Call as CallEvent, Operator, Origin, Sink};
use super::json::Cat;
use super::kernels::Library;
use super::model::{self, Block, EAGER_ATTENTION, EPILOGUE, Group, LAYER, PROLOGUE, Site};
use super::random::Random;
use super::recipe::{Annotations, Recipe, Schema, Vendor};
use super::schedule::{marks, order};
use super::truth::Stage;

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

/// The process, between two of its events.
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

/// The first time of the recording, in nanoseconds; the number of digits is that of real recordings.
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

    /// A random time in `low..high` nanoseconds, rounded up to the grid, so that nothing takes no time.
    fn between(&mut self, low: u32, high: u32) -> u64 {
        self.random.between(low, high).div_ceil(self.grid) * self.grid
    }

    fn advance(&mut self, low: u32, high: u32) {
        self.clock += self.between(low, high);
    }

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
        if self.recipe.piecewise && !decode && self.framework == 0 {
            self.push_one(&model::PIECEWISE_RUNNER);
        }
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
