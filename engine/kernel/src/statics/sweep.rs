//! Every instruction of a library: from the start of each section with code, from each function, and from each target of a
//! direct branch, on to where an instruction has been seen before. So code that lies inside of other instructions is read, too.

use super::Image;
use super::image::Code;
use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction};

/// One bit for each byte of a section: an instruction begins there and was read.
struct Seen(Vec<u64>);

impl Seen {
    fn new(bytes: usize) -> Self {
        Self(vec![0; bytes.div_ceil(64)])
    }

    /// Marks a place, and tells whether it was new.
    fn mark(&mut self, at: usize) -> bool {
        let (word, bit) = (at / 64, 1 << (at % 64));
        let new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        new
    }
}

/// Sections by address; the later of two that overlap is cut.
pub(super) fn ranges<'a>(image: &Image<'a>) -> Vec<(Code, &'a [u8])> {
    let mut ranges: Vec<(Code, &[u8])> = Vec::new();
    let mut end = 0;
    for code in &image.code {
        let start = code.address.max(end);
        let last = code.address + code.size;
        if start < last
            && let Some(bytes) = image.at(start, last - start)
        {
            ranges.push((Code { name: code.name.clone(), address: start, size: last - start }, bytes));
            end = last;
        }
    }
    ranges
}

/// Calls `take` with each instruction, once, and with direct branches that leave all code (`true`).
pub(super) fn each(image: &Image<'_>, mut take: impl FnMut(&Instruction, bool)) {
    let ranges = ranges(image);
    let place = |address: u64| {
        let at = ranges.partition_point(|(code, _)| code.address <= address).checked_sub(1)?;
        let offset = address - ranges[at].0.address;
        (offset < ranges[at].0.size).then_some((at, offset as usize))
    };
    let mut seen: Vec<Seen> = ranges.iter().map(|(_, bytes)| Seen::new(bytes.len())).collect();
    // Taken from the end: sections come before functions, those before what branches lead to.
    let mut open: Vec<u64> = image.functions.keys().copied().collect();
    open.extend(ranges.iter().rev().map(|(code, _)| code.address));
    let mut targets = Vec::new();
    while let Some(start) = open.pop().or_else(|| targets.pop()) {
        let Some((at, offset)) = place(start) else { continue };
        let (_, bytes) = &ranges[at];
        let mut decoder = Decoder::with_ip(64, &bytes[offset..], start, DecoderOptions::NONE);
        let mut instruction = Instruction::default();
        while decoder.can_decode() && seen[at].mark(offset + decoder.position()) {
            decoder.decode_out(&mut instruction);
            let direct = matches!(
                instruction.flow_control(),
                FlowControl::UnconditionalBranch | FlowControl::ConditionalBranch | FlowControl::Call
            );
            let mut leaves = false;
            if direct {
                let target = instruction.near_branch_target();
                leaves = place(target).is_none();
                targets.push(target);
            }
            take(&instruction, leaves);
            if ends(&instruction) {
                let next = decoder.ip();
                let zeros = filler(&bytes[offset + decoder.position()..], next);
                if decoder.set_position(decoder.position() + zeros).is_err() {
                    break;
                }
                decoder.set_ip(next + zeros as u64);
            }
        }
    }
}

/// Whether what follows is only reached from elsewhere.
fn ends(instruction: &Instruction) -> bool {
    matches!(
        instruction.flow_control(),
        FlowControl::Return
            | FlowControl::UnconditionalBranch
            | FlowControl::IndirectBranch
            | FlowControl::Exception
    )
}

/// Bytes before the next function that some linkers fill with zeros. They are no instructions: an odd number of them, read as
/// such, would swallow the first byte of the function.
fn filler(bytes: &[u8], address: u64) -> usize {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    // Functions are aligned; code that begins with a zero (`add [rcx], dl`) need not be.
    if (address + zeros as u64).is_multiple_of(16) { zeros } else { 0 }
}
