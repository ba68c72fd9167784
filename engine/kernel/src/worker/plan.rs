//! Where everything lies: in the shared memory and in the worker's address space. Pure arithmetic, the same on both sides.
//!
//! In the file: the plan itself, the schedule of a block, the snapshot, then the pages of each tensor of each set. In the
//! worker each of them stands between guards that nobody may touch, in one reservation, so that an address alone says what
//! it is near to.

use super::Edge;
use super::arena::page_size;
use super::end::{Fault, Place};
use crate::case::{self, Case, Role};
use serde::{Deserialize, Serialize};

/// Least guard on each side. What lies between two tensors is twice as wide: half belongs to each.
const GUARD: usize = 64 * 1024;

/// Widest guard; tensors in between get one as wide as themselves, so that a wrong stride does not leap over it.
const WIDEST_GUARD: usize = 16 * 1024 * 1024;

/// Most calls of a block.
pub const MOST_CALLS: usize = 65_536;

/// Pages in the file and their place in the worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Slot {
    /// Bytes from the file's start.
    pub(super) file: usize,
    /// Bytes from the reservation's start.
    pub(super) at: usize,
    /// Bytes; whole pages.
    pub(super) len: usize,
    /// Bytes of guard in front and behind.
    pub(super) guard: usize,
    /// Whether the worker may write.
    pub(super) writable: bool,
}

/// A tensor of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Placed {
    /// Its pages.
    pub(super) slot: usize,
    /// Bytes from the pages' start to its first.
    pub(super) offset: usize,
    /// Bytes from its first to behind its last.
    pub(super) span: usize,
}

/// A tensor as the entry sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shape {
    /// Code and bits of its type.
    pub(super) dtype: (u8, u8),
    /// Elements in each dimension.
    pub(super) shape: Vec<i64>,
    /// Elements from one index to the next.
    pub(super) strides: Vec<i64>,
    /// Whether the call writes it.
    pub(super) output: bool,
    /// Bytes that its descriptor names apart from the address.
    pub(super) shift: usize,
}

/// The whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Plan {
    /// Tensors of a call.
    pub(super) tensors: Vec<Shape>,
    /// Scalars of a call, as bits.
    pub(super) scalars: Vec<u64>,
    /// How the worker launches it, where it does.
    pub(super) launch: Option<Launch>,
    /// Sets in the order of a block's calls, two bytes each.
    pub(super) schedule: Slot,
    /// Where an output is copied to.
    pub(super) snapshot: Slot,
    /// Pages of tensors.
    pub(super) slots: Vec<Slot>,
    /// Tensors of each set.
    pub(super) sets: Vec<Vec<Placed>>,
    /// Bytes of address space.
    pub(super) reserve: usize,
}

/// A launch of a kernel, with numbers as bits: not every float has a form in the plan's text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Launch {
    /// Blocks.
    pub(super) grid: [u32; 3],
    /// Threads of a block.
    pub(super) block: [u32; 3],
    /// Bytes of dynamic shared memory.
    pub(super) shared: u32,
    /// Arguments in the order of the kernel.
    pub(super) args: Vec<Arg>,
}

/// An argument of a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Arg {
    /// Address of a tensor.
    Tensor(usize),
    /// Four bytes.
    Word(u32),
    /// Eight bytes.
    Long(u64),
}

impl Launch {
    fn of(launch: &case::Launch) -> Self {
        let arg = |arg: &case::Arg| match *arg {
            case::Arg::Tensor(at) => Arg::Tensor(at),
            case::Arg::I32(value) => Arg::Word(u32::from_ne_bytes(value.to_ne_bytes())),
            case::Arg::I64(value) => Arg::Long(u64::from_ne_bytes(value.to_ne_bytes())),
            case::Arg::F32(value) => Arg::Word(value.to_bits()),
            case::Arg::F64(value) => Arg::Long(value.to_bits()),
        };
        let args = launch.args.iter().map(arg).collect();
        Self { grid: launch.grid, block: launch.block, shared: launch.shared, args }
    }
}

/// Hands out pages in the file and in the reservation.
struct Layouter {
    page: usize,
    file: usize,
    at: usize,
}

impl Layouter {
    fn slot(&mut self, bytes: usize, writable: bool) -> Slot {
        let len = bytes.max(1).next_multiple_of(self.page);
        let guard = len.clamp(GUARD, WIDEST_GUARD).next_multiple_of(self.page);
        let slot = Slot { file: self.file, at: self.at + guard, len, guard, writable };
        self.file += len;
        self.at += len + 2 * guard;
        slot
    }
}

