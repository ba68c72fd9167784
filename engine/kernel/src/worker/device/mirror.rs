//! The judge's arena on the device: each tensor in its pages, with bands of canaries between them.
//!
//! The device has no pages that nobody may touch. So what surrounds a tensor is copied as well and comes back to the judge, and what lies
//! further out stands in a band that is looked at after every call. Who is watched by a tool that knows what was allocated has each
//! tensor in an allocation of its own instead, which ends where the tensor ends.

#![expect(unsafe_code, reason = "looks at mapped memory as slices")]

use super::driver::{self, Failure, Told};
use crate::worker::answer::Refused;
use crate::worker::memory::Memory;
use crate::worker::message::Kind;
use crate::worker::plan::{Placed, Plan, Slot};
use cudarc::driver::sys::CUstream;
use std::collections::BTreeSet;

/// Bytes between tensors: as wide as the least guard of the processor's arenas, so that a row too many does not leap over it.
const BAND: usize = 64 * 1024;

/// Memory on the device.
pub(super) struct Mirror {
    /// What is given back in the end.
    allocations: Vec<u64>,
    /// Address and bytes of each slot's pages; the last are the snapshot's.
    places: Vec<(u64, usize)>,
    /// Address of each band: one before each slot, one behind the last. None where a tool watches.
    bands: Vec<u64>,
    /// Where all bands are gathered, so that one copy brings them. Memory of its own: what is written behind the last band must not
    /// end here unseen.
    gathered: u64,
    canary: Vec<u8>,
    /// Pages of the judge that the device reads and writes by itself, by their first byte.
    pinned: Vec<*mut u8>,
    stream: CUstream,
}

impl Mirror {
    /// Memory for what is mapped. The mapping must outlive it.
    pub(super) fn new(memory: &Memory, watched: bool, stream: CUstream) -> Told<Self> {
        let pattern: [u8; 16] = rand::random();
        let mut mirror = Self {
            allocations: Vec::new(),
            places: Vec::new(),
            bands: Vec::new(),
            gathered: 0,
            canary: pattern.into_iter().cycle().take(BAND).collect(),
            pinned: Vec::new(),
            stream,
        };
        if watched {
            mirror.apart(&memory.plan)?;
        } else {
            mirror.together(&memory.plan)?;
            mirror.pin(memory);
        }
        Ok(mirror)
    }

    /// One allocation, with canaries between what lies in it.
    fn together(&mut self, plan: &Plan) -> Told<()> {
        let slots = plan.slots.iter().chain([&plan.snapshot]);
        let room: usize = slots.clone().map(|slot| BAND + slot.len).sum();
        let mut at = self.allocate(room + BAND)?;
        for slot in slots {
            self.bands.push(at);
            self.places.push((at + BAND as u64, slot.len));
            at += (BAND + slot.len) as u64;
        }
        self.bands.push(at);
        self.gathered = self.allocate(self.bands.len() * BAND)?;
        for band in &self.bands {
            driver::upload(*band, &self.canary, self.stream)?;
        }
        driver::finish(self.stream)
    }

    /// An allocation for each slot, which ends where its last tensor does.
    fn apart(&mut self, plan: &Plan) -> Told<()> {
        for (number, slot) in plan.slots.iter().enumerate() {
            let placed = plan.sets.iter().flatten().filter(|placed| placed.slot == number);
            let len = placed.map(|placed| placed.offset + placed.span).max().unwrap_or(slot.len);
            let place = (self.allocate(len)?, len.min(slot.len));
            self.places.push(place);
        }
        let snapshot = (self.allocate(plan.snapshot.len)?, plan.snapshot.len);
        self.places.push(snapshot);
        Ok(())
    }

    fn allocate(&mut self, bytes: usize) -> Told<u64> {
        let address = driver::allocate(bytes)?;
        self.allocations.push(address);
        Ok(address)
    }

    /// Copies of memory that stays where it is need no stopover in memory of the driver, which makes them several times as fast. Where
    /// the system does not let it, they take longer.
    fn pin(&mut self, memory: &Memory) {
        let plan = &memory.plan;
        for slot in plan.slots.iter().chain([&plan.snapshot]).filter(|slot| slot.len > 0) {
            let first = memory.pages(slot);
            if driver::pin(first, slot.len).is_ok() {
                self.pinned.push(first);
            }
        }
    }

    /// Where a tensor's first byte is on the device.
    pub(super) fn address(&self, placed: &Placed) -> u64 {
        self.places[placed.slot].0 + placed.offset as u64
    }

    /// Where the snapshot is on the device.
    pub(super) fn snapshot(&self) -> u64 {
        self.places.last().map_or(0, |(address, _)| *address)
    }

