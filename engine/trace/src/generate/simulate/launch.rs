//! How activities are launched: one by one from operators, or many at once by replaying a graph.

use std::ops::Range;

use super::super::event::{FrameName, Origin, Sink};
use super::super::json::Cat;
use super::super::model::{self, Both, Group, LAYER, Launch, Site};
use super::super::recipe::Vendor;
use super::super::truth::Stage;
use super::{Place, Simulation};

/// From the start of a launch call to the earliest start on the device.
const LAUNCH_LATENCY: u64 = 3_000;
/// The same for the first kernel of a graph.
const REPLAY_LATENCY: u64 = 8_000;

impl<S: Sink> Simulation<'_, S> {
    /// One operator called by the model, with its launches.
    pub(super) fn group(&mut self, group: &'static Group, place: Place, layer: u32) {
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

    pub(super) fn eager_launch(&mut self, launch: &'static Launch, place: Place, rows: u32) {
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

    /// The whole model as one replay.
    pub(super) fn full_replay(&mut self, place: Place) {
        let layers = self.recipe.layers;
        self.graph_launch(
            &model::REPLAY,
            u64::from(layers) * 6_000 + 20_000,
            |simulation, at, correlation| {
                for layer in 0..layers {
                    let place = Place { layer: Some(layer), ..place };
                    simulation.replay(place, layer, 0..LAYER.len(), (12, correlation), at);
                }
            },
        );
    }

    /// A part of one layer as one replay.
    pub(super) fn piece(&mut self, place: Place, layer: u32, part: Range<usize>) {
        let graph = 100 + 2 * layer + u32::from(part.start > 0);
        self.graph_launch(&model::PIECE, 12_000, |simulation, at, correlation| {
            simulation.replay(place, layer, part, (graph, correlation), at);
        });
    }

    /// The call that starts a replay, with its frames; `started` is told its start and its correlation.
    pub(super) fn graph_launch(
        &mut self,
        site: &'static Both<Site>,
        duration: u64,
        started: impl FnOnce(&mut Self, u64, u64),
    ) {
        let depth = self.stack.len();
        self.push_site(site);
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
    pub(super) fn replay(
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
}
