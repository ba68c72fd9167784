//! Where events lie: threads of processes, streams of devices. Neighbouring events nearly always share theirs, so
//! the last place is tried before the table.

use super::event::unquoted;
use super::number::whole;
use crate::store::{Device, Thread, Trace, Track};
use std::collections::HashMap;

/// Places seen so far.
#[derive(Default)]
pub struct Places {
    threads: Table<Thread>,
    tracks: Table<Track>,
    devices: Vec<Device>,
    processes: Vec<String>,
}

/// Values by a key of two texts, with the last one at hand.
#[derive(Default)]
struct Table<V> {
    values: Vec<V>,
    index: HashMap<Vec<u8>, u32>,
    last: Option<(Vec<u8>, u32)>,
    key: Vec<u8>,
}

impl<V> Table<V> {
    fn get(&mut self, parts: [&[u8]; 3], make: impl FnOnce() -> V) -> u32 {
        self.key.clear();
        for part in parts {
            self.key.extend_from_slice(part);
            self.key.push(0);
        }
        if let Some((_, value)) = self.last.as_ref().filter(|(key, _)| *key == self.key) {
            return *value;
        }
        let values = &mut self.values;
        let value = *self.index.entry(self.key.clone()).or_insert_with(|| {
            values.push(make());
            values.len() as u32 - 1
        });
        self.last = Some((self.key.clone(), value));
        value
    }
}

impl Places {
    /// The thread `tid` of process `pid`.
    pub fn thread(&mut self, pid: &[u8], tid: &[u8]) -> u32 {
        let process = self.process(pid);
        self.threads.get([pid, tid, b""], || Thread { pid: shown(pid), tid: shown(tid), process })
    }

    /// The stream `stream` of the device `device`, whose events stand under `pid`.
    pub fn track(&mut self, pid: &[u8], device: &[u8], stream: &[u8]) -> u32 {
        let prefix = prefix(pid);
        let devices = &mut self.devices;
        self.tracks.get([prefix, device, stream], || {
            let device = device_of(devices, prefix, device);
            Track { device, stream: shown(stream) }
        })
    }

    /// The number of the profiled process that wrote an event under `pid`. GPU events stand under the number of
    /// their device, so only what a merged trace writes in front tells processes apart.
    pub fn process(&mut self, pid: &[u8]) -> u16 {
        let prefix = prefix(pid);
        if prefix.is_empty() {
            return 0;
        }
        let prefix = shown(prefix);
        let place = self.processes.iter().position(|known| *known == prefix).unwrap_or_else(|| {
            self.processes.push(prefix);
            self.processes.len() - 1
        });
        u16::try_from(place + 1).unwrap_or(u16::MAX)
    }

    /// Moves everything into the trace.
    pub fn hand_over(&mut self, trace: &mut Trace) {
        trace.threads = std::mem::take(&mut self.threads.values);
        trace.tracks = std::mem::take(&mut self.tracks.values);
        trace.devices = std::mem::take(&mut self.devices);
    }
}

fn device_of(devices: &mut Vec<Device>, prefix: &[u8], raw: &[u8]) -> u32 {
    let label = if prefix.is_empty() { shown(raw) } else { format!("{} {}", shown(prefix), shown(raw)) };
    let place = devices.iter().position(|device| device.label == label).unwrap_or_else(|| {
        let index = whole(unquoted(raw)).and_then(|number| u32::try_from(number).ok());
        devices.push(Device { label, index, rank: rank(prefix), name: None });
        devices.len() - 1
    });
    place as u32
}

/// What merged traces write before a process: `[TP00] ` and the like, without the brackets.
fn prefix(pid: &[u8]) -> &[u8] {
    let Some(rest) = unquoted(pid).strip_prefix(b"[") else { return &[] };
    rest.iter().position(|&byte| byte == b']').map_or(&[], |end| &rest[..end])
}

/// The first number of a prefix: `TP03-DP01` is rank 3.
fn rank(prefix: &[u8]) -> Option<u32> {
    let start = prefix.iter().position(u8::is_ascii_digit)?;
    let digits = &prefix[start..];
    let end = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
}

fn shown(raw: &[u8]) -> String {
    String::from_utf8_lossy(unquoted(raw)).into_owned()
}
