//! From the fields of an event to a row of the store.

use super::bounds;
use super::event::{RawEvent, each_argument, unquoted};
use super::number::{microseconds, whole};
use super::places::Places;
use super::text::text;
use crate::intern::NameId;
use crate::name::EventKind;
use crate::store::{Annotation, Call, EventId, Frame, Frames, Geometry, GpuEvent, Ns, Op, Trace};
use std::collections::HashMap;

/// Fills a trace event by event.
#[derive(Default)]
pub struct Ingest {
    /// What came so far.
    pub trace: Trace,
    places: Places,
    geometries: HashMap<Geometry, u32>,
}

/// Where events of a category belong.
enum Table {
    Frame,
    Op,
    Call,
    Gpu(EventKind),
    Annotation { on_gpu: bool },
    None,
}

/// The arguments that some view needs; everything else in `args` is passed over.
#[derive(Default)]
struct Arguments<'b> {
    external: &'b [u8],
    correlation: &'b [u8],
    device: &'b [u8],
    stream: &'b [u8],
    graph_node: &'b [u8],
    grid: &'b [u8],
    block: &'b [u8],
    registers: &'b [u8],
    shared: &'b [u8],
    bytes: &'b [u8],
    dims: &'b [u8],
    types: &'b [u8],
    values: &'b [u8],
}

impl Ingest {
    /// Takes one event.
    pub fn event(&mut self, event: &RawEvent<'_>) {
        if event.phase != b'X' {
            return;
        }
        let table = table(event.category);
        if matches!(table, Table::None) {
            return;
        }
        let Some((start, dur)) = self.times(event, matches!(table, Table::Gpu(_))) else { return };
        match table {
            Table::Frame => self.frame(event, start, dur),
            Table::Op => self.op(event, start, dur),
            Table::Call => self.call(event, start, dur),
            Table::Gpu(kind) => self.gpu(event, kind, start, dur),
            Table::Annotation { on_gpu } => self.annotation(event, on_gpu, start, dur),
            Table::None => {}
        }
    }

    /// Ends the trace: sorts it and hands it over.
    pub fn finish(mut self) -> Trace {
        self.places.hand_over(&mut self.trace);
        self.trace.frames.resize_with(self.trace.threads.len(), Frames::default);
        self.trace.names.intern("");
        bounds::drop_far(&mut self.trace);
        self.trace.sort();
        self.trace
    }

    fn times(&mut self, event: &RawEvent<'_>, on_gpu: bool) -> Option<(Ns, Ns)> {
        let reading = &mut self.trace.reading;
        let start = microseconds(event.ts);
        let dur = if event.dur.is_empty() { None } else { microseconds(event.dur) };
        let (Some(start), Some(dur)) = (start, dur) else {
            reading.without_time += 1;
            return None;
        };
        reading.rounded_times += u64::from(start.rounded || dur.rounded);
        if on_gpu && dur.ns <= 0 {
            reading.empty_gpu_events += 1;
            return None;
        }
        if !bounds::usable(start.ns, dur.ns) {
            reading.without_time += 1;
            return None;
        }
        Some((start.ns, dur.ns))
    }

    fn name(&mut self, raw: &[u8]) -> NameId {
        let Trace { names, reading, .. } = &mut self.trace;
        names.intern(&text(raw, reading))
    }

    /// A JSON value as text, without the line breaks of pretty traces.
    fn json(&mut self, raw: &[u8]) -> NameId {
        let Trace { names, .. } = &mut self.trace;
        let text = String::from_utf8_lossy(raw);
        if !text.contains(['\n', '\r', '\t']) {
            return names.intern(&text);
        }
        names.intern(&text.split(['\n', '\r', '\t']).map(str::trim).collect::<String>())
    }

    fn frame(&mut self, event: &RawEvent<'_>, start: Ns, dur: Ns) {
        let name = self.name(event.name);
        let thread = self.places.thread(event.pid, event.tid) as usize;
        let frames = &mut self.trace.frames;
        if frames.len() <= thread {
            frames.resize_with(thread + 1, Frames::default);
        }
        frames[thread].push(Frame { start, end: start + dur, name });
    }

    fn op(&mut self, event: &RawEvent<'_>, start: Ns, dur: Ns) {
        let given = arguments(event.args);
        let thread = self.places.thread(event.pid, event.tid);
        let external = id(self.places.process(event.pid), given.external);
        let (name, dims, types) = (self.name(event.name), self.json(given.dims), self.json(given.types));
        let values = self.json(if keeps_values(event.name) { given.values } else { b"" });
        self.trace.ops.push(Op { start, dur, name, thread, external, dims, types, values });
    }

