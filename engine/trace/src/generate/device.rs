//! The section of the file that describes the device: calls, arrows, activities and GPU annotations.

use std::io;

use super::account::Account;
use super::event::{Activity, Call, Origin, Sink};
use super::json::{Cat, Json, Track, push_escaped};
use super::kernels::{self, Role};
use super::recipe::{Recipe, Schema, Vendor};
use super::truth::{Stage, Truth};

/// Stream ids as such processes have them, in the order of `model::Stream`.
pub(super) fn stream_ids(vendor: Vendor) -> [u32; 4] {
    match vendor {
        Vendor::Nvidia => [7, 23, 29, 35],
        Vendor::Amd => [3, 5, 2, 8],
    }
}

/// The category of the events of a role.
pub(super) fn category(role: Role) -> Cat {
    match role.activity() {
        kernels::Activity::Kernel => Cat::Kernel,
        kernels::Activity::Copy => Cat::Copy,
        kernels::Activity::Fill => Cat::Fill,
    }
}

/// What is left out of this section.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Left {
    pub(super) calls: bool,
    pub(super) activities: bool,
}

/// Writes the section and keeps the account.
pub(super) struct Device<'j, 'o> {
    json: &'j mut Json<'o>,
    recipe: &'j Recipe,
    thread: Track,
    streams: [Track; 4],
    left: Left,
    account: Account,
}

impl<'j, 'o> Device<'j, 'o> {
    pub(super) fn new(json: &'j mut Json<'o>, recipe: &'j Recipe, left: Left) -> Self {
        let (process, device) = (recipe.process(), recipe.device());
        Self {
            json,
            recipe,
            thread: Track::Thread { process, thread: process },
            streams: stream_ids(recipe.vendor).map(|stream| Track::Stream { device, stream }),
            left,
            account: Account::new(recipe.frames()),
        }
    }

    /// The truth about the device.
    pub(super) fn finish(self) -> Truth {
        self.account.finish(self.recipe.schema)
    }

    fn old(&self) -> bool {
        self.recipe.schema == Schema::Y2021
    }

    fn external(&mut self, external: u64) {
        let key = if self.old() { "external id" } else { "External id" };
        self.json.arg(key, external);
    }

    /// The arguments of an activity as CUPTI gives them.
    fn nvidia_args(&mut self, activity: &Activity) {
        let kernel = activity.role.activity() == kernels::Activity::Kernel;
        if kernel {
            self.json.arg("queued", 0);
        }
        self.json.arg("device", u64::from(self.recipe.device()));
        self.json.arg("context", 1);
        self.json.arg("stream", u64::from(stream_ids(Vendor::Nvidia)[activity.stream]));
        self.json.arg("correlation", activity.origin.correlation());
        if !kernel {
            let bytes = u64::from(activity.blocks) * 8;
            self.json.arg("bytes", bytes);
            self.json.arg_raw("memory bandwidth (GB/s)", &bandwidth(bytes, activity.duration));
            return;
        }
        self.json.arg("registers per thread", 64);
        self.json.arg("shared memory", 1024);
        self.json.arg_raw("blocks per SM", &thousandths(u64::from(activity.blocks) * 1000 / 132));
        self.json.arg_raw("warps per SM", &thousandths(u64::from(activity.blocks) * 8000 / 132));
        self.grid(activity.blocks);
        self.json.arg("est. achieved occupancy %", 62);
        if let Origin::Replay { graph, node, .. } = activity.origin {
            self.json.arg("graph id", u64::from(graph));
            self.json.arg("graph node id", u64::from(node));
        }
    }

    /// The arguments of an activity as roctracer gives them.
    fn amd_args(&mut self, activity: &Activity) {
        self.json.arg("device", u64::from(self.recipe.device()));
        self.json.arg("stream", u64::from(stream_ids(Vendor::Amd)[activity.stream]));
        self.json.arg("correlation", activity.origin.correlation());
        let replayed = matches!(activity.origin, Origin::Replay { .. });
        match activity.role {
            _ if replayed => self.json.arg_text("kind", "Dispatch Task"),
            Role::CopyIn => self.json.arg_text("kind", "HtoD"),
            Role::CopyOut => self.json.arg_text("kind", "DtoH"),
            Role::Clear => self.json.arg_text("kind", "FillBuffer"),
            _ => {
                self.json.arg_text("kind", "Dispatch Kernel");
                self.grid(activity.blocks);
            }
        }
        if activity.role.activity() == kernels::Activity::Copy {
            let bytes = u64::from(activity.blocks) * 8;
            self.json.arg("bytes", bytes);
            self.json.arg_raw("memory bandwidth (GB/s)", &bandwidth(bytes, activity.duration));
        }
    }

    fn grid(&mut self, blocks: u32) {
        self.json.arg_raw("grid", &format!("[{blocks}, 1, 1]"));
        self.json.arg_raw("block", "[256, 1, 1]");
    }
}

impl Sink for Device<'_, '_> {
    fn call(&mut self, call: &Call) {
        if self.left.calls {
            return;
        }
        let time = (call.start, call.duration);
        self.json.span(call.cat, |buffer| push_escaped(buffer, call.name), self.thread, time);
        if let Some(external) = call.external {
            self.external(external);
        }
        let amd = self.recipe.vendor == Vendor::Amd;
        if amd && let Some(kernel) = call.kernel {
            self.json.arg_text("kernel", kernel);
        }
        self.json.arg(if amd { "cid" } else { "cbid" }, call.function);
        self.json.arg("correlation", call.correlation);
        self.json.end();
        if call.starts {
            self.json.flow(true, call.correlation, self.thread, call.start);
        }
    }

    fn activity(&mut self, activity: &Activity) {
        if self.left.activities {
            return;
        }
        let track = self.streams[activity.stream];
        let time = (activity.start, activity.duration);
        self.json.span(category(activity.role), |buffer| push_escaped(buffer, activity.name), track, time);
        if let Origin::Eager { external, .. } = activity.origin {
            self.external(external);
        }
        match self.recipe.vendor {
            Vendor::Nvidia => self.nvidia_args(activity),
            Vendor::Amd => self.amd_args(activity),
        }
        self.json.end();
        if activity.launched.is_some() {
            self.json.flow(false, activity.origin.correlation(), track, activity.start);
        }
        self.account.add(activity);
    }

    fn open_pass(&mut self, step: u32, stage: Stage) {
        self.account.open_pass(step, stage);
    }

    fn close_pass(&mut self, marks: &[(u64, String)], now: u64) {
        let windows = self.account.close_pass(now);
        if self.recipe.vendor == Vendor::Amd || self.old() {
            return;
        }
        // The profiler repeats a mark on every stream that it reached.
        for (track, window) in self.streams.into_iter().zip(windows) {
            let Some((start, end)) = window else { continue };
            for (external, name) in marks {
                let time = (start, end - start);
                self.json.span(Cat::GpuAnnotation, |buffer| push_escaped(buffer, name), track, time);
                self.json.arg("External id", *external);
                self.json.end();
            }
        }
    }

    fn check(&mut self) -> io::Result<()> {
        self.json.check()
    }
}

/// Thousandths as a decimal fraction.
fn thousandths(value: u64) -> String {
    format!("{}.{:03}", value / 1000, value % 1000)
}

/// Bytes per nanosecond, which is GB/s.
fn bandwidth(bytes: u64, ns: u64) -> String {
    thousandths(bytes * 1000 / ns.max(1))
}
