//! What PTX tells of the mathematics of a kernel: how many instructions flush, approximate, divide exactly, and so on.
//!
//! Counts are compared, never "more than none": `expf` with strict flags already has one `ex2.approx.ftz`. What a source writes
//! itself as inline assembler stands apart from what the compiler made, because flags do not change it.

mod compare;
mod read;

pub use compare::{Difference, loosened, novel, refusal, written, written_refusal};
pub use read::{PtxError, functions, module};

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a mark says about exactness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// More of it means less exact, or another type inside.
    Loose,
    /// Less of it means less exact.
    Strict,
    /// For readers.
    Plain,
}

/// An opcode such as `div.rn.ftz.f32`, in its parts.
struct Opcode<'a>(Vec<&'a str>);

impl Opcode<'_> {
    fn is(&self, base: &str) -> bool {
        self.0[0] == base
    }

    fn has(&self, modifier: &str) -> bool {
        self.0[1..].contains(&modifier)
    }

    fn has_any(&self, modifiers: &[&str]) -> bool {
        modifiers.iter().any(|modifier| self.has(modifier))
    }

    /// Computes with floats, and not only moves them.
    fn is_float(&self) -> bool {
        self.has_any(&["f32", "f64", "f16", "f16x2", "bf16", "bf16x2", "f32x2"])
    }
}

type Mark = (&'static str, Kind, fn(&Opcode<'_>) -> bool);

/// Every mark. Names are the interface: they stand in rows and messages.
const MARKS: &[Mark] = &[
    (".ftz", Kind::Loose, |op| op.has("ftz")),
    (".approx", Kind::Loose, |op| op.has("approx")),
    ("div.full", Kind::Loose, |op| op.is("div") && op.has("full")),
    (".rz", Kind::Loose, |op| op.is_float() && !op.is("cvt") && op.has("rz")),
    ("cvt.rz", Kind::Loose, |op| {
        op.is("cvt")
            && op.has("rz")
            && op.0.last().is_some_and(|from| from.starts_with('f'))
            && op.has_any(&["f16", "bf16", "f16x2", "bf16x2", "tf32"])
    }),
    ("tf32", Kind::Loose, |op| op.has("tf32")),
    ("fp8", Kind::Loose, |op| op.has_any(&["e4m3x2", "e5m2x2", "e4m3", "e5m2"])),
    ("div.rn", Kind::Strict, |op| op.is("div") && op.has("rn")),
    ("sqrt.rn", Kind::Strict, |op| op.is("sqrt") && op.has("rn")),
    ("rcp.rn", Kind::Strict, |op| op.is("rcp") && op.has("rn")),
    ("fma", Kind::Plain, |op| op.is("fma")),
    ("mul", Kind::Plain, |op| op.is("mul") && op.is_float()),
    ("add", Kind::Plain, |op| op.is("add") && op.is_float()),
    ("mma", Kind::Plain, |op| op.is("mma") || op.is("wmma") || op.is("wgmma") || op.is("tcgen05")),
];

/// Counts by mark; a mark that does not occur is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Marks(pub BTreeMap<String, u64>);

impl Marks {
    /// How often a mark occurs.
    pub fn count(&self, mark: &str) -> u64 {
        self.0.get(mark).copied().unwrap_or(0)
    }

    fn take(&mut self, opcode: &Opcode<'_>) {
        for (name, _, _) in MARKS.iter().filter(|(_, _, holds)| holds(opcode)) {
            *self.0.entry((*name).to_owned()).or_default() += 1;
        }
    }

    fn add(&mut self, other: &Self) {
        for (mark, count) in &other.0 {
            *self.0.entry(mark.clone()).or_default() += count;
        }
    }
}

/// A function of a PTX module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function {
    /// Its name, as it is launched.
    pub name: String,
    /// It is a kernel and not a function of kernels.
    pub kernel: bool,
    /// Instructions that the compiler made.
    pub compiled: Marks,
    /// Instructions that the source wrote as inline assembler.
    pub written: Marks,
}

/// A PTX module.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// Its functions, in its order.
    pub functions: Vec<Function>,
    /// Functions that it calls and does not define.
    pub externs: Vec<String>,
    /// Registers that tell the time and that it reads, once for each statement.
    pub clocks: Vec<String>,
}
