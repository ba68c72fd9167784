//! Instructions inside of others, which only a computed jump reaches: no sweep comes there.
//!
//! Any two bytes may be part of a number, so only what is long enough not to be there by chance is looked for: an instruction of three
//! bytes that sets the mode of floating point, with nothing but readable instructions behind it up to a return. In plain code such
//! bytes occur once in hundreds of thousands.

use super::Image;
use super::sweep;
use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic};

/// Instructions behind it that are read.
const FOLLOWED: usize = 64;

/// Calls `take` with each `ldmxcsr` and `vldmxcsr` that a jump to its first byte would run, those that a sweep finds as well.
pub(super) fn float_modes(image: &Image<'_>, mut take: impl FnMut(&Instruction)) {
    for (code, bytes) in sweep::ranges(image) {
        for (at, window) in bytes.windows(4).enumerate() {
            // `0F AE /2`, or the same with the prefix of vectors, and with an operand in memory.
            let operand = match *window {
                [0x0f, 0xae, operand, _] | [0xc5, 0x78 | 0xf8, 0xae, operand] => operand,
                _ => continue,
            };
            if operand >> 3 & 7 != 2 || operand >> 6 == 3 {
                continue;
            }
            let start = code.address + at as u64;
            let mut decoder = Decoder::with_ip(64, &bytes[at..], start, DecoderOptions::NONE);
            let first = decoder.decode();
            let sets = matches!(first.mnemonic(), Mnemonic::Ldmxcsr | Mnemonic::Vldmxcsr);
            if sets && returns(&mut decoder) {
                take(&first);
            }
        }
    }
}

/// Whether readable instructions lead to a return, or away.
fn returns(decoder: &mut Decoder<'_>) -> bool {
    for _ in 0..FOLLOWED {
        if !decoder.can_decode() {
            return false;
        }
        let instruction = decoder.decode();
        match instruction.flow_control() {
            _ if instruction.mnemonic() == Mnemonic::INVALID => return false,
            FlowControl::Return | FlowControl::IndirectBranch | FlowControl::UnconditionalBranch => {
                return true;
            }
            _ => {}
        }
    }
    true
}
