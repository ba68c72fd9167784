//! Instructions that a kernel has no use for: they talk to the system, tell the time or the place, or change how the machine
//! works. Computing needs none of them, and no compiler emits them from plain C.

use super::{Context, Image, LISTED, finding, hidden, sweep};
use crate::verdict::{Code, Finding};
use iced_x86::{Code as Opcode, Formatter, Instruction, Mnemonic, NasmFormatter};
use serde_json::json;
use std::collections::BTreeMap;

/// What an instruction is refused for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Why {
    /// Calls the system, past the imports.
    System,
    /// Reads a clock or a counter: results or work could depend on it.
    Clock,
    /// Tells which machine it is, or whether it is a virtual one: a kernel is built for one machine with locked flags and needs
    /// no such question, and could tell a judge by it.
    Machine,
    /// Draws random numbers: a kernel is a function of its inputs.
    Random,
    /// Empties caches: the next call pays for it, or the other side.
    Caches,
    /// Hides faults: accesses beyond a tensor end a transaction and not the process.
    Transaction,
    /// Changes rights of memory or bases of segments.
    Rights,
    /// Enters another mode of the processor, where instructions read differently.
    Mode,
    /// Waits for a clock or a write of others.
    Waits,
    /// Only the kernel of the system may.
    Privileged,
    /// Sets the mode of floating point. `fldcw` is not among them: compilers emit it around conversions of `long double`, and
    /// the worker compares the mode before and after each call.
    FloatMode,
    /// Cannot be read, so nobody knows what it does.
    Unknown,
    /// Lies where no code lies, or leads there.
    Elsewhere,
}

impl Why {
    fn text(self) -> &'static str {
        match self {
            Self::System => "calls the system",
            Self::Clock => "reads a clock or a counter",
            Self::Machine => "asks which machine it is",
            Self::Random => "draws random numbers",
            Self::Caches => "empties caches",
            Self::Transaction => "hides faults in a transaction",
            Self::Rights => "changes rights of memory or bases of segments",
            Self::Mode => "changes the processor's mode",
            Self::Waits => "waits for a clock or for others",
            Self::Privileged => "is for the system's kernel only",
            Self::FloatMode => "sets the mode of floating point",
            Self::Unknown => "cannot be read",
            Self::Elsewhere => "leads to where no section with code lies",
        }
    }

    fn code(self) -> Code {
        if self == Self::FloatMode { Code::MathModeChanged } else { Code::ForbiddenInstruction }
    }
}

fn why(instruction: &Instruction, leaves: bool) -> Option<Why> {
    use Mnemonic as M;
    Some(match instruction.mnemonic() {
        M::INVALID => Why::Unknown,
        M::Syscall
        | M::Sysenter
        | M::Int
        | M::Into
        | M::Int1
        | M::Vmcall
        | M::Vmmcall
        | M::Vmfunc
        | M::Enclu
        | M::Senduipi => Why::System,
        M::Rdtsc | M::Rdtscp | M::Rdpmc | M::Rdpru => Why::Clock,
        M::Cpuid | M::Rdpid => Why::Machine,
        M::Rdrand | M::Rdseed => Why::Random,
        M::Clflush | M::Clflushopt | M::Clwb | M::Cldemote => Why::Caches,
        M::Xbegin | M::Xend | M::Xabort | M::Xtest => Why::Transaction,
        M::Wrpkru | M::Wrfsbase | M::Wrgsbase | M::Lfs | M::Lgs | M::Lss => Why::Rights,
        M::Iret | M::Iretd | M::Iretq | M::Retf | M::Sysret | M::Sysexit => Why::Mode,
        M::Umonitor | M::Umwait | M::Tpause | M::Monitor | M::Mwait | M::Monitorx | M::Mwaitx => Why::Waits,
        M::Ldmxcsr
        | M::Vldmxcsr
        | M::Fldenv
        | M::Frstor
        | M::Fxrstor
        | M::Fxrstor64
        | M::Xrstor
        | M::Xrstor64 => Why::FloatMode,
        M::Mov
            if matches!(
                instruction.code(),
                Opcode::Mov_Sreg_rm16 | Opcode::Mov_Sreg_r32m16 | Opcode::Mov_Sreg_r64m16
            ) =>
        {
            Why::Rights
        }
        _ if is_far(instruction) => Why::Mode,
        _ if instruction.is_privileged() => Why::Privileged,
        _ if leaves => Why::Elsewhere,
        _ => return None,
    })
}

