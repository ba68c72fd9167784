//! What nvcc puts into each library: a function that runs at load and hands the device code to the run-time library. It is known by
//! what it does: it calls functions that register, and writes to nothing but the library's own variables and its stack.

use super::Image;
use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, Register};
use object::elf::{R_X86_64_GLOB_DAT, R_X86_64_JUMP_SLOT};

/// Functions that it calls.
const CALLS: &[&str] = &[
    "__cudaRegisterFatBinary",
    "__cudaRegisterFatBinaryEnd",
    "__cudaRegisterFunction",
    "__cudaRegisterVar",
    "__cudaInitModule",
    "__cxa_atexit",
    "atexit",
];

/// Instructions that it has at most: ten for each kernel.
const LONGEST: usize = 4096;
/// Functions within each other.
const DEEPEST: usize = 4;

/// Whether a function only registers, and registers at all.
pub(super) fn only_registers(image: &Image<'_>, address: u64) -> bool {
    let mut walk = Walk { image, seen: Vec::new(), registers: false };
    walk.function(address, DEEPEST) && walk.registers
}

struct Walk<'a, 'b> {
    image: &'a Image<'b>,
    seen: Vec<u64>,
    registers: bool,
}

impl Walk<'_, '_> {
    fn function(&mut self, address: u64, depth: usize) -> bool {
        let (mut open, image) = (vec![address], self.image);
        while let Some(start) = open.pop() {
            let Some(bytes) = image.from(start) else { return false };
            for instruction in &mut Decoder::with_ip(64, bytes, start, DecoderOptions::NONE) {
                if self.seen.contains(&instruction.ip()) {
                    break;
                }
                self.seen.push(instruction.ip());
                if self.seen.len() > LONGEST {
                    return false;
                }
                match instruction.flow_control() {
                    FlowControl::Next if harmless(&instruction) => {}
                    FlowControl::Return => break,
                    FlowControl::ConditionalBranch => open.push(instruction.near_branch_target()),
                    FlowControl::Call => {
                        if !self.call(instruction.near_branch_target(), depth) {
                            return false;
                        }
                    }
                    // A jump to elsewhere is a call at the end, or a step within.
                    FlowControl::UnconditionalBranch => {
                        let target = instruction.near_branch_target();
                        if imported(image, target).is_some() {
                            if !self.call(target, depth) {
                                return false;
                            }
                        } else {
                            open.push(target);
                        }
                        break;
                    }
                    FlowControl::IndirectCall | FlowControl::IndirectBranch => {
                        let slot = instruction
                            .is_ip_rel_memory_operand()
                            .then(|| instruction.ip_rel_memory_address());
                        if !slot.and_then(|slot| bound(image, slot)).is_some_and(|name| self.known(name)) {
                            return false;
                        }
                        if instruction.flow_control() == FlowControl::IndirectBranch {
                            break;
                        }
                    }
                    _ => return false,
                }
            }
        }
        true
    }

    fn call(&mut self, target: u64, depth: usize) -> bool {
        match imported(self.image, target) {
            Some(name) => self.known(name),
            None => depth > 0 && self.function(target, depth - 1),
        }
    }

    fn known(&mut self, name: &str) -> bool {
        self.registers |= name.starts_with("__cudaRegister");
        CALLS.contains(&name)
    }
}

/// The function of another library that a stub leads to.
fn imported<'a>(image: &'a Image<'_>, stub: u64) -> Option<&'a str> {
    let bytes = image.from(stub)?;
    let mut decoder = Decoder::with_ip(64, bytes, stub, DecoderOptions::NONE);
    let mut instruction = decoder.decode();
    if instruction.mnemonic() == Mnemonic::Endbr64 {
        instruction = decoder.decode();
    }
    let leads =
        instruction.flow_control() == FlowControl::IndirectBranch && instruction.is_ip_rel_memory_operand();
    leads.then(|| bound(image, instruction.ip_rel_memory_address())).flatten()
}

/// The name that the loader binds to a place.
fn bound<'a>(image: &'a Image<'_>, slot: u64) -> Option<&'a str> {
    let relocation = image.relocation(slot)?;
    let binds = [R_X86_64_JUMP_SLOT.0, R_X86_64_GLOB_DAT.0].contains(&relocation.kind);
    let symbol = image.symbols.get(relocation.symbol).filter(|symbol| binds && !symbol.defined)?;
    Some(&symbol.name)
}

/// Moves, addresses and sums, to registers, the stack and the library's own variables. The stack itself is moved by fixed steps only.
fn harmless(instruction: &Instruction) -> bool {
    use Mnemonic as M;
    let known = matches!(
        instruction.mnemonic(),
        M::Mov
            | M::Lea
            | M::Push
            | M::Pop
            | M::Xor
            | M::Sub
            | M::Add
            | M::And
            | M::Test
            | M::Cmp
            | M::Nop
            | M::Endbr64
            | M::Movaps
            | M::Movups
            | M::Movdqa
            | M::Movdqu
            | M::Pxor
            | M::Movq
            | M::Punpcklqdq
    );
    let stores = instruction.op0_kind() == OpKind::Memory
        && !matches!(instruction.mnemonic(), M::Test | M::Cmp | M::Nop | M::Push);
    let reads = matches!(instruction.mnemonic(), M::Test | M::Cmp | M::Push);
    let fixed = matches!(instruction.mnemonic(), M::Sub | M::Add) && instruction.try_immediate(1).is_ok();
    let moves_stack = instruction.op0_register().full_register() == Register::RSP && !reads && !fixed;
    let own = instruction.is_ip_rel_memory_operand() || instruction.memory_base() == Register::RSP;
    known && !moves_stack && (!stores || own)
}