impl Plan {
    /// Plans a case. `room` bytes at the file's start are for the plan itself. `align` is what the first byte of a tensor must be
    /// aligned to beside its element's size.
    pub(super) fn new(case: &Case, sets: usize, edge: Edge, align: usize, alias: bool, room: usize) -> Self {
        let page = page_size();
        let mut layouter = Layouter { page, file: room.next_multiple_of(page), at: 0 };
        let schedule = layouter.slot(MOST_CALLS * 2, false);
        let most = case.outputs().map(|output| case.tensors[output].layout.span()).max().unwrap_or(0);
        let snapshot = layouter.slot(most, true);
        let shared = if alias { case.inputs().next().zip(case.outputs().next()) } else { None };
        let (mut slots, mut placed) = (Vec::new(), Vec::new());
        for _ in 0..sets {
            let mut set: Vec<Placed> = Vec::new();
            for (at, tensor) in case.tensors.iter().enumerate() {
                if let Some((input, _)) = shared.filter(|(_, output)| *output == at) {
                    set.push(set[input]);
                    continue;
                }
                let written = tensor.role == Role::Output || shared.is_some_and(|(input, _)| input == at);
                let span = tensor.layout.span();
                let slot = layouter.slot(span, written);
                let align = align.max(tensor.layout.dtype.size());
                let offset = match edge {
                    Edge::Start => 0,
                    Edge::End => (slot.len - span) / align * align,
                };
                set.push(Placed { slot: slots.len(), offset, span });
                slots.push(slot);
            }
            placed.push(set);
        }
        let tensors = case.tensors.iter().enumerate().map(|(at, tensor)| Shape {
            dtype: tensor.layout.dtype.dlpack(),
            shape: tensor.layout.shape.iter().map(|size| *size as i64).collect(),
            strides: tensor.layout.strides.iter().map(|stride| *stride as i64).collect(),
            output: tensor.role == Role::Output,
            shift: case.shift * (at + 1),
        });
        Self {
            tensors: tensors.collect(),
            scalars: case.scalars.iter().map(|scalar| scalar.to_bits()).collect(),
            launch: case.launch.as_ref().map(Launch::of),
            schedule,
            snapshot,
            slots,
            sets: placed,
            reserve: layouter.at,
        }
    }

    /// Bytes of the file.
    pub(super) fn file_len(&self) -> usize {
        self.slots.last().map_or(self.snapshot.file + self.snapshot.len, |slot| slot.file + slot.len)
    }

    /// The set and the tensor that lie in these pages. Of two tensors the last is the output.
    pub(super) fn of_slot(&self, slot: usize) -> Option<(usize, usize)> {
        let in_set = |tensors: &Vec<Placed>| tensors.iter().rposition(|placed| placed.slot == slot);
        self.sets.iter().enumerate().find_map(|(set, tensors)| Some((set, in_set(tensors)?)))
    }

    /// What an address is near to, in a worker whose reservation starts at `base`.
    pub(super) fn fault(&self, base: u64, address: u64, write: bool) -> Fault {
        let elsewhere = Fault {
            set: 0,
            tensor: 0,
            place: Place::Elsewhere,
            write,
            offset: i64::from_ne_bytes(address.to_ne_bytes()),
        };
        let Some(at) = address.checked_sub(base).and_then(|at| usize::try_from(at).ok()) else {
            return elsewhere;
        };
        let near = |slot: &Slot| at >= slot.at - slot.guard && at < slot.at + slot.len + slot.guard;
        let Some(found) = self.slots.iter().position(near) else { return elsewhere };
        let slot = self.slots[found];
        let place = if at < slot.at {
            Place::Before
        } else if at >= slot.at + slot.len {
            Place::After
        } else {
            Place::ReadOnly
        };
        let Some((set, tensor)) = self.of_slot(found) else { return elsewhere };
        let first = slot.at + self.sets[set][tensor].offset;
        let write = write || place == Place::ReadOnly;
        Fault { set, tensor, place, write, offset: at as i64 - first as i64 }
    }
}

#[cfg(test)]
mod tests {
    use super::{Edge, Place, Plan};
    use crate::case::{Case, Kind, Role, Tensor};
    use crate::dtype::DType;
    use crate::layout::Layout;
    use proptest::prelude::*;

    fn case(sizes: &[usize]) -> Case {
        let tensor = |(at, size): (usize, &usize)| Tensor {
            name: format!("t{at}"),
            role: if at + 1 == sizes.len() { Role::Output } else { Role::Input },
            layout: Layout::contiguous(DType::Bf16, &[*size]),
        };
        Case {
            kind: Kind::Measured,
            axes: Default::default(),
            tensors: sizes.iter().enumerate().map(tensor).collect(),
            scalars: Vec::new(),
            launch: None,
            shift: 0,
        }
    }

    proptest! {
        #[test]
        fn nothing_overlaps_and_every_guard_is_wide(
            sizes in prop::collection::vec(0_usize..20_000, 1..5), sets in 1_usize..4, end: bool, alias: bool, power in 0_u32..13,
        ) {
            let (edge, align) = (if end { Edge::End } else { Edge::Start }, 1 << power);
            let plan = Plan::new(&case(&sizes), sets, edge, align, alias, 5000);
            let mut all = vec![plan.schedule, plan.snapshot];
            all.extend(&plan.slots);
            for pair in all.windows(2) {
                prop_assert!(pair[0].file + pair[0].len <= pair[1].file);
                prop_assert!(pair[0].at + pair[0].len + 2 * 65_536 <= pair[1].at);
            }
            for (set, tensors) in plan.sets.iter().enumerate() {
                for (at, placed) in tensors.iter().enumerate() {
                    let slot = plan.slots[placed.slot];
                    prop_assert!(placed.offset + placed.span <= slot.len);
                    prop_assert_eq!(placed.offset % align, 0);
                    let slack = slot.len - placed.offset - placed.span;
                    let exact = if end { slack < align.max(2) } else { placed.offset == 0 };
                    prop_assert!(exact);
                    let first = slot.at as u64;
                    let base = 1 << 40;
                    let before = plan.fault(base, base + first - 1, true);
                    prop_assert_eq!((before.set, before.place), (set, Place::Before));
                    let after = plan.fault(base, base + first + slot.len as u64 + 65_535, false);
                    prop_assert_eq!((after.set, after.place, after.write), (set, Place::After, false));
                    if !alias {
                        prop_assert_eq!((before.tensor, after.tensor), (at, at));
                        prop_assert_eq!(slot.writable, at + 1 == sizes.len());
                    }
                }
            }
            prop_assert_eq!(plan.fault(1 << 40, 0, true).place, Place::Elsewhere);
        }
    }
}
