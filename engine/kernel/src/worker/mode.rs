//! How the processor rounds, flushes and traps: read around calls, and put back to what a program starts with.

#![expect(unsafe_code, reason = "control registers are reached by instructions only")]

use serde::{Deserialize, Serialize};

/// Control of floating point, without the flags that arithmetic sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mode {
    /// Control bits of MXCSR (x86-64) or FPCR (AArch64).
    pub vector: u64,
    /// The x87 control word, and [`Mode::LEFT`] above it; 0 on other processors.
    pub x87: u64,
}

#[cfg(target_arch = "x86_64")]
mod registers {
    use super::Mode;
    use std::arch::asm;

    /// Flags that arithmetic sets and that are no mode (Intel SDM volume 1, figure 10-3).
    const FLAGS: u32 = 0x3f;

    /// As a process starts (System V ABI for x86-64, 3.2.1 and 3.4.1).
    pub(super) const DEFAULT: Mode = Mode { vector: 0x1f80, x87: 0x37f };

    pub(super) fn read() -> Mode {
        let (mut vector, mut x87) = (0_u32, 0_u16);
        // SAFETY: each instruction stores a register into the variable it is given.
        unsafe {
            asm!("stmxcsr [{}]", in(reg) &raw mut vector, options(nostack, preserves_flags));
            asm!("fnstcw [{}]", in(reg) &raw mut x87, options(nostack, preserves_flags));
        }
        let left = if is_left() { Mode::LEFT } else { 0 };
        Mode { vector: (vector & !FLAGS).into(), x87: u64::from(x87) | left }
    }

    /// Whether the stack of x87 holds something, or begins elsewhere than in the first register. The tag word would say more, but to store
    /// it takes as long as a short call; what is left on the stack shows at its top.
    fn is_left() -> bool {
        // `C3 C2 C0` is `1 0 1` of an empty register (Intel SDM volume 2, FXAM); the top is told by bits 11 to 13.
        const LOOKED_AT: u16 = 0x7d00;
        const EMPTY: u16 = 0x4100;
        let status: u16;
        // SAFETY: looks at a register and gives the status word; only flags of that word change.
        unsafe { asm!("fxam", "fnstsw ax", out("ax") status, options(nomem, nostack)) };
        status & LOOKED_AT != EMPTY
    }

    /// Empties the registers of x87.
    pub(super) fn empty() {
        // SAFETY: compiled code expects the state that this sets.
        unsafe {
            asm!("fninit", out("st(0)") _, out("st(1)") _, out("st(2)") _, out("st(3)") _, out("st(4)") _, out("st(5)") _,
                out("st(6)") _, out("st(7)") _, options(nomem, nostack));
        }
    }

    pub(super) fn restore() {
        let (vector, x87) = (DEFAULT.vector as u32, DEFAULT.x87 as u16);
        // SAFETY: each instruction loads a register from the variable it is given; the values are those that compiled code
        // expects.
        unsafe {
            asm!("ldmxcsr [{}]", in(reg) &raw const vector, options(nostack, preserves_flags, readonly));
            asm!("fldcw [{}]", in(reg) &raw const x87, options(nostack, preserves_flags, readonly));
        }
    }
}

#[cfg(target_arch = "aarch64")]
mod registers {
    use super::Mode;
    use std::arch::asm;

    /// As a process starts (AAPCS64, 6.1.2).
    pub(super) const DEFAULT: Mode = Mode { vector: 0, x87: 0 };

    pub(super) fn read() -> Mode {
        let vector: u64;
        // SAFETY: reads a register.
        unsafe { asm!("mrs {}, fpcr", out(reg) vector, options(nomem, nostack, preserves_flags)) };
        Mode { vector, x87: 0 }
    }

    pub(super) fn empty() {}

    pub(super) fn restore() {
        // SAFETY: writes a register with the value that compiled code expects.
        unsafe { asm!("msr fpcr, {}", in(reg) DEFAULT.vector, options(nomem, nostack, preserves_flags)) };
    }
}

impl Mode {
    /// What a program starts with.
    pub const DEFAULT: Self = registers::DEFAULT;

    /// Set where registers of x87 are left full: whoever computes with `long double` next gets NaNs.
    pub const LEFT: u64 = 1 << 16;

    /// The mode after foreign code; then the one that a program starts with is set.
    pub(super) fn taken() -> Self {
        let mode = Self::read();
        if mode.x87 & Self::LEFT != 0 {
            registers::empty();
        }
        Self::restore();
        mode
    }

    /// The mode now.
    pub(super) fn read() -> Self {
        registers::read()
    }

    /// Sets the mode that a program starts with.
    pub(super) fn restore() {
        registers::restore();
    }
}

#[cfg(test)]
mod tests {
    use super::Mode;

    #[test]
    fn a_test_runs_in_the_default_mode() {
        assert_eq!(Mode::read(), Mode::DEFAULT);
        let third = std::hint::black_box(1.0) / std::hint::black_box(3.0);
        assert!(third > 0.333);
        assert_eq!(Mode::read(), Mode::DEFAULT, "flags of arithmetic are no mode");
        Mode::restore();
        assert_eq!(Mode::read(), Mode::DEFAULT);
    }
}
