//! Calls of the runtime, and when the activities that they start run on the streams of each rank.

use super::super::event::{Activity, Call as CallEvent, Origin, Sink};
use super::super::json::Cat;
use super::super::kernels::Role;
use super::super::model::{After, Call, Launch, Stream};
use super::super::recipe::Vendor;
use super::super::truth::{CollectiveTruth, Stage};
use super::{Place, Simulation};

impl<S: Sink> Simulation<'_, S> {
    pub(super) fn next_correlation(&mut self) -> u64 {
        self.correlation += 1;
        90_000 + if self.oddities.repeated_correlations { self.correlation % 61 } else { self.correlation }
    }

    /// Category, name and number of a call as the profiling library of the vendor shows it.
    pub(super) fn call_name(&self, call: Call) -> (Cat, &'static str, u64) {
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
    pub(super) fn call(
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
    pub(super) fn rows(&self, stage: Stage) -> u32 {
        match stage {
            Stage::Decode => self.recipe.batch,
            Stage::Mixed => self.recipe.tokens + self.recipe.batch,
            Stage::Prefill | Stage::Unknown => self.recipe.tokens,
        }
    }

    /// Mean duration of a launch in nanoseconds, 0 if the stage does not have it.
    pub(super) fn mean(&self, launch: &Launch, stage: Stage) -> u64 {
        let (base, numerator, denominator) = match stage {
            // Half of a decode kernel's time does not depend on the batch.
            Stage::Decode | Stage::Unknown => (launch.decode_ns, 32 + u64::from(self.recipe.batch), 64),
            Stage::Prefill | Stage::Mixed => (launch.prefill_ns, u64::from(self.rows(stage)), 16_384),
        };
        if base == 0 { 0 } else { (u64::from(base) * numerator / denominator).max(1_200) }
    }

    /// One activity on every rank; the own one is told. `at` is the start of the launch call on an undelayed CPU.
    pub(super) fn activity(
        &mut self,
        launch: &'static Launch,
        place: Place,
        origin: Origin,
        at: u64,
        latency: u64,
    ) {
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
    pub(super) fn extra(&self, launch: &Launch, place: Place, rank: usize) -> u64 {
        let slow = self.recipe.straggler.filter(|slow| slow.rank as usize == rank && place.layer.is_some());
        let first_expert = launch.role == Role::Experts && launch.decode_ns > 30_000;
        slow.filter(|_| first_expert).map_or(0, |slow| u64::from(slow.extra_us_per_layer) * 1000)
    }

    pub(super) fn tell(&mut self, launch: &Launch, place: Place, origin: Origin, at: u64, starts: &[u64]) {
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
}
