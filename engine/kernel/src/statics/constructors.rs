//! Code that runs when the library is loaded or unloaded, outside of any call that is timed or checked.
//!
//! What a C compiler's own start-up files put there (`frame_dummy`, `_init`) is known by what it does, which is nothing, and
//! not by its name.

use super::image::Relocation;
use super::{Context, Image, finding, registration};
use crate::verdict::{Code, Finding};
use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, Register};
use object::elf::{
    DT_FINI_ARRAYSZ, DT_INIT, DT_INIT_ARRAY, DT_INIT_ARRAYSZ, DT_PREINIT_ARRAYSZ, R_X86_64_64,
    R_X86_64_GLOB_DAT, R_X86_64_IRELATIVE, R_X86_64_RELATIVE,
};
use serde_json::json;

/// Hooks of start-up files that no C library defines today; start-up files call them if they are there.
const HOOKS: &[&str] = &["__gmon_start__", "_ITM_registerTMCloneTable", "_ITM_deregisterTMCloneTable"];

/// Instructions that a start-up function of a compiler has at most; gcc 12 has 20.
const LONGEST: usize = 48;

/// Size of an entry of the arrays.
const ENTRY: u64 = 8;

pub(super) fn check(image: &Image<'_>, context: &Context<'_>, findings: &mut Vec<Finding>) {
    let mut add =
        |message: String, evidence| findings.push(finding(Code::ForbiddenConstructor, message, evidence));
    if image.value(DT_PREINIT_ARRAYSZ).is_some_and(|size| size > 0) {
        add("it has a `.preinit_array`".to_owned(), json!({ "preinit_array": true }));
    }
    for target in constructors(image) {
        match target {
            Some(address) if is_harmless(image, address) => {}
            Some(address) if context.registers && registration::only_registers(image, address) => {}
            Some(address) => {
                let name = image.functions.get(&address).map_or("a function without a name", String::as_str);
                add(
                    format!(
                        "`{name}` runs when the library is loaded; a kernel works in calls only \
                         (`-ffast-math` at the link adds such a function, and so do `target_clones` and `__builtin_cpu_supports`)"
                    ),
                    json!({ "function": name, "address": address }),
                );
            }
            None => add(
                "a function of another library runs when it is loaded".to_owned(),
                json!({ "function": null }),
            ),
        }
    }
    if let Some(size) = image.value(DT_FINI_ARRAYSZ).filter(|size| *size > ENTRY) {
        add("it runs functions when it is unloaded".to_owned(), json!({ "fini_array": size / ENTRY }));
    }
    if let Some(name) = resolver(image) {
        add(
            format!(
                "{name} is chosen by code that runs at load (IFUNC, `target_clones`); choose inside the call, or build for one machine"
            ),
            json!({ "resolver": name }),
        );
    }
}

/// Addresses of everything that the loader calls; `None` for what lies in another library.
fn constructors(image: &Image<'_>) -> Vec<Option<u64>> {
    let mut targets: Vec<_> = image.value(DT_INIT).into_iter().map(Some).collect();
    let (Some(array), Some(size)) = (image.value(DT_INIT_ARRAY), image.value(DT_INIT_ARRAYSZ)) else {
        return targets;
    };
    // A size beyond the file is none that a loader would survive.
    for at in 0..(size / ENTRY).min(1 << 16) {
        let place = array.wrapping_add(at * ENTRY);
        targets.push(match image.relocation(place) {
            Some(relocation) => relocated(image, relocation),
            None => image
                .at(place, ENTRY)
                .map(|bytes| bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))),
        });
    }
    targets
}

fn relocated(image: &Image<'_>, relocation: &Relocation) -> Option<u64> {
    if relocation.kind == R_X86_64_RELATIVE.0 {
        return Some(relocation.addend);
    }
    let symbol = image.symbols.get(relocation.symbol).filter(|symbol| symbol.defined)?;
    (relocation.kind == R_X86_64_64.0).then(|| symbol.address.wrapping_add(relocation.addend))
}

fn resolver(image: &Image<'_>) -> Option<String> {
    if let Some(symbol) = image.symbols.iter().find(|symbol| symbol.defined && symbol.resolver) {
        return Some(format!("`{}`", symbol.name));
    }
    let relative = image.relocations.iter().any(|relocation| relocation.kind == R_X86_64_IRELATIVE.0);
    relative.then(|| "a function without a name".to_owned())
}