    fn call(&mut self, event: &RawEvent<'_>, start: Ns, dur: Ns) {
        let given = arguments(event.args);
        let thread = self.places.thread(event.pid, event.tid);
        let process = self.places.process(event.pid);
        let (correlation, external) = (id(process, given.correlation), id(process, given.external));
        let name = self.name(event.name);
        self.trace.calls.push(Call { start, dur, name, thread, correlation, external });
    }

    fn gpu(&mut self, event: &RawEvent<'_>, kind: EventKind, start: Ns, dur: Ns) {
        let given = arguments(event.args);
        let process = self.places.process(event.pid);
        let device = if given.device.is_empty() { event.pid } else { given.device };
        let stream = if given.stream.is_empty() { event.tid } else { given.stream };
        let track = self.places.track(event.pid, device, stream);
        let geometry = self.geometry(&given);
        let name = self.name(event.name);
        self.trace.gpu.push(GpuEvent {
            start,
            dur,
            name,
            track,
            kind,
            correlation: id(process, given.correlation),
            external: id(process, given.external),
            graph_node: id(process, given.graph_node),
            geometry,
            bytes: whole(given.bytes).unwrap_or_default(),
        });
    }

    fn annotation(&mut self, event: &RawEvent<'_>, on_gpu: bool, start: Ns, dur: Ns) {
        let given = arguments(event.args);
        let place = if on_gpu {
            let device = if given.device.is_empty() { event.pid } else { given.device };
            let stream = if given.stream.is_empty() { event.tid } else { given.stream };
            self.places.track(event.pid, device, stream)
        } else {
            self.places.thread(event.pid, event.tid)
        };
        let external = id(self.places.process(event.pid), given.external);
        let name = self.name(event.name);
        self.trace.annotations.push(Annotation { start, dur, name, place, on_gpu, external });
    }

    fn geometry(&mut self, given: &Arguments<'_>) -> u32 {
        let geometry = Geometry {
            grid: triple(given.grid),
            block: triple(given.block),
            registers: small(given.registers),
            shared: small(given.shared),
        };
        let all = &mut self.trace.geometries;
        *self.geometries.entry(geometry).or_insert_with(|| {
            all.push(geometry);
            all.len() as u32 - 1
        })
    }
}

/// The categories of today and those of 2021, which were capitalised.
fn table(category: &[u8]) -> Table {
    match category {
        b"python_function" => Table::Frame,
        b"cpu_op" | b"Operator" => Table::Op,
        b"cuda_runtime" | b"cuda_driver" | b"Runtime" => Table::Call,
        b"kernel" | b"Kernel" => Table::Gpu(EventKind::Kernel),
        b"gpu_memcpy" | b"Memcpy" => Table::Gpu(EventKind::Memcpy),
        b"gpu_memset" | b"Memset" => Table::Gpu(EventKind::Memset),
        b"user_annotation" => Table::Annotation { on_gpu: false },
        b"gpu_user_annotation" => Table::Annotation { on_gpu: true },
        other if other.ends_with(b"_runtime") || other.ends_with(b"_driver") => Table::Call,
        _ => Table::None,
    }
}

fn arguments(args: &[u8]) -> Arguments<'_> {
    let mut given = Arguments::default();
    each_argument(args, |key, value| {
        let slot = match key {
            b"External id" | b"external id" => &mut given.external,
            b"correlation" => &mut given.correlation,
            b"device" => &mut given.device,
            b"stream" | b"cuda_stream" => &mut given.stream,
            b"graph node id" => &mut given.graph_node,
            b"grid" => &mut given.grid,
            b"block" => &mut given.block,
            b"registers per thread" => &mut given.registers,
            b"shared memory" => &mut given.shared,
            b"bytes" => &mut given.bytes,
            b"Input Dims" | b"Input dims" => &mut given.dims,
            b"Input type" => &mut given.types,
            b"Concrete Inputs" => &mut given.values,
            _ => return,
        };
        *slot = value;
    });
    given
}

/// Whether the scalars of an operator decide how much work it is.
fn keeps_values(name: &[u8]) -> bool {
    memchr::memmem::find(name, b"attention").is_some()
        || memchr::memmem::find(name, b"attn").is_some()
        || memchr::memmem::find(name, b"convolution").is_some()
}

/// Profilers write 0 where an event has no such id.
fn id(process: u16, raw: &[u8]) -> EventId {
    whole(unquoted(raw))
        .filter(|&number| number != 0)
        .map_or(EventId::NONE, |number| EventId::new(process, number))
}

fn small(raw: &[u8]) -> u32 {
    whole(raw).and_then(|number| u32::try_from(number).ok()).unwrap_or_default()
}

/// `[x, y, z]`; what is missing is 0.
fn triple(raw: &[u8]) -> [u32; 3] {
    let inside = raw.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]")).unwrap_or_default();
    let mut numbers = inside.split(|&byte| byte == b',').map(|part| small(part.trim_ascii()));
    [(); 3].map(|()| numbers.next().unwrap_or_default())
}
