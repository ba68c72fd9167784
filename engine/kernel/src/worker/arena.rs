//! Memory that judge and worker share: the tensors of a case, several times over.

#![expect(unsafe_code, reason = "memory that another process maps too")]

use super::Edge;
use super::plan::{Placed, Plan, Slot};
use crate::case::Case;
use rustix::fs::{FallocateFlags, MemfdFlags, Mode, OFlags, SealFlags};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::Arc;

/// The tensors of a case in each of several sets, with canaries in the rest of their pages.
///
/// Slices of it must not be held across a call of a worker that maps it: in a call the worker writes there.
#[derive(Debug)]
pub struct Arena {
    plan: Arc<Plan>,
    plan_len: usize,
    file: OwnedFd,
    /// The same file, open for reading only: a mapping of it can never be made writable.
    read_only: OwnedFd,
    memory: NonNull<u8>,
    len: usize,
    canary: [u8; 16],
}

// SAFETY: the mapping belongs to this value alone and is reached through `&self` and `&mut self` only.
unsafe impl Send for Arena {}
// SAFETY: as above; `&Arena` only reads.
unsafe impl Sync for Arena {}

impl Arena {
    /// Memory for `sets` times the tensors of a case. Each tensor lies in pages of its own, its first byte (or its last, as closely
    /// as `align` and its type allow) at a page's edge. With `alias` output 0 lies in the memory of input 0. All tensors are
    /// zero, all margins hold canaries.
    ///
    /// # Errors
    /// Memory is short, or `alias` is asked for tensors that cannot be one.
    pub fn new(case: &Case, sets: usize, edge: Edge, align: usize, alias: bool) -> io::Result<Self> {
        if !align.is_power_of_two() || align > page_size() {
            return Err(invalid("the alignment is no power of two up to a page"));
        }
        if alias {
            let pair = case.inputs().next().zip(case.outputs().next());
            let one = pair.is_some_and(|(from, to)| case.tensors[from].layout == case.tensors[to].layout);
            if !one {
                return Err(invalid("the first input and the first output have different layouts"));
            }
        }
        // The plan tells where everything lies, behind itself: its length must be known first.
        let mut room = 0;
        let (plan, text) = loop {
            let plan = Plan::new(case, sets, edge, align, alias, room);
            let text = serde_json::to_vec(&plan)?;
            if text.len() <= room {
                break (plan, text);
            }
            room = text.len().next_multiple_of(page_size()) + page_size();
        };
        let len = plan.file_len();
        let file = rustix::fs::memfd_create("assay-kernel", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        rustix::fs::ftruncate(&file, len as u64)?;
        // Now, with an error, and not later, with a signal.
        rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, len as u64)?;
        // A worker that shortens it would take the judge's memory away.
        rustix::fs::fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW)?;
        let read_only = rustix::fs::open(
            format!("/proc/self/fd/{}", file.as_raw_fd()),
            OFlags::RDONLY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        // SAFETY: a new mapping at an address of the system's choice, of a file that cannot shrink.
        let memory = unsafe {
            let access = libc::PROT_READ | libc::PROT_WRITE;
            libc::mmap(ptr::null_mut(), len, access, libc::MAP_SHARED, file.as_raw_fd(), 0)
        };
        if memory == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let memory = NonNull::new(memory.cast()).ok_or_else(|| invalid("memory at address 0"))?;
        let canary = rand::random();
        let mut arena =
            Self { plan: Arc::new(plan), plan_len: text.len(), file, read_only, memory, len, canary };
        arena.whole_mut()[..text.len()].copy_from_slice(&text);
        arena.restore_margins();
        Ok(arena)
    }

    /// A tensor's bytes, gaps included.
    ///
    /// # Panics
    /// There is no such set or tensor.
    pub fn bytes(&self, set: usize, tensor: usize) -> &[u8] {
        let (slot, placed) = self.find(set, tensor);
        &self.whole()[slot.file + placed.offset..slot.file + placed.offset + placed.span]
    }