    /// Brings all pages of some sets to the device, and waits until they are there.
    pub(super) fn upload(&self, memory: &Memory, sets: &BTreeSet<usize>) -> Told<()> {
        for slot in slots(&memory.plan, sets) {
            let (address, len) = self.places[slot];
            // SAFETY: mapped for reading as long as the arena is, at least so long; the judge writes only between requests.
            let bytes = unsafe { std::slice::from_raw_parts(memory.pages(&memory.plan.slots[slot]), len) };
            driver::upload(address, bytes, self.stream)?;
        }
        driver::finish_all()
    }

    /// Brings all pages of some sets back to the judge.
    pub(super) fn download(&self, memory: &Memory, sets: &BTreeSet<usize>) -> Told<()> {
        for slot in slots(&memory.plan, sets) {
            self.fetch(memory, &memory.plan.slots[slot], self.places[slot])?;
        }
        driver::finish(self.stream)
    }

    /// Brings the snapshot back to the judge.
    pub(super) fn download_snapshot(&self, memory: &Memory) -> Told<()> {
        self.fetch(memory, &memory.plan.snapshot, self.places[self.places.len() - 1])?;
        driver::finish(self.stream)
    }

    fn fetch(&self, memory: &Memory, pages: &Slot, (address, len): (u64, usize)) -> Told<()> {
        // SAFETY: mapped for writing as long as the arena is, at least so long, and nobody holds a slice of it while a request is
        // answered.
        let bytes = unsafe { std::slice::from_raw_parts_mut(memory.pages(pages), len) };
        driver::download(bytes, address, self.stream)
    }

    /// Addresses and bytes of the outputs of a set.
    pub(super) fn outputs(&self, plan: &Plan, set: usize) -> Vec<(u64, usize)> {
        let outputs = plan.sets[set].iter().zip(&plan.tensors).filter(|(_, tensor)| tensor.output);
        outputs.map(|(placed, _)| (self.address(placed), placed.span)).collect()
    }

    /// Nothing was written between tensors.
    pub(super) fn bands_intact(&self, plan: &Plan) -> Result<(), Refused> {
        if self.bands.is_empty() {
            return Ok(());
        }
        let bytes = self.gather().map_err(Failure::of_launch)?;
        for (band, bytes) in bytes.chunks_exact(BAND).enumerate() {
            if let Some(byte) = bytes.iter().zip(&self.canary).position(|(is, was)| is != was) {
                return Err(self.written(plan, band, byte));
            }
        }
        Ok(())
    }

    fn gather(&self) -> Told<Vec<u8>> {
        for (number, band) in self.bands.iter().enumerate() {
            let to = self.gathered + (number * BAND) as u64;
            driver::copy(to, *band, BAND, self.stream)?;
        }
        let mut bytes = vec![0; self.bands.len() * BAND];
        driver::download(&mut bytes, self.gathered, self.stream)?;
        driver::finish(self.stream)?;
        Ok(bytes)
    }

    /// What a byte in a band is near to.
    fn written(&self, plan: &Plan, band: usize, byte: usize) -> Refused {
        let last = plan.slots.len().saturating_sub(1);
        let before = band == 0 || (byte >= BAND / 2 && band <= last);
        let slot = if before { band } else { (band - 1).min(last) };
        let (set, tensor) = plan.of_slot(slot).unwrap_or((0, 0));
        let first = self.places[slot].0 as i64 + plan.sets[set][tensor].offset as i64;
        let offset = self.bands[band] as i64 + byte as i64 - first;
        let mut refused = Refused::new(Kind::Guard, "written between tensors");
        refused.words[..4].copy_from_slice(&[
            set as u64,
            tensor as u64,
            u64::from_ne_bytes(offset.to_ne_bytes()),
            u64::from(before),
        ]);
        refused
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.pinned.iter().for_each(|first| driver::unpin(*first));
        self.allocations.iter().for_each(|address| driver::free(*address));
    }
}

/// Memory of the device as it is now, in the order of a stream that need not be the caller's.
pub(super) fn look(places: &[(u64, usize)], stream: CUstream) -> Told<Vec<Vec<u8>>> {
    let mut all = Vec::with_capacity(places.len());
    for (address, len) in places {
        let mut bytes = vec![0; *len];
        if *len > 0 {
            driver::download(&mut bytes, *address, stream)?;
        }
        all.push(bytes);
    }
    driver::finish(stream)?;
    Ok(all)
}

fn slots(plan: &Plan, sets: &BTreeSet<usize>) -> BTreeSet<usize> {
    sets.iter().flat_map(|set| plan.sets[*set].iter().map(|placed| placed.slot)).collect()
}
