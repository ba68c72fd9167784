//! Processes, threads, devices and streams out of nsys' packed ids.
//!
//! A `globalTid` is hardware (8 bits), virtual machine (8), process (24) and thread (24); a `globalPid` is the same
//! with no thread. Streams and CUDA device numbers belong to a process, so two processes may both have a stream 7
//! on a device 0, and with `CUDA_VISIBLE_DEVICES` not even on the same GPU.

use crate::store::{Device, Thread, Trace, Track};
use std::collections::{HashMap, HashSet};

const LOW: i64 = 0xff_ffff;

/// What tells streams apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Stream {
    /// Process, if the row says it.
    pub process: Option<u16>,
    /// Context within the process.
    pub context: i64,
    /// The GPU; `None` where the row does not say it.
    pub gpu: Option<i64>,
    /// Number within the context.
    pub stream: Option<i64>,
}

/// Places seen so far.
#[derive(Default)]
pub struct Places {
    processes: HashMap<i64, u16>,
    /// Process ids in the order of their numbers.
    pids: Vec<i64>,
    threads: HashMap<i64, u32>,
    tracks: HashMap<Stream, u32>,
    streams: Vec<Stream>,
    last: Option<(Stream, u32)>,
    /// The GPU of a CUDA device number of a process.
    pub gpus: HashMap<(Option<i64>, i64), i64>,
    all_threads: Vec<Thread>,
}

impl Places {
    /// The number of the process of a `globalTid` or `globalPid`.
    pub fn process(&mut self, global: i64) -> u16 {
        let pids = &mut self.pids;
        *self.processes.entry(global >> 24).or_insert_with(|| {
            pids.push(global >> 24);
            u16::try_from(pids.len() - 1).unwrap_or(u16::MAX)
        })
    }

    /// The process of a GPU row: its `globalPid`, or where versions before 2021 wrote none, the only one there is.
    /// With several processes a row without one could be anyone's.
    pub fn process_of_gpu(&mut self, global: Option<i64>) -> Option<u16> {
        match global {
            Some(global) => Some(self.process(global)),
            None => (self.pids.len() < 2).then_some(0),
        }
    }

    /// The thread of a `globalTid`, and its process. Rows without one share a thread of process 0.
    pub fn thread(&mut self, global: Option<i64>) -> (u32, u16) {
        let global = global.unwrap_or_default();
        let process = self.process(global);
        let threads = &mut self.all_threads;
        let thread = *self.threads.entry(global).or_insert_with(|| {
            let (pid, tid) = ((global >> 24) & LOW, global & LOW);
            threads.push(Thread { pid: pid.to_string(), tid: tid.to_string(), process });
            threads.len() as u32 - 1
        });
        (thread, process)
    }

    /// The GPU behind device number `device` of a process: the number itself where the report has no table of devices.
    pub fn gpu(&self, process: Option<u16>, device: i64) -> i64 {
        let pid = process.and_then(|process| self.pids.get(usize::from(process))).map(|pid| pid & LOW);
        let known = [pid, None].into_iter().find_map(|pid| self.gpus.get(&(pid, device)));
        known.copied().unwrap_or(device)
    }

    /// The track of a stream.
    pub fn track(&mut self, stream: Stream) -> u32 {
        if let Some((_, track)) = self.last.filter(|(last, _)| *last == stream) {
            return track;
        }
        let streams = &mut self.streams;
        let track = *self.tracks.entry(stream).or_insert_with(|| {
            streams.push(stream);
            streams.len() as u32 - 1
        });
        self.last = Some((stream, track));
        track
    }

    /// Moves everything into the trace; devices in the order of their numbers.
    pub fn hand_over(&mut self, trace: &mut Trace) {
        let mut gpus: Vec<Option<i64>> = self.streams.iter().map(|stream| stream.gpu).collect();
        gpus.sort_unstable_by_key(|gpu| gpu.map_or((1, 0), |number| (0, number)));
        gpus.dedup();
        trace.devices = gpus.iter().map(|&gpu| device(trace, gpu)).collect();
        let place = |gpu: Option<i64>| gpus.iter().position(|&known| known == gpu).unwrap_or_default();
        let labels = self.labels();
        let tracks = self.streams.iter().zip(labels);
        trace.tracks =
            tracks.map(|(stream, label)| Track { device: place(stream.gpu) as u32, stream: label }).collect();
        trace.threads = std::mem::take(&mut self.all_threads);
    }

    /// The number of each stream, with its process and context where another stream of the device has the number too.
    fn labels(&self) -> Vec<String> {
        // By GPU and number.
        let mut owners: HashMap<[Option<i64>; 2], HashSet<Option<u16>>> = HashMap::new();
        // By GPU, number and process.
        let mut uses: HashMap<[Option<i64>; 3], u32> = HashMap::new();
        let here = |stream: &Stream| [stream.gpu, stream.stream];
        let own = |stream: &Stream| [stream.gpu, stream.stream, stream.process.map(i64::from)];
        for stream in &self.streams {
            owners.entry(here(stream)).or_default().insert(stream.process);
            *uses.entry(own(stream)).or_default() += 1;
        }
        let label = |stream: &Stream| {
            let mut label = stream.stream.map_or_else(|| "unknown".to_owned(), |number| number.to_string());
            if owners[&here(stream)].len() > 1 {
                let pid = stream.process.and_then(|process| self.pids.get(usize::from(process)));
                label += &pid.map_or_else(
                    || " of an unknown process".into(),
                    |pid| format!(" of process {}", pid & LOW),
                );
            }
            if uses[&own(stream)] > 1 {
                label += &format!(" in context {}", stream.context);
            }
            label
        };
        self.streams.iter().map(label).collect()
    }
}

fn device(trace: &Trace, gpu: Option<i64>) -> Device {
    let label = gpu.map_or_else(|| "unknown".to_owned(), |number| number.to_string());
    let properties = &trace.head.device_properties;
    let own = gpu.and_then(|number| properties.iter().find(|device| device["id"].as_i64() == Some(number)));
    let name = own.and_then(|device| device["name"].as_str()).map(str::to_owned);
    Device { label, index: gpu.and_then(|number| u32::try_from(number).ok()), rank: None, name }
}