    /// A tensor's bytes, gaps included.
    ///
    /// # Panics
    /// There is no such set or tensor.
    pub fn bytes_mut(&mut self, set: usize, tensor: usize) -> &mut [u8] {
        let (slot, placed) = self.find(set, tensor);
        &mut self.whole_mut()[slot.file + placed.offset..slot.file + placed.offset + placed.span]
    }

    /// What else is in a tensor's pages: in front of it and behind it.
    ///
    /// # Panics
    /// There is no such set or tensor.
    pub fn margin(&self, set: usize, tensor: usize) -> (&[u8], &[u8]) {
        let (slot, placed) = self.find(set, tensor);
        let pages = &self.whole()[slot.file..slot.file + slot.len];
        (&pages[..placed.offset], &pages[placed.offset + placed.span..])
    }

    /// The first set and tensor whose margin was written to.
    pub fn margins_intact(&self) -> Option<(usize, usize)> {
        for (set, tensors) in self.plan.sets.iter().enumerate() {
            for (tensor, placed) in tensors.iter().enumerate() {
                let (before, after) = self.margin(set, tensor);
                if !self.is_canary(before, 0) || !self.is_canary(after, placed.offset + placed.span) {
                    return Some((set, tensor));
                }
            }
        }
        None
    }

    /// Writes every canary again.
    pub fn restore_margins(&mut self) {
        let (plan, canary) = (Arc::clone(&self.plan), self.canary);
        let whole = self.whole_mut();
        for placed in plan.sets.iter().flatten() {
            let slot = plan.slots[placed.slot];
            let end = placed.offset + placed.span;
            for at in (0..placed.offset).chain(end..slot.len) {
                whole[slot.file + at] = canary[at % 16];
            }
        }
    }

    /// Sets.
    pub fn sets(&self) -> usize {
        self.plan.sets.len()
    }

    /// The copy of an output that a block took; at least as long as the longest output.
    pub fn snapshot(&self) -> &[u8] {
        let slot = self.plan.snapshot;
        &self.whole()[slot.file..slot.file + slot.len]
    }

    /// Bytes of all tensors' pages.
    pub fn size(&self) -> usize {
        self.len
    }

    pub(super) fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    pub(super) fn plan_len(&self) -> usize {
        self.plan_len
    }

    /// The file for outputs and the one for everything that is only read.
    pub(super) fn files(&self) -> [&OwnedFd; 2] {
        [&self.file, &self.read_only]
    }

    fn find(&self, set: usize, tensor: usize) -> (Slot, Placed) {
        let placed = self.plan.sets[set][tensor];
        (self.plan.slots[placed.slot], placed)
    }

    fn is_canary(&self, bytes: &[u8], from: usize) -> bool {
        bytes.iter().enumerate().all(|(at, byte)| *byte == self.canary[(from + at) % 16])
    }

    fn whole(&self) -> &[u8] {
        // SAFETY: mapped for `len` bytes as long as this value lives, and the file cannot shrink. A worker writes there only
        // while it answers a request, and callers hold no slice then.
        unsafe { slice::from_raw_parts(self.memory.as_ptr(), self.len) }
    }

    fn whole_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `whole`, and `&mut self` keeps other slices of this process away.
        unsafe { slice::from_raw_parts_mut(self.memory.as_ptr(), self.len) }
    }
}

/// The part of a worker: it asks for a schedule with a descriptor of its own, so that it needs no borrow of the arena.
pub(super) fn write_schedule(file: &OwnedFd, slot: Slot, sets: &[u16]) -> io::Result<()> {
    let bytes: Vec<u8> = sets.iter().flat_map(|set| set.to_ne_bytes()).collect();
    let mut done = 0;
    while done < bytes.len() {
        done += rustix::io::pwrite(file, &bytes[done..], (slot.file + done) as u64)?;
    }
    Ok(())
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: mapped in `new`, unmapped once, and no slice outlives the value. It cannot fail for a valid mapping.
        unsafe { libc::munmap(self.memory.as_ptr().cast(), self.len) };
    }
}

/// Bytes of a page.
pub(super) fn page_size() -> usize {
    // SAFETY: `sysconf` has no preconditions; the fallback cannot happen for this name.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}