/// What a call may change without putting it back; whoever calls a constructor counts on all others, the stack pointer first:
/// `lea chain(%rip), %rsp` and `ret` would go on wherever the library's data says.
const FREE: &[Register] = &[
    Register::RAX,
    Register::RCX,
    Register::RDX,
    Register::RSI,
    Register::RDI,
    Register::R8,
    Register::R9,
    Register::R10,
    Register::R11,
];

/// What is known before an instruction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct State {
    /// Whether RAX holds a hook.
    hook: bool,
    /// Bytes that the stack pointer lies below where it was at the start.
    below: i64,
}

/// Whether a function neither writes memory nor calls anything but the hooks, and returns to its caller.
fn is_harmless(image: &Image<'_>, address: u64) -> bool {
    let mut walk = Walk { image, open: vec![(address, State::default())], seen: Vec::new() };
    while let Some((start, state)) = walk.open.pop() {
        if !walk.path(start, state) {
            return false;
        }
    }
    true
}

struct Walk<'a, 'b> {
    image: &'a Image<'b>,
    open: Vec<(u64, State)>,
    seen: Vec<(u64, State)>,
}

impl Walk<'_, '_> {
    /// From here to where it ends, or to where another way has been in the same state.
    fn path(&mut self, start: u64, mut state: State) -> bool {
        let Some(bytes) = self.image.from(start) else { return false };
        for instruction in &mut Decoder::with_ip(64, bytes, start, DecoderOptions::NONE) {
            let here = (instruction.ip(), state);
            if let Some(before) = self.seen.iter().find(|(ip, _)| *ip == here.0) {
                return *before == here;
            }
            self.seen.push(here);
            if self.seen.len() > LONGEST {
                return false;
            }
            let through_hook = state.hook && instruction.op0_register() == Register::RAX;
            match instruction.flow_control() {
                FlowControl::Next => match step(self.image, &instruction) {
                    Some(Step::Hook) => state.hook = true,
                    Some(Step::Stack(down)) => state.below += down,
                    Some(Step::Other) => state.hook &= !changes_rax(&instruction),
                    None => return false,
                },
                // `ret 8` would move the caller's stack pointer.
                FlowControl::Return => {
                    return instruction.mnemonic() == Mnemonic::Ret
                        && instruction.op_count() == 0
                        && state.below == 0;
                }
                FlowControl::ConditionalBranch => {
                    self.open.push((instruction.near_branch_target(), State { hook: false, ..state }));
                }
                FlowControl::UnconditionalBranch => {
                    self.open.push((instruction.near_branch_target(), State { hook: false, ..state }));
                    return true;
                }
                FlowControl::IndirectCall if through_hook => state.hook = false,
                FlowControl::IndirectBranch if through_hook => return state.below == 0,
                _ => return false,
            }
        }
        // What lies behind the bytes of the file is not known.
        false
    }
}

enum Step {
    /// RAX now holds a hook.
    Hook,
    /// The stack pointer goes down by so many bytes.
    Stack(i64),
    Other,
}

fn changes_rax(instruction: &Instruction) -> bool {
    let compares = matches!(instruction.mnemonic(), Mnemonic::Test | Mnemonic::Cmp | Mnemonic::Nop);
    !compares && instruction.op0_register().full_register() == Register::RAX
}

fn step(image: &Image<'_>, instruction: &Instruction) -> Option<Step> {
    use Mnemonic as M;
    let into = instruction.op0_register();
    match instruction.mnemonic() {
        M::Endbr64 | M::Nop => Some(Step::Other),
        M::Mov if instruction.op1_kind() == OpKind::Memory => {
            let from_hook = instruction.is_ip_rel_memory_operand()
                && into == Register::RAX
                && is_hook(image, instruction.ip_rel_memory_address());
            from_hook.then_some(Step::Hook)
        }
        M::Sub | M::Add if into == Register::RSP => {
            let moved = instruction.try_immediate(1).ok()? as i64;
            Some(Step::Stack(if instruction.mnemonic() == M::Sub { moved } else { -moved }))
        }
        M::Test | M::Cmp if instruction.op0_kind() == OpKind::Register => Some(Step::Other),
        M::Mov | M::Lea | M::Sub | M::Add | M::Shr | M::Sar | M::Xor
            if FREE.contains(&into.full_register()) =>
        {
            Some(Step::Other)
        }
        _ => None,
    }
}

fn is_hook(image: &Image<'_>, slot: u64) -> bool {
    image.relocation(slot).is_some_and(|relocation| {
        let symbol = image.symbols.get(relocation.symbol);
        relocation.kind == R_X86_64_GLOB_DAT.0
            && symbol.is_some_and(|symbol| !symbol.defined && HOOKS.contains(&symbol.name.as_str()))
    })
}