fn is_far(instruction: &Instruction) -> bool {
    instruction.is_jmp_far()
        || instruction.is_call_far()
        || instruction.is_jmp_far_indirect()
        || instruction.is_call_far_indirect()
}

/// Places of one kind.
#[derive(Default)]
struct Places {
    count: usize,
    listed: Vec<(u64, String)>,
}

pub(super) fn check(image: &Image<'_>, _: &Context<'_>, findings: &mut Vec<Finding>) {
    let mut found: BTreeMap<Why, Places> = BTreeMap::new();
    let mut formatter = NasmFormatter::new();
    let mut add = |why: Why, instruction: &Instruction| {
        let places = found.entry(why).or_default();
        if places.listed.iter().any(|(address, _)| *address == instruction.ip()) {
            return;
        }
        places.count += 1;
        if places.listed.len() < LISTED {
            let mut text = String::new();
            formatter.format(instruction, &mut text);
            places.listed.push((instruction.ip(), text));
        }
    };
    sweep::each(image, |instruction, leaves| {
        if let Some(why) = why(instruction, leaves) {
            add(why, instruction);
        }
    });
    hidden::float_modes(image, |instruction| add(Why::FloatMode, instruction));
    for (why, places) in &mut found {
        places.listed.sort_unstable();
        let Some((address, text)) = places.listed.first() else { continue };
        let others =
            if places.count > 1 { format!(", and {} more", places.count - 1) } else { String::new() };
        let listed = places.listed.iter().map(|(address, text)| {
            let (symbol, offset) = owner(image, *address);
            json!({ "symbol": symbol, "offset": offset, "address": address, "instruction": text })
        });
        findings.push(finding(
            why.code(),
            format!(
                "`{text}` at {} {}{others}{}",
                place(image, *address),
                why.text(),
                source(image, *address)
            ),
            json!({ "reason": why.text(), "count": places.count, "places": listed.collect::<Vec<_>>() }),
        ));
    }
    uncovered(image, findings);
}

/// The function or section that an address lies in, and how far.
fn owner(image: &Image<'_>, address: u64) -> (String, u64) {
    let section = image.code.iter().rev().find(|code| code.address <= address);
    let start = section.map_or(0, |code| code.address);
    match image.functions.range(start..=address).next_back() {
        Some((at, name)) => (name.clone(), address - at),
        None => (section.map(|code| code.name.clone()).unwrap_or_default(), address - start),
    }
}

fn place(image: &Image<'_>, address: u64) -> String {
    let (name, offset) = owner(image, address);
    format!("`{name}+{offset:#x}`")
}

/// Where code comes from that nobody wrote into the kernel, with a way out.
fn source(image: &Image<'_>, address: u64) -> &'static str {
    if owner(image, address).0.starts_with("__sfp_") {
        "; that is libgcc's arithmetic of `__float128` in software: compute in `double` or `long double`"
    } else {
        ""
    }
}

/// Memory that can be executed holds nothing but sections with code, so that nothing is left unread. Fillers of linkers
/// (zeros, `nop`, `int3`) may lie between them.
fn uncovered(image: &Image<'_>, findings: &mut Vec<Finding>) {
    let covered = sweep::ranges(image);
    for segment in image.segments.iter().filter(|segment| segment.execute) {
        let (mut start, bytes) = image.shown(segment);
        let (first, end) = (start, start.saturating_add(bytes.len() as u64));
        let gaps =
            covered.iter().map(|(code, _)| (code.address, code.address + code.size)).chain([(end, end)]);
        for (from, to) in gaps.filter(|(from, to)| *to >= first && *from <= end) {
            let gap = (start - first) as usize..(from.max(start) - first) as usize;
            let odd = bytes[gap.clone()].iter().position(|byte| !matches!(byte, 0 | 0x90 | 0xcc));
            if let Some(odd) = odd {
                findings.push(finding(
                    Code::ForbiddenInstruction,
                    "executable memory holds bytes outside of its sections with code; \
                     link with `-z separate-code`, and do not strip section headers"
                        .to_owned(),
                    json!({ "address": first + (gap.start + odd) as u64 }),
                ));
                return;
            }
            start = to.clamp(start, end);
        }
    }
}
