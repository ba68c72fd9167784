//! The judge's memory as a worker sees it: each tensor in its pages, nothing around them.

#![expect(unsafe_code, reason = "maps memory at places that a plan gives, and reads it")]

use super::plan::{Placed, Plan, Slot};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::{self, NonNull};

/// A mapped arena.
pub(super) struct Memory {
    base: NonNull<u8>,
    pub(super) plan: Plan,
}

impl Memory {
    /// Maps what is in the file: `writable` for outputs (for all tensors if `mirrored`: then calls see a copy on a device, and what became
    /// of it is written back), `read_only` for all else. `plan_len` bytes at its start say what that is.
    pub(super) fn map(
        writable: &OwnedFd,
        read_only: &OwnedFd,
        plan_len: usize,
        mirrored: bool,
    ) -> io::Result<Self> {
        let plan = read_plan(read_only, plan_len)?;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a new mapping at an address of the system's choice.
        let base = unsafe { libc::mmap(ptr::null_mut(), plan.reserve, libc::PROT_NONE, flags, -1, 0) };
        let base = pointer(base)?;
        let mut memory = Self { base, plan };
        memory.plan.slots.iter_mut().for_each(|slot| slot.writable |= mirrored);
        for slot in memory.plan.slots.iter().chain([&memory.plan.schedule, &memory.plan.snapshot]) {
            memory.place(slot, if slot.writable { writable } else { read_only })?;
        }
        Ok(memory)
    }

    fn place(&self, slot: &Slot, file: &OwnedFd) -> io::Result<()> {
        let access = if slot.writable { libc::PROT_READ | libc::PROT_WRITE } else { libc::PROT_READ };
        // Populated now, so that no timed call pays for the first touch.
        let flags = libc::MAP_SHARED | libc::MAP_FIXED | libc::MAP_POPULATE;
        let offset = libc::off_t::try_from(slot.file).map_err(io::Error::other)?;
        // SAFETY: replaces pages inside the reservation of this value, to which no reference exists.
        let placed = unsafe {
            let at = self.base.as_ptr().add(slot.at).cast();
            libc::mmap(at, slot.len, access, flags, file.as_raw_fd(), offset)
        };
        pointer(placed).map(|_| ())
    }

    /// The reservation's first address.
    pub(super) fn base(&self) -> u64 {
        self.base.as_ptr() as u64
    }

    /// Where a tensor's first byte is.
    pub(super) fn address(&self, placed: &Placed) -> *mut u8 {
        // SAFETY: the plan keeps every slot, and every offset up to its end, inside the reservation.
        unsafe { self.base.as_ptr().add(self.plan.slots[placed.slot].at + placed.offset) }
    }

    /// Where pages begin.
    #[cfg(feature = "cuda")]
    pub(super) fn pages(&self, slot: &Slot) -> *mut u8 {
        // SAFETY: the plan keeps every slot inside the reservation.
        unsafe { self.base.as_ptr().add(slot.at) }
    }

    /// The sets of a block's calls.
    pub(super) fn schedule(&self, calls: usize) -> Vec<u16> {
        let calls = calls.min(self.plan.schedule.len / 2);
        // SAFETY: mapped for reading, page-aligned, at least as long, and the judge writes only before it asks.
        unsafe {
            let first = self.base.as_ptr().add(self.plan.schedule.at).cast::<u16>();
            std::slice::from_raw_parts(first, calls).to_vec()
        }
    }

    /// Copies a tensor to the snapshot.
    pub(super) fn copy(&self, placed: &Placed) {
        let len = placed.span.min(self.plan.snapshot.len);
        // SAFETY: both are mapped for at least `len` bytes and apart from each other.
        unsafe {
            let to = self.base.as_ptr().add(self.plan.snapshot.at);
            ptr::copy_nonoverlapping(self.address(placed).cast_const(), to, len);
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: mapped in `map`, unmapped once; the pointers that calls were given end with their calls.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.plan.reserve) };
    }
}

/// Through a mapping, because reading a file is nothing that the sandbox knows.
fn read_plan(file: &OwnedFd, len: usize) -> io::Result<Plan> {
    // SAFETY: a new mapping at an address of the system's choice.
    let text =
        unsafe { libc::mmap(ptr::null_mut(), len, libc::PROT_READ, libc::MAP_SHARED, file.as_raw_fd(), 0) };
    let text = pointer(text)?;
    // SAFETY: mapped for `len` bytes, which nobody writes after the arena is made.
    let plan = serde_json::from_slice(unsafe { std::slice::from_raw_parts(text.as_ptr(), len) });
    // SAFETY: mapped above, and nothing refers to it any more.
    unsafe { libc::munmap(text.as_ptr().cast(), len) };
    Ok(plan?)
}

fn pointer(mapped: *mut libc::c_void) -> io::Result<NonNull<u8>> {
    if mapped == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    NonNull::new(mapped.cast()).ok_or_else(|| io::Error::other("memory at address 0"))
}
