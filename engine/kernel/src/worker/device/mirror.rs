//! The judge's arena on the device: each tensor in its pages, with bands of canaries between them.
//!
//! The device has no pages that nobody may touch. So what surrounds a tensor is copied as well and comes back to the judge, and what lies
//! further out stands in a band that is looked at after every call.

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
    base: u64,
    /// Bytes from the base to each slot's pages; the last is the snapshot's.
    places: Vec<usize>,
    /// Bytes from the base to each band: one before each slot, one behind the last.
    bands: Vec<usize>,
    /// Where all bands are gathered, so that one copy brings them. Memory of its own: what is written behind the last band must not
    /// end here unseen.
    gathered: u64,
    canary: Vec<u8>,
    stream: CUstream,
}

impl Mirror {
    /// Memory for a plan, with canaries in its bands.
    pub(super) fn new(plan: &Plan, stream: CUstream) -> Told<Self> {
        let (mut places, mut bands, mut at) = (Vec::new(), Vec::new(), 0);
        for slot in plan.slots.iter().chain([&plan.snapshot]) {
            bands.push(at);
            places.push(at + BAND);
            at += BAND + slot.len;
        }
        bands.push(at);
        let base = driver::allocate(at + BAND)?;
        let gathered = driver::allocate(bands.len() * BAND).inspect_err(|_| driver::free(base))?;
        let pattern: [u8; 16] = rand::random();
        let canary: Vec<u8> = pattern.into_iter().cycle().take(BAND).collect();
        let mirror = Self { base, places, bands, gathered, canary, stream };
        for band in &mirror.bands {
            driver::upload(base + *band as u64, &mirror.canary, stream)?;
        }
        driver::finish(stream)?;
        Ok(mirror)
    }

    /// Where a tensor's first byte is on the device.
    pub(super) fn address(&self, placed: &Placed) -> u64 {
        self.base + (self.places[placed.slot] + placed.offset) as u64
    }

    /// Where the snapshot is on the device.
    pub(super) fn snapshot(&self) -> u64 {
        self.base + self.places.last().copied().unwrap_or(0) as u64
    }

    /// Brings all pages of some sets to the device, and waits until they are there.
    pub(super) fn upload(&self, memory: &Memory, sets: &BTreeSet<usize>) -> Told<()> {
        for slot in slots(&memory.plan, sets) {
            let pages = &memory.plan.slots[slot];
            // SAFETY: mapped for reading as long as the arena is; the judge writes only between requests.
            let bytes = unsafe { std::slice::from_raw_parts(memory.pages(pages), pages.len) };
            driver::upload(self.base + self.places[slot] as u64, bytes, self.stream)?;
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
        self.fetch(memory, &memory.plan.snapshot, self.places.last().copied().unwrap_or(0))?;
        driver::finish(self.stream)
    }

    fn fetch(&self, memory: &Memory, pages: &Slot, place: usize) -> Told<()> {
        // SAFETY: mapped for writing as long as the arena is, and nobody holds a slice of it while a request is answered.
        let bytes = unsafe { std::slice::from_raw_parts_mut(memory.pages(pages), pages.len) };
        driver::download(bytes, self.base + place as u64, self.stream)
    }

    /// Addresses and bytes of the outputs of a set.
    pub(super) fn outputs(&self, plan: &Plan, set: usize) -> Vec<(u64, usize)> {
        let outputs = plan.sets[set].iter().zip(&plan.tensors).filter(|(_, tensor)| tensor.output);
        outputs.map(|(placed, _)| (self.address(placed), placed.span)).collect()
    }

    /// Nothing was written between tensors.
    pub(super) fn bands_intact(&self, plan: &Plan) -> Result<(), Refused> {
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
            driver::copy(to, self.base + *band as u64, BAND, self.stream)?;
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
        let first = self.places[slot] + plan.sets[set][tensor].offset;
        let offset = (self.bands[band] + byte) as i64 - first as i64;
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
        driver::free(self.gathered);
        driver::free(self.base);
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
